"""Series, or parts of them, spread over threads: the kernels release the interpreter's lock."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

PROMPT = 0.2  # seconds: tasks that take longer are halved, since an interrupt is seen between tasks only
TASKS_PER_THREAD = 4  # of what is left, at least
FIRST_CELLS = 2**18  # numbers in the first task, whose time nobody knows yet


def over_series(
    work: Callable[[np.ndarray], Any], lengths: np.ndarray, lanes: int, n_threads: int, groups_per_task: int = 0
) -> list[Any]:
    """Results of work(rows) on tasks of series of like length, longest first, in that order.

    The calling thread works too; it and its helpers take whole groups of `lanes` series until there are none: as many
    at a time as take a moment, so that an interrupt is seen soon, or `groups_per_task`, so that the tasks do not depend
    on the number of threads. Of several that fail the first one's exception is raised, whichever fails sooner.
    """
    tasks = _Tasks(np.argsort(-lengths, kind="stable"), lanes)
    n_threads = min(n_threads, tasks.n_groups)
    results: dict[int, Any] = {}
    failed: dict[int, Exception] = {}  # with all tasks before a failed one, which are under way or done

    def work_off() -> None:
        n_groups = groups_per_task or max(1, FIRST_CELLS // (lanes * max(1, int(lengths.max(initial=0)))))
        while True:
            first, rows = tasks.take(n_groups if groups_per_task else tasks.share(n_groups, n_threads))
            if not len(rows):
                return
            start = time.perf_counter()
            try:
                results[first] = work(rows)
            except BaseException as error:  # an interrupt too: leave the others nothing to go on with
                tasks.clear()
                if not isinstance(error, Exception):
                    raise
                failed[first] = error
            seconds = time.perf_counter() - start
            if not groups_per_task and not PROMPT / 4 <= seconds <= PROMPT:
                n_groups = 2 * n_groups if seconds < PROMPT / 4 else max(1, n_groups // 2)

    if n_threads <= 1:
        work_off()
    else:
        with ThreadPoolExecutor(n_threads - 1) as pool:
            helpers = [pool.submit(work_off) for _ in range(n_threads - 1)]
            try:
                work_off()
                for helper in helpers:
                    helper.result()
            finally:  # of an interrupt between two tasks
                tasks.clear()
    if failed:
        raise failed[min(failed)]
    return [results[first] for first in sorted(results)]


class _Tasks:
    """Rows, in whole groups, one after the other."""

    def __init__(self, rows: np.ndarray, lanes: int) -> None:
        self._rows, self._lanes, self._first, self._lock = rows, lanes, 0, threading.Lock()

    @property
    def n_groups(self) -> int:
        """Groups that are left."""
        return -(-(len(self._rows) - self._first) // self._lanes)

    def share(self, n_groups: int, n_threads: int) -> int:
        """So many groups, or fewer near the end, so that all threads end together."""
        return min(n_groups, max(1, self.n_groups // (TASKS_PER_THREAD * n_threads))) if n_threads > 1 else n_groups

    def take(self, n_groups: int) -> tuple[int, np.ndarray]:
        """Place of the first row, and rows of at most so many groups; none when all are taken."""
        with self._lock:
            first, self._first = self._first, min(self._first + n_groups * self._lanes, len(self._rows))
            return first, self._rows[first : self._first]

    def clear(self) -> None:
        """Throw away what is left."""
        with self._lock:
            self._first = len(self._rows)
