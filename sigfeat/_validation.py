"""The only module that imports private names of scikit-learn, and the check that every panel passes."""

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import _fit_context as _sklearn_fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_sample_weight,
    _num_samples,
    check_is_fitted,
    validate_data,
)

from sigfeat._messages import plain
from sigfeat.panel import (
    Floats,
    Panel,
    channel_names,
    columns_of,
    is_pandas,
    is_table,
    refuse_levels,
    refuse_long_table,
    series_index,
    series_lengths,
    to_panel,
    with_frames,
)

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Replace the mixin where scikit-learn has no callbacks."""

        def _init_callback_context(self, **_: Any) -> Any:
            return _NoContext()


class _NoContext:
    """Callback context that does nothing."""

    def call_on_fit_task_begin(self, **_: Any) -> Any:
        return self

    def call_on_fit_task_end(self, **_: Any) -> bool:
        return False

    def subcontext(self, **_: Any) -> Any:
        return self

    @contextlib.contextmanager
    def propagate_callback_context(self, _: Any) -> Iterator[Any]:
        yield


__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "RandomState",
    "StrOptions",
    "_BaseComposition",
    "_check_feature_names_in",
    "_check_sample_weight",
    "_fit_context",
    "_get_output_config",
    "check_is_fitted",
    "check_known",
    "of_objects",
    "validate_data",
    "validate_panel",
]


RandomState = int | np.random.RandomState | None  # as `check_random_state` takes it
_Method = TypeVar("_Method", bound=Callable[..., Any])


def _fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[_Method], _Method]:
    """Scikit-learn's decorator of `fit`, which checks the parameters first, with a type."""
    decorator: Callable[[_Method], _Method] = _sklearn_fit_context(
        prefer_skip_nested_validation=prefer_skip_nested_validation
    )
    return decorator


def validate_panel(
    estimator: Any, X: Any, y: Any = None, *, reset: bool, allow_missing: bool = False
) -> tuple[Floats, NDArray[np.int64]]:
    """Convert X to a panel, check it against what `estimator` saw at fit, and return the lengths of its series.

    Tables are checked by scikit-learn's `validate_data`, with its rules and messages, and n_features_in_ is the number
    of their columns. For every other container n_features_in_ is the number of channels, and feature_names_in_ holds
    the names of the channels if X has them.

    Parameters
    ----------
    estimator : PanelTransformer
        With `reset`, n_channels_, n_features_in_ and feature_names_in_ are set on it. Without, X is compared with them.
    X : array-like
        Any kind of panel; see `to_panel`.
    y : array-like or None, default=None
        Targets, which must have one entry per series.
    reset : bool
        True in fit, False in transform.
    allow_missing : bool, default=False
        Whether NaN is accepted inside a series.

    Returns
    -------
    panel : ndarray of shape (n_samples, n_channels, n_timepoints)
        C-contiguous, float64 or float32, possibly X itself.
    lengths : ndarray of shape (n_samples,), int64

    Raises
    ------
    TypeError, ValueError
        As `to_panel`. Also if the channels are not those seen at fit, a value is infinite or, unless allowed,
        missing, a series has no values, or X is a single series instead of a panel.

    Warns
    -----
    UserWarning
        With `reset`, if an array has more channels than time points, since its axes may have been swapped.
    """
    given, X = X, with_frames(X)
    _refuse_one_series(estimator, given if is_pandas(given, "Series") else X, reset)
    table = is_table(X)
    names, columns = (None, None) if table else (channel_names(X), _other_names(X))
    if table and not reset:  # a table after a panel is one channel, whose length is free
        table = estimator._fitted_on_table
    panel = np.asarray(_validate_table(estimator, X, reset)[:, np.newaxis, :] if table else to_panel(X))
    if not reset:
        _check_channels(estimator, panel.shape[1], panel.shape[2], names, columns, turned(X))
    lengths = _check_values(panel, type(estimator).__name__, allow_missing)
    if reset:
        _check_entries(y, panel, X, type(estimator).__name__)
        _warn_of_swapped_axes(X, panel)
        estimator._columns = columns
        if not table:
            _set_channels(estimator, panel.shape[1], names)
        estimator.n_channels_, estimator._fitted_on_table = panel.shape[1], table
    return panel, lengths


def _refuse_one_series(estimator: Any, X: Any, reset: bool) -> None:
    """Raise a ValueError if the shape or the names of X show that it is one series and not a panel."""
    one = False
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if not shape and is_table(X):
        shape = np.asarray(X).shape
    if len(shape) == 1 and shape[0]:
        one = np.asarray(X).dtype.kind in "fiub"
    if not reset and not estimator._fitted_on_table and estimator.n_channels_ > 1:
        if is_pandas(X, "DataFrame", "Series"):
            known = getattr(estimator, "feature_names_in_", None)
            one |= known is not None and is_table(X) and list(X.axes[-1]) == known.tolist()
        elif is_table(X) or not isinstance(X, np.ndarray):  # and no array of cells
            one |= len(shape) == 2 and shape[0] == estimator.n_channels_
    if one:
        rows = "X.to_frame().T" if is_pandas(X, "Series") and X.dtype == object else "[X]"
        raise ValueError(
            f"X must hold series, got one series of shape {tuple(shape)}: pass {rows}. (Reshape your data to two or "
            "three dimensions, the first of which counts series.)"
        )


def _check_entries(y: Any, panel: Floats, X: Any, name: str) -> None:
    """Raise a ValueError unless y, if given, has one entry per series."""
    if y is None:
        return
    no_list = isinstance(y, str | bytes | dict | set) or getattr(y, "shape", None) == ()
    if no_list or not any(hasattr(y, name) for name in ("__len__", "shape", "__array__")):
        got = plain(y) if isinstance(y, str | Real) or no_list else type(y)
        raise ValueError(f"y must be one class or number per series for {name}, got {got!r}")
    n_samples, n_channels, _ = panel.shape
    if _num_samples(y) == n_samples:
        return
    hint = ""
    if is_pandas(X, "DataFrame") and not is_table(X) or series_index(X) is not None and isinstance(X, Panel):
        hint = "; to_panel(X) has one row per series, as searches and splits of scikit-learn need"
    elif _num_samples(y) == n_channels and not is_table(X):
        hint = "; if the axes of X are (n_channels, n_samples, n_timepoints), pass X.transpose(1, 0, 2)"
    raise ValueError(f"y must have one entry per series, {n_samples}, got {_num_samples(y)}{hint}")


def of_objects(y: Any) -> NDArray[Any] | None:
    """Targets as an array, text as objects, since NumPy converts its neighbours to text; None for ragged rows."""
    try:
        array = np.asarray(y)
        mixed = array.dtype.kind in "US" and not isinstance(y, np.ndarray)
        return np.asarray(y, dtype=object) if mixed else array
    except ValueError:  # rows of unequal lengths
        return None


def check_known(values: NDArray[Any], what: str) -> None:
    """Raise a ValueError if one of the targets, from `of_objects`, is missing, or numbers and text are mixed."""
    first = None
    for i, row in enumerate(values.reshape(len(values), -1) if values.dtype == object and len(values) else ()):
        for value in row.tolist():
            if _is_missing(value):
                raise ValueError(f"{what}, got {value!r} for series {i} (from 0)")
            kind = "text" if isinstance(value, str | bytes) else "numbers" if np.isscalar(value) else None
            if first is None:
                first = kind
            elif kind != first and None not in (kind, first):
                raise ValueError(f"y must be all numbers or all text, got {first} and {plain(value)!r} for series {i}")


def _is_missing(value: Any) -> bool:
    """Whether a value means "missing": None, NaN, pandas' NA and NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def turned(X: Any) -> str:
    """Code that swaps the channel and time axes of X, for messages."""
    items = isinstance(X, list | tuple) or isinstance(X, np.ndarray) and X.ndim == 1
    return "[x.T for x in X]" if items else "X.transpose(0, 2, 1)"


def _warn_of_swapped_axes(X: Any, panel: Floats) -> None:
    """Warn if X consists of arrays with more channels than time points."""
    _, n_channels, n_timepoints = panel.shape
    if n_channels <= n_timepoints or isinstance(X, Panel):
        return
    if is_pandas(X, "DataFrame") or channel_names(X) is not None or getattr(X, "ndim", 3) == 2:
        return  # named channels, and those of arrays of cells, are columns, so their axis is known
    warnings.warn(
        f"X has more channels, {n_channels}, than time points, {n_timepoints}. If its axes are "
        f"(n_samples, n_timepoints, n_channels), pass {turned(X)}.",
        UserWarning,
        stacklevel=_level_of_caller(),
    )


def _level_of_caller() -> int:
    """Number of stack frames up to the first that belongs neither to scikit-learn nor to sigfeat."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        ("sigfeat.", "sklearn.", "joblib.")
    ):
        frame, level = frame.f_back, level + 1
    return level


def _validate_table(estimator: Any, X: Any, reset: bool) -> NDArray[Any]:
    if is_pandas(X, "DataFrame"):
        refuse_levels(X)
        refuse_long_table(X)
    if isinstance(X, np.ma.MaskedArray):
        X = to_panel(X)[:, 0]
    array = np.asarray(X)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: X must hold real numbers, got dtype {array.dtype}")
    if array.dtype.kind in "USMm":
        raise ValueError(f"X must hold real numbers, got dtype {array.dtype}")
    if array.dtype == object:
        _refuse_texts_and_dates(X, array)
    if not array.dtype.isnative:  # scikit-learn would convert such float32 to float64
        X = array.astype(array.dtype.newbyteorder("="))
    options = {"dtype": [np.float64, np.float32], "order": "C", "ensure_all_finite": False}
    table: NDArray[Any] = validate_data(estimator, X, reset=reset, **options)
    return table


def _refuse_texts_and_dates(X: Any, array: NDArray[Any]) -> None:
    """Raise a ValueError if objects contain text or dates; scikit-learn raises for everything else."""
    for i, value in enumerate(array.flat):
        if isinstance(value, str | bytes | date | timedelta):
            got = "text" if isinstance(value, str | bytes) else f"{type(value).__name__}"
            where = f" in column {X.columns[i % array.shape[1]]!r}" if is_pandas(X, "DataFrame") else ""
            raise ValueError(f"X must hold real numbers, got {got}{where}")


def _set_channels(estimator: Any, n_channels: int, names: NDArray[np.object_] | None) -> None:
    estimator.n_features_in_ = n_channels
    if names is not None:
        estimator.feature_names_in_ = names
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def _check_channels(
    estimator: Any,
    n_channels: int,
    n_timepoints: int,
    names: NDArray[np.object_] | None,
    columns: list[str] | None,
    other: str,
) -> None:
    if n_channels != estimator.n_channels_:
        name = type(estimator).__name__
        swapped = n_timepoints == estimator.n_channels_ and n_timepoints != 1
        hint = f"; if its axes are (n_samples, n_timepoints, n_channels), pass {other}" if swapped else ""
        raise ValueError(f"X has {n_channels} channels, but {name} was fitted with {estimator.n_channels_}{hint}")
    known = None if estimator._fitted_on_table else getattr(estimator, "feature_names_in_", None)
    if names is not None and known is not None and not np.array_equal(names, known):
        raise ValueError(f"the channels of X must be named and ordered as at fit, {list(known)}, got {list(names)}")
    seen = vars(estimator).get("_columns")
    if columns is not None and seen is not None and columns != seen:
        raise ValueError(
            f"the channels of X must be named and ordered as at fit, [{', '.join(seen)}], got [{', '.join(columns)}]"
        )


def _other_names(X: Any) -> list[str] | None:
    """Representations of channel names that are not text; None if X has no names, or all are text."""
    columns = columns_of(X)
    if columns is None or all(isinstance(name, str) for name in columns):
        return None
    return [repr(name) for name in columns.tolist()]


def _check_values(panel: Floats, name: str, allow_missing: bool) -> NDArray[np.int64]:
    """Lengths of the series. If the sum of the panel is finite, no element needs to be checked."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(panel.sum()):
            return np.full(len(panel), panel.shape[2], dtype=np.int64)
    lengths = series_lengths(panel)
    if lengths.min() == 0:
        raise ValueError(
            f"every series must have at least one value, but series {lengths.argmin()} (from 0) of X is NaN throughout"
        )
    finite = np.isfinite(panel)
    if np.count_nonzero(finite) == lengths.sum() * panel.shape[1]:  # every non-finite value is padding
        return lengths
    inside = (np.arange(panel.shape[2]) < lengths[:, np.newaxis])[:, np.newaxis, :]
    bad = np.isinf(panel) if allow_missing else inside & ~finite
    if bad.any():
        i, c, t = np.argwhere(bad)[0]
        place = f"in series {i} (from 0), channel {c + 1} (from 1), time {t} (from 0)"
        if np.isinf(panel[i, c, t]):
            raise ValueError(f"X must be finite for {name}, got {panel[i, c, t]} {place}")
        raise ValueError(
            f"X must have no missing value inside a series for {name}, got NaN {place}; FillMissing() fills such gaps"
        )
    return lengths


def checked_weights(sample_weight: Any, X: Any) -> NDArray[np.float64]:
    """Weights of the series, one number for all or one for each, after a check that none is negative."""
    weights: NDArray[np.float64] = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weights < 0).any():
        raise ValueError(f"sample_weight must be at least 0, got {weights.min().item()!r}")
    return weights
