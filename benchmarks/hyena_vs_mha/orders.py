"""At which orders Hyena reproduces attention: mixing gaps of the teachers, and sentences on the orders."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.hyena_vs_mha.students import CONTROL, HYENA, USUAL_ORDER, kind_of
from benchmarks.hyena_vs_mha.summary import (
    Record,
    Spread,
    grouped,
    in_seeds,
    number,
    place_of,
    shown,
    spread,
    student_table,
)
from benchmarks.hyena_vs_mha.tasks import ACCURACY, LEAST_GAP, NEXT_TOKEN

REACHED = 0.85  # skill from which on a student is said to reproduce its teacher
HOW = {False: "equal width", True: "equal weights"}  # what the orders have in common


class Gap(NamedTuple):
    """A teacher, and the same network without mixing, trained in the same way.

    Parameters
    ----------
    place : tuple of str
        Data set and objective.
    unit : {"accuracy", "bits"}
        Of the scores.
    attention, without : tuple of float
        Mean and standard deviation of both scores over seeds.
    gap : tuple of float
        By how much attention is better, seed by seed.
    n_seeds : int
        Those for which both scores are known.
    """

    place: tuple[str, str]
    unit: str
    attention: Spread
    without: Spread
    gap: Spread
    n_seeds: int

    @property
    def is_known(self) -> bool:
        """Whether there is a seed for which both networks were trained."""
        return not math.isnan(self.gap[0])

    @property
    def is_large(self) -> bool:
        """Whether conclusions may be drawn from this teacher."""
        return self.is_known and self.gap[0] >= LEAST_GAP[self.unit]

    @property
    def is_below(self) -> bool:
        """Whether the teacher is worse than the network without mixing."""
        return self.is_known and self.gap[0] < 0


def gap_table(records: Sequence[Record]) -> list[Gap]:
    """Mixing gaps of all teachers, the largest first."""
    teachers = [record for record in records if record["kind"] == "teacher"]
    rows = []
    for place, group in grouped(teachers, place_of):
        scores = {mixes: _scores(record for record in group if record["mixes"] is mixes) for mixes in (True, False)}
        unit, both = group[0]["unit"], sorted(scores[True].keys() & scores[False].keys())
        sign = 1 if unit == ACCURACY else -1
        gap = spread(sign * (scores[True][seed] - scores[False][seed]) for seed in both)
        rows.append(Gap(place, unit, spread(scores[True].values()), spread(scores[False].values()), gap, len(both)))
    return sorted(rows, key=lambda row: -row.gap[0] if row.is_known else math.inf)


def _scores(records: Iterable[Record]) -> dict[int, float]:
    """Scores that are finite, by seed."""
    return {record["seed"]: score for record in records if not math.isnan(score := number(record["score"]))}


class Orders(NamedTuple):
    """Hyena students of one teacher, at equal width or at equal weights, with the seeds that all orders have.

    Parameters
    ----------
    skills : dict of tuple of float
        Mean and standard deviation of the skill on tokens over seeds, by order.
    best : int
        Order of the largest mean skill.
    enough : int
        The lowest order whose mean is within one standard error of that of the best.
    error : float
        This standard error; NaN for a single seed.
    lost : tuple of float
        By how much the score of the best student is worse than that of the teacher.
    n_seeds : int
        Seeds that all orders have.
    """

    skills: Mapping[int, Spread]
    best: int
    enough: int
    error: float
    lost: Spread
    n_seeds: int

    @property
    def is_compared(self) -> bool:
        """Whether there are two orders and two seeds."""
        return len(self.skills) > 1 and not math.isnan(self.error)

    @property
    def matters(self) -> bool:
        """Whether the lowest order is worse than the best by more than one standard error."""
        return self.is_compared and self.enough > min(self.skills)


def orders_of(rows: Sequence[Record], place: tuple[str, str], equal_weights: bool = False) -> Orders | None:
    """Hyena students of a teacher, from the rows of `student_table`; None if there is none with a skill.

    Order 2 has the same width and as many weights in both comparisons. One order is no comparison at equal weights.
    """
    own: dict[int, Record] = {}
    for row in rows:
        if place_of(row) != place or not row["student"].startswith(HYENA):
            continue
        kind = kind_of(row["student"])
        if (kind.has_equal_weights == equal_weights or kind.order == USUAL_ORDER) and row["by_seed"]["token_skill"]:
            own[kind.order] = row
    if not own or (equal_weights and len(own) < 2):
        return None
    by_seed = {order: own[order]["by_seed"]["token_skill"] for order in sorted(own)}
    seeds = sorted(set.intersection(*map(set, by_seed.values())))
    if not seeds:
        return None
    skills = {order: spread(values[seed] for seed in seeds) for order, values in by_seed.items()}
    best = max(skills, key=lambda order: skills[order][0])
    mean, deviation = skills[best]
    error = deviation / math.sqrt(len(seeds))
    least = mean if math.isnan(error) else mean - error
    enough = next(order for order in skills if skills[order][0] >= least)
    lost = spread(own[best]["by_seed"]["lost"].get(seed) for seed in seeds)
    return Orders(skills, best, enough, error, lost, len(seeds))


def order_sentences(records: Sequence[Record]) -> list[str]:
    """Sentences on the orders, a text for each teacher with a large mixing gap.

    Nothing is said to matter, or not to matter, from a single seed.
    """
    rows = student_table(records)
    sentences = []
    for gap in gap_table(records):
        wide, equal = (orders_of(rows, gap.place, equal_weights) for equal_weights in HOW)
        if gap.is_large and (wide is not None or equal is not None):
            sentences.append(f"{title(gap.place)}: {_sentences(gap, wide, equal, rows)}")
    return sentences


def _sentences(gap: Gap, wide: Orders | None, equal: Orders | None, rows: Sequence[Record]) -> str:
    if equal is not None and wide is not None and len(wide.skills) == 1:  # order 2, which both have
        wide = None
    parts = []
    if wide is not None:
        parts.append(f"at equal width ({in_seeds(wide.n_seeds)}), {_compared(wide)}")
    if equal is not None:
        parts.append(f"at equal weights ({in_seeds(equal.n_seeds)}), {_compared(equal)}")
        if wide is not None and wide.matters and equal.is_compared and not equal.matters:
            parts[-1] += ", so that the number of weights makes the difference, and not the order"
    best, how = max(
        ((orders, how) for orders, how in ((wide, ""), (equal, " at equal weights")) if orders is not None),
        key=lambda found: found[0].skills[found[0].best][0],
    )
    sentences = ["; ".join(parts), *_unreached(gap, best, rows)]
    if not math.isnan(best.lost[0]):
        unit = "accuracy" if gap.unit == ACCURACY else "number of bits per byte"
        chance = " (1 seed)" if math.isnan(best.lost[1]) else ""
        sentences.append(
            f"The {unit} of the student of order {best.best}{how} is {_difference(gap.unit, best.lost)} that of its "
            f"teacher{chance}"
        )
    return ". ".join(sentences) + "."


def _compared(orders: Orders) -> str:
    """How far the skill depends on the order."""

    def skill(order: int) -> str:
        return f"order {order} (skill {shown(orders.skills[order], 2)})"

    lowest, best, enough = min(orders.skills), orders.best, orders.enough
    if len(orders.skills) == 1:
        return f"only {skill(best)} was trained"
    if math.isnan(orders.error):
        return f"the best of orders {_listed(orders.skills)} is {skill(best)}, which may be chance"
    if all(mean >= orders.skills[best][0] - orders.error for mean, _ in orders.skills.values()):
        return (
            f"order does not matter: all of orders {_listed(orders.skills)} are within one standard error of the "
            + (f"best, {skill(best)}")
        )
    within = f"is within one standard error of the best, {skill(best)}"
    if not orders.matters:
        return f"higher orders bring no gain: {skill(lowest)} {'is best' if lowest == best else within}"
    lower = max(order for order in orders.skills if order < enough)
    least = f"{skill(best)} is best" if enough == best else f"order {enough} is the lowest that {within}"
    return f"order matters: {least}, whereas order {lower} has {shown(orders.skills[lower], 2)}"


def _unreached(gap: Gap, best: Orders, rows: Sequence[Record]) -> list[str]:
    """Whether no order imitates the teacher well, and who does it better."""
    most = best.skills[best.best][0]
    if math.isnan(best.error) or round(most, 2) >= REACHED:
        return []
    better = [
        row
        for row in rows
        if place_of(row) == gap.place and not row["student"].startswith(HYENA) and row["student"] != CONTROL
        if len(row["by_seed"]["token_skill"]) > 1 and row["token_skill"][0] > most + best.error
    ]
    sentence = f"No order reaches a skill of {REACHED}"
    if better:
        row = max(better, key=lambda row: row["token_skill"][0])
        sentence += f", but {row['student']} has {shown(row['token_skill'], 2)}"
    return [sentence]


def _difference(unit: str, lost: Spread) -> str:
    """In words, how the score of a student differs from that of its teacher."""
    mean, deviation = lost
    amount, around = f"{abs(mean):.3f}", "" if math.isnan(deviation) else f" ± {deviation:.3f}"
    if float(amount) == 0:
        return "equal to" if deviation < 0.0005 or not around else f"on average equal to (± {deviation:.3f})"
    return f"{amount}{around} {'below' if (mean > 0) == (unit == ACCURACY) else 'above'}"


def _listed(orders: Iterable[int]) -> str:
    return ", ".join(map(str, orders))


def title(place: tuple[str, str]) -> str:
    """Data set or task of a teacher, with its objective where it is not to predict classes or tokens."""
    return place[0] if place[1] in ("supervised", NEXT_TOKEN) else f"{place[0]}, {place[1]} teacher"
