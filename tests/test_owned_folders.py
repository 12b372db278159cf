"""Folders of features belong to one estimator, whatever its first features are and whoever else writes."""

import json
import os
import threading

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sigfeat import ISSTransformer, LeadLag, LowRankISSTransformer

dask = pytest.importorskip("dask")

from sigfeat.adapters._fingerprints import fingerprint  # noqa: E402
from sigfeat.adapters.dask import read_features, transform_files  # noqa: E402

SMALL = {"pooling": "end", "windows": "whole"}


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).standard_normal((24, 3, 9))


@pytest.fixture(scope="module")
def estimator(X):
    return ISSTransformer(**SMALL).fit(X)


# ---------------------------------------------------------------------------------------------- estimators


def beside(estimator):
    """Union with features that are large, next to which rounding is negligible."""
    return make_union(estimator, LowRankISSTransformer(n_functionals=4))


def union(decay):
    return beside(ISSTransformer(**SMALL, decay=decay))


def steps(decay):
    return make_pipeline(LeadLag(), union(decay))


def function(transform):
    return beside(make_pipeline(ISSTransformer(**SMALL), FunctionTransformer(transform)))


ALIKE = {  # pairs with the same features of the first series, which is 0
    "quantile": [ISSTransformer(pooling="ppv", quantile=quantile) for quantile in (0.5, 0.501)],
    "decay": [union(0.1), union(5.0)],
    "a step": [steps(0.1), steps(5.0)],
    "a function": [function(lambda X: X * 2), function(lambda X: X * 3)],
}


def flat(X):
    """Series of which the first is 0, as is the mean, up to rounding."""
    return np.concatenate([np.zeros_like(X[:1]), X, -X])


@pytest.mark.parametrize("name", ALIKE)
def test_estimators_that_agree_on_the_first_series(name, X, tmp_path):
    first, second = (clone(estimator).fit(flat(X)) for estimator in ALIKE[name])
    np.save(tmp_path / "a.npy", flat(X))
    transform_files(first, tmp_path / "a.npy", tmp_path / "out")
    assert fingerprint(first) != fingerprint(second)
    with pytest.raises(FileExistsError, match="out holds features of another estimator"):
        transform_files(second, tmp_path / "a.npy", tmp_path / "out")


@pytest.mark.parametrize("other", [{}, {"copy": False}])
def test_fitted_arrays_and_classes_distinguish_estimators(other, X, estimator, tmp_path):
    class Derived(ISSTransformer):
        pass

    one = make_pipeline(estimator, StandardScaler().fit(estimator.transform(X)))
    two = make_pipeline(estimator, StandardScaler(**other).fit(estimator.transform(X + 1)))
    prints = {fingerprint(each) for each in (estimator, Derived(**SMALL).fit(X), one, two)}
    assert len(prints) == 4


def embedder(**parameters):
    torch = pytest.importorskip("torch")
    assert torch
    from sigfeat import MHAEmbedder

    return MHAEmbedder(n_heads=2, d_model=4, n_layers=1, d_ff=5, max_epochs=1, batch_size=4, **parameters)


MAKERS = {"union": union, "network": lambda _: embedder(), "steps": steps}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_equal_estimators_have_one_fingerprint(make, X):
    fitted = make(0.1).fit(X)
    before = fingerprint(fitted)
    fitted.transform(X)
    assert fingerprint(fitted) == before
    assert fingerprint(make(0.1).fit(X)) == before


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_stored_estimator_has_the_same_fingerprint_in_another_process(make, X, tmp_path):
    import subprocess
    import sys

    fitted = make(0.1).fit(X)
    joblib.dump(fitted, tmp_path / "estimator")
    program = "import joblib, sys; from sigfeat.adapters._fingerprints import fingerprint;"
    program += "print(fingerprint(joblib.load(sys.argv[1])))"
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "estimator")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == fingerprint(fitted)


def test_callbacks_threads_and_messages_do_not_matter(X):
    pytest.importorskip("skorch")
    from skorch.callbacks import LRScheduler

    plain = embedder().fit(X)
    other = embedder(callbacks=[LRScheduler("StepLR", step_size=1000)], verbose=0, n_jobs=1).fit(X)
    assert fingerprint(other.set_params(device="cuda")) == fingerprint(plain)
    assert fingerprint(embedder(lr=0.5).fit(X)) != fingerprint(plain)
    weights = next(other.encoder_.parameters())
    weights.data[0] += 1
    assert fingerprint(other) != fingerprint(plain)


def test_generators_do_not_matter_after_fit(X):
    state = np.random.RandomState(0)  # noqa: NPY002
    fitted = LowRankISSTransformer(n_functionals=4, random_state=state).fit(X)
    before = fingerprint(fitted)
    state.standard_normal()
    assert fingerprint(fitted) == before


@pytest.mark.parametrize("attempt", range(5))
def test_of_two_estimators_one_wins(attempt, X, tmp_path):
    np.save(tmp_path / "a.npy", flat(X))
    fitted = [union(decay).fit(flat(X)) for decay in (0.1, 5.0)]
    barrier, results = threading.Barrier(2), {}

    def race(i):
        barrier.wait()
        try:
            with dask.config.set(scheduler="synchronous"):
                results[i] = transform_files(fitted[i], tmp_path / "a.npy", tmp_path / "out", part_size=1)
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=race, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    lost = [i for i in range(2) if isinstance(results[i], Exception)]
    assert len(lost) == 1
    assert isinstance(results[lost[0]], FileExistsError)
    assert "holds features of another estimator" in str(results[lost[0]])
    with dask.config.set(scheduler="synchronous"):
        np.testing.assert_array_equal(read_features(tmp_path / "out"), fitted[1 - lost[0]].transform(flat(X)))


@pytest.mark.parametrize("has_links", [True, False])
def test_a_list_that_appears_meanwhile_is_not_replaced(has_links, X, estimator, tmp_path, monkeypatch):
    from sigfeat.adapters import _listings

    np.save(tmp_path / "a.npy", X)
    written, make = [], os.link

    def late(source, target):
        if not written:
            listing = json.loads(source.read_text())
            written.append(json.dumps(listing | {"estimator": "x"}))
            target.write_text(written[0])
        if not has_links:
            raise PermissionError("no links")
        make(source, target)

    monkeypatch.setattr(_listings.os, "link", late)
    with pytest.raises(FileExistsError, match="out holds features of another estimator"):
        transform_files(estimator, tmp_path / "a.npy", tmp_path / "out")
    assert (tmp_path / "out/parts.json").read_text() == written[0]
    assert os.listdir(tmp_path / "out") == ["parts.json"]
