"""ISSTransformer: what its parameters mean, by hand and against the reference."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigfeat import AddBasepoint, Increments, ISSTransformer, words_of_length, words_of_weight
from sigfeat.pooling import POOLINGS, threshold_between
from sigfeat.reference.iss import iterated_sums
from sigfeat.reference.pooling import pooled
from sigfeat.reference.quasi_shuffle import hoffman_exponential, quasi_shuffle
from sigfeat.semirings import SEMIRINGS
from tests.oracles import iterated_sum
from tests.panels import padded, ragged
from tests.strategies import words

PLAIN = {"decay": 0.0, "pooling": "end", "windows": "whole", "scale": None}


def values(transformer, X):
    return dict(zip(transformer.get_feature_names_out(), transformer.transform(X)[0], strict=True))


def test_hand_values_and_names():
    X = np.array([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    names = values(ISSTransformer(words=["[1]", "[1,2]", "[1][2]"], **PLAIN).fit(X), X)
    assert names == {"[1]|real|end": 6, "[1,2]|real|end": 32, "[1][2]|real|end": 23}
    tropical = values(ISSTransformer(words=["[1][2]"], semiring="max_plus", **PLAIN).fit(X), X)
    assert tropical == {"[1][2]|max_plus|end": 8}


def test_words_by_length_and_by_weight():
    X = padded(ragged())
    by_length = ISSTransformer(depth=3, words="length").fit(X)
    assert list(by_length.words_) == [word for k in (1, 2, 3) for word in words_of_length(3, k)]
    by_weight = ISSTransformer(depth=3, words="weight").fit(X)
    assert list(by_weight.words_) == [word for k in (1, 2, 3) for word in words_of_weight(3, k)]


@pytest.mark.parametrize("semiring", SEMIRINGS)
@pytest.mark.parametrize("strict", [True, False])
@given(seed=st.integers(0, 1000), n_timepoints=st.integers(2, 7), decay=st.sampled_from([0.0, 0.5]))
def test_brute_force(semiring, strict, seed, n_timepoints, decay):
    X = np.random.default_rng(seed).uniform(0, 2, size=(2, 2, n_timepoints))
    parameters = {"words": "weight", "depth": 3, "semiring": semiring, "strict": strict, "decay": decay}
    iss = ISSTransformer(**{**PLAIN, **parameters}).fit(X)
    for row, series in zip(iss.transform(X), X, strict=True):
        expected = np.array([iterated_sum(series, word.letters, semiring, strict, decay) for word in iss.words_])
        fits = np.array([not strict or word.length <= n_timepoints for word in iss.words_])
        np.testing.assert_allclose(row[fits], expected[fits], rtol=1e-12, atol=1e-13)
        np.testing.assert_array_equal(row[~fits], 0)


@pytest.mark.parametrize("semiring", SEMIRINGS)
@pytest.mark.parametrize("decay", [0, 2, np.int64(1), np.float32(0.5)], ids=repr)
def test_a_decay_rate_of_any_type_of_numbers(semiring, decay):
    X = np.random.default_rng(0).uniform(size=(3, 2, 10))
    features = ISSTransformer(semiring=semiring, decay=decay).fit_transform(X)
    np.testing.assert_array_equal(features, ISSTransformer(semiring=semiring, decay=float(decay)).fit_transform(X))


def test_pooling_and_windows_against_the_reference(rng):
    X = rng.normal(size=(3, 2, 37))
    poolings = tuple(POOLINGS)
    iss = ISSTransformer(pooling=poolings, windows=("dyadic", 2), quantile=0.7, scale="std").fit(X)
    running = iterated_sums(X / iss.scale_[:, np.newaxis], iss.words_, decay=0.1)
    thresholds = [np.quantile(running[:, w, word.length - 1 :], 0.7) for w, word in enumerate(iss.words_)]
    np.testing.assert_allclose(iss.thresholds_, thresholds, rtol=1e-9)
    shares = [(0, 4), (0, 2), (2, 4), (0, 1), (1, 2), (2, 3), (3, 4)]
    expected = [
        pooled(running[1, w], pooling, iss.thresholds_[w], a * 37 // 4, b * 37 // 4, word.length - 1)
        for w, word in enumerate(iss.words_)
        for pooling in poolings
        for a, b in shares
    ]
    np.testing.assert_allclose(iss.transform(X)[1], expected, rtol=1e-9, atol=1e-10)
    windows = ["0/1-1/1", "0/2-1/2", "1/2-2/2", "0/4-1/4", "1/4-2/4", "2/4-3/4", "3/4-4/4"]
    assert list(iss.get_feature_names_out()[:7]) == [f"[1]|real|end|{window}" for window in windows]


def test_scale_is_learned_from_the_own_points_of_the_training_series():
    series = ragged()
    iss = ISSTransformer(scale="standard").fit(padded(series))
    joined = np.concatenate(series, axis=1)
    np.testing.assert_allclose(iss.mean_, joined.mean(axis=1))
    np.testing.assert_allclose(iss.scale_, joined.std(axis=1))
    np.testing.assert_array_equal(ISSTransformer(scale="std").fit(padded(series)).mean_, 0)
    np.testing.assert_array_equal(ISSTransformer(semiring="max_times").fit(padded(series)).mean_, 0)


def test_a_constant_channel_is_left_alone():
    X = np.stack([np.full((4, 9), 0.1), np.random.default_rng(0).normal(size=(4, 9))], axis=1)
    assert ISSTransformer().fit(X).scale_[0] == 1
    assert np.isfinite(ISSTransformer().fit_transform(X)).all()


@given(left=words(max_length=2), right=words(max_length=2), seed=st.integers(0, 100))
def test_quasi_shuffle_identity(left, right, seed):
    X = np.random.default_rng(seed).normal(size=(1, 2, 30))
    product = quasi_shuffle(left, right)
    names = list(dict.fromkeys(map(str, [left, right, *product])))
    features = values(ISSTransformer(words=names, **PLAIN).fit(X), X)
    terms = [n * features[f"{word}|real|end"] for word, n in product.items()]
    expected = features[f"{left}|real|end"] * features[f"{right}|real|end"]
    assert abs(sum(terms) - expected) <= 1e-11 * sum(map(abs, terms))


@given(seed=st.integers(0, 100), places=st.lists(st.integers(0, 11), max_size=5))
def test_time_warp_invariance_of_increments(seed, places):
    X = np.random.default_rng(seed).normal(size=(2, 2, 12))
    warped = np.insert(X, np.array(places, dtype=int), X[:, :, places], axis=2)
    iss = ISSTransformer(depth=4, words="length", **PLAIN)
    expected = iss.fit_transform(Increments().fit_transform(X))
    np.testing.assert_allclose(iss.fit_transform(Increments().fit_transform(warped)), expected, rtol=1e-10, atol=1e-11)


def test_a_basepoint_makes_increments_see_the_level():
    X = np.random.default_rng(0).normal(size=(2, 1, 12))
    iss = ISSTransformer(depth=1, words="length", **PLAIN)
    by_zero = iss.fit_transform(Increments().fit_transform(AddBasepoint().fit_transform(X)))
    np.testing.assert_allclose(by_zero[:, 0], X[:, 0, -1])


def test_thresholds_of_the_largest_numbers_are_finite():
    largest = np.finfo(float).max
    iss = ISSTransformer(words=["[1]"], semiring="max_plus", **PLAIN | {"pooling": "ppv"}).fit([[-largest, largest]])
    np.testing.assert_array_equal(iss.thresholds_, 0.0)
    assert threshold_between(np.array([0.8, 0.9, 1.0]) * largest, 0.5) == pytest.approx(0.95 * largest)


def test_threads_do_not_change_the_features_and_may_share_an_estimator():
    X = np.random.default_rng(0).normal(size=(200, 3, 60))
    for parameters in ({}, {"words": "length", "depth": 5, **PLAIN}):
        iss = ISSTransformer(**parameters).fit(X)
        expected = iss.transform(X)
        np.testing.assert_array_equal(ISSTransformer(n_jobs=2, **parameters).fit(X).transform(X), expected)
        np.testing.assert_array_equal(ISSTransformer(n_jobs=-1, **parameters).fit(X).transform(X), expected)
        with ThreadPoolExecutor(4) as pool:
            for result in pool.map(iss.transform, [X] * 8):
                np.testing.assert_array_equal(result, expected)


def test_thresholds_come_from_at_most_64_series(monkeypatch):
    X = np.random.default_rng(0).normal(size=(300, 1, 20))
    iss = ISSTransformer(pooling="ppv", depth=1, decay=0, windows="whole", scale=None).fit(X)
    chosen = np.unique(np.linspace(0, 299, 64).round().astype(int))
    np.testing.assert_allclose(iss.thresholds_, [np.median(np.cumsum(X[chosen, 0], axis=1))])


def test_a_word_longer_than_all_training_series_has_threshold_zero():
    iss = ISSTransformer(words=["[1][1][1][1]"], pooling=("ppv", "mpv")).fit(np.ones((2, 1, 3)))
    np.testing.assert_array_equal(iss.thresholds_, 0)
    np.testing.assert_array_equal(iss.transform(np.ones((2, 1, 3))), 0)


@pytest.mark.external
def test_the_signature_is_recovered_from_the_iterated_sums_of_the_increments():
    iisignature = pytest.importorskip("iisignature", reason="iisignature is an extra")
    paths = np.random.default_rng(0).normal(size=(5, 2, 40)).cumsum(axis=2)
    increments = Increments().fit_transform(paths)
    iss = ISSTransformer(depth=5, words="weight", **PLAIN).fit(increments)
    sums = dict(zip(iss.words_, iss.transform(increments).T, strict=True))
    words_in_order = [word for k in range(1, 6) for word in words_of_length(2, k)]
    found = [sum(float(f) * sums[term] for term, f in hoffman_exponential(word).items()) for word in words_in_order]
    expected = iisignature.sig(np.ascontiguousarray(paths.swapaxes(1, 2)), 5).T
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("start", [{}, {"words": "length", "depth": 2, **PLAIN}], ids=["pooled", "full"])
@pytest.mark.parametrize(
    "change",
    [
        {"depth": 4},
        {"pooling": ("end", "mean", "ppv", "max", "min")},
        {"windows": 30},
        {"semiring": "max_plus"},
        {"decay": 1.0},
    ],
    ids=str,
)
def test_parameters_set_after_fit_wait_for_the_next_fit(start, change):
    X = padded(ragged())
    iss = ISSTransformer(**start).fit(X)
    expected, names = iss.transform(X), iss.get_feature_names_out()
    iss.set_params(**change)
    np.testing.assert_array_equal(iss.transform(X), expected)
    np.testing.assert_array_equal(iss.get_feature_names_out(), names)


def test_many_windows_make_smaller_trees_and_change_nothing():
    X = np.random.default_rng(0).normal(size=(3, 2, 600))
    iss = ISSTransformer(pooling="mean", windows=600, words="length", depth=1, strict=False, decay=0, scale=None).fit(X)
    assert [len(places) for _, _, places, _ in ISSTransformer(windows=600, depth=3).fit(X)._trees.trees][0] == 3
    sums = X.cumsum(axis=2)
    np.testing.assert_allclose(iss.transform(X).reshape(3, 2, 600), sums, rtol=1e-10, atol=1e-10)


BAD = {
    "a channel that X lacks": (
        {"words": ["[1][4]"]},
        r"words: \[1\]\[4\] names channel 4, but X has 3 channels",
    ),
    "an unparsable word": ({"words": ["[1][x]"]}, r"word '\[1\]\[x\]' cannot be read"),
    "no word": ({"words": []}, r"words must be different words, at least one, got \[\]"),
    "a word twice": ({"words": ["[1,2]", "[2,1]"]}, "words must be different words"),
    "an unknown pooling": (
        {"pooling": ("end", "median")},
        r"pooling must name different ones of end, .*, got \('end', 'median'\)",
    ),
    "a pooling twice": ({"pooling": ("end", "end")}, "pooling must name different ones"),
    "no pooling": ({"pooling": ()}, "pooling must name different ones"),
    "windows of another kind": ({"windows": ("tenth", 3)}, r"windows must be .* got \('tenth', 3\)"),
    "too many windows": ({"windows": ("dyadic", 60)}, r"a depth from 0 to 16, got \('dyadic', 60\)"),
    "far too many windows": ({"windows": 10**9}, "a number of windows from 1 to 65536, .* got 1000000000"),
    "too deep for memory": (
        {"depth": 15, "words": "length"},
        r"depth=15, words='length' would give .* features along .* words for each of .* GiB, but at most 2,000,000 can",
    ),
    "much too deep for memory": ({"depth": 500, "words": "weight"}, "depth=500.* at least .* GiB"),
    "a negative depth": ({"depth": 0}, "The 'depth' parameter"),
    "a negative decay": ({"decay": -1.0}, "The 'decay' parameter"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_parameters_give_one_clear_sentence_at_once(case):
    parameters, message = BAD[case]
    X = np.tile(padded(ragged()), (20, 1, 1))
    started, iss = time.perf_counter(), ISSTransformer(**{"windows": "whole", **parameters})
    with pytest.raises(ValueError, match=message):
        iss.fit(X)
    assert not hasattr(iss, "words_")
    assert time.perf_counter() - started < 60  # a hang, not a speed


def test_negative_values_in_max_times_are_named():
    X = padded(ragged())
    X[3, 1, 2] = -0.5
    with pytest.raises(
        ValueError,
        match=r'semiring="max_times" needs values >= 0, got -0.5 in series 3 \(from 0\), channel 2',
    ):
        ISSTransformer(semiring="max_times").fit(X)


@pytest.mark.parametrize("factor", [1e300, 1e-300, 1e-320, 0.0])
def test_the_scale_takes_values_of_any_size(factor):
    X = np.random.default_rng(0).normal(size=(5, 2, 20))
    features = ISSTransformer().fit_transform(X * factor)
    if factor in (1e300, 1e-300):
        np.testing.assert_allclose(features, ISSTransformer().fit_transform(X), rtol=1e-9)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_overflow_is_said_and_not_returned(dtype):
    X = np.full((2, 1, 10), 1e30, dtype=dtype) ** (1 if dtype == np.float32 else 8)
    with pytest.raises(
        ValueError, match="iterated sums of weight 2 overflow float(32|64): scale the series or lower depth"
    ):
        ISSTransformer(scale=None).fit_transform(X)


@pytest.mark.filterwarnings("ignore:X has more channels:UserWarning")
def test_one_time_point_is_too_few_for_two_letters():
    with pytest.raises(ValueError, match="n_timepoints must be at least 2 for words of 2 letters, got 1"):
        ISSTransformer().fit([np.ones((2, 5)), np.ones((2, 1))])
    assert ISSTransformer(depth=1).fit_transform(np.ones((3, 2, 1))).shape[0] == 3
