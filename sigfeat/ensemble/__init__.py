"""Ensembles whose members have predictions of the training series that were made without them."""

from sigfeat.ensemble.cross_fitting import CrossFittedClassifier, CrossFittedRegressor
from sigfeat.ensemble.views import MultiViewClassifier, MultiViewRegressor

__all__ = ["CrossFittedClassifier", "CrossFittedRegressor", "MultiViewClassifier", "MultiViewRegressor"]
