"""Conversion of values to float32 or float64."""

from __future__ import annotations

import sys
from itertools import filterfalse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat.panel._frames import holds_series, is_pandas
from sigfeat.panel._times import shown

Floats = NDArray[np.floating[Any]]
FLOATS = {np.dtype(np.float32), np.dtype(np.float64)}


def is_from(module: str, X: Any, name: str) -> bool:
    """Whether X is an instance of module.name, without importing the module."""
    return module in sys.modules and isinstance(X, getattr(sys.modules[module], name))


def holds_cells(X: NDArray[Any]) -> bool:
    """Whether the entries of an array are series rather than numbers."""
    return X.dtype == object and X.size > 0 and holds_series(X.flat[0])


def as_array(values: Any) -> NDArray[Any]:
    """Values as an array of any dtype; missing ones become NaN if the dtype allows it."""
    if is_from("torch", values, "Tensor"):
        values = values.detach().cpu()
        return np.asarray(values.double() if "bfloat16" in str(values.dtype) else values)
    if isinstance(values, np.ma.MaskedArray):
        if values.dtype.kind in "iub":
            values = values.astype(np.float64)
        return np.asarray(values.filled(np.nan) if values.dtype.kind == "f" else values)
    array = np.asarray(values)
    if array.dtype == object and is_pandas(values, "DataFrame", "Series"):
        array = np.where(values.isna(), np.nan, array)
    return array


def numbers(values: Any, what: str) -> Floats:
    """Values as float32 if they have this dtype, otherwise as float64."""
    try:
        array = as_array(values)
        for i, value in enumerate(array.flat if array.dtype == object else ()):
            if isinstance(value, str | bytes | complex):  # astype would convert it to a number
                raise TypeError(_no_number(values, array, i))
        if array.dtype.kind in "fiubO":
            single = array.dtype.kind == "f" and array.dtype.itemsize == 4
            return array.astype(np.float32 if single else np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} must hold real numbers: {error}") from None
    raise ValueError(f"{what} must hold real numbers, got dtype {array.dtype}")


def _no_number(values: Any, array: NDArray[Any], i: int) -> str:
    """Message for the non-number at place i of an array, with its column if it comes from a DataFrame."""
    if not is_pandas(values, "DataFrame"):
        return f"got {shown(array.flat[i])}"
    c = i % array.shape[1]
    texts = [value for value in array[:, c] if isinstance(value, str | bytes | complex)]
    return f"got {shown(next(filterfalse(_is_number, texts), texts[0]))} in column {values.columns[c]!r}"


def _is_number(text: Any) -> bool:
    """Whether a text in a column of mixed values would be a number by itself."""
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True


def common_dtype(dtypes: set[Any]) -> type:
    """float32 if all values have this dtype, otherwise float64."""
    return np.float32 if dtypes == {np.dtype(np.float32)} else np.float64
