"""Mean and standard deviation of each channel."""

import numpy as np


def channel_moments(X, lengths):
    """Mean and standard deviation over all series and own times, float64; 1 for the deviation of a constant channel."""
    if lengths.min() == X.shape[2]:
        mean, deviation = X.mean(axis=(0, 2), dtype=np.float64), X.std(axis=(0, 2), dtype=np.float64)
    else:
        mean, deviation = (
            np.nanmean(X, axis=(0, 2), dtype=np.float64),
            np.nanstd(X, axis=(0, 2), dtype=np.float64),
        )
    noise = 10 * np.finfo(X.dtype).eps * np.abs(mean)
    return mean, np.where(deviation > noise, deviation, 1.0)
