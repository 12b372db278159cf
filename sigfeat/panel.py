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
        * list, tuple or 1-D object array of arrays (n_channels, n_timepoints_i), or (n_timepoints_i,) for one channel;
        * list of DataFrames with one row per time and one column per channel: sktime's "df-list";
        * DataFrame with a two-level index (instance, time) and one column per channel: sktime's "pd-multiindex". Instances keep the order in
          which they appear, times are sorted;
        * DataFrame whose cells are series: sktime's "nested_univ";
        * torch tensor of two or three dimensions, on any device.

    Returns
    -------
    panel : ndarray of shape (n_samples, n_channels, n_timepoints)
        C-contiguous; float32 if everything in X is float32, else float64. X itself where it is that already.

    Raises
    ------
    TypeError
        If X is of no such kind.
    ValueError
        If X does not hold numbers, holds no series, channel or time point, or series differ in their channels.

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
    elif _is_from("torch", X, "Tensor"):
        panel = _from_array(X.detach().cpu().numpy())
    elif isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1):
        panel = _from_items(X)
    elif hasattr(X, "__array__") and not isinstance(X, np.generic):
        panel = _from_array(X.filled(np.nan) if isinstance(X, np.ma.MaskedArray) and X.dtype.kind == "f" else np.asarray(X))
    else:
        raise TypeError(f"X must be an array, a list of arrays, a DataFrame or a tensor, got {type(X).__name__}")
    if 0 in panel.shape:
        raise ValueError(f"X must hold at least one series, channel and time point, got shape {panel.shape} as (series, channels, time points)")
    return np.ascontiguousarray(panel)


def series_lengths(panel: Floats) -> NDArray[np.int64]:
    """Own length of each series: 1 + the last time at which some channel is not NaN.

    Parameters
    ----------
    panel : ndarray of shape (n_samples, n_channels, n_timepoints)
        As from `to_panel`.

    Returns
    -------
    lengths : ndarray of shape (n_samples,)
        0 for a series of nothing but NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.panel import series_lengths
    >>> series_lengths(np.array([[[1.0, 2.0, np.nan]], [[1.0, np.nan, 2.0]]]))
    array([2, 3])
    """
    n_samples, _, n_timepoints = panel.shape
    padded = np.flatnonzero(np.isnan(panel[:, :, -1]).all(axis=1))
    lengths = np.full(n_samples, n_timepoints, dtype=np.int64)
    filled = ~np.isnan(panel[padded]).all(axis=1)
    lengths[padded] = np.where(filled.any(axis=1), n_timepoints - filled[:, ::-1].argmax(axis=1), 0)
    return lengths


def is_table(X: Any) -> bool:
    """Whether X is read as one row per series of one channel, so that scikit-learn's own rules for tables hold."""
    if _is_from("pandas", X, "DataFrame"):
        return not (X.index.nlevels > 1 or _is_nested(X))
    if isinstance(X, list | tuple):
        return len(X) == 0 or all(np.ndim(item) == 0 or (isinstance(item, list | tuple) and all(np.ndim(v) == 0 for v in item)) for item in X)
    if isinstance(X, np.ndarray):
        return X.ndim < 3 and not (X.ndim == 1 and X.dtype == object and len(X) > 0 and np.ndim(X[0]) > 0)
    return not _is_from("torch", X, "Tensor")


def _is_from(module: str, X: Any, name: str) -> bool:
    """Whether X is an instance of module.name; the module is asked only if somebody has loaded it."""
    return module in sys.modules and isinstance(X, getattr(sys.modules[module], name))


def _numbers(values: Any, what: str) -> Floats:
    """Values as float32 (if they are that) or float64."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiubO":
        raise ValueError(f"{what} must hold real numbers, got dtype {array.dtype}")
    if array.dtype == np.float32:
        return array
    try:
        return array.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} must hold real numbers, got dtype {array.dtype}: {error}") from None


def _from_array(X: NDArray[Any]) -> Floats:
    if X.ndim not in (2, 3):
        raise ValueError(f"X must have 3 dimensions (series, channels, time points), or 2 for one channel, got {X.ndim}")
    X = _numbers(X, "X")
    return X[:, np.newaxis, :] if X.ndim == 2 else X


def _from_items(X: Sequence[Any]) -> Floats:
    items: list[Floats] = []
    for i, item in enumerate(X):
        if _is_from("pandas", item, "DataFrame"):
            item = item.to_numpy().T
        elif _is_from("torch", item, "Tensor"):
            item = item.detach().cpu().numpy()
        array = _numbers(item, f"series {i} of X")
        if array.ndim not in (1, 2):
            raise ValueError(f"series {i} of X must have shape (n_channels, n_timepoints), or (n_timepoints,) for one channel, got {array.shape}")
        items.append(array[np.newaxis] if array.ndim == 1 else array)
    if not items:
        raise ValueError("X must hold at least one series, got 0")
    return _padded(items)


def _padded(items: list[Floats]) -> Floats:
    n_channels = items[0].shape[0]
    for i, item in enumerate(items):
        if item.shape[0] != n_channels:
            raise ValueError(f"all series of X must have as many channels as the first, {n_channels}, got {item.shape[0]} in series {i}")
    dtype = np.float32 if all(item.dtype == np.float32 for item in items) else np.float64
    longest = max(item.shape[1] for item in items)
    panel = np.full((len(items), n_channels, longest), np.nan, dtype=dtype)
    for i, item in enumerate(items):
        panel[i, :, : item.shape[1]] = item
    return panel


def _is_nested(X: Any) -> bool:
    return bool(X.size) and X.dtypes.iloc[0] == object and np.ndim(X.iloc[0, 0]) == 1


def _from_frame(X: Any) -> Floats:
    if X.index.nlevels > 2:
        raise ValueError(f"the index of X must have the two levels (instance, time), got {X.index.nlevels}; hierarchical panels are not supported")
    if X.index.nlevels == 2:
        return _from_multiindex(X)
    if not _is_nested(X):
        return _from_array(X.to_numpy())
    items = []
    for i, row in enumerate(X.itertuples(index=False, name=None)):
        cells = [_numbers(cell, f"series {i} of X") for cell in row]
        lengths = sorted({cell.shape for cell in cells})
        if len(lengths) > 1 or len(lengths[0]) != 1:
            raise ValueError(f"all channels of a series must have the same length, got {', '.join(map(str, lengths))} in series {i}")
        items.append(np.stack(cells))
    return _padded(items)


def _from_multiindex(X: Any) -> Floats:
    values = _numbers(X.to_numpy(), "X")
    if len(values) == 0:
        raise ValueError("X must hold at least one series, got 0")
    instance, time = (np.asarray(codes) for codes in X.index.codes)
    if min(instance.min(), time.min()) < 0:
        raise ValueError("the index of X must name an instance and a time in every row, got a missing value")
    level = X.index.levels[1]
    rank = time if level.is_monotonic_increasing else np.argsort(np.argsort(level))[time]
    _, first, instance = np.unique(instance, return_index=True, return_inverse=True) if (np.diff(instance) < 0).any() else _runs(instance)
    place = np.argsort(np.argsort(first))[instance]  # instances in the order in which they appear
    same = place[1:] == place[:-1]
    if (np.diff(place) < 0).any() or (rank[1:] <= rank[:-1])[same].any():
        order = np.lexsort((rank, place))
        values, place, rank = values[order], place[order], rank[order]
        repeated = np.flatnonzero((np.diff(place) == 0) & (np.diff(rank) == 0))
        if len(repeated):
            raise ValueError(f"the index of X must name each time of an instance once, got a time twice in series {place[repeated[0]]}")
    counts = np.bincount(place)
    if (counts == counts[0]).all():
        return np.ascontiguousarray(values.reshape(len(counts), counts[0], -1).transpose(0, 2, 1))
    panel = np.full((len(counts), values.shape[1], counts.max()), np.nan, dtype=values.dtype)
    step = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    panel[place, :, step] = values
    return panel


def _runs(codes: NDArray[Any]) -> tuple[None, NDArray[np.intp], NDArray[np.intp]]:
    """As np.unique(return_index, return_inverse) of codes that never fall."""
    starts = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
    return None, starts, np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(codes))))
