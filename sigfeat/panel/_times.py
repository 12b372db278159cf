"""The order of the points of a series, by one rule for all containers.

Points are sorted by their time stamps, which are different and of one type. Texts have no order of their own, "9:00"
comes behind "10:00", so they must stand in the order of the rows already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sigfeat._messages import plain
from sigfeat.panel._frames import is_pandas

if TYPE_CHECKING:
    import pandas as pd

MOST_SHOWN = 80  # characters of a value in a message


def in_order(times: pd.Index, what: str) -> NDArray[np.int64] | None:
    """Order of the points of one series by their time stamps, None if they stand in it; `what` names the series.

    Raises a ValueError if a stamp is missing or occurs twice, if stamps are of several types that have no order, or
    texts that do not stand in their order.
    """
    if is_pandas(times, "RangeIndex") and times.step > 0:
        return None
    if times.nlevels > 1:
        raise ValueError(f"the index of {what} must hold times, got {times.nlevels} levels")
    if times.hasnans:
        raise ValueError(f"every point of {what} must have a time stamp, got a missing one in its index")
    if not times.is_unique:
        twice = plain(times[times.duplicated()][0])
        raise ValueError(f"the points of {what} must have different time stamps, got {twice!r} twice in its index")
    text = are_texts(times)
    if times.is_monotonic_increasing and not (text and is_pandas(times, "CategoricalIndex")):
        return None
    if text:
        values = np.asarray(times, dtype=object)
        later = int(np.flatnonzero([b < a for a, b in zip(values[:-1], values[1:], strict=True)])[0])
        raise text_refused(values[later], values[later + 1], what)
    return np.asarray(sorted_stamps(times, what), dtype=np.int64)


def sorted_stamps(times: pd.Index, what: str) -> NDArray[np.intp]:
    """The places of time stamps in their order; a ValueError if they have none."""
    try:
        return np.asarray(times.argsort())
    except TypeError as error:
        kinds = sorted({type(time).__name__ for time in times})
        if len(kinds) == 1:  # such as dates with and without a time zone
            raise ValueError(f"the time stamps of {what} must be comparable: {error}") from None
        raise ValueError(f"the time stamps of {what} must be of one type, got {' and '.join(kinds)}") from None


def are_texts(times: pd.Index) -> bool:
    """Whether time stamps are texts, whose order says nothing; the order of ordered categories does."""
    if is_pandas(times, "CategoricalIndex"):
        return not times.ordered and are_texts(times.categories)
    import pandas as pd

    return times.dtype.kind in "OSU" and pd.api.types.infer_dtype(times, skipna=True) in ("string", "bytes")


def text_refused(first: Any, second: Any, what: str) -> ValueError:
    """The error for texts that do not stand in the order of texts."""
    return ValueError(
        f"the time stamps of {what} are texts whose order as texts is not the order of the rows, {plain(first)!r} "
        f"before {plain(second)!r}: make numbers or dates of them, as pd.to_datetime does, or number the rows"
    )


def shown(value: Any) -> str:
    """A value as messages show it: Python's own in place of NumPy's, and no more than its beginning."""
    text = repr(plain(value))
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 3] + "..."
