"""Ridge classifier for many more features than series."""

from collections.abc import Iterator, Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from sigfeat._validation import (
    Interval,
    StrOptions,
    _fit_context,
    check_is_fitted,
    check_known,
    checked_weights,
    of_objects,
    validate_data,
)
from sigfeat.linear_model.probabilities import inverse_temperature, margins_of_all_classes, mean_of_rows

ALPHAS = tuple(np.logspace(-7, 1, 17).tolist())  # for features whose squares sum up to about one
COLUMNS_AT_ONCE = 4096  # columns converted to float64 together: a copy of all features would double the memory
SMALLEST = 1e-10  # of the squared singular values, relative to the largest

Roots = float | NDArray[np.float64]  # one number for each series, or one for all


class LeaveOneOutRidgeClassifier(LinearClassifierMixin, BaseEstimator):
    """Ridge regression on classes coded as -1 and 1, with the penalty of the best leave-one-out accuracy.

    Among penalties of equal leave-one-out accuracy, the one with the smallest squared error is chosen. A single
    decomposition of the n_samples x n_samples matrix of inner products is used for all penalties and all series.
    Probabilities are the softmax of the margins divided by one temperature, which is fitted on the leave-one-out
    margins.

    Parameters
    ----------
    alphas : sequence of float, default=(1e-7, ..., 10)
        Penalties to choose from, > 0, on features whose squares sum up to about one (see `FeatureScaler`).
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, {class: weight}, which multiply the weights of the series; a class that is not in the
        dict has weight 1. "balanced": inversely proportional to the sum of the weights of the series in each class.

    Attributes
    ----------
    alpha_ : float
        The chosen penalty.
    best_score_ : float
        Weighted leave-one-out accuracy on the training series.
    coef_ : ndarray of shape (n_classes, n_features_in_) or (1, n_features_in_)
        Coefficients, in the dtype of X; with two classes those of the second class.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Intercepts.
    inverse_temperature_ : float
        Factor of the margins in the softmax, > 0: the larger, the closer the probabilities are to 0 and 1.
    left_out_margins_ : ndarray of shape (n_samples, n_classes)
        Margins of each training series by the coefficients that are fitted without it, at the chosen penalty, in the
        dtype of X.
    left_out_probabilities_ : ndarray of shape (n_samples, n_classes)
        The softmax of `inverse_temperature_` times these margins: probabilities of each training series by coefficients
        that are fitted without it. The penalty and the temperature are those of all series.
    classes_ : ndarray of shape (n_classes,)
        Classes.
    n_features_in_ : int
        Number of features seen at fit.

    Raises
    ------
    ValueError
        If y has one class only, there are no penalties, or a weight is negative.

    See Also
    --------
    sklearn.linear_model.RidgeClassifierCV : Chooses the penalty by squared error, which favours the largest penalty if
        classes overlap strongly. It has no probabilities.

    Notes
    -----
    Let V be the left singular vectors of the centred features and w the squared singular values. The leave-one-out
    residual of series i is the residual of the full fit divided by 1 - 1/n - sum_j V_ij^2 w_j / (w_j + alpha) [1]_.

    With weights s the fit minimises sum_i s_i |y_i - b - x_i W|^2 + alpha |W|^2. Rows are centred by weighted means and
    multiplied by sqrt(s_i), and s_i / sum(s) replaces 1/n. For a fixed penalty an integer weight gives the same
    coefficients as that many copies of the series, and weight 0 the same as without the series. Leave-one-out
    validation removes a series with its whole weight, but only one of several copies, so the chosen penalty and the
    temperature may differ between weights and copies. Weights may span about eight orders of magnitude: squared
    singular values below 1e-10 of the largest are dropped.

    The inverse temperature b minimises the weighted mean log loss of softmax(b m) over the left-out margins m of all
    classes [2]_, which is convex in b. If all left-out series are classified correctly, b would grow without bound. The
    targets are therefore smoothed, as Platt [3]_ does for the sigmoid: by Laplace's rule of succession the probability
    of a success after n of n successes is (n + 1) / (n + 2), which is the target of the class of a series; the other
    classes have equal parts of the rest. n is the effective number of series, sum(s)^2 / sum(s^2), which is the number
    of series without weights. With `class_weight` the probabilities are those of a population with these weights.

    References
    ----------
    .. [1] Rifkin, Lippert, "Notes on regularized least squares", MIT-CSAIL-TR-2007-025, 2007, section 3.
    .. [2] Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017, arXiv:1706.04599, section
       4.2, with leave-one-out margins in place of a validation set.
    .. [3] Platt, "Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods",
       Advances in Large Margin Classifiers, 1999, section 2.2. Platt uses the number of series of each class; here,
       with one temperature for all classes, n is the number of all series.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.linear_model import LeaveOneOutRidgeClassifier
    >>> X = np.array([[0.0, 0.1], [0.1, 0.0], [1.0, 0.9], [0.9, 1.0]])
    >>> ridge = LeaveOneOutRidgeClassifier().fit(X, ["a", "a", "b", "b"])
    >>> ridge.predict(X)
    array(['a', 'a', 'b', 'b'], dtype='<U1')
    >>> ridge.predict_proba(X).round(1)
    array([[0.8, 0.2],
           [0.8, 0.2],
           [0.2, 0.8],
           [0.2, 0.8]])
    """

    _parameter_constraints: dict[str, Any] = {
        "alphas": ["array-like", Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(self, alphas: Sequence[float] = ALPHAS, *, class_weight: dict[Any, float] | str | None = None) -> None:
        self.alphas = alphas
        self.class_weight = class_weight

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            Weights of the series, >= 0; None for 1 each. A series of weight 0 is treated as absent, and so is a class
            all of whose series have weight 0.

        Returns
        -------
        self : LeaveOneOutRidgeClassifier
        """
        self.__dict__.pop("coef_", None)  # after a failed fit the estimator must not look fitted
        if y is not None and (entries := of_objects(y)) is not None and entries.ndim:
            check_known(entries, "y must be one class per series")
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        alphas = checked_alphas(self.alphas)
        weights = _sample_weights(sample_weight, self.class_weight, X, y)
        if weights is None or weights.all():
            margins = self._fit_present(X, y, alphas, weights)
        else:
            present = weights > 0
            left_out = self._fit_present(X[present], y[present], alphas, weights[present])
            margins = np.empty((len(X), len(self.classes_)), X.dtype)
            margins[present], margins[~present] = (
                left_out,
                margins_of_all_classes(X[~present] @ self.coef_.T + self.intercept_),
            )
        self.left_out_margins_ = margins
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return "coef_" in vars(self)

    @property
    def left_out_probabilities_(self) -> NDArray[np.float64]:
        """Probabilities of the training series by coefficients that were fitted without them."""
        check_is_fitted(self)
        probabilities: NDArray[np.float64] = softmax(
            self.inverse_temperature_ * self.left_out_margins_.astype(np.float64), axis=1
        )
        return probabilities

    def _fit_present(
        self, X: NDArray[Any], y: NDArray[Any], alphas: NDArray[np.float64], weights: NDArray[np.float64] | None
    ) -> NDArray[Any]:
        """Fit on series with weights > 0 and return their leave-one-out margins."""
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            where = "" if weights is None else " in series of weight > 0"
            found = f"1 class: {self.classes_.tolist()[0]!r}" if len(self.classes_) else "none"
            raise ValueError(f"y must have at least 2 classes{where}, got {found}")
        target = np.where(labels[:, np.newaxis] == np.arange(len(self.classes_)), 1.0, -1.0)
        constant, mean = np.average(target, axis=0, weights=weights), column_means(X, weights)
        target -= constant
        roots = 1.0 if weights is None else np.sqrt(weights)[:, np.newaxis]
        vectors, squares = left_singular(X, mean, roots)
        along = vectors.T @ (roots * target)
        beside = roots * target - vectors @ along
        constant_part = 1 / len(X) if weights is None else weights / weights.sum()
        best: tuple[float, float] | None = None
        for alpha, residual in left_out_residuals(vectors, squares, along, beside, constant_part, alphas):
            residual /= roots
            left_out = target + constant - residual
            right = np.average(left_out.argmax(axis=1) == labels, weights=weights)
            score = right, -mean_of_rows(np.square(residual), weights)
            if best is None or score > best:
                best, margins, self.alpha_ = score, left_out, float(alpha)
        assert best is not None  # `fit` requires a penalty
        self.best_score_ = float(best[0])
        self.inverse_temperature_ = inverse_temperature(margins, labels, weights)
        dual = vectors @ (along / (squares + self.alpha_)[:, np.newaxis])
        coef, intercept = coefficients(X, mean, roots, dual), constant
        intercept = intercept - mean @ coef
        if len(self.classes_) == 2:
            coef, intercept = coef[:, 1:], intercept[1:]
        self.coef_ = np.ascontiguousarray(coef.T, X.dtype)
        self.intercept_ = intercept.astype(X.dtype)
        chosen: NDArray[Any] = margins.astype(X.dtype, copy=False)
        return chosen

    def decision_function(self, X: Any) -> NDArray[Any]:
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
        scores: NDArray[Any] = X @ self.coef_.T + self.intercept_
        return scores.ravel() if scores.shape[1] == 1 else scores

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probabilities of the classes, at least the spacing of their dtype at 1, so that their logarithms are finite.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the dtype of `decision_function`; the largest of a row is that of the predicted class.
        """
        scores = self.decision_function(X)
        margins = margins_of_all_classes(scores)
        exact: NDArray[np.float64] = softmax(self.inverse_temperature_ * margins.astype(np.float64), axis=1)
        probabilities = exact.astype(scores.dtype)
        np.maximum(probabilities, np.finfo(scores.dtype).eps, out=probabilities)
        predicted = margins.argmax(axis=1)
        tied = np.flatnonzero(probabilities.argmax(axis=1) != predicted)  # by rounding, although the margins differ
        probabilities[tied, predicted[tied]] = np.nextafter(probabilities[tied].max(axis=1), 1)
        return probabilities

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        logarithms : ndarray of shape (n_samples, n_classes)
        """
        logarithms: NDArray[Any] = np.log(self.predict_proba(X))
        return logarithms


def checked_alphas(alphas: Any) -> NDArray[np.float64]:
    """Penalties as an array, after a check."""
    found: NDArray[np.float64] = np.atleast_1d(np.asarray(alphas, np.float64))
    if found.ndim != 1 or not len(found) or not (np.isfinite(found) & (found > 0)).all():
        given = np.asarray(alphas).tolist()
        raise ValueError(f"alphas must be finite numbers > 0, at least one, got {given!r}")
    return found


def _sample_weights(
    sample_weight: Any, class_weight: Any, X: NDArray[Any], y: NDArray[Any]
) -> NDArray[np.float64] | None:
    """Weights of the series, multiplied by those of their classes; None if there are no weights."""
    if sample_weight is None and class_weight is None:
        return None
    weights = checked_weights(sample_weight, X)
    if class_weight is None:
        return weights
    present = weights > 0
    classes, labels = np.unique(y[present], return_inverse=True)
    if isinstance(class_weight, str):
        of_classes = weights.sum() / (len(classes) * np.bincount(labels, weights[present]))
    else:
        of_classes = compute_class_weight(class_weight, classes=classes, y=y[present])
    for name, weight in zip(classes.tolist(), of_classes.tolist(), strict=True):
        if not 0 <= weight < np.inf:
            raise ValueError(f"class_weight must be finite and at least 0, got {weight!r} for class {name!r}")
    product: NDArray[np.float64] = np.zeros_like(weights)
    product[present] = weights[present] * of_classes[labels]
    return product


def column_means(X: NDArray[Any], weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Weighted means of the features."""
    if weights is None:
        mean: NDArray[np.float64] = X.mean(axis=0, dtype=np.float64)
        return mean
    parts = [weights @ X[:, columns] for columns in _column_parts(X.shape[1])]
    weighted: NDArray[np.float64] = np.concatenate(parts) / weights.sum()
    return weighted


def left_singular(
    X: NDArray[Any], mean: NDArray[np.float64], roots: Roots
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Left singular vectors of the centred features, and their squared singular values, except zeros.

    `roots` of the weights multiply the rows of the centred features.
    """
    n_samples, n_features = X.shape
    if n_samples <= n_features:
        product = np.zeros((n_samples, n_samples))
        for columns in _column_parts(n_features):
            part = _centred(X, mean, roots, columns)
            product += part @ part.T
        squares, vectors = eigh(product, overwrite_a=True, check_finite=False)
        kept = squares > SMALLEST * squares[-1]
        return vectors[:, kept], squares[kept]
    centred = _centred(X, mean, roots, slice(None))
    squares, right = eigh(centred.T @ centred, overwrite_a=True, check_finite=False)
    kept = squares > SMALLEST * squares[-1]
    squares, right = squares[kept], right[:, kept]
    return centred @ (right / np.sqrt(squares)), squares


def left_out_residuals(
    vectors: NDArray[np.float64],
    squares: NDArray[np.float64],
    along: NDArray[np.float64],
    beside: NDArray[np.float64],
    constant_part: Roots,
    alphas: NDArray[np.float64],
) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """For each penalty, the weighted leave-one-out residuals of all series.

    `along` and `beside` are the parts of the weighted target in and outside the span of the singular vectors.
    """
    free = 1 - constant_part - np.square(vectors).sum(axis=1)
    for alpha in alphas:
        shrink = alpha / (squares + alpha)
        residual = beside + vectors @ (shrink[:, np.newaxis] * along)
        residual /= np.maximum(np.maximum(free, 0) + np.square(vectors) @ shrink, 1e-12)[:, np.newaxis]
        yield alpha, residual


def coefficients(
    X: NDArray[Any], mean: NDArray[np.float64], roots: Roots, dual: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The product of the transposed centred features with the dual weights."""
    coefficients = np.empty((X.shape[1], dual.shape[1]))
    for columns in _column_parts(X.shape[1]):
        coefficients[columns] = _centred(X, mean, roots, columns).T @ dual
    return coefficients


def _centred(X: NDArray[Any], mean: NDArray[np.float64], roots: Roots, columns: slice) -> NDArray[np.float64]:
    part = X[:, columns] - mean[columns]
    if np.ndim(roots):
        part *= roots
    return part


def _column_parts(n_columns: int) -> Iterator[slice]:
    return (slice(first, first + COLUMNS_AT_ONCE) for first in range(0, n_columns, COLUMNS_AT_ONCE))
