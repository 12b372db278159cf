"""Frames of any library, as frames of pandas."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

SERIES_COLUMNS = {"series", "series_id", "id", "instance", "instances", "case", "case_id", "unique_id", "sample"}
TIME_COLUMNS = {"time", "times", "timepoint", "timepoints", "timestamp", "date", "datetime", "t", "ds", "step"}
_OWN_TIME = "the rows of a series, numbered"
FEW_COLUMNS = 8  # at most so many has a table that may be a long one
FEWEST_ROWS = 6  # of a table whose numbers, and not its names, say that it is long


def is_pandas(X: Any, *names: str) -> bool:
    """Whether X is of one of these classes of pandas, which is not loaded to find that out."""
    return "pandas" in sys.modules and isinstance(X, tuple(getattr(sys.modules["pandas"], name) for name in names))


def is_frame(X: Any) -> bool:
    """Whether X has rows and named columns, of whatever library it is."""
    if is_pandas(X, "DataFrame"):
        return True
    if isinstance(X, np.ndarray | list | tuple | str) or is_pandas(X, "Series") or not hasattr(X, "__getitem__"):
        return False
    names = ("column_names", "columns")  # asked of the class first: of a lazy frame it takes a look at all of it
    return any(hasattr(type(X), name) or hasattr(X, name) for name in names) or _is_dataset(X)


def as_frame(X: Any) -> Any:
    """X as a DataFrame of pandas if it is a frame of another library, else X itself.

    pandas, polars, pyarrow, dask, modin and xarray's data sets are known by what they can do, not by their names.
    """
    if is_pandas(X, "DataFrame") or not is_frame(X):
        return X
    if _is_dataset(X):
        return X.to_dataframe(dim_order=sorted(X.dims, key=lambda name: name == "time"))
    for lazy in ("compute", "collect"):  # dask, polars
        X = getattr(X, lazy)() if hasattr(X, lazy) else X
    if is_pandas(X, "DataFrame"):
        return X
    import pandas as pd

    names = list(X.column_names if hasattr(X, "column_names") else X.columns)
    refuse_twice(names, "columns")
    index = getattr(X, "index", None)
    arrays = {name: np.asarray(X[name]) for name in names}
    columns = {name: list(values) if values.ndim > 1 else values for name, values in arrays.items()}
    return pd.DataFrame(columns, index=index if isinstance(index, pd.Index) else None)


def with_frames(X: Any) -> Any:
    """X, or the items of a list, as `as_frame` gives them."""
    return [as_frame(item) for item in X] if isinstance(X, list | tuple) else as_frame(X)


def as_array(X: Any) -> Any:
    """The values of an xarray.DataArray, its dimension "time" as the last; any other X as it is."""
    if not (hasattr(X, "dims") and hasattr(X, "to_pandas")):
        return X
    if "time" not in X.dims and X.ndim > 1:
        raise ValueError(f'X must have a dimension "time", as it is a DataArray, got the dimensions {X.dims}')
    return (X.transpose(..., "time") if X.ndim > 1 else X).to_numpy()


def refuse_twice(names: Iterable[Any], what: str) -> None:
    """Raise a ValueError if a name occurs twice."""
    seen: set[Any] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {what} of X must have different names, got {name!r} twice")
        seen.add(name)


def refuse_levels(frame: pd.DataFrame) -> None:
    """Raise a ValueError if the columns of a frame with a row per series have several levels."""
    if frame.columns.nlevels > 1:
        raise ValueError(
            f"the columns of X must have one level, got {frame.columns.nlevels}: put one of them into the index with "
            "X.stack(), or pass an array (n_samples, n_channels, n_timepoints)"
        )


def holds_series(value: Any) -> bool:
    """Whether a cell is a series rather than a number or a text."""
    return not isinstance(value, str | bytes) and np.ndim(value) > 0


def is_nested(frame: pd.DataFrame) -> bool:
    """Whether the cells of a DataFrame, of one column at least, are series."""
    for c, dtype in enumerate(frame.dtypes):
        if dtype.kind == "O":
            cells = (cell for cell in frame.iloc[:, c] if not is_missing(cell))
            if holds_series(next(cells, None)):
                return True
    return False


def is_missing(cell: Any) -> bool:
    """Whether a cell holds None, NaN or pandas' NA, and no series."""
    return cell is None or is_pandas_na(cell) or isinstance(cell, float | np.floating) and bool(np.isnan(cell))


def is_pandas_na(cell: Any) -> bool:
    """Whether a cell is pandas' NA, which compares with nothing."""
    return "pandas" in sys.modules and cell is sys.modules["pandas"].NA


def refuse_long_table(frame: pd.DataFrame) -> None:
    """Raise a ValueError if a frame looks like a long table, with a row per series and time, and not one per series."""
    if not 2 <= frame.shape[1] <= FEW_COLUMNS or len(frame) < 2:
        return
    found = _long_by_name(frame) or _long_by_numbers(frame)
    if found:
        raise ValueError(
            f"X looks like a long table, whose columns {found[0]!r} and {found[1]!r} name the series and the time of "
            f"each row: pass to_panel(X, series={found[0]!r}, time={found[1]!r}), or, if each row is a series of one "
            "channel, X.to_numpy()"
        )


def indexed_by(X: Any, series: Any, time: Any) -> pd.DataFrame:
    """A long table with an index of instances and times."""
    if not is_pandas(X, "DataFrame"):
        raise TypeError(f"series and time name columns of a long table, but X is {type(X).__name__}")
    for argument, name in (("series", series), ("time", time)):
        if np.ndim(name) or isinstance(name, dict | set):
            raise TypeError(f"{argument} must be the name of a column of X, got {type(name).__name__}")
    if any(name in X.index.names for name in (series, time) if name is not None):
        X = X.reset_index()
    refuse_twice(X.columns, "columns")
    for argument, name in (("series", series), ("time", time)):
        if not (name is None and argument == "time") and name not in X.columns:
            raise ValueError(f"{argument} must be one of the columns of X, {list(X.columns)}, got {name!r}")
    if series == time:
        raise ValueError(f"series and time must be different columns of X, got {series!r} for both")
    if time is None:
        X, time = X.assign(**{_OWN_TIME: X.groupby(series, sort=False).cumcount()}), _OWN_TIME
    return X.set_index([series, time])


def _long_by_name(frame: pd.DataFrame) -> tuple[Any, Any] | None:
    keys = [*(name for name in frame.index.names if name is not None), *frame.columns]
    series = [name for name in keys if str(name).lower() in SERIES_COLUMNS]
    times = [name for name in keys if str(name).lower() in TIME_COLUMNS]
    return (series[0], times[0]) if series and times else None


def _long_by_numbers(frame: pd.DataFrame) -> tuple[Any, Any] | None:
    """Two of the first three columns of which one repeats, and the other grows while it does, from the same start."""
    if len(frame) < FEWEST_ROWS or frame.shape[1] < 3:
        return None
    keys = [c for c in range(3) if _may_name(frame.iloc[:, c])]
    for series in keys:
        for time in keys:
            if series != time and _grows_within(frame.iloc[:, series], frame.iloc[:, time]):
                return frame.columns[series], frame.columns[time]
    return None


def _may_name(column: pd.Series) -> bool:
    """Whether a column holds whole numbers, texts or dates."""
    if column.dtype.kind == "f":
        values = column.to_numpy()
        return bool(np.isfinite(values).all() and (values == np.floor(values)).all())
    return column.dtype.kind in "iuMOU" or is_pandas(column.dtype, "StringDtype", "CategoricalDtype")


def _grows_within(series: pd.Series, times: pd.Series) -> bool:
    """Whether each of at least two series has several times, in order, and all begin at the same one."""
    if times.dtype.kind not in "iufM":
        return False
    codes, names = series.factorize()
    if len(names) < 2 or codes.min() < 0 or np.bincount(codes).min() < 3:
        return False
    order = np.argsort(codes, kind="stable")
    codes, stamps = codes[order], times.to_numpy()[order]
    same = codes[1:] == codes[:-1]
    starts = stamps[np.flatnonzero(np.concatenate([[True], ~same]))]
    return bool((stamps[1:] > stamps[:-1])[same].all() and (starts == starts[0]).all())


def _is_dataset(X: Any) -> bool:
    return hasattr(X, "data_vars") and hasattr(X, "to_dataframe")
