"""Mean and standard deviation of each channel."""

import numpy as np
from numpy.typing import NDArray

from sigfeat._rounding import difference_rounding, within_rounding
from sigfeat.panel import Floats


def channel_moments(X: Floats, lengths: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel over all time points of all series, float64.

    The deviation of a constant channel is 1. A channel is constant if its deviation is within rounding of its largest
    value. If the rounding error is larger than 1, it is used in place of 1.
    """
    mean, deviation, size = _moments(X, lengths)
    constant = within_rounding(deviation, size, X.dtype)
    constant |= deviation < np.finfo(np.float64).tiny  # whose inverse overflows
    error = np.where(deviation > 0, np.finfo(X.dtype).eps * size, 0.0)
    return mean, np.where(constant, np.maximum(1.0, error), deviation)


def channel_scaling(
    X: Floats, lengths: NDArray[np.int64], scale: str | None, *, centred: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Value that is subtracted from each channel, and value that it is divided by, for a parameter `scale`.

    scale: "standard", "std", which subtracts nothing, or None for no scaling. Nothing is subtracted either if the
    scaling may not be `centred`.
    """
    zeros, ones = np.zeros(X.shape[1]), np.ones(X.shape[1])
    if scale is None:
        return zeros, ones
    mean, deviation = channel_moments(X, lengths)
    return (mean if scale == "standard" and centred else zeros), deviation


def difference_deviations(X: Floats, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Standard deviation of the differences x(t + 1) - x(t) of each channel, infinite for constant ones.

    Differences are constant if their deviation is within rounding of the values of X that are subtracted. To divide by
    1 would keep their rounding errors: letters whose taps have mean zero add them up to noise of either sign, which
    depends on the length of the series. Every series needs at least 2 points.
    """
    with np.errstate(over="ignore"):
        differences = np.diff(X, axis=2)
    if np.isinf(differences).any():
        raise ValueError("differences of neighbouring points of X overflow: scale the series")
    _, deviation, size = _moments(differences, lengths - 1)
    rounding = difference_rounding(X) * np.nanmax(np.abs(X), axis=(0, 2))
    constant = (deviation <= rounding) | within_rounding(deviation, size, X.dtype)
    constant |= deviation < np.finfo(np.float64).tiny  # whose inverse overflows
    return np.where(constant, np.inf, deviation)


def _moments(
    X: Floats, lengths: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean, standard deviation and largest absolute value of each channel."""
    low, high = np.nanmin(X, axis=(0, 2)), np.nanmax(X, axis=(0, 2))
    size = np.maximum(np.abs(low), np.abs(high)).astype(np.float64)  # huge values have huger squares
    size[size < np.finfo(np.float64).tiny] = 1.0
    relative = X / size[:, np.newaxis]
    if lengths.min() == X.shape[2]:
        mean, deviation = relative.mean(axis=(0, 2)), relative.std(axis=(0, 2))
    else:
        mean, deviation = np.nanmean(relative, axis=(0, 2)), np.nanstd(relative, axis=(0, 2))
    mean = np.where(low == high, low, mean * size)  # without rounding: a constant minus its mean is zero
    return mean, deviation * size, size
