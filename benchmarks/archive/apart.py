"""A cell, measured in a process of its own: accuracy, time and memory."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.archive.cells import Cell
from benchmarks.archive.pipelines import inputs, make, n_features, probabilities
from benchmarks.archive.sets import load
from benchmarks.measure import new_peak, peak, thread_limit
from benchmarks.study.apart import TOO_LONG, answer, ask
from benchmarks.study.records import Record

MODULE = "benchmarks.archive.apart"
LEAST_PROBABILITY = 1e-3  # in the log loss, so that a single probability of 0 does not decide it
CLASSES_TO_WARM, SERIES_TO_WARM = 3, 4  # and series of each of these classes


def measure(data_set: str, folder: str | None, pipeline: str, seed: int, jobs: int) -> Record:
    """Accuracy, time and memory of a classifier in this process.

    Parameters
    ----------
    data_set, folder
        See `benchmarks.archive.load`.
    pipeline : str
        Full name; see `benchmarks.archive.pipelines`.
    seed : int
        The classifier's random state.
    jobs : int
        Threads: of BLAS, OpenMP and torch, and the classifier's ``n_jobs``. The process must have been started with as
        many for numba.

    Returns
    -------
    record : dict
        "accuracy", "log_loss" and "brier" on the test part, the last two None for a classifier without probabilities
        and margins; "fit_seconds", "predict_seconds" by the wall clock,
        "fit_cpu_seconds", "predict_cpu_seconds" of the processor; "peak_bytes"; "n_features" or None; and what the
        data set is like.

    Notes
    -----
    Before, another such classifier is fitted to up to 4 series of each of up to 3 classes of the same data set and
    predicts some: what numba compiles and libraries load is not timed. Where it refuses so few series, it is fitted to
    all of them. Padding for aeon's classifiers is not timed either.

    "peak_bytes" is how far the resident memory of the process rose in fit and predict above its level when the data and
    all that was just loaded were there. On Linux the high-water mark of the process is set back before; elsewhere it
    stands where it was, and a rise below it is not seen. Memory of processes that the classifier starts is not in it.
    """
    X, y, X_test, y_test = load(data_set, None if folder is None else Path(folder))
    about = {
        "n_train": len(X),
        "n_test": len(X_test),
        "n_channels": X.shape[1],
        "n_timepoints": max(X.shape[2], X_test.shape[2]),
        "n_classes": len(np.unique(y)),
        "missing_values": bool(np.isnan(X).any() or np.isnan(X_test).any()),
    }
    X, X_test = inputs(pipeline, X, X_test)
    model = make(pipeline, seed, jobs)  # loads torch, if it needs it, before threads are set
    with thread_limit(jobs):
        _warm(pipeline, jobs, X, y, X_test)
        level = new_peak()
        _, fit = _timed(lambda: model.fit(X, y))
        predicted, predict = _timed(lambda: model.predict(X_test))
        peak_bytes = peak() - level
        log_loss, brier = scores(probabilities(model, X_test), np.unique(y), y_test)
    return {
        "accuracy": float(np.mean(predicted == y_test)),
        "log_loss": log_loss,
        "brier": brier,
        "fit_seconds": fit[0],
        "predict_seconds": predict[0],
        "fit_cpu_seconds": fit[1],
        "predict_cpu_seconds": predict[1],
        "peak_bytes": peak_bytes,
        "n_features": n_features(model),
        **about,
    }


def measure_apart(cell: Cell, folder: Path | None, limit: float) -> Record:
    """`measure` in a Python process of its own, with all its threads set to those of the cell.

    Parameters
    ----------
    cell : Cell
        What to measure.
    folder : Path or None
        Of the data.
    limit : float
        Seconds that the process may take in all, its start included.

    Returns
    -------
    record : dict
        See `measure`; or "failure", one line of what went wrong, and "limit" if that was the time.
    """
    asked = {
        "data_set": cell.data_set,
        "folder": None if folder is None else str(folder.resolve()),
        "pipeline": cell.pipeline,
        "seed": cell.seed,
        "jobs": cell.jobs,
    }
    found = ask(MODULE, asked, limit, cell.jobs)
    return {"failure": f"took longer than {limit:g} s", "limit": limit} if found.get("failure") == TOO_LONG else found


def _warm(pipeline, jobs, X, y, X_test):
    few = few_series(y)

    def run(rows):
        make(pipeline, 0, jobs).fit(X[rows], y[rows]).predict(X_test[: len(few)])

    try:
        run(few)
    except Exception:  # so few are refused in many ways; faults of all series are raised below
        run(np.arange(len(y)))


def scores(probabilities: np.ndarray | None, classes: np.ndarray, y: np.ndarray) -> tuple[float | None, float | None]:
    """Log loss, with probabilities of at least `LEAST_PROBABILITY`, and Brier score summed over the classes."""
    if probabilities is None:
        return None, None
    own = y[:, np.newaxis] == classes
    loss = -np.log(np.maximum((probabilities * own).sum(axis=1), LEAST_PROBABILITY)).mean()
    return float(loss), float(np.square(probabilities - own).sum(axis=1).mean())


def few_series(y: np.ndarray) -> np.ndarray:
    """Places of the first series of the first classes."""
    classes = np.unique(y)[:CLASSES_TO_WARM]
    return np.sort(np.concatenate([np.flatnonzero(y == one)[:SERIES_TO_WARM] for one in classes]))


def _timed(run) -> tuple[Any, tuple[float, float]]:
    """What it returns, and seconds by the wall clock and of the processor."""
    start, cpu_start = time.perf_counter(), time.process_time()
    returned = run()
    return returned, (time.perf_counter() - start, time.process_time() - cpu_start)


if __name__ == "__main__":
    answer(measure)
