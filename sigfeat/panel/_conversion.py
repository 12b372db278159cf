"""Conversion of every kind of panel into one array."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sigfeat.panel._cells import from_columns
from sigfeat.panel._frames import (
    computed,
    is_frame,
    is_missing,
    is_nested,
    is_pandas,
    refuse_levels,
)
from sigfeat.panel._inputs import series_index, with_frames
from sigfeat.panel._labels import Panel, channel_names, columns_of, labelled
from sigfeat.panel._long_tables import indexed_by, refuse_long_table
from sigfeat.panel._numbers import FLOATS, Floats, as_array, common_dtype, holds_cells, is_from, numbers
from sigfeat.panel._times import are_texts, in_order, sorted_stamps, text_refused

if TYPE_CHECKING:
    import pandas as pd


def to_panel(X: Any, *, series: Any = None, time: Any = None) -> Floats:
    """Convert a panel, a collection of time series, into one array.

    Shorter series are padded at the end with NaN in every channel.

    Parameters
    ----------
    X : array-like
        One of

        * array of shape (n_samples, n_channels, n_timepoints): sktime's "numpy3D", aeon's collections;
        * array or DataFrame of numbers of shape (n_samples, n_timepoints): one channel;
        * list, tuple or 1-D object array of arrays of shape (n_channels, n_timepoints_i), or
          (n_timepoints_i,) for one channel;
        * list of frames with one row per time and one column per channel: sktime's "df-list";
        * DataFrame with a two-level index (instance, time) and one column per channel: sktime's
          "pd-multiindex". Instances keep the order in which they appear;
        * DataFrame with one row per series whose cells are the channels: sktime's "nested_univ";
        * long table with one row per series and time, one column that names the series and one column per channel;
          pass `series`;
        * torch tensor of two or three dimensions, on any device; xarray.DataArray with a dimension "time".

        Frames may come from pandas, polars, pyarrow, dask, modin or similar libraries. Missing values are NaN: masked
        entries, None and pandas' NA are converted to NaN.
    series : name of a column or None, default=None
        Column of a long table that names the series of each row. Series keep the order in which they appear.
    time : name of a column or None, default=None
        Column of a long table by which the points of a series are sorted. None keeps the order of the rows.

    Returns
    -------
    panel : ndarray of shape (n_samples, n_channels, n_timepoints)
        C-contiguous; float32 if everything in X is float32, otherwise float64. X itself is returned if it already is
        such an array. Frames give a `Panel`, an array that also has the index of the series and the channel names.

    Raises
    ------
    TypeError
        If X is not one of these kinds.
    ValueError
        If X does not hold real numbers, has no series, channel or time point, series have different channels, or the
        order of the points of a series is ambiguous.

    Notes
    -----
    If the index of a frame or of a cell holds time stamps, points are sorted by them. The time stamps of a series must
    be unique and of one type. Time stamps that are text must already be sorted, since as text "10:00" comes before
    "9:00".

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import to_panel
    >>> to_panel([np.array([[1.0, 2.0, 3.0]]), np.array([[4.0, 5.0]])])
    array([[[ 1.,  2.,  3.]],
    <BLANKLINE>
           [[ 4.,  5., nan]]])
    """
    if isinstance(X, Panel) and X.ndim == 3 and X.size and X.flags.c_contiguous and X.dtype in FLOATS:
        return X
    given = computed(X)
    X = with_frames(given)
    if series is not None or time is not None:
        given = X = indexed_by(X, series, time)
    if is_pandas(X, "DataFrame"):
        panel = _from_frame(X)
    elif isinstance(X, list | tuple):
        panel = _from_items(X)
    elif hasattr(X, "__array__") and not isinstance(X, np.generic):
        panel = _from_array(as_array(X))
    else:
        dense = "; make a sparse X dense with X.toarray()" if hasattr(X, "toarray") else ""
        raise TypeError(f"X must be an array, a list of arrays, a DataFrame or a tensor, got {type(X).__name__}{dense}")
    if 0 in panel.shape:
        raise ValueError(
            "X must hold at least one series, channel and time point, "
            f"got shape {panel.shape} as (n_samples, n_channels, n_timepoints)"
        )
    names = None if is_table(X) else channel_names(X)
    result: Floats = labelled(np.ascontiguousarray(panel), series_index(given), names)
    return result


def series_lengths(panel: Floats) -> NDArray[np.int64]:
    """Length of each series: 1 + the last time at which some channel is not NaN.

    Parameters
    ----------
    panel : ndarray of shape (n_samples, n_channels, n_timepoints)
        As from `to_panel`.

    Returns
    -------
    lengths : ndarray of shape (n_samples,), int64
        0 for a series that is NaN throughout.

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
    """Whether X has one row per series of one channel, so that scikit-learn's rules for tables apply."""
    if is_frame(X):
        return not (is_pandas(X, "DataFrame") and (X.index.nlevels > 1 or is_nested(X)))
    if isinstance(X, list | tuple):
        if not X:
            return False
        if all(isinstance(item, list | tuple) and not any(isinstance(v, list | tuple) for v in item) for item in X):
            return len({len(item) for item in X}) <= 1
        return all(not isinstance(item, list | tuple) and np.ndim(item) == 0 for item in X)
    if isinstance(X, np.ndarray):
        return X.ndim < 3 and not holds_cells(X)
    array_like = any(hasattr(X, name) for name in ("__array__", "__dataframe__", "toarray"))
    return array_like and getattr(X, "ndim", 2) < 3 and not is_from("torch", X, "Tensor")


def _from_array(X: NDArray[Any]) -> Floats:
    if holds_cells(X) and X.ndim < 3:
        return _from_items(X) if X.ndim == 1 else _from_cells(X)
    if X.ndim == 1 and X.dtype.kind in "fiub":
        raise ValueError(f"X must hold several series, got one series of shape {X.shape}: pass [X]")
    if X.ndim not in (2, 3):
        raise ValueError(
            "X must have 3 dimensions (n_samples, n_channels, n_timepoints), or 2 (n_samples, n_timepoints) "
            f"for one channel, got {X.ndim}"
        )
    X = numbers(X, "X")
    return X[:, np.newaxis, :] if X.ndim == 2 else X


def _from_items(X: Sequence[Any] | NDArray[Any]) -> Floats:
    items: list[Floats] = []
    if len(X) and all(isinstance(item, Real) for item in X):
        raise ValueError(f"X must hold several series, got one series of {len(X)} numbers: pass [X]")
    columns = columns_of(list(X))
    for i, item in enumerate(X):
        what = f"series {i} of X"
        if is_missing(item):
            raise ValueError(f"{what} must be an array or a frame, got a missing one, {item}")
        array = numbers(item, what)
        if is_pandas(item, "DataFrame"):
            array = array.T
            if columns is not None and not item.columns.equals(columns):
                raise ValueError(
                    f"all DataFrames of X must have the columns of the first, {list(columns)}, "
                    f"got {list(item.columns)} in series {i}"
                )
        if array.ndim not in (1, 2):
            raise ValueError(
                f"series {i} of X must have shape (n_channels, n_timepoints), or (n_timepoints,) "
                f"for one channel, got {array.shape}"
            )
        if is_pandas(item, "DataFrame", "Series"):
            order = in_order(item.index, what)
            array = array if order is None else array[..., order]
        items.append(array[np.newaxis] if array.ndim == 1 else array)
    return _padded(items)


def _padded(items: list[Floats]) -> Floats:
    n_channels = items[0].shape[0] if items else 0
    for i, item in enumerate(items):
        if item.shape[0] != n_channels:
            raise ValueError(
                f"all series of X must have as many channels as the first, {n_channels}, "
                f"got {item.shape[0]} in series {i}"
            )
    dtype = common_dtype({item.dtype for item in items})
    longest = max((item.shape[1] for item in items), default=0)
    panel = np.full((len(items), n_channels, longest), np.nan, dtype=dtype)
    for i, item in enumerate(items):
        panel[i, :, : item.shape[1]] = item
    return panel


def _from_frame(X: pd.DataFrame) -> Floats:
    if X.index.nlevels > 2:
        raise ValueError(f"the index of X must have the two levels (instance, time), got {X.index.nlevels} levels")
    nested = is_nested(X)
    if X.index.nlevels == 2 and not nested:
        return _from_multiindex(X)
    if nested:
        if X.index.nlevels > 1:
            raise ValueError(f"the index of X, whose cells are series, must have one level, got {X.index.nlevels}")
        names = [f"column {name!r}" for name in X.columns]
        return from_columns(X.to_numpy(dtype=object).T.tolist(), names)
    refuse_levels(X)
    refuse_long_table(X)
    return _from_array(numbers(X, "X"))


def _from_cells(X: NDArray[Any]) -> Floats:
    """Panel of an array of cells (n_samples, n_channels)."""
    return from_columns(X.T.tolist(), [f"channel {c + 1}" for c in range(X.shape[1])])


def _from_multiindex(X: pd.DataFrame) -> Floats:
    # Splitting by the codes of the index is about 50 times faster than groupby.
    values = numbers(X, "X")
    instances, times = (np.asarray(codes, dtype=np.int64) for codes in X.index.codes)
    if any(_some_missing(*level) for level in zip(X.index.levels, (instances, times), strict=True)):
        raise ValueError("the index of X must name an instance and a time in every row, got a missing value")
    level = X.index.levels[1]
    text = are_texts(level)
    if text:
        level = level.astype(object)
    if not level.is_monotonic_increasing:
        times = np.argsort(sorted_stamps(level, "X"))[times]
    series = _numbered(instances, len(X.index.levels[0]))
    place = series * len(level) + times
    if not (place[1:] > place[:-1]).all():
        order = np.argsort(series if text else place, kind="stable")
        place, series, values = place[order], series[order], values[order]
        if text and (place[1:] < place[:-1]).any():
            before = int(np.flatnonzero(place[1:] < place[:-1])[0])
            first, second = X.index.get_level_values(1)[order[[before, before + 1]]]
            raise text_refused(first, second, "X")
        twice = np.flatnonzero(place[1:] == place[:-1])
        if len(twice):
            raise ValueError(
                f"the index of X must name each time of an instance once, got one twice in series {series[twice[0]]}"
            )
    lengths = np.bincount(series)
    shape = (len(lengths), values.shape[1], lengths.max(initial=0))
    if (lengths == shape[2]).all():
        return values.reshape(shape[0], shape[2], shape[1]).transpose(0, 2, 1)
    panel = np.full(shape, np.nan, dtype=values.dtype)
    panel.transpose(0, 2, 1)[np.arange(shape[2]) < lengths[:, np.newaxis]] = values
    return panel


def _some_missing(level: pd.Index, codes: NDArray[np.int64]) -> bool:
    """Whether a row has no entry in a level, or an entry that is NaN, as after pd.concat."""
    if codes.min(initial=0) < 0:
        return True
    return bool(level.hasnans and np.isin(codes, np.flatnonzero(level.isna())).any())


def _numbered(codes: NDArray[np.int64], n_codes: int) -> NDArray[np.int64]:
    """Codes renumbered 0, 1, ... in the order of their first appearance."""
    first = np.full(n_codes, len(codes))
    first[codes[::-1]] = np.arange(len(codes))[::-1]  # the last assignment to a repeated index wins
    return np.argsort(np.argsort(first))[codes].astype(np.int64, copy=False)
