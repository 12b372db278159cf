"""Networks of interval layers as classifiers."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sigfeat import IntervalNetworkClassifier
from sigfeat.classifiers import interval_hyena_classifier, interval_stack_classifier
from sigfeat.datasets import make_coincidence


@parametrize_with_checks([IntervalNetworkClassifier(d_model=4, max_epochs=20, dtype="float64")])
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("classifier", [interval_stack_classifier, interval_hyena_classifier])
def test_networks_learn_a_small_coincidence_task(classifier):
    X, y = make_coincidence(n_samples=120, length=64, n_shapes=2, n_places=2, noise=0.02, random_state=0)
    names = np.array(["left", "right"])[y]
    pipeline = classifier(max_epochs=25, random_state=0).fit(X[:80], names[:80])
    assert pipeline.score(X[80:], names[80:]) > 0.8
    probabilities = pipeline.predict_proba(X[80:])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-6)
    assert (pipeline.classes_[probabilities.argmax(axis=1)] == pipeline.predict(X[80:])).all()


@pytest.mark.parametrize("layers", ["stack", "hyena"])
def test_networks_honour_the_length_of_each_series(layers):
    X, y = make_coincidence(n_samples=12, length=40, n_shapes=2, n_places=2, random_state=0)
    model = IntervalNetworkClassifier(layers, d_model=3, n_filters=2, max_epochs=2).fit(X, y)
    padded = np.full((12, 2, 55), np.nan)
    padded[:, :, :40] = X
    # transforms of other lengths round otherwise, in float32
    np.testing.assert_allclose(model.predict_proba(padded), model.predict_proba(X), atol=1e-4)
    again = IntervalNetworkClassifier(layers, d_model=3, n_filters=2, max_epochs=2).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
