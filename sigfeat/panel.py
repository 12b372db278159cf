"""Panels: the one form in which series enter every transformer."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def to_panel(X: Any) -> Floats:
    """Panel of series as one array, shorter series padded at the end with NaN in every channel.

    Parameters
    ----------
    X : array-like
        One of

        * array of shape (n_samples, n_channels, n_timepoints): sktime's "numpy3D", aeon's collections;
        * array or DataFrame of numbers of shape (n_samples, n_timepoints): one channel;
        * list, tuple or 1-D object array of arrays of shape (n_channels, n_timepoints_i), or
          (n_timepoints_i,) for one channel;
        * list of DataFrames with one row per time and one column per channel: sktime's "df-list";
        * DataFrame with a two-level index (instance, time) and one column per channel: sktime's
          "pd-multiindex". Instances keep the order in which they appear, times are sorted;
        * DataFrame with one row per series whose cells are the channels: sktime's "nested_univ";
        * torch tensor of two or three dimensions, on any device.

        Missing values are NaN: masked entries, None and pandas' NA become NaN.

    Returns
    -------
    panel : ndarray of shape (n_samples, n_channels, n_timepoints)
        C-contiguous; float32 if everything in X is float32, else float64. X itself where it is that already.

    Raises
    ------
    TypeError
        If X is of no such kind.
    ValueError
        If X does not hold real numbers, holds no series, channel or time point, or series differ in their
        channels.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import to_panel
    >>> to_panel([np.array([[1.0, 2.0, 3.0]]), np.array([[4.0, 5.0]])])
    array([[[ 1.,  2.,  3.]],
    <BLANKLINE>
           [[ 4.,  5., nan]]])
    """
    if _is_from("pandas", X, "DataFrame"):
        panel = _from_frame(X)
    elif isinstance(X, list | tuple):
        panel = _from_items(X)
    elif hasattr(X, "__array__") and not isinstance(X, np.generic):
        panel = _from_array(_as_array(X))
    else:
        dense = "; make a sparse X dense with X.toarray()" if hasattr(X, "toarray") else ""
        raise TypeError(
            "X must be an array, a list of arrays, a DataFrame or a tensor, "
            f"got {type(X).__name__}{dense}"
        )
    if 0 in panel.shape:
        raise ValueError(
            "X must hold at least one series, channel and time point, "
            f"got shape {panel.shape} as (n_samples, n_channels, n_timepoints)"
        )
    return np.ascontiguousarray(panel)


def series_lengths(panel: Floats) -> NDArray[np.int64]:
    """Own length of each series: 1 + the last time at which some channel is not NaN.

    Parameters
    ----------
    panel : ndarray of shape (n_samples, n_channels, n_timepoints)
        As from `to_panel`.

    Returns
    -------
    lengths : ndarray of shape (n_samples,), int64
        0 for a series of nothing but NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.panel import series_lengths
    >>> series_lengths(np.array([[[1.0, 2.0, np.nan]], [[1.0, np.nan, 2.0]]]))
    array([2, 3])
    """
    n_samples, n_channels, n_timepoints = panel.shape
    lengths = np.full(n_samples, n_timepoints, dtype=np.int64)
    shorter = np.flatnonzero(np.isnan(panel[:, :, -1]).all(axis=1))
    if len(shorter):
        rows = panel[shorter] if len(shorter) < n_samples else panel
        filled = ~np.isnan(rows[:, 0])
        for c in range(1, n_channels):  # twice as fast as any(axis=1)
            filled |= ~np.isnan(rows[:, c])
        own = n_timepoints - filled[:, ::-1].argmax(axis=1)
        lengths[shorter] = np.where(filled.any(axis=1), own, 0)
    return lengths


def is_table(X: Any) -> bool:
    """Whether X has one row per series of one channel, so that scikit-learn's own rules for tables hold."""
    if _is_from("pandas", X, "DataFrame"):
        return not (X.index.nlevels > 1 or _holds_series(X.to_numpy()[:1] if X.dtypes.eq(object).any() else X))
    if isinstance(X, list | tuple):
        rows = all(isinstance(item, list | tuple) and np.ndim(item[:1]) == 1 for item in X)
        return (rows and len({len(item) for item in X}) <= 1) or all(np.ndim(item) == 0 for item in X)
    if isinstance(X, np.ndarray):
        return X.ndim < 3 and not _holds_series(X)
    return getattr(X, "ndim", 2) == 2 and not _is_from("torch", X, "Tensor")


def channel_names(X: Any) -> NDArray[np.object_] | None:
    """Names of the channels where X is a panel of pandas objects whose columns have texts as names."""
    if isinstance(X, list | tuple) and len(X):
        X = X[0]
    if not _is_from("pandas", X, "DataFrame") or not all(isinstance(name, str) for name in X.columns):
        return None
    return np.asarray(X.columns, dtype=object)


def _is_from(module: str, X: Any, name: str) -> bool:
    """Whether X is an instance of module.name; the module is asked only if somebody has loaded it."""
    return module in sys.modules and isinstance(X, getattr(sys.modules[module], name))


def _holds_series(X: Any) -> bool:
    """Whether the entries of an object array are series rather than numbers."""
    return bool(X.size) and isinstance(X, np.ndarray) and X.dtype == object and np.ndim(X.flat[0]) > 0
