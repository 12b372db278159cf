"""Plots of the fidelity of students and of similarity matrices."""

import numpy as np

from sigfeat.plotting._axes import COLOURS, axes_or_new, plain

FIGURES = {"pooled_r2": "R2, pooled", "token_r2": "R2, tokens", "cka": "CKA", "cosine": "cosine"}
LIGHT = 0.6  # fraction of the range of colours below which text is white


def plot_fidelity(students, *, figures=("pooled_r2", "token_r2"), axes=None):
    """Plot the fidelity of students against their order, with bars of one standard deviation for several students.

    Parameters
    ----------
    students : dict of int to dict, or to list of dict
        For each order the figures of a student, as from `fidelity` of `HyenaEmbeddingTransformer`, or those of several
        students. Keys that are not numbers are drawn at equal distances.
    figures : tuple of str, default=("pooled_r2", "token_r2")
        Names of the figures to plot.
    axes : matplotlib.axes.Axes or None, default=None
        Axes to draw on; None for those of a new figure.

    Returns
    -------
    axes : matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there is no student, or a student lacks a figure.

    Examples
    --------
    >>> from sigfeat.plotting import plot_fidelity
    >>> axes = plot_fidelity({1: {"cka": 0.9}, 2: [{"cka": 0.96}, {"cka": 0.98}]}, figures=("cka",))
    >>> [round(float(value), 2) for value in axes.lines[0].get_ydata()]
    [0.9, 0.97]
    """
    if not students:
        raise ValueError("students must have at least one entry, got none")
    values = [own if isinstance(own, list | tuple) else [own] for own in students.values()]
    for figure in figures:
        for order, own in zip(students, values, strict=True):
            if any(figure not in one for one in own):
                raise ValueError(f"figures must be known of all students, got {figure!r}, unknown for {order!r}")
    numbers = all(isinstance(order, int | float | np.number) for order in students)
    places = list(students) if numbers else list(range(len(students)))
    axes = plain(axes_or_new(axes))
    for k, figure in enumerate(figures):
        means = [float(np.mean([one[figure] for one in own])) for own in values]
        spreads = [np.std([one[figure] for one in own], ddof=1) if len(own) > 1 else 0.0 for own in values]
        axes.errorbar(
            places,
            means,
            spreads if any(spreads) else None,
            color=COLOURS[k % len(COLOURS)],
            marker="o",
            markersize=4,
            capsize=2,
            label=FIGURES.get(figure, figure),
        )
    axes.set_xticks(places, [str(order) for order in students])
    axes.set_xlabel("order" if numbers else "")
    axes.set_ylabel("fidelity to the teacher")
    axes.legend(frameon=False)
    return axes


def plot_similarity(similarity, *, labels=None, column_labels=None, limits=None, text="auto", axes=None):
    """Plot a similarity matrix as a heat map.

    Parameters
    ----------
    similarity : array-like of shape (n_rows, n_columns)
        Similarities, for example of series, layers or kinds of features.
    labels : list of str or None, default=None
        Labels of the rows.
    column_labels : list of str or None, default=None
        Labels of the columns; None for those of the rows if the matrix is square.
    limits : tuple of float or None, default=None
        Values of the first and of the last colour; None for the smallest and largest value.
    text : bool or "auto", default="auto"
        Whether values are written into the fields; "auto": up to 100 fields.
    axes : matplotlib.axes.Axes or None, default=None
        Axes to draw on; None for those of a new figure.

    Returns
    -------
    axes : matplotlib.axes.Axes
        For a colour bar, its image is ``axes.images[0]``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `similarity` is not a matrix, or the number of labels does not match.

    Examples
    --------
    >>> from sigfeat.plotting import plot_similarity
    >>> axes = plot_similarity([[1.0, 0.3], [0.3, 1.0]], labels=["one", "other"])
    >>> [words.get_text() for words in axes.texts]
    ['1.00', '0.30', '0.30', '1.00']
    """
    values = np.asarray(similarity, float)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"similarity must be a matrix, got shape {values.shape}")
    if column_labels is None and values.shape[0] == values.shape[1]:
        column_labels = labels
    lowest, highest = (np.nanmin(values), np.nanmax(values)) if limits is None else limits
    axes = axes_or_new(axes)
    axes.imshow(values, cmap="viridis", vmin=lowest, vmax=highest, aspect="auto")
    for words, count, set_ticks, name in (
        (labels, values.shape[0], axes.set_yticks, "labels"),
        (column_labels, values.shape[1], axes.set_xticks, "column_labels"),
    ):
        if words is None:
            continue
        if len(words) != count:
            raise ValueError(f"{name} must have an entry for each of {count}, got {len(words)}")
        set_ticks(range(count), list(words))
    if text is True or (text == "auto" and values.size <= 100):
        for (row, column), value in np.ndenumerate(values):
            ink = "white" if value < lowest + LIGHT * (highest - lowest) else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=8)
    return axes
