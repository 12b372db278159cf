"""The only door to scikit-learn's underscore names, and the check that every panel passes."""

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from sigfeat.panel import is_table, series_lengths, to_panel

__all__ = ["Interval", "StrOptions", "_check_feature_names_in", "_fit_context", "check_is_fitted", "validate_panel"]


def validate_panel(estimator, X, *, reset, allow_missing=False):
    """X as a panel and the own lengths of its series, checked against what `estimator` saw at fit.

    Tables go through scikit-learn's `validate_data`, so its rules and messages hold for them; n_features_in_ is the number of columns of a
    table, and of channels otherwise.
    """
    table = is_table(X)
    name = type(estimator).__name__
    if table and not reset and not estimator._fitted_on_table:  # one channel of another length is fine for everything but two tables
        X, table = to_panel(X), False
    if table:
        X = _validate_table(estimator, X, reset)
        X = X[:, np.newaxis, :] if X.ndim == 2 else X
    else:
        X = to_panel(X)
        if reset:
            validate_data(estimator, X, reset=True, skip_check_array=True)
    if reset:
        estimator.n_channels_, estimator._fitted_on_table = X.shape[1], table
    elif X.shape[1] != estimator.n_channels_:
        raise ValueError(f"X has {X.shape[1]} channels, but {name} was fitted with {estimator.n_channels_}")
    return X, _check_values(X, name, allow_missing)


def _validate_table(estimator, X, reset):
    dtype = getattr(X, "dtype", None)
    if isinstance(X, np.ndarray) and dtype.kind in "USMm":
        raise ValueError(f"X must hold real numbers, got dtype {dtype}")
    try:
        return validate_data(estimator, X, reset=reset, dtype=[np.float64, np.float32], order="C", ensure_all_finite=False)
    except ValueError as error:
        if "could not convert" in str(error):
            raise ValueError(f"X must hold real numbers: {error}") from None
        raise


def _check_values(X, name, allow_missing):
    if np.isfinite(X.sum()):
        return np.full(len(X), X.shape[2])
    lengths = series_lengths(X)
    if lengths.min() == 0:
        raise ValueError(f"every series must have at least one value, but series {lengths.argmin()} (from 0) of X is NaN throughout")
    bad = np.isinf(X)
    if not bad.any():
        if allow_missing:
            return lengths
        bad = np.isnan(X) & (np.arange(X.shape[2]) < lengths[:, np.newaxis, np.newaxis])
    if bad.any():
        i, c, t = np.argwhere(bad)[0]
        place = f"in series {i} (from 0), channel {c + 1} (from 1), time {t} (from 0)"
        if np.isinf(X[i, c, t]):
            raise ValueError(f"X must be finite for {name}, got {X[i, c, t]} {place}")
        raise ValueError(f"X must have no missing value inside a series for {name}, got NaN {place}; FillMissing() fills such gaps")
    return lengths
