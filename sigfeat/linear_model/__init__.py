"""Ridge regression for many more features than series, with predictions of the series that are left out."""

from sigfeat.linear_model.ridge import LeaveOneOutRidgeClassifier
from sigfeat.linear_model.ridge_regression import LeaveOneOutRidgeRegressor

__all__ = ["LeaveOneOutRidgeClassifier", "LeaveOneOutRidgeRegressor"]
