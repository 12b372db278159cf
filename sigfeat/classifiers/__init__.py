"""Ready models: features of series, a scaler and a linear model, and ensembles of such models.

Each function returns a scikit-learn `Pipeline`, not fitted, of the steps "features" and "classifier" or "regressor".
`sigfeat_classifier` and `sigfeat_regressor` return an ensemble of three such pipelines. The input is any panel of
series (see `to_panel`). The models consist of public estimators and can be written by hand.

If in doubt, use `sigfeat_classifier()`: it weighs three views of a series that err on different data, so that noisy
channels or an unsuitable view cost little. Use `iss_classifier()`, which is one of the three views, where a fit must
take a fraction of a second.

Parameters that several of them share
-------------------------------------
classifier, regressor : estimator or None, default=None
    The last step of a pipeline. None for ridge regression with a penalty chosen by leave-one-out validation. For
    classes this is `LeaveOneOutRidgeClassifier`, which has `predict_proba` and accepts weights:
    ``pipeline.fit(X, y, classifier__sample_weight=weights)``.
n_jobs : int or None, default=None
    Number of threads, in joblib's convention: at most the number of CPUs, and -1 for all of them. In a worker process
    of joblib, -1 means the CPUs of that worker, as in scikit-learn's own loops.
random_state : int or None, default=0
    Seed of everything random; None for different results each time.
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
