"""Interval features in NumPy: by hand, and by identities of intervals."""

import itertools

import numpy as np
import pytest
from scipy.linalg import expm

from sigfeat import Word
from sigfeat.reference.intervals import interval_developments, interval_features, interval_sum
from sigfeat.reference.iss import iterated_sums
from sigfeat.reference.quasi_shuffle import quasi_shuffle
from tests.test_intervals import WORDS, N, series


def test_an_interval_of_the_definition_by_hand():
    x = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    assert interval_sum(x, "[1][2]", 0, 3) == 1 * 20 + 1 * 30 + 2 * 30
    assert interval_sum(x, "[1,2]", 1, 3) == 2 * 20 + 3 * 30
    assert interval_sum(x, "[1][2]", 1, 2) == 0  # one point is too few for two letters
    assert interval_sum(x, "[1]", 3, 1) == -(2 + 3)
    assert interval_sum(x, "[1][2]", 3, 1) == 3 * 30 + 3 * 20 + 2 * 20


@pytest.mark.parametrize("word", ["[1]", "[1][2]", "[2][1,1][1]", "[1][1][2][1]"])
def test_intervals_fit_together(word):
    """Chen's identity, S(a, c) = S(a, b) S(b, c), in any order of a, b, c."""
    x, letters = series(n=6), Word.parse(word).letters
    for a, b, c in itertools.product((0, 2, 3, 6), repeat=3):
        parts = 0.0
        for k in range(len(letters) + 1):
            left = interval_sum(x, Word(letters[:k]), a, b) if k else 1.0
            right = interval_sum(x, Word(letters[k:]), b, c) if k < len(letters) else 1.0
            parts += left * right
        assert parts == pytest.approx(interval_sum(x, word, a, c), abs=1e-12)


def test_an_interval_from_the_start_is_an_iterated_sum():
    x = series()
    expected = iterated_sums(x[np.newaxis], WORDS)[0]
    for word, values in zip(WORDS[::7], expected[::7], strict=True):
        assert interval_sum(x, word, 0, N) == pytest.approx(values[-1], abs=1e-9)


@pytest.mark.parametrize(("begin", "end"), [(1, 5), (5, 1), (3, 3)])
def test_products_of_intervals_are_quasi_shuffles(begin, end):
    """Forwards and backwards: the inverse is a character of the algebra, too."""
    x, left, right = series(n=6), Word.parse("[1][2]"), Word.parse("[1]")
    total = sum(n * interval_sum(x, word, begin, end) for word, n in quasi_shuffle(left, right).items())
    assert total == pytest.approx(interval_sum(x, left, begin, end) * interval_sum(x, right, begin, end), abs=1e-12)


def test_the_sum_over_all_pairs_by_hand():
    x, taps = np.array([[1.0, 2.0]]), np.array([[[1.0, 10.0, 100.0]], [[1.0, 3.0, 9.0]]])
    # boundaries 0, 1, 2 with S(0), S(1), S(2) = 0, 1, 3; O(t) = sum of f(t - s) g(t - s') (S(s') - S(s))
    first = 1 * 3 * (0 - 1) + 10 * 1 * (1 - 0)
    second = sum(
        (1, 10, 100)[2 - s] * (1, 3, 9)[2 - end] * ((0, 1, 3)[end] - (0, 1, 3)[s])
        for s, end in itertools.product(range(3), repeat=2)
    )
    np.testing.assert_allclose(interval_features(x, "[1]", taps), [first, second])


def test_developments_over_all_pairs_by_hand():
    a, path = np.array([[[0.0, -1.0], [1.0, 0.0]]]), np.array([[0.0], [0.5]])
    taps = np.array([[[1.0, 2.0]], [[3.0, 5.0]]])
    turn = expm(0.5 * a[0])
    second = 3 * np.eye(2) + 2 * 5 * np.eye(2) + 2 * 3 * turn + 1 * 5 * turn.T
    np.testing.assert_allclose(interval_developments(path, a, taps), [3 * np.eye(2), second])
