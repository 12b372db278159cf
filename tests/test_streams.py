"""Series that grow: the features of a stream are those of the whole series."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sigfeat import ISSTransformer, LowRankISSTransformer, PathDevelopmentTransformer
from sigfeat.pooling import POOLINGS as TABLE
from sigfeat.semirings import SEMIRINGS

POOLINGS = tuple(TABLE)
ISS = [
    ISSTransformer(windows="whole"),
    ISSTransformer(words="length", depth=3, pooling="end", windows="whole"),
    ISSTransformer(words="length", depth=3, pooling="end", windows="whole", decay=0, scale=None),
    ISSTransformer(strict=False, pooling=POOLINGS, windows="whole", scale="std"),
    ISSTransformer(words=["[1]", "[1,1][2]", "[2][1][2,3]"], pooling=POOLINGS, windows=1),
    *(ISSTransformer(semiring=ring, pooling=POOLINGS, windows="whole") for ring in SEMIRINGS),
    *(ISSTransformer(semiring=ring, strict=False, windows="whole") for ring in SEMIRINGS),
]
FUNCTIONALS = [
    LowRankISSTransformer(n_functionals=16),
    LowRankISSTransformer(n_functionals=16, depth=3, pooling=POOLINGS, quantiles=2),
    LowRankISSTransformer(n_functionals=16, semiring=("max_plus", "min_plus", "real"), pooling=POOLINGS),
    LowRankISSTransformer(n_functionals=8, n_lags=1, scale=None, windows=1),
]
GROUPS = [
    {},
    {"pooling": POOLINGS},
    {"pooling": "end"},
    {"group": "SU", "dim": 3, "pooling": POOLINGS},
    {"group": "SE", "dim": 3, "pooling": tuple(name for name in POOLINGS if name != "argmax")},
    {"group": "SO(n,1)", "dim": 3, "pooling": "end"},
    {"group": "unipotent", "dim": 3},
]
DEVELOPMENTS = [PathDevelopmentTransformer(**{"dim": 4, "windows": "whole"} | how) for how in GROUPS]


def named(transformers):
    return [pytest.param(transformer, id=" ".join(str(transformer).split())) for transformer in transformers]


every_transformer = pytest.mark.parametrize("transformer", named(ISS + FUNCTIONALS + DEVELOPMENTS))


def series(n_timepoints, seed=0, n_samples=1):
    return np.random.default_rng(seed).uniform(0.1, 2.0, size=(n_samples, 3, n_timepoints))


def fitted(transformer):
    return copy.deepcopy(transformer).fit(series(60, seed=1, n_samples=5))


def appended(stream, X, sizes):
    first = 0
    while first < X.shape[1]:
        n = next(sizes)
        stream.append(X[:, first : first + n])
        first += n
    return stream


def random_sizes(largest, seed=0):
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.integers(1, largest + 1))


def assert_same(found, expected, rtol=1e-12):
    """Equal within a share of the largest."""
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


@every_transformer
def test_features_after_each_point_are_those_of_the_series_so_far(transformer):
    transformer, X = fitted(transformer), series(90)
    stream = transformer.stream()
    for t, point in enumerate(X[0].T, start=1):
        stream.append(point)
        assert stream.n_timepoints == t
        if t in (3, 4, 8, 33, 64, 65, 90):
            assert_same(stream.features(), transformer.transform(X[:, :, :t])[0])


@every_transformer
def test_many_points_at_once_give_what_single_points_give(transformer):
    transformer, X = fitted(transformer), series(700)[0]
    at_once = transformer.stream().append(X)
    one_by_one = appended(transformer.stream(), X, random_sizes(1))
    in_parts = appended(transformer.stream(), X, random_sizes(150))
    if transformer in (*ISS, *FUNCTIONALS):
        np.testing.assert_array_equal(one_by_one.features(), at_once.features())
        np.testing.assert_array_equal(in_parts.features(), at_once.features())
    assert_same(one_by_one.features(), at_once.features())
    assert_same(in_parts.features(), at_once.features())


@every_transformer
def test_a_hundred_thousand_points(transformer):
    transformer = fitted(transformer)
    X = np.random.default_rng(0).standard_normal((1, 3, 100_000))
    if isinstance(transformer, ISSTransformer) and SEMIRINGS[transformer.semiring].non_negative:
        X = np.abs(X)
    stream = appended(transformer.stream(), X[0], random_sizes(200))
    grows = getattr(transformer, "group", "SO") == "SO(n,1)"  # what was rounded before, in both
    assert_same(stream.features(), transformer.transform(X)[0], 1e-11 if grows else 1e-12)


@pytest.mark.parametrize("transformer", named(FUNCTIONALS))
def test_functionals_are_the_same_to_the_last_bit(transformer):
    transformer, X = fitted(transformer), series(1000)
    stream = appended(transformer.stream(), X[0], random_sizes(100))
    np.testing.assert_array_equal(stream.features(), transformer.transform(X)[0])


@every_transformer
def test_what_is_kept_does_not_grow_and_reading_changes_nothing(transformer):
    transformer, X = fitted(transformer), np.random.default_rng(0).uniform(0.1, 0.2, size=(3, 5000))
    stream = appended(transformer.stream(), X[:, :1000], random_sizes(50))
    stream.features()
    size = len(pickle.dumps(stream))
    once = appended(copy.deepcopy(stream), X[:, 1000:], random_sizes(50))
    branch = pickle.loads(pickle.dumps(stream))
    for t in range(1000, 5000, 50):
        branch.append(X[:, t : t + 50])
        if t % 200 == 0:
            branch.features()
    np.testing.assert_array_equal(branch.features(), appended(stream, X[:, 1000:], (50 for _ in range(80))).features())
    assert_same(once.features(), branch.features())
    assert len(pickle.dumps(once)) < size + 3 * 8 * 300


@every_transformer
def test_bad_points_give_one_clear_sentence_and_change_nothing(transformer):
    transformer, X = fitted(transformer), series(50)[0]
    stream = transformer.stream().append(X)
    expected = stream.features()
    bad = X[:, :4].copy()
    bad[1, 2] = np.nan
    for points, message in [
        (X[:2], r"points must have shape \(3,\) or \(3, n_timepoints\), got \(2, 50\)"),
        (X[:2, 0], r"points must have shape .* got \(2,\)"),
        (X[np.newaxis], r"points must have shape .* got \(1, 3, 50\)"),
        (bad, r"points must be finite, got nan in channel 2 \(from 1\), time 2 \(from 0\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            stream.append(points)
    stream.append(X[:, :0])
    assert stream.n_timepoints == 50
    np.testing.assert_array_equal(stream.features(), expected)
    kept = X.copy()
    stream.append(kept)
    kept[:] = 0.0
    np.testing.assert_array_equal(stream.features(), transformer.stream().append(X).append(X).features())


def test_too_few_points_and_negative_values():
    iss = fitted(ISSTransformer(windows="whole")).stream().append([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="n_timepoints must be at least 2 for words of 2 letters, got 1 so far"):
        iss.features()
    positive = fitted(ISSTransformer(semiring="max_times", windows="whole")).stream()
    with pytest.raises(ValueError, match=r"needs values >= 0, got -1 in channel 2 \(from 1\), time 0"):
        positive.append([1.0, -1.0, 1.0])
    with pytest.raises(ValueError, match="n_timepoints must be at least 1 for developments"):
        fitted(PathDevelopmentTransformer(windows="whole")).stream().features()


def test_overflow_is_told():
    words = fitted(ISSTransformer(windows="whole", scale=None)).stream().append(np.full((3, 4), 1e200))
    with pytest.raises(ValueError, match="features of words of 2 letters overflow after 4 points"):
        words.features()
    low_rank = fitted(FUNCTIONALS[0]).stream()
    with pytest.raises(ValueError, match="low-rank iterated sums overflow float32"):
        low_rank.append(np.full((3, 4), 1e30))
    assert low_rank.n_timepoints == 0
    development = fitted(PathDevelopmentTransformer(windows="whole", pooling="max", group="GL", dim=2)).stream()
    development.append(np.arange(3e4).reshape(3, -1) % 7 * 50)
    with pytest.raises(ValueError, match=r"features of developments in GL\(2\) overflow after 10000 points"):
        development.features()
    with pytest.raises(ValueError, match="differences of neighbouring points overflow float64"):
        development.append(np.tile([1e308, -1e308], (3, 1)))


@pytest.mark.parametrize("transformer", [ISSTransformer(), PathDevelopmentTransformer(), FUNCTIONALS[0]])
def test_streams_need_a_fit_and_whole_series(transformer):
    with pytest.raises(NotFittedError):
        transformer.stream()
    parts = copy.deepcopy(transformer).set_params(windows=("dyadic", 1))
    with pytest.raises(ValueError, match=r"windows must be \"whole\" for a stream.*, got \('dyadic', 1\)"):
        fitted(parts).stream()


def test_a_stream_does_not_change_with_its_transformer():
    transformer, X = fitted(ISS[0]), series(50)
    stream, expected = transformer.stream().append(X[0]), transformer.transform(X)[0]
    transformer.set_params(depth=3).fit(10 * X)
    assert_same(stream.features(), expected)
