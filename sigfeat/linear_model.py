"""Ridge regression on classes, for many more features than series."""

from numbers import Real

import numpy as np
from scipy.linalg import eigh
from sklearn.base import BaseEstimator
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from sigfeat._validation import Interval, _fit_context, check_is_fitted, validate_data

ALPHAS = tuple(np.logspace(-7, 1, 17).tolist())  # for features whose squares sum up to about one
COLUMNS_AT_ONCE = 4096  # made float64: a copy of all features would double the memory
SMALLEST = 1e-10  # of the squared singular values, relative to the largest


class LeaveOneOutRidgeClassifier(LinearClassifierMixin, BaseEstimator):
    """Ridge regression on classes coded as -1 and 1; the penalty is chosen by the accuracy of leaving one out.

    Of penalties that classify as many series right, each left out in turn, the one of least squared error is taken. One
    decomposition of the n_samples x n_samples matrix of inner products serves all penalties and all series.

    Parameters
    ----------
    alphas : sequence of float, default=(1e-7, ..., 10)
        Penalties to choose from, > 0, on features whose squares sum up to about one (see `FeatureScaler`).

    Attributes
    ----------
    alpha_ : float
        The chosen penalty.
    best_score_ : float
        Share of the training series that are classified right when left out.
    coef_ : ndarray of shape (n_classes, n_features_in_) or (1, n_features_in_)
        Weights, in the dtype of X; for two classes those of the second.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Constants.
    classes_ : ndarray of shape (n_classes,)
        Classes.
    n_features_in_ : int
        Number of features seen at fit.

    Raises
    ------
    ValueError
        If y has one class only, or there are no penalties.

    See Also
    --------
    sklearn.linear_model.RidgeClassifierCV : The same with the penalty chosen by squared error; where classes can hardly
        be told apart that takes the largest.

    Notes
    -----
    With centred features of singular vectors V and squared singular values w, the residual of series i, left out, is
    that of the full fit over 1 - 1/n - sum_j V_ij^2 w_j / (w_j + alpha).

    References
    ----------
    .. [1] Rifkin, Lippert, "Notes on regularized least squares", MIT-CSAIL-TR-2007-025, 2007, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.linear_model import LeaveOneOutRidgeClassifier
    >>> X = np.array([[0.0, 0.1], [0.1, 0.0], [1.0, 0.9], [0.9, 1.0]])
    >>> LeaveOneOutRidgeClassifier().fit(X, ["a", "a", "b", "b"]).predict(X)
    array(['a', 'a', 'b', 'b'], dtype='<U1')
    """

    _parameter_constraints: dict = {"alphas": ["array-like", Interval(Real, 0, None, closed="neither")]}

    def __init__(self, alphas=ALPHAS):
        self.alphas = alphas

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Fit the weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Classes.

        Returns
        -------
        self : LeaveOneOutRidgeClassifier
        """
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        alphas = np.atleast_1d(np.asarray(self.alphas, np.float64))
        if alphas.ndim != 1 or not len(alphas) or not (alphas > 0).all():
            raise ValueError(f"alphas must be numbers > 0, at least one, got {self.alphas!r}")
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y must have at least 2 classes, got 1 class: {self.classes_[0]!r}")
        target = np.where(labels[:, np.newaxis] == np.arange(len(self.classes_)), 1.0, -1.0)
        constant, mean = target.mean(axis=0), X.mean(axis=0, dtype=np.float64)
        target -= constant
        vectors, squares = _left_singular(X, mean)
        along = vectors.T @ target
        beside, free = target - vectors @ along, 1 - 1 / len(X) - np.square(vectors).sum(axis=1)
        best = None
        for alpha in alphas:
            shrink = alpha / (squares + alpha)
            residual = beside + vectors @ (shrink[:, np.newaxis] * along)
            residual /= np.maximum(np.maximum(free, 0) + np.square(vectors) @ shrink, 1e-12)[:, np.newaxis]
            right = ((target + constant - residual).argmax(axis=1) == labels).mean()
            score = right, -np.square(residual).mean()
            if best is None or score > best:
                best, self.alpha_ = score, float(alpha)
        self.best_score_ = float(best[0])
        dual = vectors @ (along / (squares + self.alpha_)[:, np.newaxis])
        coef, intercept = _weights(X, mean, dual), constant
        intercept = intercept - mean @ coef
        if len(self.classes_) == 2:
            coef, intercept = coef[:, 1:], intercept[1:]
        self.coef_ = np.ascontiguousarray(coef.T, X.dtype)
        self.intercept_ = intercept.astype(X.dtype)
        return self

    def decision_function(self, X):
        """Scores of the classes; the largest, or the sign for two classes, is predicted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        scores = X @ self.coef_.T + self.intercept_
        return scores.ravel() if scores.shape[1] == 1 else scores


def _left_singular(X, mean):
    """Left singular vectors of the centred features, and the squares of their singular values, without zeros."""
    n_samples, n_features = X.shape
    if n_samples <= n_features:
        product = np.zeros((n_samples, n_samples))
        for columns in _column_parts(n_features):
            part = X[:, columns] - mean[columns]
            product += part @ part.T
        squares, vectors = eigh(product, overwrite_a=True, check_finite=False)
        kept = squares > SMALLEST * squares[-1]
        return vectors[:, kept], squares[kept]
    centred = X - mean
    squares, right = eigh(centred.T @ centred, overwrite_a=True, check_finite=False)
    kept = squares > SMALLEST * squares[-1]
    squares, right = squares[kept], right[:, kept]
    return centred @ (right / np.sqrt(squares)), squares


def _weights(X, mean, dual):
    """The product of the transposed centred features with the dual weights."""
    weights = np.empty((X.shape[1], dual.shape[1]))
    for columns in _column_parts(X.shape[1]):
        weights[columns] = (X[:, columns] - mean[columns]).T @ dual
    return weights


def _column_parts(n_columns):
    return (slice(first, first + COLUMNS_AT_ONCE) for first in range(0, n_columns, COLUMNS_AT_ONCE))
