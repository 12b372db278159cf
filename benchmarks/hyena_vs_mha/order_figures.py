"""Pictures of the orders of Hyena: skill by order, and errors against properties of attention's weights."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.hyena_vs_mha.attention_map import PROPERTIES
from benchmarks.hyena_vs_mha.orders import HOW, Gap, gap_table, orders_of, title
from benchmarks.hyena_vs_mha.students import OTHERS
from benchmarks.hyena_vs_mha.summary import Record, judged_records, place_of, student_table
from benchmarks.study.pictures import PALETTE, grid, panels, with_legend

LABELS = {
    "entropy": "entropy of the weights, bits",
    "distance": "distance attended over, steps",
    "dependence": "dependence on the input",
}


def skill_against_order(records: Sequence[Record]) -> Figure | None:
    """Skill on tokens against the order, a panel per teacher with a mixing gap, at equal width and equal weights."""
    rows = student_table(records)
    large = [gap for gap in gap_table(records) if gap.is_large]
    gaps = [gap for gap in large if any(orders_of(rows, gap.place, equal_weights) for equal_weights in HOW)]
    if not gaps:
        return None
    figure, (places,) = panels(len(gaps), 1, height=2.6)
    for place, gap in zip(places, gaps, strict=True):
        _skills(place, gap, rows)
    return with_legend(figure)


def _skills(place, gap: Gap, rows: Sequence[Record]) -> None:
    shown: set[int] = set()
    for equal_weights, label in HOW.items():
        found = orders_of(rows, gap.place, equal_weights)
        if found is not None:
            means, spreads = np.array(list(found.skills.values())).T
            look = {"color": PALETTE[int(equal_weights)], "marker": "o", "ms": 4, "capsize": 2, "label": label}
            place.errorbar(list(found.skills), means, np.nan_to_num(spreads), **look)
            shown |= found.skills.keys()
    for k, name in enumerate(name for name in OTHERS if OTHERS[name] != "pointwise"):
        skills = [row["token_skill"][0] for row in rows if (place_of(row), row["student"]) == (gap.place, name)]
        if skills and not math.isnan(skills[0]):
            place.axhline(skills[0], color=PALETTE[2 + k], ls=":", lw=1.2, label=name)
    place.set(xscale="log", xlabel="order of Hyena", title=f"{title(gap.place)}: skill")
    place.set_xticks(sorted(shown), [str(order) for order in sorted(shown)])
    place.minorticks_off()
    place.set_ylim(min(0.0, place.get_ylim()[0]), 1.0)  # all teachers on one scale


def errors_of_attention(records: Sequence[Record]) -> Figure | None:
    """Error of the student of order 2, or of the lowest order, against three properties of attention's weights."""
    gaps = [gap for gap in gap_table(records) if gap.is_large]
    lines = {gap.place: own for gap in gaps if (own := judged_records(records, gap.place))}
    if not lines:
        return None
    figure, (places,) = grid(1, len(PROPERTIES), height=3.2)
    for place, name in zip(places, PROPERTIES, strict=True):
        for k, (of, own) in enumerate(lines.items()):
            values, errors = (
                np.mean(np.array([record["attention"][name][key] for record in own], float), axis=0)
                for key in ("property", "error")
            )
            marker = "o" if k < len(PALETTE) else "s"
            place.plot(values, errors, marker=marker, ms=4, color=PALETTE[k % len(PALETTE)], label=title(of))
        place.set(xlabel=LABELS[name], ylabel="squared error of a token / variance", yscale="log")
    places[1].set(xscale="log")
    places[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
