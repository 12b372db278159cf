"""What all transformers of panels share."""

import copy
import functools
from itertools import chain, count

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from sigfeat._validation import (
    _check_feature_names_in,
    _fit_context,
    _get_output_config,
    check_is_fitted,
    validate_panel,
)
from sigfeat.panel import as_panel, channel_names, computed, is_table, series_index, to_panel
from sigfeat.transformers._contract.unused import OnlyWith, refuse_unused
from sigfeat.words import channel_labels


class PanelTransformer(TransformerMixin, BaseEstimator):
    """A transformer whose input is a panel of series; see `to_panel`."""

    _allow_missing = False
    _fitted_mark = "_n_features_out"  # the attribute that `fit` sets last
    _parameter_constraints: dict = {}
    _used_only: dict[str, OnlyWith] = {}  # parameters that only some settings use, and which

    def _validate_params(self):
        super()._validate_params()
        refuse_unused(self, self._used_only)

    def _check_panel(self, X, y=None, *, reset):
        """Panel and own lengths of its series; reset is True in fit, where y needs an entry for each, else False."""
        if reset:  # a fit that fails leaves nothing behind that looks fitted
            vars(self).pop(self._fitted_mark, None)
        return validate_panel(self, X, y, reset=reset, allow_missing=self._allow_missing)

    def fit_transform(self, X, y=None):
        """Fit to series, and transform them.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : array-like of shape (n_samples,), default=None
            Targets, for transformers that learn from them.

        Returns
        -------
        result : array, DataFrame or Panel
            As from `transform`.
        """
        X = computed(X)
        if channel_names(X) is not None and not is_table(X):  # convert cells once, which takes longer than to use them
            X = to_panel(X)
        return super().fit_transform(X, y)

    def _has_channel_names(self):
        """Whether the channels had names at fit; the columns of a table are times."""
        return "feature_names_in_" in vars(self) and not self._fitted_on_table

    def _require_timepoints(self, lengths, needed, what):
        i = int(lengths.argmin())
        if lengths[i] < needed:
            raise ValueError(
                f"n_timepoints must be at least {needed} for {what}, "
                f"got {lengths[i]} (n_features={lengths[i]}) in series {i}"
            )

    def _channel_labels(self):
        """Text by which each channel seen at fit stands in the names of features."""
        return channel_labels(self.feature_names_in_ if self._has_channel_names() else None, self.n_channels_)

    def __sklearn_is_fitted__(self):
        return self._fitted_mark in vars(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self._allow_missing
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class FeatureTransformer(PanelTransformer):
    """Panel in, one row of features per series out.

    Subclasses set `_n_features_out` as the last step of `fit` and spell the features in `_feature_names`.
    """

    def __init_subclass__(cls, **kwargs):
        if "transform" in cls.__dict__:
            cls.transform = _indexed_by_series(cls.transform)
        super().__init_subclass__(**kwargs)

    def _check_overflow(self, features, what, remedy="scale the series or lower depth"):
        """Raise unless the sum, or else every one, of the features is finite; `what` tells what overflows."""
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(features.sum()) or np.isfinite(features).all()
        if not finite:
            raise ValueError(f"{what} {features.dtype}: {remedy}")

    def get_feature_names_out(self, input_features=None):
        """Names of the features.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Checked against the columns or channels seen at fit; the names do not depend on it.

        Returns
        -------
        names : ndarray of str objects, shape (n_features_out,)
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        return np.asarray(self._feature_names(), dtype=object)


class PanelAugmentation(PanelTransformer, auto_wrap_output_keys=None):  # type: ignore[call-arg]  # not in its types
    """Panel in, panel out.

    Subclasses give the panel in `_augment`, what they learn in `_learn`, the shortest length that they take
    in `_needed_timepoints` and the names of their channels in `_name_channels`.
    """

    _fitted_mark = "_learnt"

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)  # a panel is no table

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the series, and learn from them where there is something to learn.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : None
            Ignored.

        Returns
        -------
        self : PanelAugmentation
        """
        X, lengths = self._check_panel(X, y, reset=True)
        self._check_lengths(lengths)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows here is told by `transform`
            self._learn(X, lengths)
        self._parameters = self.get_params(deep=False)  # those of fit: `transform` and the names do not know later ones
        self._learnt = True
        return self

    def transform(self, X):
        """Augmented series.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        panel : ndarray of shape (n_samples, n_channels_out, n_timepoints_out), dtype of X
            Shorter series padded at the end with NaN. A `Panel`: it has the index of the series, where X has one, and
            the names of `get_feature_names_out`, where the channels had names at fit.

        Raises
        ------
        ValueError
            If values overflow.
        """
        check_is_fitted(self)
        X = computed(X)
        index = series_index(X)
        X, lengths = self._check_panel(X, reset=False)
        fitted = self._as_fitted()
        fitted._check_lengths(lengths)
        with np.errstate(over="ignore", invalid="ignore"):  # told in one sentence
            panel = fitted._augment(X, lengths)
            fits = np.isfinite(panel.sum()) or not np.isinf(panel).any()
        if not fits:
            raise ValueError(f"values of {type(self).__name__} overflow {panel.dtype}: scale the series")
        return as_panel(panel, index, self.get_feature_names_out() if self._has_channel_names() else None)

    def set_output(self, *, transform=None):
        """Accept scikit-learn's choice of output container and keep giving panels.

        A panel is no table, so this only lets the output of a `Pipeline` that ends in a feature transformer be set. The
        index of the series goes through: the rows of its end are called as those of its input.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            Ignored.

        Returns
        -------
        self : PanelAugmentation
        """
        return self

    def get_feature_names_out(self, input_features=None):
        """Names of the output channels.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input channels; by default those seen at fit, else "channel1", "channel2", ... Where
            the input was a table they name its columns, which are times, and are only checked.

        Returns
        -------
        names : ndarray of str objects, shape (n_channels_out,)
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features, generate_names=False)
        if names is None or self._fitted_on_table:
            names = [f"channel{c + 1}" for c in range(self.n_channels_)]
        return np.asarray(list(_told_apart(self._as_fitted()._name_channels(list(names)))), dtype=object)

    def _as_fitted(self):
        """A copy that has the parameters of the last fit, whatever has been set since."""
        fitted = copy.copy(self)
        vars(fitted).update(self._parameters)
        return fitted

    def _learn(self, X, lengths):
        pass

    def _augment(self, X, lengths):
        raise NotImplementedError

    def _needed_timepoints(self):
        return 1

    def _name_channels(self, names):
        return names

    def _check_lengths(self, lengths):
        self._require_timepoints(lengths, self._needed_timepoints(), type(self).__name__)


def _told_apart(names):
    """Names of channels, those that occur again with a number behind them: "time", "time 2"."""
    seen = set()
    for name in names:
        other = next(text for text in chain([name], (f"{name} {k}" for k in count(2))) if text not in seen)
        seen.add(other)
        yield other


def _indexed_by_series(transform):
    """A transform whose DataFrames have the index of the series of any panel that has one."""

    @functools.wraps(transform)
    def wrapped(self, X):
        X = computed(X)
        features = transform(self, X)
        if _get_output_config("transform", self)["dense"] != "pandas":
            return features
        import pandas as pd

        return pd.DataFrame(features, index=series_index(X), copy=False)

    return wrapped
