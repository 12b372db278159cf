"""The reference against hand values, brute force and the identities of the theory."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigfeat.reference.development import development
from sigfeat.reference.iss import iterated_sums
from sigfeat.reference.quasi_shuffle import hoffman_exponential, quasi_shuffle
from sigfeat.semirings import SEMIRINGS
from sigfeat.words import Word, words_of_length, words_of_weight
from tests.oracles import iterated_sum
from tests.strategies import series, words
from tests.tolerances import EXACT


def end(x, chosen, **kwargs):
    return iterated_sums(x[np.newaxis], chosen, **kwargs)[0, :, -1]


def test_hand_values():
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(
        end(x, ["[1]", "[1,2]", "[1][2]", "[2][1]", "[1][1][1]"]), [6, 32, 1 * 11 + 2 * 6, 4 * 5 + 5 * 3, 6]
    )
    np.testing.assert_array_equal(end(x, ["[1][2]"], strict=False), [1 * 15 + 2 * 11 + 3 * 6])
    np.testing.assert_array_equal(end(x, ["[1][2]", "[2][1]"], semiring="max_plus"), [8, 8])
    np.testing.assert_array_equal(end(x, ["[1][2]", "[2][1]"], semiring="min_plus"), [6, 6])
    np.testing.assert_array_equal(end(x, ["[1][2]"], semiring="max_times"), [12])
    np.testing.assert_allclose(end(x, ["[1]"], decay=np.log(2)), [0.25 + 1 + 3], rtol=1e-15)


@pytest.mark.parametrize("name", SEMIRINGS)
@pytest.mark.parametrize("strict", [True, False])
@given(x=series(min_timepoints=1, max_timepoints=6), word=words(), decay=st.sampled_from([0.0, 0.7]))
def test_brute_force(name, strict, x, word, decay):
    x = np.abs(x) if SEMIRINGS[name].non_negative else x
    expected = iterated_sum(x, word.letters, name, strict, decay)
    np.testing.assert_allclose(end(x, [word], semiring=name, strict=strict, decay=decay), [expected], **EXACT)


@given(x=series(), left=words(max_length=2), right=words(max_length=2))
def test_quasi_shuffle_identity(x, left, right):
    product = quasi_shuffle(left, right)
    total = end(x, list(product)) @ np.array(list(product.values()), float)
    scale = np.abs(end(np.abs(x), list(product))) @ np.array(list(product.values()), float)
    values = end(x, [left, right])
    assert abs(total - values[0] * values[1]) <= 1e-12 * scale


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", SEMIRINGS)
@given(x=series(min_timepoints=2), word=words(), cut=st.integers(1, 7))
def test_chen_identity(name, strict, x, word, cut):
    ring, cut = SEMIRINGS[name], min(cut, x.shape[1] - 1)
    x = np.abs(x) if ring.non_negative else x
    expected = end(x, [word], semiring=name, strict=strict)[0]
    total = ring.zero
    for k in range(word.length + 1):
        head = end(x[:, :cut], [Word(word.letters[:k])], semiring=name, strict=strict)[0] if k else ring.one
        tail = (
            end(x[:, cut:], [Word(word.letters[k:])], semiring=name, strict=strict)[0] if k < word.length else ring.one
        )
        total = ring.add(total, ring.multiply(head, tail))
    np.testing.assert_allclose(total, expected, rtol=1e-12, atol=1e-12)


@given(x=series(), word=words(), places=st.lists(st.integers(0, 8), max_size=4))
def test_time_warp_invariance(x, word, places):
    """Repeating a value of the path adds a zero increment, which changes no sum."""
    warped = np.insert(x, [min(place, x.shape[1]) for place in places], 0.0, axis=1)
    np.testing.assert_allclose(end(warped, [word]), end(x, [word]), **EXACT)


def test_full_basis_is_closed_under_products():
    basis = set(words_of_weight(2, 3))
    for left, right in itertools.product(words_of_weight(2, 1), words_of_weight(2, 2)):
        assert set(quasi_shuffle(left, right)) <= basis


@pytest.mark.external
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_hoffman_exponential_of_increments_is_the_signature(depth):
    iisignature = pytest.importorskip("iisignature", reason="iisignature is an extra")
    path = np.random.default_rng(depth).normal(size=(20, 3))
    increments = np.diff(path, axis=0).T
    level = []
    for word in words_of_length(3, depth):
        terms = hoffman_exponential(word)
        level.append(end(increments, list(terms)) @ np.array(list(terms.values()), float))
    expected = iisignature.sig(path, depth)[-(3**depth) :]
    np.testing.assert_allclose(level, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


# ------------------------------------------------------------------------------------------------ developments

ROTATION = np.array([[[0.0, -1.0], [1.0, 0.0]]])
SKEW = np.array([[[0, -1, 2], [1, 0, -0.5], [-2, 0.5, 0]], [[0, 0.3, 0], [-0.3, 0, -1], [0, 1, 0]]])


def letters_of(word, n_channels):
    """A_c = sum over j with w_j = c of E_{j,j+1}: the development's upper right entry is the signature's at w."""
    algebra = np.zeros((n_channels, len(word) + 1, len(word) + 1))
    for j, channel in enumerate(word):
        algebra[channel, j, j + 1] = 1.0
    return algebra


@given(x=series(n_channels=1))
def test_development_in_so2_rotates_by_the_path(x):
    angle = x[0] - x[0, 0]
    expected = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    np.testing.assert_allclose(development(x.T, ROTATION), expected, **EXACT)


@given(x=series(n_channels=1))
def test_development_in_u1_is_a_phase(x):
    developed = development(x.T, np.array([[[1j]]]))
    assert developed.dtype == np.complex128
    np.testing.assert_allclose(developed[:, 0, 0], np.exp(1j * (x[0] - x[0, 0])), **EXACT)


@pytest.mark.parametrize(
    ("points", "integral"),
    [([(2, 0), (2, 3)], 6.0), ([(0, 3), (2, 3)], 0.0), ([(2, 3)], 3.0), ([(1, 0), (1, 3), (2, 3)], 3.0)],
    ids=["channel 1 first", "channel 2 first", "straight", "steps"],
)
def test_development_in_the_heisenberg_group(points, integral):
    path = np.array([(0, 0), *points], dtype=float)
    expected = [[1, 2, integral], [0, 1, 3], [0, 0, 1]]
    np.testing.assert_allclose(development(path, letters_of((0, 1), 2))[-1], expected, rtol=1e-15)


@given(x=series(min_timepoints=2), cut=st.integers(0, 7))
def test_development_of_joined_paths_is_the_product(x, cut):
    path, cut = x.T, min(cut, x.shape[1] - 1)
    whole, head, tail = (development(part, SKEW) for part in (path, path[: cut + 1], path[cut:]))
    np.testing.assert_allclose(whole, np.concatenate([head[:-1], head[-1] @ tail]), rtol=1e-12, atol=1e-12)


@given(x=series(min_timepoints=2), shares=st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_development_does_not_see_the_speed(x, shares):
    path = x.T
    on_first_segment = [path[0] + share * (path[1] - path[0]) for share in sorted(shares)]
    slower = np.concatenate([path[:1], on_first_segment, path[1:]])
    np.testing.assert_allclose(development(slower, SKEW)[-1], development(path, SKEW)[-1], rtol=1e-12, atol=1e-12)


@pytest.mark.external
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_development_in_the_unipotent_group_is_the_signature(depth):
    iisignature = pytest.importorskip("iisignature", reason="iisignature is an extra")
    path = np.random.default_rng(depth).normal(size=(20, 3))
    words = itertools.product(range(3), repeat=depth)
    level = [development(path, letters_of(word, 3))[-1, 0, -1] for word in words]
    expected = iisignature.sig(path, depth)[-(3**depth) :]
    np.testing.assert_allclose(level, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
