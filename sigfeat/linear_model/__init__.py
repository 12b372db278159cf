"""Ridge classifier for many more features than series."""

from sigfeat.linear_model.ridge import LeaveOneOutRidgeClassifier

__all__ = ["LeaveOneOutRidgeClassifier"]
