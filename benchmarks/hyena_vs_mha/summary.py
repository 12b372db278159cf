"""What the records of a study say: tables, verdicts on published claims, and sentences."""

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED, crossover, slope
from sigfeat.nn.fidelity import skill

Record = dict[str, Any]
Spread = tuple[float, float]  # mean and standard deviation over seeds

CONTROL = "control"
HYENA = "Hyena order"
LONG = 8192  # steps from which on a sequence counts as long
FASTER, LESS_MEMORY = 5.0, 0.8  # of the claims
NEARLY_LINEAR, NEARLY_QUADRATIC = 1.25, 1.75  # exponents: L log(L) has about 1.1 at such lengths
HOLDS, PARTLY, FAILS, UNKNOWN = "holds", "holds in part", "does not hold", "not measured"


@dataclass(frozen=True)
class Verdict:
    """A claim, what it was held against, what became of it, and the figures in a sentence."""

    claim: str
    against: str
    verdict: str
    sentence: str


def student_table(records: Sequence[Record]) -> list[Record]:
    """Means over seeds and their standard deviations, one row per data set, objective and student.

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    rows : list of dict
        "data_set", "objective", "student", "n_seeds", and by name (mean, standard deviation) of each figure, the
        latter NaN for a single seed: "token_r2", "pooled_r2", "cosine"; "token_skill", "pooled_skill" over the control
        of the same seed; "ridge", "logistic" (accuracies), "lost" (accuracy of the teacher less that of the student,
        both by ridge), "agreement" (by ridge); "seconds", "transform_seconds", "n_parameters", "largest_gradient"; each
        measure of similarity, and its chance as "<measure>, chance".
    """
    students = [record for record in records if record["kind"] == "student"]
    teachers = {_combination(record): record for record in records if record["kind"] == "teacher"}
    controls = {_combination(record): record for record in students if record["student"] == CONTROL}
    rows = []
    for place, group in _grouped(students, lambda record: (*_combination(record)[:2], record["student"])):
        of_seeds = [
            _figures(record, teachers.get(_combination(record)), controls.get(_combination(record))) for record in group
        ]
        row = dict(zip(("data_set", "objective", "student"), place, strict=True)) | {"n_seeds": len(group)}
        rows.append(row | {name: _spread([figures[name] for figures in of_seeds]) for name in of_seeds[0]})
    return rows


def teacher_table(records: Sequence[Record]) -> list[Record]:
    """The same of teachers: "ridge", "logistic", "seconds", "transform_seconds", "n_parameters"."""
    teachers = [record for record in records if record["kind"] == "teacher"]
    rows = []
    for place, group in _grouped(teachers, lambda record: _combination(record)[:2]):
        of_seeds = [
            record["accuracy"] | {name: record[name] for name in ("seconds", "transform_seconds", "n_parameters")}
            for record in group
        ]
        row = dict(zip(("data_set", "objective"), place, strict=True)) | {"n_seeds": len(group)}
        rows.append(row | {name: _spread([figures[name] for figures in of_seeds]) for name in of_seeds[0]})
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
    for (name, task), group in _grouped(costs, lambda record: (record["name"], record["task"])):
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


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Three published claims, held against fused and against explicit attention, forward and training.

    Judged is Hyena of order 2, or of the lowest order there is, at lengths from 8192 on that both were measured at.
    "5 to 10 times faster": at least 5 times. "80% less memory": at most a fifth of the peak. Each holds if it does at
    all these lengths, in part if at some. "Linear complexity": the exponent of the time over the longer half of the
    lengths is at most 1.25 (holds) or less than 1.75 (in part). Without such lengths, "not measured".

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    verdicts : list of Verdict
    """
    rows = {(row["name"], row["task"]): row for row in cost_table(records)}
    found = []
    for task, reference in itertools.product(("forward", "training"), (FUSED, EXPLICIT)):
        own, other = _judged(rows, task), rows.get((reference, task))
        if own is not None and other is not None:
            against = f"{reference}, {task}"
            times, peaks = _ratios(own, other, "seconds"), _ratios(own, other, "peak_bytes")
            verdict, where = _at_long(times, lambda ratio: ratio >= FASTER)
            figures = ", ".join(f"{_times(times[length])} at {length:,} steps" for length in where)
            sentence = f"{own['name']} takes {figures}" if where else "No length was measured with both"
            found.append(Verdict("5 to 10 times faster on long sequences", against, verdict, sentence + "."))
            verdict, where = _at_long(peaks, lambda ratio: 1 / ratio <= 1 - LESS_MEMORY + 1e-12)
            figures = ", ".join(f"{_memory(peaks[length])} at {length:,} steps" for length in where)
            sentence = f"{own['name']} needs {figures}" if where else "No length was measured with both"
            found.append(Verdict("80% less memory", against, verdict, sentence + "."))
    for task in ("forward", "training"):
        own = _judged(rows, task)
        if own is not None:
            found.append(_verdict_of_growth(own, rows.get((FUSED, task)), task))
    return sorted(found, key=lambda verdict: verdict.claim)


def conclusion(records: Sequence[Record]) -> list[str]:
    """Sentences in plain words, each only if there are figures for it: fidelity, likeness, accuracy, cost, losses."""
    students, costs = student_table(records), cost_table(records)
    places = [place for place, _ in _grouped(students, lambda row: (row["data_set"], row["objective"]))]
    sentences = []
    for place in places:
        rows = [row for row in students if (row["data_set"], row["objective"]) == place]
        sentences += _of_orders(place, [row for row in rows if row["student"].startswith(HYENA)])
    sentences += _of_likeness(students)
    sentences += _of_accuracy(students)
    sentences += _of_speed(costs)
    for place in places:
        rows = [row for row in students if (row["data_set"], row["objective"]) == place]
        sentences += _of_rivals(place, rows)
    return sentences + _of_losses(costs)


def order_of(student: str) -> int:
    """Order of a Hyena by its name."""
    return int(student.rpartition(" ")[2])


def shown(spread: Spread, digits: int = 3) -> str:
    """Mean, and its spread if there is one."""
    mean, deviation = spread
    if math.isnan(mean):
        return ""
    return f"{mean:.{digits}f}" + ("" if math.isnan(deviation) else f" ± {deviation:.{digits}f}")


def _combination(record):
    return record["data_set"], record["objective"], record["seed"]


def _grouped(items, key: Callable):
    """Items by key, in the order in which keys come first."""
    groups: dict[Any, list] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups.items()


def _number(value):
    return math.nan if value is None else float(value)


def _median(seconds):
    return statistics.median(seconds) if seconds else math.nan


def _spread(values):
    known = [value for value in map(_number, values) if not math.isnan(value)]
    if not known:
        return math.nan, math.nan
    return statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else math.nan


def _figures(record, teacher, control):
    """Figures of one student."""
    figures = dict(record["fidelity"])
    for name in ("token", "pooled"):
        r2 = _number(record["fidelity"][f"{name}_r2"])
        of_control = _number(control["fidelity"][f"{name}_r2"]) if control else math.nan
        figures[f"{name}_skill"] = math.nan if math.isnan(of_control) else skill(r2, of_control)
    figures |= record["accuracy"]
    figures["lost"] = teacher["accuracy"]["ridge"] - record["accuracy"]["ridge"] if teacher else math.nan
    figures["agreement"] = record["agreement"]["ridge"]
    figures |= {name: record[name] for name in ("seconds", "transform_seconds", "n_parameters")}
    figures["largest_gradient"] = record["health"].get("largest_gradient_norm")
    for name, values in record["similarity"].items():
        figures |= {name: values["value"], f"{name}, chance": values["random"]}
    return figures


# ---------------------------------------------------------------------------------------------------- costs


def _judged(rows, task):
    """Row of the Hyena that claims are held against."""
    hyenas = sorted(
        (row for (name, of), row in rows.items() if of == task and name.startswith(HYENA)), key=_order_of_row
    )
    return next((row for row in hyenas if _order_of_row(row) == 2), hyenas[0] if hyenas else None)


def _order_of_row(row):
    return order_of(row["name"])


def _ratios(own, other, figure):
    """How many times as much the other needs, by length."""
    ratios = {
        length: theirs / ours
        for length, ours, theirs in zip(own["lengths"], own[figure], other[figure], strict=True)
        if ours > 0 and theirs > 0
    }
    return {length: ratio for length, ratio in ratios.items() if math.isfinite(ratio)}


def _at_long(ratios, agrees):
    """Verdict, and the lengths that it is for; the longest there is if none is long."""
    long = [length for length in ratios if length >= LONG]
    if not long:
        return UNKNOWN, list(ratios)[-1:]
    n_agree = sum(agrees(ratios[length]) for length in long)
    return (HOLDS if n_agree == len(long) else PARTLY if n_agree else FAILS), long


def _verdict_of_growth(own, fused, task):
    exponent = own["exponent"]
    if math.isnan(exponent):
        return Verdict("linear complexity", task, UNKNOWN, "Fewer than three lengths were measured.")
    verdict = HOLDS if exponent <= NEARLY_LINEAR else PARTLY if exponent < NEARLY_QUADRATIC else FAILS
    sentence = f"The time of {own['name']} grows as length^{exponent:.2f} over the longer lengths"
    if fused is not None and not math.isnan(fused["exponent"]):
        sentence += f", that of fused attention as length^{fused['exponent']:.2f}"
    sentence += "; L log(L), its true order, cannot be told from linear here." if verdict == HOLDS else "."
    return Verdict("linear complexity", task, verdict, sentence)


def _times(ratio):
    """Of a duration."""
    if ratio < 1:
        return f"{_digits(1 / ratio)} times as long"
    return f"1/{_digits(ratio)} of the time"


def _memory(ratio):
    return f"{_digits(1 / ratio)} times the memory" if ratio < 1 else f"1/{_digits(ratio)} of the memory"


def _digits(value):
    """Two digits, more only before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


# ------------------------------------------------------------------------------------------------ sentences


def _of_orders(place, rows):
    rows = sorted((row for row in rows if not math.isnan(row["token_r2"][0])), key=lambda row: order_of(row["student"]))
    if not rows:
        return []
    best = max(rows, key=lambda row: row["token_r2"][0])
    enough = next(row for row in rows if _within_spread(row["token_r2"], best["token_r2"]))
    sentence = f"{_title(place)}: {best['student']} imitates attention best, and {_explains(best)}"
    if enough is best:
        lower = order_of(best["student"]) > min(order_of(row["student"]) for row in rows)
        return [sentence + ("; lower orders fall behind it by more than the spread of seeds." if lower else ".")]
    return [
        f"{sentence}. {enough['student']} {_explains(enough)}, which is within the spread of seeds: higher orders "
        "bring nothing that can be told."
    ]


def _explains(row):
    skilled = row["token_skill"][0]
    share = f"explains {row['token_r2'][0]:.3f} of the variance of its tokens"
    return share if math.isnan(skilled) else f"{share} (skill over no mixing {skilled:.3f})"


def _title(place):
    return f"{place[0]}, {place[1]} teacher"


def _within_spread(one: Spread, other: Spread) -> bool:
    """Whether two means differ by no more than the larger standard deviation; never for single seeds."""
    spreads = [spread for _, spread in (one, other) if not math.isnan(spread)]
    return abs(one[0] - other[0]) <= (max(spreads) if spreads else 0.0)


def _of_likeness(students):
    hyenas = [row for row in students if row["student"].startswith(HYENA)]
    parts = []
    for name in ("linear CKA", "RSA", "mutual kNN"):
        values = [row[name][0] for row in hyenas if name in row and not math.isnan(row[name][0])]
        chances = [row[f"{name}, chance"][0] for row in hyenas if name in row and not math.isnan(row[name][0])]
        if values:
            parts.append(
                f"{name} {min(values):.2f} to {max(values):.2f} (chance {round(statistics.fmean(chances), 2) + 0:.2f})"
            )
    return [f"Pooled tokens of Hyena and of attention are alike: {', '.join(parts)}."] if parts else []


def _of_accuracy(students):
    rows = [row for row in students if row["student"].startswith(HYENA) and not math.isnan(row["lost"][0])]
    if not rows:
        return []
    worst = max(rows, key=lambda row: row["lost"][0])
    mean = statistics.fmean(row["lost"][0] for row in rows)
    sentence = (
        f"A ridge classifier on Hyena's features is {abs(mean):.3f} {'less' if mean > 0 else 'more'} accurate than on "
        f"those of attention, on average over all orders, data sets and teachers"
    )
    if worst["lost"][0] > 0:
        where = _title((worst["data_set"], worst["objective"]))
        sentence += f"; it loses most, {worst['lost'][0]:.3f}, with {worst['student']} on {where}"
    return [sentence + "."]


def _of_speed(costs):
    sentences = []
    for task in ("forward", "training"):
        own = _judged({(row["name"], row["task"]): row for row in costs}, task)
        for reference in (FUSED, EXPLICIT):
            other = next((row for row in costs if (row["name"], row["task"]) == (reference, task)), None)
            ratios = _ratios(own, other, "seconds") if own and other else {}
            if not ratios:
                continue
            length = max(ratios)
            start = own["crossover"][reference]
            when = "at no length" if start is None else f"from about {_round(start):,} steps on"
            sentences.append(
                f"{task.capitalize()}, {own['name']} is faster than {_spoken(reference)} {when}, and takes "
                f"{_times(ratios[length])} at {length:,} steps."
            )
    return sentences


def _of_rivals(place, rows):
    """Who imitates attention better than the best Hyena, by more than the spread of seeds."""
    hyenas = [row for row in rows if row["student"].startswith(HYENA)]
    others = [row for row in rows if not row["student"].startswith(HYENA) and row["student"] != CONTROL]
    if not hyenas or not others:
        return []
    best, rival = (max(group, key=lambda row: row["token_r2"][0]) for group in (hyenas, others))
    if rival["token_r2"][0] <= best["token_r2"][0] or _within_spread(rival["token_r2"], best["token_r2"]):
        return []
    return [
        f"{_title(place)}: Hyena loses to {rival['student']}, which explains {rival['token_r2'][0]:.3f} of the "
        f"variance of the tokens ({best['student']}: {best['token_r2'][0]:.3f})."
    ]


def _of_losses(costs):
    """Where Hyena is slower or needs more memory than fused attention."""
    rows = {(row["name"], row["task"]): row for row in costs}
    sentences = []
    for task in ("forward", "training"):
        own, other = _judged(rows, task), rows.get((FUSED, task))
        if own is None or other is None:
            continue
        slower = {length: ratio for length, ratio in _ratios(own, other, "seconds").items() if ratio < 1}
        if slower:
            length = min(slower, key=lambda length: slower[length])
            sentences.append(
                f"Hyena loses on short sequences: {task}, {own['name']} takes {_times(slower[length])} as fused "
                f"attention at {length:,} steps."
            )
        heavier = {length: ratio for length, ratio in _ratios(own, other, "peak_bytes").items() if ratio < 1}
        if heavier:
            length = max(heavier)
            sentences.append(
                f"Hyena loses in memory: {task}, {own['name']} needs {_memory(heavier[length])} of fused "
                f"attention at {length:,} steps."
            )
    return sentences


def _spoken(reference):
    return "fused attention" if reference == FUSED else "explicit softmax attention"


def _round(length):
    """Two digits."""
    return int(float(f"{length:.2g}"))
