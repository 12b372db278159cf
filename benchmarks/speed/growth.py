"""How time grows with size: slopes, and pictures on logarithmic axes."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchmarks.study.pictures import LOOK

Points = Sequence[tuple[float, float]]
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # of Okabe and Ito
MARKERS = "osD^vP"
GREY = "#6e6e6e"
N_COLUMNS = 2
STYLE: dict[str, Any] = LOOK | {
    "svg.hashsalt": "sigfeat",
    "axes.titlesize": 10,
    "grid.color": "#b0b0b0",
}


def slope(points: Points) -> float:
    """Exponent of the power law through (size, cost) points, by least squares on logarithms."""
    size, cost = np.log(np.asarray(points, float)).T
    return float(np.polyfit(size, cost, 1)[0])


def growth_figure(panels: Mapping[str, Mapping[str, Points]], costs: Sequence[str] = ("seconds",)) -> Figure:
    """One panel for each thing that is varied, one line for each contestant, and a dotted line of slope one.

    costs: what the panels show, in turn.
    """
    n_rows = -(-len(panels) // N_COLUMNS)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.3 * min(N_COLUMNS, len(panels)), 3.1 * n_rows), layout="constrained")
        places = list(figure.subplots(n_rows, min(N_COLUMNS, len(panels)), squeeze=False).flat)
        for place, (title, curves), cost in zip(places, panels.items(), itertools.cycle(costs), strict=False):
            place.set(title=title, xscale="log", yscale="log", ylabel=cost)
            for (name, points), colour, marker in zip(curves.items(), COLOURS, MARKERS, strict=False):
                place.plot(*zip(*points, strict=True), color=colour, marker=marker, ms=5, label=name)
            size, first = np.asarray(next(iter(curves.values())), float)[-1]
            sizes = sorted({point[0] for points in curves.values() for point in points})
            smallest = sizes[0]
            place.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=30 if len(sizes) > 6 else 0)
            place.xaxis.set_minor_locator(NullLocator())
            place.plot([smallest, size], [first * smallest / size, first], ":", color=GREY, lw=1, label="slope 1")
        figure.legend(*places[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        for place in places[len(panels) :]:
            place.set_axis_off()
    return figure


def save_svg(figure: Figure, path: Path) -> None:
    """SVG file on white; the same figure gives the same bytes."""
    with matplotlib.rc_context(STYLE):
        figure.savefig(path, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
