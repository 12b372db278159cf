"""What all transformers of panels share."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from sigfeat._validation import _check_feature_names_in, check_is_fitted, validate_panel


class PanelTransformer(TransformerMixin, BaseEstimator):
    """A transformer whose input is a panel of series; see `to_panel`."""

    _allow_missing = False

    def _check_panel(self, X, *, reset):
        return validate_panel(self, X, reset=reset, allow_missing=self._allow_missing)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self._allow_missing
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class FeatureTransformer(PanelTransformer):
    """Panel in, one row of features per series out; subclasses spell the features in `_feature_names`."""

    def get_feature_names_out(self, input_features=None):
        """Names of the features.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Checked as scikit-learn does where the input was a table; the names do not depend on it.

        Returns
        -------
        names : ndarray of str objects
        """
        check_is_fitted(self)
        if self._fitted_on_table:
            _check_feature_names_in(self, input_features)
        return np.asarray(self._feature_names(), dtype=object)


class PanelAugmentation(PanelTransformer):
    """Panel in, panel out."""

    def set_output(self, *, transform=None):
        """Accept scikit-learn's choice of output container and keep giving arrays.

        A panel is no table, so this only lets a `Pipeline` that ends in a feature transformer be told what its end should give.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None
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
            Checked as scikit-learn does where the input was a table; the names do not depend on it.

        Returns
        -------
        names : ndarray of str objects
        """
        check_is_fitted(self)
        if self._fitted_on_table:
            _check_feature_names_in(self, input_features)
        return np.asarray([f"{type(self).__name__.lower()}{c}" for c in range(self.n_channels_out_)], dtype=object)
