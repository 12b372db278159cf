"""How alike two representations of the same series are."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata
from sklearn.neighbors import NearestNeighbors

Array = np.ndarray
RANK = 1e-10  # fraction of the largest singular value below which another one is a rounding error
NEIGHBORS = 10


def linear_cka(x: Array, y: Array) -> float:
    """Linear centred kernel alignment, debiased.

    Parameters
    ----------
    x, y : ndarray of shape (n_samples, p) and (n_samples, q)
        Representations, a row for each sample.

    Returns
    -------
    similarity : float
        HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) with K = x x', L = y y': 1 for x and y that are equal but for rotation,
        shift and scale; about 0 for independent ones, however few the samples. NaN for fewer than 4, and where all
        samples are the same.

    References
    ----------
    .. [1] Kornblith et al., "Similarity of neural network representations revisited", 2019, arXiv:1905.00414.
    .. [2] Song et al., "Feature selection via dependence maximization", 2012, section 3.2: the unbiased estimator.
    """
    x, y = (_centred(side) for side in _checked(x, y))
    return _alignment(x @ x.T, y @ y.T)


def rbf_cka(x: Array, y: Array, bandwidth: float = 1.0) -> float:
    """Centred kernel alignment of Gaussian kernels, debiased; see `linear_cka`.

    Parameters
    ----------
    x, y : ndarray of shape (n_samples, p) and (n_samples, q)
        Representations, a row for each sample.
    bandwidth : float, default=1.0
        Of each kernel, in units of the median distance between two rows.
    """
    x, y = _checked(x, y)
    return _alignment(_gaussian(x, bandwidth), _gaussian(y, bandwidth))


def procrustes(x: Array, y: Array) -> float:
    """Orthogonal Procrustes similarity: the nuclear norm of x'y, both centred and of Frobenius norm 1.

    It is 1 - d^2 / 2 where d is the distance that the best rotation leaves. Few samples of many components
    can always be turned to each other: compare with `at_random`. NaN where all samples are the same.

    References
    ----------
    .. [1] Williams et al., "Generalized shape metrics on neural representations", 2021, arXiv:2110.14739.
    """
    x, y = (_centred(side) for side in _checked(x, y))
    size = np.linalg.norm(x) * np.linalg.norm(y)
    return float(np.linalg.norm(x.T @ y, ord="nuc") / size) if size else np.nan


def rsa(x: Array, y: Array) -> float:
    """Representational similarity analysis: Spearman's correlation of the distances between samples.

    NaN for fewer than 3 samples, and where all distances are the same.

    References
    ----------
    .. [1] Kriegeskorte et al., "Representational similarity analysis", 2008, doi:10.3389/neuro.06.004.2008.
    """
    x, y = _checked(x, y)
    ranks = [rankdata(pdist(side)) for side in (x, y)]
    first, second = (rank - rank.mean() for rank in ranks)
    size = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / size) if size else np.nan


def mutual_knn(x: Array, y: Array, n_neighbors: int = NEIGHBORS) -> float:
    """Mean fraction of the nearest neighbours in x that are nearest neighbours in y as well.

    Chance is n_neighbors / (n_samples - 1). At most a quarter of the samples count as neighbours. NaN for fewer than 3.

    References
    ----------
    .. [1] Huh et al., "The platonic representation hypothesis", 2024, arXiv:2405.07987.
    """
    x, y = _checked(x, y)
    if len(x) < 3:
        return np.nan
    k = min(n_neighbors, max(1, len(x) // 4))
    first, second = (NearestNeighbors(n_neighbors=k).fit(side).kneighbors(return_distance=False) for side in (x, y))
    return float(np.mean([len(np.intersect1d(*pair)) / k for pair in zip(first, second, strict=True)]))


def svcca(x: Array, y: Array, variance: float = 0.99) -> float:
    """Mean canonical correlation of the principal components that explain a fraction of the variance.

    NaN unless there are more samples than components kept of both together: with fewer, some always
    agree. Independent representations have more than 0 even so: compare with `at_random`.

    References
    ----------
    .. [1] Raghu et al., "SVCCA", 2017, arXiv:1706.05806.
    """
    x, y = _checked(x, y)
    first, second = _directions(x, variance), _directions(y, variance)
    return float(np.mean(_correlations(first, second)[1])) if _can_be_told(first, second) else np.nan


def pwcca(x: Array, y: Array) -> float:
    """Mean canonical correlation, weighted by how much of x each canonical direction accounts for.

    Not symmetric, and blind to rotations of y only. NaN unless there are more samples than dimensions of both together.

    References
    ----------
    .. [1] Morcos et al., "Insights on representational similarity in neural networks with canonical correlation", 2018,
       arXiv:1806.05759.
    """
    x, y = _checked(x, y)
    first, second = _directions(x), _directions(y)
    if not _can_be_told(first, second):
        return np.nan
    canonical, correlations = _correlations(first, second)
    weights = np.abs(canonical.T @ _centred(x)).sum(axis=1)
    return float(weights @ correlations / weights.sum())


MEASURES: dict[str, Callable[[Array, Array], float]] = {
    "linear CKA": linear_cka,
    "RBF CKA": rbf_cka,
    "Procrustes": procrustes,
    "RSA": rsa,
    "mutual kNN": mutual_knn,
    "SVCCA": svcca,
    "PWCCA": pwcca,
}


def at_random(measure: Callable[[Array, Array], float], x: Array, y: Array, n_draws: int = 20, seed: int = 0) -> float:
    """Mean of a measure over random pairings of the rows: its level of chance for the same spectra and sample size."""
    x, y = _checked(x, y)
    rng = np.random.default_rng(seed)
    return float(np.mean([measure(x, y[rng.permutation(len(y))]) for _ in range(n_draws)]))


def compare(x: Array, y: Array) -> dict[str, dict[str, float]]:
    """Of each of `MEASURES`, its "value" and its level of chance, "random"."""
    return {name: {"value": measure(x, y), "random": at_random(measure, x, y)} for name, measure in MEASURES.items()}


def layer_map(left: Sequence[Array], right: Sequence[Array]) -> Array:
    """Linear CKA of each layer of one encoder (rows) with each of another (columns)."""
    return np.array([[linear_cka(x, y) for y in right] for x in left])


def _checked(x, y):
    sides = [np.asarray(side, dtype=float) for side in (x, y)]
    for name, side in zip("xy", sides, strict=True):
        if side.ndim != 2 or not side.size:
            raise ValueError(f"{name} must have shape (n_samples, n_components), got {side.shape}")
        if not np.isfinite(side).all():
            raise ValueError(f"{name} must be finite, got NaN or infinity")
    if len(sides[0]) != len(sides[1]):
        raise ValueError(f"x and y must have the same number of rows, got {len(sides[0])} and {len(sides[1])}")
    return sides


def _centred(x):
    """Columns without their means; exactly zero where there is only rounding."""
    centred = x - x.mean(axis=0)
    return np.where(np.ptp(x, axis=0) > 0, centred, 0.0)


def _gaussian(x, bandwidth):
    squares = pdist(x, "sqeuclidean")
    unit = bandwidth**2 * np.median(squares)
    return squareform(np.exp(-squares / (2 * unit))) if unit else np.ones((len(x), len(x)))


def _alignment(left, right):
    if len(left) < 4:
        return np.nan
    left, right = (kernel - np.diag(np.diag(kernel)) for kernel in (left, right))
    own = _hsic(left, left), _hsic(right, right)
    least = RANK * np.sum(left**2), RANK * np.sum(right**2)  # below which there is only rounding
    return float(_hsic(left, right) / np.sqrt(own[0] * own[1])) if own[0] > least[0] and own[1] > least[1] else np.nan


def _hsic(left, right):
    """Unbiased estimate from kernel matrices with zeros on the diagonal, times n (n - 3)."""
    n = len(left)
    rows = left.sum(axis=0), right.sum(axis=0)
    whole = rows[0].sum() * rows[1].sum() / ((n - 1) * (n - 2))
    return np.sum(left * right) + whole - 2 / (n - 2) * (rows[0] @ rows[1])


def _directions(x, variance=1.0):
    """Orthonormal principal components (n_samples, n_kept) of the columns that explain a fraction of the variance."""
    left, sizes, _ = np.linalg.svd(_centred(x), full_matrices=False)
    n_real = np.count_nonzero(sizes > RANK * sizes[0])
    shares = np.cumsum(sizes[:n_real] ** 2) / np.sum(sizes[:n_real] ** 2) if n_real else np.empty(0)
    return left[:, : min(n_real, 1 + np.count_nonzero(shares < variance * (1 - RANK)))]


def _can_be_told(first, second):
    """Whether there are more samples, less the mean, than directions."""
    n_directions = first.shape[1], second.shape[1]
    return min(n_directions) > 0 and sum(n_directions) < len(first)


def _correlations(first, second):
    """Canonical directions of the first side (n_samples, n_directions) and their correlations."""
    turn, correlations, _ = np.linalg.svd(first.T @ second, full_matrices=False)
    return first @ turn, np.minimum(correlations, 1.0)
