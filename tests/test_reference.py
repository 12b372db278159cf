"""The reference against hand values, brute force and the identities of the theory."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
