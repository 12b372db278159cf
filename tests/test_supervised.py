"""Supervised training of developments: targets, stopping, callbacks, and what it must not touch."""

import os
import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from threadpoolctl import threadpool_info

from sigfeat import PathDevelopmentTransformer
from tests.panels import padded, ragged

SMALL = {"dim": 2, "n_developments": 1, "windows": "whole"}
QUICK = {**SMALL, "fit_mode": "supervised", "max_epochs": 2, "batch_size": 8}


def classes(n=12):
    return np.arange(n) % 2


def panel(n=12, n_channels=2, length=15, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_channels, length)).cumsum(axis=2)


class EpochCounter(Callback):
    n_epochs = 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs += 1


class Interrupt(Callback):
    """What the user's Ctrl-C does in the second epoch."""

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


class ThreadLog(Callback):
    """Writes how many threads the libraries may use, a file for each process."""

    def __init__(self, folder):
        self.folder = folder

    def on_epoch_end(self, net, **kwargs):
        numbers = [torch.get_num_threads(), *(library["num_threads"] for library in threadpool_info())]
        (self.folder / str(os.getpid())).write_text(str(max(numbers)))


TARGETS = {
    "classes as text": np.array(["up", "down"] * 6),
    "three classes": np.arange(12) % 3,
    "booleans": np.arange(12) % 2 == 0,
    "numbers": np.linspace(-1.0, 2.5, 12),
    "numbers as a column": np.linspace(-1.0, 2.5, 12)[:, np.newaxis],
    "two numbers": np.random.default_rng(0).normal(size=(12, 2)),
}


@pytest.mark.parametrize("case", TARGETS)
def test_training_moves_the_elements_in_their_algebra(case):
    X, y = panel(), TARGETS[case]
    trained = PathDevelopmentTransformer(**QUICK).fit(X, y)
    start = PathDevelopmentTransformer(**SMALL).fit(X)
    assert not np.allclose(trained.algebra_, start.algebra_)
    np.testing.assert_allclose(trained.algebra_, -trained.algebra_.swapaxes(-1, -2), rtol=0, atol=1e-15)
    assert trained.get_feature_names_out().tolist() == start.get_feature_names_out().tolist()
    features = trained.transform(X)
    again = PathDevelopmentTransformer(**QUICK).fit(X, y).transform(X)
    np.testing.assert_array_equal(again, features)
    np.testing.assert_array_equal(clone(trained).fit(X, y).transform(X), features)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(trained)).transform(X), features)


def test_task_decides_what_whole_numbers_are():
    X, y = panel(), np.arange(12) % 3
    auto, classification, regression, numbers = (
        PathDevelopmentTransformer(**QUICK, task=task).fit(X, target).algebra_
        for task, target in (("auto", y), ("classification", y), ("regression", y), ("auto", y + 0.5))
    )
    np.testing.assert_array_equal(auto, classification)
    assert not np.array_equal(auto, regression)
    np.testing.assert_allclose(regression, numbers, rtol=1e-9)


@pytest.mark.parametrize(
    "parameters",
    [
        {"group": "SU"},
        {"group": "SE", "dim": 3, "windows": ("dyadic", 1), "pooling": ("end", "mean", "max", "min")},
        {"pooling": "ppv"},
        {"pooling": ("argmax", "mean")},
        {"pooling": "end"},
        {"dtype": "float32"},
    ],
    ids=str,
)
def test_series_of_unequal_length_and_any_pooling_can_be_trained(parameters):
    X, y = padded(ragged(lengths=(9, 14, 12, 5) * 3)), classes()
    trained = PathDevelopmentTransformer(**{**QUICK, **parameters}).fit(X, y)
    start = PathDevelopmentTransformer(**{**SMALL, **parameters}).fit(X)
    assert not np.allclose(trained.algebra_, start.algebra_)
    features = trained.transform(X)
    assert np.isfinite(features).all()
    wider = np.concatenate([X, np.full_like(X, np.nan)], axis=2)
    padded_more = PathDevelopmentTransformer(**{**QUICK, **parameters}).fit(wider, y).transform(X)
    tolerance = 1e-3 if "dtype" in parameters else 1e-9
    if "ppv" not in str(parameters) and "argmax" not in str(parameters):
        np.testing.assert_allclose(padded_more, features, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("batch_size", "max_epochs"), [(32, 1), (32, 10), (3, 1)])
def test_any_number_of_training_steps(batch_size, max_epochs):
    change = {"batch_size": batch_size, "max_epochs": max_epochs}
    trained = PathDevelopmentTransformer(**{**QUICK, **change}).fit(panel(), classes())
    assert np.isfinite(trained.algebra_).all()


@pytest.mark.parametrize("n_samples", [9, 17])
def test_a_last_batch_of_one_series_is_no_hindrance(n_samples):
    X = panel(n_samples)
    trained = PathDevelopmentTransformer(**QUICK).fit(X, classes(n_samples))
    assert np.isfinite(trained.transform(X)).all()


def test_early_stopping():
    X, y = panel(40), np.random.default_rng(3).permutation(classes(40))  # nothing to learn
    parameters = {**QUICK, "max_epochs": 60, "lr": 0.3, "validation_fraction": 0.3, "patience": 2}
    counter = EpochCounter()
    early = PathDevelopmentTransformer(**parameters, callbacks=[counter]).fit(X, y)
    assert 2 < counter.n_epochs < 60
    assert set(early.history_) == {"train_loss", "valid_loss"}
    for losses in early.history_.values():
        assert losses.shape == (counter.n_epochs,)
        assert np.isfinite(losses).all()
    assert np.isfinite(early.transform(X)).all()
    np.testing.assert_array_equal(PathDevelopmentTransformer(**parameters).fit(X, y).algebra_, early.algebra_)


def test_callbacks_are_called():
    counter = EpochCounter()
    PathDevelopmentTransformer(**{**QUICK, "max_epochs": 3}, callbacks=[counter]).fit(panel(), classes())
    assert counter.n_epochs == 3


def test_an_interrupt_leaves_nothing_fitted():
    X, y = panel(), classes()
    transformer = PathDevelopmentTransformer(**QUICK).fit(X, y)
    with pytest.raises(KeyboardInterrupt):
        transformer.set_params(callbacks=[Interrupt()]).fit(X, y)
    with pytest.raises(NotFittedError):
        transformer.transform(X)


@pytest.mark.parametrize("fit_mode", ["random", "supervised"])
def test_global_state_is_left_alone(fit_mode):
    def state():
        numbers = np.random.get_state()[1].tolist()  # noqa: NPY002  # the global generator
        return torch.random.get_rng_state().tolist() == torch_state, numbers, torch.get_num_threads()

    torch_state = torch.random.get_rng_state().tolist()

    before = state()
    PathDevelopmentTransformer(**(QUICK if fit_mode == "supervised" else SMALL), n_jobs=2).fit(
        panel(), classes()
    ).transform(panel())
    assert state() == before


def circles(n, rng):
    """Noise in six channels; in two of them also a circle, from anywhere on it, one way or the other."""
    y = classes(n)
    angle = rng.uniform(0, 2 * np.pi, size=(n, 1)) + (2 * y[:, np.newaxis] - 1) * np.linspace(0, 2 * np.pi, 30)
    X = 0.15 * rng.normal(size=(n, 6, 30)).cumsum(axis=2)
    X[:, 0] += np.cos(angle)
    X[:, 1] += np.sin(angle)
    return X, y


def test_trained_features_separate_better_than_random_ones(rng):
    (X, y), (X_test, y_test) = circles(80, rng), circles(200, rng)
    parameters = {"dim": 3, "n_developments": 1, "pooling": "end", "windows": "whole"}

    def score(fit_mode, seed):
        how = {"lr": 0.03, "batch_size": 16, "max_epochs": 30} if fit_mode == "supervised" else {}
        features = PathDevelopmentTransformer(**parameters, fit_mode=fit_mode, random_state=seed, **how)
        return make_pipeline(features, StandardScaler(), RidgeClassifierCV()).fit(X, y).score(X_test, y_test)

    untrained, trained = (np.mean([score(mode, seed) for seed in range(4)]) for mode in ("random", "supervised"))
    assert trained > 0.9
    assert trained > untrained + 0.08


def test_grid_search_in_processes_keeps_to_the_granted_threads(tmp_path):
    X, y = panel(16), classes(16)
    features = PathDevelopmentTransformer(**QUICK, callbacks=[ThreadLog(tmp_path)])
    chain = make_pipeline(features, StandardScaler(), RidgeClassifierCV())
    grid = {"pathdevelopmenttransformer__group": ["SO", "Sp"], "pathdevelopmenttransformer__dim": [2, 4]}
    search = GridSearchCV(chain, grid, cv=2, n_jobs=2, refit=False, error_score="raise")
    with joblib.parallel_config(backend="loky"):
        search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    logs = list(tmp_path.iterdir())
    assert logs
    assert str(os.getpid()) not in [log.name for log in logs]
    granted = max(joblib.cpu_count() // 2, 1)
    assert max(int(log.read_text()) for log in logs) <= granted
