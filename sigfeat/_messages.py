"""Values as error messages show them."""

from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Value without NumPy's types, which its `repr` would show: 0.5 for np.float64(0.5), also inside lists and tuples.

    Parameters
    ----------
    value : object
        Any value.

    Returns
    -------
    value : object
        The value that Python's own types have for it, or the same.

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
