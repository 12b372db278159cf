"""Which spreads are rounding errors: they are measured by the values that went in, not by what came out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUNDINGS = 10  # of a value on its way, at most
DIFFERENCE_ROUNDINGS = 2  # of the larger of two values that are subtracted: one or two of each


def within_rounding(spread: Any, largest: Any, dtype: Any) -> Any:
    """Whether a spread of values is within the rounding errors of operands in this dtype, `largest` in absolute value.

    The spread is a standard deviation, or any other distance from the mean; both arguments are numbers or arrays.
    """
    return spread <= ROUNDINGS * np.finfo(dtype).eps * largest


def difference_rounding(X: NDArray[Any]) -> NDArray[Any]:
    """Deviation up to which differences of the values are the same, as a fraction of the larger value, (n_channels,).

    X has shape (n_samples, n_channels, n_timepoints), NaN behind the ends. The fraction is that of float32 where all
    values of a channel are float32 numbers, whatever the dtype of X, unless all of them have spare digits: such values,
    counts for instance, have not been rounded, and their differences are exact.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        single = X.astype(np.float32)
    is_single = ((single == X) | np.isnan(X)).all(axis=(0, 2))
    uses_last_digit = ((single.view(np.int32) & 1).astype(bool) & ~np.isnan(X)).any(axis=(0, 2))
    eps = np.where(is_single & uses_last_digit, np.finfo(np.float32).eps, np.finfo(np.float64).eps)
    return DIFFERENCE_ROUNDINGS * eps.astype(np.float64)
