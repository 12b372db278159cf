"""The ridge regression on classes: weights of series and classes, margins of left-out series, and probabilities."""

import numpy as np
import pytest
import sklearn
from scipy.optimize import approx_fprime
from scipy.special import log_softmax, softmax
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.utils.class_weight import compute_sample_weight

from sigfeat import FeatureScaler, LeaveOneOutRidgeClassifier

SHAPES = [(30, 100), (100, 20), (20, 20)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_number_of_classes = pytest.mark.parametrize("n_classes", [2, 4])


def problem(shape, n_classes, seed=0, distance=0.5):
    """Gaussian features, some of whose means depend on the class."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(shape[0]) % n_classes)
    return rng.normal(size=shape) + distance * y[:, np.newaxis] * (np.arange(shape[1]) < 5), y


def margins(estimator, X):
    scores = estimator.decision_function(X)
    return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores


# ------------------------------------------------------------------------------------------------- weights


@every_shape
@every_number_of_classes
@pytest.mark.parametrize("weighted", [False, True])
def test_left_out_margins_are_those_of_refitting_without_the_series(shape, n_classes, weighted):
    X, y = problem(shape, n_classes)
    weights = np.random.default_rng(1).choice([0.0, 0.01, 0.5, 1.0, 7.0], len(y)) if weighted else None
    fitted = LeaveOneOutRidgeClassifier([3.0]).fit(X, y, sample_weight=weights)
    expected = np.empty((len(y), n_classes))
    for i in range(len(y)):
        part = [None if values is None else np.delete(values, i, 0) for values in (X, y, weights)]
        expected[i] = margins(RidgeClassifier(3.0).fit(*part), X[i : i + 1])
    np.testing.assert_allclose(fitted.left_out_margins_, expected, atol=1e-9)
    right = expected.argmax(axis=1) == y
    assert fitted.best_score_ == pytest.approx(np.average(right, weights=weights))


@every_shape
@every_number_of_classes
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_whole_weights_are_copies(shape, n_classes, class_weight):
    X, y = problem(shape, n_classes)
    weights = np.random.default_rng(1).integers(0, 4, len(y))
    ridge = LeaveOneOutRidgeClassifier([0.3], class_weight=class_weight)
    copies = ridge.fit(X.repeat(weights, axis=0), y.repeat(weights))
    expected = copies.coef_, copies.intercept_
    ridge.fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(ridge.coef_, expected[0], atol=1e-10)
    np.testing.assert_allclose(ridge.intercept_, expected[1], atol=1e-10)


@every_shape
def test_series_of_weight_zero_are_absent(shape):
    X, y = problem(shape, 3)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(y)) * (np.arange(len(y)) % 4 > 0) * (y != 1)
    fitted = LeaveOneOutRidgeClassifier(class_weight="balanced").fit(X, y, sample_weight=weights)
    present = weights > 0
    expected = LeaveOneOutRidgeClassifier(class_weight="balanced").fit(X[present], y[present], weights[present])
    assert fitted.classes_.tolist() == [0, 2]
    for name in ("alpha_", "best_score_", "coef_", "intercept_", "inverse_temperature_"):
        np.testing.assert_allclose(getattr(fitted, name), getattr(expected, name), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(fitted.left_out_margins_[present], expected.left_out_margins_, atol=1e-9)
    np.testing.assert_allclose(fitted.left_out_margins_[~present], margins(expected, X[~present]))


@every_shape
@every_number_of_classes
def test_weights_of_classes_multiply_those_of_series(shape, n_classes):
    X, y = problem(shape, n_classes)
    names = np.array(list("abcd"))[y]
    given = {"a": 5.0, "b": 0.25}
    weights = np.random.default_rng(1).uniform(0.5, 2, len(y))
    fitted = LeaveOneOutRidgeClassifier([0.3], class_weight=given).fit(X, names, sample_weight=weights)
    product = weights * np.array([given.get(name, 1.0) for name in names])
    same = LeaveOneOutRidgeClassifier([0.3]).fit(X, names, sample_weight=product)
    np.testing.assert_array_equal(fitted.coef_, same.coef_)
    np.testing.assert_array_equal(fitted.predict_proba(X), same.predict_proba(X))
    expected = RidgeClassifier(0.3).fit(X, names, product)
    np.testing.assert_allclose(fitted.coef_, np.atleast_2d(expected.coef_), atol=1e-10)
    balanced = LeaveOneOutRidgeClassifier([0.3], class_weight="balanced").fit(X, names)
    same = LeaveOneOutRidgeClassifier([0.3]).fit(X, names, compute_sample_weight("balanced", names))
    np.testing.assert_allclose(balanced.coef_, same.coef_, atol=1e-12)


@every_shape
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_weights_are_none(shape, dtype):
    X, y = problem(shape, 3)
    X = X.astype(dtype)
    without, ones = LeaveOneOutRidgeClassifier().fit(X, y), LeaveOneOutRidgeClassifier().fit(X, y, sample_weight=1.0)
    assert (ones.alpha_, ones.best_score_) == (without.alpha_, pytest.approx(without.best_score_))
    for name in ("coef_", "intercept_", "left_out_margins_"):
        assert getattr(ones, name).dtype == getattr(without, name).dtype == dtype
        np.testing.assert_allclose(
            getattr(ones, name), getattr(without, name), atol=1e-5 if dtype == np.float32 else 1e-9
        )


def test_the_unit_of_the_weights_is_that_of_the_penalty():
    X, y = problem((40, 60), 3)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(y))
    fitted = LeaveOneOutRidgeClassifier([0.1, 10.0]).fit(X, y, sample_weight=weights)
    scaled = LeaveOneOutRidgeClassifier([1e-4, 1e-2]).fit(X, y, sample_weight=1e-3 * weights)
    np.testing.assert_allclose(scaled.predict_proba(X), fitted.predict_proba(X), rtol=1e-6)


def test_weights_reach_the_ridge_by_metadata_routing():
    X, y = problem((40, 60), 3)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(y))
    expected = make_pipeline(FeatureScaler(), LeaveOneOutRidgeClassifier())
    expected.fit(X, y, leaveoneoutridgeclassifier__sample_weight=weights)
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(FeatureScaler(), LeaveOneOutRidgeClassifier().set_fit_request(sample_weight=True))
        found = pipeline.fit(X, y, sample_weight=weights).predict_proba(X)
    np.testing.assert_array_equal(found, expected.predict_proba(X))
    assert not np.array_equal(found, expected.fit(X, y).predict_proba(X))


# ------------------------------------------------------------------------------------------- probabilities


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_probabilities_sum_to_one_and_agree_with_the_prediction(n_classes, dtype):
    X, y = problem((60, 100), n_classes)
    X = X.astype(dtype)
    fitted = LeaveOneOutRidgeClassifier().fit(X, y)
    far = np.concatenate([X, 1e6 * X, 1e-9 * X])
    probabilities = fitted.predict_proba(far)
    assert probabilities.dtype == fitted.decision_function(far).dtype == dtype
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=n_classes * np.finfo(dtype).eps)
    np.testing.assert_array_equal(fitted.classes_[probabilities.argmax(axis=1)], fitted.predict(far))
    assert probabilities.min() >= np.finfo(dtype).eps
    np.testing.assert_array_equal(fitted.predict_log_proba(far), np.log(probabilities))
    expected = softmax(fitted.inverse_temperature_ * margins(fitted, X).astype(float), axis=1)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_and_margins_that_rounding_would_tie_agree_with_the_prediction(dtype):
    X = np.array([[1e-30], [-1e-30], [0.0], [1e-20]], dtype)
    for n_classes in (2, 3):
        fitted = LeaveOneOutRidgeClassifier().fit(np.eye(6, 1, dtype=dtype), np.arange(6) % n_classes)
        fitted.coef_ = np.array([[1.0]] if n_classes == 2 else [[0.0], [-1.0], [1.0]], dtype)
        fitted.intercept_ = np.zeros(len(fitted.coef_), dtype)
        probabilities = fitted.predict_proba(X)
        assert fitted.predict(X).tolist() == ([1, 0, 0, 1] if n_classes == 2 else [2, 1, 0, 2])
        np.testing.assert_array_equal(probabilities.argmax(axis=1), fitted.predict(X))
        np.testing.assert_allclose(probabilities, 1 / n_classes, rtol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_temperature_has_the_least_log_loss_of_left_out_series(n_classes, weighted):
    X, y = problem((60, 100), n_classes)
    weights = np.random.default_rng(1).uniform(0.1, 3, len(y)) if weighted else None
    fitted = LeaveOneOutRidgeClassifier().fit(X, y, sample_weight=weights)
    n_rows = len(y) if weights is None else weights.sum() ** 2 / np.square(weights).sum()
    targets = np.full((len(y), n_classes), 1 / (n_rows + 2) / (n_classes - 1))
    targets[np.arange(len(y)), y] = (n_rows + 1) / (n_rows + 2)

    def loss(factor):
        logarithms = log_softmax(factor * fitted.left_out_margins_, axis=1)
        return -np.average((targets * logarithms).sum(axis=1), weights=weights)

    assert approx_fprime(np.array([fitted.inverse_temperature_]), loss) == pytest.approx(0, abs=1e-6)
    assert loss(fitted.inverse_temperature_) < min(loss(0.99 * fitted.inverse_temperature_), loss(1.0))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n_samples", [6, 600])
def test_classes_without_errors_have_probabilities_by_the_rule_of_succession(n_classes, n_samples):
    y = np.arange(n_samples) % n_classes
    X = np.eye(n_classes)[y]
    fitted = LeaveOneOutRidgeClassifier([1e-6]).fit(X, y)
    assert fitted.best_score_ == 1.0
    own = fitted.predict_proba(X)[np.arange(n_samples), y]
    np.testing.assert_allclose(own, (n_samples + 1) / (n_samples + 2), rtol=1e-3)
    assert log_loss(np.roll(y, 1), fitted.predict_proba(1e6 * X)) < 50


@every_number_of_classes
@pytest.mark.parametrize("shape", [(60, 200), (300, 30)], ids=str)
def test_probabilities_of_fresh_series_are_calibrated(shape, n_classes):
    losses = []
    for seed in range(5):
        X, y = problem((shape[0] + 1000, shape[1]), n_classes, seed, distance=1.0)
        X, (y, expected) = X / np.sqrt(shape[1]), np.split(y, shape[:1])
        fitted, fresh = LeaveOneOutRidgeClassifier().fit(X[: shape[0]], y), X[shape[0] :]
        raw = margins(fitted, fresh)
        candidates = [
            fitted.predict_proba(fresh),
            softmax(raw, axis=1),
            np.tile(np.bincount(y) / len(y), (len(fresh), 1)),
            min((softmax(b * raw, axis=1) for b in np.logspace(-2, 2, 100)), key=lambda p: log_loss(expected, p)),
        ]
        losses.append([log_loss(expected, probabilities) for probabilities in candidates])
    found, uncalibrated, prior, least = np.mean(losses, axis=0)
    assert found < min(prior, uncalibrated)
    assert found < least + 0.04


@every_number_of_classes
def test_features_that_say_nothing_give_equal_probabilities_for_equal_classes(n_classes):
    y = np.arange(20) % n_classes
    fitted = LeaveOneOutRidgeClassifier().fit(np.ones((20, 3)), y)
    np.testing.assert_allclose(fitted.predict_proba(np.ones((1, 3))), 1 / n_classes, atol=1e-3)
    rare = np.arange(20) % 10 == 0
    fitted = LeaveOneOutRidgeClassifier().fit(np.ones((20, 3)), rare)
    np.testing.assert_allclose(fitted.predict_proba(np.ones((1, 3))), [[0.9, 0.1]], atol=0.06)


# ------------------------------------------------------------------------------------------------ messages


@pytest.mark.parametrize(("value", "text"), [("a", "'a'"), (2, "2"), (np.float64(0.0), "0.0"), (np.str_("b"), "'b'")])
@pytest.mark.parametrize("weights", [None, [1, 0, 2, 1]])
def test_one_class_is_named_by_its_plain_value(value, text, weights):
    where = "" if weights is None else " in series of weight > 0"
    with pytest.raises(ValueError, match=rf"^y must have at least 2 classes{where}, got 1 class: {text}$"):
        LeaveOneOutRidgeClassifier().fit(np.eye(4), [value] * 4, weights)


def test_the_class_that_is_left_by_weights_is_named():
    with pytest.raises(ValueError, match=r"2 classes in series of weight > 0, got 1 class: 'b'$"):
        LeaveOneOutRidgeClassifier().fit(np.eye(4), list("abab"), sample_weight=[0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"2 classes in series of weight > 0, got 1 class: 'b'$"):
        LeaveOneOutRidgeClassifier(class_weight={"a": 0}).fit(np.eye(4), list("abab"))


def test_no_target_is_named_as_scikit_learn_does():
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        LeaveOneOutRidgeClassifier().fit(np.eye(4), None)


@pytest.mark.parametrize(
    ("alphas", "text"),
    [
        ([np.float64(0.0)], r"\[0.0\]"),
        (np.array([-1.0, 2.0]), r"\[-1.0, 2.0\]"),
        ([1.0, np.inf], r"\[1.0, inf\]"),
        ([1.0, np.nan], r"\[1.0, nan\]"),
        ([], r"\[\]"),
    ],
)
def test_bad_penalties_are_named_by_their_plain_values(alphas, text):
    with pytest.raises(ValueError, match=rf"^alphas must be finite numbers > 0, at least one, got {text}$"):
        LeaveOneOutRidgeClassifier(alphas).fit(np.eye(4), [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ([1, 1, -2, 1], r"^sample_weight must be at least 0, got -2.0$"),
        ([0, 0, 0, 0], r"non-zero|2 classes in series of weight > 0, got none"),
        ([1, 1, 1], "sample_weight"),
        ([1, 1, np.nan, 1], "sample_weight"),
        (np.ones((4, 2)), "[Ss]ample.weight"),
    ],
)
def test_bad_weights_give_one_clear_sentence(weights, text):
    with pytest.raises(ValueError, match=text):
        LeaveOneOutRidgeClassifier().fit(np.eye(4), [0, 1, 0, 1], sample_weight=weights)


@pytest.mark.parametrize(
    "given", [{0: -1.0, 1: 1.0}, {0: np.float64(np.nan)}, {0: np.inf}, {0: 0.0, 1: 0}, {5: 1.0}, "even"]
)
def test_bad_weights_of_classes_give_one_clear_sentence(given):
    with pytest.raises(ValueError, match=r"class.weight|classes in series of weight > 0") as raised:
        LeaveOneOutRidgeClassifier(class_weight=given).fit(np.eye(4), [0, 1, 0, 1])
    assert "np." not in str(raised.value)
