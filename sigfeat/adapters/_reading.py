"""Checks that the readers of all formats share."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MAX_SIDE = 2**63 - 1
FREE_BYTES = 2**24  # may be declared without any data
MAX_EXPANSION = 1000  # values in bytes for each stored byte


class Header(NamedTuple):
    """Shape and dtype that a file declares; the dtype of a parquet file with columns of different types is None."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None


class Stored(NamedTuple):
    """A file inside a folder: its name relative to the folder, its size and the time of its last change."""

    name: str
    size: int
    mtime_ns: int


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Convert any error of a reader into a ValueError of one sentence that names the file."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:  # the packages raise errors of many types for damaged files
        text = " ".join(str(error).split())[:500] or type(error).__name__
        raise ValueError(f"{file} cannot be read: {text}") from error


def shown(value: Any) -> str:
    """A value of a file, short enough for a message."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Object of JSON whose keys differ: of a repeated key, readers may use different values."""
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {shown(next(name for name in names if names.count(name) > 1))} is repeated")
    return document


def check_regular(file: Path) -> None:
    """Raise a ValueError for folders, pipes and devices; opening a pipe might never return."""
    mode = os.stat(file).st_mode
    if not stat.S_ISREG(mode):
        raise ValueError("it is a folder, not a file" if stat.S_ISDIR(mode) else "it is a pipe, a socket or a device")


def check_sides(field: str, sides: Any, lowest: int = 0) -> tuple[int, ...]:
    """Sides of an array as a tuple; a ValueError if they are not whole numbers from `lowest` to 2**63 - 1."""
    if not isinstance(sides, Sequence) or not all(type(side) is int for side in sides):
        raise ValueError(f"{field} is {shown(sides)}, but must be a list of whole numbers")
    if not all(lowest <= side <= MAX_SIDE for side in sides):
        raise ValueError(f"{field} is {shown(sides)}, but its entries must be from {lowest} to 2**63 - 1")
    return tuple(sides)


def check_numeric(field: str, dtype: np.dtype[Any]) -> None:
    """Raise a ValueError unless a dtype is that of real numbers."""
    if dtype.kind not in "biuf":
        raise ValueError(f"{field} is {shown(str(dtype))}, but must be a dtype of real numbers")


def check_declared(n_bytes: int, stored: int) -> None:
    """Raise a ValueError if a file declares many more values than it stores."""
    if n_bytes > FREE_BYTES + MAX_EXPANSION * stored:
        raise ValueError(f"it declares {n_bytes} bytes of values, but stores only {stored} bytes")


def stored_files(folder: Path) -> list[Stored]:
    """All files below a folder; a ValueError if there is a link, a pipe or a device."""
    found, below = [], [""]
    while below:
        prefix = below.pop()
        with os.scandir(folder / prefix) as entries:
            for entry in entries:
                name = prefix + entry.name
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    below.append(name + "/")
                elif stat.S_ISREG(status.st_mode):
                    found.append(Stored(name, status.st_size, status.st_mtime_ns))
                else:
                    raise ValueError(f"{shown(name)} inside it is a link, a pipe, a socket or a device")
    return sorted(found)
