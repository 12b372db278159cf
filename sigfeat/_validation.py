"""The only door to scikit-learn's underscore names, and the check that every panel passes."""

import contextlib

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in, _check_sample_weight, check_is_fitted, validate_data

from sigfeat.panel import channel_names, is_table, series_lengths, to_panel

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for the mixin: there are no callbacks to be called."""

        def _init_callback_context(self, **_):
            return _NoContext()


class _NoContext:
    """What a callback context can do, and nothing done."""

    def call_on_fit_task_begin(self, **_):
        return self

    def call_on_fit_task_end(self, **_):
        return False

    def subcontext(self, **_):
        return self

    @contextlib.contextmanager
    def propagate_callback_context(self, _):
        yield


__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "StrOptions",
    "_check_feature_names_in",
    "_check_sample_weight",
    "_fit_context",
    "_get_output_config",
    "check_is_fitted",
    "validate_panel",
]


def validate_panel(estimator, X, *, reset, allow_missing=False):
    """X as a panel and the own lengths of its series, checked against what `estimator` saw at fit.

    Tables go through scikit-learn's `validate_data`: its rules and messages hold for them, and n_features_in_
    counts their columns. For every other kind n_features_in_ counts the channels, and feature_names_in_ holds
    their names where X has them.

    Parameters
    ----------
    estimator : PanelTransformer
        Gets n_channels_, n_features_in_ and feature_names_in_ on reset, is compared with them otherwise.
    X : array-like
        Any kind of panel; see `to_panel`.
    reset : bool
        True in fit, False in transform.
    allow_missing : bool, default=False
        Whether NaN may stand inside a series.

    Returns
    -------
    panel : ndarray of shape (n_samples, n_channels, n_timepoints)
        C-contiguous, float64 or float32, possibly X itself.
    lengths : ndarray of shape (n_samples,), int64

    Raises
    ------
    TypeError, ValueError
        As `to_panel`; also if channels are not those seen at fit, if a value is infinite or, unless allowed,
        missing, or if a series has no value at all.
    """
    table = is_table(X)
    names = None if table else channel_names(X)
    if table and not reset:  # a table after a panel is one channel, whose length is free
        table = estimator._fitted_on_table
    panel = _validate_table(estimator, X, reset)[:, np.newaxis, :] if table else to_panel(X)
    if not reset:
        _check_channels(estimator, panel.shape[1], names)
    lengths = _check_values(panel, type(estimator).__name__, allow_missing)
    if reset:
        if not table:
            _set_channels(estimator, panel.shape[1], names)
        estimator.n_channels_, estimator._fitted_on_table = panel.shape[1], table
    return panel, lengths


def _validate_table(estimator, X, reset):
    if isinstance(X, np.ma.MaskedArray):
        X = to_panel(X)[:, 0]
    array = np.asarray(X)
    text = array.dtype == object and any(isinstance(value, str | bytes) for value in array.flat)
    if text or array.dtype.kind in "USMm":
        raise ValueError(f"X must hold real numbers, got {'text' if text else f'dtype {array.dtype}'}")
    if not array.dtype.isnative:  # of such float32 scikit-learn makes float64
        X = array.astype(array.dtype.newbyteorder("="))
    options = {"dtype": [np.float64, np.float32], "order": "C", "ensure_all_finite": False}
    return validate_data(estimator, X, reset=reset, **options)


def _set_channels(estimator, n_channels, names):
    estimator.n_features_in_ = n_channels
    if names is not None:
        estimator.feature_names_in_ = names
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def _check_channels(estimator, n_channels, names):
    if n_channels != estimator.n_channels_:
        name = type(estimator).__name__
        raise ValueError(f"X has {n_channels} channels, but {name} was fitted with {estimator.n_channels_}")
    known = None if estimator._fitted_on_table else getattr(estimator, "feature_names_in_", None)
    if names is not None and known is not None and not np.array_equal(names, known):
        raise ValueError(f"the channels of X must be named and ordered as at fit, {list(known)}, got {list(names)}")


def _check_values(panel, name, allow_missing):
    """Own lengths of the series; data whose sum is finite need no elementwise look."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(panel.sum()):
            return np.full(len(panel), panel.shape[2], dtype=np.int64)
    lengths = series_lengths(panel)
    if lengths.min() == 0:
        raise ValueError(
            f"every series must have at least one value, but series {lengths.argmin()} (from 0) of X is NaN throughout"
        )
    finite = np.isfinite(panel)
    if np.count_nonzero(finite) == lengths.sum() * panel.shape[1]:  # all that is not finite is padding
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
