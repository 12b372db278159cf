"""Draws the pictures of the guide: python docs/guide/figures.py, from the root of the repository."""

import csv
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch

from sigfeat.nn import GROUPS, development

HERE = Path(__file__).parent
HYENA = "Hyena order 2"
STUDENTS = HERE.parents[1] / "benchmarks" / "results" / "hyena_vs_mha" / "students.csv"
GREY, BLUE, ORANGE, GREEN = "#7a7a7a", "#2f80c2", "#d9731a", "#3d9a50"  # readable on white and on black
THRESHOLD = 2.0  # in the picture of low rank
STYLE = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "axes.titlesize": 10,
    "font.size": 9,
    "legend.frameon": False,
    "legend.labelcolor": GREY,
    "path.simplify_threshold": 0.5,
    "svg.fonttype": "none",  # text stays text: small, and found by a search
    "svg.hashsalt": "sigfeat",
    "text.color": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


def iterated_sums():
    """A series of four points, the products of all pairs, and their running sum."""
    x = np.array([1, 2, 3, 1])
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(7.5, 2.4), width_ratios=(2, 2.2, 2))
    left.bar(range(1, 5), x, width=0.5, color=BLUE)
    left.set(title="the series $x$", xlabel="time", xticks=range(1, 5), yticks=range(4))
    middle.set(title="products $x_i x_j$ for $i < j$", xlabel="$j$", ylabel="$i$", xlim=(0.5, 4.5), ylim=(4.5, 0.5))
    middle.set(xticks=range(1, 5), yticks=range(1, 5))
    for i in range(1, 5):
        for j in range(i + 1, 5):
            middle.add_patch(plt.Rectangle((j - 0.5, i - 0.5), 1, 1, facecolor=ORANGE, alpha=0.25, edgecolor=ORANGE))
            middle.text(j, i, f"{x[i - 1]}·{x[j - 1]}", ha="center", va="center")
    sums = np.array([sum(x[i] * x[j] for j in range(t) for i in range(j)) for t in range(1, 5)])
    right.step(range(1, 5), sums, where="post", color=ORANGE)
    right.plot(range(1, 5), sums, "o", color=ORANGE)
    for t, value in enumerate(sums, 1):
        right.annotate(str(value), (t, value), (-4, 4), textcoords="offset points", ha="right")
    right.set(
        title="$S_{[1][1]}(t)$: all columns up to $t$",
        xlabel="time",
        xticks=range(1, 5),
        xlim=(0.5, 4.3),
        ylim=(-1, 21),
    )
    return figure


def low_rank():
    """A series in which a rise comes before a fall, two letters, and the terms of their iterated sum."""
    rng, t = np.random.default_rng(3), np.arange(120)
    step = np.where((t >= 30) & (t < 80), 1.0, 0.0) + 0.08 * rng.standard_normal(len(t))
    edge = np.repeat([-1.0, 1.0], 4) / 8**0.5
    rise = np.convolve(step, edge[::-1], "same")
    fall = -rise
    past = np.zeros(len(t))
    for now in range(1, len(t)):
        past[now] = np.exp(-0.005) * (past[now - 1] + rise[now - 1])
    figure, axes = plt.subplots(1, 3, figsize=(7.5, 2.2), layout="constrained")
    axes[0].plot(t, step, color=GREY, linewidth=1)
    axes[0].set_title("the series")
    axes[1].plot(t, rise, color=BLUE, linewidth=1, label="$a_1$, a rise")
    axes[1].plot(t, fall, color=ORANGE, linewidth=1, label="$a_2$, a fall")
    axes[1].set(title="level 1: two letters", ylim=(-1.6, 2.6))
    axes[1].legend(loc="upper right", fontsize=8)
    terms = fall * past
    axes[2].plot(t, terms, color=GREEN, linewidth=1)
    axes[2].axhline(THRESHOLD, color=GREY, linewidth=0.8, linestyle=":")
    axes[2].fill_between(t, THRESHOLD, terms, where=terms > THRESHOLD, color=GREEN, alpha=0.4)
    axes[2].set_title("level 2: a fall after a rise")
    axes[2].annotate("threshold", (0, THRESHOLD), (0, 3), textcoords="offset points", fontsize=8)
    for each in axes:
        each.set(xlabel="time", yticks=[])
    return figure


def developments():
    """A path in the plane, and what its developments do with a point: on a sphere, in the plane, in the disc."""
    u = np.linspace(0, 1, 241)
    path = np.stack([2.4 * np.sin(2 * np.pi * u) * (1 - 0.5 * u), 1.8 * np.sin(4 * np.pi * u + 0.4)], axis=1)
    figure, axes = plt.subplots(1, 4, figsize=(7.5, 2.3), layout="constrained")
    _trace(axes[0], path)
    axes[0].set_title("the path, 2 channels")
    circle = np.stack([np.cos(2 * np.pi * u), np.sin(2 * np.pi * u)], axis=1)
    for each in axes[1], axes[3]:
        each.plot(*circle.T, color=GREY, linewidth=0.8)
    rotations = _developed("SO", 3, path, [_turn(3, 0, 2), _turn(3, 1, 2)])
    _trace(axes[1], rotations[:, :2, 2], hidden=rotations[:, 2, 2] < 0)
    axes[1].set_title("SO(3): the pole on a sphere")
    motions = _developed("SE", 3, path, [_shift(3), _turn(3, 0, 1)])
    _trace(axes[2], motions[:, :2, 2])
    axes[2].set_title("SE(2): a turtle")
    boosts = _developed("SO(n,1)", 3, path, [0.4 * _boost(3, 0), 0.4 * _boost(3, 1)])
    _trace(axes[3], boosts[:, :2, 2] / (1 + boosts[:, 2:, 2]))
    axes[3].set_title("SO(2,1): hyperbolic disc")
    for each in axes:
        each.set_aspect("equal", adjustable="datalim")
        each.set_axis_off()
    return figure


def fidelity():
    """Variance of the teacher's tokens that Hyena explains, and the student that does not mix tokens."""
    with STUDENTS.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["student"] in (HYENA, "control")]
    found = {}
    for row in rows:
        found.setdefault(row["data_set"], {}).setdefault(row["student"], {})[row["seed"]] = float(
            row["fidelity/token_r2"]
        )
    figure, axes = plt.subplots(figsize=(7.5, 2.6), layout="constrained")
    for y, students in enumerate(found.values()):
        control, hyena = students["control"], students[HYENA]
        skill = np.mean([1 - (1 - hyena[seed]) / (1 - control[seed]) for seed in hyena])
        low, high = np.mean(list(control.values())), np.mean(list(hyena.values()))
        axes.plot([low, high], [y, y], color=GREY, linewidth=1)
        axes.plot(low, y, "o", color=ORANGE, markerfacecolor="none", label="no mixing (control)" if y == 0 else None)
        axes.plot(high, y, "o", color=BLUE, label="Hyena, order 2" if y == 0 else None)
        axes.text(1.01, y, f"skill {skill:.2f}".replace("0.", "."), va="center", transform=axes.get_yaxis_transform())
    axes.set(yticks=range(len(found)), yticklabels=found, xlabel="$R^2$ of the tokens of attention", xlim=(None, 1))
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def intervals():
    """A series, and an interval whose ends are near two lags before now."""
    rng, t = np.random.default_rng(0), np.arange(101)
    x = 0.1 * rng.standard_normal(len(t)) + np.exp(-((t - 52) ** 2) / 8) - np.exp(-((t - 68) ** 2) / 8)
    now = 90  # a prime of mathtext is a nought in text of SVG, so the names here are plain
    begin, end = np.exp(-((now - t - 45) ** 2) / 30), np.exp(-((now - t - 15) ** 2) / 30)
    figure, axes = plt.subplots(figsize=(7.5, 2.3), layout="constrained")
    axes.plot(t, x, color=GREY, linewidth=1)
    axes.fill_between(t, -2.4, -2.4 + 0.8 * begin, color=BLUE, alpha=0.5, label="f(t − s): where it begins")
    axes.fill_between(t, -2.4, -2.4 + 0.8 * end, color=ORANGE, alpha=0.5, label="g(t − s′): where it ends")
    axes.axvspan(now - 45, now - 15, color=GREEN, alpha=0.15, linewidth=0)
    axes.axvline(now, color=GREY, linewidth=1, linestyle=":")
    for place, name in ((now - 45, "s"), (now - 15, "s′"), (now, "now, t")):
        axes.annotate(name, (place, 1.35), ha="center")
    axes.set(xlabel="time", yticks=[], ylim=(-2.5, 1.7), xlim=(0, 100))
    axes.legend(loc="lower left")
    return figure


def _developed(group, dim, path, elements):
    increments = torch.from_numpy(np.diff(path, axis=0))[np.newaxis]
    algebra = torch.from_numpy(np.stack(elements))[np.newaxis]
    return development(increments, algebra, GROUPS[group](dim), whole_path=True)[0, :, 0].numpy()


def _turn(dim, i, j):
    element = np.zeros((dim, dim))
    element[i, j], element[j, i] = 1.0, -1.0
    return element


def _shift(dim):
    element = np.zeros((dim, dim))
    element[0, -1] = 1.0
    return element


def _boost(dim, i):
    element = np.zeros((dim, dim))
    element[i, -1] = element[-1, i] = 1.0
    return element


def _trace(axes, points, hidden=None):
    """A curve that goes from blue to orange, thin where it is hidden."""
    colours = mpl.colors.LinearSegmentedColormap.from_list("time", [BLUE, ORANGE])(np.linspace(0, 1, 24))
    for part, colour in zip(np.array_split(np.arange(len(points)), 24), colours, strict=True):
        stretch = np.append(part, min(part[-1] + 1, len(points) - 1))
        behind = hidden is not None and hidden[part].mean() > 0.5
        axes.plot(*points[stretch].T, color=colour, linewidth=0.6 if behind else 1.8)
    axes.plot(*points[-1], "o", color=ORANGE, markersize=4)


if __name__ == "__main__":
    with mpl.rc_context(STYLE):
        for draw in (iterated_sums, low_rank, developments, fidelity, intervals):
            figure = draw()
            if figure.get_layout_engine() is None:
                figure.tight_layout()
            figure.savefig(HERE / f"{draw.__name__.replace('_', '-')}.svg", transparent=True, metadata={"Date": None})
            plt.close(figure)
