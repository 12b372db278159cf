"""Published claims about Hyena, compared with the records of a study."""

import itertools
from collections.abc import Mapping, Sequence

from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED, TASKS
from benchmarks.hyena_vs_mha.cost_table import (
    LONG,
    Comparison,
    as_exponent,
    as_memory,
    as_range,
    as_time,
    comparisons,
    cost_table,
    growth_between,
    judged,
    last_growth,
    spoken,
)
from benchmarks.study.pages import FAILS, HOLDS, NOT_JUDGED, PARTLY, Verdict
from benchmarks.study.records import Record

FASTER, LESS_MEMORY = 5.0, 0.8  # of the claims
BELOW_LINEAR, NEARLY_LINEAR, NEARLY_QUADRATIC = 0.9, 1.25, 1.75  # exponents: L log(L) has about 1.1 at such lengths
SPEED, MEMORY, LINEAR = "5 to 10 times faster on long sequences", "80% less memory", "linear complexity"
RULES = [  # on the page
    "Published claims about Hyena, compared with what was measured here on one thread of one processor. Hyena of order "
    f"2, or of the lowest order there is, is judged at every length from {LONG:,} steps on that it and the reference "
    "were measured at; each verdict names these lengths. Times are ratios of runs of the same round, given as median "
    "and range: quartiles of 5 or more runs, the lowest and the highest of fewer.",
    "\u201c5 to 10 times faster\u201d holds if Hyena is at least 5 times as fast at both ends of the range and at all "
    "these lengths, and in part if at some. \u201c80% less memory\u201d holds if the peak, measured once, is at most a "
    "fifth at all these lengths, and in part if at some.",
    "\u201cLinear complexity\u201d is judged by the exponent of the time of Hyena between its two longest lengths from "
    f"{LONG:,} steps on; its range follows from the ranges of both times. The claim holds if the whole range is at "
    f"most {NEARLY_LINEAR}, since L log(L) grows with an exponent of about 1.1 here. It does not hold if the whole "
    f"range is at least {NEARLY_QUADRATIC} between all neighbours of three or more such lengths; a single step may be "
    "that from one cache to the next. Otherwise it holds in part. If the exponent is below "
    f"{BELOW_LINEAR}, fixed costs dominate, and the claim cannot be judged.",
]
MORE = "run with --full, or with more --lengths"
STOPPED = {"memory": "runs out of memory", "time": "takes too long", "left out": "is left out of this study"}
NEEDED = {
    "memory": "more memory would be needed",
    "time": "a higher --limit would be needed",
    "left out": "run with --full, or with a higher --attention_up_to",
}


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Three published claims, against fused and against explicit attention, forward and training.

    See `RULES`. What cannot be judged is "not judged", with the reason and what would be needed.

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    verdicts : list of Verdict
    """
    rows = cost_table(records)
    found = [one for comparison in comparisons(rows) for one in (_of_speed(comparison), _of_memory(comparison))]
    found += [_of_growth(rows, task) for task in TASKS if judged(rows, task) is not None]
    return sorted(found, key=lambda verdict: verdict.claim)


def _of_speed(found: Comparison) -> Verdict:
    measured = {length: f"{as_time(ratio.median)} ({as_range(ratio)})" for length, ratio in found.times.items()}
    agrees = {length: [end >= FASTER for end in (ratio.low, ratio.high)] for length, ratio in found.times.items()}
    return _at_long(SPEED, found, "takes", measured, agrees)


def _of_memory(found: Comparison) -> Verdict:
    measured = {length: as_memory(ratio) for length, ratio in found.peaks.items()}
    agrees = {length: [1 / ratio <= 1 - LESS_MEMORY + 1e-12] for length, ratio in found.peaks.items()}
    return _at_long(MEMORY, found, "needs", measured, agrees)


def _at_long(
    claim: str, found: Comparison, verb: str, measured: Mapping[int, str], agrees: Mapping[int, list[bool]]
) -> Verdict:
    """Verdict at the long ones among the lengths at which both were measured."""
    against, name = f"{found.reference}, {found.task}", found.own["name"]
    long = [length for length in measured if length >= LONG]
    stopped, needed = _stopped(found.other)
    if not long:
        longest = max(measured, default=0)
        known = f"the longest measured with both is {longest:,}" if longest else "none was measured with both"
        sentence = f"Not judged: needs lengths from {LONG:,} steps on; {known}. {stopped}{_capital(needed)}."
        sentence += f" At {longest:,} steps, {name} {verb} {measured[longest]}." if longest else ""
        return Verdict(claim, against, NOT_JUDGED, sentence)
    ends = [end for length in long for end in agrees[length]]
    verdict = HOLDS if all(ends) else PARTLY if any(ends) else FAILS
    figures = [f"{measured[length]}{f' at {length:,} steps' if len(long) > 1 else ''}" for length in long]
    sentence = f"Judged at {_listed(long)}: {name} {verb} {', '.join(figures)}. {stopped}"
    return Verdict(claim, against, verdict, sentence.strip())


def _listed(lengths: list[int]) -> str:
    numbers = [f"{length:,}" for length in lengths]
    return f"{' and '.join([', '.join(numbers[:-1]), numbers[-1]] if numbers[1:] else numbers)} steps"


def _stopped(row: Record) -> tuple[str, str]:
    """From which length on a mixer was not measured, and what would be needed."""
    long = {length: why for length, why in row["failures"].items() if length >= LONG}
    if not long:
        return "", MORE
    why = long[min(long)]
    return f"{spoken(row['name']).capitalize()} {STOPPED[why]} at {min(long):,} steps. ", NEEDED[why]


def _of_growth(rows: Sequence[Record], task: str) -> Verdict:
    own = judged(rows, task)
    assert own is not None
    long = sorted(length for length in own["runs"] if length >= LONG)
    if len(long) < 2:
        known = f"only {long[0]:,} was" if long else f"the longest measured is {max(own['runs'], default=0):,}"
        sentence = f"Not judged: needs two lengths from {LONG:,} steps on; {known}{' measured' if long else ''}. "
        return Verdict(LINEAR, task, NOT_JUDGED, f"{sentence}{_capital(MORE)}.")
    growth = growth_between(own["runs"], *long[-2:])
    flops = {length: [number] for length, number in zip(own["lengths"], own["flops"], strict=True)}
    runs = " and ".join(str(len(own["runs"][length])) for length in long[-2:])
    operations = f"{growth_between(flops, *long[-2:]).exponent:.2f}"
    sentence = (
        f"Judged between {growth.start:,} and {growth.end:,} steps, from {runs} runs: the time of {own['name']} grows "
        f"as length^{as_exponent(growth)}, the number of its operations, by formula, as length^{operations}."
    )
    for row in rows:
        if (row["name"], row["task"]) in ((FUSED, task), (EXPLICIT, task)):
            sentence += _beside(row)
    if growth.exponent < BELOW_LINEAR:
        why = f" Not judged: an exponent below {BELOW_LINEAR} means that fixed costs dominate; needs longer sequences."
        return Verdict(LINEAR, task, NOT_JUDGED, sentence + why)
    if growth.high <= NEARLY_LINEAR:
        return Verdict(LINEAR, task, HOLDS, f"{sentence} L log(L) cannot be distinguished from linear here.")
    steps = [growth_between(own["runs"], *pair) for pair in itertools.pairwise(long)]
    fails = len(steps) > 1 and all(step.low >= NEARLY_QUADRATIC for step in steps)
    sentence += " Time grows faster than the number of operations where the data outgrow a cache."
    return Verdict(LINEAR, task, FAILS if fails else PARTLY, sentence)


def _beside(row: Record) -> str:
    growth = last_growth(row["runs"])
    if growth is None:
        return ""
    where = f"between {growth.start:,} and {growth.end:,} steps"
    return f" The time of {spoken(row['name'])} grows as length^{as_exponent(growth)} {where}."


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
