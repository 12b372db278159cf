"""Inputs reduced to the few forms that `to_panel` converts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sigfeat.panel._frames import as_frame, holds_series, is_frame, is_pandas, refuse_twice
from sigfeat.panel._labels import first_appearances, labelled
from sigfeat.panel._xarray import from_data_array, is_data_array

if TYPE_CHECKING:
    import pandas as pd


def with_frames(X: Any) -> Any:
    """Convert frames of any library to pandas, cells of an array or a Series to a list, and the rest to NumPy arrays.

    Raises a ValueError if X is an xarray data set with only one series.
    """
    if is_data_array(X):
        array, series, channels = from_data_array(X, "X")
        refuse_twice(() if channels is None or array.ndim < 3 else channels, "channels")
        named = channels is not None and all(isinstance(name, str) for name in channels)
        return array if array.ndim < 3 else labelled(array, series, channels if named else None)
    if isinstance(X, list | tuple):
        return [_item(item, i) for i, item in enumerate(X)]
    if is_pandas(X, "Series") and X.index.nlevels == 2:
        return X.to_frame("1" if X.name is None else X.name)
    frame = as_frame(X)
    if frame is not X:
        if hasattr(X, "data_vars") and frame.index.nlevels == 1:
            raise ValueError(
                f"X must hold series, got a Dataset of one series with the dimensions {tuple(X.dims)}: pass [X]"
            )
        return frame
    cells = _cells(X)
    return X if cells is None else [_item(cell, i) for i, cell in enumerate(cells)]


def series_index(X: Any) -> pd.Index | None:
    """Index of the series of X, in their order; None if they have no index."""
    if is_data_array(X):
        return from_data_array(X, "X")[1] if X.ndim > 1 else None
    index: Any = getattr(as_frame(X), "index", None)
    if not is_pandas(index, "Index"):
        return None
    return first_appearances(index) if index.nlevels == 2 else index


def _item(item: Any, i: int) -> Any:
    if type(item) is np.ndarray:  # the common case, and possibly many
        return item
    if not is_data_array(item):
        return as_frame(item)
    import pandas as pd

    array, _, channels = from_data_array(item, f"series {i} of X")
    return array if channels is None or array.ndim != 2 else pd.DataFrame(array.T, columns=channels)


def _cells(X: Any) -> list[Any] | None:
    """The series in a one-dimensional array or a Series of any library; None if X is something else."""
    if isinstance(X, np.ndarray) or is_pandas(X, "Series"):
        one = X.ndim == 1 and X.dtype == object
    else:
        one = (
            hasattr(X, "__array__")
            and hasattr(X, "to_numpy")
            and not is_frame(X)
            and len(getattr(X, "shape", "1")) == 1
        )
    if not one:
        return None
    cells = list(np.asarray(X))
    return cells if any(holds_series(cell) or is_frame(cell) for cell in cells[:2]) else None
