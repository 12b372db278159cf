"""Parameters that are set after fit do not change what is fitted, for every transformer of panels."""

import warnings
from numbers import Real

import numpy as np
import pytest
from sklearn.base import clone

from sigfeat import FeatureScaler, FillMissing
from sigfeat._validation import Interval
from tests.estimators import HOW_TO_COMPUTE, OTHER_VALUES
from tests.panels import padded, ragged
from tests.test_contract import every_transformer, fit, target

pytestmark = pytest.mark.usefixtures("short_epochs")


@every_transformer
def test_parameters_that_are_set_after_fit_wait_for_the_next_fit(transformer):
    X = padded(ragged())
    if isinstance(transformer, FillMissing):
        X[2, 1, 1:3] = np.nan
    fitted = fit(transformer, X)
    values, names = fitted.transform(X), fitted.get_feature_names_out().tolist()
    for name, value in fitted.get_params(deep=False).items():
        if name in HOW_TO_COMPUTE:
            continue
        other = next(other for other in OTHER_VALUES[name] if other is not value and other != value)
        fitted.set_params(**{name: other})
        np.testing.assert_array_equal(fitted.transform(X), values, err_msg=f"{name}={other!r}", strict=True)
        assert fitted.get_feature_names_out().tolist() == names, f"{name}={other!r}"
        assert fitted.transform(X[:, :, :9]).shape[0] == len(X)
    fitted.set_params(**clone(transformer).get_params(deep=False)).fit(X, target(transformer, X))
    np.testing.assert_array_equal(fitted.transform(X), values)


def real_parameters(transformer):
    """Names of parameters that are real numbers, and for which whole numbers mean nothing else."""
    kinds = {
        name: {one.type if isinstance(one, Interval) else one for one in allowed if one is not None}
        for name, allowed in transformer._parameter_constraints.items()
        if isinstance(allowed, list)
    }
    return [name for name, types in kinds.items() if types == {Real}]


@every_transformer
def test_whole_numbers_are_real_numbers(transformer):
    X = padded(ragged())
    for name in real_parameters(transformer):
        for number in (0, 1, 2):
            changed = [clone(transformer).set_params(**{name: value}) for value in (number, float(number))]
            with warnings.catch_warnings(action="ignore"):  # of what such a number does to the features
                try:
                    expected = fit(changed[1], X).transform(X)
                except ValueError:  # not allowed, not used, or it overflows
                    continue
                np.testing.assert_array_equal(fit(changed[0], X).transform(X), expected, err_msg=f"{name}={number}")
            break


def test_a_scaler_keeps_the_parameters_of_fit():
    X = np.maximum(np.random.default_rng(0).normal(size=(9, 4)), 0.0)
    fitted = FeatureScaler().fit(X)
    expected = fitted.transform(X)
    np.testing.assert_array_equal(fitted.set_params(power=0.5).transform(X), expected)
