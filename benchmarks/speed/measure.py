"""Times of contestants that take turns, and memory of one in a process of its own."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

MATRIX_SIDE = 1500
MEMORY_OF = """
import importlib, json, sys
from benchmarks.measure import new_peak, peak
module, name, small, shape = json.loads(sys.argv[1])
contestants = importlib.import_module(module).contestants
contestants(*small)[name]()  # what is compiled and imported is not counted
run = contestants(*shape)[name]
level = new_peak()
result = run()
print((peak() - level) / 2**20)
"""


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


def median_ms(times: list[float]) -> float:
    """Median of times in seconds, in milliseconds."""
    return 1e3 * statistics.median(times)


def peak_mib(module: str, name: str, small: tuple[Any, ...], shape: tuple[Any, ...]) -> float:
    """MiB that a run takes beyond what was there before, its result included, in a process of its own.

    Parameters
    ----------
    module, name : str
        Full name of a module of which ``contestants(*shape)[name]`` is the run.
    small, shape : tuple
        Arguments of a run that loads and compiles everything, and of the one that is measured.
    """
    command = [sys.executable, "-c", MEMORY_OF, json.dumps([module, name, small, shape])]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
