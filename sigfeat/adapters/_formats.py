"""Panels and tables in npy, zarr and parquet files. Nothing is unpickled."""

import importlib
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat.adapters._parquet import parquet_header, read_frame
from sigfeat.adapters._reading import Header, check_numeric, check_regular, check_sides, reading
from sigfeat.adapters._zarr import open_zarr, zarr_header

FORMATS = ("npy", "parquet", "zarr")
_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def kind_of(file: Path) -> str | None:
    """Format of a file by its name; None if it is unknown."""
    return file.suffix[1:] if file.suffix[1:] in FORMATS else None


def header_of(file: Path) -> Header:
    """Shape and dtype of the array in a file, without reading it; for parquet its rows and columns."""
    with reading(file):
        if kind_of(file) == "npy":
            return _npy_header(file)[0]
        if kind_of(file) == "zarr":
            _package("zarr")
            return zarr_header(file)
        return parquet_header(file, _package("pyarrow.parquet"))


def read_rows(file: Path, start: int, stop: int | None, *, as_table: bool = False) -> Any:
    """Rows of the array in a file; for parquet the whole DataFrame, or its numbers with `as_table`."""
    with reading(file):
        if kind_of(file) == "npy":
            return _npy_rows(file, start, stop)
        if kind_of(file) == "zarr":
            array = open_zarr(file, _package("zarr"))
            return np.asarray(array[start : array.shape[0] if stop is None else stop])
        frame = read_frame(file, _package("pyarrow.parquet"))
        return frame.to_numpy() if as_table else frame


def write_table(file: Path, table: NDArray[Any], names: list[str]) -> None:
    """Write a table into a new file."""
    if kind_of(file) == "npy":
        np.save(file, table, allow_pickle=False)
    elif kind_of(file) == "zarr":
        _package("zarr").save_array(file, table)
    else:
        _package("pyarrow.parquet")
        _package("pandas").DataFrame(table, columns=names).to_parquet(file, engine="pyarrow")


def _npy_header(file: Path) -> tuple[Header, bool, int]:
    """Shape and dtype of an array, whether it is in Fortran's order, and where its values start."""
    check_regular(file)
    with file.open("rb") as stream:
        version = np.lib.format.read_magic(stream)
        if version not in _NPY_HEADERS:
            raise ValueError(f"its version is {version}, but must be (1, 0) or (2, 0)")
        shape, fortran, dtype = _NPY_HEADERS[version](stream)
        start, size = stream.tell(), os.fstat(stream.fileno()).st_size
    check_numeric("its dtype", dtype)
    shape = check_sides("its shape", shape)
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes > size - start:
        raise ValueError(f"it declares {n_bytes} bytes of values, but stores only {size - start} bytes")
    return Header(shape, dtype), fortran, start


def _npy_rows(file: Path, first: int, last: int | None) -> NDArray[Any]:
    ((shape, dtype), fortran, offset) = _npy_header(file)
    assert dtype is not None
    last = shape[0] if last is None else last
    if fortran and 0 not in shape:
        array: NDArray[Any] = np.memmap(file, dtype, "r", offset, shape, "F")
        return np.array(array[first:last])  # the mapping is given back with its pages
    row = math.prod(shape[1:])
    values = np.fromfile(file, dtype, (last - first) * row, offset=offset + first * row * dtype.itemsize)
    return values.reshape(last - first, *shape[1:])


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.split(".")[0]
        raise ImportError(f"{package} is needed for such files: run `pip install {package}`") from error
