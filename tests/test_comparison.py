"""Comparisons of classifiers over data sets: ranks, tests, cliques, and the data sets that are shared."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.archive.comparison import cliques, comparisons, holm, mean_ranks, p_values, shared, wins_draws_losses


def test_ranks_and_wins_with_draws():
    accuracy = pd.DataFrame({"a": [0.9, 0.8, 0.5], "b": [0.7, 0.8, 0.6], "c": [0.7, 0.1, 0.7 - 1e-9]})
    assert mean_ranks(accuracy).tolist() == pytest.approx([(1 + 1.5 + 3) / 3, (2.5 + 1.5 + 2) / 3, (2.5 + 3 + 1) / 3])
    assert wins_draws_losses([0.9, 0.8, 0.5, 0.2], [0.7, 0.8 + 1e-9, 0.6, 0.1]) == (2, 1, 1)


def test_p_values():
    """All six differences of one sign: 2 of 2^6 choices of signs are as extreme."""
    one = np.linspace(0.4, 0.9, 6)
    accuracy = pd.DataFrame({"a": one, "b": one - [0.01, 0.02, 0.03, 0.04, 0.05, 0.06], "c": one + 1e-9})
    found = p_values(accuracy)
    assert found.loc["a", "b"] == found.loc["b", "a"] == pytest.approx(2 / 2**6)
    assert found.loc["a", "c"] == found.loc["a", "a"] == 1


def test_holm():
    """0.01 * 4, 0.02 * 3, then 0.03 * 2 and, not below it, 0.04 * 1."""
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.9, 0.6]), [1, 1])
    assert len(holm([])) == 0


@pytest.mark.parametrize(
    ("differing", "expected"),
    [
        ([], [(0, 3)]),
        ([(0, 3)], [(0, 2), (1, 3)]),
        ([(0, 1), (0, 2), (0, 3), (1, 3)], [(1, 2), (2, 3)]),
        ([(0, 2), (1, 2), (0, 3), (1, 3)], [(0, 1), (2, 3)]),
        ([(1, 2)], [(0, 1), (2, 3)]),
        ([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)], []),
    ],
)
def test_cliques(differing, expected):
    different = np.zeros((4, 4), dtype=bool)
    for one, other in differing:
        different[one, other] = different[other, one] = True
    assert cliques(different) == expected


def test_shared_sets():
    """Those that were run come first; a published method that would leave fewer than 3/4 of the sets is left out."""
    nan = np.nan
    accuracy = pd.DataFrame(
        {
            "iss": [0.5, 0.5, 0.5, 0.5, nan],
            "few": [0.5, nan, nan, nan, nan],
            "p, published": [0.5, 0.5, 0.5, nan, 0.5],
            "q, published": [0.5, 0.5, 0.5, 0.5, nan],
        },
        index=list("ABCDE"),
    )
    assert shared(accuracy) == (["iss", "q, published"], list("ABCD"))
    assert shared(accuracy.iloc[:4]) == (["iss", "p, published", "q, published"], list("ABC"))
    found = comparisons(accuracy, dict.fromkeys("ABCDE", "univariate"))
    assert [(one.title, one.n_sets, one.left_out) for one in found] == [("All sets", 5, ("few", "p, published"))]


def test_comparisons():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.5, 0.8, 20)
    accuracy = pd.DataFrame(
        {"worst": base, "best": base + 0.1 + rng.uniform(0, 0.05, 20), "middle": base + np.linspace(0.08, 0.09, 20)}
    )
    found = comparisons(accuracy, {k: "univariate" if k < 12 else "multivariate" for k in range(20)})
    assert [one.title for one in found] == ["All sets", "Multivariate sets", "Univariate sets"]
    assert [len(one.accuracy) for one in found] == [20, 8, 12]
    assert found[0].mean_ranks.to_dict() == {"best": 1, "middle": 2, "worst": 3}
    np.testing.assert_allclose(found[0].corrected.to_numpy()[np.triu_indices(3, 1)], 3 * 2 / 2**20, rtol=0.01)
    assert found[0].cliques == []
