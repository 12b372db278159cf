"""Pipelines of random developments, with and without iterated sums."""

from typing import Any

from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from sigfeat._validation import RandomState
from sigfeat.classifiers._steps import with_classifier, with_regressor
from sigfeat.classifiers.iss import iss_features
from sigfeat.transformers.augmentation import AddTime
from sigfeat.transformers.scaling import FeatureScaler


def path_development_classifier(
    *, classifier: Any = None, random_state: RandomState = 0, n_jobs: int | None = None
) -> Pipeline:
    """Pipeline of random developments, with time as a channel, and a ridge classifier.

    Parameters
    ----------
    classifier : estimator or None, default=None
        Last step of the pipeline; None for `LeaveOneOutRidgeClassifier`.
    random_state : int or None, default=0
        Seed of the developments.
    n_jobs : int or None, default=None
        Number of threads, in joblib's convention.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Raises
    ------
    ImportError
        If torch is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import path_development_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> path_development_classifier().fit(X, y).predict(X).shape
    (20,)
    """
    return with_classifier(_development(n_jobs, random_state), classifier)


def path_development_regressor(
    *, regressor: Any = None, random_state: RandomState = 0, n_jobs: int | None = None
) -> Pipeline:
    """Pipeline for regression on the features of `path_development_classifier`.

    Parameters
    ----------
    regressor : estimator or None, default=None
        Last step of the pipeline; None for `sklearn.linear_model.RidgeCV`.
    random_state, n_jobs : optional
        See `path_development_classifier`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import path_development_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> path_development_regressor().fit(X, y).predict(X).shape
    (20,)
    """
    return with_regressor(_development(n_jobs, random_state), regressor)


def iss_development_classifier(
    *,
    n_functionals: int = 1000,
    classifier: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline of the features of `iss_classifier` and `path_development_classifier`, and a ridge classifier.

    Parameters
    ----------
    n_functionals : int, default=1000
        See `iss_classifier`.
    classifier : estimator or None, default=None
        Last step of the pipeline; None for `LeaveOneOutRidgeClassifier`.
    random_state : int or None, default=0
        Seed of everything random.
    n_jobs : int or None, default=None
        Number of threads, in joblib's convention.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Raises
    ------
    ImportError
        If torch is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import iss_development_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> iss_development_classifier(n_functionals=20).fit(X, y).predict(X).shape
    (20,)
    """
    return with_classifier(_iss_development(n_functionals, n_jobs, random_state), classifier)


def iss_development_regressor(
    *,
    n_functionals: int = 1000,
    regressor: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline for regression on the features of `iss_development_classifier`.

    Parameters
    ----------
    n_functionals : optional
        See `iss_development_classifier`.
    regressor : estimator or None, default=None
        Last step of the pipeline; None for `sklearn.linear_model.RidgeCV`.
    random_state, n_jobs : optional
        See `iss_development_classifier`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import iss_development_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> iss_development_regressor(n_functionals=20).fit(X, y).predict(X).shape
    (20,)
    """
    return with_regressor(_iss_development(n_functionals, n_jobs, random_state), regressor)


def _development(n_jobs: int | None, random_state: RandomState) -> Pipeline:
    from sigfeat import PathDevelopmentTransformer  # loads torch

    development = PathDevelopmentTransformer(n_jobs=n_jobs, random_state=random_state)
    return make_pipeline(AddTime(), development, FeatureScaler())


def _iss_development(n_functionals: int, n_jobs: int | None, random_state: RandomState) -> FeatureUnion:
    return FeatureUnion(
        [
            ("iss", iss_features(n_functionals, n_jobs, random_state)),
            ("development", _development(n_jobs, random_state)),
        ],
        transformer_weights={"development": 0.1},
    )
