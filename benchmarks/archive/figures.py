"""Pictures of a run: accuracy set by set, and against time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.archive.comparison import pairs, wins_draws_losses
from benchmarks.archive.published import MARK, is_published
from benchmarks.archive.summary import MULTIVARIATE, UNIVARIATE
from benchmarks.study.pictures import LOOK

INK, GRID, GREY = "#1a1a1a", "#b0b0b0", "#6e6e6e"
BLUE, ORANGE = "#0072b2", "#b34a00"  # of Okabe and Ito, the second darker, so that text in it can be read
PALETTE = (BLUE, "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d46", "#332288", "#7f7f7f", "#882255")
MARKERS = "osD^vP*Xh<"
N_COLUMNS = 4
STYLE: dict[str, Any] = LOOK | {
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
}


def scatter(accuracy: pd.DataFrame, kinds: Mapping[str, str], method: str) -> Figure | None:
    """Accuracy of a method against that of each other one, a point for each data set that both have."""
    found = pairs(accuracy, [method])
    if not found:
        return None
    n_rows, n_columns = -(-len(found) // N_COLUMNS), min(N_COLUMNS, len(found))
    figure = Figure(figsize=(max(2.7 * n_columns, 5), 3.05 * n_rows + 0.35))
    figure.set_layout_engine("constrained", hspace=0.06)
    places = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
    lowest = max(0, min(both.to_numpy().min() for _, _, both in found) - 0.04)
    shown = {}
    for place, (_, other, both) in zip(places, found, strict=False):
        place.plot([lowest, 1.03], [lowest, 1.03], color=GREY, lw=1, ls="--")
        for kind, marker, colour in ((UNIVARIATE, "o", BLUE), (MULTIVARIATE, "s", "#d55e00")):
            own = both[[kinds[name] == kind for name in both.index]]
            if len(own):
                look = {"color": colour, "mec": "white", "mew": 0.5, "alpha": 0.85}
                (shown[kind],) = place.plot(own[other], own[method], marker, ms=5.5, clip_on=False, **look)
        wins, draws, losses = wins_draws_losses(both[method], both[other])
        name = f"{other.removesuffix(MARK)}\n(published)" if is_published(other) else f"{other}\n"
        place.set(aspect="equal", xlim=(lowest, 1.03), ylim=(lowest, 1.03), xlabel=name)
        place.set_title(f"wins {wins}, draws {draws}, losses {losses}")
        ticks = np.arange(np.ceil(5 * lowest) / 5, 1.01, 0.2 if lowest < 0.7 else 0.1)
        place.set_xticks(ticks)
        place.set_yticks(ticks)
    for place in places[len(found) :]:
        place.remove()
    figure.supylabel(f"test accuracy of {method}", fontsize=10)
    if len(shown) > 1:
        figure.legend(shown.values(), shown.keys(), loc="outside upper right", ncols=2)
    return figure


def accuracy_against_time(costs: pd.DataFrame) -> Figure | None:
    """Mean accuracy against mean seconds of fit and of predict, a point for each classifier."""
    if not len(costs):
        return None
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    places = figure.subplots(1, 2, sharey=True)
    for place, task in zip(places, ("fit", "predict"), strict=True):
        for k, (method, row) in enumerate(costs.iterrows()):
            look = {"color": PALETTE[k % len(PALETTE)], "marker": MARKERS[k % len(MARKERS)], "label": method}
            place.plot(row[f"{task}_seconds"], row["accuracy"], ls="", ms=9, mec="white", mew=0.6, **look)
        seconds = costs[f"{task}_seconds"]
        place.set(xscale="log", xlabel=f"seconds of {task}, mean over data sets")
        low, high = _decades(seconds.min(), seconds.max())
        place.set_xlim(low, high)
        place.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
        place.xaxis.set_major_formatter(FuncFormatter(lambda second, _: f"{second:g}"))
        place.xaxis.set_minor_formatter(NullFormatter())
        place.margins(y=0.15)
    number = int(costs["n_sets"].iloc[0])
    places[0].set_ylabel(f"test accuracy, mean over {number} data sets" if number > 1 else "test accuracy")
    places[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def colour_of(method: str, ours: set[str]) -> str:
    """Blue for ours, grey for published figures, orange for the others that were run."""
    if method in ours:
        return BLUE
    return GREY if is_published(method) else ORANGE


def _decades(low, high):
    """Limits of an axis of times, some room around them and at least a decade wide."""
    low, high = low / 1.6, high * 1.6
    if high / low < 10:
        middle = np.sqrt(low * high)
        low, high = middle / 10**0.5, middle * 10**0.5
    return low, high
