"""Which spreads are rounding errors: they are compared with the operands, not with the results."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUNDINGS = 10  # upper bound of the roundings of a value
DIFFERENCE_ROUNDINGS = 2  # of the larger of two values that are subtracted


def within_rounding(spread: Any, largest: Any, dtype: Any) -> Any:
    """Whether a spread of values is within the rounding errors of operands of this dtype and absolute size `largest`.

    The spread is a standard deviation, or any other distance from the mean; both arguments are numbers or arrays.
    """
    return spread <= ROUNDINGS * np.finfo(dtype).eps * largest


def difference_rounding(X: NDArray[Any]) -> NDArray[Any]:
    """Rounding error of differences of the values, as a fraction of the larger value, shape (n_channels,).

    X has shape (n_samples, n_channels, n_timepoints), with NaN after the ends. The fraction is that of float32 if all
    values of a channel are float32 numbers, whatever the dtype of X. It is that of float64 if these values do not use
    the last digit of float32: such values, counts for instance, have not been rounded, and their differences are exact.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        single = X.astype(np.float32)
    is_single = ((single == X) | np.isnan(X)).all(axis=(0, 2))
    uses_last_digit = ((single.view(np.int32) & 1).astype(bool) & ~np.isnan(X)).any(axis=(0, 2))
    eps = np.where(is_single & uses_last_digit, np.finfo(np.float32).eps, np.finfo(np.float64).eps)
    return DIFFERENCE_ROUNDINGS * eps.astype(np.float64)
