"""The classifier by which features are judged."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


def ridge_classifier(*before: BaseEstimator) -> Pipeline:
    """Steps that make features, if there are any, then standardised features and a ridge with a chosen penalty."""
    return make_pipeline(*before, StandardScaler(), RidgeClassifierCV(np.logspace(-3, 3, 10)))
