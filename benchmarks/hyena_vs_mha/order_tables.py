"""Tables of teachers and of the orders of Hyena."""

from collections.abc import Sequence

from benchmarks.hyena_vs_mha.orders import HOW, REACHED, Gap, Orders, gap_table, orders_of, title
from benchmarks.hyena_vs_mha.summary import Record, shown, student_table
from benchmarks.study.pages import Table


def order_tables(records: Sequence[Record]) -> list[Table]:
    """Skill by order, of teachers with a mixing gap, at equal width and at equal weights; these teachers; easy ones.

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    tables : list of Table
    """
    gaps, rows = gap_table(records), student_table(records)
    large = [gap for gap in gaps if gap.is_large]
    tables = []
    for equal_weights, how in HOW.items():
        found = {gap: orders for gap in large if (orders := orders_of(rows, gap.place, equal_weights)) is not None}
        if found:
            tables.append(_skills(found, f"Skill by order, {how}"))
    if large:
        tables.append(_teachers(large, "Teachers with a mixing gap"))
    easy = [gap for gap in gaps if gap.is_known and not gap.is_large]
    if easy:
        tables.append(_teachers(easy, "Easy teachers, from which nothing is concluded"))
    return tables


def _skills(found: dict[Gap, Orders], name: str) -> Table:
    all_orders = sorted({order for orders in found.values() for order in orders.skills})
    header = [
        "teacher",
        "gap",
        "seeds",
        *[f"order {order}" for order in all_orders],
        "best",
        "enough",
        f"{REACHED} reached by",
    ]
    lines = []
    for gap, orders in found.items():
        skills = [shown(orders.skills[order], 2) if order in orders.skills else "" for order in all_orders]
        reached = next((str(order) for order, skill in orders.skills.items() if round(skill[0], 2) >= REACHED), "none")
        enough = str(orders.enough) if orders.is_compared else ""
        places = [title(gap.place), shown(gap.gap, 2), str(orders.n_seeds)]
        lines.append([*places, *skills, str(orders.best), enough, reached, shown(orders.lost)])
    return Table(name, [*header, "score lost by the best"], lines)


def _teachers(gaps: Sequence[Gap], name: str) -> Table:
    header = ["teacher", "score", "attention", "without mixing", "gap", "seeds"]
    lines = [
        [title(gap.place), gap.unit, shown(gap.attention), shown(gap.without), shown(gap.gap), str(gap.n_seeds)]
        for gap in gaps
    ]
    return Table(name, header, lines)
