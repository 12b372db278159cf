"""Several views of the same series, each with a model of its own, and one prediction."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import column_or_1d, get_tags

from sigfeat._validation import Interval, _BaseComposition, _check_sample_weight, _fit_context, check_is_fitted
from sigfeat.ensemble.pool import class_weights, competitive, log_probabilities, number_weights, pooled_probabilities
from sigfeat.panel import channel_names, computed, is_table, to_panel

LEFT_OUT = "left_out_probabilities_", "left_out_predictions_"  # what a member must have, of classes and of numbers


class _MultiView(_BaseComposition, BaseEstimator):
    """Members that are fitted to the same series, and their weights."""

    _left_out: str

    _parameter_constraints: dict[str, Any] = {
        "estimators": [list, tuple],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "tolerance": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(
        self, estimators: Sequence[tuple[str, Any]], *, shrinkage: float = 0.5, tolerance: float | None = 2.0
    ) -> None:
        self.estimators = estimators
        self.shrinkage = shrinkage
        self.tolerance = tolerance

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters, with `deep` including those of the members as ``name__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the members.

        Returns
        -------
        params : dict
        """
        params: dict[str, Any] = self._get_params("estimators", deep=deep)
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters: those of members as ``name__parameter``, a whole member by its name.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : object
        """
        self._set_params("estimators", **params)
        return self

    def _fit_members(self, X: Any, y: Any, sample_weight: Any) -> list[Any]:
        """Fit a clone of each member."""
        self.__dict__.pop("weights_", None)  # after a failed fit the estimator must not look fitted
        names = [name for name, _ in self.estimators]
        if not names:
            raise ValueError("estimators must be pairs of a name and an estimator, at least one, got none")
        self._validate_names(names)
        fitted = []
        for name, member in self.estimators:
            weights = {} if sample_weight is None else {f"{_prefix(member)}sample_weight": sample_weight}
            fitted.append(clone(member).fit(X, y, **weights))
            if not hasattr(_last(fitted[-1]), self._left_out):
                kind = "Classifier" if self._left_out == LEFT_OUT[0] else "Regressor"
                raise TypeError(
                    f"estimators: {name!r} has no {self._left_out}, the predictions of the training series that were "
                    f"made without them, from which weights are fitted: wrap its last step in CrossFitted{kind}"
                )
        return fitted

    def _left_out_of(self, members: list[Any]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.array([getattr(_last(one), self._left_out) for one in members], np.float64)
        return found

    @property
    def n_features_in_(self) -> int:
        """Number of features, or of time points, seen at fit, as the first member has it."""
        check_is_fitted(self)
        seen: int = self.estimators_[0].n_features_in_
        return seen

    def __sklearn_is_fitted__(self) -> bool:
        return "weights_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.estimators:
            inputs = [get_tags(member).input_tags for _, member in self.estimators]
            tags.input_tags = inputs[0]
            tags.input_tags.sparse = all(one.sparse for one in inputs)
        return tags


class MultiViewClassifier(ClassifierMixin, _MultiView):
    """Classifiers on different views of the same series, and the weighted product of their probabilities.

    The members should err on different series. The probability of a class is proportional to the product over the
    members of p_m^w_m. The weights w_m minimise the log loss of the product on the training series, with probabilities
    p_m that each member predicts for the series that it was fitted without, and are shrunk towards equal weights. A
    member that is significantly worse than the best one is left out. The weights need not sum to one, so that the
    result is calibrated too.

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
        If there are no members, or two have the same name.

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
            Weights of the series, which the last step of each member must accept.

        Returns
        -------
        self : MultiViewClassifier
        """
        X, y = _converted(X), y if y is None else column_or_1d(y, warn=True)
        members = self._fit_members(X, y, sample_weight)
        self.classes_ = members[0].classes_
        labels = np.searchsorted(self.classes_, y)
        found = self._left_out_of(members)
        weights = np.ones(len(labels)) if sample_weight is None else _check_sample_weight(sample_weight, labels)
        logarithms = log_probabilities(found)
        wrong = np.array(found.argmax(axis=2) != labels, np.float64)
        kept = competitive(wrong, weights, self.tolerance)
        self.estimators_ = members
        self.weights_ = np.zeros(len(members))
        self.weights_[kept] = class_weights(logarithms[kept], labels, weights, float(self.shrinkage))
        self.left_out_probabilities_ = pooled_probabilities(logarithms, self.weights_)
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
        X = _converted(X)
        found = np.array([one.predict_proba(X) for one in self.estimators_])
        return pooled_probabilities(log_probabilities(found), self.weights_)

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


class MultiViewRegressor(RegressorMixin, _MultiView):
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
            Weights of the series, which the last step of each member must accept.

        Returns
        -------
        self : MultiViewRegressor
        """
        X = _converted(X)
        y = y if y is None else np.asarray(y)
        y = y.ravel() if np.ndim(y) == 2 and y.shape[1] == 1 else y
        members = self._fit_members(X, y, sample_weight)
        found = self._left_out_of(members)
        target = np.asarray(y, np.float64)
        weights = np.ones(len(target)) if sample_weight is None else _check_sample_weight(sample_weight, target)
        rows, columns = found.reshape(len(members), len(target), -1), target.reshape(len(target), -1)
        kept = competitive(np.square(rows - columns).sum(axis=2), weights, self.tolerance)
        self.estimators_ = members
        self.weights_ = np.zeros(len(members))
        self.weights_[kept] = number_weights(rows[kept], columns, weights, float(self.shrinkage))
        self.left_out_predictions_ = np.tensordot(self.weights_, found, 1)
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
        X = _converted(X)
        predictions: NDArray[np.float64] = np.tensordot(self.weights_, [one.predict(X) for one in self.estimators_], 1)
        return predictions

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _converted(X: Any) -> Any:
    """The series, of which cells of a frame are converted only once, since this is slow."""
    X = computed(X)
    return to_panel(X) if channel_names(X) is not None and not is_table(X) else X


def _last(member: Any) -> Any:
    """The last step of a member."""
    while isinstance(member, Pipeline):
        member = member[-1]
    return member


def _prefix(member: Any) -> str:
    """Prefix of the parameters of `fit` of the last step."""
    return f"{member.steps[-1][0]}__{_prefix(member.steps[-1][1])}" if isinstance(member, Pipeline) else ""
