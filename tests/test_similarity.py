"""Measures of similarity against values by hand, brute force and other formulas, and what they are blind to."""

import itertools

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import squareform
from scipy.stats import ortho_group, spearmanr
from sklearn.cross_decomposition import CCA

from benchmarks.similarity import (
    MEASURES,
    _directions,
    _gaussian,
    _hsic,
    at_random,
    compare,
    layer_map,
    linear_cka,
    mutual_knn,
    procrustes,
    pwcca,
    rsa,
    svcca,
)

CCA_MEASURES = ("SVCCA", "PWCCA")


@pytest.fixture
def sides(rng):
    """Two representations that share some of what they say."""
    shared = rng.normal(size=(60, 3))
    return (shared @ rng.normal(size=(3, p)) + 0.5 * rng.normal(size=(60, p)) for p in (5, 8))


def test_hsic_is_the_mean_over_all_quadruples_of_samples(rng):
    """Song et al., 2012: of h(i, j, q, r) = K_ij (L_ij + L_qr - 2 L_iq), all indices different."""
    n = 6
    kernels = [squareform(rng.normal(size=n * (n - 1) // 2)) for _ in range(2)]
    k, other = kernels
    terms = [
        k[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q]) for i, j, q, r in itertools.permutations(range(n), 4)
    ]
    assert _hsic(k, other) / (n * (n - 3)) == pytest.approx(np.mean(terms), rel=1e-12)


def test_kernel_of_points_on_a_line():
    """Squared distances 1, 1, 4, 4, 9 and 16, so that the median one is 4."""
    x = np.array([[0.0], [1.0], [2.0], [4.0]])
    by_hand = np.exp(-np.array([[0, 1, 4, 16], [1, 0, 1, 9], [4, 1, 0, 4], [16, 9, 4, 0]]) / (2 * 4))
    np.testing.assert_allclose(_gaussian(x, 1.0) + np.eye(4) * (1 - np.diag(_gaussian(x, 1.0))), by_hand, rtol=1e-12)
    wide = np.exp(-np.array([1, 1, 4]) / (2 * 4 * 9))
    np.testing.assert_allclose([_gaussian(x, 3.0)[k] for k in ((0, 1), (1, 2), (0, 2))], wide, rtol=1e-12)


def test_cka_from_the_estimator(sides):
    x, y = (side - side.mean(axis=0) for side in sides)
    kernels = [side @ side.T * (1 - np.eye(60)) for side in (x, y)]
    expected = _hsic(*kernels) / np.sqrt(_hsic(kernels[0], kernels[0]) * _hsic(kernels[1], kernels[1]))
    assert linear_cka(x + 3, y - 5) == pytest.approx(expected, rel=1e-10)
    assert 0.3 < expected < 0.95


def test_procrustes_is_what_the_best_rotation_leaves(sides):
    x, y = (side - side.mean(axis=0) for side in sides)
    x = np.pad(x, [(0, 0), (0, 3)])
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    rotation, _ = orthogonal_procrustes(x, y)
    assert procrustes(x, y) == pytest.approx(1 - np.sum((x @ rotation - y) ** 2) / 2, rel=1e-12)


def test_rsa_of_points_on_lines():
    """Distances 1, 3, 2 against 1, 2, 1: ranks 1, 3, 2 against 1.5, 3, 1.5."""
    found = rsa(np.array([[0.0], [1.0], [3.0]]), np.array([[0.0], [1.0], [2.0]]))
    assert found == pytest.approx(np.sqrt(3) / 2)
    assert found == pytest.approx(spearmanr([1, 3, 2], [1, 2, 1]).statistic)


def test_neighbours_on_lines():
    """One neighbour each: 0-1, 1-0, 2-3, 3-2 and on the other line 0-1, 1-0, 2-1, 3-0."""
    x, y = np.array([[0.0], [1.0], [5.0], [6.0]]), np.array([[0.0], [1.0], [3.0], [-5.0]])
    assert mutual_knn(x, y, 1) == 0.5
    assert mutual_knn(x, y, 100) == 0.5  # a quarter of four samples


def test_canonical_correlations(rng):
    """One direction in common, of correlation 1 / sqrt(1 + 1); the others have none in a large sample."""
    x, y = rng.normal(size=(2, 40_000, 2))
    y[:, 0] += x[:, 0]
    assert svcca(x, y, variance=1.0) == pytest.approx(np.sqrt(0.5) / 2, abs=0.01)


def test_canonical_correlations_of_scikit_learn(sides):
    x, y = sides
    first, second = CCA(n_components=5, max_iter=5000, tol=1e-12).fit_transform(x, y)
    correlations = [np.corrcoef(first[:, k], second[:, k])[0, 1] for k in range(5)]
    assert svcca(x, y, variance=1.0) == pytest.approx(np.mean(correlations), rel=1e-6)
    weights = np.abs((first / np.linalg.norm(first, axis=0)).T @ (x - x.mean(axis=0))).sum(axis=1)
    assert pwcca(x, y) == pytest.approx(weights @ correlations / weights.sum(), rel=1e-6)


def test_leading_components():
    """Variances 9 and 1: the first component alone holds 90 percent."""
    rng = np.random.default_rng(0)
    x = np.linalg.qr(rng.normal(size=(50, 2)) - 0)[0]
    x = x - x.mean(axis=0)
    x = np.linalg.svd(x, full_matrices=False)[0] * [3.0, 1.0]
    assert _directions(x, 0.89).shape == (50, 1)
    assert _directions(x, 0.91).shape == (50, 2)
    assert _directions(np.hstack([x, x]), 1.0).shape == (50, 2)


# ------------------------------------------------------------------------------------------------- contract


@pytest.mark.parametrize("name", MEASURES)
def test_identical_is_one(name, sides):
    x, _ = sides
    assert MEASURES[name](x, x) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", MEASURES)
def test_blind_to_rotation_scale_and_shift(name, sides, rng):
    x, y = sides
    turn = ortho_group.rvs(5, random_state=rng) if name != "PWCCA" else np.eye(5)  # which weighs by components of x
    turned = -3 * x @ turn + rng.normal(size=5)
    assert MEASURES[name](turned, x) == pytest.approx(1, abs=1e-9)
    assert MEASURES[name](turned, y) == pytest.approx(MEASURES[name](x, y), rel=1e-8)
    assert MEASURES[name](y, turned) == pytest.approx(MEASURES[name](y, x), rel=1e-8)


@pytest.mark.parametrize("name", sorted(set(MEASURES) - {"PWCCA"}))  # which weighs by its first side
def test_symmetric(name, sides):
    x, y = sides
    assert MEASURES[name](x, y) == pytest.approx(MEASURES[name](y, x), rel=1e-10)


def test_correlations_are_blind_to_any_linear_map(sides, rng):
    x, y = sides
    mapped = y @ rng.normal(size=(8, 8))
    assert svcca(x, mapped, variance=1.0) == pytest.approx(svcca(x, y, variance=1.0), rel=1e-8)
    assert pwcca(x, mapped) == pytest.approx(pwcca(x, y), rel=1e-8)
    assert linear_cka(x, mapped) != pytest.approx(linear_cka(x, y), rel=1e-2)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("n_components", [4, 12, 64])
def test_independent_is_at_the_level_of_chance(name, n_components):
    """Of 40 samples; with 64 components each, any could be turned to the other, and CCA is not asked."""
    rng = np.random.default_rng(1)
    draws = [rng.normal(size=(2, 40, n_components)) for _ in range(20)]
    found = [MEASURES[name](x, y) for x, y in draws]
    chance = [at_random(MEASURES[name], x, y, n_draws=3) for x, y in draws]
    if name in CCA_MEASURES and n_components == 64:
        assert np.isnan(found).all()
        assert np.isnan(chance).all()
        return
    assert np.mean(found) == pytest.approx(np.mean(chance), abs=0.05)
    if "CKA" in name or name == "RSA":
        assert abs(np.mean(found)) < 0.05
    if name == "mutual kNN":
        assert np.mean(found) == pytest.approx(10 / 39, abs=0.05)


def test_plain_cka_is_not_at_the_level_of_chance(rng):
    """That is why ours is debiased."""
    x, y = rng.normal(size=(2, 40, 64))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    plain = np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    assert plain > 0.5
    assert abs(linear_cka(x, y)) < 0.2


@pytest.mark.parametrize("name", MEASURES)
def test_nothing_to_tell(name, rng):
    constant = np.ones((20, 3))
    found = MEASURES[name](constant, rng.normal(size=(20, 3)))
    assert np.isnan(found) or name == "mutual kNN"


@pytest.mark.parametrize("name", MEASURES)
def test_few_samples(name, rng):
    x, y = rng.normal(size=(2, 2, 3))
    assert np.isnan(MEASURES[name](x, y)) or name == "Procrustes"


@pytest.mark.parametrize("name", MEASURES)
def test_columns_that_say_the_same(name, sides):
    x, y = sides
    twice = np.hstack([x, x]) / np.sqrt(2)
    assert MEASURES[name](twice, y) == pytest.approx(MEASURES[name](x, y), rel=1e-6)


def test_compare_and_layers(sides):
    x, y = sides
    found = compare(x, y)
    assert list(found) == list(MEASURES)
    assert found["RSA"] == {"value": rsa(x, y), "random": at_random(rsa, x, y)}
    np.testing.assert_allclose(
        layer_map([x, y], [x, y, x]), [[1, linear_cka(x, y), 1], [linear_cka(y, x), 1, linear_cka(y, x)]]
    )


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (np.ones(3), np.ones((3, 1)), r"x must have shape \(n_samples, n_components\), got \(3,\)"),
        (np.ones((3, 1)), np.ones((4, 1)), "x and y must have the same number of rows, got 3 and 4"),
        (np.ones((3, 1)), np.full((3, 1), np.nan), "y must be finite, got NaN or infinity"),
    ],
)
def test_wrong_representations(name, x, y, sentence):
    with pytest.raises(ValueError, match=sentence):
        MEASURES[name](x, y)
