"""Mean and standard deviation of each channel."""

import numpy as np

from sigfeat._rounding import difference_rounding, within_rounding


def channel_moments(X, lengths):
    """Mean and standard deviation over all series and own times, float64; 1 for the deviation of a constant channel.

    A channel is constant if its deviation is within rounding of its largest value.
    """
    mean, deviation, size = _moments(X, lengths)
    return mean, _unit(deviation, within_rounding(deviation, size, X.dtype), np.finfo(X.dtype).eps * size)


def difference_deviation(X, lengths):
    """Standard deviation of the differences x(t + 1) - x(t) of each channel, float64; 1 for constant differences.

    Differences are constant if their deviation is within rounding of the values of X that are subtracted. Every series
    needs at least 2 points.
    """
    with np.errstate(over="ignore"):
        differences = np.diff(X, axis=2)
    if np.isinf(differences).any():
        raise ValueError("differences of neighbouring points of X overflow: scale the series")
    _, deviation, size = _moments(differences, lengths - 1)
    rounding = difference_rounding(X) * np.nanmax(np.abs(X), axis=(0, 2))
    constant = (deviation <= rounding) | within_rounding(deviation, size, X.dtype)
    return _unit(deviation, constant, rounding)


def _moments(X, lengths):
    """Mean, standard deviation and largest absolute value of each channel."""
    size = np.nanmax(np.abs(X), axis=(0, 2)).astype(np.float64)  # huge values have huger squares
    size[size < np.finfo(np.float64).tiny] = 1.0
    relative = X / size[:, np.newaxis]
    if lengths.min() == X.shape[2]:
        mean, deviation = relative.mean(axis=(0, 2)), relative.std(axis=(0, 2))
    else:
        mean, deviation = np.nanmean(relative, axis=(0, 2)), np.nanstd(relative, axis=(0, 2))
    return mean * size, deviation * size, size


def _unit(deviation, constant, rounding):
    """The deviation; for constant channels 1, or the rounding error of those whose error is larger than that."""
    constant = constant | (deviation < np.finfo(np.float64).tiny)  # whose inverse overflows
    return np.where(constant, np.where(deviation > 0, np.maximum(1.0, rounding), 1.0), deviation)
