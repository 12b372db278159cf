"""The conclusion of a study, in sentences."""

import math
import statistics
from collections.abc import Sequence

from benchmarks.hyena_vs_mha.cost_conclusion import losses, speed
from benchmarks.hyena_vs_mha.cost_table import cost_table
from benchmarks.hyena_vs_mha.summary import (
    CONTROL,
    HYENA,
    Record,
    Spread,
    grouped,
    order_of,
    shown,
    spread,
    student_table,
    teacher_table,
)

UNTRAINED = "random"


def conclusion(records: Sequence[Record]) -> list[str]:
    """Sentences on fidelity, likeness, accuracy, cost and losses, each only if there are figures for it.

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
    sentences += _of_teachers(students) + _of_likeness(students) + _of_accuracy(students)
    sentences += _of_training(students, teacher_table(records))
    sentences += speed(costs)
    for place in places:
        rows = [row for row in students if (row["data_set"], row["objective"]) == place]
        sentences += _of_rivals(place, rows)
    return sentences + losses(costs)


def _of_orders(place, rows):
    rows = sorted((row for row in rows if not math.isnan(row["token_r2"][0])), key=lambda row: order_of(row["student"]))
    if not rows:
        return []
    best = max(rows, key=_fidelity)
    sentence = f"{_title(place)}: {best['student']} imitates attention best, and {_explains(best)}"
    if len(rows) == 1:
        return [f"{_title(place)}: {best['student']} {_explains(best)}."]
    if all(math.isnan(_gain(best, row)[1]) for row in rows):
        return [f"{sentence}; with one seed, this may be chance."]
    enough = next(row for row in rows if row is best or not _told_apart(_gain(best, row)))
    lower = [row for row in rows if order_of(row["student"]) < order_of(enough["student"])]
    higher = [row for row in rows if order_of(row["student"]) > order_of(best["student"])]
    sentences = [sentence]
    if enough is not best:
        sentences.append(
            f"{enough['student']} is not distinguishable from it with these seeds, and {_explains(enough)}"
        )
    if lower:
        least = min(_gain(best, row)[0] for row in lower)
        sentences.append(f"Orders below explain less than {best['student']}, by {least:.4f} or more")
    worse = [row for row in higher if _told_apart(_gain(best, row))]
    if worse:
        worst = min(worse, key=_fidelity)
        sentences.append(f"Higher orders explain less, too, by up to {_gain(best, worst)[0]:.4f} ({worst['student']})")
    elif higher:
        sentences.append("Higher orders bring no gain beyond the spread over seeds")
    return [". ".join(sentences) + "."]


def _explains(row):
    share = f"explains {shown(row['token_r2'])} of the variance of its tokens"
    known = not math.isnan(row["token_skill"][0])
    return f"{share} (skill over no mixing {shown(row['token_skill'])})" if known else share


def _title(place):
    return f"{place[0]}, {place[1]} teacher"


def _fidelity(row):
    return row["token_r2"][0]


def _gain(one, other) -> Spread:
    """How much more of the tokens one explains than another, seed by seed: a seed has the same teacher for both."""
    seeds = sorted(one["by_seed"].keys() & other["by_seed"].keys())
    return spread(one["by_seed"][seed] - other["by_seed"][seed] for seed in seeds)


def _told_apart(gain: Spread) -> bool:
    """Whether a mean difference is more than its standard deviation over seeds; never for a single seed."""
    return gain[0] > gain[1]


def _of_teachers(students):
    """Which teachers are hardest and easiest to imitate."""
    hyenas = [row for row in students if row["student"].startswith(HYENA) and not math.isnan(row["token_skill"][0])]
    best = [max(rows, key=_fidelity) for _, rows in grouped(hyenas, lambda row: (row["data_set"], row["objective"]))]
    if len(best) < 2:
        return []
    hardest, easiest = (choice(best, key=lambda row: row["token_skill"][0]) for choice in (min, max))
    parts = [
        f"{_title((row['data_set'], row['objective']))} ({row['student']}: {shown(row['token_skill'])})"
        for row in (hardest, easiest)
    ]
    return [f"Skill over no mixing is lowest for {parts[0]}, and highest for {parts[1]}."]


def _of_likeness(students):
    parts = []
    for name in ("linear CKA", "RSA", "mutual kNN"):
        hyenas = _values(students, name, lambda student: student.startswith(HYENA))
        chances = _values(students, f"{name}, chance", lambda student: student.startswith(HYENA))
        controls = _values(students, name, lambda student: student == CONTROL)
        if hyenas and chances:
            beside = f"chance {round(statistics.fmean(chances), 2) + 0:.2f}"
            beside += f", without mixing {_range(controls)}" if controls else ""
            parts.append(f"{name} {_range(hyenas)} ({beside})")
    return [f"Similarity of the pooled tokens of Hyena to those of attention: {'; '.join(parts)}."] if parts else []


def _values(students, name, chosen):
    """Means that are known, of the chosen students."""
    found = [row[name][0] for row in students if name in row and chosen(row["student"])]
    return [value for value in found if not math.isnan(value)]


def _range(values, digits=2):
    ends = dict.fromkeys(f"{end:.{digits}f}" for end in (min(values), max(values)))
    return " to ".join(ends)


def _of_accuracy(students):
    rows = [row for row in students if row["student"].startswith(HYENA) and not math.isnan(row["lost"][0])]
    if not rows:
        return []
    worst = max(rows, key=lambda row: row["lost"][0])
    lost = f"{statistics.fmean(row['lost'][0] for row in rows):.3f}"
    how = (
        "as accurate as"
        if float(lost) == 0
        else f"{lost.lstrip('-')} {'more' if '-' in lost else 'less'} accurate than"
    )
    sentence = (
        f"A ridge classifier on Hyena's features is {how} on those of attention, on average over all orders, data sets "
        "and teachers"
    )
    if worst["lost"][0] > 0:
        where = _title((worst["data_set"], worst["objective"]))
        sentence += f"; it loses most, {shown(worst['lost'])}, with {worst['student']} on {where}"
    return [sentence + "."]


def _of_training(students, teachers):
    """What distillation takes beside the training of the teacher."""
    hyenas = [row for row in students if row["student"].startswith(HYENA)]
    orders = [order_of(row["student"]) for row in hyenas]
    if not hyenas or not teachers:
        return []
    judged = f"{HYENA} {2 if 2 in orders else min(orders)}"
    own = _values(hyenas, "seconds", lambda student: student == judged)
    of_teachers = [row["seconds"][0] for row in teachers if row["objective"] != UNTRAINED]
    if not own or not of_teachers:
        return []
    return [
        f"Distillation of {judged} takes {_range(own, 0)} s of processor time, beside the {_range(of_teachers, 0)} s "
        "that its teacher was trained in."
    ]


def _of_rivals(place, rows):
    """Who imitates attention better than the best Hyena."""
    rows = [row for row in rows if not math.isnan(row["token_r2"][0])]
    hyenas = [row for row in rows if row["student"].startswith(HYENA)]
    others = [row for row in rows if not row["student"].startswith(HYENA) and row["student"] != CONTROL]
    if not hyenas or not others:
        return []
    best, rival = (max(group, key=_fidelity) for group in (hyenas, others))
    gain = _gain(rival, best)
    single = math.isnan(gain[1])
    if not (gain[0] > 0 if single else _told_apart(gain)):
        return []
    return [
        f"{_title(place)}: Hyena loses to {rival['student']}, which explains {shown(rival['token_r2'], 4)} of the "
        f"variance of the tokens ({best['student']}: {shown(best['token_r2'], 4)})"
        f"{'; with one seed, this may be chance' if single else ''}."
    ]
