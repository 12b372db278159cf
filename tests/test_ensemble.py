"""Cross-fitting, and ensembles whose weights are fitted to predictions that were made without the series."""

import numpy as np
import pytest
import sklearn
from scipy.optimize import approx_fprime
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sigfeat import FeatureScaler, LeaveOneOutRidgeClassifier
from sigfeat.ensemble import CrossFittedClassifier, CrossFittedRegressor, MultiViewClassifier, MultiViewRegressor
from sigfeat.ensemble.pool import class_weights, competitive, log_probabilities, number_weights, pooled_probabilities
from sigfeat.linear_model import LeaveOneOutRidgeRegressor

TREES, NUMBER_TREES = ExtraTreesClassifier(5), ExtraTreesRegressor(5)


def classes(n_samples=60, n_features=6, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_samples) % n_classes)
    return rng.normal(size=(n_samples, n_features)) + y[:, np.newaxis] * (np.arange(n_features) < 2), y


def views():
    return [("ridge", LeaveOneOutRidgeClassifier()), ("trees", CrossFittedClassifier(TREES, n_folds=3))]


def number_views():
    return [("ridge", LeaveOneOutRidgeRegressor()), ("trees", CrossFittedRegressor(NUMBER_TREES, n_folds=3))]


def cannot_weigh(estimator):
    """Checks that folds and leaving out cannot pass."""
    reason = "copies of a series fall into several folds; a series of their weight does not"
    return {
        "check_sample_weight_equivalence_on_dense_data": reason,
        "check_sample_weight_equivalence_on_sparse_data": reason,
    }


@parametrize_with_checks(
    [
        CrossFittedClassifier(TREES, n_folds=3),
        CrossFittedRegressor(NUMBER_TREES, n_folds=3),
        MultiViewClassifier(views()),
        MultiViewRegressor(number_views()),
        LeaveOneOutRidgeRegressor(),
    ],
    expected_failed_checks=cannot_weigh,
)
def test_check_estimator(estimator, check):
    check(estimator)


# ------------------------------------------------------------------------------------------- cross-fitting


def test_left_out_probabilities_are_those_of_a_fit_without_the_fold():
    X, y = classes()
    fitted = CrossFittedClassifier(LogisticRegression(), n_folds=4).fit(X, y)
    for fold, one in enumerate(fitted.estimators_):
        own = fitted._fold_of == fold
        again = LogisticRegression().fit(X[~own], y[~own])
        np.testing.assert_allclose(one.coef_, again.coef_)
        np.testing.assert_allclose(fitted.left_out_probabilities_[own], again.predict_proba(X[own]))
        assert np.ptp(np.bincount(y[own])) <= 1
    mean = np.mean([one.predict_proba(X) for one in fitted.estimators_], axis=0)
    np.testing.assert_allclose(fitted.predict_proba(X), mean)


def test_left_out_numbers_are_those_of_a_fit_without_the_fold():
    X, _ = classes()
    y = X @ np.arange(12.0).reshape(6, 2)
    for target in (y, y[:, 0]):
        fitted = CrossFittedRegressor(LinearRegression(), n_folds=60).fit(X, target)
        expected = cross_val_predict(LinearRegression(), X, target, cv=60)
        np.testing.assert_allclose(fitted.left_out_predictions_, expected)
        np.testing.assert_allclose(fitted.predict(X), target)


def test_every_clone_has_a_seed_of_its_own_and_results_repeat():
    X, y = classes()
    fitted = CrossFittedClassifier(make_pipeline(StandardScaler(), TREES), n_folds=3).fit(X, y)
    seeds = [one[-1].random_state for one in fitted.estimators_]
    assert len(set(seeds)) == 3
    again = clone(fitted).fit(X, y)
    np.testing.assert_array_equal(fitted.predict_proba(X), again.predict_proba(X))
    other = CrossFittedClassifier(TREES, n_folds=3, random_state=1).fit(X, y)
    assert (fitted.left_out_probabilities_ != other.left_out_probabilities_).any()


def test_a_class_of_one_series_has_probability_zero_only_where_it_is_left_out():
    X, y = classes(n_samples=12, n_classes=2)
    y[0] = 7
    fitted = CrossFittedClassifier(TREES, n_folds=4).fit(X, y)
    np.testing.assert_array_equal(fitted.classes_, [0, 1, 7])
    assert fitted.left_out_probabilities_[0, 2] == 0
    assert fitted.predict(X[:1])[0] == 7
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1)


def test_there_are_at_most_as_many_folds_as_series():
    X, y = classes(n_samples=5, n_classes=2)
    assert len(CrossFittedClassifier(TREES, n_folds=50).fit(X, y).estimators_) == 5
    with pytest.raises(ValueError, match="folds need at least 2 series of weight > 0, got n_samples=1"):
        CrossFittedClassifier(TREES).fit(X[:1], y[:1])


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_ridge_keeps_predictions_of_the_series_that_are_left_out(n_targets, weighted):
    X, _ = classes(n_samples=20)
    rng = np.random.default_rng(1)
    y = (X @ rng.normal(size=(6, n_targets)) + rng.normal(size=(20, n_targets))).squeeze()
    weights = rng.uniform(0.5, 2, 20) if weighted else np.ones(20)
    fitted = LeaveOneOutRidgeRegressor([0.1, 3.0]).fit(X, y, weights if weighted else None)
    for i in range(20):
        rest = np.arange(20) != i
        expected = Ridge(fitted.alpha_).fit(X[rest], y[rest], weights[rest]).predict(X[i : i + 1])[0]
        np.testing.assert_allclose(fitted.left_out_predictions_[i], expected, atol=1e-8)


# ---------------------------------------------------------------------------------------------- the pools


def members_of_classes(seed=0):
    """Probabilities of two members, of which the first is better, and labels."""
    rng = np.random.default_rng(seed)
    labels, found = rng.integers(0, 3, 80), rng.dirichlet(np.ones(3), (2, 80))
    found[0, np.arange(80), labels] += 0.5
    return found / found.sum(axis=2, keepdims=True), labels


@pytest.mark.parametrize("shrinkage", [0.0, 1.0, 30.0])
def test_weights_of_classes_minimise_the_penalised_loss(shrinkage):
    found, labels = members_of_classes()
    logarithms, sizes = log_probabilities(found), np.random.default_rng(1).uniform(0.5, 2, 80)
    weights = class_weights(logarithms, labels, sizes, shrinkage)

    def loss(w):
        pooled = pooled_probabilities(logarithms, w)
        penalty = shrinkage * 4 / 2 * np.square(w - 0.5).sum()
        return log_loss(labels, pooled, normalize=False, sample_weight=sizes, labels=[0, 1, 2]) + penalty

    gradient = approx_fprime(weights, loss, 1e-6)
    assert (np.abs(gradient[weights > 0]) < 0.02).all()
    assert (gradient > -0.02).all()
    assert weights[0] > weights[1] >= 0


def test_weights_shrink_towards_equal_ones_and_less_with_more_series():
    found, labels = members_of_classes()
    logarithms = log_probabilities(found)

    def distance(times, shrinkage):
        sizes = np.full(80, float(times))
        return np.abs(class_weights(logarithms, labels, sizes, shrinkage) - 0.5).max()

    assert distance(1, 0.0) > distance(1, 10.0) > distance(1, 1e6)
    assert distance(1, 1e9) < 1e-6
    assert distance(100, 10.0) > distance(1, 10.0)


def test_members_that_are_significantly_worse_are_left_out():
    wrong = np.zeros((3, 100))
    wrong[1, :4], wrong[2, :5] = 1, 1  # z = 4 / sqrt(4), and 5 / sqrt(5)
    ones = np.ones(100)
    np.testing.assert_array_equal(competitive(wrong, ones, 2.0), [True, True, False])
    np.testing.assert_array_equal(competitive(wrong, ones, 1.9), [True, False, False])
    np.testing.assert_array_equal(competitive(wrong, ones, None), [True, True, True])
    np.testing.assert_array_equal(competitive(wrong[:, :5], np.array([0.0, 1, 1, 1, 1]), 2.0), [True, True, True])
    np.testing.assert_array_equal(competitive(wrong[[0, 0]], ones, 0.0), [True, True])


def test_a_member_far_behind_has_no_weight():
    (X, y), noise = classes(150), np.random.default_rng(0).normal(size=(150, 5))
    useless = make_pipeline(_Replaced(noise), LeaveOneOutRidgeClassifier())
    members = [("ridge", LeaveOneOutRidgeClassifier()), ("useless", useless)]
    alone = LeaveOneOutRidgeClassifier().fit(X, y)
    pooled = MultiViewClassifier(members).fit(X, y)
    assert pooled.weights_[1] == 0
    np.testing.assert_array_equal(pooled.predict(X), alone.predict(X))
    assert MultiViewClassifier(members, tolerance=None).fit(X, y).weights_[1] > 0
    numbers = [
        ("ridge", LeaveOneOutRidgeRegressor()),
        ("useless", make_pipeline(_Replaced(noise), LeaveOneOutRidgeRegressor())),
    ]
    assert MultiViewRegressor(numbers).fit(X, X[:, 0]).weights_.tolist() == [1.0, 0.0]


def test_a_member_without_any_vote_for_a_class_cannot_exclude_it():
    found = np.array([[[1.0, 0.0]], [[0.2, 0.8]]])
    pooled = pooled_probabilities(log_probabilities(found), np.array([0.5, 0.5]))
    assert 0.01 < pooled[0, 1] < 0.5


@pytest.mark.parametrize("n_targets", [1, 2])
def test_weights_of_numbers_minimise_the_penalised_error_on_the_simplex(n_targets):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(50, n_targets))
    found = np.stack([y + s * rng.normal(size=y.shape) for s in (0.5, 0.7, 5.0)])
    sizes = rng.uniform(0.5, 2, 50)
    weights = number_weights(found, y, sizes, 1.0)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    assert weights[0] > weights[1] > weights[2]
    unit = (sizes[:, np.newaxis] * np.square(found.mean(axis=0) - y)).sum() / sizes.sum()

    def loss(w):
        error = (sizes[:, np.newaxis] * np.square(np.tensordot(w, found, 1) - y)).sum()
        return error / unit + 1.5 * np.square(w - 1 / 3).sum()

    others = rng.dirichlet(np.ones(3), 2000)
    assert loss(weights) <= min(map(loss, others)) + 1e-6


def test_members_without_errors_have_equal_weights():
    y = np.arange(5.0)[:, np.newaxis]
    np.testing.assert_allclose(number_weights(np.stack([y, y]), y, np.ones(5), 1.0), 0.5)


# ------------------------------------------------------------------------------------------------- views


def test_the_pool_is_made_of_the_members_and_beats_a_useless_one():
    (X, y), (fresh, expected) = classes(150), classes(150, seed=1)
    fitted = MultiViewClassifier(views()).fit(X, y)
    parts = np.array([one.predict_proba(fresh) for one in fitted.estimators_])
    pooled = pooled_probabilities(log_probabilities(parts), fitted.weights_)
    np.testing.assert_allclose(fitted.predict_proba(fresh), pooled)
    np.testing.assert_array_equal(fitted.predict(fresh), fitted.classes_[pooled.argmax(axis=1)])
    assert log_loss(expected, pooled) < max(log_loss(expected, part) for part in parts)


class _Replaced(StandardScaler):
    """Features that have nothing to do with the input."""

    def __init__(self, features=None):
        super().__init__()
        self.features = features

    def fit_transform(self, X, y=None):
        return self.features

    def transform(self, X):
        return self.features[: len(X)]


def test_numbers_are_the_weighted_mean_of_the_members():
    X, _ = classes(100)
    y = X[:, 0] + 0.1 * X[:, 1] ** 2
    fitted = MultiViewRegressor(number_views()).fit(X, y)
    expected = sum(w * one.predict(X) for w, one in zip(fitted.weights_, fitted.estimators_, strict=True))
    np.testing.assert_allclose(fitted.predict(X), expected)
    assert fitted.weights_[0] > 0.5
    assert fitted.predict(X).shape == fitted.left_out_predictions_.shape == (100,)
    both = MultiViewRegressor(number_views()).fit(X, np.column_stack([y, -y]))
    assert both.predict(X).shape == both.left_out_predictions_.shape == (100, 2)


def test_weights_of_series_reach_the_members_and_the_pool():
    X, y = classes(60)
    trees = make_pipeline(StandardScaler(), CrossFittedClassifier(TREES, n_folds=3))
    model = MultiViewClassifier([("ridge", LeaveOneOutRidgeClassifier()), ("trees", trees)])
    weights = np.where(y == 0, 5.0, 1.0)
    plain, weighted = clone(model).fit(X, y), clone(model).fit(X, y, sample_weight=weights)
    expected = LeaveOneOutRidgeClassifier().fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(weighted.estimators_[0].coef_, expected.coef_)
    assert (weighted.predict_proba(X)[:, 0] > plain.predict_proba(X)[:, 0]).mean() > 0.6
    assert (plain.weights_ != weighted.weights_).any()


def test_what_cannot_be_pooled_is_said():
    X, y = classes()
    with pytest.raises(TypeError, match="'plain' has no left_out_probabilities_.*wrap its last step in CrossFittedCl"):
        MultiViewClassifier([("plain", LogisticRegression())]).fit(X, y)
    with pytest.raises(TypeError, match="'plain' has no left_out_predictions_.*wrap its last step in CrossFittedReg"):
        MultiViewRegressor([("plain", Ridge())]).fit(X, y)
    for wrong in ([], [1], [(1, TREES)], [("dropped", "drop")], [("one", TREES, TREES)]):
        with pytest.raises(
            ValueError, match="^estimators must be pairs of a name and an estimator, at least one, got "
        ):
            MultiViewClassifier(wrong).fit(X, y)
    with pytest.raises(ValueError, match="not unique"):
        MultiViewClassifier([*views(), *views()]).fit(X, y)


def test_weights_of_0_make_a_series_or_a_class_absent():
    X, y = classes(60)
    weights = np.where(y > 0, 1.0, 0.0)
    model = MultiViewClassifier(views()).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(model.classes_, [1, 2])
    alone = MultiViewClassifier(views()).fit(X[y > 0], y[y > 0])
    np.testing.assert_allclose(model.predict_proba(X), alone.predict_proba(X), atol=1e-6)
    numbers = MultiViewRegressor(number_views()).fit(X, X[:, 0], sample_weight=weights)
    some = MultiViewRegressor(number_views()).fit(X[y > 0], X[y > 0, 0])
    np.testing.assert_allclose(numbers.predict(X), some.predict(X), atol=1e-6)
    assert np.isfinite(numbers.left_out_predictions_).all()


@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_equal_weights_of_any_size_change_nothing(size):
    X, y = classes(60)
    plain = MultiViewClassifier(views()).fit(X, y)
    weighted = MultiViewClassifier(views()).fit(X, y, sample_weight=np.full(60, size))
    np.testing.assert_allclose(
        weighted.weights_[0] / weighted.weights_[1], plain.weights_[0] / plain.weights_[1], rtol=0.2
    )


def test_one_number_weighs_all_series_alike():
    X, y = classes(30)
    for model in (LeaveOneOutRidgeRegressor(), CrossFittedRegressor(Ridge(), n_folds=3)):
        expected = clone(model).fit(X, y).predict(X)
        np.testing.assert_allclose(clone(model).fit(X, y, sample_weight=1.0).predict(X), expected, atol=1e-9)


@pytest.mark.parametrize(
    "model", [LeaveOneOutRidgeRegressor(), CrossFittedRegressor(Ridge()), CrossFittedClassifier(TREES)]
)
def test_negative_weights_are_refused(model):
    X, y = classes(30)
    with pytest.raises(ValueError, match="sample_weight must be at least 0, got -1.0"):
        model.fit(X, y, sample_weight=np.r_[-1.0, np.ones(29)])


def test_penalties_of_the_regressor_are_checked():
    with pytest.raises(ValueError, match=r"alphas must be finite numbers > 0, at least one, got \[\]"):
        LeaveOneOutRidgeRegressor([]).fit(np.eye(3), [1.0, 2, 3])


def test_weights_are_routed():
    X, y = classes(60)
    weights = np.where(y == 0, 5.0, 1.0)
    model = MultiViewClassifier([("ridge", make_pipeline(FeatureScaler(), LeaveOneOutRidgeClassifier()))])
    expected = clone(model).fit(X, y, sample_weight=weights)
    with sklearn.config_context(enable_metadata_routing=True):
        found = clone(model).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))


def test_frozen_members_must_have_seen_the_same_series_and_classes():
    X, y = classes(60)
    frozen = FrozenEstimator(make_pipeline(StandardScaler(), LeaveOneOutRidgeClassifier()).fit(X, y))
    fitted = MultiViewClassifier([("frozen", frozen), ("trees", CrossFittedClassifier(TREES, n_folds=3))]).fit(X, y)
    assert fitted.score(X, y) > 0.8
    with pytest.raises(ValueError, match=r"'frozen' has left_out_probabilities_ of shape \(60, 3\) for 40 series"):
        MultiViewClassifier([("frozen", frozen)]).fit(X[:40], y[:40])
    with pytest.raises(ValueError, match="the members have other classes than y or than each other"):
        MultiViewClassifier([("frozen", frozen)]).fit(X, y + 10)


def test_members_that_are_all_worse_than_guessing_keep_the_order_of_the_classes():
    labels = np.arange(40) % 2
    wrong = np.where(labels[:, np.newaxis] == np.arange(2), 0.1, 0.9)[np.newaxis]
    weights = class_weights(log_probabilities(wrong), labels, np.ones(40), 0.0)
    assert 0 < weights[0] < 0.01


def test_a_failed_fit_leaves_nothing_that_looks_fitted():
    X, y = classes()
    pooled = MultiViewClassifier(views())
    for model in (
        pooled,
        MultiViewRegressor(number_views()),
        CrossFittedClassifier(TREES),
        LeaveOneOutRidgeRegressor(),
    ):
        model.fit(X, y)
        with pytest.raises(ValueError, match="NaN|y should be a 1d array"):
            model.fit(X, np.column_stack([y, y])) if model is pooled else model.fit(np.full_like(X, np.nan), y)
        with pytest.raises(ValueError, match="not fitted"):
            model.predict(X)
