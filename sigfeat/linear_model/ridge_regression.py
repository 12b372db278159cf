"""Ridge regression with leave-one-out predictions of the training series."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin

from sigfeat._validation import (
    Interval,
    _fit_context,
    check_is_fitted,
    checked_weights,
    validate_data,
)
from sigfeat.linear_model.ridge import (
    ALPHAS,
    Roots,
    checked_alphas,
    coefficients,
    column_means,
    left_out_residuals,
    left_singular,
)


class LeaveOneOutRidgeRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ridge regression with the penalty of the smallest leave-one-out squared error.

    A single decomposition of the n_samples x n_samples matrix of inner products is used for all penalties and all
    series; see `LeaveOneOutRidgeClassifier`.

    Parameters
    ----------
    alphas : sequence of float, default=(1e-7, ..., 10)
        Penalties to choose from, > 0, on features whose squares sum up to about one (see `FeatureScaler`).

    Attributes
    ----------
    alpha_ : float
        The chosen penalty.
    left_out_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Prediction for each training series by the coefficients that are fitted without it, at the chosen penalty. A
        series of weight 0 has its prediction by all others.
    coef_ : ndarray of shape (n_features_in_,) or (n_targets, n_features_in_)
        Coefficients, in the dtype of X.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercepts.
    n_features_in_ : int
        Number of features seen at fit.

    Raises
    ------
    ValueError
        If there are fewer than two series of weight > 0, there are no penalties, or a weight is negative.

    See Also
    --------
    LeaveOneOutRidgeClassifier : The same for classes.
    sklearn.linear_model.RidgeCV : Keeps squared errors in place of predictions.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.linear_model import LeaveOneOutRidgeRegressor
    >>> X = np.arange(10.0)[:, np.newaxis]
    >>> LeaveOneOutRidgeRegressor().fit(X, 2 * X[:, 0]).left_out_predictions_[3].round(3)
    np.float64(6.0)
    """

    _parameter_constraints: dict[str, Any] = {"alphas": ["array-like", Interval(Real, 0, None, closed="neither")]}

    def __init__(self, alphas: Sequence[float] = ALPHAS) -> None:
        self.alphas = alphas

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Numbers.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            Weights of the series, >= 0; None for 1 each. A series of weight 0 is treated as absent.

        Returns
        -------
        self : LeaveOneOutRidgeRegressor
        """
        self.__dict__.pop("coef_", None)  # after a failed fit the estimator must not look fitted
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], multi_output=True, y_numeric=True)
        alphas = checked_alphas(self.alphas)
        weights = np.ones(len(X))
        if sample_weight is not None:
            weights = checked_weights(sample_weight, X)
        present = weights > 0
        if present.sum() < 2:
            where = "" if present.all() else " of weight > 0"
            raise ValueError(f"at least 2 series{where} are needed to leave one out, got n_samples={present.sum()}")
        target = np.asarray(y, np.float64).reshape(len(X), -1)
        coef, intercept, left_out = self._fit_present(X[present], target[present], weights[present], alphas)
        predictions = np.empty(target.shape)
        predictions[present], predictions[~present] = left_out, X[~present] @ coef + intercept
        self.left_out_predictions_ = predictions.reshape(y.shape)
        self.intercept_ = intercept.astype(X.dtype) if y.ndim > 1 else X.dtype.type(intercept[0])
        self.coef_ = np.ascontiguousarray(coef.T if y.ndim > 1 else coef[:, 0], X.dtype)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return "coef_" in vars(self)

    def _fit_present(
        self, X: NDArray[Any], target: NDArray[np.float64], weights: NDArray[np.float64], alphas: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Coefficients, intercepts and leave-one-out predictions, all of series with weights > 0."""
        constant, mean = np.average(target, axis=0, weights=weights), column_means(X, weights)
        roots: Roots = np.sqrt(weights)[:, np.newaxis]
        vectors, squares = left_singular(X, mean, roots)
        centred = roots * (target - constant)
        along = vectors.T @ centred
        beside = centred - vectors @ along
        best = np.inf
        for alpha, residual in left_out_residuals(vectors, squares, along, beside, weights / weights.sum(), alphas):
            error = float(np.square(residual).sum())
            if error < best:
                best, left_out, self.alpha_ = error, target - residual / roots, float(alpha)
        dual = vectors @ (along / (squares + self.alpha_)[:, np.newaxis])
        coef = coefficients(X, mean, roots, dual)
        return coef, constant - mean @ coef, left_out

    def predict(self, X: Any) -> NDArray[Any]:
        """Predicted numbers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        predictions : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        predictions: NDArray[Any] = X @ self.coef_.T + self.intercept_
        return predictions
