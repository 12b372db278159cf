"""Importance of groups of features, by their names and the tables of their transformers."""

import numpy as np

from sigfeat.plotting._axes import COLOURS, axes_or_new, plain
from sigfeat.plotting._channels import channels_of, names_of
from sigfeat.plotting._names import PARTS, name_parts


def importance_by(importances, names=None, by="word", total="norm"):
    """Importance of groups of features that share a part of their names, or a channel.

    Parameters
    ----------
    importances : array-like of shape (n_features,) or (n_outputs, n_features), or estimator
        Coefficients or other importances; of a fitted estimator its `coef_` or `feature_importances_`, of a fitted
        pipeline those of its last step.
    names : array-like of shape (n_features,), fitted transformer, or None, default=None
        Names of the features, from `get_feature_names_out`, or the transformer, pipeline or union of transformers that
        makes them. None for the steps before the last one if `importances` is a fitted pipeline.
    by : {"feature", "channel", "union", "word", "kind", "pooling", "window", "level"} or callable, default="word"
        Criterion of the groups: features with an equal part of their name (see `name_parts`), or with an equal value of
        the function of the name. "feature": each feature separately. "channel": features that depend on the same
        channel of the series. Where a feature depends on several channels, its importance (its square, for
        ``total="norm"``) is divided equally between them. The names of words and of signatures spell their channels;
        for low-rank features give the fitted transformer in place of the names.
    total : {"norm", "sum"}, default="norm"
        Importance of a group of features: the root of the sum of their squares, for coefficients of standardised
        features, or their sum, for additive importances.

    Returns
    -------
    importance : dict of str to float
        Importance of each group, the largest first.

    Raises
    ------
    TypeError
        If an estimator has neither coefficients nor importances.
    ValueError
        If the numbers of names and importances differ, or `by` or `total` is not known; for ``by="channel"``, if a
        feature does not list its channels, as embeddings do not, or if every feature depends on all channels.

    Examples
    --------
    >>> from sigfeat.plotting import importance_by
    >>> names = ["[1]|real|end", "[1]|real|max", "[1][2]|real|end"]
    >>> importance_by([3.0, 4.0, -1.0], names)
    {'[1]': 5.0, '[1][2]': 1.0}
    >>> importance_by([3.0, 4.0, -1.0], names, by="pooling", total="sum")
    {'max': 4.0, 'end': 2.0}
    >>> importance_by([3.0, 4.0, -1.0], names, by="channel", total="sum")
    {'1': 6.5, '2': -0.5}
    """
    values = np.atleast_2d(_values(importances))
    features = importances[:-1] if names is None and hasattr(importances, "steps") else names
    if features is None:
        raise TypeError("names must be given unless importances is a fitted pipeline")
    names = names_of(features)
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ValueError(f"names must have an entry for each importance, got {len(names)} and shape {values.shape}")
    if total not in ("norm", "sum"):
        raise ValueError(f'total must be "norm" or "sum", got {total!r}')
    if not callable(by) and by not in ("feature", *PARTS, "channel"):
        raise ValueError(f"by must be one of feature, {', '.join(PARTS)}, channel, or a function, got {by!r}")
    each = np.square(values).sum(axis=0) if total == "norm" else values.sum(axis=0)
    sums: dict[str, float] = {}
    for groups, value in zip(_groups(features, names, by), each, strict=True):
        for group in groups:
            sums[group] = sums.get(group, 0.0) + float(value) / len(groups)
    if total == "norm":
        sums = {group: value**0.5 for group, value in sums.items()}
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def plot_importance(importances, names=None, by="word", *, total="norm", n_largest=20, color=None, axes=None):
    """Plot the importance of groups of features as bars, the largest on top.

    Parameters
    ----------
    importances, names, by, total
        See `importance_by`.
    n_largest : int, default=20
        Number of groups to show; the label of the axis gives the number of all groups.
    color : matplotlib colour or None, default=None
        Colour of the bars.
    axes : matplotlib.axes.Axes or None, default=None
        Axes to draw on; None for those of a new figure.

    Returns
    -------
    axes : matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        As `importance_by`; or if `n_largest` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sigfeat import ISSTransformer
    >>> from sigfeat.plotting import plot_importance
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((30, 2, 20)), np.arange(30) % 2
    >>> iss = ISSTransformer().fit(X)
    >>> ridge = RidgeClassifier().fit(iss.transform(X), y)
    >>> axes = plot_importance(ridge, iss.get_feature_names_out(), by="pooling")
    >>> len(axes.patches)
    4
    """
    if n_largest < 1:
        raise ValueError(f"n_largest must be at least 1, got {n_largest}")
    found = importance_by(importances, names, by, total)
    shown = dict(list(found.items())[:n_largest])
    axes = plain(axes_or_new(axes))
    axes.barh(range(len(shown)), list(shown.values()), color=color or COLOURS[0], height=0.7)
    axes.set_yticks(range(len(shown)), [str(group).replace("$", r"\$") for group in shown])  # no formulas
    axes.set_ylim(len(shown) - 0.5, -0.5)
    what = by if isinstance(by, str) else "group"
    axes.set_ylabel(what if len(shown) == len(found) else f"{what}, the first {len(shown)} of {len(found)}")
    axes.set_xlabel("importance" if total == "sum" else "importance (root of the sum of squares)")
    return axes


def _groups(features, names, by):
    """Groups of each feature, one unless it depends on several channels."""
    if by == "channel":
        return channels_of(features)
    if by == "feature":
        return [(str(name),) for name in names]
    return [(by(name) if callable(by) else getattr(name_parts(name), by),) for name in names]


def _values(importances):
    if hasattr(importances, "steps"):
        importances = importances.steps[-1][1]
    for attribute in ("coef_", "feature_importances_"):
        if hasattr(importances, attribute):
            return np.asarray(getattr(importances, attribute), float)
    if hasattr(importances, "fit"):
        raise TypeError(f"importances must be numbers, or fitted with coef_ or feature_importances_, got {importances}")
    return np.asarray(importances, float)
