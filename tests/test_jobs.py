"""How many threads `n_jobs` means: all estimators, and what they find in workers."""

import os
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from sigfeat import IntervalNetworkClassifier
from sigfeat.transformers._contract.jobs import granted_threads
from tests.panels import padded, ragged
from tests.test_contract import FEATURES, each, target

THREADED = [transformer for transformer in FEATURES if "n_jobs" in transformer.get_params()]


@each(THREADED)
def test_more_threads_than_cpus_are_no_more_than_cpus(transformer):
    X = padded(ragged())
    expected, many = clone(transformer), clone(transformer).set_params(n_jobs=8192)
    expected, found = (fitted.fit(X, target(fitted, X)).transform(X) for fitted in (expected, many))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@each(THREADED)
def test_no_threads_are_refused_in_one_sentence(transformer):
    X = padded(ragged())
    with pytest.raises(ValueError, match=r"^The 'n_jobs' parameter of \w+ must be an int .* or None. Got 0 instead.$"):
        clone(transformer).set_params(n_jobs=0).fit(X, target(transformer, X))


def test_a_network_takes_no_more_threads_than_cpus():
    X, y = padded(ragged()), np.arange(len(ragged())) % 2
    network = IntervalNetworkClassifier(max_epochs=1, d_model=2, n_filters=1, n_jobs=8192).fit(X, y)
    assert network.predict(X).shape == y.shape
    with pytest.raises(ValueError, match="'n_jobs' parameter of IntervalNetworkClassifier must be"):
        network.set_params(n_jobs=0).fit(X, y)


def test_threads_in_joblibs_convention():
    cpus = joblib.cpu_count()
    expected = {None: 1, 1: 1, -1: cpus, -2: max(1, cpus - 1), -1000: 1, cpus + 1: cpus, 10**8: cpus}
    assert {n_jobs: granted_threads(n_jobs) for n_jobs in expected} == expected
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert granted_threads(None) == min(2, cpus)
    with joblib.parallel_config(backend="sequential"):
        assert granted_threads(2) == 1
    with pytest.raises(ValueError, match="n_jobs must be a number of threads, -1 for all CPUs or None, got 0"):
        granted_threads(0)


def test_a_worker_of_joblib_keeps_to_its_part_as_scikit_learn_does():
    program = """
        import joblib
        import torch
        from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
        from sigfeat import MHAEmbedder
        from sigfeat.transformers._contract.jobs import granted_threads
        from tests.panels import padded, ragged

        def look():
            embedder = MHAEmbedder(fit_mode="random", d_model=4, n_layers=1, n_jobs=-1).fit(padded(ragged()))
            with embedder._computing():
                return granted_threads(-1), torch.get_num_threads(), _openmp_effective_n_threads(), granted_threads(2)

        if __name__ == "__main__":
            for inner in (None, 2):
                with joblib.parallel_config(backend="loky", inner_max_num_threads=inner):
                    print(*joblib.Parallel(2)(joblib.delayed(look)() for _ in range(2))[0])
    """
    settings = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-c", "import sys; exec(sys.stdin.read())"]
    run = subprocess.run(
        command, input=textwrap.dedent(program), env=settings, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    cpus = joblib.cpu_count()
    for part, line in zip((max(1, cpus // 2), min(2, cpus)), run.stdout.splitlines(), strict=True):
        granted, of_torch, of_sklearn, explicit = (int(number) for number in line.split())
        assert (granted, of_torch, explicit) == (part, part, min(2, cpus))
        assert granted == min(of_sklearn, cpus)


def test_a_task_of_dask_keeps_to_one_thread():
    distributed = pytest.importorskip("distributed")
    quiet = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**quiet) as cluster, distributed.Client(cluster) as client:
        assert client.submit(granted_threads, -1, pure=False).result() == 1
        with joblib.parallel_config(backend="dask"):
            found = joblib.Parallel()(joblib.delayed(granted_threads)(n_jobs) for n_jobs in (None, -1))
            assert granted_threads(2) == min(2, joblib.cpu_count())
    assert found == [1, 1]
