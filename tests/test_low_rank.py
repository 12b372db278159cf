"""Low-rank iterated sums: brute force, reference, compiled loops, the transformer."""

import dataclasses
import itertools

import numpy as np
import pytest
from sklearn.base import clone

from sigfeat import LowRankISSTransformer
from sigfeat._kernels.low_rank import (
    low_rank_thresholds,
    low_rank_values,
    pooled_low_rank,
)
from sigfeat.functionals import draw_functionals, n_parts
from sigfeat.pooling import POOLINGS
from sigfeat.reference.iss import iterated_sums
from sigfeat.reference.low_rank import delay_letter, low_rank_increments
from sigfeat.semirings import SEMIRINGS
from tests.panels import padded, ragged

LENGTHS = np.array([150, 40, 33, 150, 7, 77, 9, 100, 64, 65, 12, 32, 31, 128, 129, 63, 8, 150, 5, 2])
SHIFT, SCALE = np.array([0.1, -0.2, 0.3]), np.array([[0.9, 1.1, 1.0], [0.7, 1.3, 1.0]])
RINGS = ("real", "max_plus", "min_plus")


def panel(dtype=np.float64, seed=0, lengths=LENGTHS):
    X = np.random.default_rng(seed).normal(size=(len(lengths), 3, lengths.max()))
    X[np.broadcast_to(np.arange(lengths.max()) >= lengths[:, np.newaxis, np.newaxis], X.shape)] = np.nan
    return X.astype(dtype)


def drawn(depth, semirings=RINGS, n_chains=12, n_lags=9, decay=None):
    how = {"n_lags": n_lags, "dilations": None, "decay": decay, "semirings": semirings}
    return draw_functionals(n_chains, depth, 3, 60, random_state=np.random.RandomState(depth), **how)


def own_letters(X, i, functionals, chain):
    """Letters of a chain on series i, by the reference."""
    x = (X[i, :, : LENGTHS[i]] - SHIFT[:, np.newaxis]) * SCALE[0][:, np.newaxis]
    if functionals.differenced[chain]:
        x = np.diff(X[i, :, : LENGTHS[i]]) * SCALE[1][:, np.newaxis]
    letters = []
    for j in range(functionals.depth):
        taps = np.zeros((3, functionals.taps.shape[3]))
        taps[functionals.channels[chain, j]] = functionals.taps[chain, j]
        letters.append(delay_letter(x, taps, functionals.dilations[chain, j]))
    return np.array(letters)


def parts(depth):
    return [(level, i) for level in range(1, depth + 1) for i in range(depth - level + 1)]


@pytest.mark.parametrize("ring", RINGS)
def test_the_reference_sums_over_all_increasing_times(ring):
    letters = np.random.default_rng(0).normal(size=(3, 8))
    add, multiply, fade = SEMIRINGS[ring].add, SEMIRINGS[ring].multiply, SEMIRINGS[ring].decay_factor(0.2)
    found = low_rank_increments(letters, semiring=ring, decay=0.2)
    for t in range(2, 8):
        terms = []
        for times in itertools.combinations(range(t), 2):
            value = multiply.reduce([letters[j, i] for j, i in enumerate((*times, t))])
            for _ in range(t - times[0]):
                value = multiply(value, fade)
            terms.append(value)
        np.testing.assert_allclose(found[t], add.reduce(terms), rtol=1e-12)


def test_letters_that_are_channels_give_the_iterated_sums_of_words():
    X = np.random.default_rng(1).normal(size=(1, 3, 30))
    increments = low_rank_increments(X[0], decay=0.1)
    sums = np.zeros(30)
    for t in range(30):
        sums[t] = (sums[t - 1] * np.exp(-0.1) if t else 0.0) + increments[t]
    np.testing.assert_allclose(sums, iterated_sums(X, ["[1][2][3]"], decay=0.1)[0, 0], rtol=1e-12, atol=1e-14)


def test_a_letter_is_a_direct_convolution():
    x, taps, dilation = np.random.default_rng(2).normal(size=40), np.random.default_rng(3).normal(size=9), 3
    wide = np.zeros(8 * dilation + 1)
    wide[::dilation] = taps
    expected = np.correlate(np.pad(x, 4 * dilation), wide, mode="valid")
    np.testing.assert_allclose(
        delay_letter(x[np.newaxis], taps[np.newaxis], dilation), expected, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("decay", [0.0, None])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_values_equal_the_reference(depth, decay, dtype):
    X, functionals = panel(dtype), drawn(depth, decay=decay)
    values = low_rank_values(X, LENGTHS, functionals, shift=SHIFT, scale=SCALE)
    for i, chain in itertools.product(range(len(X)), range(functionals.n_chains)):
        letters = own_letters(X.astype(np.float64), i, functionals, chain)
        n = letters.shape[1]
        for part, (level, first) in enumerate(parts(depth)):
            how = {"semiring": functionals.semirings[chain], "decay": functionals.decays[chain]}
            expected = low_rank_increments(letters[first : first + level], **how)[level - 1 :]
            found = values[i, chain, part, level - 1 : n]
            assert np.isnan(values[i, chain, part, n:]).all()
            size = np.abs(letters).max(initial=1.0) ** level * max(n, 1) ** (level - 1)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6 * size**0.5)


def expected_pooling(name, values, threshold, skipped, fade, ring):
    """A pooling of values from its definition."""
    if name == "end":  # of the sum, whose terms the values are
        total = ring.zero
        for value in values:
            total = ring.add(ring.multiply(total, fade), value)
        return total
    return POOLINGS[name].definition(values, threshold, skipped)


@pytest.mark.parametrize("equal", [True, False])
def test_pooled_values_are_those_of_the_definition(equal):
    lengths = np.full(19, 70) if equal else LENGTHS
    X, functionals, n_fine, windows = panel(lengths=lengths), drawn(3), 4, np.array([[0, 4], [0, 2], [3, 4]])
    how, shape = {"shift": SHIFT, "scale": SCALE}, (12, n_parts(3), 3)
    rng = np.random.default_rng(0)
    rows, shares = rng.integers(0, 4, 12), rng.random(shape)
    thresholds = low_rank_thresholds(X, lengths, functionals, rows, shares, **how)
    values = low_rank_values(X, lengths, functionals, **how)
    columns = [("ppv", 0), ("ppv", 1), ("ppv", 2), *[(name, 0) for name in POOLINGS if name != "ppv"]]
    n_columns = len(columns) * len(windows)
    out = np.full((len(X), 12 * n_parts(3) * n_columns), np.nan, np.float64)
    pooled_low_rank(X, lengths, functionals, (columns, thresholds, n_fine, windows), n_threads=2, out=out, **how)
    order = [
        (part, level, chain)
        for wanted in (1, 2, 3)
        for chain in range(12)
        for part, (level, _) in enumerate(parts(3))
        if level == wanted
    ]
    found = out.reshape(len(X), len(order), len(columns), len(windows))
    for place, (part, level, chain) in enumerate(order):
        ring = SEMIRINGS[functionals.semirings[chain]]
        fade = ring.decay_factor(functionals.decays[chain])
        n = lengths[rows[chain]] - functionals.differenced[chain]
        expected = np.quantile(values[rows[chain], chain, part, level - 1 : n], shares[chain, part])
        np.testing.assert_allclose(thresholds[chain, part], expected, rtol=1e-4, atol=1e-5)
        for i in range(len(X)):
            n = lengths[i] - functionals.differenced[chain]
            for v, (low, high) in enumerate(windows):
                first, stop = max(low * n // n_fine, level - 1), high * n // n_fine
                inside = values[i, chain, part, first:stop].astype(np.float64)
                for c, (name, q) in enumerate(columns):
                    expected = 0.0
                    if stop > first:
                        expected = expected_pooling(
                            name, inside, thresholds[chain, part, q], first - low * n // n_fine, fade, ring
                        )
                    np.testing.assert_allclose(found[i, place, c, v], expected, rtol=2e-5, atol=2e-5, err_msg=name)


SETTINGS = {
    "ppv": {},
    "all poolings, windows": {"pooling": tuple(POOLINGS), "windows": ("dyadic", 1), "n_functionals": 5},
    "three semirings, three letters": {"semiring": RINGS, "depth": 3, "n_functionals": 9},
    "own dilations, quantile and decay": {"dilations": (1, 4), "quantiles": 0.5, "decay": 0.2},
    "one letter of one point": {"depth": 1, "n_lags": 1},
    "three given quantiles": {"quantiles": (0.1, 0.5, 0.9), "pooling": ("mpv", "ppv"), "windows": 2},
}


def made(name, **more):
    return LowRankISSTransformer(**{"n_functionals": 20, **SETTINGS[name], **more})


@pytest.mark.parametrize("name", SETTINGS)
def test_a_padded_series_gives_what_it_gives_alone_in_any_order_on_any_threads(name):
    X = padded(ragged())
    iss = made(name).fit(X)
    features = iss.transform(X)
    assert features.shape == (len(X), len(iss.get_feature_names_out()))
    assert len(set(iss.get_feature_names_out())) == features.shape[1]
    assert np.isfinite(features).all()
    for i, series in enumerate(ragged()):
        np.testing.assert_array_equal(iss.transform([series])[0], features[i])
    np.testing.assert_array_equal(made(name, n_jobs=2).fit(X).transform(X[::-1]), features[::-1])


@pytest.mark.parametrize("name", SETTINGS)
def test_what_else_is_transformed_does_not_change_a_bit(name):
    X = panel()[:19]
    iss = made(name).fit(X)
    features = iss.transform(X)
    for i in range(19):
        np.testing.assert_array_equal(iss.transform([X[i, :, : LENGTHS[i]]])[0], features[i])


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_seed_gives_the_same_features_and_another_seed_others(name):
    X = padded(ragged())
    features = made(name).fit_transform(X)
    np.testing.assert_array_equal(clone(made(name)).fit_transform(X), features)
    assert (made(name, random_state=1).fit_transform(X) != features).any()


def test_features_do_not_depend_on_unit_and_origin():
    X = padded(ragged())
    features = made("ppv").fit_transform(X)
    moved = made("ppv").fit_transform(4.0 * X - 8.0)
    assert (np.abs(features - moved) > 1e-6).mean() < 0.01  # a value at its threshold may be rounded to either side


def test_float32_input_gives_float32_features():
    X = padded(ragged())
    low, high = made("ppv").fit_transform(X.astype(np.float32)), made("ppv").fit_transform(X)
    assert (low.dtype, high.dtype) == (np.float32, np.float64)
    assert (np.abs(low - high) > 1e-6).mean() < 0.01


def test_level_one_with_ppv_is_the_rocket_transform():
    X = np.random.default_rng(0).normal(size=(6, 1, 50))
    iss = made("ppv", depth=1, quantiles=1, scale=None).fit(X)
    functionals, features = iss.functionals_, iss.transform(X)
    for chain, i in itertools.product(range(20), range(6)):
        x = np.diff(X[i, 0]) if functionals.differenced[chain] else X[i, 0]
        dilation = functionals.dilations[chain, 0]
        wide = np.zeros(8 * dilation + 1)
        wide[::dilation] = functionals.taps[chain, 0, 0]
        output = np.correlate(np.pad(x, 4 * dilation), wide, mode="valid")
        threshold = iss.thresholds_[chain, 0, 0]
        unsure = (np.abs(output - threshold) < 1e-5).mean()
        assert abs(features[i, chain] - (output > threshold).mean()) <= unsure + 1e-6


def test_what_is_drawn_is_what_is_said():
    functionals = draw_functionals(
        400,
        2,
        12,
        100,
        n_lags=9,
        dilations=None,
        decay=None,
        semirings=("real",),
        random_state=np.random.RandomState(0),
    )
    np.testing.assert_allclose(np.square(functionals.taps).sum(axis=(2, 3)), 1.0, rtol=1e-5)
    sees_level = np.abs(functionals.taps.sum(axis=3)).max(axis=(1, 2)) > 1e-6
    assert (sees_level.mean(), functionals.differenced.mean()) == (0.125, 0.25)
    assert not (sees_level & functionals.differenced).any()
    assert (functionals.dilations.min(), functionals.dilations.max()) == (1, 12)
    assert functionals.reach.max() * 2 < 100
    assert all(len(set(letter)) == 9 for letter in functionals.channels.reshape(-1, 9))
    half_lives = np.log(2) / functionals.decays
    assert half_lives.min() >= 1
    assert half_lives.max() <= 100


def test_given_quantiles_are_those_of_the_values_on_one_series_for_each_chain():
    X, quantiles = padded(ragged())[:1], (0.1, 0.5, 0.9)
    iss = made("ppv", depth=2, quantiles=quantiles).fit(X)
    factors = 1 / np.stack([iss.scale_, iss.difference_scale_])
    lengths = np.isfinite(X[:, 0]).sum(axis=1)
    values = low_rank_values(X, lengths, iss.functionals_, shift=iss.mean_, scale=factors)[0]
    for chain, part in itertools.product(range(20), range(3)):
        own = values[chain, part, part // 2 : lengths[0] - iss.functionals_.differenced[chain]]
        np.testing.assert_allclose(iss.thresholds_[chain, part], np.quantile(own, quantiles), rtol=1e-4, atol=1e-5)
    names = iss.get_feature_names_out()
    assert names[:3].tolist() == ["<1.1>|real|ppv1", "<1.1>|real|ppv2", "<1.1>|real|ppv3"]


def test_random_quantiles_are_from_equal_parts_of_the_distribution():
    X = np.random.default_rng(0).normal(size=(1, 1, 4000))
    iss = made("ppv", depth=1, quantiles=4).fit(X)
    above = iss.transform(X).reshape(20, 4)
    assert ((1 - above) * 4 + 0.01 >= np.arange(4)).all()
    assert ((1 - above) * 4 - 0.01 <= np.arange(1, 5)).all()


BAD = {
    "a semiring without functionals": (
        {"semiring": ("max_times",)},
        "semiring must be of real, max_plus, min_plus, go",
    ),
    "no semiring": ({"semiring": ()}, "semiring must be of real"),
    "no pooling": ({"pooling": ("median",)}, r"pooling must name different ones of end, .* got \('median',\)"),
    "a pooling twice": ({"pooling": ("ppv", "ppv")}, "pooling must name different ones"),
    "a dilation of zero": ({"dilations": (0, 1)}, r"dilations must be whole numbers >= 1, .* got \(0, 1\)"),
    "a broken dilation": ({"dilations": (1.5,)}, "dilations must be whole numbers"),
    "no dilation": ({"dilations": ()}, "dilations must be whole numbers"),
    "too many thresholds": (
        {"quantiles": 99},
        "quantiles must be a number of thresholds from 1 to 4, or as many float",
    ),
    "no threshold": ({"quantiles": 0}, "quantiles must be a number of thresholds from 1 to 4, .* got 0"),
    "too many quantiles": ({"quantiles": (0.1,) * 5}, "quantiles must be a number of thresholds"),
    "a quantile beyond one": ({"quantiles": (0.1, 1.5)}, r"quantiles must be .* floats from 0 to 1, got \(0.1, 1.5\)"),
    "whole numbers among quantiles": ({"quantiles": (0.5, 1)}, r"quantiles must be .* got \(0.5, 1\)"),
    "quantiles of nothing": ({"pooling": "max", "quantiles": 1}, "quantiles is used with pooling='ppv' or 'mpv' or 'm"),
    "epochs of nothing": ({"max_epochs": 3}, "max_epochs is used with fit_mode='supervised' only, got max_epochs=3"),
    "too many for memory": ({"n_functionals": 10**11}, "n_functionals=100000000000, depth=2 would give .* GiB"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_parameters_give_one_clear_sentence(case):
    parameters, message = BAD[case]
    iss = LowRankISSTransformer(**parameters)
    with pytest.raises(ValueError, match=message) as raised:
        iss.fit(padded(ragged()), np.arange(len(ragged())) % 2)
    assert "\n" not in str(raised.value)
    assert not iss.__sklearn_is_fitted__()


@pytest.mark.filterwarnings("ignore:X has more channels:UserWarning")
@pytest.mark.parametrize("n_timepoints", [1, 2, 3, 8])
def test_very_short_and_constant_series_give_finite_features(n_timepoints):
    rng = np.random.default_rng(0)
    for X in (rng.normal(size=(5, 2, n_timepoints)), np.ones((5, 2, n_timepoints))):
        for iss in (made("ppv", depth=1), made("all poolings, windows", depth=1)):
            assert np.isfinite(iss.fit_transform(X)).all()
    if n_timepoints == 1:
        with pytest.raises(ValueError, match="n_timepoints must be at least 2 for functionals of 2 letters, got 1"):
            made("ppv").fit(X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_too_large_for_float32_are_told(dtype):
    X = np.random.default_rng(0).normal(size=(5, 2, 40)).astype(dtype)
    fitted, spiked = made("ppv").fit(X), X.copy()
    spiked[3, 1, 7] = 1e30
    with pytest.raises(ValueError, match="low-rank iterated sums overflow float32: scale the series, lower depth"):
        fitted.transform(spiked)
    scaled = made("ppv").fit_transform(X.astype(np.float64) * 1e200)
    assert (np.abs(scaled - fitted.transform(X)) > 1e-6).mean() < 0.01


def test_sums_too_large_for_float32_are_told():
    X = np.random.default_rng(0).normal(size=(5, 1, 400)).cumsum(axis=2) * 1e7
    with pytest.raises(ValueError, match="low-rank iterated sums overflow float32"):
        made("ppv", depth=4, scale=None, decay=0.0).fit(X).transform(X)


def test_a_long_series_is_as_exact_as_a_short_one():
    X = np.random.default_rng(0).normal(size=(2, 1, 20_000))
    functionals = dataclasses.replace(drawn(2, n_chains=3, decay=0.0), channels=np.zeros((3, 2, 3), int))
    values = low_rank_values(X, np.array([20_000] * 2), functionals, shift=np.zeros(1), scale=np.ones((2, 1)))
    for chain, ring in enumerate(RINGS):
        x = np.diff(X[0]) if functionals.differenced[chain] else X[0]
        taps = functionals.taps[chain].sum(axis=1, keepdims=True).astype(np.float64)
        letters = [delay_letter(x, taps[j], functionals.dilations[chain, j]) for j in range(2)]
        expected = low_rank_increments(np.array(letters), semiring=ring)[1:]
        found = values[0, chain, 2, 1 : x.shape[1]]
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
