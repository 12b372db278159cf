"""Quantiles over dyadic intervals by their definition: the values of one row of one series."""

import numpy as np
from numpy.typing import ArrayLike


def represented(series: ArrayLike, representation: str) -> np.ndarray:
    """Values of one channel of one series in one representation.

    Parameters
    ----------
    series : array-like of shape (n_timepoints,)
        Values x(1), ..., x(T).
    representation : {"series", "differences", "second_differences", "spectrum"}
        The series itself; the differences d(t) = x(t + 1) - x(t), of which each is replaced by the mean of
        d(t - 2), ..., d(t + 2), where the first and the last one stand for those that do not exist;
        x(t + 2) - 2 x(t + 1) + x(t); or the moduli of the real Fourier transform divided by the root of T.

    Returns
    -------
    values : ndarray of shape (n_values,)
        float64. One value 0 if the series is too short for a difference.

    Raises
    ------
    ValueError
        If there is no such representation.

    References
    ----------
    .. [1] Dempster, Schmidt, Webb, "quant: a minimalist interval method for time series classification", 2023,
       arXiv:2308.00928, section 3.2.

    Examples
    --------
    >>> from sigfeat.reference.quantiles import represented
    >>> represented([1.0, 2.0, 4.0, 7.0], "differences")
    array([1.6, 2. , 2.4])
    """
    x = np.asarray(series, dtype=np.float64)
    if representation == "series":
        return x
    if representation == "differences":
        if len(x) < 2:
            return np.zeros(1)
        padded = np.pad(np.diff(x), 2, mode="edge")
        return np.array([padded[t : t + 5].mean() for t in range(len(x) - 1)])
    if representation == "second_differences":
        return np.diff(x, n=2) if len(x) > 2 else np.zeros(1)
    if representation == "spectrum":
        return np.abs(np.fft.rfft(x)) / np.sqrt(len(x))
    raise ValueError(
        f"representation must be series, differences, second_differences or spectrum, got {representation!r}"
    )


def interval_quantiles(
    values: ArrayLike, n_levels: int, points_per_quantile: int, n_values: int | None = None
) -> np.ndarray:
    """Quantiles of the values in dyadic intervals.

    Level l has 2^l equal intervals of the whole and, from l = 1 on, 2^l - 1 more that begin in the middle of one and
    end in the middle of the next one. The interval between the fractions a and b of n values consists of those at
    floor(a n) <= t < floor(b n), t = 0, ..., n - 1; if there are none, of the one at floor(a n). An interval gives m
    quantiles at 0, 1 / (m - 1), ..., 1, or its median if m = 1. The mean of the interval is subtracted from the second,
    the fourth, ... of them.

    Parameters
    ----------
    values : array-like of shape (n,)
        At least one value.
    n_levels : int
        Largest number of levels. There are as many as have intervals of at least one of `n_values` values.
    points_per_quantile : int
        An interval of k values has m = 1 + (k - 1) // points_per_quantile quantiles, where k is `n_values` // 2^l on
        level l.
    n_values : int or None, default=None
        The number of values that decides how many quantiles there are, and whether a level has the shifted intervals:
        it does if there are more values than intervals. None for the number of `values`.

    Returns
    -------
    quantiles : ndarray of shape (n_quantiles,)
        Level by level, the shifted intervals after the others.

    References
    ----------
    .. [1] Dempster, Schmidt, Webb, "quant: a minimalist interval method for time series classification", 2023,
       arXiv:2308.00928, section 3.1. There the bounds of the intervals are rounded in another way.

    Examples
    --------
    The whole has 2 quantiles, the minimum and the maximum minus the mean. Each half and the middle have their median.

    >>> from sigfeat.reference.quantiles import interval_quantiles
    >>> interval_quantiles([1.0, 2.0, 3.0, 6.0, 9.0], n_levels=2, points_per_quantile=4)
    array([1. , 4.8, 1.5, 6. , 2.5])
    """
    values = np.asarray(values, dtype=np.float64)
    n, n_values = len(values), len(values) if n_values is None else n_values
    quantiles = []
    for level in range(n_levels):
        n_intervals = 2**level
        if n_intervals > n_values:
            break
        n_quantiles = 1 + (n_values // n_intervals - 1) // points_per_quantile
        halves = list(range(0, 2 * n_intervals, 2))  # the half of an interval at which it begins
        if 1 < n_intervals < n_values:
            halves += list(range(1, 2 * n_intervals - 1, 2))
        for half in halves:
            start, stop = (k * n // (2 * n_intervals) for k in (half, half + 2))
            inside = values[start : max(stop, start + 1)]
            found = np.quantile(inside, np.linspace(0, 1, n_quantiles) if n_quantiles > 1 else [0.5])
            found[1::2] -= inside.mean()
            quantiles += found.tolist()
    return np.array(quantiles)
