"""How many threads `n_jobs` means."""

import multiprocessing
import os
import sys
from numbers import Integral

from joblib import cpu_count, effective_n_jobs
from joblib.parallel import get_active_backend

from sigfeat._validation import Interval

N_JOBS = [Interval(Integral, 1, None, closed="left"), Interval(Integral, None, -1, closed="right"), None]


def granted_threads(n_jobs):
    """Number of threads for a value of `n_jobs`, in joblib's convention.

    A positive number is capped at the CPUs of this process. Negative ones count from all CPUs backwards; in a worker
    process of joblib or a task of dask, from the worker's part of them, as scikit-learn's own loops do: joblib and dask
    hand it over as OMP_NUM_THREADS, and ``joblib.parallel_config(inner_max_num_threads=...)`` changes it.

    Parameters
    ----------
    n_jobs : int or None
        Not 0. None for 1, unless a `joblib.parallel_config` around it says otherwise.

    Returns
    -------
    n_threads : int
        From 1 to the number of CPUs.

    Raises
    ------
    ValueError
        If `n_jobs` is 0.
    """
    if n_jobs == 0:
        raise ValueError("n_jobs must be a number of threads, -1 for all CPUs or None, got 0")
    if n_jobs is None:
        n_jobs = get_active_backend()[1] or 1
    cpus = cpu_count()
    n_threads = min(n_jobs, cpus) if n_jobs > 0 else max(1, min(_part_of_worker(), cpus) + 1 + n_jobs)
    return 1 if n_threads == 1 else min(n_threads, effective_n_jobs(n_threads))


def _part_of_worker():
    """CPUs that -1 stands for."""
    if multiprocessing.parent_process() is not None and os.environ.get("OMP_NUM_THREADS", "").isdecimal():
        return max(1, int(os.environ["OMP_NUM_THREADS"]))
    return 1 if _is_dask_task() else cpu_count()


def _is_dask_task():
    distributed = sys.modules.get("distributed")  # who runs a task has imported it
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True
