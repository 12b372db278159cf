"""Interval features from their definition, in time O(n_timepoints^3) or more."""

import itertools
import math
from collections.abc import Iterable

import numpy as np
from scipy.linalg import expm

from sigfeat.words import Word


def interval_sum(series: np.ndarray, word: Word | str, begin: int, end: int) -> float:
    """Iterated sum of one series along a word over the interval (begin, end].

    For w = l_1 ... l_k: the sum over begin < i_1 < ... < i_k <= end of l_1(x_{i_1}) ... l_k(x_{i_k}). For an
    interval with end < begin it is the inverse in the group of iterated sums: (-1)^k times the sum over
    begin >= i_1 >= ... >= i_k > end.

    Parameters
    ----------
    series : ndarray of shape (n_channels, n_timepoints)
        Points x_1, ..., x_T.
    word : Word or str
        Text form as in `Word.parse`.
    begin, end : int
        Boundaries between points, from 0, before the first point, to T.

    Returns
    -------
    value : float

    References
    ----------
    .. [1] Hoffman, "Quasi-shuffle products", 2000, arXiv:math/9907173, theorem 3.2, on the antipode.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.intervals import interval_sum
    >>> x = np.array([[1.0, 2.0, 3.0]])
    >>> interval_sum(x, "[1][1]", 1, 3), interval_sum(x, "[1][1]", 3, 1)  # 2 * 3, and 2 * 2 + 3 * 2 + 3 * 3
    (6.0, 19.0)
    """
    word = Word.parse(word) if isinstance(word, str) else word
    k = word.length
    times: Iterable[tuple[int, ...]] = itertools.combinations(range(begin, end), k)
    sign = 1
    if end < begin:
        sign, times = (-1) ** k, itertools.combinations_with_replacement(range(begin - 1, end - 1, -1), k)
    letters = [np.prod([series[channel] for channel in letter], axis=0) for letter in word.letters]
    return sign * math.fsum(
        math.prod(float(letter[t]) for letter, t in zip(letters, chosen, strict=True)) for chosen in times
    )


def interval_features(series: np.ndarray, word: Word | str, taps: np.ndarray) -> np.ndarray:
    """Iterated sums over all pairs of boundaries up to the current time, weighted by a filter.

    O(t) = sum over 0 <= s, s' <= t of h(t - s, t - s') S_w(s, s'), with h(a, b) = sum over i of f_i(a) g_i(b), at t =
    1, ..., T. The sum also includes intervals that run backwards, s' < s.

    Parameters
    ----------
    series : ndarray of shape (n_channels, n_timepoints)
        Points x_1, ..., x_T.
    word : Word or str
        Text form as in `Word.parse`.
    taps : ndarray of shape (2, rank, n_timepoints + 1)
        Values f_i, then g_i, at lags 0, ..., T.

    Returns
    -------
    values : ndarray of shape (n_timepoints,)

    Examples
    --------
    If f = g = 1 at lag 0 only, the only interval is empty, and the sums over it are 0.

    >>> import numpy as np
    >>> from sigfeat.reference.intervals import interval_features
    >>> x = np.array([[1.0, 2.0, 3.0]])
    >>> now = np.array([1.0, 0.0, 0.0, 0.0])
    >>> interval_features(x, "[1]", np.array([[now], [now]]))
    array([0., 0., 0.])
    >>> back = np.array([0.0, 0.0, 1.0, 0.0])  # intervals that begin two boundaries ago and end now
    >>> interval_features(x, "[1]", np.array([[back], [now]]))
    array([0., 3., 5.])
    """
    n = series.shape[1]
    kernel = np.array([[interval_sum(series, word, s, end) for end in range(n + 1)] for s in range(n + 1)])
    weight = np.einsum("ia,ib->ab", *taps)
    backwards = [slice(t, None, -1) for t in range(n + 1)]
    return np.array([(weight[: t + 1, : t + 1] * kernel[backwards[t], backwards[t]]).sum() for t in range(1, n + 1)])


def interval_developments(path: np.ndarray, algebra: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Developments over all pairs of points up to the current time, weighted by a filter.

    O(t) = sum over 1 <= s, s' <= t of h(t - s, t - s') X(s, s'), where X(s, s') develops the path from point s to point
    s', or is the inverse of X(s', s), see `sigfeat.reference.development`.

    Parameters
    ----------
    path : ndarray of shape (n_timepoints, n_channels)
        Points of the path, joined by straight lines.
    algebra : ndarray of shape (n_channels, dim, dim)
        Elements of a Lie algebra, real or complex.
    taps : ndarray of shape (2, rank, n_timepoints)
        Values f_i, then g_i, at lags 0, ..., T - 1.

    Returns
    -------
    values : ndarray of shape (n_timepoints, dim, dim)
        float64 or complex128.

    Examples
    --------
    Rotations between the previous point and the current one, each by an eighth of a turn.

    >>> import numpy as np
    >>> from sigfeat.reference.intervals import interval_developments
    >>> path, algebra = np.arange(3.0)[:, np.newaxis], np.array([[[0.0, -1.0], [1.0, 0.0]]]) * np.pi / 4
    >>> before, now = np.array([[0.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]])
    >>> interval_developments(path, algebra, np.array([before, now]))[:, 0, 0].round(3)
    array([0.   , 0.707, 0.707])
    """
    n, dim = len(path), algebra.shape[-1]
    steps = [expm(np.tensordot(path[t] - path[t - 1], algebra, axes=1)) for t in range(1, n)]
    between = np.empty((n, n, dim, dim), np.result_type(path, algebra, np.float64))
    for s, end in itertools.product(range(n), repeat=2):
        forwards = steps[min(s, end) : max(s, end)]
        product = np.linalg.multi_dot([np.eye(dim), np.eye(dim), *forwards])
        between[s, end] = product if s <= end else np.linalg.inv(product)
    weight = np.einsum("ia,ib->ab", *taps)
    values = np.zeros((n, dim, dim), between.dtype)
    for t in range(n):
        for s, end in itertools.product(range(t + 1), repeat=2):
            values[t] += weight[t - s, t - end] * between[s, end]
    return values
