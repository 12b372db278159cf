"""Features brought to one scale, for linear models on top."""

from collections.abc import Iterator
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin

from sigfeat._rounding import within_rounding
from sigfeat._validation import Interval, _fit_context, check_is_fitted, validate_data

ROWS_AT_ONCE = 256


class FeatureScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardise features and divide them by the root of their number, so that blocks of any width weigh the same.

    Each feature is raised to a power, with its sign kept. Then its mean on the training data is subtracted, and it is
    divided by its standard deviation there times the root of the number of features. A feature that is constant on the
    training data, up to rounding of its largest value, becomes zero.

    Parameters
    ----------
    power : float, default=1.0
        Exponent, > 0. With 0.5 the tails of products and counts become lighter.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_features_in_,)
        A feature becomes (sign(x) abs(x)**power - mean_) / scale_, float64. The scale of a constant feature is inf.
    n_features_in_ : int
        Number of features seen at fit.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : The same without the power and the common weight.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import FeatureScaler
    >>> FeatureScaler().fit_transform(np.array([[1.0, 5.0], [3.0, 5.0]])).round(3)
    array([[-0.707,  0.   ],
           [ 0.707,  0.   ]])
    """

    _parameter_constraints: dict[str, Any] = {
        "power": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, power: float = 1.0) -> None:
        self.power = power

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
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
        self._power = self.power  # `transform` uses this copy, whatever is set after the fit
        mean, square, largest = np.zeros((3, X.shape[1]))
        for part in self._parts(X):
            mean += part.sum(axis=0, dtype=np.float64) / len(X)
            np.maximum(largest, np.abs(part).max(axis=0), out=largest)
        for part in self._parts(X):
            square += np.square(part - mean).sum(axis=0) / len(X)
        deviation = np.sqrt(square)
        constant = within_rounding(deviation, largest, X.dtype)
        self.mean_, self.scale_ = mean, np.where(constant, np.inf, deviation * np.sqrt(X.shape[1]))
        return self

    def transform(self, X: Any) -> NDArray[Any]:
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
        mean, factor = self.mean_.astype(X.dtype), (1 / self.scale_).astype(X.dtype)
        scaled: NDArray[Any] = np.empty_like(X, order="C")
        for first, part in enumerate(self._parts(X)):
            rows = scaled[first * ROWS_AT_ONCE : (first + 1) * ROWS_AT_ONCE]
            np.subtract(part, mean, out=rows)
            rows *= factor
        return scaled

    def _parts(self, X: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Raise rows of X to the power, a block at a time, since copies of all rows would fill the memory."""
        for first in range(0, len(X), ROWS_AT_ONCE):
            part = X[first : first + ROWS_AT_ONCE]
            yield part if self._power == 1 else np.copysign(np.abs(part) ** X.dtype.type(self._power), part)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
