"""Times, and the machine and versions that they belong to."""

import contextlib
import ctypes
import datetime
import functools
import gc
import importlib.metadata
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

PACKAGES = (
    "sigfeat",
    "numpy",
    "scipy",
    "numba",
    "llvmlite",
    "scikit-learn",
    "torch",
    "iisignature",
    "pysiglib",
    "aeon",
)
MATRIX_SIDE = 1500


def alternating_times(contestants: Mapping[str, Callable[[], Any]], repeat: int) -> dict[str, list[float]]:
    """Seconds of `repeat` runs of each contestant, taking turns after one unmeasured run of each.

    Taking turns spreads a slow moment of the machine over all of them.
    """
    for run in contestants.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeat):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return times


def matrix_product_flops(dtype: str, repeat: int) -> float:
    """Floating-point operations per second of NumPy's best product of two square matrices of side 1500."""
    left, right = np.random.default_rng(0).standard_normal((2, MATRIX_SIDE, MATRIX_SIDE)).astype(dtype)
    times = alternating_times({"product": lambda: left @ right}, repeat)
    return 2 * MATRIX_SIDE**3 / min(times["product"])


@contextlib.contextmanager
def thread_limit(n_threads: int) -> Iterator[None]:
    """Hold BLAS, OpenMP and torch, where it is loaded, to a number of threads."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    with threadpool_limits(n_threads):
        if torch:
            torch.set_num_threads(n_threads)
        yield
    if torch:
        torch.set_num_threads(before)


def new_peak() -> int:
    """Set the high-water mark of resident memory back to what is in use, where the system can, and return it."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> int:
    """High-water mark of resident memory in bytes."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return 1024 * int(found[1])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def circumstances() -> dict[str, Any]:
    """Everything that a time depends on: machine, versions, commit, date."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cpu": _cpu_model(),
        "n_cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }


@functools.cache
def made() -> dict[str, Any]:
    """Commit that a record is of, and the date, as they were when first asked for."""
    return {name: value for name, value in circumstances().items() if name in ("commit", "date")}


def median_ms(times: list[float]) -> float:
    """Median of times in seconds, in milliseconds."""
    return 1e3 * statistics.median(times)


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown of a table, all columns right-aligned."""
    lines = [header, ["---:"] * len(header), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return getattr(sys.modules.get(package), "__version__", None)


def _commit() -> str | None:
    """Abbreviated commit of this checkout, with a plus sign where files differ from it."""

    def git(*arguments: str) -> str:
        here = Path(__file__).parent
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
