"""Which poolings are asked for, and on which series their thresholds are learnt."""

import numpy as np

from sigfeat._kernels.pooling import POOLINGS
from sigfeat._messages import plain

THRESHOLD_SERIES = 64  # at most, and fewer where their running values would take more than the bytes
THRESHOLD_BYTES = 1 << 28


def check_poolings(pooling, otherwise=""):
    """Names of the poolings as a tuple; the ValueError for wrong ones says what could be taken `otherwise`."""
    names = (pooling,) if isinstance(pooling, str) else tuple(pooling)
    unknown = [name for name in names if name not in POOLINGS]
    if unknown or not names or len(set(names)) < len(names):
        raise ValueError(
            f"pooling must {otherwise}name different ones of {', '.join(POOLINGS)}, got {plain(pooling)!r}"
        )
    return names


def threshold_series(n_samples, bytes_of_one):
    """Places of series, evenly spread, whose running values of so many bytes each stay within bounds."""
    n_chosen = max(1, min(THRESHOLD_SERIES, THRESHOLD_BYTES // bytes_of_one))
    return np.unique(np.linspace(0, n_samples - 1, n_chosen).round().astype(int))


def quantile_of(values, quantile):
    """Quantile, which is finite also where the difference of two values is not."""
    with np.errstate(over="ignore"):
        fits = np.isfinite(values.max() - values.min())
    return np.quantile(values, quantile) if fits else 2 * np.quantile(values / 2, quantile)


def threshold_between(values, quantile):
    """Between a quantile of the values and the next larger one, so that no rounding error decides what is above."""
    ordered = np.sort(values)
    low = float(ordered[int(quantile * (len(ordered) - 1))])
    apart = 1e-6 * max(1.0, abs(low))
    following = np.searchsorted(ordered, low + apart, side="right")
    return low + apart if following == len(ordered) else low / 2 + float(ordered[following]) / 2
