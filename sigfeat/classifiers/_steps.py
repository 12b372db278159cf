"""The last step of ready pipelines."""

from typing import Any

from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline

from sigfeat.linear_model.ridge import ALPHAS, LeaveOneOutRidgeClassifier


def with_classifier(features: Any, classifier: Any) -> Pipeline:
    """Pipeline of features and a classifier, by default `LeaveOneOutRidgeClassifier`."""
    last = LeaveOneOutRidgeClassifier() if classifier is None else classifier
    return Pipeline([("features", features), ("classifier", last)])


def with_regressor(features: Any, regressor: Any) -> Pipeline:
    """Pipeline of features and a regressor, by default `RidgeCV`."""
    last = RidgeCV(ALPHAS) if regressor is None else regressor
    return Pipeline([("features", features), ("regressor", last)])
