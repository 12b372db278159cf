"""What the records of a study say, in plain words."""

import math
import statistics
from collections.abc import Sequence

from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED
from benchmarks.hyena_vs_mha.summary import (
    CONTROL,
    HYENA,
    Record,
    as_memory,
    as_time,
    cost_table,
    grouped,
    judged,
    order_of,
    ratios_of,
    student_table,
)


def conclusion(records: Sequence[Record]) -> list[str]:
    """Sentences in plain words, each only if there are figures for it: fidelity, likeness, accuracy, cost, losses.

    One student is said to be better than another if, over the seeds that both have, the mean of the differences in R2
    of tokens is larger than their standard deviation.

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    sentences : list of str
    """
    students, costs = student_table(records), cost_table(records)
    places = [place for place, _ in grouped(students, lambda row: (row["data_set"], row["objective"]))]
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


def _of_orders(place, rows):
    rows = sorted((row for row in rows if not math.isnan(row["token_r2"][0])), key=lambda row: order_of(row["student"]))
    if not rows:
        return []
    best = max(rows, key=lambda row: row["token_r2"][0])
    sentence = f"{_title(place)}: {best['student']} imitates attention best, and {_explains(best)}"
    n_seeds = min(row["n_seeds"] for row in rows)
    if len(rows) == 1 or n_seeds == 1:
        return [sentence + (", for one seed." if n_seeds == 1 else ".")]
    enough = next(row for row in rows if not _is_better(best, row))
    if enough is rows[0] is best:
        return [f"{sentence}: higher orders bring nothing."]
    if enough is best:
        return [f"{sentence}; lower orders are worse over {n_seeds} seeds."]
    return [
        f"{sentence}. {enough['student']} {_explains(enough)}, which cannot be told apart over {n_seeds} seeds: higher "
        "orders bring nothing more."
    ]


def _explains(row):
    skilled = row["token_skill"][0]
    share = f"explains {row['token_r2'][0]:.3f} of the variance of its tokens"
    return share if math.isnan(skilled) else f"{share} (skill over no mixing {skilled:.3f})"


def _title(place):
    return f"{place[0]}, {place[1]} teacher"


def _is_better(one, other):
    """Whether tokens are imitated better, seed by seed, by more in the mean than the standard deviation of that."""
    seeds = sorted(one["by_seed"].keys() & other["by_seed"].keys())
    gains = [one["by_seed"][seed] - other["by_seed"][seed] for seed in seeds]
    return len(gains) > 1 and statistics.fmean(gains) > statistics.stdev(gains)


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
        own = judged({(row["name"], row["task"]): row for row in costs}, task)
        for reference in (FUSED, EXPLICIT):
            other = next((row for row in costs if (row["name"], row["task"]) == (reference, task)), None)
            ratios = ratios_of(own, other, "seconds") if own and other else {}
            if not ratios:
                continue
            length = max(ratios)
            start = own["crossover"][reference]
            when = "at no length" if start is None else f"from about {_round(start):,} steps on"
            sentences.append(
                f"{task.capitalize()}, {own['name']} is faster than {_spoken(reference)} {when}, and takes "
                f"{as_time(ratios[length])} at {length:,} steps."
            )
    return sentences


def _of_rivals(place, rows):
    """Who imitates attention better than the best Hyena."""
    hyenas = [row for row in rows if row["student"].startswith(HYENA)]
    others = [row for row in rows if not row["student"].startswith(HYENA) and row["student"] != CONTROL]
    if not hyenas or not others:
        return []
    best, rival = (max(group, key=lambda row: row["token_r2"][0]) for group in (hyenas, others))
    if not _is_better(rival, best):
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
        own, other = judged(rows, task), rows.get((FUSED, task))
        if own is None or other is None:
            continue
        slower = {length: ratio for length, ratio in ratios_of(own, other, "seconds").items() if ratio < 1}
        if slower:
            length = min(slower, key=lambda length: slower[length])
            sentences.append(
                f"Hyena loses on short sequences: {task}, {own['name']} takes {as_time(slower[length])} as fused "
                f"attention at {length:,} steps."
            )
        heavier = {length: ratio for length, ratio in ratios_of(own, other, "peak_bytes").items() if ratio < 1}
        if heavier:
            length = max(heavier)
            sentences.append(
                f"Hyena loses in memory: {task}, {own['name']} needs {as_memory(heavier[length])} of fused "
                f"attention at {length:,} steps."
            )
    return sentences


def _spoken(reference):
    return "fused attention" if reference == FUSED else "explicit softmax attention"


def _round(length):
    """Two digits."""
    return int(float(f"{length:.2g}"))
