"""Steps of paths, and the units of their channels."""

import numpy as np
from numpy.typing import NDArray

from sigfeat._rounding import difference_rounding
from sigfeat.panel import Floats
from sigfeat.transformers._contract.moments import channel_moments

SMALLEST_UNIT = 1e-300  # its inverse is still finite


def path_increments(X: Floats, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Steps of paths, (n_samples, n_timepoints, n_channels). Step t leads to point t; steps after the end are 0."""
    increments = np.zeros((len(X), X.shape[2], X.shape[1]))
    with np.errstate(over="ignore"):
        np.subtract(X[:, :, 1:].swapaxes(1, 2), X[:, :, :-1].swapaxes(1, 2), out=increments[:, 1:], dtype=np.float64)
    if lengths.min() < X.shape[2]:
        increments[np.arange(X.shape[2]) >= lengths[:, np.newaxis]] = 0.0
    if np.isinf(increments).any():
        raise ValueError("differences of neighbouring points of X overflow float64: scale the series")
    return increments


def path_units(X: Floats, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Unit of each channel: geometric mean of its standard deviation and the size of its increments.

    The size of the increments is the root of the mean, over the series, of the sum of squared increments. For noise it
    is about root T times the standard deviation. For a smooth path it goes to zero with the step. The unit of a channel
    that is constant, up to rounding of its values, is 1, or the rounding error if that is larger.
    """
    increments = np.abs(path_increments(X, lengths))
    largest = increments.max(axis=(0, 1))
    largest[largest == 0] = 1.0
    relative = np.sqrt(np.square(increments / largest).sum(axis=1).mean(axis=0))
    deviation = channel_moments(X, lengths)[1]
    with np.errstate(over="ignore"):
        units = np.sqrt(relative) * np.sqrt(largest) * np.sqrt(deviation)
        moved = relative * largest
    units = np.clip(units, SMALLEST_UNIT, np.finfo(np.float64).max)
    rounding = difference_rounding(X) * np.nanmax(np.abs(X), axis=(0, 2))
    return np.where(moved <= rounding, np.maximum(1.0, np.where(moved > 0, rounding, 0.0)), units)
