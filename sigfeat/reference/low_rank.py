"""Low-rank iterated sums from their recursion, with letters that are dilated convolutions."""

import numpy as np

from sigfeat.semirings import semiring_named


def delay_letter(series: np.ndarray, taps: np.ndarray, dilation: int) -> np.ndarray:
    """A linear form of a window around each time, which is a dilated convolution summed over channels.

    a(t) = sum over c, l of taps[c, l] x_c(t + (l - n_lags // 2) dilation), with x = 0 before and after the series.

    Parameters
    ----------
    series : ndarray of shape (n_channels, n_timepoints)
        One series.
    taps : ndarray of shape (n_channels, n_lags)
        Weights of the points of the window; zero for channels that the letter does not depend on.
    dilation : int
        Steps between neighbouring points of the window.

    Returns
    -------
    letter : ndarray of shape (n_timepoints,)
        float64.

    References
    ----------
    .. [1] Dempster, Petitjean, Webb, "ROCKET: exceptionally fast and accurate time series classification using random
       convolutional kernels", 2020, arXiv:1910.13051, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.low_rank import delay_letter
    >>> delay_letter(np.array([[1.0, 2.0, 3.0]]), np.array([[-1.0, 0.0, 1.0]]), 1)
    array([ 2.,  2., -2.])
    """
    n_timepoints, n_lags = series.shape[1], taps.shape[1]
    letter = np.zeros(n_timepoints)
    for t in range(n_timepoints):
        for lag in range(n_lags):
            place = t + (lag - n_lags // 2) * dilation
            if 0 <= place < n_timepoints:
                letter[t] += taps[:, lag] @ series[:, place]
    return letter


def low_rank_increments(letters: np.ndarray, *, semiring: str = "real", decay: float = 0.0) -> np.ndarray:
    """Increments of an iterated sum of letters: the sum over index tuples whose last index is t, for each time t.

    z(t) = sum over i_1 < ... < i_k = t of a_1(i_1) ... a_k(i_k) exp(-decay (t - i_1)), with the semiring's sum and
    product. The iterated sum itself is the sum of z(1), ..., z(t) with the same decay.

    Parameters
    ----------
    letters : ndarray of shape (k, n_timepoints)
        Values of the letters a_1, ..., a_k.
    semiring : {"real", "max_plus", "min_plus"}, default="real"
        Sum and product.
    decay : float, default=0.0
        Decay rate per time step, applied by the product of the semiring; see `sigfeat.reference.iss.iterated_sums`.

    Returns
    -------
    increments : ndarray of shape (n_timepoints,)
        float64. The semiring's zero at the first k - 1 times.

    References
    ----------
    .. [1] Toth, Bonnier, Oberhauser, "Seq2Tens: an efficient representation of sequences by low-rank tensor
       projections", 2020, arXiv:2006.07027, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.low_rank import low_rank_increments
    >>> low_rank_increments(np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]))
    array([0., 1., 3.])
    """
    ring = semiring_named(semiring)
    factor = ring.decay_factor(decay)
    increments = np.asarray(letters[0], dtype=np.float64)
    for letter in letters[1:]:
        earlier, following = ring.zero, np.empty(len(letter))
        for t in range(len(letter)):
            following[t] = ring.multiply(letter[t], earlier)
            earlier = ring.multiply(ring.add(earlier, increments[t]), factor)
        increments = following
    return increments
