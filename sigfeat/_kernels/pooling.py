"""Statistics of running values, which ones a pooling needs, and what it makes of them."""

import numpy as np

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.simd.statistics import END, EXCESS, MAXIMUM, MINIMUM, N_ABOVE, N_STATISTICS, POSITION, SUM

POOLINGS = ("end", "mean", "max", "min", "ppv", "mpv", "argmax")  # a pooling's code is its place here


@compiled
def wanted_statistics(codes):
    """Flags of the statistics that the poolings need, see `gather_statistics`."""
    wanted = np.zeros(N_STATISTICS, np.bool_)
    for code in codes:
        wanted[SUM] |= code == 1
        wanted[MAXIMUM] |= code in (2, 6)
        wanted[MINIMUM] |= code == 3
        wanted[N_ABOVE] |= code in (4, 5)
    return wanted


@compiled
def reset_statistics(statistics, lanes):
    """Set statistics to those of no value."""
    for place in range(0, statistics.shape[0], lanes):
        s = (place // lanes) % N_STATISTICS
        statistics[place : place + lanes] = -np.inf if s == MAXIMUM else np.inf if s == MINIMUM else 0.0


@compiled
def feature(merged, code, first, stop, n):
    """Value of a pooling, from the statistics of n values at times first <= t < stop."""
    if code == 1:
        return merged[SUM] / n
    if code == 2:
        return merged[MAXIMUM]
    if code == 3:
        return merged[MINIMUM]
    if code == 4:
        return merged[N_ABOVE] / n
    if code == 5:
        return merged[EXCESS] / max(merged[N_ABOVE], 1.0)
    if code == 6:
        return (merged[POSITION] - first) / max(stop - first - 1, 1)
    return merged[END]
