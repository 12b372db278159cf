"""Frames of any library, converted to pandas."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def is_pandas(X: Any, *names: str) -> bool:
    """Whether X is an instance of one of these pandas classes, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and any(isinstance(X, getattr(pandas, name)) for name in names)


def is_frame(X: Any) -> bool:
    """Whether X has rows and named columns, whatever its library."""
    if is_pandas(X, "DataFrame"):
        return True
    if isinstance(X, np.ndarray | list | tuple | str) or is_pandas(X, "Series") or not hasattr(X, "__getitem__"):
        return False
    if getattr(X, "ndim", 2) != 2:  # a column of a frame
        return False
    names = ("column_names", "columns")  # look at the class first: on a lazy frame the attribute may be costly
    return any(hasattr(type(X), name) or hasattr(X, name) for name in names) or _is_dataset(X)


def as_frame(X: Any) -> Any:
    """X as a DataFrame of pandas if it is a frame of another library, else X itself.

    Frames of pandas, polars, pyarrow, dask and modin, and xarray's data sets, are recognised by their interface.
    """
    if is_pandas(X, "DataFrame") or not is_frame(X):
        return X
    if _is_dataset(X):
        return _from_dataset(X)
    X = computed(X)
    if is_pandas(X, "DataFrame"):
        return X
    import pandas as pd

    names = list(X.column_names if hasattr(X, "column_names") else X.columns)
    refuse_twice(names, "columns")
    index = getattr(X, "index", None)
    arrays = {name: np.asarray(X[name]) for name in names}
    columns = {name: list(values) if values.ndim > 1 else values for name, values in arrays.items()}
    return pd.DataFrame(columns, index=index if isinstance(index, pd.Index) else None)


def computed(X: Any) -> Any:
    """X, or the computed values if X is a lazy frame."""
    if not is_pandas(X, "DataFrame") and is_frame(X):
        for lazy in ("compute", "collect"):  # dask, polars
            X = getattr(X, lazy)() if hasattr(X, lazy) else X
    return X


def refuse_twice(names: Iterable[Any], what: str) -> None:
    """Raise a ValueError if a name occurs twice."""
    seen: set[Any] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {what} of X must have different names, got {name!r} twice")
        seen.add(name)


def refuse_levels(frame: pd.DataFrame) -> None:
    """Raise a ValueError if the columns of a frame with one row per series have several levels."""
    if frame.columns.nlevels > 1:
        raise ValueError(
            f"the columns of X must have one level, got {frame.columns.nlevels}: put one of them into the index with "
            "X.stack(), or pass an array (n_samples, n_channels, n_timepoints)"
        )


def holds_series(value: Any) -> bool:
    """Whether a cell is a series rather than a number or text."""
    return not isinstance(value, str | bytes) and np.ndim(value) > 0


def is_nested(frame: pd.DataFrame) -> bool:
    """Whether the cells of at least one column of a DataFrame are series."""
    for c, dtype in enumerate(frame.dtypes):
        if dtype.kind == "O":
            cells = (cell for cell in frame.iloc[:, c] if not is_missing(cell))
            if holds_series(next(cells, None)):
                return True
    return False


def is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN or pandas' NA rather than a series."""
    return cell is None or is_pandas_na(cell) or isinstance(cell, float | np.floating) and bool(np.isnan(cell))


def is_pandas_na(cell: Any) -> bool:
    """Whether a cell is pandas' NA, which cannot be compared."""
    return "pandas" in sys.modules and cell is sys.modules["pandas"].NA


def _is_dataset(X: Any) -> bool:
    return hasattr(X, "data_vars") and hasattr(X, "to_dataframe")


def _from_dataset(X: Any) -> Any:
    """Frame of an xarray data set: variables are channels, the index is (instance, time), or time for one series."""
    X = X.reset_coords(drop=True)  # coordinates that are not an index, such as labels of series, are not channels
    dims = sorted(X.dims, key=lambda name: name == "time")
    for name, variable in X.data_vars.items():
        if "time" not in dims or set(variable.dims) != set(dims):
            raise ValueError(
                f'all variables of X, a Dataset, must have the same dimensions, with one called "time", got '
                f"{variable.dims} of {name!r}"
            )
    return X.to_dataframe(dim_order=dims)
