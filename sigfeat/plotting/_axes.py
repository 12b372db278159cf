"""Axes, colours and labels of all plots."""

import itertools

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d46", "#7f7f80")  # Okabe and Ito
GREY = "0.85"


def axes_or_new(axes, **how):
    """Return the axes, or those of a new figure of pyplot."""
    if axes is not None:
        return axes
    try:
        from matplotlib import pyplot as plt
    except ModuleNotFoundError as error:
        raise ImportError("sigfeat.plotting needs matplotlib: run `pip install 'sigfeat[plotting]'`") from error
    return plt.figure(layout="constrained").add_subplot(**how)


def plain(axes):
    """Return the axes without their upper and right edge."""
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def colours(colour):
    """Different colours in turn, or one colour for all lines."""
    return itertools.cycle(COLOURS) if colour is None else itertools.repeat(colour)


def labels_of(labels, n_lines):
    """One label for each line; None for each if there are no labels."""
    if labels is None:
        return [None] * n_lines
    if len(labels) != n_lines:
        raise ValueError(f"labels must have one entry for each of {n_lines} lines, got {len(labels)}")
    return list(labels)
