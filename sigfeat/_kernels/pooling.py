"""What a pooling makes of accumulated statistics, in the compiled loops."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from sigfeat._kernels.statistics import END, EXCESS, MAXIMUM, MINIMUM, N_ABOVE, PLACES, POSITION, TOTAL
from sigfeat.pooling import POOLINGS, STATISTICS, Statistics, pooling_named


class ChosenPoolings(NamedTuple):
    """Poolings as the loops take them."""

    codes: np.ndarray  # places in the table
    wanted: np.ndarray  # flag of each statistic: whether one of the poolings needs it


def chosen_poolings(names: Sequence[str]) -> ChosenPoolings:
    """Poolings by name; a ValueError for an unknown one."""
    needed = {statistic for name in names for statistic in pooling_named(name).needs}
    codes = np.array([list(POOLINGS).index(name) for name in names])
    return ChosenPoolings(codes, np.array([statistic in needed for statistic in STATISTICS]))


@njit(cache=True, nogil=True)
def feature(code, kept, place, stride, threshold, start, stop, n):
    """Value of a pooling of the n values at times stop - n <= t < stop of a window, 0 for n = 0.

    kept: statistics of `statistics.py`, from item `place` on, `stride` apart; with the threshold of that number.
    """
    return _value(code, kept, place, stride, threshold, start, stop, n) if n > 0 else 0.0


@njit(cache=True, nogil=True)
def feature_rows(statistics, codes, n_undefined, n_timepoints, out):
    """Write the poolings of all rows over the times n_undefined[row] <= t < n_timepoints to out (n_rows, n_poolings).

    statistics: (N_STATISTICS, n_rows).
    """
    for i in range(statistics.shape[1]):
        for c in range(codes.shape[0]):
            n = n_timepoints - n_undefined[i]
            out[i, c] = feature(codes[c], statistics[:, i], 0, 1, 0, 0, n_timepoints, n)


@njit
def _unknown(code, kept, place, stride, threshold, start, stop, n):
    raise ValueError("unknown code of a pooling: compiled loops of another table of poolings must be deleted")


def _either(own_code, value, otherwise):
    """A compiled function that computes the pooling of this code, and all others by `otherwise`."""

    @njit
    def choose(code, kept, place, stride, threshold, start, stop, n):
        if code == own_code:  # only what this value reads is loaded
            statistics = Statistics(
                start,
                stop,
                n,
                kept[place + TOTAL * stride],
                kept[place + MAXIMUM * stride],
                kept[place + POSITION * stride],
                kept[place + MINIMUM * stride],
                kept[place + END * stride],
                kept[place + EXCESS * stride],
                kept[place + PLACES * stride],
                kept[place + (N_ABOVE + threshold) * stride],
            )
            return float(value(statistics))
        return otherwise(code, kept, place, stride, threshold, start, stop, n)

    return choose


def _value_by_code():
    """The poolings of the table as one compiled function; the loops that call it are cached with it inside."""
    function = _unknown
    for code, pooling in reversed(list(enumerate(POOLINGS.values()))):
        function = _either(code, njit(pooling.value), function)
    return function


_value = _value_by_code()
