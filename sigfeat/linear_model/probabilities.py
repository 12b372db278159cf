"""Probabilities from the margins of a linear classifier."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

SHARPNESS = (1e-3, 1e3)  # range of the inverse temperature times the mean distance of the margins from the largest


def margins_of_all_classes(scores: NDArray[Any]) -> NDArray[Any]:
    """Margins of all classes. With two classes, scores are the margins of the second; the first has their negatives."""
    return np.column_stack([-scores, scores]) if scores.ndim == 1 or scores.shape[1] == 1 else scores


def inverse_temperature(
    margins: NDArray[np.float64], labels: NDArray[np.int64], weights: NDArray[np.float64] | None
) -> float:
    """Factor of the margins that minimises the log loss of their softmax on smoothed targets."""
    below = margins - margins.max(axis=1, keepdims=True)
    distance = -mean_of_rows(below, weights)
    if distance == 0:  # all margins are equal, so the probabilities do not depend on the factor
        return 1.0
    n_rows = len(margins) if weights is None else weights.sum() ** 2 / np.square(weights).sum()
    right = (n_rows + 1) / (n_rows + 2)
    own = below[np.arange(len(below)), labels]
    others = (below.sum(axis=1) - own) / (below.shape[1] - 1)
    linear = np.average(right * own + (1 - right) * others, weights=weights)

    def loss(logarithm: float) -> Any:
        factor = np.exp(logarithm)
        return np.average(np.log(np.exp(factor * below).sum(axis=1)), weights=weights) - factor * linear

    bounds = np.log(SHARPNESS) - np.log(distance)
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-8}).x))


def mean_of_rows(values: NDArray[np.float64], weights: NDArray[np.float64] | None) -> Any:
    """Mean of all values, each row weighted."""
    return values.mean() if weights is None else np.average(values.mean(axis=1), weights=weights)
