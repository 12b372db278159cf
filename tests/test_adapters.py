"""Estimators for sktime and aeon: the checks of these libraries, and the same numbers as sigfeat's."""

import importlib
import inspect
import os
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from sigfeat.adapters._estimators import ADAPTED, CLASSES, FEATURES, NUMBERS
from tests.panels import df_list, multiindex, nested, padded, ragged

LIBRARIES = ("sktime", "aeon")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # theirs; what sigfeat warns of is tested elsewhere
    pytest.mark.usefixtures("short_epochs"),
]


def of(library):
    pytest.importorskip(library)
    return importlib.import_module(f"sigfeat.adapters.{library}")


def adapter(library, name):
    for package in ADAPTED[name].needs:
        pytest.importorskip(package)
    return getattr(of(library), name)


def classes(n_samples):
    return np.repeat(["calm", "wild"], n_samples)[::2][:n_samples]


every_library = pytest.mark.parametrize("library", LIBRARIES)
every_name = pytest.mark.parametrize("name", sorted(ADAPTED))
DIFFERENT = ("FillMissing", "Increments", "ISSTransformer", "MHAEmbedder", "ISSClassifier", "ISSRegressor")
others_are_alike = pytest.mark.skipif(
    "SIGFEAT_ALL_CHECKS" not in os.environ,
    reason="the same code with another estimator in it, and minutes long: `make adapters` runs the checks of all",
)
checked_name = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in DIFFERENT else others_are_alike) for name in sorted(ADAPTED)]
)


# ------------------------------------------------------------------------------------- the libraries' own checks


@pytest.mark.slow
@checked_name
@pytest.mark.timeout(900)  # minutes, where others compute beside it
def test_sktime_checks(name, record_property):
    estimator = adapter("sktime", name)
    from sktime.utils.estimator_checks import check_estimator

    results = check_estimator(estimator, raise_exceptions=False, verbose=False)
    record_property("checks", len(results))
    assert len(results) > 100
    assert {check: result for check, result in results.items() if result != "PASSED"} == {}


@pytest.mark.slow
@checked_name
@pytest.mark.timeout(900)  # minutes, where others compute beside it
def test_aeon_checks(name, record_property):
    estimator = adapter("aeon", name)
    from aeon.testing.estimator_checking import check_estimator

    results = check_estimator(estimator, raise_exceptions=False, use_first_parameter_set=False, verbose=False)
    record_property("checks", len(results))
    assert len(results) > 20
    assert {check: result for check, result in results.items() if result != "PASSED"} == {}


# ------------------------------------------------------------------------------------------------ the same numbers


def small(library, name):
    """An adapter, and the scikit-learn estimator of the same parameters."""
    estimator = adapter(library, name)(**ADAPTED[name].examples()[0])
    return estimator, estimator.to_sklearn()


@every_library
@every_name
def test_parameters_are_those_of_the_estimator(library, name):
    source = ADAPTED[name].load()
    own = inspect.signature(adapter(library, name)).parameters
    expected = inspect.signature(source).parameters
    assert list(own) == list(expected)
    defaults = {key: 1 if library == "aeon" and key == "n_jobs" else p.default for key, p in expected.items()}
    assert {key: p.default for key, p in own.items()} == defaults
    documented = inspect.getdoc(adapter(library, name))
    if not name.endswith("Regressor"):
        assert all(key in documented for key in own)


@pytest.mark.parametrize(
    ("library", "name"),  # tests.test_rows has sktime's adapters of the others
    [("aeon", name) for name in sorted(ADAPTED)] + [("sktime", name) for name in DIFFERENT],
)
def test_equal_lengths_give_what_sigfeat_gives(library, name):
    X = padded(ragged(lengths=(20,) * 10))
    y = X[:, 0].std(axis=1) if ADAPTED[name].gives == NUMBERS else classes(10)
    estimator, expected = small(library, name)
    method = "predict" if ADAPTED[name].gives in (CLASSES, NUMBERS) else "transform"
    y = y if method == "predict" or "teacher" in ADAPTED[name].small[0] or name == "MHAEmbedder" else None
    fitted = expected.fit(X, y)
    expected = getattr(fitted, method)(X)
    found = getattr(estimator.fit(X, y), method)(X)
    np.testing.assert_array_equal(np.asarray(found), expected)
    np.testing.assert_array_equal(getattr(pickle.loads(pickle.dumps(estimator)), method)(X), found)
    if ADAPTED[name].gives == CLASSES:
        np.testing.assert_array_equal(estimator.predict_proba(X), fitted.predict_proba(X))


@every_library
@pytest.mark.parametrize("last", [RidgeClassifier(), LogisticRegression(), None], ids=str)
def test_probabilities_are_those_of_the_last_step(library, last):
    X, y = padded(ragged(lengths=(20,) * 10)), classes(10)
    estimator = adapter(library, "ISSClassifier")(n_functionals=5, classifier=last).fit(X, y)
    graded = not isinstance(last, RidgeClassifier)
    if library == "sktime":
        assert estimator.get_tag("capability:predict_proba") is graded
        assert estimator.clone().set_params(classifier=None).get_tag("capability:predict_proba") is True
    probabilities = estimator.predict_proba(X)
    assert probabilities.shape == (10, 2)
    assert graded == bool(((probabilities > 0) & (probabilities < 1)).all())
    np.testing.assert_array_equal(estimator.classes_[probabilities.argmax(axis=1)], estimator.predict(X))


@pytest.mark.parametrize("kind", [df_list, multiindex, nested])
@pytest.mark.parametrize("name", ["ISSTransformer", "Increments", "LeadLag", "FillMissing"])
def test_sktime_takes_series_of_unequal_length(kind, name):
    series = ragged()
    X = kind(series)
    found = adapter("sktime", name)().fit_transform(X)
    expected = ADAPTED[name].load()().fit_transform(padded(series))
    if ADAPTED[name].gives == FEATURES:
        np.testing.assert_array_equal(found, expected)
        if kind is not df_list:
            assert list(found.index) == list(dict.fromkeys(X.index.get_level_values(0)))
        return
    from sktime.datatypes import convert_to

    for own, whole in zip(convert_to(found, "df-list"), expected, strict=True):
        length = len(own)
        np.testing.assert_array_equal(own.to_numpy().T, whole[:, :length])
        assert np.isnan(whole[:, length:]).all()


def test_sktime_keeps_names_and_times():
    import pandas as pd

    times = pd.date_range("2020-01-01", periods=5)
    X = pd.concat({name: pd.DataFrame({"a": np.arange(5.0)}, index=times) for name in ("x", "y")})
    same = adapter("sktime", "CumulativeSum")().fit_transform(X)
    assert list(same.index) == list(X.index)
    assert list(same.columns) == ["sum a"]
    fewer = adapter("sktime", "Increments")().fit_transform(X)
    assert list(fewer.loc["y"].index) == list(times[1:])


def test_aeon_takes_series_of_unequal_length():
    series = ragged()
    expected = ADAPTED["ISSTransformer"].load()().fit_transform(padded(series))
    np.testing.assert_array_equal(adapter("aeon", "ISSTransformer")().fit_transform(series), expected)
    found = adapter("aeon", "LeadLag")().fit_transform(series)
    assert [len(own[0]) for own in found] == [2 * s.shape[1] - 1 for s in series]


@every_library
def test_a_teacher_may_be_an_adapter(library):
    pytest.importorskip("torch")
    small = ADAPTED["MHAEmbedder"].examples()[0]
    X = padded(ragged(lengths=(20,) * 6))
    adapters = of(library)
    student = adapters.HyenaEmbeddingTransformer(adapters.MHAEmbedder(**small), max_epochs=1)
    expected = ADAPTED["HyenaEmbeddingTransformer"].load()(ADAPTED["MHAEmbedder"].load()(**small), max_epochs=1)
    np.testing.assert_array_equal(student.fit_transform(X), expected.fit_transform(X))


@every_library
def test_bad_parameters_and_names_give_one_clear_sentence(library):
    adapters = of(library)
    with pytest.raises(TypeError, match="unexpected keyword argument 'deep'"):
        adapters.ISSTransformer(deep=2)
    with pytest.raises(ValueError, match="'depth' parameter of ISSTransformer must be an int"):
        adapters.ISSTransformer(depth=0).fit(padded(ragged(lengths=(9,) * 4)))
    with pytest.raises(AttributeError, match="has no attribute 'RocketTransformer'"):
        _ = adapters.RocketTransformer
    assert "ISSClassifier" in dir(adapters)


# ---------------------------------------------------------------------------------- pipelines and grid searches


@every_library
def test_in_pipelines_and_grid_searches_of_scikit_learn(library):
    X, y = padded(ragged(lengths=(20,) * 12)), classes(12)
    X[y == "wild"] *= 3
    pipeline = make_pipeline(adapter(library, "ISSTransformer")(), KNeighborsClassifier(1))
    assert clone(pipeline).fit(X, y).score(X, y) == 1.0
    search = GridSearchCV(pipeline, {"isstransformer__depth": [1, 2]}, cv=2, error_score="raise").fit(X, y)
    from sigfeat import ISSTransformer

    plain = make_pipeline(ISSTransformer(), KNeighborsClassifier(1))
    expected = GridSearchCV(plain, {"isstransformer__depth": [1, 2]}, cv=2, error_score="raise").fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])


def test_in_pipelines_of_sktime():
    adapters = of("sktime")
    from sktime.classification.model_selection import TSCGridSearchCV
    from sktime.pipeline import make_pipeline as make_sktime_pipeline

    X, y = ragged(lengths=(20, 21, 22, 23) * 3), classes(12)
    X = multiindex([s * (3 if label == "wild" else 1) for s, label in zip(X, y, strict=True)])
    pipeline = adapters.AddTime() * adapters.ISSTransformer() * KNeighborsClassifier(1)
    assert (pipeline.fit(X, y).predict(X) == y).all()
    again = make_sktime_pipeline(adapters.AddTime(), adapters.ISSClassifier(n_functionals=10))
    assert (again.fit(X, y).predict(X) == y).all()
    search = TSCGridSearchCV(adapters.ISSClassifier(), {"n_functionals": [5, 10]}, cv=2)
    assert search.fit(X, y).best_params_["n_functionals"] in (5, 10)


@pytest.mark.parametrize("package", ["sktime", "aeon", "dask"])
def test_a_missing_library_is_named(package, monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == package or name.startswith("sigfeat.adapters.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ImportError, match=rf"adapters.{package} needs {package}: run `pip install 'sigfeat\[{package}\]'`"
    ):
        importlib.import_module(f"sigfeat.adapters.{package}")
