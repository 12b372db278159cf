"""Pipelines of path signatures."""

from typing import Any

from sklearn.pipeline import Pipeline, make_pipeline

from sigfeat._validation import RandomState
from sigfeat.classifiers._steps import with_classifier, with_regressor
from sigfeat.transformers.augmentation import AddTime
from sigfeat.transformers.scaling import FeatureScaler
from sigfeat.transformers.signature import SignatureTransformer


def signature_classifier(
    *,
    depth: int = 3,
    classifier: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline of signatures over dyadic windows, with time as a channel, and a ridge classifier.

    Parameters
    ----------
    depth : int, default=3
        Depth of the signature; the number of features grows like (n_channels + 1)^depth.
    classifier : estimator or None, default=None
        Last step of the pipeline; None for `LeaveOneOutRidgeClassifier`.
    random_state, n_jobs : optional
        Not used: the features are not random, and are computed in one thread.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    References
    ----------
    .. [1] Morrill, Fermanian, Kidger, Lyons, "A generalised signature method for multivariate time series feature
       extraction", 2020, arXiv:2006.00873.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import signature_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> signature_classifier().fit(X, y).predict(X).shape
    (20,)
    """
    return with_classifier(_signature(depth), classifier)


def signature_regressor(
    *,
    depth: int = 3,
    regressor: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline for regression on the features of `signature_classifier`.

    Parameters
    ----------
    depth : optional
        See `signature_classifier`.
    regressor : estimator or None, default=None
        Last step of the pipeline; None for `sklearn.linear_model.RidgeCV`.
    random_state, n_jobs : optional
        See `signature_classifier`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import signature_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> signature_regressor().fit(X, y).predict(X).shape
    (20,)
    """
    return with_regressor(_signature(depth), regressor)


def _signature(depth: int) -> Pipeline:
    return make_pipeline(AddTime(), SignatureTransformer(depth=depth, windows=("dyadic", 2)), FeatureScaler(power=0.5))
