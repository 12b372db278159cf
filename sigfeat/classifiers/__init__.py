"""Ready pipelines: features of series, scaled, and a linear model on top.

Each function returns a scikit-learn `Pipeline` of the steps "features" and "classifier" or "regressor", not fitted,
that takes any panel of series (see `to_panel`). There is nothing in them that could not be written by hand.

Parameters that all of them share
---------------------------------
classifier, regressor : estimator or None, default=None
    The last step. None: ridge regression, whose penalty is chosen by leaving one out; for classes
    `LeaveOneOutRidgeClassifier`, which has `predict_proba` and takes weights,
    ``pipeline.fit(X, y, classifier__sample_weight=weights)``.
n_jobs : int or None, default=None
    Threads, in joblib's convention: no more than CPUs, and -1 for all of them. In a worker process of joblib -1 is the
    worker's part of them, as for scikit-learn's own loops.
random_state : int or None, default=0
    Of all that is random. An int; None for a different outcome each time.
"""

from sigfeat.classifiers.development import (
    iss_development_classifier,
    iss_development_regressor,
    path_development_classifier,
    path_development_regressor,
)
from sigfeat.classifiers.hyena import hyena_classifier, hyena_regressor, iss_hyena_classifier, iss_hyena_regressor
from sigfeat.classifiers.intervals import interval_hyena_classifier, interval_stack_classifier
from sigfeat.classifiers.iss import iss_classifier, iss_regressor
from sigfeat.classifiers.recommended import sigfeat_classifier, sigfeat_regressor
from sigfeat.classifiers.signature import signature_classifier, signature_regressor

__all__ = [
    "hyena_classifier",
    "hyena_regressor",
    "interval_hyena_classifier",
    "interval_stack_classifier",
    "iss_classifier",
    "iss_development_classifier",
    "iss_development_regressor",
    "iss_hyena_classifier",
    "iss_hyena_regressor",
    "iss_regressor",
    "path_development_classifier",
    "path_development_regressor",
    "sigfeat_classifier",
    "sigfeat_regressor",
    "signature_classifier",
    "signature_regressor",
]
