"""Pipelines of embeddings by Hyena, with and without iterated sums."""

from typing import Any

from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from sigfeat._validation import RandomState
from sigfeat.classifiers._steps import with_classifier, with_regressor
from sigfeat.classifiers.iss import iss_features
from sigfeat.transformers.scaling import FeatureScaler


def hyena_classifier(
    *,
    order: int = 2,
    teacher: Any = None,
    max_epochs: int = 15,
    classifier: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline of embeddings by Hyena, distilled from attention that is trained on the classes, and a ridge classifier.

    Parameters
    ----------
    order : int, default=2
        Order of Hyena: the number of long convolutions and gates.
    teacher : MHAEmbedder, FrozenEstimator or None, default=None
        Embedder that the Hyena imitates; see `HyenaEmbeddingTransformer`.
    max_epochs : int, default=15
        Number of epochs of the distillation; an epoch is 20 steps.
    classifier : estimator or None, default=None
        Last step of the pipeline; None for `LeaveOneOutRidgeClassifier`.
    random_state : int or None, default=0
        Seed of teacher and student.
    n_jobs : int or None, default=None
        Number of threads, in joblib's convention.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Raises
    ------
    ImportError
        If torch or skorch is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import hyena_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> hyena_classifier(max_epochs=1).fit(X, y).predict(X).shape
    (20,)
    """
    return with_classifier(_hyena(order, teacher, max_epochs, n_jobs, random_state), classifier)


def hyena_regressor(
    *,
    order: int = 2,
    teacher: Any = None,
    max_epochs: int = 15,
    regressor: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline for regression on the features of `hyena_classifier`.

    Parameters
    ----------
    order, teacher, max_epochs : optional
        See `hyena_classifier`.
    regressor : estimator or None, default=None
        Last step of the pipeline; None for `sklearn.linear_model.RidgeCV`.
    random_state, n_jobs : optional
        See `hyena_classifier`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import hyena_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> hyena_regressor(max_epochs=1).fit(X, y).predict(X).shape
    (20,)
    """
    return with_regressor(_hyena(order, teacher, max_epochs, n_jobs, random_state), regressor)


def iss_hyena_classifier(
    *,
    n_functionals: int = 1000,
    order: int = 2,
    teacher: Any = None,
    max_epochs: int = 15,
    classifier: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline of the features of `iss_classifier` and `hyena_classifier`, and a ridge classifier.

    Parameters
    ----------
    n_functionals : int, default=1000
        See `iss_classifier`.
    order, teacher, max_epochs : optional
        See `hyena_classifier`.
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

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import iss_hyena_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> iss_hyena_classifier(n_functionals=20, max_epochs=1).fit(X, y).predict(X).shape
    (20,)
    """
    return with_classifier(_iss_hyena(n_functionals, order, teacher, max_epochs, n_jobs, random_state), classifier)


def iss_hyena_regressor(
    *,
    n_functionals: int = 1000,
    order: int = 2,
    teacher: Any = None,
    max_epochs: int = 15,
    regressor: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline for regression on the features of `iss_hyena_classifier`.

    Parameters
    ----------
    n_functionals, order, teacher, max_epochs : optional
        See `iss_hyena_classifier`.
    regressor : estimator or None, default=None
        Last step of the pipeline; None for `sklearn.linear_model.RidgeCV`.
    random_state, n_jobs : optional
        See `iss_hyena_classifier`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import iss_hyena_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> iss_hyena_regressor(n_functionals=20, max_epochs=1).fit(X, y).predict(X).shape
    (20,)
    """
    return with_regressor(_iss_hyena(n_functionals, order, teacher, max_epochs, n_jobs, random_state), regressor)


def _hyena(order: int, teacher: Any, max_epochs: int, n_jobs: int | None, random_state: RandomState) -> Pipeline:
    from sigfeat import HyenaEmbeddingTransformer  # loads torch

    how: dict[str, Any] = {"order": order, "max_epochs": max_epochs, "n_jobs": n_jobs, "random_state": random_state}
    return make_pipeline(HyenaEmbeddingTransformer(teacher, **how), FeatureScaler())


def _iss_hyena(
    n_functionals: int,
    order: int,
    teacher: Any,
    max_epochs: int,
    n_jobs: int | None,
    random_state: RandomState,
) -> FeatureUnion:
    hyena = _hyena(order, teacher, max_epochs, n_jobs, random_state)
    return FeatureUnion([("iss", iss_features(n_functionals, n_jobs, random_state)), ("hyena", hyena)])
