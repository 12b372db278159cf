"""Costs of several mixers at one length: peak memory apart, and times in rounds in which all of them take turns."""

import functools
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection

from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED, GRU, check, known, matrix_bytes, measure, prepared
from benchmarks.measure import available_memory, thread_limit
from benchmarks.study.apart import KILLED, TOO_LONG, answer, ask
from benchmarks.study.records import Record

MODULE = "benchmarks.hyena_vs_mha.turns"
PART_OF_MEMORY = 0.75  # that matrices of length by length may take
PART_OF_LIMIT = 0.3  # that all runs of a mixer in the rounds may take, except that there is at least one
SLOW = (FUSED, EXPLICIT, GRU)  # on long sequences; nothing is kept from run to run
BRIEF = 0.5  # seconds from which on a slow mixer has no run before the rounds
SECONDS_OF_START = 60.0
MEMORY, TIME, LEFT_OUT = "memory", "time", "left out"  # failures
OUT_OF_MEMORY = ("MemoryError", "can't allocate memory", "not enough memory")  # Python's and torch's words


def measure_apart(names: Sequence[str], length: int, task: str, batch: int, repeat: int, limit: float) -> list[Record]:
    """`measure_in_turns` in a Python process of its own.

    Parameters
    ----------
    names, length, task, batch, repeat, limit
        See `measure_in_turns`.

    Returns
    -------
    records : list of dict
        One for each name: "name", "n_parameters", "flops"; "seconds", a list with the time of each round, and
        "peak_bytes". Without a measurement "seconds" is empty, and "failure" is "memory" (the process ran out of it, or
        the matrices of explicit attention would take more than 3/4 of what is available, and nothing was run) or "time"
        (the first run took longer than `limit`).

    Raises
    ------
    ValueError
        If there is no such mixer or task, or a number is below 1.
    RuntimeError
        If a measurement failed otherwise; with what went wrong.
    """
    check(length, task, batch)
    if repeat < 1:
        raise ValueError(f"repeat must be at least 1, got {repeat}")
    records = [known(name, length, task, batch) for name in names]
    question = {"names": names, "length": length, "task": task, "batch": batch, "repeat": repeat, "limit": limit}
    found = ask(MODULE, question, SECONDS_OF_START + 3 * limit * (len(names) + 1))
    if "failure" in found:
        found = {name: {"seconds": [], "peak_bytes": None, "failure": found["failure"]} for name in names}
    for record in records:
        record |= found[record["name"]]
        if "failure" in record:
            record["failure"] = _kind(record, length, task)
    return records


def left_out(name: str, length: int, task: str, batch: int) -> Record:
    """Record of a mixer that is not measured at this length."""
    return known(name, length, task, batch) | {"seconds": [], "peak_bytes": None, "failure": LEFT_OUT}


def measure_in_turns(
    names: Sequence[str], length: int, task: str, batch: int, repeat: int, limit: float
) -> dict[str, Record]:
    """Times and peak memory of mixers at a length.

    A first run of each mixer, in a copy of this process of its own, gives its peak memory. Then all mixers are timed in
    rounds, A B C A B C ..., so that a slow moment of the machine affects all of them alike.

    Parameters
    ----------
    names : sequence of str
        See `benchmarks.hyena_vs_mha.cost.measure`.
    length, task, batch
        See `benchmarks.hyena_vs_mha.cost.measure`.
    repeat : int
        Rounds. A slow mixer takes part in fewer, the first ones: in as many as fit into three tenths of `limit`
        together with its first run, and in one at least.
    limit : float
        Seconds that the first run of a mixer may take.

    Returns
    -------
    found : dict
        By name "seconds", "peak_bytes" and, if there is one, "failure".
    """
    first = {name: _first(name, length, task, batch, limit) for name in names}
    n_rounds = {
        name: min(repeat, max(1, int(PART_OF_LIMIT * limit / found["first_seconds"]) - 1))
        for name, found in first.items()
        if "failure" not in found
    }
    brief = [name for name in n_rounds if first[name]["first_seconds"] < BRIEF or name not in SLOW]
    seconds = copied(functools.partial(_rounds, n_rounds, brief, length, task, batch), 3 * limit * (len(n_rounds) + 1))
    results = {}
    for name, found in first.items():
        failure = found.get("failure") or seconds.get("failure")
        results[name] = {"seconds": seconds.get(name, []), "peak_bytes": found.get("peak_bytes")}
        results[name] |= {"failure": failure} if failure else {}
    return results


def copied(function: Callable[[], Record], timeout: float) -> Record:
    """What a function returns in a copy of this process, or "failure": `TOO_LONG`, `KILLED`, or what went wrong."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(function, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(timeout) else {"failure": TOO_LONG}
    except EOFError:
        return {"failure": KILLED}
    finally:
        process.kill()
        process.join()
        ours.close()


def _send(function: Callable[[], Record], connection: Connection) -> None:
    try:
        connection.send(function())
    except Exception as error:
        connection.send({"failure": f"{type(error).__name__}: {error}"})


def _first(name: str, length: int, task: str, batch: int, limit: float) -> Record:
    if name == EXPLICIT and matrix_bytes(length, task, batch) > PART_OF_MEMORY * available_memory():
        return {"failure": OUT_OF_MEMORY[0]}
    return copied(functools.partial(measure, name, length, task, batch), limit)


def _rounds(
    n_rounds: Mapping[str, int], brief: Sequence[str], length: int, task: str, batch: int
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in n_rounds}
    with thread_limit(1):
        runs = {name: prepared(name, length, task, batch) for name in n_rounds}
        for name in brief:
            runs[name]()
        for k in range(max(n_rounds.values(), default=0)):
            for name, run in runs.items():
                if k < n_rounds[name]:
                    start = time.perf_counter()
                    run()
                    seconds[name].append(time.perf_counter() - start)
    return seconds


def _kind(record: Record, length: int, task: str) -> str:
    failure = record["failure"]
    if failure == TOO_LONG:
        return TIME
    if failure == KILLED or any(words in failure for words in OUT_OF_MEMORY):
        return MEMORY
    raise RuntimeError(f"the cost of {record['name']} at length {length}, {task}, could not be measured: {failure}")


if __name__ == "__main__":
    answer(measure_in_turns)
