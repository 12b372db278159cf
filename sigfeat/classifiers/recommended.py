"""The recommended models: low-rank iterated sums with a ridge, and quantiles over intervals with trees."""

from numbers import Integral
from typing import Any

from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.pipeline import make_pipeline
from sklearn.utils import check_random_state

from sigfeat._messages import plain
from sigfeat._validation import RandomState
from sigfeat.classifiers._steps import with_classifier, with_regressor
from sigfeat.classifiers.iss import iss_features
from sigfeat.ensemble.cross_fitting import CrossFittedClassifier, CrossFittedRegressor
from sigfeat.ensemble.views import MultiViewClassifier, MultiViewRegressor
from sigfeat.linear_model.ridge import LeaveOneOutRidgeClassifier
from sigfeat.linear_model.ridge_regression import LeaveOneOutRidgeRegressor
from sigfeat.transformers.intervals.quantiles import IntervalQuantileTransformer
from sigfeat.transformers.low_rank import LowRankISSTransformer
from sigfeat.transformers.scaling import FeatureScaler

SEMIRINGS = ("real", "max_plus", "min_plus")
N_FOLDS = 8
MAX_FEATURES = 0.1  # part of the features that a split chooses from


def sigfeat_classifier(
    *, n_functionals: int = 1000, n_trees: int = 200, random_state: RandomState = 0, n_jobs: int | None = None
) -> MultiViewClassifier:
    """The recommended classifier: three views of a series that err on different data, with fitted weights.

    The first view consists of low-rank iterated sums and a ridge classifier, as in `iss_classifier`; the second is the
    same with other functionals in the real, the max-plus and the min-plus semiring. The third consists of quantiles
    over dyadic intervals and extremely randomised trees. The weights are fitted to probabilities of the training series
    that were predicted without them; see `MultiViewClassifier`.

    If in doubt, use `sigfeat_classifier()`: it weighs three views of a series that err on different data, so that noisy
    channels or an unsuitable view cost little. Use `iss_classifier()`, which is one of the three views, where a fit
    must take a fraction of a second.

    Parameters
    ----------
    n_functionals : int, default=1000
        See `iss_classifier`.
    n_trees : int, default=200
        Number of trees, at least 8, rounded down to a multiple of eight: one eighth of them is fitted without each of
        eight folds of the series.
    random_state : int or None, default=0
        Seed of everything random.
    n_jobs : int or None, default=None
        Number of threads, in joblib's convention.

    Returns
    -------
    classifier : MultiViewClassifier
        Of the members "sums", "semirings" and "quantiles", pipelines of the steps "features" and "classifier".

    Notes
    -----
    All settings were chosen by cross-validation on training data; see docs/accuracy.md.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import sigfeat_classifier
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((40, 2, 50)), np.repeat(["slow", "fast"], 20)
    >>> X[:20] = X[:20].cumsum(axis=2)
    >>> classifier = sigfeat_classifier(n_functionals=50, n_trees=16).fit(X[::2], y[::2])
    >>> classifier.score(X[1::2], y[1::2])
    1.0
    """
    trees = ExtraTreesClassifier(
        _trees_of_a_fold(n_trees), criterion="entropy", max_features=MAX_FEATURES, n_jobs=n_jobs
    )
    forest = CrossFittedClassifier(trees, n_folds=N_FOLDS, random_state=random_state)
    sums, semirings, quantiles = _views(n_functionals, random_state, n_jobs)
    return MultiViewClassifier(
        [
            ("sums", with_classifier(sums, LeaveOneOutRidgeClassifier())),
            ("semirings", with_classifier(semirings, LeaveOneOutRidgeClassifier())),
            ("quantiles", with_classifier(quantiles, forest)),
        ]
    )


def sigfeat_regressor(
    *, n_functionals: int = 1000, n_trees: int = 200, random_state: RandomState = 0, n_jobs: int | None = None
) -> MultiViewRegressor:
    """The recommended regressor: the three views of `sigfeat_classifier`, and the weighted mean of their predictions.

    Parameters
    ----------
    n_functionals, n_trees, random_state, n_jobs : optional
        See `sigfeat_classifier`.

    Returns
    -------
    regressor : MultiViewRegressor
        Of the members "sums", "semirings" and "quantiles", pipelines of the steps "features" and "regressor".

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import sigfeat_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> sigfeat_regressor(n_functionals=20, n_trees=8).fit(X, y).predict(X).shape
    (20,)
    """
    trees = ExtraTreesRegressor(_trees_of_a_fold(n_trees), max_features=MAX_FEATURES, n_jobs=n_jobs)
    forest = CrossFittedRegressor(trees, n_folds=N_FOLDS, random_state=random_state)
    sums, semirings, quantiles = _views(n_functionals, random_state, n_jobs)
    return MultiViewRegressor(
        [
            ("sums", with_regressor(sums, LeaveOneOutRidgeRegressor())),
            ("semirings", with_regressor(semirings, LeaveOneOutRidgeRegressor())),
            ("quantiles", with_regressor(quantiles, forest)),
        ]
    )


def _views(n_functionals: int, random_state: RandomState, n_jobs: int | None) -> tuple[Any, Any, Any]:
    """Features of the three views."""
    other = None if random_state is None else int(check_random_state(random_state).randint(2**31))  # other functionals
    semirings = LowRankISSTransformer(n_functionals, semiring=SEMIRINGS, n_jobs=n_jobs, random_state=other)
    return (
        iss_features(n_functionals, n_jobs, random_state),
        make_pipeline(semirings, FeatureScaler(power=0.5)),
        IntervalQuantileTransformer(n_jobs=n_jobs, random_state=random_state),
    )


def _trees_of_a_fold(n_trees: int) -> int:
    if not isinstance(n_trees, Integral) or n_trees < N_FOLDS:
        raise ValueError(f"n_trees must be an integer of at least {N_FOLDS}, got {plain(n_trees)!r}")
    return int(n_trees) // N_FOLDS
