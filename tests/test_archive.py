"""The archive benchmark: data sets that it refuses, cells that it resumes, and the figures of its tables."""

import json
import re
import sys
import types

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sigfeat
from benchmarks import archive
from benchmarks.archive import __main__ as command
from benchmarks.archive import apart, pipelines, runner, sets
from benchmarks.archive.cells import Cell, is_finished
from benchmarks.archive.config import Config
from benchmarks.archive.published import read_published
from benchmarks.archive.report import write_report
from benchmarks.archive.summary import accuracy_tables, cost_table, kinds, time_and_accuracy
from benchmarks.study.apart import TOO_LONG

HEADER = "@problemName B\n@timeStamps false\n@univariate false\n@classLabel true a b\n@data\n"
SECONDS = dict.fromkeys(("fit_seconds", "predict_seconds", "fit_cpu_seconds", "predict_cpu_seconds"), 0.5)


def write_part(folder, part, text, name="B"):
    path = folder / name / f"{name}_{part}.ts"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def write_set(folder, name="B", n_channels=2, lengths=(12, 15), n_samples=10):
    """A data set of two classes, of which one goes up and the other down."""
    rng = np.random.default_rng(0)
    for part in sets.PARTS:
        lines = []
        for k in range(n_samples):
            step = rng.normal(0.5 if k % 2 else -0.5, 1, (n_channels, lengths[k // 2 % 2]))
            channels = [",".join(f"{value:.3f}" for value in row) for row in step.cumsum(axis=1)]
            lines.append(":".join([*channels, "ab"[k % 2]]))
        write_part(folder, part, HEADER + "\n".join(lines) + "\n", name)


ABOUT = {"cpu": "x", "n_cpus": 2, "system": "s", "python": "3", "commit": "c", "versions": {}}
ABOUT |= {"date": "2026-01-01", "config": {"jobs": 1}}


def iss_classifier(*, n_jobs=None, random_state=0):
    return make_pipeline(sigfeat.ISSTransformer(n_jobs=n_jobs), StandardScaler(), RidgeClassifierCV())


class Majority(ClassifierMixin, BaseEstimator):
    """Predicts the first class."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


@pytest.fixture
def classifiers(monkeypatch):
    """Pipelines in place of those of the package."""
    module = types.ModuleType(pipelines.MODULE)
    module.iss_classifier = iss_classifier
    module.sigfeat_classifier = lambda *, n_jobs=None, random_state=0: Majority()
    module._hidden_classifier = module.iss_regressor = None
    monkeypatch.setitem(sys.modules, pipelines.MODULE, module)
    return module


@pytest.fixture
def ran(monkeypatch):
    """Cells that were run, in this process, and made up: processes take seconds."""
    cells = []

    def measure(cell, folder, limit):
        cells.append(str(cell))
        return record(cell.data_set, cell.pipeline, cell.seed, accuracy=0.5 + 0.1 * cell.seed)

    monkeypatch.setattr(runner, "measure_apart", measure)
    return cells


def record(data_set, pipeline, seed=0, accuracy=0.5, **others):
    return {
        "data_set": data_set,
        "pipeline": pipeline,
        "seed": seed,
        "jobs": 1,
        "accuracy": accuracy,
        **SECONDS,
        "peak_bytes": 2**20,
        "n_features": 7,
        "n_channels": 1,
        "commit": "c",
        "versions": {"numpy": "2"},
        "date": "2026-01-01T00:00:00+00:00",
        **others,
    }


# ---------------------------------------------------------------------------------------------- data sets


def test_load_pads_with_nan(tmp_path):
    write_set(tmp_path)
    X, y, X_test, _ = archive.load("B", tmp_path)
    assert X.shape == X_test.shape == (10, 2, 15)
    assert np.isnan(X[0, :, 12:]).all()
    assert list(y[:2]) == ["a", "b"]
    assert sets.names(tmp_path) == ["B"]


def test_checksum_changes_with_either_part(tmp_path):
    write_set(tmp_path)
    found = {sets.checksum("B", tmp_path)}
    for part in sets.PARTS:
        with (tmp_path / "B" / f"B_{part}.ts").open("a") as file:
            file.write("1,2:3,4:a\n")
        found.add(sets.checksum("B", tmp_path))
    assert len(found) == 3


@pytest.mark.parametrize(
    ("part", "text", "sentence"),
    [
        ("TRAIN", "1,2,3:a\n", "has no header: no line begins with @"),
        ("TEST", HEADER.replace("@data\n", "") + "1,2:3,4:a\n", "has no line @data: its series cannot be found"),
        ("TEST", HEADER + "\n\n", "is empty: there is no series after @data"),
        ("TRAIN", HEADER.replace("@timeStamps false\n", "") + "1:2:a\n", "bad header: there is no line @timeStamps"),
        (
            "TRAIN",
            HEADER.replace("univariate false", "univariate maybe") + "1:2:a\n",
            "must be true or false, got maybe",
        ),
        ("TRAIN", HEADER.replace("true a b", "false") + "1,2:3,4\n", "has no class labels (@classLabel false)"),
        ("TRAIN", HEADER.replace("@classLabel true a b", "@targetLabel true") + "1,2:0.5\n", "is a regression set"),
        ("TEST", HEADER + "1,2,3\n1,2,4\n", "has no class label for series 0"),
        ("TEST", HEADER + "1,2:3,4:a\n1,2:3,4:?\n", "has no class label for series 1 of 0 to 1"),
        ("TEST", HEADER + "1,x:3,4:a\n", "cannot be read: could not convert string to float: 'x'"),
        ("TRAIN", HEADER.replace("univariate false", "univariate maybe") + "1:2:a\n", "true or false, got maybe"),
    ],
)
def test_files_that_would_give_wrong_figures_are_refused(tmp_path, part, text, sentence):
    write_set(tmp_path)
    path = write_part(tmp_path, part, text)
    with pytest.raises(ValueError, match=re.escape(sentence)) as found:
        archive.load("B", tmp_path)
    assert str(found.value).startswith(f"{path} ")
    assert "\n" not in str(found.value)


def test_missing_folders_and_files(tmp_path):
    with pytest.raises(ValueError, match="there is no data folder .*nothing"):
        sets.names(tmp_path / "nothing")
    with pytest.raises(ValueError, match="holds no data set: there is no file NAME/NAME_TRAIN.ts"):
        sets.names(tmp_path)
    with pytest.raises(ValueError, match="data set B needs --data, a data folder: sktime ships only"):
        archive.load("B", None)


# ---------------------------------------------------------------------------------------------- pipelines


def test_parameters_are_part_of_a_cell(classifiers):
    before = pipelines.settings("iss_classifier")
    assert pipelines.settings("iss_classifier") == before
    classifiers.iss_classifier = lambda **how: iss_classifier(**how).set_params(isstransformer__decay=0.2)
    assert pipelines.settings("iss_classifier") != before


def test_aeon_that_is_missing(monkeypatch):
    monkeypatch.setattr(pipelines, "_is_missing", lambda package: True)
    with pytest.raises(
        ValueError, match=r"^--against needs aeon, which is not installed: .*'sigfeat\[aeon\]'` in an env"
    ):
        pipelines.opponents(["MiniRocket"])
    with pytest.raises(ValueError, match=r"needs aeon and torch, which is not .*'sigfeat\[aeon,torch\]'"):
        pipelines.opponents(["aeon"])
    assert pipelines.opponents([]) == []


def test_last_value_padding():
    nan = np.nan
    X = np.array([[[1.0, 2, nan, nan], [nan, 3, nan, 4]], [[nan] * 4, [5, 6, 7, 8]]])
    found = pipelines.last_value_padded(X, 5)
    expected = [[[1, 2, 2, 2, 2], [3, 3, 3, 4, 4]], [[0] * 5, [5, 6, 7, 8, 8]]]
    np.testing.assert_array_equal(found, expected)


def test_names_of_pipelines(classifiers):
    assert pipelines.resolved(["iss", "sigfeat_classifier", "iss_classifier"]) == list(Config().pipelines)
    for name in ("fruits", "_hidden"):
        with pytest.raises(ValueError, match=f"there is no pipeline '{name}' in .*: choose from iss, sigfeat$"):
            pipelines.resolved([name])


# --------------------------------------------------------------------------------------------------- cells


def test_figures_are_those_of_the_classifier(classifiers):
    found = apart.measure("UnitTest", None, "iss_classifier", 0, 1)
    X, y, X_test, y_test = archive.load("UnitTest", None)
    model = iss_classifier().fit(X, y)
    assert found["accuracy"] == model.score(X_test, y_test)
    assert found["n_features"] == len(model[0].get_feature_names_out())
    assert 0 < found["brier"] < found["log_loss"]
    assert all(found[name] > 0 for name in SECONDS)
    assert (found["n_train"], found["n_test"], found["n_classes"], found["missing_values"]) == (20, 22, 2, False)


def test_classifiers_are_warmed_up_with_few_series_or_with_all(classifiers):
    fitted = []

    class Choosy(Majority):
        def fit(self, X, y):
            fitted.append(len(X))
            if len(X) < 10:
                raise ValueError("too few")
            return super().fit(X, y)

    classifiers.iss_classifier = lambda **parameters: Choosy()
    apart.measure("UnitTest", None, "iss_classifier", 0, 1)
    assert fitted == [8, 20, 20]


@pytest.mark.parametrize(
    ("answer", "record"),
    [
        ({"accuracy": 0.5}, {"accuracy": 0.5}),
        ({"failure": TOO_LONG}, {"failure": "took longer than 10 s", "limit": 10}),
        ({"failure": "RuntimeError: broken"}, {"failure": "RuntimeError: broken"}),
    ],
)
def test_answers_of_processes(monkeypatch, answer, record):
    monkeypatch.setattr(apart, "ask", lambda *asked: answer)
    assert apart.measure_apart(Cell("B", "data", "iss_classifier", "settings", 0, 1), None, 10) == record


def test_only_longer_limits_try_again_what_took_too_long():
    assert not is_finished(None, 10)
    assert is_finished({"accuracy": 0.5}, 10)
    assert not is_finished({"failure": "broken"}, 10)
    late = {"failure": "took longer than 10 s", "limit": 10}
    assert is_finished(late, 10)
    assert not is_finished(late, 11)


@pytest.fixture
def reports(monkeypatch):
    """No report is written: its pictures take seconds, and it has tests of its own."""
    monkeypatch.setattr(runner, "write_report", lambda *asked: None)


@pytest.fixture
def config(tmp_path, classifiers):
    write_set(tmp_path / "data")
    write_set(tmp_path / "data", "U", 1)
    return Config(data=tmp_path / "data", seeds=2, out=tmp_path / "out")


def test_figures_of_the_files_are_those_of_the_records(config, ran, tmp_path):
    path = tmp_path / "published.csv"
    path.write_text("dataset,method,accuracy\nB,HC2,0.9\nU,HC2,0.4\nC,HC2,1\nC,DTW,1\n")
    found = runner.run(Config(**vars(config) | {"published": path}))
    assert ran[:4] == ["B iss seed 0", "B sigfeat seed 0", "U iss seed 0", "U sigfeat seed 0"]
    results = json.loads((config.out / "results.json").read_text())
    assert results["records"] == found
    assert len(found) == 2 * 2 * 2
    table = pd.read_csv(config.out / "accuracy.csv", index_col=0)
    np.testing.assert_allclose(table.loc["U"], [0.55, 0.1 / 2**0.5] * 2, rtol=1e-5)
    report = (config.out / "report.md").read_text()
    assert "2 of 2 data sets are shared by all 3 methods shown." in report
    assert "| HC2, published |" in report
    assert "DTW" not in report
    assert str(tmp_path) not in report
    for picture in re.findall(r"\]\((.*?)\)", report):
        assert (config.out / picture).exists()


def test_a_run_that_was_stopped_goes_on(config, ran, reports, monkeypatch):
    measure = runner.measure_apart

    def stopped(*args):
        if len(ran) == 3:
            raise KeyboardInterrupt
        return measure(*args)

    monkeypatch.setattr(runner, "measure_apart", stopped)
    with pytest.raises(KeyboardInterrupt):
        runner.run(config)
    monkeypatch.setattr(runner, "measure_apart", measure)
    records = runner.run(config)
    assert len(ran) == len(set(ran)) == len(records) == 8
    assert runner.run(config) == records
    assert len(ran) == 8
    runner.run(Config(**vars(config) | {"seeds": 3}))
    assert len(ran) == 12
    write_set(config.data, "U", 1, lengths=(9, 9))
    runner.run(config)
    assert len(ran) == 16


def test_failures_are_reported_and_tried_again(config, ran, reports, monkeypatch, capsys):
    measure = runner.measure_apart
    monkeypatch.setattr(runner, "measure_apart", lambda *args: {"failure": "ValueError: too | long"})
    assert all(found["failure"] == "ValueError: too | long" for found in runner.run(config))
    assert "B iss seed 0: not measured: ValueError: too | long" in capsys.readouterr().err
    monkeypatch.setattr(runner, "measure_apart", measure)
    assert not any("failure" in found for found in runner.run(config))
    assert len(ran) == 8


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data", "nothing"], "there is no data folder nothing"),
        (["--sets", "UnitTest", "--pipelines", "x"], "there is no pipeline 'x' in"),
        (["--sets", "UnitTest", "--pipelines"], "there is nothing to run: name some --pipelines, or --against aeon"),
        (["--sets", "UnitTest", "--published", "no.csv"], "no.csv cannot be read"),
        (["--seeds", "0"], "argument --seeds: must be at least 1, got 0"),
        (["--limit", "-1"], "argument --limit: must be above 0, got -1"),
    ],
)
def test_faults_end_the_command_before_anything_is_run(
    classifiers, ran, monkeypatch, capsys, tmp_path, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["archive", *arguments])
    with pytest.raises(SystemExit) as found:
        command.main()
    assert found.value.code == 2
    assert sentence in capsys.readouterr().err
    assert ran == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("dataset,method\nA,m\n", "have no column accuracy"),
        ("dataset,method,accuracy\nA,m,95\n", "must be between 0 and 1, but the accuracy of m on A is 95"),
        ("dataset,method,accuracy\nA,m,0.5\nA,m,0.6\n", "have m on A more than once"),
    ],
)
def test_wrong_published_figures(tmp_path, text, sentence):
    path = tmp_path / "figures.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_published(path)


def test_published_figures(tmp_path):
    path = tmp_path / "figures.csv"
    path.write_text("dataset,method,accuracy\nA,m,0.5\nB,m,1\nA,n,0\n")
    found = read_published(path)
    assert list(found.columns) == ["m, published", "n, published"]
    np.testing.assert_array_equal(found.loc[["A", "B"]], [[0.5, 0], [1, np.nan]])


def test_tables_of_records():
    records = [
        record("V", "iss_classifier", 0, 0.5, n_channels=3, fit_seconds=1.0, peak_bytes=2 * 2**20),
        record("V", "iss_classifier", 1, 0.7, n_channels=3, fit_seconds=3.0, peak_bytes=4 * 2**20),
        record("U", "iss_classifier", 0, 0.9, fit_seconds=6.0, n_features=9),
        record("V", "MiniRocket", 0, 1.0, n_channels=3, n_features=None),
        {"data_set": "U", "pipeline": "MiniRocket", "seed": 0, "failure": "broken"},
    ]
    mean, spread = accuracy_tables(records)
    assert (list(mean.index), list(mean.columns)) == (["V", "U"], ["iss", "MiniRocket"])
    np.testing.assert_allclose(mean, [[0.6, 1], [0.9, np.nan]])
    np.testing.assert_allclose(spread, [[0.2 / 2**0.5, np.nan], [np.nan, np.nan]])
    assert kinds(records) == {"V": "multivariate", "U": "univariate"}
    costs = cost_table(records)
    assert costs.loc["iss", ["n_sets", "fit_seconds", "peak_mib", "largest_mib"]].tolist() == [1, 2, 4, 4]
    assert np.isnan(costs.loc["MiniRocket", "n_features"])
    assert time_and_accuracy(records)["accuracy"].tolist() == pytest.approx([0.6, 1])
    names = ["n_sets", "fit_seconds", "peak_mib", "largest_mib", "n_features"]
    assert cost_table(records[:3]).loc["iss", names].tolist() == [2, 4, 2.5, 4, 8]


def test_report_of_nothing(tmp_path):
    write_report([], ABOUT, None, tmp_path)
    report = (tmp_path / "report.md").read_text()
    assert "0 cells finished, 0 failed; 2026-01-01, x, one thread." in report
    assert "No cell is finished." in report
