"""At which orders Hyena reproduces attention: a table of teachers, and a sentence for each."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.hyena_vs_mha.students import CONTROL, HYENA, kind_of
from benchmarks.hyena_vs_mha.summary import Record, Spread, grouped, shown, spread, student_table
from benchmarks.hyena_vs_mha.tasks import ACCURACY, LEAST_GAP, NEXT_TOKEN

REACHED = 0.85  # skill from which on a student is said to reproduce its teacher
PLACE = ("data_set", "objective")


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
        With both networks.
    """

    place: tuple[str, str]
    unit: str
    attention: Spread
    without: Spread
    gap: Spread
    n_seeds: int

    @property
    def is_known(self) -> bool:
        """Whether both networks were trained."""
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
    for place, group in grouped(teachers, lambda record: tuple(record[name] for name in PLACE)):
        scores = {mixes: {r["seed"]: r["score"] for r in group if r["mixes"] is mixes} for mixes in (True, False)}
        unit, both = group[0]["unit"], sorted(scores[True].keys() & scores[False].keys())
        sign = 1 if unit == ACCURACY else -1
        gap = spread(sign * (scores[True][seed] - scores[False][seed]) for seed in both)
        rows.append(Gap(place, unit, spread(scores[True].values()), spread(scores[False].values()), gap, len(both)))
    return sorted(rows, key=lambda row: -row.gap[0] if row.is_known else math.inf)


class Orders(NamedTuple):
    """Hyena students of one teacher, at equal width or at equal weights.

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
        Of the best.
    """

    skills: Mapping[int, Spread]
    best: int
    enough: int
    error: float
    lost: Spread
    n_seeds: int


def orders_of(rows: Sequence[Record], place: tuple[str, str], equal_weights: bool = False) -> Orders | None:
    """Hyena students of a teacher, from the rows of `student_table`; None if there is none with a skill.

    Order 2 has the same width and as many weights in both comparisons.
    """
    own: dict[int, Record] = {}
    for row in rows:
        if tuple(row[name] for name in PLACE) != place or not row["student"].startswith(HYENA):
            continue
        kind = kind_of(row["student"])
        if (kind.has_equal_weights == equal_weights or kind.order == 2) and not math.isnan(row["token_skill"][0]):
            own[kind.order] = row
    if not own or (equal_weights and len(own) < 2):
        return None
    skills = {order: own[order]["token_skill"] for order in sorted(own)}
    best = max(skills, key=lambda order: skills[order][0])
    mean, deviation = skills[best]
    n_seeds = own[best]["n_seeds"]
    error = deviation / math.sqrt(n_seeds) if n_seeds > 1 else math.nan
    least = mean if math.isnan(error) else mean - error
    enough = next(order for order in skills if skills[order][0] >= least)
    return Orders(skills, best, enough, error, own[best]["lost"], n_seeds)


def order_sentences(records: Sequence[Record]) -> list[str]:
    """One sentence for each teacher with a large mixing gap, and what the others are."""
    rows = student_table(records)
    sentences = []
    for gap in (row for row in gap_table(records) if row.is_large):
        wide, equal = (orders_of(rows, gap.place, weights) for weights in (False, True))
        if wide is not None:
            sentences.append(_sentence(gap, wide, equal, rows))
    return sentences


def _sentence(gap: Gap, wide: Orders, equal: Orders | None, rows: Sequence[Record]) -> str:
    best = f"order {wide.best} (skill {shown(wide.skills[wide.best], 2)}, {_seeds(wide.n_seeds)})"
    if math.isnan(wide.error):
        return f"{title(gap.place)}: the best of orders {_listed(wide.skills)} is {best}; one seed shows no more."
    if wide.enough == wide.best == min(wide.skills):
        start = f"order does not matter: {best} is best"
    elif wide.enough == min(wide.skills):
        start = f"order does not matter: order {wide.enough} is within one standard error of the best, {best}"
    else:
        lower = max(order for order in wide.skills if order < wide.enough)
        start = f"order matters: {_is_best(wide, best)}, whereas order {lower} has {shown(wide.skills[lower], 2)}"
    if equal is not None:
        start += "; " + _at_equal_weights(wide, equal)
    if wide.skills[wide.best][0] < REACHED:
        others = [row for row in rows if (row["data_set"], row["objective"]) == gap.place and _is_other(row)]
        start += f"; no order reaches a skill of {REACHED}"
        better = [row for row in others if row["token_skill"][0] > wide.skills[wide.best][0] + wide.error]
        if better:
            row = max(better, key=lambda row: row["token_skill"][0])
            start += f", but {row['student']} has {shown(row['token_skill'], 2)}"
    unit = "accuracy" if gap.unit == ACCURACY else "number of bits per byte"
    return f"{title(gap.place)}: {start}. Its {unit} is {_difference(gap.unit, wide.lost)} that of the teacher."


def _is_best(wide: Orders, best: str) -> str:
    if wide.enough == wide.best:
        return f"{best} is best"
    return f"order {wide.enough} is the lowest within one standard error of {best}"


def _at_equal_weights(wide: Orders, equal: Orders) -> str:
    """Whether the order or the number of weights makes the difference."""
    best = equal.skills[equal.best]
    if equal.enough == min(equal.skills):
        what = "order does not matter, so that width does" if wide.enough > min(wide.skills) else "neither does it"
    else:
        what = f"order {equal.enough} is needed"
    return f"at equal weights {what} (best: order {equal.best}, {shown(best, 2)})"


def _difference(unit: str, lost: Spread) -> str:
    """In words, how the score of a student differs from that of its teacher."""
    amount = f"{abs(lost[0]):.3f}"
    if float(amount) == 0:
        return "equal to"
    is_worse = lost[0] > 0
    direction = "below" if is_worse == (unit == ACCURACY) else "above"
    deviation = "" if math.isnan(lost[1]) else f" ± {lost[1]:.3f}"
    return f"{amount}{deviation} {direction}"


def _is_other(row: Record) -> bool:
    return not row["student"].startswith(HYENA) and row["student"] != CONTROL


def _listed(orders: Any) -> str:
    return ", ".join(str(order) for order in orders)


def _seeds(n_seeds: int) -> str:
    return f"{n_seeds} seed{'s' if n_seeds > 1 else ''}"


def title(place: tuple[str, str]) -> str:
    """Data set or task of a teacher, with its objective where it is not to predict classes or tokens."""
    return place[0] if place[1] in ("supervised", NEXT_TOKEN) else f"{place[0]}, {place[1]} teacher"
