"""Tables of teachers and students from the records of a study."""

import math
import statistics
from collections.abc import Callable, ItemsView, Iterable, Sequence
from typing import Any

from benchmarks.hyena_vs_mha.students import CONTROL, EQUAL_WEIGHTS, HYENA, USUAL_ORDER, kind_of
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
        "data_set", "objective", "student", "unit", "n_seeds"; "by_seed": "token_r2", "token_skill" and "lost", each by
        seed, where they are known; and by name (mean, standard deviation) of each figure, the latter NaN for a single
        seed: "token_r2", "pooled_r2", "cosine"; "token_skill", "pooled_skill" over the control of the same seed;
        "score" in its unit, "lost" (how much worse it is than that of the teacher), "agreement" of the predictions;
        "seconds", "transform_seconds", "n_parameters", "largest_gradient"; each measure of similarity, and its chance
        as "<measure>, chance".
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
        row["by_seed"] = {name: _by_seed(name, group, of_seeds) for name in ("token_r2", "token_skill", "lost")}
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


def order_of(student: str) -> int:
    """Order of a Hyena by its name."""
    return kind_of(student).order


def judged_hyena(names: Iterable[str]) -> str | None:
    """The student that stands for Hyena: of order 2, or of the lowest order, at equal width; None if there is none."""
    orders = {order_of(name) for name in names if name.startswith(HYENA) and not name.endswith(EQUAL_WEIGHTS)}
    return f"{HYENA} {USUAL_ORDER if USUAL_ORDER in orders else min(orders)}" if orders else None


def judged_records(records: Sequence[Record], place: tuple[str, str]) -> list[Record]:
    """Records of the student that stands for Hyena, with one teacher; none if there is no Hyena."""
    own = [record for record in records if record["kind"] == "student" and place_of(record) == place]
    judged = judged_hyena(record["student"] for record in own)
    return [record for record in own if record["student"] == judged]


def place_of(row: Record) -> tuple[str, str]:
    """Data set or task of a row or a record, and the objective of its teacher."""
    return row["data_set"], row["objective"]


def in_seeds(n_seeds: int) -> str:
    """Number of seeds in words."""
    return f"{n_seeds} seed{'s' if n_seeds > 1 else ''}"


def shown(found: Spread, digits: int = 3) -> str:
    """Mean, and its spread if there is one."""
    mean, deviation = found
    if math.isnan(mean):
        return ""
    return f"{mean:.{digits}f}" + ("" if math.isnan(deviation) else f" ± {deviation:.{digits}f}")


def spread(values: Iterable[float | None]) -> Spread:
    """Mean of the values that are known, and their standard deviation if there are two."""
    known = [value for value in map(number, values) if not math.isnan(value)]
    if not known:
        return math.nan, math.nan
    return statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else math.nan


def mean_of_known(values: Iterable[float]) -> float:
    """Mean of the values that are not NaN, or NaN if there is none."""
    return spread(values)[0]


def _teachers(records):
    """Records of teachers that have attention."""
    return [record for record in records if record["kind"] == "teacher" and record["mixes"]]


def _combination(record):
    return record["data_set"], record["objective"], record["seed"]


def grouped(items: Iterable[Any], key: Callable[[Any], Any]) -> ItemsView[Any, list[Any]]:
    """Items by key, in the order in which keys come first."""
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups.items()


def number(value: float | None) -> float:
    """A value of a record, in which None stands for what is not finite, as NaN."""
    return math.nan if value is None else float(value)


def _by_seed(name, group, of_seeds):
    """A figure by seed, where it is known."""
    values = {record["seed"]: number(figures[name]) for record, figures in zip(group, of_seeds, strict=True)}
    return {seed: value for seed, value in values.items() if not math.isnan(value)}


def _figures(record, teacher, control):
    """Figures of one student."""
    figures = dict(record["fidelity"])
    for name in ("token", "pooled"):
        r2 = number(record["fidelity"][f"{name}_r2"])
        of_control = number(control["fidelity"][f"{name}_r2"]) if control else math.nan
        figures[f"{name}_skill"] = math.nan if math.isnan(of_control) else skill(r2, of_control)
    of_teacher = number(teacher["score"]) if teacher else math.nan
    worse = of_teacher - number(record["score"])
    figures["lost"] = worse if record["unit"] == ACCURACY else -worse
    figures |= {name: record[name] for name in ("score", "agreement")}
    figures |= {name: record[name] for name in ("seconds", "transform_seconds", "n_parameters")}
    figures["largest_gradient"] = record["health"].get("largest_gradient_norm")
    for name, values in record["similarity"].items():
        figures |= {name: values["value"], f"{name}, chance": values["random"]}
    return figures
