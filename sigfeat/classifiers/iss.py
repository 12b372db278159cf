"""Pipelines of low-rank iterated sums."""

from typing import Any

from sklearn.pipeline import Pipeline, make_pipeline

from sigfeat._validation import RandomState
from sigfeat.classifiers._steps import with_classifier, with_regressor
from sigfeat.transformers.low_rank import LowRankISSTransformer
from sigfeat.transformers.scaling import FeatureScaler


def iss_classifier(
    *,
    n_functionals: int = 1000,
    classifier: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline of low-rank iterated sums and a ridge classifier, which fits in a fraction of a second.

    If in doubt, use `sigfeat_classifier()`: it weighs three views of a series that err on different data, so that noisy
    channels or an unsuitable view cost little. Use `iss_classifier()`, which is one of the three views, where a fit
    must take a fraction of a second.

    Parameters
    ----------
    n_functionals : int, default=1000
        Number of functionals of two letters; each gives nine features.
    classifier : estimator or None, default=None
        Last step of the pipeline; None for `LeaveOneOutRidgeClassifier`.
    random_state : int or None, default=0
        Seed of the functionals.
    n_jobs : int or None, default=None
        Number of threads, in joblib's convention.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Notes
    -----
    All settings were chosen by cross-validation on training data; see docs/accuracy.md.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import iss_classifier
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((40, 2, 50)), np.repeat(["slow", "fast"], 20)
    >>> X[:20] = X[:20].cumsum(axis=2)
    >>> iss_classifier(n_functionals=50).fit(X[::2], y[::2]).score(X[1::2], y[1::2])
    1.0
    """
    return with_classifier(iss_features(n_functionals, n_jobs, random_state), classifier)


def iss_regressor(
    *,
    n_functionals: int = 1000,
    regressor: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline for regression on the features of `iss_classifier`.

    Parameters
    ----------
    n_functionals : optional
        See `iss_classifier`.
    regressor : estimator or None, default=None
        Last step of the pipeline; None for `sklearn.linear_model.RidgeCV`.
    random_state, n_jobs : optional
        See `iss_classifier`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import iss_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> iss_regressor(n_functionals=20).fit(X, y).predict(X).shape
    (20,)
    """
    return with_regressor(iss_features(n_functionals, n_jobs, random_state), regressor)


def iss_features(n_functionals: int, n_jobs: int | None, random_state: RandomState) -> Pipeline:
    """Low-rank iterated sums and a scaler, also used by other pipelines."""
    low_rank = LowRankISSTransformer(n_functionals, n_jobs=n_jobs, random_state=random_state)
    return make_pipeline(low_rank, FeatureScaler(power=0.5))
