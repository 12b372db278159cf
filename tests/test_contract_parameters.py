"""Parameters that are set after fit do not change what is fitted, for every transformer of panels."""

import numpy as np
from sklearn.base import clone

from sigfeat import FeatureScaler, FillMissing
from tests.estimators import HOW_TO_COMPUTE, OTHER_VALUES
from tests.panels import padded, ragged
from tests.test_contract import every_transformer, fit, target


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


def test_a_scaler_keeps_the_parameters_of_fit():
    X = np.maximum(np.random.default_rng(0).normal(size=(9, 4)), 0.0)
    fitted = FeatureScaler().fit(X)
    expected = fitted.transform(X)
    np.testing.assert_array_equal(fitted.set_params(power=0.5).transform(X), expected)
