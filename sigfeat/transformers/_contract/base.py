"""Base classes of all transformers of panels."""

import copy
import functools
from collections.abc import Callable, Iterator
from itertools import chain, count
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
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
    _parameter_constraints: dict[str, Any] = {}
    _used_only: dict[str, OnlyWith] = {}  # parameters that only some settings use, and which

    def _validate_params(self) -> None:
        super()._validate_params()
        refuse_unused(self, self._used_only)

    def _check_panel(self, X: Any, y: Any = None, *, reset: bool) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Panel and the lengths of its series. In fit, `reset` is True and y needs one entry per series."""
        if reset:  # a failed fit must not leave an estimator that looks fitted
            self.__dict__.pop(self._fitted_mark, None)
        return validate_panel(self, X, y, reset=reset, allow_missing=self._allow_missing)

    def fit_transform(self, X: Any, y: Any = None) -> Any:
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
        if channel_names(X) is not None and not is_table(X):  # convert cells only once, since this is slow
            X = to_panel(X)
        return super().fit_transform(X, y)

    def _has_channel_names(self) -> bool:
        """Whether the channels had names at fit. The columns of a table are times, not channels."""
        return "feature_names_in_" in vars(self) and not self._fitted_on_table

    def _require_timepoints(self, lengths: NDArray[np.int64], needed: int, what: str) -> None:
        i = int(lengths.argmin())
        if lengths[i] < needed:
            raise ValueError(
                f"n_timepoints must be at least {needed} for {what}, "
                f"got {lengths[i]} (n_features={lengths[i]}) in series {i}"
            )

    def _channel_labels(self) -> list[str]:
        """Label of each channel in the names of features."""
        return channel_labels(self.feature_names_in_ if self._has_channel_names() else None, self.n_channels_)

    def __sklearn_is_fitted__(self) -> bool:
        return self._fitted_mark in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self._allow_missing
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class FeatureTransformer(PanelTransformer):
    """Transformer that returns one row of features per series.

    Subclasses set `_n_features_out` as the last step of `fit` and return the names of the features from
    `_feature_names`.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "transform" in cls.__dict__:
            cls.transform = _indexed_by_series(cls.transform)
        super().__init_subclass__(**kwargs)

    def _check_overflow(
        self, features: NDArray[Any], what: str, remedy: str = "scale the series or lower depth"
    ) -> None:
        """Raise a ValueError if a feature is not finite; `what` is the subject of the message."""
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(features.sum()) or np.isfinite(features).all()
        if not finite:
            raise ValueError(f"{what} {features.dtype}: {remedy}")

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
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
    """Transformer from panel to panel.

    Subclasses implement `_augment`, and where needed `_learn`, `_needed_timepoints` (the shortest accepted length) and
    `_name_channels`.
    """

    _fitted_mark = "_learnt"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)  # a panel is not a table

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the series and learn what the transform needs.

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
        with np.errstate(over="ignore", invalid="ignore"):  # `transform` raises if this overflows
            self._learn(X, lengths)
        self._parameters = self.get_params(deep=False)  # parameters set after fit do not change `transform`
        self._learnt = True
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Augmented series.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        panel : ndarray of shape (n_samples, n_channels_out, n_timepoints_out), dtype of X
            Shorter series are padded at the end with NaN. It is a `Panel`: it has the index of the series if X has one,
            and the names of `get_feature_names_out` if the channels had names at fit.

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
        with np.errstate(over="ignore", invalid="ignore"):  # reported in one sentence below
            panel = fitted._augment(X, lengths)
            fits = np.isfinite(panel.sum()) or not np.isinf(panel).any()
        if not fits:
            raise ValueError(f"values of {type(self).__name__} overflow {panel.dtype}: scale the series")
        return as_panel(panel, index, self.get_feature_names_out() if self._has_channel_names() else None)

    def set_output(self, *, transform: Any = None) -> Self:
        """Accept scikit-learn's choice of output container and keep returning panels.

        A panel is not a table, so this has an effect only on the last step of a `Pipeline` that ends in a feature
        transformer. The rows of its DataFrame have the index of the series.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            Ignored.

        Returns
        -------
        self : PanelAugmentation
        """
        return self

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the output channels.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input channels. By default those seen at fit, otherwise "channel1", "channel2", ... If the
            input was a table, they are names of its columns, which are times, and are only checked.

        Returns
        -------
        names : ndarray of str objects, shape (n_channels_out,)
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features, generate_names=False)
        if names is None or self._fitted_on_table:
            names = [f"channel{c + 1}" for c in range(self.n_channels_)]
        return np.asarray(list(_unique_names(self._as_fitted()._name_channels(list(names)))), dtype=object)

    def _as_fitted(self) -> Self:
        """Copy with the parameters of the last fit, without those set since then."""
        fitted = copy.copy(self)
        fitted.__dict__.update(self._parameters)
        return fitted

    def _learn(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> None:
        pass

    def _augment(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
        raise NotImplementedError

    def _needed_timepoints(self) -> int:
        return 1

    def _name_channels(self, names: list[str]) -> list[str]:
        return names

    def _check_lengths(self, lengths: NDArray[np.int64]) -> None:
        self._require_timepoints(lengths, self._needed_timepoints(), type(self).__name__)


def _unique_names(names: list[str]) -> Iterator[str]:
    """Unique names of channels: repeated ones get a number, "time", "time 2"."""
    seen = set()
    for name in names:
        other = next(text for text in chain([name], (f"{name} {k}" for k in count(2))) if text not in seen)
        seen.add(other)
        yield other


def _indexed_by_series(transform: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Wrap a transform so that its DataFrames have the index of the series of the input."""

    @functools.wraps(transform)
    def wrapped(self: Any, X: Any) -> Any:
        X = computed(X)
        features = transform(self, X)
        if _get_output_config("transform", self)["dense"] != "pandas":
            return features
        import pandas as pd

        return pd.DataFrame(features, index=series_index(X), copy=False)

    return wrapped
