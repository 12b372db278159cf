"""The recommended models: containers, searches, noisy channels, sizes of numbers, and checks of parameters."""

import numpy as np
import pytest
from sklearn.base import is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV

from sigfeat import IntervalQuantileTransformer
from sigfeat.classifiers import sigfeat_classifier, sigfeat_regressor
from tests.panels import df_list, multiindex, nested, padded, ragged

SMALL = {"n_functionals": 20, "n_trees": 16}


def two_kinds(n_samples=24, seed=0):
    rng = np.random.default_rng(seed)
    series = [rng.standard_normal((2, 30 + i % 3)) for i in range(n_samples)]
    kinds = np.arange(n_samples) % 2
    return [s.cumsum(axis=1) if kind else s for s, kind in zip(series, kinds, strict=True)], kinds


@pytest.mark.parametrize("container", [padded, df_list, multiindex, nested])
def test_the_recommended_models_take_every_container(container):
    series, y = two_kinds()
    expected = sigfeat_classifier(**SMALL).fit(padded(series), y).predict_proba(padded(series))
    found = sigfeat_classifier(**SMALL).fit(container(series), y).predict_proba(container(series))
    np.testing.assert_array_equal(found, expected)
    numbers = sigfeat_regressor(**SMALL).fit(container(series), y.astype(float)).predict(container(series))
    assert np.corrcoef(numbers, y)[0, 1] > 0.8


def test_members_are_searched_from_outside():
    series, y = two_kinds()
    grid = {"quantiles__features__n_levels": [2, 4], "sums__features__lowrankisstransformer__n_functionals": [5]}
    search = GridSearchCV(sigfeat_classifier(**SMALL), grid, cv=2, error_score="raise").fit(padded(series), y)
    assert search.best_score_ > 0.8
    assert is_classifier(search.best_estimator_)
    assert is_regressor(sigfeat_regressor())


def test_many_noisy_channels_move_the_weight_to_the_trees():
    y = np.arange(60) % 2
    X = np.random.default_rng(0).standard_normal((60, 40, 50))
    X[:, 0] += 0.7 * y[:, np.newaxis]
    fitted = sigfeat_classifier(n_functionals=200, n_trees=80).fit(X[:40], y[:40])
    assert fitted.weights_[2] > fitted.weights_[:2].max()
    assert fitted.score(X[40:], y[40:]) >= 0.8


def test_the_quantiles_have_a_bounded_number_of_features():
    X, y = np.random.default_rng(0).standard_normal((8, 300, 300)), np.arange(8) % 2
    fitted = sigfeat_classifier(**SMALL).fit(X, y)
    limit = IntervalQuantileTransformer().max_features
    assert fitted.estimators_[1][-1].n_features_in_ <= limit


@pytest.mark.parametrize("size", [1e-30, 1e-9, 1e30, 1e100])
def test_the_size_of_the_numbers_does_not_matter(size):
    series, y = two_kinds()
    X = padded(series)
    expected = sigfeat_classifier(**SMALL).fit(X, y).predict_proba(X)
    found = sigfeat_classifier(**SMALL).fit(X * size, y).predict_proba(X * size)
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("n_trees", [0, -8, 7, 8.5, "a", None])
def test_numbers_of_trees_are_checked(n_trees):
    for make in (sigfeat_classifier, sigfeat_regressor):
        with pytest.raises(ValueError, match="n_trees must be an integer of at least 8, got"):
            make(n_trees=n_trees)


def test_logarithms_of_the_probabilities_are_finite():
    series, y = two_kinds()
    fitted = sigfeat_classifier(**SMALL).fit(padded(series), y)
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(padded(series))), fitted.predict_proba(padded(series)))
    assert np.isfinite(fitted.predict_log_proba(padded(series))).all()


def test_short_ragged_series_are_accepted():
    X, y = ragged(), np.arange(len(ragged())) % 2
    assert sigfeat_classifier(**SMALL).fit(X, y).predict(X).shape == y.shape
