"""Fail before an allocation that cannot succeed."""

import os
from pathlib import Path

import numpy as np


def check_output_size(n_samples, n_features, dtype, what):
    """Raise a ValueError that names the size unless (n_samples, n_features) values fit into the memory that is available."""
    size, available = n_samples * n_features * np.dtype(dtype).itemsize, available_memory()
    if size > available:
        raise ValueError(
            f"{what} would give {n_features} features for each of {n_samples} series, {size / 2**30:.3g} GiB, but {available / 2**30:.3g} GiB of memory are "
            "available: lower the depth or transform fewer series at once"
        )


def available_memory():
    """Bytes that this process may still take: what the machine has left, or a control group's limit leaves."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            limits.append(int(line.split()[1]) * 1024)
    for limit, used in (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")):
        numbers = [text for name in (limit, used) for text in _lines(f"/sys/fs/cgroup/{name}") if text.isdigit()]
        if len(numbers) == 2:
            limits.append(max(0, int(numbers[0]) - int(numbers[1])))
    return min(limits)


def _lines(path):
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
