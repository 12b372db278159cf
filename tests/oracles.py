"""Definitions by brute force, straight from the formulas. Imports nothing from sigfeat."""

import itertools
import math

SUM = {"real": sum, "max_plus": max, "min_plus": min, "max_times": max}
PRODUCT = {"real": math.prod, "max_plus": math.fsum, "min_plus": math.fsum, "max_times": math.prod}
DECAY = {
    "real": lambda age: math.exp(-age),
    "max_plus": lambda age: -age,
    "min_plus": lambda age: age,
    "max_times": lambda age: math.exp(-age),
}
EMPTY = {"real": 0.0, "max_plus": -math.inf, "min_plus": math.inf, "max_times": 0.0}


def iterated_sum(series, letters, semiring="real", strict=True, decay=0.0):
    """End value for one series (n_channels, n_timepoints); letters are tuples of channels, counted from 0.

    Decay acts between neighbouring letters and from the last one to the end.
    """
    n = series.shape[1]
    choices = itertools.combinations if strict else itertools.combinations_with_replacement
    terms = []
    for times in choices(range(n), len(letters)):
        factors = [series[channel, t] for t, letter in zip(times, letters, strict=True) for channel in letter]
        steps = [later - earlier for earlier, later in zip(times, [*times[1:], n - 1], strict=True)]
        for step in steps:
            factors.append(DECAY[semiring](decay * step))
        terms.append(PRODUCT[semiring](factors))
    return SUM[semiring](terms) if terms else EMPTY[semiring]


def convolution(signal, ahead, back=()):
    """One channel (n_timepoints,) with taps at lags 0, 1, 2, ... and at lags -1, -2, ..."""
    taps = dict(enumerate(ahead)) | {-lag: tap for lag, tap in enumerate(back, start=1)}
    times = range(len(signal))
    return [math.fsum(taps.get(t - s, 0.0) * signal[s] for s in times) for t in times]
