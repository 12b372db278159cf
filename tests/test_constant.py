"""Channels, differences and features that are the same up to rounding: their errors are no unit of anything."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sigfeat import (
    AddTime,
    CumulativeSum,
    FeatureScaler,
    Increments,
    ISSTransformer,
    LowRankISSTransformer,
    PathDevelopmentTransformer,
    StandardizeChannels,
)
from sigfeat.classifiers import iss_classifier
from sigfeat.nn.training.targets import standardised_numbers
from tests.test_contract import every_feature_transformer, target

N = 100  # so long that increments of a clock are far smaller than the clock
CLOCKS = {
    "AddTime": lambda n: np.arange(n) / (n - 1),
    "0.01 t": lambda n: 0.01 * np.arange(n),
    "1e3 + 0.01 t": lambda n: 1e3 + 0.01 * np.arange(n),
    "1e6 + 0.01 t": lambda n: 1e6 + 0.01 * np.arange(n),
    "two roundings": lambda n: np.linspace(0.3, 7.7, n),
}
DTYPES = {
    "float64": lambda x: x,
    "float32": lambda x: x.astype(np.float32),
    "float32 numbers in float64": lambda x: x.astype(np.float32).astype(np.float64),
}
both = pytest.mark.parametrize(("clock", "dtype"), [(clock, dtype) for clock in CLOCKS for dtype in DTYPES])


def with_clock(X, clock, dtype):
    """Series of which the last channel is a clock, made anew for their length."""
    times = DTYPES[dtype](CLOCKS[clock](X.shape[2]))
    return np.concatenate([X.astype(times.dtype), np.broadcast_to(times, (len(X), 1, X.shape[2]))], axis=1)


def walks(n_samples=12, length=N + 1):
    """Channels that only rise, so that their increments are positive as well."""
    return np.abs(np.random.default_rng(0).standard_normal((n_samples, 2, length))).cumsum(axis=2)


def noises(n_samples, length, seed):
    """White and slightly red noise."""
    e = np.random.default_rng(seed).standard_normal((2 * n_samples, 2, length + 20))
    x = e.copy()
    for t in range(1, x.shape[2]):
        x[:n_samples, :, t] += 0.25 * x[:n_samples, :, t - 1]
    return x[:, :, 20:], np.repeat(["red", "white"], n_samples)


@every_feature_transformer
@pytest.mark.parametrize(
    ("clock", "dtype", "augmentation"),
    [
        ("AddTime", "float64", Increments()),
        ("0.01 t", "float32", None),
        ("1e6 + 0.01 t", "float32 numbers in float64", None),
        ("AddTime", "float64", make_pipeline(Increments(), StandardizeChannels(), CumulativeSum())),
    ],
)
def test_a_clock_changes_no_feature_much_from_one_length_to_the_next(transformer, clock, dtype, augmentation):
    X, y = walks(), target(transformer, walks())
    at = {n: with_clock(X[:, :, :n], clock, dtype) for n in (N, N - 1, N + 1)}
    if augmentation is not None:
        augmentation = clone(augmentation).fit(at[N])
        at = {n: augmentation.transform(series) for n, series in at.items()}
    if "max_times" in str(transformer):
        at = {n: np.abs(series) for n, series in at.items()}
    fitted = clone(transformer).fit(at[N], y)
    largest = {n: np.abs(fitted.transform(series)).max() for n, series in at.items()}
    assert np.isfinite(list(largest.values())).all()
    assert max(largest.values()) <= 3 * max(largest[N], 1.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [2, 3])
def test_words_of_increments_stay_as_large_as_at_the_length_of_the_fit(depth, dtype):
    X = DTYPES[dtype](noises(20, 201, 0)[0])
    for extra in ([], [StandardizeChannels()]):
        words = make_pipeline(AddTime(), Increments(), *extra, ISSTransformer(depth=depth)).fit(X[:, :, :200])
        for n in (199, 200, 201):
            assert np.abs(words.transform(X[:, :, :n])).max() < 1000
        scaled = make_pipeline(words, FeatureScaler()).fit(X[:, :, :200])
        assert max(np.abs(scaled.transform(X[:, :, :n])).max() for n in (199, 200, 201)) < 3


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("clock", [None, "AddTime", "1e3 + 0.01 t"])
def test_accuracy_does_not_hang_on_the_length(clock, dtype):
    (X, y), (X_test, y_test) = noises(40, 201, 0), noises(40, 201, 1)

    def series(X, n):
        return DTYPES[dtype](X[:, :, :n]) if clock is None else with_clock(X[:, :, :n], clock, dtype)

    classifier = iss_classifier(n_functionals=200).fit(series(X, 200), y)
    scores = [classifier.score(series(X_test, n), y_test) for n in (199, 200, 201)]
    assert min(scores) > 0.9
    features = {n: classifier[:-1].transform(series(X_test, n)) for n in (199, 200)}
    change = np.abs(features[199] - features[200]) * features[200].shape[1] ** 0.5  # in standard deviations
    assert np.sqrt(np.square(change).mean()) < 0.25
    assert change.max() < 8


@both
def test_differences_of_a_clock_are_constant(clock, dtype):
    X = with_clock(walks(), clock, dtype)
    scales = LowRankISSTransformer(n_functionals=8).fit(X).difference_scale_
    assert scales[2] == np.inf
    alone = LowRankISSTransformer(n_functionals=8).fit(X[:, :2])
    np.testing.assert_array_equal(alone.difference_scale_, scales[:2])
    padded = np.pad(X, ((0, 0), (0, 0), (0, 3)), constant_values=np.nan)
    scales = LowRankISSTransformer(n_functionals=8).fit(padded).difference_scale_
    assert scales[2] == np.inf


@both
@pytest.mark.parametrize("basepoint", [False, True])
def test_increments_of_a_clock_are_all_the_same(basepoint, clock, dtype):
    X = with_clock(walks(), clock, dtype)
    increments = Increments(basepoint=basepoint).fit(X)
    found, expected = increments.transform(X), np.diff(X, axis=2)
    if basepoint:
        np.testing.assert_array_equal(found[:, :, 0], X[:, :, 0])
        found = found[:, :, 1:]
    np.testing.assert_array_equal(found[:, :2], expected[:, :2])
    assert np.isnan(increments.constant_).tolist() == [True, True, False]
    assert np.unique(found[:, 2]).size == 1
    eps = np.finfo(np.float64 if dtype == "float64" else np.float32).eps
    assert np.abs(found[:, 2] - expected[:, 2]).max() <= 2 * eps * np.abs(X[:, 2]).max()
    rows = [increments.transform(X[i : i + 1]) for i in range(len(X))]
    np.testing.assert_array_equal(np.concatenate(rows), increments.transform(X))


def informative():
    rng, t = np.random.default_rng(0), np.arange(300)
    return {
        "float32 counts": (1e6 + rng.integers(0, 3, (6, 300)).cumsum(axis=1)).astype(np.float32),
        "float64 counts": 1e12 + rng.integers(0, 3, (6, 300)).cumsum(axis=1),
        "slow sine far from zero": (1e3 + np.sin(2 * np.pi * t / 3000 + rng.random((6, 1)))).astype(np.float32),
        "clock with jitter": (0.01 * t + 1e-5 * rng.standard_normal((6, 300))).astype(np.float32),
        "clocks of two rates": 0.01 * t * np.array([[1, 1, 1, 1, 1, 1 + 1e-9]]).T,
        "stamps": 1.7e9 + 0.01 * t + 1e-4 * rng.standard_normal((6, 300)),
    }


@pytest.mark.parametrize("name", informative())
def test_differences_that_carry_information_are_kept(name):
    X = informative()[name][:, np.newaxis]
    np.testing.assert_array_equal(Increments().fit_transform(X), np.diff(X, axis=2))
    scale = LowRankISSTransformer(n_functionals=8).fit(X).difference_scale_[0]
    np.testing.assert_allclose(scale, np.diff(X, axis=2).std(dtype=np.float64), rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_channel_that_is_constant_up_to_rounding_becomes_zero(dtype):
    X = walks().astype(dtype)
    X[:, 1] = np.where(np.random.default_rng(0).random(X[:, 1].shape) < 0.5, dtype(0.3), np.nextafter(dtype(0.3), 1))
    standard = StandardizeChannels().fit(X)
    assert standard.scale_[1] == 1
    np.testing.assert_array_equal(standard.transform(X)[:, 1], 0)
    assert np.abs(standard.transform(X + dtype(1))[:, 1] - 1).max() < 1e-6


def test_large_rounding_errors_do_not_stand_out():
    X = walks().astype(np.float32)
    X[:, 1] = 1e9 + 64 * np.random.default_rng(0).integers(-1, 2, X[:, 1].shape)
    for transformer in (StandardizeChannels(with_std=True), StandardizeChannels(with_mean=False)):
        assert transformer.fit(X).scale_[1] >= 1
    assert np.abs(ISSTransformer(depth=3).fit_transform(X)).max() < 1e4
    units = PathDevelopmentTransformer(dim=3, n_developments=2).fit(X).units_
    assert units[1] > 64


def test_a_feature_that_is_constant_up_to_rounding_becomes_zero():
    X = np.random.default_rng(0).standard_normal((50, 2))
    for dtype in (np.float32, np.float64):
        X = X.astype(dtype)
        X[:, 1] = -1e5 * (1 + 3 * np.finfo(dtype).eps * np.sign(X[:, 0]))
        for power in (0.5, 1.0):
            assert (FeatureScaler(power=power).fit_transform(X)[:, 1] == 0).all()


def test_targets_that_are_constant_up_to_rounding_stay_small():
    target = 1e9 * (1 + np.finfo(float).eps * np.sign(np.random.default_rng(0).standard_normal((50, 1))))
    assert np.abs(standardised_numbers(target)).max() < 1e-12


def test_differences_may_be_so_large_that_their_distance_overflows():
    X = np.array([[[0.0, 1.7e308]], [[1.7e308, 0.0]], [[1.7e308, 0.0]]])
    increments = Increments().fit(X)
    assert np.isnan(increments.constant_).all()
    np.testing.assert_array_equal(increments.transform(X), np.diff(X, axis=2))
