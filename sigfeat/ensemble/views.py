"""Several views of the same series, each with a model of its own, and one prediction."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import column_or_1d

from sigfeat._validation import _check_sample_weight, _fit_context, check_is_fitted
from sigfeat.ensemble.members import LEFT_OUT, MultiView, converted
from sigfeat.ensemble.pool import (
    class_weights,
    competitive,
    effective_weights,
    log_probabilities,
    number_weights,
    pooled_probabilities,
)


class MultiViewClassifier(ClassifierMixin, MultiView):
    """Classifiers on different views of the same series, and the weighted product of their probabilities.

    The members should err on different series. The probability of a class is proportional to the product over the
    members of p_m^w_m. The weights w_m minimise the log loss of the product on the training series, with probabilities
    p_m that each member predicts for the series that it was fitted without, and are shrunk towards equal weights. A
    member that is significantly worse than the best one is left out. The weights need not sum to one: their sum
    makes the probabilities sharper or flatter, as their log loss asks for.

    Parameters
    ----------
    estimators : list of (str, classifier)
        Names and members, usually pipelines. The last step of each needs the attribute ``left_out_probabilities_`` once
        it is fitted, as `LeaveOneOutRidgeClassifier` and `CrossFittedClassifier` have it.
    shrinkage : float, default=0.5
        Strength of the shrinkage, >= 0: `shrinkage` n_members^2 / 2 times the squared distance from equal weights is
        added to the sum of the losses of all series.

    tolerance : float or None, default=2.0
        A member is left out, with weight 0, if it is less accurate on the training series than the best member by more
        than so many standard errors of the paired difference (McNemar's test [3]_); None to leave out none.

    Attributes
    ----------
    estimators_ : list of classifier
        The fitted members.
    weights_ : ndarray of shape (n_estimators,)
        Weights of the members, >= 0.
    left_out_probabilities_ : ndarray of shape (n_samples, n_classes)
        Pooled out-of-sample probabilities of the training series.
    classes_ : ndarray of shape (n_classes,)
        Classes.
    n_features_in_ : int
        As the first member has it.

    Raises
    ------
    TypeError
        If the last step of a member has no ``left_out_probabilities_``.
    ValueError
        If there are no members, two have the same name, or they have different classes.

    See Also
    --------
    sigfeat.classifiers.sigfeat_classifier : The recommended members.
    sklearn.ensemble.StackingClassifier : Fits a model to the predictions of its members, which are fitted once more for
        each fold.

    Notes
    -----
    The pool is the logarithmic opinion pool [1]_, fitted as in stacking [2]_. Each p_m is mixed with 2 % of the uniform
    distribution, so that no member can exclude a class alone.

    References
    ----------
    .. [1] Genest, Zidek, "Combining probability distributions: a critique and an annotated bibliography", Statistical
       Science 1, 1986, section 3.
    .. [2] Wolpert, "Stacked generalization", Neural Networks 5, 1992.
    .. [3] McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
       Psychometrika 12, 1947.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sigfeat import IntervalQuantileTransformer
    >>> from sigfeat.classifiers import iss_classifier
    >>> from sigfeat.ensemble import CrossFittedClassifier, MultiViewClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((40, 2, 50)), np.repeat(["slow", "fast"], 20)
    >>> X[:20] = X[:20].cumsum(axis=2)
    >>> trees = make_pipeline(IntervalQuantileTransformer(), CrossFittedClassifier(ExtraTreesClassifier(5)))
    >>> views = MultiViewClassifier([("sums", iss_classifier(n_functionals=50)), ("quantiles", trees)])
    >>> views.fit(X[::2], y[::2]).score(X[1::2], y[1::2])
    1.0
    """

    _left_out = LEFT_OUT[0]

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit all members and their weights.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or whatever the members take
            Series.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the series, >= 0, which the last step of each member must accept. The weights of the members are
            fitted with them too, scaled so that their sum is the effective number of series, sum(s)^2 / sum(s^2).

        Returns
        -------
        self : MultiViewClassifier
        """
        self.__dict__.pop("weights_", None)  # after a failed fit the estimator must not look fitted
        self._check_members()
        X, y = converted(X), y if y is None else column_or_1d(y, warn=True)
        members, found = self._fit_members(X, y, sample_weight)
        self.classes_ = members[0].classes_
        weights = np.ones(len(y)) if sample_weight is None else _check_sample_weight(sample_weight, y, dtype=np.float64)
        present = np.isin(y, self.classes_)
        same = all(np.array_equal(one.classes_, self.classes_) for one in members)
        if not same or (weights[~present] > 0).any():
            raise ValueError("estimators: the members have other classes than y or than each other")
        labels = np.searchsorted(self.classes_, np.where(present, y, self.classes_[0]))
        weights = effective_weights(weights)
        logarithms = log_probabilities(found)
        kept = competitive(np.array(found.argmax(axis=2) != labels, np.float64), weights, self.tolerance)
        fitted = np.zeros(len(members))
        fitted[kept] = class_weights(logarithms[kept], labels, weights, float(self.shrinkage))
        self.left_out_probabilities_ = pooled_probabilities(logarithms, fitted)
        self.estimators_, self.weights_ = members, fitted
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Pooled probabilities of the classes.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or whatever the members take
            Series.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        X = converted(X)
        found = np.array([one.predict_proba(X) for one in self.estimators_])
        return pooled_probabilities(log_probabilities(found), self.weights_)

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Logarithms of the pooled probabilities.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or whatever the members take
            Series.

        Returns
        -------
        logarithms : ndarray of shape (n_samples, n_classes)
        """
        logarithms: NDArray[np.float64] = np.log(self.predict_proba(X))
        return logarithms

    def predict(self, X: Any) -> NDArray[Any]:
        """Classes of the largest pooled probability.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or whatever the members take
            Series.

        Returns
        -------
        classes : ndarray of shape (n_samples,)
        """
        probabilities = self.predict_proba(X)
        chosen: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return chosen


class MultiViewRegressor(RegressorMixin, MultiView):
    """Regressors on different views of the same series, and the weighted mean of their predictions.

    The weights are >= 0 and have sum one. They minimise the squared error on the training series of the mean of the
    predictions that each member makes for the series that it was fitted without, and are shrunk towards equal weights.
    A member that is significantly worse than the best one is left out.

    Parameters
    ----------
    estimators : list of (str, regressor)
        Names and members, usually pipelines. The last step of each needs the attribute ``left_out_predictions_`` once
        it is fitted, as `LeaveOneOutRidgeRegressor` and `CrossFittedRegressor` have it.
    shrinkage : float, default=0.5
        Strength of the shrinkage, >= 0: `shrinkage` n_members / 2 times the squared distance from equal weights, in
        units of the mean squared error with equal weights, is added to the sum of the squared errors of all series.

    tolerance : float or None, default=2.0
        A member is left out, with weight 0, if its squared errors on the training series exceed those of the best
        member by more than so many standard errors of the paired difference; None to leave out none.

    Attributes
    ----------
    estimators_ : list of regressor
        The fitted members.
    weights_ : ndarray of shape (n_estimators,)
        Weights of the members.
    left_out_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Weighted mean of the predictions of the training series.
    n_features_in_ : int
        As the first member has it.

    Raises
    ------
    TypeError
        If the last step of a member has no ``left_out_predictions_``.
    ValueError
        If there are no members, or two have the same name.

    See Also
    --------
    sigfeat.classifiers.sigfeat_regressor : The recommended members.

    References
    ----------
    .. [1] Breiman, "Stacked regressions", Machine Learning 24, 1996: weights >= 0.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> from sigfeat.ensemble import CrossFittedRegressor, MultiViewRegressor
    >>> from sigfeat.linear_model import LeaveOneOutRidgeRegressor
    >>> X = np.random.default_rng(0).standard_normal((50, 2))
    >>> members = [("ridge", LeaveOneOutRidgeRegressor()), ("trees", CrossFittedRegressor(ExtraTreesRegressor(10)))]
    >>> MultiViewRegressor(members).fit(X, X[:, 0]).weights_.round(1)
    array([1., 0.])
    """

    _left_out = LEFT_OUT[1]

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit all members and their weights.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or whatever the members take
            Series.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Numbers.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the series, >= 0, which the last step of each member must accept. The weights of the members are
            fitted with them too, scaled so that their sum is the effective number of series, sum(s)^2 / sum(s^2).

        Returns
        -------
        self : MultiViewRegressor
        """
        self.__dict__.pop("weights_", None)  # after a failed fit the estimator must not look fitted
        self._check_members()
        X, y = converted(X), y if y is None else np.asarray(y)
        y = y.ravel() if np.ndim(y) == 2 and y.shape[1] == 1 else y
        members, found = self._fit_members(X, y, sample_weight)
        target = np.asarray(y, np.float64)
        weights = np.ones(len(y)) if sample_weight is None else _check_sample_weight(sample_weight, y, dtype=np.float64)
        weights = effective_weights(weights)
        rows, columns = found.reshape(len(members), len(target), -1), target.reshape(len(target), -1)
        kept = competitive(np.square(rows - columns).sum(axis=2), weights, self.tolerance)
        fitted = np.zeros(len(members))
        fitted[kept] = number_weights(rows[kept], columns, weights, float(self.shrinkage))
        self.left_out_predictions_ = np.tensordot(fitted, found, 1)
        self.estimators_, self.weights_ = members, fitted
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Weighted mean of the predictions of all members.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or whatever the members take
            Series.

        Returns
        -------
        predictions : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        check_is_fitted(self)
        X = converted(X)
        predictions: NDArray[np.float64] = np.tensordot(self.weights_, [one.predict(X) for one in self.estimators_], 1)
        return predictions

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
