"""Panels and tables in npy, zarr and parquet files. Nothing is unpickled."""

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMATS = ("npy", "parquet", "zarr")
_ZARR_LISTS = ("zarr.json", ".zarray")


def kind_of(file: Path) -> str | None:
    """Format of a file by its name; None if it is unknown."""
    return file.suffix[1:] if file.suffix[1:] in FORMATS else None


def shape_of(file: Path) -> tuple[int, ...]:
    """Shape of the array in a file, without reading it; for parquet its rows and columns."""
    if kind_of(file) == "npy":
        return _open_npy(file).shape
    if kind_of(file) == "zarr":
        return tuple(_open_zarr(file).shape)
    parquet = _package("pyarrow.parquet")
    try:
        metadata = parquet.read_metadata(file)
    except (ValueError, OSError) as error:  # pyarrow's errors are ValueErrors
        raise ValueError(f"{file} cannot be read: {error}") from error
    return metadata.num_rows, metadata.num_columns


def stamp(file: Path) -> tuple[int, int]:
    """Size and modification time of a file, to detect changes; for zarr those of its metadata."""
    listed = [file / name for name in _ZARR_LISTS if (file / name).exists()] if file.is_dir() else [file]
    status = os.stat(listed[0] if listed else file)
    return status.st_size, status.st_mtime_ns


def read_rows(file: Path, start: int, stop: int | None, *, as_table: bool = False) -> Any:
    """Rows of the array in a file; for parquet the whole DataFrame, or its numbers with `as_table`."""
    if kind_of(file) == "npy":
        return np.array(_open_npy(file)[start:stop])  # the mapping is given back with its pages
    if kind_of(file) == "zarr":
        array = _open_zarr(file)
        return np.asarray(array[start : array.shape[0] if stop is None else stop])
    _package("pyarrow.parquet")
    try:
        frame = _package("pandas").read_parquet(file, engine="pyarrow")
    except (ValueError, OSError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
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


def _open_npy(file: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    return array


def _open_zarr(file: Path) -> Any:
    lists = [file / name for name in _ZARR_LISTS if (file / name).is_file()]
    if not lists:
        raise ValueError(f"{file} cannot be read: it is no zarr array")
    if any(b"pickle" in path.read_bytes() for path in lists):
        raise ValueError(f"{file} cannot be read: its values are pickles, which are not loaded")
    try:
        return _package("zarr").open_array(file, mode="r")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.split(".")[0]
        raise ImportError(f"{package} is needed for such files: run `pip install {package}`") from error
