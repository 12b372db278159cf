"""Steps that ready pipelines share: the last one, and transformers that load torch."""

import importlib

from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline

from sigfeat.linear_model import ALPHAS, LeaveOneOutRidgeClassifier


def with_classifier(features, classifier):
    """Features, and a classifier behind them: ridge regression if none is given."""
    last = LeaveOneOutRidgeClassifier() if classifier is None else classifier
    return Pipeline([("features", features), ("classifier", last)])


def with_regressor(features, regressor):
    """Features, and a regressor behind them: ridge regression if none is given."""
    last = RidgeCV(ALPHAS) if regressor is None else regressor
    return Pipeline([("features", features), ("regressor", last)])


def needing_torch(name):
    """A transformer that needs torch, which is loaded only when it is asked for."""
    return getattr(importlib.import_module("sigfeat"), name)
