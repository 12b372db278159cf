"""Iterated sums from their recursion over words and time."""

from collections.abc import Sequence

import numpy as np

from sigfeat.semirings import semiring_named
from sigfeat.words import Word


def iterated_sums(
    series: np.ndarray,
    words: Sequence[Word | str],
    *,
    semiring: str = "real",
    strict: bool = True,
    decay: float = 0.0,
) -> np.ndarray:
    """Iterated sums of series along words, at every time.

    For a word w = l_1 ... l_k:  S_w(t) = sum over i_1 < ... < i_k <= t of l_1(x_{i_1}) ... l_k(x_{i_k})
    exp(-decay (t - i_1)), with the semiring's sum and product, and <= in place of < for weak sums.

    Parameters
    ----------
    series : ndarray of shape (n_samples, n_channels, n_timepoints)
        Series of equal length.
    words : sequence of Word or str
        Text form as in `Word.parse`, channels counted from 1.
    semiring : {"real", "max_plus", "min_plus", "max_times"}, default="real"
        Semiring that defines sum and product.
    strict : bool, default=True
        Sum over strictly (True) or weakly (False) increasing times.
    decay : float, default=0.0
        Decay rate per time step, applied by the product of the semiring: a factor exp(-decay) in "real" and
        "max_times", an added -decay in "max_plus" and +decay in "min_plus".

    Returns
    -------
    sums : ndarray of shape (n_samples, n_words, n_timepoints)
        float64. Before the first time at which the word fits, the zero of the semiring.

    Raises
    ------
    ValueError
        If a word cannot be read, or the semiring is unknown.

    Notes
    -----
    The factors exp(-decay (i_{j+1} - i_j)) between neighbouring letters and exp(-decay (t - i_k)) at the end
    multiply to exp(-decay (t - i_1)).

    References
    ----------
    .. [1] Diehl, Ebrahimi-Fard, Tapia, "Time-warping invariants of multidimensional time series", 2020,
       arXiv:1906.05823.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.iss import iterated_sums
    >>> iterated_sums(np.array([[[1.0, 2.0, 3.0]]]), ["[1][1]"])
    array([[[ 0.,  2., 11.]]])
    """
    ring = semiring_named(semiring)
    factor = ring.decay_factor(decay)
    series = np.asarray(series, dtype=np.float64)
    n_samples, _, n_timepoints = series.shape
    parsed = [Word.parse(word) if isinstance(word, str) else word for word in words]
    sums = np.empty((n_samples, len(parsed), n_timepoints))
    for w, word in enumerate(parsed):
        parent = None  # running values of the prefix; the empty word has value one at every time
        for letter in word.letters:
            values = ring.multiply.reduce([series[:, channel] for channel in letter])
            running = np.full((n_samples, n_timepoints), ring.zero)
            for t in range(n_timepoints):
                term = values[:, t]
                if parent is not None:
                    earlier = np.full(n_samples, ring.zero) if t == 0 else ring.multiply(parent[:, t - 1], factor)
                    term = ring.multiply(term, earlier if strict else parent[:, t])
                kept = ring.multiply(running[:, t - 1], factor) if t > 0 else ring.zero
                running[:, t] = ring.add(kept, term)
            parent = running
        sums[:, w] = parent
    return sums
