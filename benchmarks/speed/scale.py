"""Series from disk to features on disk, against the same transform of an array in memory: rates and resident memory.

Each run is a process of its own, the contestants take turns, and the rates are medians. The environment variable
TMPDIR sets the disk of the files. In memory, `transform` alone is timed, on series that were read before; from disk,
reading, transforming and writing are.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dask
import numpy as np

from benchmarks.measure import markdown_table, peak, thread_limit
from sigfeat import ISSTransformer, LowRankISSTransformer
from sigfeat.adapters.dask import transform_files

TITLE = "Transforms from disk to disk and in memory"
ESTIMATORS = {
    "words": ISSTransformer(),
    "low_rank": LowRankISSTransformer(100),
}
N_SERIES, N_CHANNELS, N_TIMEPOINTS, N_FIT = 1_000_000, 3, 100, 1000
SERIES_PER_WRITE = 10_000
GIBIBYTE = 2**30


def records(threads: list[int], repeat: int) -> dict[str, Any]:
    """Rates and resident memory of each way, with the largest number of threads."""
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), N_SERIES, max(threads), repeat)
    shape = {"n_series": N_SERIES, "n_channels": N_CHANNELS, "n_timepoints": N_TIMEPOINTS}
    return shape | {"dtype": "float32", "threads": max(threads), "results": results}


def write_series(file, n_series):
    """Random walks, float32, never more than some thousands in memory."""
    rng = np.random.default_rng(0)
    array = np.lib.format.open_memmap(file, "w+", np.float32, (n_series, N_CHANNELS, N_TIMEPOINTS))
    for first in range(0, n_series, SERIES_PER_WRITE):
        part = array[first : first + SERIES_PER_WRITE]
        part[:] = rng.standard_normal(part.shape, np.float32).cumsum(axis=2)
    array.flush()


def run_one(where, name, folder, n_threads):
    """Seconds and peak resident memory of one transform in this process."""
    file = folder / "series.npy"
    estimator = ESTIMATORS[name]
    estimator.fit(np.array(np.load(file, mmap_mode="r")[:N_FIT]))
    estimator.transform(np.ones((2, N_CHANNELS, N_TIMEPOINTS), np.float32))  # compiled, or read from the cache
    with thread_limit(1), tempfile.TemporaryDirectory(dir=folder) as target:
        if where == "memory":
            X = np.load(file)
            start = time.perf_counter()
            estimator.set_params(n_jobs=n_threads).transform(X)
        else:
            start = time.perf_counter()
            with dask.config.set(scheduler="threads", num_workers=n_threads):
                transform_files(estimator, file, Path(target) / "features")
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_gib": peak() / GIBIBYTE}


def measure(folder, n_series, n_threads, repeat):
    """Rates of both ways, for each estimator, from processes that take turns."""
    write_series(folder / "series.npy", n_series)
    results = {}
    for name, estimator in ESTIMATORS.items():
        runs = {"memory": [], "disk": []}
        for _ in range(repeat):
            for where, found in runs.items():
                command = [sys.executable, "-m", "benchmarks.speed.scale", where, name, str(folder), str(n_threads)]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                found.append(json.loads(output))
        seconds = {where: statistics.median(run["seconds"] for run in found) for where, found in runs.items()}
        n_features = estimator.fit(np.load(folder / "series.npy", mmap_mode="r")[:N_FIT]).get_feature_names_out().size
        results[name] = {
            "n_features": int(n_features),
            "runs": runs,
            "series_per_second": {where: n_series / value for where, value in seconds.items()},
            "disk_over_memory": seconds["disk"] / seconds["memory"],
            "peak_gib": {where: max(run["peak_gib"] for run in found) for where, found in runs.items()},
        }
    return results


def table(results):
    """Markdown of what was found."""
    header = [
        "features",
        "columns",
        "series/s in memory",
        "series/s disk to disk",
        "ratio",
        "peak GiB",
        "GiB in memory",
    ]
    return markdown_table(
        header,
        [
            [
                name,
                f"{found['n_features']:,}",
                *(f"{found['series_per_second'][where]:,.0f}" for where in ("memory", "disk")),
                f"{found['disk_over_memory']:.2f}",
                *(f"{found['peak_gib'][where]:.2f}" for where in ("disk", "memory")),
            ]
            for name, found in results.items()
        ],
    )


if __name__ == "__main__":  # of one run
    where, name, folder, n_threads = sys.argv[1:]
    print(json.dumps(run_one(where, name, Path(folder), int(n_threads))))
