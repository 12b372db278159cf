"""Number of threads for a value of `n_jobs`."""

import multiprocessing
import os
import sys
from numbers import Integral

from joblib import cpu_count, effective_n_jobs
from joblib.parallel import get_active_backend

from sigfeat._validation import Interval

MOST_CPUS = 8192  # that Linux supports; joblib has no limit of its own
N_JOBS = [Interval(Integral, 1, MOST_CPUS, closed="both"), Interval(Integral, -MOST_CPUS, -1, closed="both"), None]


def granted_threads(n_jobs: int | None) -> int:
    """Number of threads for a value of `n_jobs`, in joblib's convention.

    A positive number is limited to the CPUs of this process. A negative number counts back from all CPUs: -1 means all
    of them. In a worker process of joblib or a task of dask it counts back from the CPUs of that worker, as in
    scikit-learn's own loops. joblib and dask pass this number in OMP_NUM_THREADS, and
    ``joblib.parallel_config(inner_max_num_threads=...)`` changes it.

    Parameters
    ----------
    n_jobs : int or None
        Not 0. None means 1, unless it is called inside a `joblib.parallel_config`.

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


def _part_of_worker() -> int:
    """Number of CPUs that -1 means."""
    if multiprocessing.parent_process() is not None and os.environ.get("OMP_NUM_THREADS", "").isdecimal():
        return max(1, int(os.environ["OMP_NUM_THREADS"]))
    return 1 if _is_dask_task() else cpu_count()


def _is_dask_task() -> bool:
    distributed = sys.modules.get("distributed")  # it is imported wherever a task runs
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True
