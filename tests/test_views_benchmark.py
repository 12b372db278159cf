"""The benchmarks of views and of probabilities: what they measure is what the estimators give."""

import json
import sys

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline

from benchmarks import views
from benchmarks.archive import pipelines
from benchmarks.archive.apart import LEAST_PROBABILITY, scores
from benchmarks.archive.summary import probability_table
from sigfeat.classifiers import iss_classifier
from sigfeat.ensemble import CrossFittedClassifier, MultiViewClassifier

QUICK = {
    "sums": lambda seed: iss_classifier(n_functionals=5, random_state=seed),
    "quantiles": lambda seed: make_pipeline(
        views.IntervalQuantileTransformer(n_levels=2),
        CrossFittedClassifier(views.ExtraTreesClassifier(2), n_folds=3, random_state=seed),
    ),
}
ENSEMBLES = {
    "both": (tuple(QUICK), {"tolerance": 1.0}),
    "mean": (tuple(QUICK), None),
    "first alone": (("sums",), {"shrinkage": views.EQUAL}),
}


def series(name, part, folder):
    rng, y = np.random.default_rng(0), np.array(["a", "b", "c"])[np.arange(24) % 3]
    return rng.normal(size=(24, 2 if name == "RacketSports" else 1, 20)) + np.unique(y, return_inverse=True)[1][
        :, np.newaxis, np.newaxis
    ], y


@pytest.fixture
def quick(monkeypatch, tmp_path):
    monkeypatch.setattr(views, "load", series)
    monkeypatch.setattr(views, "MEMBERS", QUICK)
    monkeypatch.setattr(views, "MORE", {})
    monkeypatch.setattr(views, "ENSEMBLES", ENSEMBLES)
    for name in ("RacketSports", "Other", "Another"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}_TRAIN.ts").touch()
    return tmp_path


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["views", *map(str, arguments)])
    views.main()


def test_cells_are_written_once_and_the_table_is_made_from_them(quick, monkeypatch, capsys):
    asked = ("--data", quick, "--out", quick / "views.json")
    run(monkeypatch, *asked, "--seeds", 0, 1)
    printed = capsys.readouterr().out
    document = json.loads((quick / "views.json").read_text())
    sets = ("Another", "Other", "RacketSports", "RacketSports + 12 noisy channels")
    assert set(document["cells"]) == {f"{name}, seed {seed}" for name in sets for seed in (0, 1)}
    assert [document["cells"][f"{name}, seed 0"]["kind"] for name in sets[1:]] == [
        *("univariate", "multivariate", "with noisy channels")
    ]
    run(monkeypatch, "--out", quick / "views.json", "--table")
    table = capsys.readouterr().out
    assert table.strip() in printed
    assert "2 univariate" in table
    run(monkeypatch, *asked, "--seeds", 0, 1)
    assert "seed" not in capsys.readouterr().out  # nothing is measured again


def test_an_ensemble_of_known_members_is_that_of_the_members(quick):
    found = views.measured("Other", quick, QUICK, 3)["scores"]
    (X, y), expected = series("Other", "TRAIN", None), []
    for train, test in StratifiedKFold(8, shuffle=True, random_state=3).split(X, y):
        model = MultiViewClassifier([(name, make(3)) for name, make in QUICK.items()], tolerance=1.0).fit(
            X[train], y[train]
        )
        p = model.predict_proba(X[test])
        expected.append([accuracy_score(y[test], model.predict(X[test])), log_loss(y[test], p, labels=model.classes_)])
    np.testing.assert_allclose(found["both"], np.mean(expected, axis=0), atol=1e-5)
    assert found["first alone"][0] == found["sums"][0]


def test_controls_have_channels_of_other_series_of_the_set(quick):
    (X, y), (more, same) = (views.series_of(f"RacketSports{end}", quick) for end in ("", " + 12 noisy channels"))
    assert more.shape == (24, 14, 20)
    np.testing.assert_array_equal(more[:, :2], X)
    np.testing.assert_array_equal(same, y)
    assert not np.isclose(more[:, 2:, np.newaxis], X[:, np.newaxis]).all(axis=3).any()


def test_reversed_series_keep_their_lengths():
    X = np.array([[[1.0, 2.0, 3.0]], [[4.0, 5.0, np.nan]]])
    np.testing.assert_array_equal(views.reverse(X), [[[3.0, 2.0, 1.0]], [[5.0, 4.0, np.nan]]])


def test_probabilities_of_a_ridge_are_the_softmax_of_its_margins():
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 3
    ridge = make_pipeline(RidgeClassifier()).fit(X, y)
    np.testing.assert_allclose(pipelines.probabilities(ridge, X), softmax(ridge.decision_function(X), axis=1))
    np.testing.assert_array_equal(ridge.predict(X), ridge.decision_function(X).argmax(axis=1))  # unchanged
    margins = RidgeClassifier().fit(X, y > 0)
    expected = softmax(np.stack([-margins.decision_function(X), margins.decision_function(X)], axis=1), axis=1)
    np.testing.assert_allclose(pipelines.probabilities(margins, X), expected)
    assert pipelines.probabilities(object(), X) is None


def test_log_loss_and_brier_score():
    p, y = np.array([[0.8, 0.2], [1.0, 0.0]]), np.array(["a", "b"])
    loss, brier = scores(p, np.array(["a", "b"]), y)
    assert loss == pytest.approx(-(np.log(0.8) + np.log(LEAST_PROBABILITY)) / 2)
    assert brier == pytest.approx((0.04 + 0.04 + 1 + 1) / 2)
    assert scores(None, np.array(["a", "b"]), y) == (None, None)


def test_probabilities_are_compared_on_the_sets_that_all_have():
    def record(data_set, pipeline, loss):
        return {"data_set": data_set, "pipeline": pipeline, "accuracy": 1.0, "log_loss": loss, "brier": loss}

    records = [
        *(record("A", "iss_classifier", 0.2), record("A", "iss_classifier", 0.4), record("A", "RDST", 0.5)),
        *(record("B", "iss_classifier", 9.0), {"data_set": "B", "pipeline": "RDST", "failure": "memory"}),
        record("A", "without", None),
    ]
    table = probability_table(records)
    assert table["log_loss"].to_dict() == {"iss": pytest.approx(0.3), "RDST": 0.5}
