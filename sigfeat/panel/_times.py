"""The order of the points of a series: one rule for all containers.

Points are sorted by their time stamps, which must be unique and of one type. The order of text says nothing about time,
since "9:00" comes after "10:00", so time stamps that are text must already be sorted.
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
    """Order of the points of one series by their time stamps, None if they are sorted; `what` names the series.

    Raises a ValueError if a time stamp is missing or occurs twice, if time stamps cannot be compared, or if they are
    text that is not sorted.
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
    """Sorting order of time stamps; a ValueError if they cannot be compared."""
    try:
        return np.asarray(times.argsort())
    except TypeError as error:
        kinds = sorted({type(time).__name__ for time in times})
        if len(kinds) == 1:  # such as dates with and without a time zone
            raise ValueError(f"the time stamps of {what} must be comparable: {error}") from None
        raise ValueError(f"the time stamps of {what} must be of one type, got {' and '.join(kinds)}") from None


def are_texts(times: pd.Index) -> bool:
    """Whether time stamps are text, whose order is meaningless; ordered categories have an order."""
    if is_pandas(times, "CategoricalIndex"):
        return not times.ordered and are_texts(times.categories)
    import pandas as pd

    return times.dtype.kind in "OSU" and pd.api.types.infer_dtype(times, skipna=True) in ("string", "bytes")


def text_refused(first: Any, second: Any, what: str) -> ValueError:
    """Error for time stamps that are text and not sorted."""
    return ValueError(
        f"the time stamps of {what} are text that is not sorted in the order of the rows, {plain(first)!r} "
        f"before {plain(second)!r}: convert them to dates, as by pd.to_datetime, or to numbers"
    )


def shown(value: Any) -> str:
    """Representation of a value in messages: a plain Python value, cut after some characters."""
    text = repr(plain(value))
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 3] + "..."
