"""Searches over parameters: cached fits are found again, and nested parameters can be searched by default."""

import importlib
import json
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline

from sigfeat import (
    HyenaEmbeddingTransformer,
    IntervalNetworkClassifier,
    MHAEmbedder,
    RecurrentEmbeddingTransformer,
    S4EmbeddingTransformer,
    classifiers,
)
from sigfeat.adapters._estimators import ADAPTED, PARTS
from tests.panels import padded, ragged
from tests.test_classifiers import QUICK, TRAINED, made, two_kinds
from tests.test_contract import AUGMENTATIONS, FEATURES, every_transformer, fit, installed

STUDENTS = (HyenaEmbeddingTransformer, S4EmbeddingTransformer, RecurrentEmbeddingTransformer)
SMALL = {"d_model": 4, "n_layers": 1, "d_ff": 5, "max_epochs": 1, "batch_size": 4}
NETWORKS = [
    IntervalNetworkClassifier(max_epochs=1, d_model=2, n_filters=1),
    IntervalNetworkClassifier("hyena", max_epochs=1, d_model=4, n_filters=1),
]

# ------------------------------------------------------------------------------------------- equal hashes


def use(estimator, X):
    """Call whatever a fitted estimator offers, some of which keeps things for the next call."""
    for method in ("transform", "tokens", "fidelity", "predict", "predict_proba", "decision_function"):
        if hasattr(estimator, method):
            getattr(estimator, method)(X)
    if hasattr(estimator, "transform"):
        estimator.get_feature_names_out()
    return estimator


def check_hashes(estimator, again, X):
    """The hash of a fitted estimator is that of another fit, of its pickle, and of both after use."""
    expected, method = joblib.hash(estimator), "predict" if hasattr(estimator, "predict") else "transform"
    values = getattr(estimator, method)(X)
    assert joblib.hash(again) == expected
    loaded = pickle.loads(pickle.dumps(estimator))
    assert joblib.hash(loaded) == expected
    np.testing.assert_array_equal(getattr(loaded, method)(X), values)
    assert joblib.hash(use(estimator, X)) == expected
    assert joblib.hash(pickle.loads(pickle.dumps(use(loaded, X)))) == expected


@every_transformer
def test_a_fitted_transformer_hashes_alike_whatever_it_went_through(transformer):
    X = padded(ragged())
    check_hashes(fit(transformer, X), fit(transformer, X), X)


@pytest.mark.parametrize("classifier", NETWORKS, ids=lambda network: network.layers)
def test_a_fitted_network_hashes_alike_whatever_it_went_through(classifier):
    X, y = two_kinds(12)
    check_hashes(clone(classifier).fit(X, y), clone(classifier).fit(X, y), X)


@pytest.mark.parametrize("name", [*QUICK, *TRAINED])
def test_a_ready_classifier_hashes_alike_whatever_it_went_through(name):
    X, y = two_kinds(12)
    pipeline = made(name, "classifier")
    parameters = pipeline.get_params()
    steps = [key.removesuffix("max_epochs") for key in parameters if key.endswith("max_epochs")]
    used = [step for step in steps if parameters.get(f"{step}fit_mode") != "random"]
    pipeline.set_params(**{f"{step}max_epochs": 2 for step in used})
    check_hashes(clone(pipeline).fit(X, y), clone(pipeline).fit(X, y), X)


def hashes():
    """Hashes of what other processes fit too; JSON with the numbers of the estimators."""
    X, (panel, y) = padded(ragged()), two_kinds(12)
    transformers = [transformer for transformer in AUGMENTATIONS + FEATURES if installed(transformer)]
    fitted = [fit(transformer, X) for transformer in transformers]
    return [joblib.hash(estimator) for estimator in [*fitted, *(clone(n).fit(panel, y) for n in NETWORKS)]]


def test_hashes_do_not_depend_on_the_process():
    program = "import json; from tests.test_searches import hashes; print(json.dumps(hashes()))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1]) == hashes()


# ------------------------------------------------------------------------------------------- cached fits


@pytest.mark.filterwarnings("ignore")
def test_equal_searches_in_processes_find_the_cached_fits(tmp_path):
    X, y = two_kinds(16)
    teacher = MHAEmbedder(n_heads=2, **SMALL).fit(X, y)
    students = HyenaEmbeddingTransformer(FrozenEstimator(teacher), **SMALL)
    chain = Pipeline([("hyena", students), ("clf", RidgeClassifier())], memory=str(tmp_path))
    search = GridSearchCV(chain, {"clf__alpha": [0.1, 1.0, 10.0]}, cv=2, n_jobs=2, refit=False, error_score="raise")
    found = []
    for _ in range(3):
        with joblib.parallel_config(backend="loky"):
            found.append(clone(search).fit(X, y).cv_results_["mean_test_score"])
        assert len(list(Path(tmp_path).rglob("output.pkl"))) == 2  # one for each half of the series
    np.testing.assert_array_equal(found, [found[0]] * 3)


def test_a_copy_of_an_embedder_keeps_its_parts(tmp_path):
    X, y = two_kinds(8)
    teacher = MHAEmbedder(n_heads=2, **SMALL).fit(X, y)
    student = RecurrentEmbeddingTransformer(FrozenEstimator(teacher), control=True, **SMALL).fit(X, y)
    loaded = pickle.loads(pickle.dumps(student))
    assert loaded.teacher.estimator is loaded.teacher_
    assert loaded.encoder_.spec == student.encoder_.spec
    assert not loaded.encoder_.training
    assert not any(weight.requires_grad for weight in loaded.encoder_.parameters())
    assert loaded.fidelity(X) == student.fidelity(X)


# -------------------------------------------------------------------------------- nested parameters by default


@pytest.mark.parametrize("student", STUDENTS)
def test_parameters_of_the_default_teacher_are_set_and_listed(student):
    fresh = student(random_state=3)
    listed = fresh.get_params()
    assert (listed["teacher"], listed["teacher__d_model"], listed["teacher__random_state"]) == (None, 64, 3)
    assert fresh.set_params(**listed).teacher is None
    assert fresh.set_params(teacher__d_model=8, dtype="float64").teacher.d_model == 8
    assert fresh.teacher.dtype == "float64"
    assert (student().teacher, student().get_params()["teacher__d_model"]) == (None, 64)
    assert clone(fresh).teacher.d_model == 8
    with pytest.raises(ValueError, match="Invalid parameter 'width' for estimator MHAEmbedder"):
        student().set_params(teacher__width=3)
    with pytest.raises(ValueError, match="Invalid parameter 'master' for estimator"):
        student().set_params(master__d_model=3)


def test_a_search_over_the_default_teacher():
    X, y = two_kinds(12)
    student = HyenaEmbeddingTransformer(**SMALL)
    chain = make_pipeline(student.set_params(teacher__max_epochs=1, teacher__n_layers=1), RidgeClassifier())
    grid = {"hyenaembeddingtransformer__teacher__d_model": [4, 8]}
    search = GridSearchCV(chain, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_estimator_[0].teacher_.d_model in (4, 8)
    assert student.teacher.d_model == 64


def test_ready_classifiers_list_the_parameters_of_their_teacher():
    chain = classifiers.hyena_classifier()
    name = next(key for key in chain.get_params() if key.endswith("__teacher__d_model"))
    assert clone(chain).set_params(**{name: 8}).get_params()[name] == 8
    assert chain.get_params()[name] == 64


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", ["sktime", "aeon"])
@pytest.mark.parametrize("name", sorted(ADAPTED))
def test_adapters_list_the_parameters_of_their_parts(library, name):
    for package in (library, *ADAPTED[name].needs):
        pytest.importorskip(package)
    adapter = getattr(importlib.import_module(f"sigfeat.adapters.{library}"), name)
    parts = [part for part in PARTS if part in adapter().get_params(deep=False)]
    for part in parts:
        parameter = {"teacher": "teacher__d_model", "classifier": "classifier__alphas"}.get(part, "regressor__alphas")
        value = 8 if part == "teacher" else (1.0, 2.0)
        changed = adapter()
        assert changed.get_params()[parameter] != value
        assert changed.set_params(**changed.get_params()).get_params(deep=False)[part] is None
        assert changed.set_params(**{parameter: value}).get_params()[parameter] == value
        assert changed.clone().to_sklearn().get_params(deep=True)
        assert getattr(adapter(), part) is None
    assert bool(parts) == any("__" in key for key in adapter().get_params())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", ["sktime", "aeon"])
def test_a_search_over_the_default_classifier_of_an_adapter(library):
    pytest.importorskip(library)
    X, y = two_kinds(16)
    adapter = importlib.import_module(f"sigfeat.adapters.{library}").ISSClassifier(n_functionals=10)
    searches = importlib.import_module(
        "sktime.classification.model_selection" if library == "sktime" else "sklearn.model_selection"
    )
    search = searches.TSCGridSearchCV if library == "sktime" else searches.GridSearchCV
    found = search(adapter, {"classifier__alphas": [(1e-3,), (1e3,)]}, cv=2).fit(np.nan_to_num(X), y.astype(str))
    assert found.best_estimator_.classifier.alphas in ((1e-3,), (1e3,))
