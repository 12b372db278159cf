"""The conclusion of a study, in sentences."""

import math
import statistics
from collections.abc import Callable, Sequence

from benchmarks.hyena_vs_mha.attention_map import PROPERTIES
from benchmarks.hyena_vs_mha.cost_conclusion import losses, speed
from benchmarks.hyena_vs_mha.cost_table import cost_table
from benchmarks.hyena_vs_mha.orders import Gap, gap_table, order_sentences, orders_of, title
from benchmarks.hyena_vs_mha.students import CONTROL, HYENA
from benchmarks.hyena_vs_mha.summary import (
    Record,
    Spread,
    in_seeds,
    judged_hyena,
    judged_records,
    place_of,
    shown,
    spread,
    student_table,
    teacher_table,
)
from benchmarks.hyena_vs_mha.tasks import ACCURACY, BITS, LEAST_GAP

SPOKEN = {
    "entropy": "the entropy of its weights",
    "distance": "the distance that it attends over",
    "dependence": "how much its weights depend on the input",
}
WEAK = 0.2  # rank correlation below which nothing is reported as related


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
        sentences += _of_rivals(place, [row for row in students if place_of(row) == place])
    sentences += _of_attention(records, large)
    used = [row for row in students if place_of(row) in large]
    sentences += _of_likeness(used) + _of_training(used, teacher_table(records))
    return sentences + speed(costs) + losses(costs)


def _of_teachers(gaps: Sequence[Gap]) -> list[str]:
    """First the teachers that are worse than their controls, then those that conclusions are drawn from."""
    sentences = [
        f"The teacher of {title(gap.place)} is worse than the same network without mixing ({shown(gap.attention)} "
        f"against {shown(gap.without)}, {gap.unit}, {in_seeds(gap.n_seeds)}). Either it was not trained enough, or "
        "mixing does not help. Nothing is concluded from its students."
        for gap in gaps
        if gap.is_below
    ]
    known = [gap for gap in gaps if gap.is_known]
    large = [gap for gap in known if gap.is_large]
    least = f"{LEAST_GAP[ACCURACY]:g} in accuracy or {LEAST_GAP[BITS]:g} bits per byte"
    if large:
        names = ", ".join(f"{title(gap.place)} ({shown(gap.gap, 2)}, {in_seeds(gap.n_seeds)})" for gap in large)
        sentences.append(
            f"Teachers with a mixing gap of at least {least}: {names}. All sentences on students are based on these."
        )
    elif known:
        sentences.append(f"No teacher has a mixing gap of at least {least}. Nothing is concluded about students.")
    easy = [gap for gap in known if not gap.is_large and not gap.is_below]
    if easy:
        sentences.append(
            f"On {_names(easy)}, a network without mixing is about as good as attention, so that students of these "
            "teachers show little about mixing."
        )
    unknown = [gap for gap in gaps if not gap.is_known]
    if unknown:
        sentences.append(
            f"The mixing gap is not known for {_names(unknown)}, since there is no score of both networks. Nothing is "
            "concluded from students of these teachers."
        )
    return sentences


def _names(gaps: Sequence[Gap]) -> str:
    return ", ".join(title(gap.place) for gap in gaps)


def _of_all(students: Sequence[Record], large: Sequence[tuple[str, str]]) -> list[str]:
    """The orders over all teachers."""
    found = {place: orders for place in large if (orders := orders_of(students, place)) is not None}
    if len(found) < 2:
        return []
    several = [orders for orders in found.values() if orders.is_compared]
    sentences = []
    if len(several) > 1:
        counts: dict[int, int] = {}
        for orders in several:
            counts[orders.enough] = counts.get(orders.enough, 0) + 1
        parts = [f"order {order} for {counts[order]}" for order in sorted(counts)]
        sentences.append(
            f"At equal width, the lowest order within one standard error of the best is {', '.join(parts)} of "
            f"{len(several)} teachers."
        )
    skills = {place: orders.skills[orders.best] for place, orders in found.items()}
    ends = [choose(skills, key=lambda place: skills[place][0]) for choose in (min, max)]
    if skills[ends[0]][0] < skills[ends[1]][0]:
        low, high = (f"{title(place)} ({shown(skills[place], 2)}, {in_seeds(found[place].n_seeds)})" for place in ends)
        sentences.append(f"At equal width, the skill of the best order is lowest for {low}, and highest for {high}.")
    return sentences


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
    seeds = best["by_seed"]["token_r2"].keys() & rival["by_seed"]["token_r2"].keys()
    theirs, ours = (shown(spread(row["by_seed"]["token_r2"][seed] for seed in seeds), 4) for row in (rival, best))
    return [
        f"{title(place)}: Hyena loses to {rival['student']}, which explains {theirs} of the variance of the tokens "
        f"({best['student']}: {ours}, {in_seeds(len(seeds))}{'; this may be chance' if single else ''})."
    ]


def _of_attention(records: Sequence[Record], large: Sequence[tuple[str, str]]) -> list[str]:
    """What attention does where the student of order 2, or of the lowest order, has large errors."""
    sentences = []
    for place in large:
        own = judged_records(records, place)
        attention = [record["attention"] for record in own]
        found = {name: spread(one[name]["rank_correlation"] for one in attention) for name in PROPERTIES}
        related = [name for name, (mean, deviation) in found.items() if abs(mean) >= WEAK and not abs(mean) < deviation]
        if related:
            parts = [f"{SPOKEN[name]} ({_signed(found[name])})" for name in related]
            sentences.append(
                f"{title(place)}: the error of {own[0]['student']} at a token is correlated with {', '.join(parts)} "
                f"(rank correlations, {in_seeds(len(attention))})."
            )
    return sentences


def _signed(found: Spread) -> str:
    mean, deviation = found
    return f"{mean:+.2f}" + ("" if math.isnan(deviation) else f" ± {deviation:.2f}")


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
    return (
        [f"Similarity of the pooled tokens of Hyena students to those of attention: {'; '.join(parts)}."]
        if parts
        else []
    )


def _of_training(students: Sequence[Record], teachers: Sequence[Record]) -> list[str]:
    """What distillation takes beside the training of the teacher."""
    judged = judged_hyena(row["student"] for row in students)
    own = _values(students, "seconds", lambda student: student == judged)
    places = {place_of(row) for row in students if row["student"] == judged}
    of_teachers = [row["seconds"][0] for row in teachers if place_of(row) in places and row["objective"] != "random"]
    if not own or not of_teachers:
        return []
    return [
        f"Distillation of {judged} takes {_range(own, 0)} s of processor time, in addition to {_range(of_teachers, 0)} "
        "s for the training of its teacher."
    ]


def _gain(one: Record, other: Record) -> Spread:
    """How much more of the tokens one explains than another, seed by seed: a seed has the same teacher for both."""
    of_one, of_other = one["by_seed"]["token_r2"], other["by_seed"]["token_r2"]
    return spread(of_one[seed] - of_other[seed] for seed in sorted(of_one.keys() & of_other.keys()))


def _values(students: Sequence[Record], name: str, chosen: Callable[[str], bool]) -> list[float]:
    """Means that are known, of the chosen students."""
    found = [row[name][0] for row in students if name in row and chosen(row["student"])]
    return [value for value in found if not math.isnan(value)]


def _range(values: Sequence[float], digits: int = 2) -> str:
    ends = dict.fromkeys(f"{end:.{digits}f}" for end in (min(values), max(values)))
    return " to ".join(ends)
