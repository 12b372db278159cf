"""Estimators fitted without one fold of the series after the other, and averaged."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets

from sigfeat._validation import (
    Interval,
    RandomState,
    _fit_context,
    check_is_fitted,
    checked_weights,
    validate_data,
)


class _CrossFitted(BaseEstimator):
    """Clones of an estimator, each fitted without one fold."""

    _parameter_constraints: dict[str, Any] = {
        "estimator": "no_validation",
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, estimator: Any, *, n_folds: int = 8, random_state: RandomState = 0) -> None:
        self.estimator = estimator
        self.n_folds = n_folds
        self.random_state = random_state

    def _fit_folds(
        self, X: NDArray[Any], y: NDArray[Any], groups: NDArray[np.int64], sample_weight: NDArray[np.float64] | None
    ) -> list[Any]:
        """Fit one clone without each fold; the folds are attribute `_fold_of`, and are alike in their groups."""
        if len(X) < 2:
            raise ValueError(f"folds need at least 2 series of weight > 0, got n_samples={len(X)}")
        random_state = check_random_state(self.random_state)
        order = random_state.permutation(len(X))
        order = order[np.argsort(groups[order], kind="stable")]
        n_folds = min(self.n_folds, len(X))
        self._fold_of = np.empty(len(X), np.int64)
        self._fold_of[order] = np.arange(len(X)) % n_folds
        fitted = []
        for fold in range(n_folds):
            rest = self._fold_of != fold
            one = clone(self.estimator)
            seeds = sorted(name for name in one.get_params() if name.split("__")[-1] == "random_state")
            one.set_params(**{name: int(random_state.randint(2**31)) for name in seeds})
            more = {} if sample_weight is None else {"sample_weight": sample_weight[rest]}
            fitted.append(one.fit(X[rest], y[rest], **more))
        return fitted

    def _present(self, X: NDArray[Any], sample_weight: Any) -> tuple[NDArray[np.bool_], NDArray[np.float64] | None]:
        """Which series have a weight above 0, and the weights of these, after a check."""
        if sample_weight is None:
            return np.ones(len(X), bool), None
        weights = checked_weights(sample_weight, X)
        return weights > 0, weights[weights > 0]

    def _left_out(self, fitted: list[Any], X: NDArray[Any], present: NDArray[np.bool_], shape: Any) -> Any:
        """Predictions of a series by the clone without its fold, or by all clones if absent; sets `estimators_`."""
        found = np.empty(shape)
        for fold, one in enumerate(fitted):
            own = np.flatnonzero(present)[self._fold_of == fold]
            found[own] = self._predictions(one, X[own])
        self.estimators_ = fitted
        if not present.all():
            found[~present] = self._mean(X[~present])
        return found

    def _mean(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Mean of the predictions of all clones."""
        mean: NDArray[np.float64] = np.mean([self._predictions(one, X) for one in self.estimators_], axis=0)
        return mean

    def _predictions(self, one: Any, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the predictions of a clone."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return "estimators_" in vars(self)


class CrossFittedClassifier(ClassifierMixin, _CrossFitted):
    """Clones of a classifier, each fitted without one fold of the rows; the probabilities are their mean.

    The rows of a fold have probabilities from the clone that was fitted without them, so that out-of-sample
    probabilities of all training rows cost no additional fit. With trees this is an alternative to bootstrap samples
    and out-of-bag votes in which each tree uses more of the rows. Rows are those of a table of features; for series put
    a transformer before it in a pipeline.

    Parameters
    ----------
    estimator : classifier with `predict_proba`
        Cloned once for each fold, each clone with its own seed.
    n_folds : int, default=8
        Number of folds; at most one for each series. All classes are spread evenly over the folds.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds and of all clones.

    Attributes
    ----------
    estimators_ : list of classifier
        The fitted clones.
    left_out_probabilities_ : ndarray of shape (n_samples, n_classes)
        Probabilities of each training series by the clone that was fitted without it; of a series of weight 0 those of
        all clones.
    classes_ : ndarray of shape (n_classes,)
        Classes.
    n_features_in_ : int
        Number of features seen at fit.

    Raises
    ------
    ValueError
        If there are fewer than two series of weight > 0, a weight is negative, or the estimator refuses the series
        without a fold, for example since a class is missing there.

    See Also
    --------
    sklearn.calibration.CalibratedClassifierCV : Clones that are fitted in the same way with ``ensemble=True``, and
        calibrated.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sigfeat.ensemble import CrossFittedClassifier
    >>> X, y = np.arange(20.0)[:, np.newaxis], np.repeat(["low", "high"], 10)
    >>> trees = CrossFittedClassifier(ExtraTreesClassifier(10), n_folds=5).fit(X, y)
    >>> trees.predict([[1.0], [18.0]])
    array(['low', 'high'], dtype='<U4')
    >>> trees.left_out_probabilities_.shape
    (20, 2)
    """

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit all clones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the series, >= 0, which the `fit` of the classifier must accept. A series of weight 0 is treated
            as absent.

        Returns
        -------
        self : CrossFittedClassifier
        """
        for name in ("estimators_", "left_out_probabilities_"):  # after a failed fit it must not look fitted
            self.__dict__.pop(name, None)
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        present, weights = self._present(X, sample_weight)
        self.classes_, labels = np.unique(y[present], return_inverse=True)
        fitted = self._fit_folds(X[present], y[present], labels, weights)
        self.left_out_probabilities_ = self._left_out(fitted, X, present, (len(X), len(self.classes_)))
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Mean of the probabilities of all clones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return self._mean(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Classes of the largest probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        classes : ndarray of shape (n_samples,)
        """
        probabilities = self.predict_proba(X)
        chosen: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return chosen

    def _predictions(self, one: Any, X: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities of a clone, 0 for a class that only its own fold has."""
        probabilities = np.zeros((len(X), len(self.classes_)))
        probabilities[:, np.searchsorted(self.classes_, one.classes_)] = one.predict_proba(X)
        return probabilities


class CrossFittedRegressor(RegressorMixin, _CrossFitted):
    """Clones of a regressor, each fitted without one fold of the series; the prediction is their mean.

    Parameters
    ----------
    estimator : regressor
        Cloned once for each fold, each clone with its own seed.
    n_folds : int, default=8
        Number of folds; at most one for each series.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds and of all clones.

    Attributes
    ----------
    estimators_ : list of regressor
        The fitted clones.
    left_out_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Prediction for each training series by the clone that was fitted without it; for a series of weight 0 that of
        all clones.
    n_features_in_ : int
        Number of features seen at fit.

    Raises
    ------
    ValueError
        If there are fewer than two series of weight > 0, or a weight is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> from sigfeat.ensemble import CrossFittedRegressor
    >>> X = np.arange(20.0)[:, np.newaxis]
    >>> trees = CrossFittedRegressor(ExtraTreesRegressor(10), n_folds=5).fit(X, X[:, 0])
    >>> trees.predict([[5.0]]).round()
    array([5.])
    """

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit all clones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Numbers.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the series, >= 0, which the `fit` of the regressor must accept. A series of weight 0 is treated
            as absent.

        Returns
        -------
        self : CrossFittedRegressor
        """
        for name in ("estimators_", "left_out_predictions_"):  # after a failed fit it must not look fitted
            self.__dict__.pop(name, None)
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], multi_output=True, y_numeric=True)
        y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
        present, weights = self._present(X, sample_weight)
        fitted = self._fit_folds(X[present], y[present], np.zeros(present.sum(), np.int64), weights)
        self.left_out_predictions_ = self._left_out(fitted, X, present, y.shape)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Mean of the predictions of all clones.

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
        return self._mean(X)

    def _predictions(self, one: Any, X: NDArray[Any]) -> NDArray[np.float64]:
        predictions: NDArray[np.float64] = one.predict(X)
        return predictions

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
