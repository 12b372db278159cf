"""Mean and standard deviation of each channel."""

import numpy as np


def channel_moments(X, lengths):
    """Mean and standard deviation over all series and own times, float64; 1 for the deviation of a constant channel."""
    size = np.nanmax(np.abs(X), axis=(0, 2)).astype(np.float64)  # huge values have huger squares
    size[size < np.finfo(np.float64).tiny] = 1.0
    relative = X / size[:, np.newaxis]
    if lengths.min() == X.shape[2]:
        mean, deviation = relative.mean(axis=(0, 2)), relative.std(axis=(0, 2))
    else:
        mean, deviation = np.nanmean(relative, axis=(0, 2)), np.nanstd(relative, axis=(0, 2))
    constant = deviation <= 10 * np.finfo(X.dtype).eps * np.abs(mean)
    constant |= deviation * size < np.finfo(np.float64).tiny  # whose inverse overflows
    return mean * size, np.where(constant, 1.0, deviation * size)
