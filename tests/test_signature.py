"""SignatureTransformer against hand values and the identities of signatures."""

import itertools
import math
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sigfeat import SignatureTransformer
from sigfeat.transformers._iisignature import (
    _count_groups,
    _count_lyndon,
    _patterns,
    check_points,
    preparation_cost,
)

iisignature = pytest.importorskip("iisignature", reason="iisignature is an extra")

pytestmark = pytest.mark.filterwarnings("ignore:X has more channels:UserWarning")  # than time points


def signature(X, **parameters):
    transformer = SignatureTransformer(**parameters).fit(X)
    return dict(zip(transformer.get_feature_names_out(), transformer.transform(X).T, strict=True))


def axis_path(n_channels):
    """One unit along each axis in turn, as one series."""
    return np.triu(np.ones((n_channels, n_channels + 1)), 1)[np.newaxis]


def test_a_straight_line_gives_the_product_of_its_increments_over_a_factorial():
    a, b = 3.0, -2.0
    values = signature(np.array([[[0.0, a / 2, a], [1.0, 1 + b / 2, 1 + b]]]), depth=4)
    assert len(values) == 2 + 4 + 8 + 16
    for k in (1, 2, 3, 4):
        for word in itertools.product((1, 2), repeat=k):
            name = "".join(f"[{c}]" for c in word) + "|signature"
            expected = math.prod({1: a, 2: b}[c] for c in word) / math.factorial(k)
            np.testing.assert_allclose(values[name], [expected], rtol=1e-13)


def test_names_belong_to_their_values():
    values = signature(axis_path(3))
    for word in itertools.product((1, 2, 3), repeat=3):
        in_order = list(word) == sorted(word)
        expected = 1 / math.prod(math.factorial(word.count(c)) for c in (1, 2, 3)) if in_order else 0.0
        found = values["".join(f"[{c}]" for c in word) + "|signature"]
        np.testing.assert_allclose(found, [expected], rtol=1e-13, atol=1e-15)


def test_chen_identity_of_two_windows(rng):
    X = rng.normal(size=(3, 2, 20))
    parts, whole = signature(X, depth=2, windows=2), signature(X, depth=2)
    for a in "12":
        head, tail = parts[f"[{a}]|signature|0/2-1/2"], parts[f"[{a}]|signature|1/2-2/2"]
        np.testing.assert_allclose(head + tail, whole[f"[{a}]|signature"], rtol=1e-12)
        for b in "12":
            word = f"[{a}][{b}]|signature"
            total = parts[f"{word}|0/2-1/2"] + parts[f"{word}|1/2-2/2"] + head * parts[f"[{b}]|signature|1/2-2/2"]
            np.testing.assert_allclose(total, whole[word], rtol=1e-12)


def test_a_product_of_signatures_is_the_sum_over_shuffles(rng):
    values = signature(rng.normal(size=(3, 2, 20)), depth=3)
    product = values["[1][2]|signature"] * values["[1]|signature"]
    np.testing.assert_allclose(
        product, 2 * values["[1][1][2]|signature"] + values["[1][2][1]|signature"], rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("kind", ["signature", "logsignature"])
def test_reparametrisation_and_translation_change_nothing(rng, kind):
    X = rng.normal(size=(2, 3, 10))
    slow = np.repeat(X, 3, axis=2) + 5.0
    transformer = SignatureTransformer(kind=kind).fit(X)
    np.testing.assert_allclose(transformer.transform(slow), transformer.transform(X), rtol=1e-10, atol=1e-12)


def test_logsignature_of_a_line_is_its_increment():
    values = signature(np.outer([2.0, -1.0, 0.5], np.linspace(0, 1, 5))[np.newaxis], kind="logsignature")
    for c, increment in ((1, 2.0), (2, -1.0), (3, 0.5)):
        np.testing.assert_allclose(values.pop(f"[{c}]|logsignature"), [increment], rtol=1e-13)
    np.testing.assert_allclose(list(values.values()), 0, atol=1e-14)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_logsignature_of_two_lines_is_the_series_of_baker_campbell_hausdorff(depth):
    expected = {"[1]": 1, "[2]": 1, "[[1],[2]]": 1 / 2, "[[1],[[1],[2]]]": 1 / 12, "[[[1],[2]],[2]]": 1 / 12}
    values = signature(axis_path(2), kind="logsignature", depth=depth)
    assert list(values) == [f"{name}|logsignature" for name in expected][: (2, 3, 5)[depth - 1]]
    np.testing.assert_allclose([v[0] for v in values.values()], list(expected.values())[: len(values)], rtol=1e-13)


@pytest.mark.parametrize(("n_channels", "depth"), [(2, 8), (3, 5), (9, 3)])
def test_brackets_are_those_of_iisignature(n_channels, depth):
    X = np.zeros((1, n_channels, 2))
    names = SignatureTransformer(kind="logsignature", depth=depth).fit(X).get_feature_names_out()
    expected = iisignature.basis(iisignature.prepare(n_channels, depth, "S"))
    plain = [name.removesuffix("|logsignature") for name in names]
    for c in range(1, n_channels + 1):
        plain = [name.replace(f"[{c}]", str(c)) for name in plain]
    assert plain == list(expected)


def test_brackets_name_channels_beyond_nine():
    values = signature(axis_path(12), kind="logsignature", depth=2)
    assert len(values) == 12 + 12 * 11 // 2
    np.testing.assert_allclose(values["[[10],[12]]|logsignature"], [0.5])


def test_one_channel_has_a_logsignature_too(rng):
    X = rng.normal(size=(4, 1, 9))
    values = signature(X, kind="logsignature", depth=3)
    assert list(values) == ["[1]|logsignature"]
    np.testing.assert_allclose(values["[1]|logsignature"], X[:, 0, -1] - X[:, 0, 0])


@pytest.mark.parametrize("kind", ["signature", "logsignature"])
def test_windows_follow_the_own_length_of_each_series(rng, kind):
    series = [rng.normal(size=(2, length)) for length in (9, 4, 9, 17)]
    transformer = SignatureTransformer(kind=kind, depth=2, windows=("dyadic", 1)).fit(series)
    names = [name.split("|")[2] for name in transformer.get_feature_names_out()[:3]]
    assert names == ["0/1-1/1", "0/2-1/2", "1/2-2/2"]
    together = transformer.transform(series)
    for i, one in enumerate(series):
        half = one.shape[1] // 2
        np.testing.assert_array_equal(together[i], transformer.transform(one[np.newaxis])[0])
        for w, part in enumerate((one, one[:, :half], one[:, half - 1 :])):
            alone = SignatureTransformer(kind=kind, depth=2).fit_transform(part[np.newaxis])[0]
            np.testing.assert_allclose(together[i, w::3], alone, rtol=1e-12, atol=1e-14)


def test_a_window_without_an_increment_has_only_zeros():
    values = signature(np.array([[[0.0, 1.0, 3.0]]]), depth=1, windows=4)  # points 0, 1, 2 are in windows 2, 3, 4
    assert [value[0] for value in values.values()] == [0.0, 0.0, 1.0, 2.0]


@pytest.mark.parametrize("kind", ["signature", "logsignature"])
def test_float32_is_computed_in_float64(rng, kind):
    X = rng.normal(size=(5, 3, 200)).cumsum(axis=2).astype(np.float32)
    single = SignatureTransformer(kind=kind, depth=4).fit_transform(X)
    assert single.dtype == np.float32
    double = SignatureTransformer(kind=kind, depth=4).fit_transform(X.astype(np.float64))
    np.testing.assert_array_equal(single, double.astype(np.float32))


@pytest.mark.parametrize("kind", ["signature", "logsignature"])
def test_batches_do_not_change_the_features(rng, monkeypatch, kind):
    X = rng.normal(size=(7, 2, 9))
    expected = SignatureTransformer(kind=kind).fit_transform(X)
    monkeypatch.setattr("sigfeat.transformers.signature.BATCH_BYTES", 8 * (9 * 2 + 14) * 3)
    np.testing.assert_array_equal(SignatureTransformer(kind=kind).fit_transform(X), expected)


@pytest.mark.parametrize(("n_channels", "depth"), [(257, 3), (1626, 2), (85, 4), (216, 3), (10, 1000), (2, 10**9)])
@pytest.mark.parametrize("kind", ["signature", "logsignature"])
def test_more_words_than_iisignature_can_count_are_refused_at_once(kind, n_channels, depth):
    formula = r"n_channels \*\* \(depth \+ 1\)"
    if kind == "logsignature" and depth == 2:
        n_channels, formula = 46341, r"n_channels \* \(n_channels \+ 1\)"
    with pytest.raises(
        ValueError,
        match=rf'{formula} must be at most 2147483647 for SignatureTransformer with kind="{kind}" because .*got .* '
        rf"for n_channels={n_channels}, depth={depth}: lower the depth",
    ):
        SignatureTransformer(kind=kind, depth=depth).fit(np.zeros((1, n_channels, 2)))


@pytest.mark.parametrize(("n_channels", "depth"), [(1290, 2), (2, 20)])
def test_the_largest_signatures_that_iisignature_can_count(n_channels, depth):
    values = SignatureTransformer(depth=depth).fit_transform(np.ones((1, n_channels, 2)).cumsum(axis=2))
    assert values.shape == (1, sum(n_channels**k for k in range(1, depth + 1)))
    np.testing.assert_allclose(values[0, [0, -1]], [1, 1 / math.factorial(depth)])


def test_values_of_a_series_beyond_32_bits_are_refused():
    check_points(2, 2**30 - 1)
    with pytest.raises(
        ValueError, match=r"n_channels \* n_timepoints must be at most 2147483647 .* got 2 \* 1073741824"
    ):
        check_points(2, 2**30)


def test_signatures_too_large_for_memory_are_refused_at_fit(monkeypatch):
    monkeypatch.setattr("sigfeat.transformers._contract.memory.available_memory", lambda: 2**28)
    with pytest.raises(
        ValueError, match=r"depth=3 would give 1\.0101\d*e\+6 features for each of 2 series, .* to work in"
    ):
        SignatureTransformer().fit(np.zeros((2, 100, 3)))


@pytest.mark.parametrize(
    ("n_channels", "depth", "found"), [(40, 3, 0.3), (90, 3, 21), (30, 4, 17), (3, 12, 19), (5, 9, 9)]
)
def test_the_cost_of_a_preparation_is_about_what_was_measured(n_channels, depth, found):
    assert found / 3 < preparation_cost(n_channels, depth)[0] < 3 * found


def test_patterns_of_letters_give_all_lyndon_words():
    for n_channels, depth in ((2, 9), (3, 6), (5, 4)):
        counted = n_channels + sum(
            _count_groups(pattern, n_channels) * _count_lyndon(pattern)
            for level in range(2, depth + 1)
            for pattern in _patterns(level, n_channels)
        )
        assert counted == iisignature.logsiglength(n_channels, depth)


def test_a_long_preparation_is_announced_before_it_begins(monkeypatch):
    X, asked = np.zeros((1, 120, 2)), []

    def prepare(*arguments):
        asked.append(arguments)
        raise InterruptedError

    monkeypatch.setattr(iisignature, "prepare", prepare)
    transformer = SignatureTransformer(3, kind="logsignature").fit(X)
    with (
        pytest.warns(
            UserWarning, match=r"n_channels=120, depth=3 takes about \d minutes and .* GiB, once .* lower the depth"
        ),
        pytest.raises(InterruptedError),
    ):
        transformer.transform(X)
    assert asked == [(120, 3, "S")]


@pytest.mark.parametrize(("n_channels", "depth"), [(215, 3), (70, 4), (2, 29)])
def test_preparations_of_hours_are_refused(n_channels, depth):
    message = rf"n_channels={n_channels}, depth={depth} would take about \d+ (hours|days) and .* 60 minutes are"
    with pytest.raises(ValueError, match=message):
        SignatureTransformer(depth, kind="logsignature").fit(np.zeros((1, n_channels, 2)))


def test_preparations_too_large_for_memory_are_refused(monkeypatch):
    monkeypatch.setattr("sigfeat.transformers._iisignature.available_memory", lambda: 2**30)
    with pytest.raises(
        ValueError, match=r"depth=18 would take about .* seconds and .* GiB, but 1 GiB of memory are avail"
    ):
        SignatureTransformer(18, kind="logsignature").fit(np.zeros((1, 2, 2)))


def test_overflow_is_one_sentence():
    X = np.array([[[0.0, 1e30]]], dtype=np.float32)
    with pytest.raises(ValueError, match="a signature of depth 3 overflows float32: scale the series or lower depth"):
        SignatureTransformer().fit(X).transform(X)


def test_a_single_point_is_no_path():
    with pytest.raises(ValueError, match=r"n_timepoints must be at least 2 for a signature, got 1 .* in series 1"):
        SignatureTransformer().fit([np.zeros((2, 3)), np.zeros((2, 1))])


def test_a_refused_fit_leaves_nothing_fitted():
    X, fresh = np.zeros((1, 1, 1)), SignatureTransformer()
    with pytest.raises(ValueError, match="n_timepoints must be at least 2"):
        fresh.fit(X)
    with pytest.raises(NotFittedError):
        fresh.transform(X)


def test_logsignatures_of_depth_2_take_very_many_channels():
    X = np.zeros((1, 256, 2))
    assert SignatureTransformer(2, kind="logsignature").fit_transform(X).shape == (1, 256 + 256 * 255 // 2)


def test_without_iisignature_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "iisignature", None)
    with pytest.raises(ImportError, match="pip install numpy .* --no-build-isolation --no-cache-dir iisignature"):
        SignatureTransformer().fit(np.zeros((1, 2, 3)))
