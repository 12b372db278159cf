"""Values as they appear in error messages."""

from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Convert NumPy scalars and arrays to Python values, also inside lists and tuples.

    The `repr` of NumPy's scalars shows their type, ``np.float64(0.5)``.

    Parameters
    ----------
    value : object
        Any value.

    Returns
    -------
    value : object
        The Python value, or `value` itself.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat._messages import plain
    >>> plain((np.float64(0.5), [np.str_("a"), 3]))
    (0.5, ['a', 3])
    """
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if type(value) in (list, tuple):
        return type(value)(plain(part) for part in value)
    return value
