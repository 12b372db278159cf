"""Panels whose channels are cells: one row of cells per series."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np

from sigfeat.panel._frames import holds_series, is_missing, is_pandas
from sigfeat.panel._numbers import FLOATS, Floats, common_dtype, numbers
from sigfeat.panel._times import in_order, shown


def from_columns(columns: list[list[Any]], names: list[str]) -> Floats:
    """Panel made of the cells of each channel, all at once, since there may be many cells."""
    plain = [_plain_cells(column) for column in columns]
    cells = [c or _cells(column, name) for c, column, name in zip(plain, columns, names, strict=True)]
    if not all(plain):
        _refuse_other_times(columns, names)
    lengths = np.array([list(map(len, column)) for column in cells])
    uneven = np.flatnonzero((lengths != lengths[0]).any(axis=0))
    if len(uneven):
        shapes = ", ".join(str(column[uneven[0]].shape) for column in cells)
        raise ValueError(
            "all channels of a series must be 1-D and have the same length, "
            f"got shapes {shapes} in series {uneven[0]} of X"
        )
    dtypes = set().union(*(map(attrgetter("dtype"), column) for column in cells))
    longest = lengths.max(initial=0)
    panel = np.full((len(cells), lengths.shape[1] * longest), np.nan, common_dtype(dtypes))
    inside = np.flatnonzero(np.arange(longest) < lengths[0][:, np.newaxis])
    for c, column in enumerate(cells):
        panel[c, inside] = np.concatenate(column)
    return panel.reshape(len(cells), -1, longest).transpose(1, 0, 2)


def _plain_cells(column: list[Any]) -> list[Floats]:
    """Values of cells if all are numeric with a default index, else []. Takes a fifth of the time."""
    if not is_pandas(column[0], "Series"):
        return []
    import pandas as pd

    if set(map(type, column)) != {pd.Series}:
        return []
    times = list(map(attrgetter("index"), column))
    if set(map(type, times)) != {pd.RangeIndex} or set(map(attrgetter("start", "step"), times)) != {(0, 1)}:
        return []
    values = list(map(attrgetter("_values"), column))  # `values` would create a view of each
    plain = set(map(type, values)) == {np.ndarray} and set(map(attrgetter("dtype"), values)) <= FLOATS
    return values if plain else []


def _refuse_other_times(columns: list[list[Any]], names: list[str]) -> None:
    """Raise a ValueError if two channels of a series have different time stamps."""
    for i, row in enumerate(zip(*columns, strict=True)):
        stamped = [(cell.index, name) for cell, name in zip(row, names, strict=True) if is_pandas(cell, "Series")]
        for times, name in stamped[1:]:
            first = stamped[0][0]
            if len(times) == len(first) and not (
                times.equals(first) or times.sort_values().equals(first.sort_values())
            ):
                raise ValueError(
                    f"the channels of a series must have the same time stamps, but those of {name} are not those of "
                    f"{stamped[0][1]} in series {i} of X"
                )


def _cells(column: list[Any], name: str) -> list[Floats]:
    return [_cell(cell, i, name) for i, cell in enumerate(column)]


def _cell(cell: Any, i: int, name: str) -> Floats:
    """The series in a cell, sorted by its time stamps."""
    if is_missing(cell) or not holds_series(cell):
        got = "a missing one" if is_missing(cell) else shown(cell)
        raise ValueError(
            f"every cell of X must hold a series, got {got} in series {i}, {name}; drop the columns that hold no series"
        )
    what = f"series {i}, {name} of X"
    array = numbers(cell, what)
    if array.ndim != 1:
        raise ValueError(
            f"all channels of a series must be 1-D and have the same length, got shape {array.shape} in {what}"
        )
    order = in_order(cell.index, what) if is_pandas(cell, "Series") else None
    return array if order is None else array[order]
