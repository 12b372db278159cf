"""Costs from the records of a study: medians with their spread, growth with the length, ratios of two mixers."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED, TASKS
from benchmarks.hyena_vs_mha.students import HYENA
from benchmarks.hyena_vs_mha.summary import grouped, number, order_of
from benchmarks.study.records import Record

LONG = 8192  # steps from which on a sequence counts as long
MANY = 5  # values from which on their spread is that of the quartiles


class Range(NamedTuple):
    """Median, and the quartiles around it; the lowest and the highest of fewer than 5 values."""

    median: float
    low: float
    high: float
    n: int


class Growth(NamedTuple):
    """Exponent of growth between two lengths, and its ends."""

    start: int
    end: int
    exponent: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """The Hyena that claims are compared with, against a reference: ratios by length, above 1 where Hyena needs less.

    Parameters
    ----------
    task, reference : str
        "forward" or "training"; fused or explicit attention.
    own, other : dict
        Rows of the table of costs.
    times : dict
        Range of the ratio of the times of the same round, by length.
    peaks : dict
        Ratio of the peak memory, by length.
    """

    task: str
    reference: str
    own: Record
    other: Record
    times: dict[int, Range]
    peaks: dict[int, float]


def cost_table(records: Sequence[Record]) -> list[Record]:
    """Costs by length, one row per mixer and task.

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    rows : list of dict
        "name", "task", "n_parameters"; "lengths", and for each of them, NaN where nothing was measured, "seconds"
        (median), "low", "high" (ends of its spread), "peak_bytes" and "flops"; "runs": times by length; "failures":
        what stopped a measurement, by length; "growth" and "memory_growth" between the two longest lengths, or None;
        "crossover" by reference: the length from which on it is faster, or None.
    """
    costs = [record for record in records if record["kind"] == "cost"]
    lengths = sorted({record["length"] for record in costs})
    rows = []
    for (name, task), group in grouped(costs, lambda record: (record["name"], record["task"])):
        found = {record["length"]: record for record in group}
        runs = {length: record["seconds"] for length, record in found.items() if record["seconds"]}
        spreads = {length: range_of(seconds) for length, seconds in runs.items()}
        peaks = {length: [record["peak_bytes"]] for length, record in found.items() if record.get("peak_bytes")}
        rows.append(
            {
                "name": name,
                "task": task,
                "n_parameters": group[0]["n_parameters"],
                "lengths": lengths,
                "seconds": [spreads[length].median if length in spreads else math.nan for length in lengths],
                "low": [spreads[length].low if length in spreads else math.nan for length in lengths],
                "high": [spreads[length].high if length in spreads else math.nan for length in lengths],
                "peak_bytes": [number(found.get(length, {}).get("peak_bytes")) for length in lengths],
                "flops": [number(found.get(length, {}).get("flops")) for length in lengths],
                "runs": runs,
                "failures": {length: record["failure"] for length, record in found.items() if "failure" in record},
                "growth": last_growth(runs),
                "memory_growth": last_growth(peaks),
            }
        )
    for row in rows:
        references = {other["name"]: other for other in rows if other["task"] == row["task"]}
        row["crossover"] = {
            name: crossover(lengths, row["seconds"], references[name]["seconds"])
            for name in (FUSED, EXPLICIT)
            if name in references
        }
    return rows


def comparisons(rows: Sequence[Record]) -> Iterator[Comparison]:
    """Hyena against fused and against explicit attention, forward and training, from rows of the table of costs."""
    by_name = {(row["name"], row["task"]): row for row in rows}
    for task in TASKS:
        for reference in (FUSED, EXPLICIT):
            own, other = judged(rows, task), by_name.get((reference, task))
            if own is not None and other is not None:
                yield Comparison(task, reference, own, other, ratios(own, other), _of_peaks(own, other))


def judged(rows: Sequence[Record], task: str) -> Record | None:
    """Row of the Hyena that is compared with claims: of order 2, or of the lowest order there is."""
    hyenas = [row for row in rows if row["task"] == task and row["name"].startswith(HYENA)]
    return min(hyenas, key=lambda row: (order_of(row["name"]) != 2, order_of(row["name"])), default=None)


def range_of(values: Sequence[float]) -> Range:
    """Median and spread of some values."""
    low, high = np.quantile(values, (0.25, 0.75)) if len(values) >= MANY else (min(values), max(values))
    return Range(statistics.median(values), float(low), float(high), len(values))


def ratios(own: Record, other: Record) -> dict[int, Range]:
    """How many times as long the other takes, round by round, at each length that both were measured at."""
    return {
        length: range_of([theirs / ours for ours, theirs in zip(own["runs"][length], times, strict=False)])
        for length, times in sorted(other["runs"].items())
        if length in own["runs"]
    }


def growth_between(runs: Mapping[int, Sequence[float]], start: int, end: int) -> Growth:
    """Exponent of growth between two lengths, from the medians, and its ends from the ends of both spreads."""
    doublings = math.log(end / start)
    first, last = range_of(runs[start]), range_of(runs[end])
    middle, low, high = (
        math.log(after / before) / doublings
        for after, before in ((last.median, first.median), (last.low, first.high), (last.high, first.low))
    )
    return Growth(start, end, middle, low, high)


def last_growth(values: Mapping[int, Sequence[float]]) -> Growth | None:
    """Growth between the two longest lengths at which a value above zero was measured."""
    lengths = sorted(length for length, found in values.items() if min(found) > 0)
    return growth_between(values, *lengths[-2:]) if len(lengths) >= 2 else None


def crossover(lengths: Sequence[int], seconds: ArrayLike, of_reference: ArrayLike) -> float | None:
    """Length from which on times stay below those of a reference.

    Parameters
    ----------
    lengths : sequence of int
        Increasing.
    seconds, of_reference : array-like of shape (n_lengths,)
        Lengths at which one of both is NaN are left out.

    Returns
    -------
    length : float or None
        Between two lengths, where the logarithm of the ratio, linear in the logarithm of the length, is zero. The
        first length if all times are below the reference, None if the last is not, or there is none.
    """
    log_ratio = np.log(np.asarray(seconds, float)) - np.log(np.asarray(of_reference, float))
    known = ~np.isnan(log_ratio)
    log_ratio, log_length = log_ratio[known], np.log(np.asarray(lengths, float)[known])
    above = np.flatnonzero(log_ratio >= 0)
    if len(log_ratio) == 0 or log_ratio[-1] >= 0:
        return None
    if len(above) == 0:
        return float(np.asarray(lengths)[known][0])
    last = above[-1]
    share = log_ratio[last] / (log_ratio[last] - log_ratio[last + 1])
    return float(np.exp(log_length[last] + share * (log_length[last + 1] - log_length[last])))


def as_time(ratio: float, other: str = "") -> str:
    """In words, the time of one mixer beside that of another, which takes so many times as long."""
    if ratio < 1:
        times = "about as long" if digits(1 / ratio) == "1" else f"{digits(1 / ratio)} times as long"
        return f"{times}{f' as {other}' if other else ''}"
    return f"{_part(ratio)} of the time{f' of {other}' if other else ''}"


def as_memory(ratio: float, other: str = "") -> str:
    """The same of memory."""
    words = f"{digits(1 / ratio)} times the memory" if ratio < 1 else f"{_part(ratio)} of the memory"
    return f"{words} of {other}" if other else words


def as_exponent(growth: Growth) -> str:
    """An exponent and its range."""
    ends = [f"{end:.2f}" for end in (growth.low, growth.high)]
    return f"{growth.exponent:.2f}" + (f" ({' to '.join(ends)})" if ends[0] != ends[1] else "")


def as_range(ratios: Range) -> str:
    """Ends of a spread of ratios, as parts or multiples, and the number of runs."""
    if ratios.n == 1:
        return "1 run"
    ends = dict.fromkeys(_part(end) if end >= 1 else digits(1 / end) for end in (ratios.high, ratios.low))
    return f"{' to '.join(ends)} in {ratios.n} runs"


def spoken(reference: str) -> str:
    """A reference, in a sentence."""
    return "fused attention" if reference == FUSED else "explicit softmax attention"


def rounded(length: float) -> int:
    """A length to two digits."""
    return int(float(f"{length:.2g}"))


def digits(value: float) -> str:
    """Two digits, more only before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _part(ratio):
    return f"1/{digits(ratio)}" if ratio >= 2 else f"{1 / ratio:.2f}"


def _of_peaks(own, other):
    found = zip(own["lengths"], own["peak_bytes"], other["peak_bytes"], strict=True)
    return {length: theirs / ours for length, ours, theirs in found if ours > 0 and theirs > 0}
