"""Tables of the records of a study."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED, crossover, slope
from benchmarks.hyena_vs_mha.students import CONTROL, HYENA, kind_of
from benchmarks.hyena_vs_mha.tasks import ACCURACY
from benchmarks.study.records import Record
from sigfeat.nn import skill

Spread = tuple[float, float]  # mean and standard deviation over seeds


def student_table(records: Sequence[Record]) -> list[Record]:
    """Means over seeds and their standard deviations, one row per data set, objective and student.

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    rows : list of dict
        "data_set", "objective", "student", "unit", "n_seeds"; "by_seed": R2 of tokens by seed; and by name (mean,
        standard deviation) of each figure, the latter NaN for a single seed: "token_r2", "pooled_r2", "cosine";
        "token_skill", "pooled_skill" over the control of the same seed; "score" in its unit, "lost" (how much worse it
        is than that of the teacher), "agreement" of the predictions; "seconds", "transform_seconds", "n_parameters",
        "largest_gradient"; each measure of similarity, and its chance as "<measure>, chance".
    """
    students = [record for record in records if record["kind"] == "student"]
    teachers = {_combination(record): record for record in _teachers(records)}
    controls = {_combination(record): record for record in students if record["student"] == CONTROL}
    rows = []
    for place, group in grouped(students, lambda record: (*_combination(record)[:2], record["student"])):
        of_seeds = [
            _figures(record, teachers.get(_combination(record)), controls.get(_combination(record))) for record in group
        ]
        row = dict(zip(("data_set", "objective", "student"), place, strict=True)) | {"n_seeds": len(group)}
        row["unit"] = group[0]["unit"]
        row["by_seed"] = {record["seed"]: _number(record["fidelity"]["token_r2"]) for record in group}
        rows.append(row | {name: spread([figures[name] for figures in of_seeds]) for name in of_seeds[0]})
    return rows


def teacher_table(records: Sequence[Record]) -> list[Record]:
    """The same of teachers: "unit", "score", "seconds", "transform_seconds", "n_parameters"."""
    teachers = _teachers(records)
    rows = []
    for place, group in grouped(teachers, lambda record: _combination(record)[:2]):
        of_seeds = [
            {name: record.get(name) for name in ("score", "seconds", "transform_seconds", "n_parameters")}
            for record in group
        ]
        row = dict(zip(("data_set", "objective"), place, strict=True)) | {"n_seeds": len(group)}
        row["unit"] = group[0]["unit"]
        rows.append(row | {name: spread([figures[name] for figures in of_seeds]) for name in of_seeds[0]})
    return rows


def cost_table(records: Sequence[Record]) -> list[Record]:
    """Medians of costs by length, one row per mixer and task.

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    rows : list of dict
        "name", "task", "n_parameters"; "lengths", and for each of them, NaN where nothing was measured, "seconds",
        "peak_bytes" and "flops"; "failures": what stopped a measurement, by length; "exponent" and "memory_exponent" of
        growth over the longer half; "crossover" by reference: the length from which on it is faster, or None.
    """
    costs = [record for record in records if record["kind"] == "cost"]
    lengths = sorted({record["length"] for record in costs})
    rows = []
    for (name, task), group in grouped(costs, lambda record: (record["name"], record["task"])):
        found = {record["length"]: record for record in group}
        seconds = [_median(found[length]["seconds"]) if length in found else math.nan for length in lengths]
        peaks = [_number(found.get(length, {}).get("peak_bytes")) for length in lengths]
        rows.append(
            {
                "name": name,
                "task": task,
                "n_parameters": group[0]["n_parameters"],
                "lengths": lengths,
                "seconds": seconds,
                "peak_bytes": peaks,
                "flops": [_number(found.get(length, {}).get("flops")) for length in lengths],
                "failures": {length: record["failure"] for length, record in found.items() if "failure" in record},
                "exponent": slope(lengths, seconds),
                "memory_exponent": slope(lengths, peaks),
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


def order_of(student: str) -> int:
    """Order of a Hyena by its name."""
    return kind_of(student).order


def shown(found: Spread, digits: int = 3) -> str:
    """Mean, and its spread if there is one."""
    mean, deviation = found
    if math.isnan(mean):
        return ""
    return f"{mean:.{digits}f}" + ("" if math.isnan(deviation) else f" ± {deviation:.{digits}f}")


def spread(values: Iterable[float | None]) -> Spread:
    """Mean of the values that are known, and their standard deviation if there are two."""
    known = [value for value in map(_number, values) if not math.isnan(value)]
    if not known:
        return math.nan, math.nan
    return statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else math.nan


def mean_of_known(values: Iterable[float]) -> float:
    """Mean of the values that are not NaN, or NaN if there is none."""
    return spread(values)[0]


def rounded(length: float) -> int:
    """A length to two digits."""
    return int(float(f"{length:.2g}"))


def _teachers(records):
    """Records of teachers that have attention."""
    return [record for record in records if record["kind"] == "teacher" and record["mixes"]]


def _combination(record):
    return record["data_set"], record["objective"], record["seed"]


def grouped(items: Iterable, key: Callable):
    """Items by key, in the order in which keys come first."""
    groups: dict[Any, list] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups.items()


def _number(value):
    return math.nan if value is None else float(value)


def _median(seconds):
    return statistics.median(seconds) if seconds else math.nan


def _figures(record, teacher, control):
    """Figures of one student."""
    figures = dict(record["fidelity"])
    for name in ("token", "pooled"):
        r2 = _number(record["fidelity"][f"{name}_r2"])
        of_control = _number(control["fidelity"][f"{name}_r2"]) if control else math.nan
        figures[f"{name}_skill"] = math.nan if math.isnan(of_control) else skill(r2, of_control)
    of_teacher = _number(teacher["score"]) if teacher else math.nan
    worse = of_teacher - _number(record["score"])
    figures["lost"] = worse if record["unit"] == ACCURACY else -worse
    figures |= {name: record[name] for name in ("score", "agreement")}
    figures |= {name: record[name] for name in ("seconds", "transform_seconds", "n_parameters")}
    figures["largest_gradient"] = record["health"].get("largest_gradient_norm")
    for name, values in record["similarity"].items():
        figures |= {name: values["value"], f"{name}, chance": values["random"]}
    return figures


def judged(rows: Mapping[tuple[str, str], Record], task: str) -> Record | None:
    """Row of the Hyena that claims are held against: of order 2, or of the lowest order there is."""
    hyenas = sorted(
        (row for (name, of), row in rows.items() if of == task and name.startswith(HYENA)), key=_order_of_row
    )
    return next((row for row in hyenas if _order_of_row(row) == 2), hyenas[0] if hyenas else None)


def _order_of_row(row):
    return order_of(row["name"])


def ratios_of(own: Record, other: Record, figure: str) -> dict[int, float]:
    """How many times as much the other needs, by length."""
    ratios = {
        length: theirs / ours
        for length, ours, theirs in zip(own["lengths"], own[figure], other[figure], strict=True)
        if ours > 0 and theirs > 0
    }
    return {length: ratio for length, ratio in ratios.items() if math.isfinite(ratio)}


def as_time(ratio: float) -> str:
    """In words, what one takes of whom the other takes so many times as long."""
    return f"{digits(1 / ratio)} times as long" if ratio < 1 else f"{_share(ratio)} of the time"


def as_memory(ratio: float) -> str:
    """The same of memory."""
    return f"{digits(1 / ratio)} times the memory" if ratio < 1 else f"{_share(ratio)} of the memory"


def spoken(reference: str) -> str:
    """A reference, in a sentence."""
    return "fused attention" if reference == FUSED else "explicit softmax attention"


def _share(ratio):
    return f"1/{digits(ratio)}" if ratio >= 2 else f"{1 / ratio:.2f}"


def digits(value: float) -> str:
    """Two digits, more only before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
