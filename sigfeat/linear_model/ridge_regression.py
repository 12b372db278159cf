"""Ridge regression with leave-one-out predictions of the training series."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.linear_model import RidgeCV

from sigfeat.linear_model.ridge import ALPHAS


class LeaveOneOutRidgeRegressor(RidgeCV):
    """`sklearn.linear_model.RidgeCV` that keeps the leave-one-out predictions of the training series.

    Parameters
    ----------
    alphas : sequence of float, default=(1e-7, ..., 10)
        Penalties to choose from, > 0, on features whose squares sum up to about one (see `FeatureScaler`).

    Attributes
    ----------
    left_out_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Prediction for each training series by the coefficients that are fitted without it, at the chosen penalty.
    alpha_, best_score_, coef_, intercept_, n_features_in_ : object
        See `sklearn.linear_model.RidgeCV`.

    See Also
    --------
    LeaveOneOutRidgeClassifier : The same for classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.linear_model import LeaveOneOutRidgeRegressor
    >>> X = np.arange(10.0)[:, np.newaxis]
    >>> LeaveOneOutRidgeRegressor().fit(X, 2 * X[:, 0]).left_out_predictions_[3].round(3)
    np.float64(6.0)
    """

    def __init__(self, alphas: Sequence[float] = ALPHAS) -> None:
        super().__init__(alphas, scoring="neg_mean_squared_error", store_cv_results=True)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Numbers.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            Weights of the series.

        Returns
        -------
        self : LeaveOneOutRidgeRegressor
        """
        self.__dict__.pop("left_out_predictions_", None)  # after a failed fit the estimator must not look fitted
        if (getattr(X, "shape", None) or np.asarray(X).shape)[:1] == (1,):
            raise ValueError("one series cannot be left out: at least 2 are needed, got n_samples=1")
        super().fit(X, y, sample_weight)
        chosen = int(np.flatnonzero(np.asarray(self.alphas) == self.alpha_)[0])
        self.left_out_predictions_ = self.cv_results_[..., chosen].reshape(np.asarray(y).shape)
        del self.cv_results_  # of all penalties
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return "left_out_predictions_" in vars(self)
