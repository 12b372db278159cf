"""Fail before an allocation that cannot succeed."""

import os
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np

WORTH_A_LOOK = 2**24  # bytes; less is granted unseen, for reading the limits would cost as much as filling it
WORD_BYTES = 600  # of one Word object of some letters and its part of the prefix trees, measured from above
NAME_BYTES = 120  # of the name of a feature


def check_output_size(n_samples, n_features, dtype, what, workspace=0, remedy="lower the depth"):
    """Raise a ValueError naming the size unless all values, and `workspace` more bytes, fit into memory."""
    size = n_samples * n_features * np.dtype(dtype).itemsize
    if size + workspace <= WORTH_A_LOOK:
        return
    available = available_memory()
    if size + workspace > available:
        beside = f" and {gibibytes(workspace)} to work in" if workspace else ""
        raise ValueError(
            f"{what} would give {Decimal(n_features):.6g} features for each of {n_samples} series, "
            f"{gibibytes(size)}{beside}, but {gibibytes(available)} of memory are available: "
            f"{remedy} or transform fewer series at once"
        )


def available_memory(root="/"):
    """Count the bytes that the machine and the limits of its control groups leave to this process."""
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


def _group_limits(mount, path, limit, usage, reclaimable):
    """Give what each control group from `path` up leaves; a container may see only its own, as the root."""
    for group in (Path(path), *Path(path).parents):
        folder = mount / group.relative_to(group.anchor)
        allowed, used = (text for name in (limit, usage) for text in _lines(folder / name) or [""])
        if allowed.isdigit() and used.isdigit():
            statistics = (line.split() for line in _lines(folder / "memory.stat"))
            cached = sum(int(size) for name, size in statistics if name == reclaimable)
            yield max(0, int(allowed) - int(used) + cached)


def _physical_memory():
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # a system that does not say
        return sys.maxsize


def gibibytes(size):
    """Spell a number of bytes."""
    return f"{Decimal(size) / 2**30:.3g} GiB"


def _lines(path):
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
