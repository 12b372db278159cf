"""Pooling by its definition: the values of one window of one series."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sigfeat.pooling import pooling_named


def pooled(
    running: ArrayLike, pooling: str, threshold: float, start: int, stop: int, n_undefined: int = 0
) -> np.floating[Any] | float:
    """One pooled value of running values over the times start <= t < stop of a window.

    Parameters
    ----------
    running : array-like of shape (n_timepoints,)
        Values, of which the first `n_undefined` are ignored.
    pooling : str
        A name in `sigfeat.pooling.POOLINGS`.
    threshold : float
        Threshold of the poolings that need one.
    start, stop : int
        Bounds of the window.
    n_undefined : int, default=0
        Number of times at the start of the series without a value.

    Returns
    -------
    value : float
        0 if the window has no value.

    Raises
    ------
    ValueError
        If there is no such pooling.

    Examples
    --------
    >>> from sigfeat.reference.pooling import pooled
    >>> float(pooled([5.0, 1.0, 3.0, 2.0], "max", 0.0, 1, 4))
    3.0
    """
    first, definition = max(start, n_undefined), pooling_named(pooling).definition
    values = np.asarray(running)[first:stop]
    return definition(values, threshold, first - start) if len(values) else 0.0
