"""How the predictions of several members become one: members that are left out, and weights that are fitted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

UNIFORM_PART = 0.02  # of the uniform distribution in the probabilities of a member, so that none can exclude a class

LEAST_WEIGHT = 1e-3

Floats = NDArray[np.float64]


def effective_weights(sample_weight: Floats) -> Floats:
    """Weights of series scaled so that their sum is the effective number of series, sum(s)^2 / sum(s^2)."""
    scaled: Floats = sample_weight * sample_weight.sum() / np.square(sample_weight).sum()
    return scaled


def log_probabilities(probabilities: Any) -> Floats:
    """Logarithms of probabilities (..., n_classes), each mixed with a part of the uniform distribution."""
    p = np.asarray(probabilities, np.float64)
    logarithms: Floats = np.log((1 - UNIFORM_PART) * p + UNIFORM_PART / p.shape[-1])
    return logarithms


def pooled_probabilities(logarithms: Floats, weights: Floats) -> Floats:
    """The normalised product of the probabilities of all members (n_members, n_samples, n_classes) to their weights."""
    scores = np.tensordot(weights, logarithms, 1)
    probabilities: Floats = np.exp(scores - logsumexp(scores, axis=1, keepdims=True))
    return probabilities


def competitive(losses: Floats, sample_weight: Floats, tolerance: float | None) -> NDArray[np.bool_]:
    """Which members, losses (n_members, n_samples), are not significantly worse than the best one.

    The sum of the paired differences from the losses of the best member must be at most `tolerance` times its standard
    error under the hypothesis that both are equally good. For losses 0 and 1 this is McNemar's test.
    """
    if tolerance is None:
        return np.ones(len(losses), bool)
    best = (losses @ sample_weight).argmin()
    differences = (losses - losses[best]) * sample_weight
    error = np.sqrt(np.square(differences).sum(axis=1))
    near: NDArray[np.bool_] = differences.sum(axis=1) <= tolerance * error
    return near


def class_weights(logarithms: Floats, labels: NDArray[np.int64], sample_weight: Floats, shrinkage: float) -> Floats:
    """Weights >= 0 of the members that minimise the log loss of the pooled probabilities, and a penalty.

    The penalty, `shrinkage` n_members^2 / 2 times the squared distance from weights 1 / n_members, is added to the sum
    of the losses of all series, so it matters less the more series there are. The problem is convex. Where all members
    are worse than equal probabilities, the weights are equal and small in place of 0, so that the order of the classes
    remains.
    """
    n_members, rows = len(logarithms), np.arange(len(labels))
    equal, own = 1 / n_members, logarithms[:, rows, labels]
    factor = shrinkage * n_members**2

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = np.tensordot(weights, logarithms, 1)
        total = logsumexp(scores, axis=1)
        expected = np.einsum("mnk,nk->mn", logarithms, np.exp(scores - total[:, np.newaxis]))
        value = sample_weight @ (total - weights @ own) + factor / 2 * np.square(weights - equal).sum()
        return float(value), (expected - own) @ sample_weight + factor * (weights - equal)

    start = np.full(n_members, equal)
    found: Floats = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * n_members).x
    return found if found.any() else LEAST_WEIGHT * start


def number_weights(predictions: Floats, y: Floats, sample_weight: Floats, shrinkage: float) -> Floats:
    """Weights >= 0 with sum 1 of the members that minimise the squared error of their mean, and a penalty.

    predictions: (n_members, n_samples, n_targets), and y (n_samples, n_targets). The penalty is `shrinkage` n_members
    / 2 times the squared distance from equal weights, in units of the mean squared error with equal weights: it is
    added to the sum over all series, so it matters less the more series there are.
    """
    n_members = len(predictions)
    equal = np.full(n_members, 1 / n_members)
    residuals = ((predictions - y) * np.sqrt(sample_weight)[:, np.newaxis]).reshape(n_members, -1)
    products = residuals @ residuals.T
    unit = equal @ products @ equal / sample_weight.sum()
    if unit <= 0:  # no errors
        return equal
    products = products / unit

    def loss(weights: Floats) -> tuple[float, Floats]:
        value = weights @ products @ weights + shrinkage * n_members / 2 * np.square(weights - equal).sum()
        return float(value), 2 * products @ weights + shrinkage * n_members * (weights - equal)

    whole = {"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": np.ones_like}
    found = minimize(loss, equal, jac=True, method="SLSQP", bounds=[(0, 1)] * n_members, constraints=whole).x
    clipped: Floats = np.maximum(found, 0)
    clipped /= clipped.sum()
    return clipped
