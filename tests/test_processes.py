"""Threads, processes of every kind, killed workers, interrupts, and memory over many fits."""

import concurrent.futures
import os
import signal
import subprocess
import sys
import textwrap
import time

import joblib
import numpy as np
import pytest
import torch
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sigfeat import (
    HyenaEmbeddingTransformer,
    IntervalISSTransformer,
    IntervalQuantileTransformer,
    ISSTransformer,
    LowRankISSTransformer,
    MHAEmbedder,
    PathDevelopmentTransformer,
)

SMALL = {"d_model": 4, "n_layers": 1, "d_ff": 5, "max_epochs": 1, "batch_size": 4}
TRANSFORMERS = [
    ISSTransformer(n_jobs=2),
    ISSTransformer(words="length", depth=3, pooling="end", windows="whole"),
    LowRankISSTransformer(n_functionals=20, n_jobs=2),
    IntervalISSTransformer(n_filters=2),
    IntervalQuantileTransformer(depth=2, n_jobs=2),
    PathDevelopmentTransformer(dim=3, n_developments=2, n_jobs=2),
    HyenaEmbeddingTransformer(MHAEmbedder(n_heads=2, **SMALL), max_epochs=1, n_jobs=2),
]
every_transformer = pytest.mark.parametrize(
    "transformer", [pytest.param(t, id=" ".join(str(t).split())) for t in TRANSFORMERS]
)


def panel(n_samples=60, n_timepoints=40, seed=0):
    return np.random.default_rng(seed).standard_normal((n_samples, 3, n_timepoints))


def run(program, *arguments, timeout=120):
    """A program in a process of its own; what it prints."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert result.returncode == 0, result.stderr
    return result.stdout


# --------------------------------------------------------------------------------------------------- threads


@every_transformer
def test_threads_may_share_a_fitted_estimator_while_others_fit(transformer):
    fitted = clone(transformer).fit(panel())
    panels = [panel(seed=seed) for seed in range(6)]
    expected = [fitted.transform(X) for X in panels]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        fits = [pool.submit(lambda X: clone(transformer).fit(X).transform(X), X) for X in panels[:2]]
        found = list(pool.map(fitted.transform, panels * 2))
        again = [future.result() for future in fits]
    for values, own in zip(found, expected * 2, strict=True):
        np.testing.assert_array_equal(values, own)
    for values, X in zip(again, panels, strict=False):
        np.testing.assert_array_equal(values, clone(transformer).fit(X).transform(X))


def test_a_new_thread_fits_as_the_first_whatever_torch_was_told():
    """The first use of torch in a thread takes what `set_num_threads` said, and with it another rounding."""
    transformer, X, before = TRANSFORMERS[-1], panel(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            found = pool.submit(lambda: clone(transformer).fit(X).transform(X)).result()
        np.testing.assert_array_equal(found, clone(transformer).fit(X).transform(X))
    finally:
        torch.set_num_threads(before)


# ------------------------------------------------------------------------------------------------- processes


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn", "loky"])
def test_children_transform_what_was_fitted_in_the_parent(method):
    program = """
        import multiprocessing, sys
        import joblib
        import numpy as np
        from tests.test_processes import TRANSFORMERS, panel

        if __name__ == "__main__":
            X = panel()
            fitted = [transformer.fit(X) for transformer in TRANSFORMERS]
            expected = [transformer.transform(X) for transformer in fitted]
            if sys.argv[1] == "loky":
                found = joblib.Parallel(2, backend="loky")(joblib.delayed(t.transform)(X) for t in fitted)
            else:
                with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
                    found = [pool.apply_async(t.transform, (X,)) for t in fitted]
                    found = [result.get(timeout=90) for result in found]
            for values, own in zip(found, expected, strict=True):
                np.testing.assert_array_equal(values, own)
            print("equal")
    """
    assert run(program, method).strip() == "equal"


class Deadly(ClassifierMixin, BaseEstimator):
    """Kills its process when asked to, as long as there is the file."""

    def __init__(self, deadly=False, file=None):
        self.deadly = deadly
        self.file = file

    def fit(self, X, y):
        if self.deadly and os.path.exists(self.file):
            time.sleep(1.0)  # for the others to end
            os.kill(os.getpid(), signal.SIGKILL)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


class Counting(TransformerMixin, BaseEstimator):
    """Iterated sums that leave a line in a file for each fit."""

    def __init__(self, depth=2, counts=None):
        self.depth = depth
        self.counts = counts

    def fit(self, X, y=None):
        with open(self.counts, "a") as file:
            file.write("fit\n")
        self.transformer_ = ISSTransformer(depth=self.depth).fit(X)
        return self

    def transform(self, X):
        return self.transformer_.transform(X)


@pytest.mark.filterwarnings("ignore")
def test_a_killed_worker_is_told_and_what_was_finished_is_kept(tmp_path):
    counts, file = tmp_path / "counts", tmp_path / "deadly"
    file.touch()
    X, y = panel(24), np.arange(24) % 2
    steps = Counting(counts=str(counts)), Deadly(file=str(file))
    pipeline = make_pipeline(*steps, memory=joblib.Memory(tmp_path / "cache", verbose=0))
    grid = {"counting__depth": [1, 2, 3], "deadly__deadly": [False, True]}
    search = GridSearchCV(pipeline, grid, cv=2, refit=False, n_jobs=2)
    with pytest.raises(TerminatedWorkerError):
        search.fit(X, y)
    finished = len(counts.read_text().split())
    assert finished >= 2
    file.unlink()
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    in_all = len(counts.read_text().split())
    assert in_all - finished <= 2 * 6 - 1  # of six different fits, by two workers, none that was finished
    search.fit(X, y)
    assert len(counts.read_text().split()) == in_all
    get_reusable_executor().shutdown(wait=True)


# ------------------------------------------------------------------------------------------------ interrupts

LONG = {  # an estimator, and what would run for minutes
    "words": ("ISSTransformer(words='weight', depth=4)", "transform(many)"),
    "low rank, threads": ("LowRankISSTransformer(depth=3, n_jobs=2)", "transform(many)"),
    "quantiles": ("IntervalQuantileTransformer(words='weight', depth=4)", "transform(many)"),
    "developments": ("PathDevelopmentTransformer(dim=10, windows='whole')", "transform(many)"),
    "training functionals": (
        "LowRankISSTransformer(fit_mode='supervised', max_epochs=999)",
        "fit(X, y)",
    ),
    "distillation": ("HyenaEmbeddingTransformer(MHAEmbedder(fit_mode='random'), max_epochs=5000)", "fit(X)"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_an_interrupt_ends_it_soon(name):
    estimator, call = LONG[name]
    program = f"""
        import numpy as np
        from sklearn.exceptions import NotFittedError
        from sigfeat import *
        X = np.random.default_rng(0).standard_normal((200, 3, 300))
        y, many = np.arange(200) % 2, np.tile(X, (10, 1, 100))
        estimator = {estimator}
        {"estimator.fit(X[:9])" if "transform" in call else ""}
        print("ready", flush=True)
        try:
            estimator.{call}
        except KeyboardInterrupt:
            try:
                estimator.transform(X[:2])
                print("fitted")
            except NotFittedError:
                print("not fitted")
            raise
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(2.0)  # in the loops by then, or in the compiler
        assert process.poll() is None, process.stderr.read()
        start = time.perf_counter()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        seconds = time.perf_counter() - start
    assert errors.rstrip().endswith("KeyboardInterrupt"), errors
    assert output == ("fitted\n" if "transform" in call else "not fitted\n")
    assert seconds < 60  # a hang; some tenths of a second are usual, more where loops have to be compiled


# ------------------------------------------------------------------------------------------------------- memory

FITS = {
    "ISSTransformer()": 400,
    "LowRankISSTransformer(n_functionals=20)": 400,
    "IntervalISSTransformer(n_filters=2, n_jobs=2)": 400,
    "IntervalQuantileTransformer(depth=2, n_jobs=2)": 400,
    "PathDevelopmentTransformer(dim=3, n_developments=2)": 400,
    "make_pipeline(AddTime(), LeadLag(), StandardizeChannels(), FillMissing())": 400,
    "MHAEmbedder(n_heads=2, d_model=4, n_layers=1, d_ff=5, max_epochs=1, batch_size=4)": 24,
}


@pytest.mark.slow
@pytest.mark.parametrize("transformer", FITS)
def test_many_fits_leave_no_memory_behind(transformer):
    psutil = pytest.importorskip("psutil")
    assert psutil
    program = f"""
        import gc
        import numpy as np
        import psutil
        from sklearn.pipeline import make_pipeline
        from sigfeat import *
        X, process = np.random.default_rng(0).standard_normal((40, 3, 60)), psutil.Process()
        for i in range({FITS[transformer]} * 5 // 4):
            if i == {FITS[transformer]} // 4:
                gc.collect()
                before = process.memory_info().rss
            {transformer}.fit(X).transform(X)
        gc.collect()
        print((process.memory_info().rss - before) / 2**20)
    """
    grown = float(run(program, timeout=280))
    assert (
        grown < 8
    )  # MiB; one fit keeps at least a third of one if it keeps its features, 400 fits more than a hundred
