"""Checks of sizes that raise before memory is allocated."""

import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

WORTH_A_LOOK = 2**24  # bytes; smaller sizes are not checked: to read the limits would take as long as to fill them
WORD_BYTES = 600  # of one Word object and its part of the prefix trees: a measured upper bound
NAME_BYTES = 120  # of the name of a feature
MAX_FEATURES = 2_000_000  # of words; listing and naming more takes minutes
MAX_DEPTH = 64  # up to which words are counted; at this depth there are more than MAX_FEATURES


def check_output_size(
    n_samples: int, n_features: int, dtype: Any, what: str, workspace: int = 0, remedy: str = "lower the depth"
) -> None:
    """Raise a ValueError with the size if the output and `workspace` more bytes do not fit into memory."""
    size = n_samples * n_features * np.dtype(dtype).itemsize
    if size + workspace <= WORTH_A_LOOK:
        return
    available = available_memory()
    if size + workspace > available:
        beside = f" and {gibibytes(workspace)} to work in" if workspace else ""
        raise ValueError(
            f"{what} would give {Decimal(n_features):.6g} features for each of {n_samples} series, "
            f"{gibibytes(size)}{beside}, but {gibibytes(available)} of memory are available: "
            f"{remedy}, or transform fewer series at once"
        )


def check_fitted_size(
    n_samples: int, n_features: int, dtype: Any, what: str, workspace: int = 0, remedy: str = "lower the depth"
) -> None:
    """Check the size at fit, including the names of the features."""
    check_output_size(n_samples, n_features, dtype, what, workspace + n_features * NAME_BYTES, remedy)


def check_word_count(
    n_samples: int,
    n_words: int,
    n_columns: int,
    dtype: Any,
    what: str,
    word_bytes: int,
    workspace: int,
    remedy: str,
    or_more: bool = False,
) -> None:
    """Check words of `n_columns` features and `word_bytes` bytes each, and the limit on the number of features."""
    n_features = n_words * n_columns
    if n_features > MAX_FEATURES:
        size = n_samples * n_features * np.dtype(dtype).itemsize
        at_least = "at least " if or_more else ""
        raise ValueError(
            f"{what} would give {at_least}{_count(n_features)} features along {_count(n_words)} words for each of "
            f"{n_samples} series, {gibibytes(size)}, but at most {_count(MAX_FEATURES)} can be listed: {remedy}"
        )
    check_fitted_size(n_samples, n_features, dtype, what, workspace + n_words * word_bytes, remedy)


def available_memory(root: str | Path = "/") -> int:
    """Bytes that the machine and the limits of its control groups leave for this process."""
    root = Path(root)
    free = [line.split()[1] for line in _lines(root / "proc/meminfo") if line.startswith("MemAvailable:")]
    limits = [1024 * int(kibibytes) for kibibytes in free]
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names = ("memory.max", "memory.current", "inactive_file")
            limits += _group_limits(root / "sys/fs/cgroup", path, *names)
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            limits += _group_limits(root / "sys/fs/cgroup/memory", path, *names)
    return min(limits, default=_physical_memory())


def _group_limits(mount: Path, path: str, limit: str, usage: str, reclaimable: str) -> Iterator[int]:
    """Bytes left by each control group from `path` upwards; a container may see only its own, as the root."""
    for group in (Path(path), *Path(path).parents):
        folder = mount / group.relative_to(group.anchor)
        allowed, used = (text for name in (limit, usage) for text in _lines(folder / name) or [""])
        if allowed.isdigit() and used.isdigit():
            statistics = (line.split() for line in _lines(folder / "memory.stat"))
            cached = sum(int(size) for name, size in statistics if name == reclaimable)
            yield max(0, int(allowed) - int(used) + cached)


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # the system does not report it
        return sys.maxsize


def gibibytes(size: int) -> str:
    """Text of a number of bytes."""
    return f"{Decimal(size) / 2**30:.3g} GiB"


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"{Decimal(number):.3g}"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
