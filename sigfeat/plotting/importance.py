"""How much features count, by what their names say of them."""

import re
from typing import NamedTuple

import numpy as np

from sigfeat.plotting._axes import COLOURS, axes_or_new, plain

WINDOW = re.compile(r"\d+/\d+-\d+/\d+")
POOLING = re.compile(r"(end|mean|max|min|last|argmax|mpv|largest|smallest|(ppv|mipv)\d*)")
LETTERS = re.compile(r"\[\d+(?:,\d+)*\]|<\d+\.\d+>")
WORD = re.compile(r"[\[\]<>\d.,]+")
NONE = "none"


class NameParts(NamedTuple):
    """What a feature's name says; "none" for what it does not.

    Parameters
    ----------
    union : str
        Name of the feature's transformer in a `FeatureUnion` or `ColumnTransformer`.
    word : str
        Word, functional, element of a development, or component of an embedding.
    kind : str
        Semiring, kind of signature, or filter.
    pooling : str
        Statistic over time.
    window : str
        Part of the series.
    level : str
        Number of letters of the word.
    """

    union: str
    word: str
    kind: str
    pooling: str
    window: str
    level: str


PARTS = NameParts._fields


def name_parts(name):
    """Parts of the name of a feature.

    Parameters
    ----------
    name : str
        As `get_feature_names_out` of any transformer of sigfeat, a pipeline or a `FeatureUnion` of them gives it.

    Returns
    -------
    parts : NameParts
        Strings `union`, `word`, `kind`, `pooling`, `window` and `level`.

    Examples
    --------
    >>> from sigfeat.plotting import name_parts
    >>> name_parts("iss__[1][1,2]|max_plus|mean|1/2-2/2")  # doctest: +NORMALIZE_WHITESPACE
    NameParts(union='iss', word='[1][1,2]', kind='max_plus', pooling='mean', window='1/2-2/2', level='2')
    >>> name_parts("dev3[SO(5)](2,4)").level
    'none'
    """
    union, _, rest = str(name).rpartition("__")
    word, *others = rest.split("|")
    window = others.pop() if others and WINDOW.fullmatch(others[-1]) else NONE
    pooling = others.pop() if others and POOLING.fullmatch(others[-1]) else NONE
    level = str(len(LETTERS.findall(word))) if WORD.fullmatch(word) else NONE
    return NameParts(union or NONE, word, "|".join(others) or NONE, pooling, window, level)


def importance_by(importances, names, by="word", total="norm"):
    """Importance of groups of features that share a part of their names.

    Parameters
    ----------
    importances : array-like of shape (n_features,) or (n_outputs, n_features), or estimator
        Coefficients or other importances; a fitted estimator is asked for its `coef_` or `feature_importances_`.
    names : array-like of shape (n_features,)
        Names of the features, from `get_feature_names_out`.
    by : {"feature", "union", "word", "kind", "pooling", "window", "level"} or callable, default="word"
        What is put together: features that agree in this part of their name (see `name_parts`), or for which the
        function of the name gives the same. "feature": each on its own.
    total : {"norm", "sum"}, default="norm"
        Importance of several features together: the root of their sum of squares, as the coefficients of standardised
        features want it, or their sum, for importances that add up.

    Returns
    -------
    importance : dict of str to float
        Largest first.

    Raises
    ------
    TypeError
        If an estimator has neither coefficients nor importances.
    ValueError
        If there are not as many names as importances, or `by` or `total` is not known.

    Examples
    --------
    >>> from sigfeat.plotting import importance_by
    >>> names = ["[1]|real|end", "[1]|real|max", "[1][2]|real|end"]
    >>> importance_by([3.0, 4.0, -1.0], names)
    {'[1]': 5.0, '[1][2]': 1.0}
    >>> importance_by([3.0, 4.0, -1.0], names, by="pooling", total="sum")
    {'max': 4.0, 'end': 2.0}
    """
    values = np.atleast_2d(_values(importances))
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ValueError(f"names must have an entry for each importance, got {len(names)} and shape {values.shape}")
    if total not in ("norm", "sum"):
        raise ValueError(f'total must be "norm" or "sum", got {total!r}')
    if not callable(by) and by not in ("feature", *PARTS):
        raise ValueError(f"by must be one of feature, {', '.join(PARTS)}, or a function, got {by!r}")
    each = np.square(values).sum(axis=0) if total == "norm" else values.sum(axis=0)
    sums: dict[str, float] = {}
    for name, value in zip(names, each, strict=True):
        group = str(name) if by == "feature" else by(name) if callable(by) else getattr(name_parts(name), by)
        sums[group] = sums.get(group, 0.0) + float(value)
    if total == "norm":
        sums = {group: value**0.5 for group, value in sums.items()}
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def plot_importance(importances, names, by="word", *, total="norm", n_largest=20, color=None, axes=None):
    """Bars of how much groups of features count, the largest on top.

    Parameters
    ----------
    importances, names, by, total
        See `importance_by`.
    n_largest : int, default=20
        Groups that are shown; the label of the axis says how many there are.
    color : matplotlib colour or None, default=None
        Of the bars.
    axes : matplotlib.axes.Axes or None, default=None
        Where to draw; None for a new figure.

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
    axes.set_yticks(range(len(shown)), list(shown))
    axes.set_ylim(len(shown) - 0.5, -0.5)
    what = by if isinstance(by, str) else "group"
    axes.set_ylabel(what if len(shown) == len(found) else f"{what}, the first {len(shown)} of {len(found)}")
    axes.set_xlabel("importance" if total == "sum" else "importance (root of the sum of squares)")
    return axes


def _values(importances):
    for attribute in ("coef_", "feature_importances_"):
        if hasattr(importances, attribute):
            return np.asarray(getattr(importances, attribute), float)
    if hasattr(importances, "fit"):
        raise TypeError(f"importances must be numbers, or fitted with coef_ or feature_importances_, got {importances}")
    return np.asarray(importances, float)
