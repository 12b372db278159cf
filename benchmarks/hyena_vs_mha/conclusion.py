"""The conclusion of a study, in sentences."""

import math
import statistics
from collections.abc import Sequence

from benchmarks.hyena_vs_mha.attention_map import PROPERTIES
from benchmarks.hyena_vs_mha.cost_conclusion import losses, speed
from benchmarks.hyena_vs_mha.cost_table import cost_table
from benchmarks.hyena_vs_mha.orders import PLACE, Gap, gap_table, order_sentences, orders_of, title
from benchmarks.hyena_vs_mha.students import CONTROL, HYENA, kind_of
from benchmarks.hyena_vs_mha.summary import Record, Spread, shown, spread, student_table, teacher_table
from benchmarks.hyena_vs_mha.tasks import ACCURACY, LEAST_GAP

SPOKEN = {
    "entropy": "the entropy of its weights",
    "distance": "the distance that it attends over",
    "dependence": "how much its weights depend on the input",
}
WEAK = 0.2  # rank correlation below which nothing is said to be related


def conclusion(records: Sequence[Record]) -> list[str]:
    """Sentences on teachers, orders, likeness, accuracy and costs, each only if there are figures for it.

    Orders are compared only for teachers with a mixing gap; see `benchmarks.hyena_vs_mha.orders`. One student is said
    to be better than another if, over the seeds that both have, the mean of the differences in R2 of tokens is larger
    than their standard deviation.

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    sentences : list of str
    """
    gaps, students, costs = gap_table(records), student_table(records), cost_table(records)
    large = [gap.place for gap in gaps if gap.is_large]
    sentences = _of_teachers(gaps) + order_sentences(records) + _of_all(students, large)
    for place in large:
        sentences += _of_rivals(place, [row for row in students if _place(row) == place])
    sentences += _of_attention(records, large)
    used = [row for row in students if _place(row) in large]
    sentences += _of_likeness(used) + _of_training(used, teacher_table(records))
    return sentences + speed(costs) + losses(costs)


def _of_teachers(gaps: Sequence[Gap]) -> list[str]:
    """Which teachers say nothing, first, and from which conclusions are drawn."""
    sentences = [
        f"The teacher of {title(gap.place)} is worse than the same network without mixing ({shown(gap.attention)} "
        f"against {shown(gap.without)}, {gap.unit}): it was trained too little, or mixing does not help there. "
        "Nothing follows from its students."
        for gap in gaps
        if gap.is_below
    ]
    known = [gap for gap in gaps if gap.is_known]
    large, easy = ([gap for gap in known if gap.is_large is is_large] for is_large in (True, False))
    least = f"{LEAST_GAP[ACCURACY]:g} in accuracy or {LEAST_GAP['bits']:g} bits"
    if large:
        names = ", ".join(f"{title(gap.place)} ({shown(gap.gap, 2)})" for gap in large)
        sentences.append(
            f"{len(large)} of {len(known)} teachers have a mixing gap of at least {least}: {names}. Everything below "
            "about students is concluded from these."
        )
    elif known:
        sentences.append(
            f"No teacher has a mixing gap of at least {least}, so that nothing can be concluded about the order."
        )
    if easy:
        names = ", ".join(title(gap.place) for gap in easy)
        sentences.append(f"Easy, as a network without mixing is nearly as good: {names}.")
    unknown = [gap for gap in gaps if not gap.is_known]
    if unknown:
        names = ", ".join(title(gap.place) for gap in unknown)
        sentences.append(f"Without mixing nothing was trained on {names}, so that nothing is concluded from it.")
    return sentences


def _of_all(students: Sequence[Record], large: Sequence[tuple[str, str]]) -> list[str]:
    """The orders over all teachers."""
    found = {place: orders for place in large if (orders := orders_of(students, place)) is not None}
    if len(found) < 2:
        return []
    several = [orders for orders in found.values() if not math.isnan(orders.error)]
    sentences = []
    if several:
        counts: dict[int, int] = {}
        for orders in several:
            counts[orders.enough] = counts.get(orders.enough, 0) + 1
        parts = [f"order {order} for {counts[order]}" for order in sorted(counts)]
        sentences.append(
            f"The lowest order within one standard error of the best, over {len(several)} teachers: {', '.join(parts)}."
        )
    hardest = min(found, key=lambda place: found[place].skills[found[place].best][0])
    easiest = max(found, key=lambda place: found[place].skills[found[place].best][0])
    ends = [f"{title(place)} ({shown(found[place].skills[found[place].best], 2)})" for place in (hardest, easiest)]
    return [*sentences, f"The best skill is lowest for {ends[0]}, and highest for {ends[1]}."]


def _of_rivals(place: tuple[str, str], rows: Sequence[Record]) -> list[str]:
    """Who imitates attention better than the best Hyena."""
    rows = [row for row in rows if not math.isnan(row["token_r2"][0])]
    hyenas = [row for row in rows if row["student"].startswith(HYENA)]
    others = [row for row in rows if not row["student"].startswith(HYENA) and row["student"] != CONTROL]
    if not hyenas or not others:
        return []
    best, rival = (max(group, key=lambda row: row["token_r2"][0]) for group in (hyenas, others))
    gain = _gain(rival, best)
    single = math.isnan(gain[1])
    if not (gain[0] > 0 if single else gain[0] > gain[1]):
        return []
    return [
        f"{title(place)}: Hyena loses to {rival['student']}, which explains {shown(rival['token_r2'], 4)} of the "
        f"variance of the tokens ({best['student']}: {shown(best['token_r2'], 4)})"
        f"{'; with one seed, this may be chance' if single else ''}."
    ]


def _of_attention(records: Sequence[Record], large: Sequence[tuple[str, str]]) -> list[str]:
    """What attention does where the student of order 2, or of the lowest order, errs most."""
    sentences = []
    for place in large:
        own = [
            record
            for record in records
            if record["kind"] == "student" and _place(record) == place and record["student"].startswith(HYENA)
        ]
        wide = [record for record in own if not kind_of(record["student"]).has_equal_weights]
        if not wide:
            continue
        orders = sorted({kind_of(record["student"]).order for record in wide})
        judged = f"{HYENA} {2 if 2 in orders else orders[0]}"
        found = {
            name: spread(r["attention"][name]["rank_correlation"] for r in wide if r["student"] == judged)
            for name in PROPERTIES
        }
        related = [name for name in found if abs(found[name][0]) >= WEAK]
        if related:
            parts = [f"{SPOKEN[name]} ({found[name][0]:+.2f})" for name in related]
            sentences.append(
                f"{title(place)}: the error of {judged} at a token is related to what attention does there, by rank "
                f"correlation: {', '.join(parts)}."
            )
    return sentences


def _of_likeness(students: Sequence[Record]) -> list[str]:
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


def _of_training(students: Sequence[Record], teachers: Sequence[Record]) -> list[str]:
    """What distillation takes beside the training of the teacher."""
    orders = [kind_of(row["student"]).order for row in students if row["student"].startswith(HYENA)]
    if not orders or not teachers:
        return []
    judged = f"{HYENA} {2 if 2 in orders else min(orders)}"
    own = _values(students, "seconds", lambda student: student == judged)
    places = {_place(row) for row in students}
    of_teachers = [row["seconds"][0] for row in teachers if _place(row) in places and row["objective"] != "random"]
    if not own or not of_teachers:
        return []
    return [
        f"Distillation of {judged} takes {_range(own, 0)} s of processor time, beside the {_range(of_teachers, 0)} s "
        "that its teacher was trained in."
    ]


def _gain(one: Record, other: Record) -> Spread:
    """How much more of the tokens one explains than another, seed by seed: a seed has the same teacher for both."""
    seeds = sorted(one["by_seed"].keys() & other["by_seed"].keys())
    return spread(one["by_seed"][seed] - other["by_seed"][seed] for seed in seeds)


def _place(row: Record) -> tuple[str, str]:
    return row[PLACE[0]], row[PLACE[1]]


def _values(students, name, chosen):
    """Means that are known, of the chosen students."""
    found = [row[name][0] for row in students if name in row and chosen(row["student"])]
    return [value for value in found if not math.isnan(value)]


def _range(values, digits=2):
    ends = dict.fromkeys(f"{end:.{digits}f}" for end in (min(values), max(values)))
    return " to ".join(ends)
