"""Ready pipelines, and the scaling and the ridge regression in them."""

import subprocess
import sys

import numpy as np
import pytest
import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from sigfeat import FeatureScaler, LeaveOneOutRidgeClassifier, classifiers
from tests.panels import padded, ragged

QUICK = ("iss", "signature", "path_development", "iss_development", "sigfeat")
TRAINED = ("hyena", "iss_hyena")
NEEDS = {"signature": "iisignature"}


def two_kinds(n_samples, n_channels=2, seed=0):
    """Noise, of which every other series is summed up, of unequal lengths; and which is which."""
    rng = np.random.default_rng(seed)
    series = [rng.standard_normal((n_channels, 40 + i % 3)) for i in range(n_samples)]
    kinds = np.arange(n_samples) % 2
    return padded([s.cumsum(axis=1) if kind else s for s, kind in zip(series, kinds, strict=True)]), kinds


def made(name, what, **more):
    pytest.importorskip(NEEDS.get(name, "sklearn"))
    function = getattr(classifiers, f"{name}_{what}")
    small = {"n_functionals": 30, "n_trees": 40}
    return function(**{key: small[key] for key in small if key in function.__kwdefaults__} | more)


@pytest.mark.parametrize("name", QUICK)
def test_a_classifier_tells_two_kinds_of_series_apart(name):
    (X, y), (fresh, expected) = two_kinds(40), two_kinds(40, seed=1)
    pipeline = made(name, "classifier").fit(X, np.array(["noise", "walk"])[y])
    assert is_classifier(pipeline)
    assert pipeline.score(fresh, np.array(["noise", "walk"])[expected]) >= 0.8
    again = clone(pipeline).fit(X, np.array(["noise", "walk"])[y])
    np.testing.assert_array_equal(again.predict_proba(fresh), pipeline.predict_proba(fresh))
    check_probabilities(pipeline, fresh, np.array(["noise", "walk"])[expected])


def members(model):
    """The pipelines of an ensemble, or the only one."""
    return [member for _, member in getattr(model, "estimators", [("", model)])]


def check_probabilities(pipeline, X, y):
    """They sum to one, agree with the prediction, and are better than those of the frequencies of the classes."""
    probabilities = pipeline.predict_proba(X)
    assert probabilities.shape == (len(X), len(pipeline.classes_))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(pipeline.classes_[probabilities.argmax(axis=1)], pipeline.predict(X))
    assert log_loss(y, probabilities, labels=pipeline.classes_) < np.log(len(pipeline.classes_))


@pytest.mark.parametrize("name", QUICK)
def test_a_regressor_finds_the_amplitude_of_a_wave(name):
    rng = np.random.default_rng(0)
    size = rng.uniform(0.5, 2, 80)
    X = size[:, np.newaxis, np.newaxis] * np.sin(np.linspace(0, 12, 50)) + 0.1 * rng.standard_normal((80, 1, 50))
    pipeline = made(name, "regressor").fit(X[:60], size[:60])
    assert is_regressor(pipeline)
    assert pipeline.score(X[60:], size[60:]) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_classifiers_on_embeddings_fit_and_predict(name):
    (X, y), (fresh, expected) = two_kinds(20, 1), two_kinds(20, 1, seed=1)
    pipeline = made(name, "classifier")
    pipeline.set_params(
        **{
            parameter: 1
            for parameter in pipeline.get_params()
            if parameter.endswith("hyenaembeddingtransformer__max_epochs")
        }
    )
    assert pipeline.fit(X, y).score(fresh, expected) >= 0.8
    check_probabilities(pipeline, fresh, expected)


@pytest.mark.parametrize("name", [*QUICK, *TRAINED])
def test_every_classifier_has_a_regression_twin_with_the_same_features(name):
    classifier, regressor = made(name, "classifier"), made(name, "regressor")
    assert [str(one[0]) for one in members(classifier)] == [str(one[0]) for one in members(regressor)]
    assert (is_classifier(classifier), is_regressor(regressor)) == (True, True)


@pytest.mark.parametrize("name", [name for name in classifiers.__all__ if name.endswith("_classifier")])
def test_every_ready_classifier_has_probabilities(name):
    assert hasattr(made(name.removesuffix("_classifier"), "classifier"), "predict_proba")


def test_another_last_step_has_its_own_probabilities():
    X, y = two_kinds(30)
    pipeline = made("iss", "classifier", classifier=LogisticRegression(C=100)).fit(X, y)
    check_probabilities(pipeline, X, y)
    assert not hasattr(made("iss", "classifier", classifier=RidgeClassifier()).fit(X, y), "predict_proba")


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_ready_classifiers_are_calibrated_from_outside(method):
    X, y = two_kinds(30)
    calibrated = CalibratedClassifierCV(classifiers.iss_classifier(n_functionals=20), method=method, cv=3).fit(X, y)
    check_probabilities(calibrated, X, y)


@pytest.mark.parametrize(
    ("scoring", "n_classes"),
    [("roc_auc", 2), ("roc_auc_ovr", 2), ("roc_auc_ovr", 3), ("neg_log_loss", 2), ("neg_log_loss", 3)],
)
def test_settings_are_searched_by_scores_of_probabilities(scoring, n_classes):
    X, y = two_kinds(36)
    y[::3] = n_classes - 1
    grid = {"features__lowrankisstransformer__n_functionals": [4, 16]}
    search = GridSearchCV(made("iss", "classifier"), grid, scoring=scoring, cv=3, error_score="raise").fit(X, y)
    assert search.best_score_ > (-np.log(n_classes) if scoring == "neg_log_loss" else 0.5)


def test_weights_reach_the_ridge_of_a_ready_classifier():
    X, y = two_kinds(30)
    y[:6] = 0
    weights = np.where(np.arange(30) < 6, 0.0, 1 + np.arange(30) % 3)
    ridge = LeaveOneOutRidgeClassifier()
    found = made("iss", "classifier").fit(X, y, classifier__sample_weight=weights)
    expected = clone(ridge).fit(found[:-1].transform(X), y, sample_weight=weights)
    np.testing.assert_array_equal(found[-1].coef_, expected.coef_)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = made("iss", "classifier", classifier=ridge.set_fit_request(sample_weight=True))
        routed.fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(routed[-1].coef_, expected.coef_)


def test_settings_of_the_features_are_searched_from_outside():
    X, y = two_kinds(24)
    name = "features__lowrankisstransformer__n_functionals"
    search = GridSearchCV(made("iss", "classifier"), {name: [4, 16]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.8


def test_classifiers_without_torch_leave_it_out():
    code = (
        "import sys; from sigfeat.classifiers import iss_classifier, signature_classifier; "
        "import numpy as np; X = np.random.default_rng(0).normal(size=(8, 1, 20)); "
        "iss_classifier(n_functionals=4).fit(X, [0, 1] * 4); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ------------------------------------------------------------------------------------------------- ridge


def not_for_leaving_one_out(estimator):
    """Checks that a classifier which leaves out whole series, each with its weight, cannot pass."""
    reason = "one of several copies leaves the others in the fit when it is left out; a series of their weight does not"
    ridge = isinstance(estimator, LeaveOneOutRidgeClassifier)
    return {"check_sample_weight_equivalence_on_dense_data": reason} if ridge else {}


@parametrize_with_checks(
    [
        LeaveOneOutRidgeClassifier(),
        LeaveOneOutRidgeClassifier(class_weight="balanced"),
        FeatureScaler(),
        FeatureScaler(power=0.5),
    ],
    expected_failed_checks=not_for_leaving_one_out,
)
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("shape", [(30, 200), (200, 30), (20, 20), (25, 5000)])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_leaving_one_out_is_what_refitting_without_it_gives(shape, n_classes):
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, shape[0])
    X = rng.normal(size=shape) + 0.5 * y[:, np.newaxis] * (np.arange(shape[1]) < 5)
    fitted = LeaveOneOutRidgeClassifier([3.0]).fit(X, y)
    same = RidgeClassifier(3.0).fit(X, y)
    np.testing.assert_allclose(fitted.coef_, np.atleast_2d(same.coef_), atol=1e-10)
    np.testing.assert_allclose(fitted.decision_function(X), same.decision_function(X), atol=1e-9)
    left_out = [
        RidgeClassifier(3.0).fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[i : i + 1])[0] == y[i]
        for i in range(len(X))
    ]
    assert fitted.best_score_ == pytest.approx(np.mean(left_out))


def test_the_penalty_is_the_most_accurate_one():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    X = rng.normal(size=(60, 300)) + 0.6 * (y[:, np.newaxis] == np.arange(300) % 40)
    scores = {alpha: LeaveOneOutRidgeClassifier([alpha]).fit(X, y).best_score_ for alpha in (0.01, 1.0, 100.0, 1e4)}
    chosen = LeaveOneOutRidgeClassifier(list(scores)).fit(X, y)
    assert chosen.best_score_ == max(scores.values())
    assert scores[chosen.alpha_] == chosen.best_score_


@pytest.mark.parametrize("alphas", [[], [0.0], [1.0, -1.0], 0])
def test_bad_penalties_give_one_clear_sentence(alphas):
    with pytest.raises(ValueError, match="alphas"):
        LeaveOneOutRidgeClassifier(alphas).fit(np.eye(4), [0, 1, 0, 1])


def test_one_class_gives_one_clear_sentence():
    with pytest.raises(ValueError, match="y must have at least 2 classes, got 1 class"):
        LeaveOneOutRidgeClassifier().fit(np.eye(4), [1, 1, 1, 1])


# ------------------------------------------------------------------------------------------------- scaling


def test_blocks_of_any_number_of_features_weigh_the_same():
    rng = np.random.default_rng(0)
    for n_features in (3, 300, 1000):
        X = rng.normal(3, 7, size=(500, n_features))
        scaled = FeatureScaler().fit_transform(X)
        assert np.square(scaled).sum(axis=1).mean() == pytest.approx(1.0)
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)


def test_powers_keep_the_sign():
    X = np.array([[-4.0, 0.0], [4.0, 9.0], [0.0, 0.0], [0.0, 1.0]])
    scaled = FeatureScaler(power=0.5).fit(X)
    np.testing.assert_allclose(scaled.mean_, [0.0, 1.0])
    np.testing.assert_allclose(scaled.scale_, np.sqrt([2.0, 1.5]) * np.sqrt(2))
    np.testing.assert_allclose(scaled.transform(X), (np.sign(X) * np.abs(X) ** 0.5 - scaled.mean_) / scaled.scale_)


def test_a_constant_feature_becomes_zero_and_dtype_is_kept():
    X = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)
    X[:, 1] = 0.1
    scaled = FeatureScaler().fit_transform(X)
    assert scaled.dtype == np.float32
    assert (scaled[:, 1] == 0).all()
    np.testing.assert_allclose(FeatureScaler().fit_transform(X.astype(float)), scaled, atol=1e-6)


def test_ready_pipelines_take_ragged_series():
    X, y = padded(ragged()), np.arange(len(ragged())) % 2
    assert made("iss", "classifier").fit(X, y).predict(ragged()).shape == y.shape
