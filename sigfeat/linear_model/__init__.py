"""Ridge classifier for many more features than series."""

from sigfeat.linear_model.ridge import ALPHAS, LeaveOneOutRidgeClassifier

__all__ = ["ALPHAS", "LeaveOneOutRidgeClassifier"]
