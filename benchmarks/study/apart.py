"""Measurements in a process of their own, so that nothing else was in its memory before."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.study.records import Record

ROOT = Path(__file__).parents[2]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
TOO_LONG, KILLED = "the process took too long", "the process was killed, perhaps for want of memory"
LONGEST_FAILURE = 300  # letters


def ask(module: str, question: Mapping[str, Any], timeout: float, n_threads: int = 1) -> Record:
    """Answer of a module that calls `answer` when it is run.

    Parameters
    ----------
    module : str
        Full name.
    question : mapping
        Arguments of the module's function, as JSON holds them.
    timeout : float
        Seconds that the process may take in all, its start included.
    n_threads : int, default=1
        Threads with which BLAS, OpenMP and numba start.

    Returns
    -------
    record : dict
        What the function returned; or "failure", one line: `TOO_LONG`, `KILLED`, or what went wrong.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", module],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=ROOT,
            env=os.environ | dict.fromkeys(THREADS, str(n_threads)),
        )
    except subprocess.TimeoutExpired:
        return {"failure": TOO_LONG}
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])  # what libraries print comes before
    if done.returncode == -signal.SIGKILL:
        return {"failure": KILLED}
    return {"failure": one_line((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])}


def answer(measure: Callable[..., Record]) -> None:
    """Call a function with the arguments on stdin, and write its record, or its failure, as the last line of stdout."""
    with contextlib.suppress(OSError):  # where memory runs out, the system shall kill this process and no other
        Path("/proc/self/oom_score_adj").write_text("1000")
    warnings.simplefilter("ignore")
    try:
        record = measure(**json.load(sys.stdin))
    except Exception as error:  # of whatever kind a classifier raises
        record = {"failure": one_line(f"{type(error).__name__}: {error}")}
    print(f"\n{json.dumps(record)}")


def one_line(text: str) -> str:
    """Text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_FAILURE else f"{line[: LONGEST_FAILURE - 3]}..."
