"""The study of Hyena against attention: what it runs, keeps, goes on with, tells and refuses."""

import dataclasses
import errno
import json
import sys

import numpy as np
import pytest
import torch
from joblib.externals.loky.process_executor import BrokenProcessPool

from benchmarks.files import write
from benchmarks.hyena_vs_mha import __main__ as command
from benchmarks.hyena_vs_mha import cells, runner
from benchmarks.hyena_vs_mha.cells import Store, Student, rounded
from benchmarks.hyena_vs_mha.config import PRESETS, Config, from_arguments
from benchmarks.hyena_vs_mha.report import write_report
from sigfeat import MHAEmbedder

LENGTHS = (15, 12)  # of the series of both classes


@pytest.fixture
def series(monkeypatch):
    """A data set of series of unequal lengths in place of files."""

    def load(name, part, folder):
        rng = np.random.default_rng(part == "TEST")
        X, y = rng.normal(size=(14, 2, 15)).cumsum(axis=2), np.array(["a", "b"] * 7)
        X[1::2, :, LENGTHS[1] :] = np.nan
        return X, y

    monkeypatch.setattr(cells, "load", load)
    cells.data.cache_clear()
    yield
    cells.data.cache_clear()


@pytest.fixture
def reports(monkeypatch):
    """What reports were asked for; drawing one takes seconds, and has tests of its own."""
    asked = []
    monkeypatch.setattr(runner, "write_report", lambda *asked_for: asked.append(asked_for))
    monkeypatch.setattr(runner.figures, "all_figures", lambda records: {"number of records": len(records)})
    return asked


@pytest.fixture
def config(tmp_path, reports):
    return Config(
        data=None,
        sets=("A",),
        objectives=("supervised", "random"),
        students=("hyena", "s4", "gru", "control"),
        orders=(1, 3),
        seeds=1,
        n_steps=3,
        lengths=(8, 16),
        repeat=1,
        limit=60.0,
        n_jobs=1,
        tracker="csv",
        out=tmp_path / "study",
    )


@pytest.fixture
def no_costs(monkeypatch):
    """Costs are measured in processes of their own, which take seconds."""
    measured = []

    def measure(name, length, task, repeat, limit):
        measured.append((name, length, task))
        return {
            "name": name,
            "length": length,
            "task": task,
            "seconds": [0.5] * repeat,
            "peak_bytes": 10 * length,
            "n_parameters": 7,
            "flops": float(length**2),
        }

    monkeypatch.setattr(cells, "measure_apart", measure)
    return measured


def trained(monkeypatch):
    """Cells that are measured from here on."""
    names, measured = [], runner.measured

    def note(cell, *rest):
        names.append(str(cell))
        return measured(cell, *rest)

    monkeypatch.setattr(runner, "measured", note)
    return names


def test_every_cell_is_measured_and_written(series, config, no_costs, reports):
    records = runner.run(config)
    teachers, students, costs = ([r for r in records if r["kind"] == kind] for kind in ("teacher", "student", "cost"))
    assert [(r["objective"], r["n_train"], r["n_channels"], r["n_timepoints"]) for r in teachers] == [
        ("supervised", 14, 2, 15),
        ("random", 14, 2, 15),
    ]
    names = ["Hyena order 1", "Hyena order 3", "S4D", "GRU", "control"]
    assert [r["student"] for r in students] == 2 * names
    assert len(costs) == len(no_costs) == 2 * 2 * (2 + 4)
    for record in students:
        assert set(record["accuracy"]) == set(record["agreement"]) == {"ridge", "logistic"}
        assert all(0 <= value <= 1 for value in record["accuracy"].values())
        assert np.shape(record["layers"]) == (3, 3)
        health = record["health"]
        assert health["step"] == [1, 2, 3]
        assert np.shape(health["block_gradient_norms"]) == (2, 3)
        assert np.shape(health["signal"]) == (2, 3)
        whole = np.array(health["gradient_norm"])
        assert (np.linalg.norm(health["block_gradient_norms"], axis=0) <= whole * 1.001).all()
    found = json.loads((config.out / "results.json").read_text())
    assert found["records"] == records
    assert found["circumstances"]["config"]["orders"] == [1, 3]
    assert len((config.out / "students.csv").read_text().splitlines()) == 1 + len(students)
    assert reports == [(records, found["circumstances"], config.out)]
    write_report(*reports[0])
    assert "Hyena order 3" in (config.out / "report.html").read_text()


def test_figures_of_a_student(series, config, no_costs, monkeypatch):
    """Those of the record are those of the embedders themselves."""
    config = dataclasses.replace(config, objectives=("random",), students=("control",))
    fitted = []
    unfitted = cells._unfitted
    monkeypatch.setattr(cells, "_unfitted", lambda *rest: fitted.append(unfitted(*rest)) or fitted[-1])
    record = next(record for record in runner.run(config) if record["kind"] == "student")
    student = fitted[0]
    assert student.encoder_.spec.mixer == "pointwise"
    X_test, y_test = cells.load("A", "TEST", None)
    found = student.fidelity(X_test)
    assert record["fidelity"]["token_r2"] == pytest.approx(found["token_r2"], rel=1e-5)
    by_class = cells._predictions(student, *cells.load("A", "TRAIN", None), X_test)["ridge"]
    assert record["accuracy"]["ridge"] == pytest.approx(np.mean(by_class == y_test), rel=1e-5)
    tokens = student.tokens(X_test)
    series, mask = cells._standardised(student, X_test)
    assert mask.sum() == 7 * sum(LENGTHS)
    with torch.no_grad():
        own = student.encoder_(series, mask).numpy().transpose(0, 2, 1)
    np.testing.assert_allclose(own[0], tokens[0], atol=1e-5)
    np.testing.assert_allclose(own[1, :, : LENGTHS[1]], tokens[1, :, : LENGTHS[1]], atol=1e-5)


def test_a_study_that_was_killed_goes_on(series, config, no_costs, monkeypatch):
    names = trained(monkeypatch)
    measured = runner.measured

    def killed(cell, *rest):
        if len(names) == 4:
            raise KeyboardInterrupt
        return measured(cell, *rest)

    monkeypatch.setattr(runner, "measured", killed)
    with pytest.raises(KeyboardInterrupt):
        runner.run(config)
    monkeypatch.setattr(runner, "measured", measured)
    kept = list(names)
    records = runner.run(config)
    assert len(names) == len(set(names)) == len(records) == 2 + 10 + 24
    assert names[:4] == kept
    assert runner.run(config) == records
    assert len(names) == len(records)


def test_what_a_cell_depends_on(series, config, no_costs, monkeypatch):
    """Other numbers of steps are other cells; further seeds and orders only add some."""
    names = trained(monkeypatch)
    config = dataclasses.replace(config, objectives=("random",), lengths=(8,))
    runner.run(config)
    n_before = len(names)
    runner.run(dataclasses.replace(config, orders=(1, 2, 3), seeds=2))
    assert len([name for name in names[n_before:] if "seed 0" in name]) == 1
    assert len([name for name in names[n_before:] if "seed 1" in name]) == 1 + 6
    n_before = len(names)
    runner.run(dataclasses.replace(config, n_steps=4))
    assert len(names) - n_before == 1 + 5


def test_lost_teachers_and_broken_records_are_made_again(series, config, no_costs, monkeypatch):
    config = dataclasses.replace(config, objectives=("random",), students=("control",), lengths=(8,))
    before = runner.run(config)
    teachers, students, _ = runner.phases(config)
    store = Store(config.out)
    for path in (config.out / "teachers").glob("*/*"):
        path.write_bytes(b"")
    (config.out / "cells" / f"{store.name(students[0])}.json").write_text("{")
    assert store.teacher(teachers[0]) is None
    names = trained(monkeypatch)
    after = runner.run(config)
    assert names == [str(teachers[0]), str(students[0])]
    assert after[1]["similarity"] == before[1]["similarity"]
    assert isinstance(store.teacher(teachers[0]), MHAEmbedder)


def test_a_cell_that_fails_is_left_out_and_tried_again(series, config, no_costs, monkeypatch, capsys):
    config = dataclasses.replace(config, objectives=("random",), lengths=(8,))
    compare = cells.compare

    def broken(*args):
        raise ValueError("no figures")

    monkeypatch.setattr(cells, "compare", broken)
    assert {record["kind"] for record in runner.run(config)} == {"teacher", "cost"}
    assert "A random seed 0 control: not measured: no figures" in capsys.readouterr().err
    monkeypatch.setattr(cells, "compare", compare)
    assert sum(record["kind"] == "student" for record in runner.run(config)) == 5


def test_students_of_a_teacher_that_fails_are_left_out(series, config, no_costs, monkeypatch, capsys):
    class Failing(MHAEmbedder):
        def fit(self, X, y=None):
            raise ValueError("training diverged")

    monkeypatch.setattr(cells, "MHAEmbedder", Failing)
    config = dataclasses.replace(config, objectives=("random",), students=("control",), lengths=(8,))
    assert {record["kind"] for record in runner.run(config)} == {"cost"}
    said = capsys.readouterr().err
    assert "A random seed 0 attention: not measured: training diverged" in said
    assert "A random seed 0 control: not measured: there is no A random seed 0 attention" in said


def test_processes_give_the_same_records(config, no_costs, tmp_path):
    """Here with files, since other processes do not see what a test replaces."""
    rng = np.random.default_rng(0)
    for part in ("TRAIN", "TEST"):
        path = tmp_path / "data" / "B" / f"B_{part}.ts"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            ",".join(f"{value:.4f}" for value in row) + f":{k % 2}" for k, row in enumerate(rng.normal(size=(8, 9)))
        ]
        path.write_text(
            "@problemName B\n@timeStamps false\n@missing false\n@univariate true\n@equalLength true\n"
            "@seriesLength 9\n@classLabel true 0 1\n@data\n" + "\n".join(lines) + "\n"
        )
    config = dataclasses.replace(
        config, data=tmp_path / "data", sets=("B",), objectives=("random",), students=("hyena", "control"), lengths=()
    )
    one = runner.run(config)
    two = runner.run(dataclasses.replace(config, n_jobs=2, out=tmp_path / "another"))
    assert len(one) == 1 + 3
    times = {"seconds", "transform_seconds", "wall_seconds", "date"}
    for left, right in zip(one, two, strict=True):
        assert set(left) == set(right)
        assert all(left[name] == right[name] for name in set(left) - times)


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb"])
def test_trackers_are_told_once(series, config, no_costs, monkeypatch, tracker):
    told, pictures = [], []

    class Noting(runner.TRACKERS[tracker]):
        def run(self, name, settings, figures, curves, steps):
            told.append((name, settings, figures, curves, steps))

        def pictures(self, found):
            pictures.append(found)

    monkeypatch.setitem(runner.TRACKERS, tracker, Noting)
    config = dataclasses.replace(config, tracker=tracker, objectives=("random",), students=("hyena",))
    runner.run(config)
    assert len(told) == 1 + 2
    name, settings, values, curves, steps = told[1]
    assert "Hyena-order-1" in name
    assert {name: settings[name] for name in settings if name not in ("commit", "date")} == {
        "kind": "student",
        "data_set": "A",
        "objective": "random",
        "student": "Hyena order 1",
        "seed": 0,
        "n_steps": 3,
    }
    assert {"fidelity/token_r2", "accuracy/ridge", "similarity/linear CKA/value", "seconds"} <= set(values)
    assert set(curves) == {"loss", "gradient_norm", "gradient_norm/block 1", "gradient_norm/block 2"}
    assert all(len(curve) == len(steps) == 3 for curve in curves.values())
    assert pictures == [{"number of records": 1 + 2 + 2 * 2 * 4}]
    runner.run(config)
    assert len(told) == 3


def test_a_tracker_that_fails(series, config, no_costs, reports, monkeypatch):
    class Failing(runner.TRACKERS["wandb"]):
        def run(self, *args):
            raise OSError("no network")

    monkeypatch.setitem(runner.TRACKERS, "wandb", Failing)
    config = dataclasses.replace(config, tracker="wandb", objectives=("random",), students=("control",), lengths=(8,))
    with pytest.raises(ValueError, match="--tracker wandb failed: no network; the report and all records are in"):
        runner.run(config)
    assert len(reports) == 1
    assert (config.out / "results.json").exists()


# --------------------------------------------------------------------------------------------- command line


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset):
    config = from_arguments([f"--{preset}"])
    assert config.sets[0] == "BasicMotions"
    assert config.students == ("hyena", "s4", "gru", "control")
    assert len(runner.phases(config)[0]) == len(config.sets) * len(config.objectives) * config.seeds


def test_nothing_said_is_quick():
    assert from_arguments([]) == from_arguments(["--quick"])


def test_arguments_go_over_a_file_and_a_file_over_a_preset(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('orders = [2, 5]\nseeds = 4\nstudents = ["hyena"]\nout = "somewhere"\nlimit = 1.5\n')
    config = from_arguments(["--config", str(path), "--seeds", "2"])
    assert (config.orders, config.seeds, config.students, str(config.out)) == ((2, 5), 2, ("hyena",), "somewhere")
    assert config.limit == 1.5
    full = from_arguments(["--full"])
    assert (config.sets, config.lengths, config.n_steps) == (full.sets, full.lengths, full.n_steps)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--orders", "0"], "argument --orders: must be at least 1, got 0"),
        (["--orders", "two"], "argument --orders: invalid number value: 'two'"),
        (["--students", "rnn"], "argument --students: invalid choice: 'rnn'"),
        (["--tracker", "mlflow"], "argument --tracker: invalid choice: 'mlflow'"),
        (["--lengths", "1"], "argument --lengths: must be at least 2, got 1"),
        (["--seeds", "0"], "argument --seeds: must be at least 1, got 0"),
        (["--config", "nowhere.toml"], "--config nowhere.toml cannot be read"),
        (["--quick", "--full"], "not allowed with argument --quick"),
    ],
)
def test_wrong_arguments(arguments, sentence, capsys):
    with pytest.raises(SystemExit):
        from_arguments(arguments)
    assert sentence in capsys.readouterr().err


def test_wrong_file(tmp_path, capsys):
    path = tmp_path / "study.toml"
    path.write_text("depth = 3\n")
    with pytest.raises(SystemExit):
        from_arguments(["--config", str(path)])
    assert "unrecognized arguments: --depth 3" in capsys.readouterr().err


def test_tracker_that_is_not_there(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        from_arguments(["--tracker", "wandb"])
    assert "--tracker wandb needs the package wandb: run `pip install wandb`" in capsys.readouterr().err


def said(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["hyena_vs_mha", *map(str, arguments)])
    with pytest.raises(SystemExit) as found:
        command.main()
    return str(found.value)


def test_wrong_data(monkeypatch, tmp_path):
    out = tmp_path / "out"
    found = said(monkeypatch, "--data", tmp_path / "nothing", "--out", out)
    assert found.startswith(f"data set BasicMotions is not in the data folder {tmp_path / 'nothing'}: there is no file")
    assert said(monkeypatch, "--sets", "Nothing", "--out", out).startswith("data set Nothing needs a data folder")
    assert not out.exists()


def test_full_disk(series, reports, monkeypatch, tmp_path):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cells.Store, "write", full)
    found = said(monkeypatch, "--n_steps", 1, "--out", tmp_path, "--n_jobs", 1)
    assert found.startswith(f"No space left on device: {tmp_path}; what is finished is kept")


def test_stopped_by_the_user(series, monkeypatch, tmp_path):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "measured", stop)
    assert "the same command goes on from there" in said(monkeypatch, "--out", tmp_path, "--n_jobs", 1)


def test_a_process_that_is_killed(monkeypatch, tmp_path):
    def killed(config):
        raise BrokenProcessPool

    monkeypatch.setattr(command, "run", killed)
    assert said(monkeypatch, "--out", tmp_path).startswith("a process was killed, perhaps for want of memory")


# ---------------------------------------------------------------------------------------------------- files


def test_files_are_written_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "a.json"
    write(path, "before")

    def full(self, text):
        self.open("w").close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OSError, match="No space"):
        write(path, "after")
    assert path.read_bytes() == b"before"
    assert [found.name for found in path.parent.iterdir()] == ["a.json"]


def test_rounded():
    found = rounded(
        {"a": [np.float64(1.23456789), np.nan, 2], "b": np.array([1e-7, np.inf]), "c": np.int64(3), "d": "x"}
    )
    assert found == {"a": [1.23457, None, 2], "b": [1e-7, None], "c": 3, "d": "x"}
    assert json.dumps(found)


def test_names_of_files_are_plain_and_differ(series, config):
    teachers, students, costs = runner.phases(config)
    every = [*teachers, *students, *costs]
    names = [Store(config.out).name(cell) for cell in every]
    assert len(set(names)) == len(every)
    assert all(name.replace("-", "").isalnum() for name in names)
    other = Student(dataclasses.replace(teachers[0], data="another checksum"), "GRU")
    assert Store(config.out).name(other) not in names
