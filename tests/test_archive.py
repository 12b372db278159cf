"""The archive benchmark: what it reads, runs, keeps, goes on with, sums up and refuses."""

import json
import re
import sys
import textwrap
import types
from pathlib import Path

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
from benchmarks.archive.cells import Cell, Store
from benchmarks.archive.comparison import (
    cliques,
    comparisons,
    holm,
    mean_ranks,
    p_values,
    pairs,
    shared,
    wins_draws_losses,
)
from benchmarks.archive.config import Config, from_arguments
from benchmarks.archive.diagram import bar_levels, critical_difference
from benchmarks.archive.published import read_published
from benchmarks.archive.report import write_report
from benchmarks.archive.summary import accuracy_tables, cost_table, kinds, time_and_accuracy

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


def iss_classifier(*, n_jobs=None, random_state=0):
    return make_pipeline(sigfeat.ISSTransformer(n_jobs=n_jobs), StandardScaler(), RidgeClassifierCV())


class Majority(ClassifierMixin, BaseEstimator):
    """Says the first class."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


class RefusesNaN(Majority):
    def __init__(self, n_jobs=1, random_state=None):
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y):
        assert X.shape[2] == 15
        assert np.isfinite(X).all()
        self.pipeline_ = iss_classifier().fit(X, y)
        return super().fit(X, y)


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
def aeon(monkeypatch):
    """Classifiers in place of aeon's."""
    module = types.ModuleType("aeon.classification.convolution_based")
    for name in pipelines.AEON.values():
        setattr(module, name, type(name, (RefusesNaN,), {}))
    monkeypatch.setitem(sys.modules, "aeon", types.ModuleType("aeon"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(pipelines, "_is_missing", lambda package: False)
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


def test_load_of_a_shipped_set():
    X, y, X_test, y_test = archive.load("UnitTest", None)
    assert X.shape == (20, 1, 24)
    assert X_test.shape == (22, 1, 24)
    assert set(y) == set(y_test) == {"1", "2"}


def test_load_pads_with_nan(tmp_path):
    write_set(tmp_path)
    X, y, X_test, _ = archive.load("B", tmp_path)
    assert X.shape == X_test.shape == (10, 2, 15)
    assert np.isnan(X[0, :, 12:]).all()
    assert list(y[:2]) == ["a", "b"]
    assert sets.names(tmp_path) == ["B"]


@pytest.mark.parametrize(
    ("part", "text", "sentence"),
    [
        ("TRAIN", "", "has no header: no line begins with @"),
        ("TRAIN", "1,2,3:a\n", "has no header: no line begins with @"),
        ("TEST", HEADER.replace("@data\n", "") + "1,2:3,4:a\n", "has no line @data: its series cannot be found"),
        ("TRAIN", HEADER, "is empty: there is no series after @data"),
        ("TEST", HEADER + "\n\n", "is empty: there is no series after @data"),
        (
            "TEST",
            HEADER.replace("@classLabel true a b\n", "") + "1,2:3,4:a\n",
            "bad header: there is no line @classLabel",
        ),
        ("TRAIN", HEADER.replace("@timeStamps false\n", "") + "1:2:a\n", "bad header: there is no line @timeStamps"),
        (
            "TRAIN",
            HEADER.replace("univariate false", "univariate maybe") + "1:2:a\n",
            "@univariate must be true or false",
        ),
        ("TRAIN", HEADER.replace("true a b", "false") + "1,2:3,4\n", "has no class labels (@classLabel false)"),
        ("TRAIN", HEADER.replace("@classLabel true a b", "@targetLabel true") + "1,2:0.5\n", "is a regression set"),
        ("TRAIN", HEADER.replace("true a b", "true") + "1,2:3,4:a\n", "cannot be read: if the classlabel tag is true"),
        ("TEST", HEADER + "1,2,3\n1,2,4\n", "has no class label for series 0"),
        ("TEST", HEADER + "1,2:3,4:a\n1,2:3,4:?\n", "has no class label for series 1 of 0 to 1"),
        ("TEST", HEADER + "1,2:3,4\n1,2:3,5\n", "has no class label for series 0 of 0 to 1"),
        ("TEST", HEADER + "1,x:3,4:a\n", "cannot be read: could not convert string to float: 'x'"),
        ("TEST", HEADER + "1,2:3,4:a\n1,2:a\n", "cannot be read: inconsistent number of dimensions"),
        ("TEST", HEADER + "1,2:3:a\n", "cannot be read: all channels of a series must be 1-D and have the same length"),
        ("TEST", HEADER + "1,2:3,4:5,6:a\n", "has series of 3 channels, but the training part of 2"),
    ],
)
def test_faults_of_files_are_told_in_one_sentence(tmp_path, part, text, sentence):
    write_set(tmp_path)
    path = write_part(tmp_path, part, text)
    with pytest.raises(ValueError, match=re.escape(sentence)) as found:
        archive.load("B", tmp_path)
    assert str(found.value).startswith(f"{path} ")
    assert "\n" not in str(found.value)


def test_missing_folders_and_files(tmp_path):
    with pytest.raises(ValueError, match="there is no data folder .*nothing"):
        archive.load("B", tmp_path / "nothing")
    with pytest.raises(ValueError, match="there is no data folder .*nothing"):
        sets.names(tmp_path / "nothing")
    with pytest.raises(ValueError, match="holds no data set: there is no file NAME/NAME_TRAIN.ts"):
        sets.names(tmp_path)
    write_set(tmp_path)
    (tmp_path / "B" / "B_TEST.ts").unlink()
    with pytest.raises(ValueError, match=r"data set B is not in the data folder .*: there is no file .*B_TEST\.ts"):
        archive.load("B", tmp_path)
    with pytest.raises(ValueError, match="data set B needs --data, a data folder: sktime ships only"):
        archive.load("B", None)
    assert "ItalyPowerDemand" in sets.names(None)


def test_checksum_changes_with_either_part(tmp_path):
    write_set(tmp_path)
    found = {sets.checksum("B", tmp_path)}
    for part in sets.PARTS:
        with (tmp_path / "B" / f"B_{part}.ts").open("a") as file:
            file.write("1,2:3,4:a\n")
        found.add(sets.checksum("B", tmp_path))
    assert len(found) == 3


# ---------------------------------------------------------------------------------------------- pipelines


def test_names_of_pipelines(classifiers):
    assert pipelines.resolved(["iss", "sigfeat_classifier", "iss_classifier"]) == list(Config().pipelines)
    with pytest.raises(
        ValueError, match=r"there is no pipeline 'fruits' in sigfeat.classifiers: choose from iss, sigfeat$"
    ):
        pipelines.resolved(["fruits"])
    with pytest.raises(ValueError, match="there is no pipeline '_hidden'"):
        pipelines.resolved(["_hidden"])


def test_package_without_pipelines(monkeypatch):
    monkeypatch.setitem(sys.modules, pipelines.MODULE, None)
    with pytest.raises(ValueError, match="looked up in sigfeat.classifiers, which cannot be imported"):
        pipelines.resolved(["iss"])


def test_a_pipeline_whose_package_is_missing(classifiers):
    def hyena_classifier(**parameters):
        raise ImportError("HyenaEmbeddingTransformer needs torch: run `pip install 'sigfeat[torch]'`")

    classifiers.hyena_classifier = hyena_classifier
    with pytest.raises(ValueError, match="hyena cannot be made: HyenaEmbeddingTransformer needs torch: run `pip"):
        pipelines.make("hyena_classifier", 0, 1)


def test_parameters_are_part_of_a_cell(classifiers):
    before = pipelines.settings("iss_classifier")
    assert pipelines.settings("iss_classifier") == before
    classifiers.iss_classifier = lambda **how: iss_classifier(**how).set_params(lowrankisstransformer__decay=0.2)
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


def test_what_classifiers_are_given():
    X, X_test = np.ones((2, 1, 4)), np.ones((3, 1, 12))
    X_test[:, :, 11] = np.nan
    assert pipelines.inputs("iss_classifier", X, X_test) == (X, X_test)
    assert [part.shape[2] for part in pipelines.inputs("MultiRocket", X, X_test)] == [11, 11]
    assert [part.shape[2] for part in pipelines.inputs("MultiRocket", X, X)] == [10, 10]


def test_number_of_features():
    X, y = np.random.default_rng(0).normal(size=(8, 5)), np.arange(8) % 2
    inner = make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), RidgeClassifierCV())).fit(X, y)
    assert pipelines.n_features(inner) == 5
    assert pipelines.n_features(types.SimpleNamespace(pipeline_=inner)) == 5
    assert pipelines.n_features(types.SimpleNamespace(classifier=inner)) == 5
    assert pipelines.n_features(Majority()) is None


# --------------------------------------------------------------------------------------------------- cells


def test_measured_in_this_process(classifiers):
    found = apart.measure("UnitTest", None, "iss_classifier", 0, 1)
    X, y, X_test, y_test = archive.load("UnitTest", None)
    model = iss_classifier().fit(X, y)
    assert found["accuracy"] == model.score(X_test, y_test)
    assert found["n_features"] == len(model[0].get_feature_names_out())
    assert all(found[name] > 0 for name in SECONDS)
    assert found["peak_bytes"] >= 0
    assert (found["n_train"], found["n_test"], found["n_classes"], found["missing_values"]) == (20, 22, 2, False)


def test_memory_of_a_fit_is_seen(classifiers):
    class Hungry(Majority):
        def fit(self, X, y):
            if len(X) > 12:  # not when it is warmed up
                assert np.full(2**23, 1.0).sum() == 2**23
            return super().fit(X, y)

    classifiers.iss_classifier = lambda **parameters: Hungry()
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the high-water mark can be set back on Linux only")
    peak = apart.measure("UnitTest", None, "iss_classifier", 0, 1)["peak_bytes"]
    assert 0.98 * 2**26 < peak < 1.2 * 2**26


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
    y = np.array(list("cabacccdcc"))
    np.testing.assert_array_equal(apart.few_series(y), [0, 1, 2, 3, 4, 5, 6])


def test_aeon_gets_equal_lengths(tmp_path, aeon):
    write_set(tmp_path)
    found = apart.measure("B", str(tmp_path), "MultiRocket", 3, 1)
    assert found["accuracy"] == 0.5
    assert found["missing_values"]
    assert found["n_features"] > 1


@pytest.fixture
def other_processes(monkeypatch, tmp_path):
    """A stand-in for pipelines that processes find, too."""
    text = """
    import os, sys, types

    def iss_classifier(*, n_jobs=None, random_state=0):
        from sklearn.linear_model import RidgeClassifierCV
        from sklearn.pipeline import make_pipeline
        from sigfeat import ISSTransformer
        print("noise on stdout", end="")
        return make_pipeline(ISSTransformer(n_jobs=n_jobs), RidgeClassifierCV())

    def broken_classifier(*, n_jobs=None, random_state=0):
        raise RuntimeError(f"broken on\\n{os.environ['NUMBA_NUM_THREADS']} threads")

    def killed_classifier(*, n_jobs=None, random_state=0):
        os.kill(os.getpid(), 9)

    module = types.ModuleType("sigfeat.classifiers")
    module.__dict__.update({name: value for name, value in globals().items() if name.endswith("_classifier")})
    sys.modules[module.__name__] = module
    """
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(textwrap.dedent(text))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))


def cell(pipeline, jobs=1):
    return Cell("B", "data", pipeline, "settings", 0, jobs)


def test_measured_in_a_process_of_its_own(tmp_path, other_processes):
    write_set(tmp_path)
    found = apart.measure_apart(cell("iss_classifier"), tmp_path, 100)
    assert found["accuracy"] > 0.7
    assert found["fit_seconds"] < 1  # compiling takes longer
    assert apart.measure_apart(cell("broken_classifier", jobs=2), tmp_path, 100) == {
        "failure": "RuntimeError: broken on 2 threads"
    }
    assert apart.measure_apart(cell("killed_classifier"), tmp_path, 100) == {
        "failure": "the process was killed, perhaps for want of memory"
    }
    assert apart.measure_apart(cell("iss_classifier"), tmp_path, 0.1) == {
        "failure": "took longer than 0.1 s",
        "limit": 0.1,
    }


def test_long_failures_are_cut():
    assert apart.one_line("a\n  b") == "a b"
    assert len(apart.one_line("word " * 100)) == apart.LONGEST_FAILURE


def test_store(tmp_path):
    store = Store(tmp_path)
    assert store.read(cell("iss_classifier")) is None
    assert not store.is_finished(cell("iss_classifier"), 10)
    store.write(cell("iss_classifier"), {"accuracy": 0.5})
    assert store.is_finished(cell("iss_classifier"), 10)
    others = [cell("iss_classifier", jobs=2), Cell("B", "other", "iss_classifier", "settings", 0, 1)]
    assert not any(store.is_finished(other, 10) for other in others)
    store.write(cell("iss_classifier"), {"failure": "broken"})
    assert not store.is_finished(cell("iss_classifier"), 10)
    store.write(cell("iss_classifier"), {"failure": "took longer than 10 s", "limit": 10})
    assert store.is_finished(cell("iss_classifier"), 10)
    assert not store.is_finished(cell("iss_classifier"), 11)
    store.path(cell("iss_classifier")).write_text("{")
    assert store.read(cell("iss_classifier")) is None


# ----------------------------------------------------------------------------------------------------- run


@pytest.fixture
def config(tmp_path, classifiers):
    write_set(tmp_path / "data")
    write_set(tmp_path / "data", "U", 1)
    return Config(data=tmp_path / "data", seeds=2, out=tmp_path / "out")


def test_everything_is_written(config, ran, tmp_path):
    path = tmp_path / "published.csv"
    path.write_text("dataset,method,accuracy\nB,HC2,0.9\nU,HC2,0.4\nC,HC2,1\nC,DTW,1\n")
    found = runner.run(Config(**vars(config) | {"published": path}))
    assert len(ran) == len(found) == 2 * 2 * 2
    assert ran[:4] == ["B iss seed 0", "B sigfeat seed 0", "U iss seed 0", "U sigfeat seed 0"]
    results = json.loads((config.out / "results.json").read_text())
    assert results["records"] == found
    assert results["circumstances"]["config"]["seeds"] == 2
    assert {"sktime", "numpy"} <= set(found[0]["versions"])
    table = pd.read_csv(config.out / "accuracy.csv", index_col=0)
    assert list(table.columns) == ["iss mean", "iss std", "sigfeat mean", "sigfeat std"]
    np.testing.assert_allclose(table.loc["U"], [0.55, 0.1 / 2**0.5] * 2, rtol=1e-5)
    report = (config.out / "report.md").read_text()
    assert "2 of 2 data sets are shared by all 3 methods shown." in report
    assert "| HC2, published |" in report
    assert "DTW" not in report
    assert str(tmp_path) not in report
    for picture in re.findall(r"\]\((.*?)\)", report):
        assert (config.out / picture).read_text().startswith("<?xml")
    assert {"ranks-all-sets.svg", "scatter-iss.svg", "time.svg"} <= {p.name for p in (config.out / "figures").iterdir()}


def test_a_run_that_was_stopped_goes_on(config, ran, monkeypatch):
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


def test_failures_are_told_and_tried_again(config, ran, monkeypatch, capsys):
    measure = runner.measure_apart
    monkeypatch.setattr(runner, "measure_apart", lambda *args: {"failure": "ValueError: too | long"})
    assert all(found["failure"] == "ValueError: too | long" for found in runner.run(config))
    assert "B iss seed 0: ValueError: too | long" in capsys.readouterr().err
    report = (config.out / "report.md").read_text()
    assert "0 cells finished, 8 failed" in report
    assert "* B, iss, seed 1: ValueError: too | long" in report
    monkeypatch.setattr(runner, "measure_apart", measure)
    assert not any("failure" in found for found in runner.run(config))
    assert "failed: ValueError" not in (config.out / "report.md").read_text()
    assert len(ran) == 8


def test_against_aeon(config, ran, aeon):
    runner.run(Config(**vars(config) | {"against": ("aeon",), "pipelines": (), "seeds": 1}))
    assert ran == [f"{name} {opponent} seed 0" for name in ("B", "U") for opponent in pipelines.AEON]
    report = (config.out / "report.md").read_text()
    assert "repeats its last value" in report
    assert "| MultiRocket-Hydra |" in report


def said(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["archive", *map(str, arguments)])
    with pytest.raises(SystemExit) as found:
        command.main()
    return capsys.readouterr().err.strip(), found.value.code


def test_command_line(config, ran, monkeypatch, capsys):
    arguments = ["archive", "--data", config.data, "--sets", "U", "--seeds", "1", "--out", config.out]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    command.main()
    assert ran == ["U iss seed 0", "U sigfeat seed 0"]
    assert f"The report: {config.out / 'report.md'}" in capsys.readouterr().out


def test_faults_end_the_command_with_one_sentence(config, ran, monkeypatch, capsys, tmp_path):
    path = write_part(config.data, "TEST", HEADER)
    common = ["--data", config.data, "--out", config.out]
    sentence = f"{path} is empty: there is no series after @data"
    assert said(monkeypatch, capsys, *common) == (sentence, 2)
    sentence = f"there is no data folder {tmp_path / 'nothing'}"
    assert said(monkeypatch, capsys, "--data", tmp_path / "nothing", "--out", config.out) == (sentence, 2)
    sentence = "there is no pipeline 'x' in sigfeat.classifiers: choose from iss, sigfeat"
    assert said(monkeypatch, capsys, *common, "--pipelines", "x") == (sentence, 2)
    sentence = "there is nothing to run: name some --pipelines, or say --against aeon"
    assert said(monkeypatch, capsys, *common, "--pipelines") == (sentence, 2)
    found = said(monkeypatch, capsys, *common, "--published", tmp_path / "no.csv")
    assert found[1] == 2
    assert "no.csv cannot be read" in found[0]
    assert ran == []
    assert not config.out.exists()


def test_interruption_and_full_disk(config, monkeypatch, capsys):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "measure_apart", stop)
    found = said(monkeypatch, capsys, "--data", config.data, "--out", config.out)
    assert found[1] == 130
    assert "the same command goes on from there" in found[0]

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runner, "measure_apart", full)
    found = said(monkeypatch, capsys, "--data", config.data, "--out", config.out)
    assert found[1] == 1
    assert "No space left on device" in found[0]


def test_arguments(capsys):
    assert from_arguments([]) == Config()
    found = from_arguments(["--sets", "A", "B", "--against", "MiniRocket", "--limit", "2.5", "--jobs", "2"])
    assert (found.sets, found.against, found.limit, found.jobs) == (("A", "B"), ("MiniRocket",), 2.5, 2)
    for arguments, sentence in {
        "--seeds 0": "must be above 0, got 0",
        "--limit -1": "must be above 0, got -1",
        "--against sktime": "invalid choice: 'sktime'",
    }.items():
        with pytest.raises(SystemExit) as stopped:
            from_arguments(arguments.split())
        assert stopped.value.code == 2
        assert sentence in capsys.readouterr().err


# ----------------------------------------------------------------------------------------------- published


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "cannot be read: No columns to parse"),
        ("dataset,method\nA,m\n", "have no column accuracy"),
        ("dataset,method,accuracy\nA,m,95\n", "must be between 0 and 1, but the accuracy of m on A is 95"),
        ("dataset,method,accuracy\nA,m,high\n", "must be between 0 and 1, but the accuracy of m on A is high"),
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


# ------------------------------------------------------------------------------------------------- numbers


def test_tables_of_records():
    records = [
        record("V", "iss_classifier", 0, 0.5, n_channels=3, fit_seconds=1.0, peak_bytes=2 * 2**20),
        record("V", "iss_classifier", 1, 0.7, n_channels=3, fit_seconds=3.0, peak_bytes=4 * 2**20),
        record("U", "iss_classifier", 0, 0.9, fit_seconds=6.0, n_features=9),
        record("V", "MiniRocket", 0, 1.0, n_channels=3, n_features=None),
        {"data_set": "U", "pipeline": "MiniRocket", "seed": 0, "failure": "broken"},
    ]
    mean, spread = accuracy_tables(records)
    assert list(mean.index) == ["V", "U"]
    assert list(mean.columns) == ["iss", "MiniRocket"]
    np.testing.assert_allclose(mean, [[0.6, 1], [0.9, np.nan]])
    np.testing.assert_allclose(spread, [[0.2 / 2**0.5, np.nan], [np.nan, np.nan]])
    assert kinds(records) == {"V": "multivariate", "U": "univariate"}
    costs = cost_table(records)
    assert costs.loc["iss", ["n_sets", "fit_seconds", "peak_mib", "largest_mib"]].tolist() == [1, 2, 4, 4]
    assert np.isnan(costs.loc["MiniRocket", "n_features"])
    assert time_and_accuracy(records)["accuracy"].tolist() == pytest.approx([0.6, 1])
    alone = cost_table(records[:3])
    assert alone.loc["iss", ["n_sets", "fit_seconds", "peak_mib", "largest_mib", "n_features"]].tolist() == [
        2,
        4,
        2.5,
        4,
        8,
    ]


def test_mean_ranks_with_draws():
    accuracy = pd.DataFrame({"a": [0.9, 0.8, 0.5], "b": [0.7, 0.8, 0.6], "c": [0.7, 0.1, 0.7 - 1e-9]})
    assert mean_ranks(accuracy).tolist() == pytest.approx([(1 + 1.5 + 3) / 3, (2.5 + 1.5 + 2) / 3, (2.5 + 3 + 1) / 3])


def test_wins_draws_losses():
    assert wins_draws_losses([0.9, 0.8, 0.5, 0.2], [0.7, 0.8 + 1e-9, 0.6, 0.1]) == (2, 1, 1)


def test_p_values():
    """All six differences of one sign: 2 of 2^6 choices of signs are as extreme."""
    one = np.linspace(0.4, 0.9, 6)
    accuracy = pd.DataFrame({"a": one, "b": one - [0.01, 0.02, 0.03, 0.04, 0.05, 0.06], "c": one + 1e-9})
    found = p_values(accuracy)
    assert found.loc["a", "b"] == found.loc["b", "a"] == pytest.approx(2 / 2**6)
    assert found.loc["a", "c"] == found.loc["a", "a"] == 1


def test_holm():
    """0.01 * 4, 0.02 * 3, then 0.03 * 2 and, not below it, 0.04 * 1."""
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.9, 0.6]), [1, 1])
    assert len(holm([])) == 0


@pytest.mark.parametrize(
    ("differing", "expected"),
    [
        ([], [(0, 3)]),
        ([(0, 3)], [(0, 2), (1, 3)]),
        ([(0, 1), (0, 2), (0, 3), (1, 3)], [(1, 2), (2, 3)]),
        ([(0, 2), (1, 2), (0, 3), (1, 3)], [(0, 1), (2, 3)]),
        ([(1, 2)], [(0, 1), (2, 3)]),
        ([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)], []),
    ],
)
def test_cliques(differing, expected):
    different = np.zeros((4, 4), dtype=bool)
    for one, other in differing:
        different[one, other] = different[other, one] = True
    assert cliques(different) == expected


def test_bars_do_not_touch():
    assert bar_levels([(0, 2), (1, 3), (3, 5), (5, 6)]) == [0, 1, 2, 0]
    assert bar_levels([(0, 1), (2, 3)]) == [0, 1]
    assert bar_levels([]) == []


def test_shared_sets():
    """Those that were run come first; a published method that would leave fewer than 3/4 of the sets is left out."""
    nan = np.nan
    accuracy = pd.DataFrame(
        {
            "iss": [0.5, 0.5, 0.5, 0.5, nan],
            "few": [0.5, nan, nan, nan, nan],
            "p, published": [0.5, 0.5, 0.5, nan, 0.5],
            "q, published": [0.5, 0.5, 0.5, 0.5, nan],
        },
        index=list("ABCDE"),
    )
    assert shared(accuracy) == (["iss", "q, published"], list("ABCD"))
    assert shared(accuracy.iloc[:4]) == (["iss", "p, published", "q, published"], list("ABC"))
    found = comparisons(accuracy, dict.fromkeys("ABCDE", "univariate"))
    assert [(one.title, one.n_sets, one.left_out) for one in found] == [("All sets", 5, ("few", "p, published"))]


def test_comparisons():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.5, 0.8, 20)
    accuracy = pd.DataFrame(
        {"worst": base, "best": base + 0.1 + rng.uniform(0, 0.05, 20), "middle": base + np.linspace(0.08, 0.09, 20)}
    )
    found = comparisons(accuracy, {k: "univariate" if k < 12 else "multivariate" for k in range(20)})
    assert [one.title for one in found] == ["All sets", "Multivariate sets", "Univariate sets"]
    assert [len(one.accuracy) for one in found] == [20, 8, 12]
    assert list(found[0].accuracy.columns) == ["best", "middle", "worst"]
    assert found[0].mean_ranks.tolist() == [1, 2, 3]
    raw = 2 / 2**20
    np.testing.assert_allclose(found[0].p_values.loc["best"], [1, raw, raw], rtol=0.01)
    np.testing.assert_allclose(found[0].corrected.to_numpy()[np.triu_indices(3, 1)], 3 * raw, rtol=0.01)
    assert found[0].cliques == []


def test_pairs_have_the_sets_of_both():
    accuracy = pd.DataFrame({"a": [1, 2, np.nan], "b": [np.nan, 4, 5], "c": [np.nan, np.nan, 1]})
    assert [(one, other, len(both)) for one, other, both in pairs(accuracy, ["a", "b"])] == [
        ("a", "b", 1),
        ("b", "a", 1),
        ("b", "c", 1),
    ]


# ------------------------------------------------------------------------------------------------ pictures


def texts(figure):
    figure.draw_without_rendering()
    return [text for axes in figure.axes for text in axes.texts if text.get_text()]


def test_labels_of_the_diagram_do_not_overlap():
    rng = np.random.default_rng(0)
    names = ["iss", "MiniRocket", *[f"a rather long name of a method {k}, published" for k in range(9)]]
    accuracy = pd.DataFrame(rng.uniform(size=(12, 11)), columns=names)
    figure = critical_difference(comparisons(accuracy, dict.fromkeys(range(12), "univariate"))[0], {"iss"})
    found = texts(figure)
    boxes = [text.get_window_extent() for text in found]
    assert {text.get_text().strip(" .0123456789")[:8] for text in found} >= {"iss", "MiniRock", "a rather"}
    for k, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[k + 1 :])


def test_titles_of_scatter_plots_count_wins(tmp_path):
    records = [
        record(name, pipeline, 0, accuracy, n_channels=1 + k % 2)
        for k, name in enumerate("ABC")
        for pipeline, accuracy in (("iss_classifier", 0.5 + 0.1 * k), ("MiniRocket", 0.6))
    ]
    about = {"cpu": "x", "n_cpus": 2, "system": "s", "python": "3", "date": "2026-01-01", "config": {"jobs": 1}}
    write_report(records, about, None, tmp_path)
    picture = (tmp_path / "figures" / "scatter-iss.svg").read_text()
    assert "wins 1, draws 1, losses 1" in picture
    assert "univariate" in picture
    again = picture
    write_report(records, about, None, tmp_path)
    assert (tmp_path / "figures" / "scatter-iss.svg").read_text() == again
    assert not (tmp_path / "figures" / "scatter-minirocket.svg").exists()


def test_report_of_nothing(tmp_path):
    about = {"cpu": "x", "n_cpus": 2, "system": "s", "python": "3", "date": "2026-01-01", "config": {"jobs": 2}}
    write_report([], about, None, tmp_path)
    report = (tmp_path / "report.md").read_text()
    assert "0 cells finished, 0 failed; 2026-01-01, x, 2 threads." in report
    assert "No cell is finished." in report
