"""Features brought to one scale, for linear models on top."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin

from sigfeat._rounding import within_rounding
from sigfeat._validation import Interval, _fit_context, check_is_fitted, validate_data

ROWS_AT_ONCE = 256


class FeatureScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardised features, all together of the weight of one: blocks of any number of features weigh the same.

    Each feature is raised to a power, keeping its sign, has its mean on the training data subtracted, is divided by its
    standard deviation there, and by the root of the number of features. A feature that is constant on the training
    data, up to rounding of its largest value, becomes zero.

    Parameters
    ----------
    power : float, default=1.0
        Exponent, > 0: 0.5 tames the tails of counts and products.
    sparse : bool, default=False
        For counts that are mostly zero: a zero stays zero, and features are divided by their standard deviation plus
        the fourth power of their share of zeros, so that the rarest are not blown up [1]_.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_features_in_,)
        A feature becomes (sign(x) abs(x)**power - mean_) * scale_, float64.
    n_features_in_ : int
        Number of features seen at fit.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : The same without the power and the common weight.

    References
    ----------
    .. [1] Dempster, Schmidt, Webb, "HYDRA: competing convolutional kernels for fast and accurate time series
       classification", 2023, arXiv:2203.13652, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import FeatureScaler
    >>> FeatureScaler().fit_transform(np.array([[1.0, 5.0], [3.0, 5.0]])).round(3)
    array([[-0.707,  0.   ],
           [ 0.707,  0.   ]])
    """

    _parameter_constraints: dict = {
        "power": [Interval(Real, 0, None, closed="neither")],
        "sparse": ["boolean"],
    }

    def __init__(self, power=1.0, sparse=False):
        self.power = power
        self.sparse = sparse

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn mean and scale.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : None
            Ignored.

        Returns
        -------
        self : FeatureScaler
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        self._power, self._sparse = self.power, self.sparse  # from here on `transform` knows the parameters by these
        mean, square, zeros, largest = np.zeros((4, X.shape[1]))
        for part in self._parts(X):
            mean += part.sum(axis=0, dtype=np.float64) / len(X)
            np.maximum(largest, np.abs(part).max(axis=0), out=largest)
        for part in self._parts(X):
            square += np.square(part - mean).sum(axis=0) / len(X)
            zeros += (part == 0).sum(axis=0) / len(X)
        deviation = np.sqrt(square)
        constant = within_rounding(deviation, largest, X.dtype)
        if self._sparse:
            deviation += zeros**4
        scale = np.zeros(X.shape[1])
        np.divide(1.0, deviation * np.sqrt(X.shape[1]), out=scale, where=~constant)
        self.mean_, self.scale_ = mean, scale
        return self

    def transform(self, X):
        """Scaled features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        scaled : ndarray of shape (n_samples, n_features), dtype of X
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        mean, scale = self.mean_.astype(X.dtype), self.scale_.astype(X.dtype)
        scaled = np.empty_like(X, order="C")
        for first, part in enumerate(self._parts(X)):
            rows = scaled[first * ROWS_AT_ONCE : (first + 1) * ROWS_AT_ONCE]
            np.subtract(part, mean, out=rows)
            rows *= scale
            if self._sparse:
                rows[part == 0] = 0.0
        return scaled

    def _parts(self, X):
        """Rows of X raised to the power, some at a time: copies of all would fill the memory."""
        for first in range(0, len(X), ROWS_AT_ONCE):
            part = X[first : first + ROWS_AT_ONCE]
            yield part if self._power == 1 else np.copysign(np.abs(part) ** X.dtype.type(self._power), part)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
