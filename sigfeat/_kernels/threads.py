"""Series, or parts of them, spread over threads: the kernels release the interpreter's lock."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

TASKS_PER_THREAD = 4


def over_series(
    work: Callable[[np.ndarray], Any], lengths: np.ndarray, lanes: int, n_threads: int, groups_per_task: int = 0
) -> list[Any]:
    """Results of work(rows) on tasks of series of like length, longest first.

    The calling thread works too; it and its helpers take tasks from one queue until it is empty. The tasks do not
    depend on the number of threads if their size, in groups of `lanes` series, is given. Of several that fail the first
    one's exception is raised, whichever fails sooner.
    """
    rows = np.argsort(-lengths, kind="stable")
    n_groups = -(-len(rows) // lanes)
    n_threads = min(n_threads, n_groups)
    if n_threads <= 1 and not groups_per_task:
        return [work(rows)]
    per_task = lanes * (groups_per_task or max(1, n_groups // (TASKS_PER_THREAD * n_threads)))
    tasks = deque(enumerate(rows[i : i + per_task] for i in range(0, len(rows), per_task)))
    results: list[Any] = [None] * len(tasks)
    failed: dict[int, Exception] = {}  # with all tasks before a failed one, which are under way or done

    def work_off() -> None:
        while True:
            try:
                place, task = tasks.popleft()
            except IndexError:
                return
            try:
                results[place] = work(task)
            except BaseException as error:  # an interrupt too: leave the others nothing to go on with
                tasks.clear()
                if not isinstance(error, Exception):
                    raise
                failed[place] = error

    if n_threads <= 1:
        work_off()
    else:
        with ThreadPoolExecutor(n_threads - 1) as pool:
            helpers = [pool.submit(work_off) for _ in range(n_threads - 1)]
            work_off()
            for helper in helpers:
                helper.result()
    if failed:
        raise failed[min(failed)]
    return results
