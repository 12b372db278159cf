"""Long tables: one row per series and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sigfeat.panel._frames import is_pandas, refuse_twice

if TYPE_CHECKING:
    import pandas as pd

SERIES_COLUMNS = {"series", "id", "instance", "instances", "case", "sample", "subject", "patient"}  # or ending in _id
TIME_COLUMNS = {"time", "times", "timepoint", "timepoints", "timestamp", "date", "datetime", "t", "ds", "step", "hour"}
FEW_COLUMNS = 8  # a table with more columns is not tested by its values
FEWEST_ROWS = 6
_OWN_TIME = "the rows of a series, numbered"


def refuse_long_table(frame: pd.DataFrame) -> None:
    """Raise a ValueError if a frame looks like a long table, with one row per series and time instead of per series."""
    if frame.shape[1] < 2 or len(frame) < 2:
        return
    found = _long_by_name(frame) or _long_by_numbers(frame)
    if found:
        raise ValueError(
            f"X looks like a long table, whose columns {found[0]!r} and {found[1]!r} name the series and the time of "
            f"each row: pass to_panel(X, series={found[0]!r}, time={found[1]!r}), or, if each row is a series of one "
            "channel, X.to_numpy()"
        )


def indexed_by(X: Any, series: Any, time: Any) -> pd.DataFrame:
    """Long table with an index (instance, time)."""
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
    keys = list(frame.columns)
    if not frame.index.is_unique:  # a unique index names the rows of a table
        keys = [*(name for name in frame.index.names if name is not None), *keys]
    series = [name for name in keys if str(name).lower() in SERIES_COLUMNS or str(name).lower().endswith("_id")]
    times = [name for name in keys if str(name).lower() in TIME_COLUMNS]
    return (series[0], times[0]) if series and times else None


def _long_by_numbers(frame: pd.DataFrame) -> tuple[Any, Any] | None:
    """Two of the first three columns: one constant in blocks of rows, the other increasing in each block."""
    if len(frame) < FEWEST_ROWS or not 3 <= frame.shape[1] <= FEW_COLUMNS:
        return None
    for series in range(3):
        for time in range(3):
            if series != time and _grows_within(frame.iloc[:, series], frame.iloc[:, time]):
                return frame.columns[series], frame.columns[time]
    return None


def _may_name(column: pd.Series) -> bool:
    """Whether a column holds whole numbers, text or dates."""
    if column.dtype.kind == "f":
        values = column.to_numpy()
        return bool(np.isfinite(values).all() and (values == np.floor(values)).all())
    return column.dtype.kind in "iuMOU" or is_pandas(column.dtype, "StringDtype", "CategoricalDtype")


def _grows_within(series: pd.Series, times: pd.Series) -> bool:
    """Whether there are two or more blocks of at least three rows in which the times increase and then restart."""
    if times.dtype.kind not in "iufM" or not _may_name(series):
        return False
    codes, names = series.factorize()
    if len(names) < 2 or codes.min() < 0 or np.bincount(codes).min() < 3 or (np.diff(codes) < 0).any():
        return False
    steps, same = np.diff(times.to_numpy()), np.diff(codes) == 0
    zero = steps.dtype.type(0)
    return bool((steps[same] > zero).all() and (steps[~same] < zero).any())
