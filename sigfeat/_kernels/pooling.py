"""What a pooling makes of accumulated statistics, in the compiled loops."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.simd.statistics import END, EXCESS, MAXIMUM, MINIMUM, N_ABOVE, PLACES, POSITION, TOTAL
from sigfeat.pooling import POOLINGS, STATISTICS, Statistics, pooling_named


class ChosenPoolings(NamedTuple):
    """Poolings as the loops take them."""

    codes: np.ndarray  # places in the table
    wanted: np.ndarray  # flag of each statistic: whether one of the poolings needs it


def chosen_poolings(names: Sequence[str]) -> ChosenPoolings:
    """Poolings by name; a ValueError for an unknown one."""
    needed = {statistic for name in names for statistic in pooling_named(name).needs}
    codes = [list(POOLINGS).index(name) for name in names]
    return ChosenPoolings(np.array(codes), np.array([statistic in needed for statistic in STATISTICS]))


@compiled
def feature(code, kept, threshold, start, stop, n):
    """Value of a pooling of the n values at times stop - n <= t < stop of a window, 0 for n = 0.

    kept: statistics of `simd/statistics.py`, of which the one threshold of so many is looked at.
    """
    if n <= 0:
        return 0.0
    statistics = Statistics(
        start,
        stop,
        n,
        kept[TOTAL],
        kept[MAXIMUM],
        kept[POSITION],
        kept[MINIMUM],
        kept[END],
        kept[EXCESS],
        kept[PLACES],
        kept[N_ABOVE + threshold],
    )
    return _value(code, statistics)


@compiled
def write_features(codes, kept, thresholds, start, stop, n, out):
    """Write to out[c] what `feature` gives for codes[c] and thresholds[c]; the statistics are read once for all."""
    if n <= 0:
        out[:] = 0.0
        return
    total, maximum, position, minimum = kept[TOTAL], kept[MAXIMUM], kept[POSITION], kept[MINIMUM]
    end, excess, places = kept[END], kept[EXCESS], kept[PLACES]
    for c in range(codes.shape[0]):
        n_above = kept[N_ABOVE + thresholds[c]]
        statistics = Statistics(start, stop, n, total, maximum, position, minimum, end, excess, places, n_above)
        out[c] = _value(codes[c], statistics)


@compiled
def feature_rows(statistics, codes, n_undefined, n_timepoints, out):
    """Write the poolings of all rows over the times n_undefined[row] <= t < n_timepoints to out (n_rows, n_poolings).

    statistics: (N_STATISTICS, n_rows).
    """
    for i in range(statistics.shape[1]):
        for c in range(codes.shape[0]):
            out[i, c] = feature(codes[c], statistics[:, i], 0, 0, n_timepoints, n_timepoints - n_undefined[i])


@njit
def _unknown(code, statistics):
    raise ValueError("unknown code of a pooling: compiled loops of another table of poolings must be deleted")


def _either(own_code, value, otherwise):
    """A compiled function that computes the pooling of this code, and all others by `otherwise`."""

    @njit(inline="always")
    def choose(code, statistics):
        if code == own_code:
            return float(value(statistics))
        return otherwise(code, statistics)

    return choose


def _value_by_code():
    """The poolings of the table as one compiled function; the loops that call it are cached with it inside."""
    function = _unknown
    for code, pooling in reversed(list(enumerate(POOLINGS.values()))):
        function = _either(code, njit(inline="always")(pooling.value), function)
    return function


_value = _value_by_code()
