"""Index of the series and names of the channels of a panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sigfeat.panel._frames import is_pandas, refuse_twice

if TYPE_CHECKING:
    import pandas as pd

KEEPING = (np.round, np.around, np.nan_to_num, np.copy)


class Panel(np.ndarray[Any, Any]):
    """Array (n_samples, n_channels, n_timepoints) with an index of its series and names of its channels.

    `to_panel` returns it for input that has such names, and augmentations always return it. Selections of series and
    channels and elementwise functions keep the names. All other operations return an array without names.

    Attributes
    ----------
    index : pandas.Index of length n_samples, or None
        Labels of the series: the index of the frame that they come from.
    channel_names : ndarray of shape (n_channels,) of str, or None
        Names of the channels: the columns of that frame.

    Examples
    --------
    >>> import pandas as pd
    >>> from sigfeat import to_panel
    >>> long = pd.DataFrame({"run": ["a", "a", "b", "b"], "t": [0, 1, 0, 1], "speed": [1.0, 2.0, 3.0, 4.0]})
    >>> panel = to_panel(long, series="run", time="t")
    >>> panel[[1, 0]].index.tolist(), panel.channel_names.tolist()
    (['b', 'a'], ['speed'])
    """

    index: pd.Index | None
    channel_names: NDArray[np.object_] | None

    def __array_finalize__(self, obj: Any) -> None:
        """A new array has no names until they are set."""
        self.index = self.channel_names = None

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """Results of elementwise ufuncs keep the names on which their arguments agree."""
        if context is None or context[0].signature is not None or array.shape != self.shape:
            return array[()] if return_scalar else array
        named = [value for value in context[1] if isinstance(value, Panel) and value.shape == array.shape]
        same = all(_equal(value.index, self.index) for value in named)
        alike = all(_equal(value.channel_names, self.channel_names) for value in named)
        return labelled(array, self.index if same else None, self.channel_names if alike else None)

    def __getitem__(self, key: Any) -> Any:
        """Part of the panel. If it has three axes it keeps the names of its series and channels."""
        part, keys = np.asarray(self)[key], _keys_of_axes(key)
        if self.ndim != 3 or np.ndim(part) != 3 or keys is None:
            return part
        index = None if self.index is None else self.index[keys[0]]
        return labelled(part, index, None if self.channel_names is None else self.channel_names[keys[1]])

    @property  # type: ignore[misc]  # strides must not be set
    def strides(self) -> Any:
        """Strides that carry the names, since joblib hashes the strides and the values of an array."""
        index = None if self.index is None else (self.index.tolist(), self.index.names)
        names = None if self.channel_names is None else self.channel_names.tolist()
        return _Strides(np.asarray(self).strides, (index, names))

    def sort(self, *args: Any, **kwargs: Any) -> None:
        """Sort in place and drop the names, which would not be sorted with the values."""
        super().sort(*args, **kwargs)
        self.index = self.channel_names = None

    def partition(self, *args: Any, **kwargs: Any) -> None:
        """Partition in place and drop the names."""
        super().partition(*args, **kwargs)
        self.index = self.channel_names = None

    def round(self, *args: Any, **kwargs: Any) -> Any:
        """Rounded values with the same names."""
        return labelled(np.asarray(self).round(*args, **kwargs), self.index, self.channel_names)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Functions that move no value keep the names; all others return an array without names."""
        result = super().__array_function__(func, types, args, kwargs)
        if func not in KEEPING or args[0] is not self or np.shape(result) != self.shape:
            return result
        return labelled(result, self.index, self.channel_names)

    def __repr__(self) -> str:
        return repr(np.asarray(self)) if self.index is None and self.channel_names is None else super().__repr__()

    def copy(self, order: Any = "C") -> Any:
        """Copy of the values and names."""
        return labelled(np.asarray(self).copy(order), self.index, self.channel_names)

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """Values as another dtype with the same names."""
        return labelled(np.asarray(self).astype(dtype, *args, **kwargs), self.index, self.channel_names)

    def __reduce__(self) -> Any:
        """Pickle a plain array, so that joblib memory-maps large ones instead of writing them each time."""
        return labelled, (np.asarray(self), self.index, self.channel_names)


class _Strides(tuple[int, ...]):
    """Strides that are pickled with names, so that caches distinguish panels with equal values and other names."""

    names: Any

    def __new__(cls, strides: Any, names: Any) -> Any:
        made = super().__new__(cls, strides)
        made.names = names
        return made

    def __reduce__(self) -> Any:
        return _Strides, (tuple(self), self.names)


def _keys_of_axes(key: Any) -> list[Any] | None:
    """One key for each of three axes; None if a key spans several axes or adds one."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if any(k is None or isinstance(k, bool | np.bool_) or np.ndim(k) > 1 for k in keys):
        return None
    for i, k in enumerate(keys):
        if k is Ellipsis:
            keys[i : i + 1] = [slice(None)] * (4 - len(keys))
            break
    return keys + [slice(None)] * (3 - len(keys))


def as_panel(array: Any, index: pd.Index | None = None, names: Any = None) -> Panel:
    """Panel with this index of series and these channel names; both may be None."""
    panel = np.asarray(array).view(Panel)
    panel.index, panel.channel_names = index, None if names is None else np.asarray(names, dtype=object)
    return panel


def labelled(array: Any, index: pd.Index | None, names: Any) -> Any:
    """Panel with these names, or the plain array if there are none."""
    return np.asarray(array) if index is None and names is None else as_panel(array, index, names)


def first_appearances(index: pd.MultiIndex) -> pd.Index:
    """Instances of an index (instance, time), in the order in which they appear."""
    level = index.levels[0]
    codes = np.asarray(index.codes[0])
    seen = codes[np.sort(np.unique(codes, return_index=True)[1])]
    return level.take(seen[seen >= 0])


def channel_names(X: Any) -> NDArray[np.object_] | None:
    """Names of the channels, if X has a text name for each.

    X is a `Panel`, a DataFrame whose columns are channels, or a list of such frames.
    """
    if isinstance(X, Panel):
        return X.channel_names
    columns = columns_of(X)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    refuse_twice(columns, "channels")
    return np.asarray(columns, dtype=object)


def columns_of(X: Any) -> Any:
    """Columns of a frame, or of the first frame of a list, whatever their type; None without a frame."""
    if isinstance(X, list | tuple):
        X = next((item for item in X if type(item) is not np.ndarray and is_pandas(item, "DataFrame")), None)
    columns = getattr(X, "columns", None)
    return columns if is_pandas(columns, "Index") else None


def _equal(a: Any, b: Any) -> bool:
    if a is b:
        return True
    return a is not None and b is not None and len(a) == len(b) and bool(np.all(np.asarray(a) == np.asarray(b)))
