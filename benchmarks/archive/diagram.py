"""Critical-difference diagrams: mean ranks on an axis, a bar over methods that do not differ."""

import math

from matplotlib.figure import Figure

from benchmarks.archive.comparison import LEVEL, Comparison
from benchmarks.archive.figures import INK, colour_of

LINE, BAR = 0.24, 0.13  # inches between labels, and between bars
AXIS = 4.4  # inches
LETTER, NUMBER = 0.082, 0.75  # inches of a letter of a label, and of the number next to it


def critical_difference(comparison: Comparison, ours: set[str]) -> Figure | None:
    """Diagram of a comparison, or None of fewer than two methods.

    The best method is at the right, as is usual. Bars join methods of which no two differ by Wilcoxon's signed-rank
    tests with Holm's correction.
    """
    ranks = comparison.mean_ranks
    if len(ranks) < 2:
        return None
    n_right = (len(ranks) + 1) // 2  # the better half
    n_lines = max(n_right, len(ranks) - n_right)
    levels = bar_levels(comparison.cliques)
    bars = BAR * (max(levels, default=-1) + 1)
    margin = max(1.6, NUMBER + LETTER * max(map(len, ranks.index)))
    width = AXIS + 2 * margin
    height = 1.3 + bars + LINE * n_lines
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    low, high = max(1, math.floor(ranks.min())), min(len(ranks), math.ceil(ranks.max()))
    high = max(high, low + 1)

    def place(rank):
        return margin + AXIS * (high - rank) / (high - low)

    axis = height - 0.85
    _axis(axes, axis, place, low, high)
    axes.text(0.1, height - 0.06, _words(comparison), ha="left", va="top", fontsize=9)
    top = axis - 0.16
    for (first, last), level in zip(comparison.cliques, levels, strict=True):
        left, right = place(ranks.iloc[last]) - 0.04, place(ranks.iloc[first]) + 0.04
        axes.plot([left, right], [top - BAR * level] * 2, color=INK, lw=3.5, solid_capstyle="round")
    first_label = top - bars - 0.12
    for k, (method, rank) in enumerate(ranks.items()):
        is_right = k < n_right
        line = k if is_right else len(ranks) - 1 - k
        y, edge = first_label - LINE * line, width - margin + 0.15 if is_right else margin - 0.15
        colour = colour_of(method, ours)
        axes.plot([place(rank), place(rank), edge], [axis, y, y], color=colour, lw=1.1, solid_joinstyle="miter")
        number = f"{rank:.2f}"
        words = f"{number}  {method}" if is_right else f"{method}  {number}"
        weight = "bold" if method in ours else "normal"
        shift, side = (0.06, "left") if is_right else (-0.06, "right")
        axes.text(edge + shift, y, words, ha=side, va="center", fontsize=9, color=colour, weight=weight)
    return figure


def bar_levels(cliques: list[tuple[int, int]]) -> list[int]:
    """Lines on which bars are drawn, the first on which a method lies between it and the last."""
    ends: list[int] = []
    levels = []
    for first, last in cliques:
        level = next((k for k, end in enumerate(ends) if end + 1 < first), len(ends))
        ends[level : level + 1] = [last]
        levels.append(level)
    return levels


def _axis(axes, y, place, low, high):
    axes.plot([place(low), place(high)], [y, y], color=INK, lw=1.2, solid_capstyle="projecting")
    step = max(1, (high - low) // 8)
    for half in range(2 * low, 2 * high + 1):
        rank = half / 2
        is_named = half % 2 == 0 and (rank - low) % step == 0
        if is_named or high - low <= 8:
            axes.plot([place(rank)] * 2, [y, y + (0.09 if is_named else 0.05)], color=INK, lw=1)
        if is_named:
            axes.text(place(rank), y + 0.13, f"{rank:g}", ha="center", va="bottom", fontsize=9)


def _words(comparison):
    n_sets, n_all = len(comparison.accuracy), comparison.n_sets
    number = f"{n_sets}" if n_sets == n_all else f"{n_sets} of {n_all}"
    return (
        f"{comparison.title} ({number}): mean rank of accuracy, better to the right\n"
        f"A bar joins what does not differ (Wilcoxon, Holm, level {LEVEL:g})"
    )
