"""The recommended pipelines: random and trained low-rank iterated sums."""

from typing import Any

from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from sigfeat._validation import RandomState
from sigfeat.classifiers._steps import with_classifier, with_regressor
from sigfeat.classifiers.iss import iss_features
from sigfeat.transformers.low_rank import LowRankISSTransformer
from sigfeat.transformers.scaling import FeatureScaler

N_TRAINED = 32  # number of trained functionals


def sigfeat_classifier(
    *,
    n_functionals: int = 1000,
    max_epochs: int = 30,
    classifier: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """The recommended pipeline: many random and a few trained low-rank iterated sums, and a ridge classifier.

    Parameters
    ----------
    n_functionals : int, default=1000
        See `iss_classifier`.
    max_epochs : int, default=30
        Number of passes over the training series in the training of functionals.
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
        If torch or skorch is not installed.

    Notes
    -----
    Training takes some seconds on a few hundred short series; on long series it takes much longer than
    `iss_classifier`. Adding exact words or developments does not improve the accuracy in cross-validation on training
    data; see docs/accuracy.md.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import sigfeat_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> sigfeat_classifier(n_functionals=20, max_epochs=2).fit(X, y).predict(X).shape
    (20,)
    """
    return with_classifier(_union(n_functionals, max_epochs, n_jobs, random_state), classifier)


def sigfeat_regressor(
    *,
    n_functionals: int = 1000,
    max_epochs: int = 30,
    regressor: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline for regression on the features of `sigfeat_classifier`.

    Parameters
    ----------
    n_functionals, max_epochs : optional
        See `sigfeat_classifier`.
    regressor : estimator or None, default=None
        Last step of the pipeline; None for `sklearn.linear_model.RidgeCV`.
    random_state, n_jobs : optional
        See `sigfeat_classifier`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import sigfeat_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> sigfeat_regressor(n_functionals=20, max_epochs=2).fit(X, y).predict(X).shape
    (20,)
    """
    return with_regressor(_union(n_functionals, max_epochs, n_jobs, random_state), regressor)


def _union(n_functionals: int, max_epochs: int, n_jobs: int | None, random_state: RandomState) -> FeatureUnion:
    how: dict[str, Any] = {
        "fit_mode": "supervised",
        "max_epochs": max_epochs,
        "n_jobs": n_jobs,
        "random_state": random_state,
    }
    trained = LowRankISSTransformer(N_TRAINED, **how)
    return FeatureUnion(
        [
            ("iss", iss_features(n_functionals, n_jobs, random_state)),
            ("trained", make_pipeline(trained, FeatureScaler(power=0.5))),
        ],
        transformer_weights={"trained": 0.5},
    )
