"""The study of Hyena against attention: figures of its records, and cells that it resumes, repeats and refuses."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from benchmarks.data import chosen_sets
from benchmarks.hyena_vs_mha import cells, runner, series, tasks, trainings
from benchmarks.hyena_vs_mha.cells import Store, Student
from benchmarks.hyena_vs_mha.config import FULL_TIME, QUICK_TIME, Config, from_arguments
from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED, TASKS, known
from benchmarks.hyena_vs_mha.tasks import SYNTHETIC
from benchmarks.study.records import file_name
from sigfeat import MHAEmbedder
from tests.pages import ROOT

LENGTHS = (15, 12)  # of the series of both classes


@pytest.fixture
def panels(monkeypatch):
    """A data set of series of unequal lengths in place of files."""

    def load(name, part, folder):
        rng = np.random.default_rng(part == "TEST")
        X, y = rng.normal(size=(14, 2, 15)).cumsum(axis=2), np.array(["a", "b"] * 7)
        X[1::2, :, LENGTHS[1] :] = np.nan
        return X, y

    monkeypatch.setattr(tasks, "load", load)
    kept = (tasks.data_of, trainings.models_of)
    for function in kept:
        function.cache_clear()
    yield
    for function in kept:
        function.cache_clear()


@pytest.fixture
def reports(monkeypatch):
    """What reports are written of; drawing one takes seconds, and has tests of its own."""
    asked = []
    monkeypatch.setattr(runner, "write_report", lambda *asked_for: asked.append(asked_for))
    monkeypatch.setattr(runner.figures, "all_figures", lambda records: {"number of records": len(records)})
    return asked


@pytest.fixture
def config(tmp_path, reports):
    return Config(
        data=None,
        tasks=("A",),
        objectives=("random",),
        students=("hyena", "control"),
        orders=(2,),
        matches=("width",),
        seeds=1,
        teacher_epochs=1,
        max_epochs=1,
        lengths=(8,),
        attention_up_to=100,
        batch=1,
        repeat=1,
        limit=60.0,
        n_jobs=1,
        report=False,
        tracker="csv",
        out=tmp_path / "study",
    )


@pytest.fixture
def no_costs(monkeypatch):
    """Costs are measured in processes of their own, which take seconds."""
    measured = []

    def measure(names, length, task, batch, repeat, limit):
        measured.append((names, length, task))
        return [known(name, length, task, batch) | {"seconds": [0.5] * repeat, "peak_bytes": 10} for name in names]

    monkeypatch.setattr(cells, "measure_apart", measure)
    return measured


@pytest.fixture
def measured(monkeypatch):
    """Names of the cells that are measured; `stop_after` of them the user stops the study."""

    class Names(list):
        stop_after = None

    names, measure = Names(), runner.measured

    def note(cell, **rest):
        if len(names) == names.stop_after:
            raise KeyboardInterrupt
        names.append(str(cell))
        return measure(cell, **rest)

    monkeypatch.setattr(runner, "measured", note)
    return names


def test_records_and_files(panels, config, no_costs, reports):
    config = dataclasses.replace(config, objectives=("supervised",), students=("hyena", "s4", "gru"))
    records = runner.run(config)
    teachers, students, costs = ([r for r in records if r["kind"] == kind] for kind in ("teacher", "student", "cost"))
    assert [(r["mixes"], r["n_train"], r["n_channels"], r["n_timepoints"]) for r in teachers] == [
        (True, 14, 2, 15),
        (False, 14, 2, 15),
    ]
    assert {(r["data_set"], r["objective"], r["unit"]) for r in teachers} == {("A", "supervised", "accuracy")}
    assert [r["student"] for r in students] == ["Hyena order 2", "S4D", "GRU"]
    assert no_costs == [((FUSED, EXPLICIT, *(record["student"] for record in students)), 8, task) for task in TASKS]
    assert [(record["name"], record["task"]) for record in costs] == [
        (name, task) for names, _, task in no_costs for name in names
    ]
    for record in students:
        assert 0 <= record["score"] <= 1
        assert 0 <= record["agreement"] <= 1
        assert set(record["attention"]) == {"entropy", "distance", "dependence"}
        assert np.shape(record["layers"]) == (3, 3)
        health = record["health"]
        assert health["step"] == list(range(1, 21))
        assert np.shape(health["signal"]) == (2, 3)
        whole = np.array(health["gradient_norm"])
        assert (np.linalg.norm(health["block_gradient_norms"], axis=0) <= whole * 1.001).all()
    found = json.loads((config.out / "results.json").read_text())
    assert found["records"] == records
    assert found["circumstances"]["config"]["orders"] == [2]
    assert len((config.out / "students.csv").read_text().splitlines()) == 1 + len(students)
    assert reports == [(records, found["circumstances"], config.out)]


def test_figures_of_a_student_are_those_of_the_embedders(panels, config, no_costs, monkeypatch):
    config = dataclasses.replace(config, students=("control",))
    fitted = []
    distil = series.SeriesModels.distil
    monkeypatch.setattr(
        series.SeriesModels, "distil", lambda *rest: fitted.append((rest[0], distil(*rest))) or fitted[-1][1]
    )
    record = next(record for record in runner.run(config) if record["kind"] == "student")
    models, student = fitted[0]
    assert student.encoder_.spec.mixer == "pointwise"
    X_test, y_test = tasks.load("A", "TEST", None)
    found = student.fidelity(X_test)
    assert record["fidelity"]["token_r2"] == pytest.approx(found["token_r2"], rel=1e-5)
    score, by_class = models.judge(student)
    assert record["score"] == pytest.approx(np.mean(by_class == y_test), rel=1e-5) == pytest.approx(score, rel=1e-5)
    tokens = student.tokens(X_test)
    inputs, mask = models.sample(student, 14)
    assert mask.sum() == 7 * sum(LENGTHS)
    with torch.no_grad():
        own = student.encoder_(inputs, mask).numpy().transpose(0, 2, 1)
    for row, of_test in enumerate(np.random.default_rng(0).permutation(14)):
        length = LENGTHS[of_test % 2]
        np.testing.assert_allclose(own[row, :, :length], tokens[of_test, :, :length], atol=1e-5)


def test_a_study_that_was_stopped_goes_on(panels, config, no_costs, measured):
    measured.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        runner.run(config)
    measured.stop_after = None
    records = runner.run(config)
    assert len(measured) == len(set(measured)) == 2 + 2 + 2
    assert len(records) == 2 + 2 + 2 * 3
    assert runner.run(config) == records
    assert len(measured) == 2 + 2 + 2


@pytest.mark.parametrize("students", [(), ("hyena",), ("hyena", "control")])
@pytest.mark.parametrize("matches", [("width",), ("weights",), ("width", "weights")])
def test_order_of_cells(panels, config, students, matches):
    """Teachers, controls, and students of equal weights last; order 2 is the same student in both comparisons."""
    config = dataclasses.replace(
        config, tasks=("A", "recall"), students=students, orders=(1, 2), matches=matches, seeds=2, max_epochs=None
    )
    teachers, found, costs = runner.phases(config)
    wide = ["Hyena order 1", "Hyena order 2"] if "hyena" in students and "width" in matches else []
    equal = ["Hyena order 1, equal weights", "Hyena order 2, equal weights"]
    equal = equal[: 1 if wide else 2] if "hyena" in students and "weights" in matches else []
    first = [*wide, *(["control"] if "control" in students else [])]
    cells_of_teachers = [(task, seed) for seed in (0, 1) for task in ("A", "recall")]
    assert [(cell.task, cell.seed, cell.mixes) for cell in teachers] == [
        (*cell, mixes) for mixes in (True, False) for cell in cells_of_teachers
    ]
    assert [(cell.teacher.task, cell.teacher.seed, cell.student) for cell in found] == [
        (*cell, name) for names in (first, equal) for cell in cells_of_teachers for name in names
    ]
    assert {cell.objective for cell in teachers} == {"random", "next token"}
    assert {cell.max_epochs for cell in found} <= {
        tasks.task_of("A").student_epochs,
        SYNTHETIC["recall"].student_epochs,
    }
    assert all(cell.teacher.mixes for cell in found)
    assert {cell.mixers for cell in costs} == {
        (FUSED, EXPLICIT, *(["Hyena order 1", "Hyena order 2"] if "hyena" in students else []))
    }


def test_further_orders_and_seeds_only_add_cells(panels, config):
    def cells_of(**changed):
        return {file_name(cell) for kind in runner.phases(dataclasses.replace(config, **changed)) for cell in kind}

    before = cells_of()
    assert before < cells_of(seeds=2, lengths=(8, 16))
    teachers, students, costs = runner.phases(dataclasses.replace(config, max_epochs=2, teacher_epochs=2))
    of_costs = {file_name(cell) for cell in costs}
    more = cells_of(orders=(1, 2))
    assert before - more == of_costs  # all mixers take turns: another one needs new rounds
    assert not before & {file_name(cell) for cell in (*teachers, *students)}
    assert before >= {file_name(cell) for cell in costs}
    other = Student(dataclasses.replace(teachers[0], data="another checksum"), "control", 1)
    assert file_name(other) not in before
    assert all(name.replace("-", "").isalnum() for name in before)


def test_slow_mixers_are_left_out_at_great_lengths(panels, config, no_costs):
    config = dataclasses.replace(config, lengths=(8, 16), attention_up_to=8)
    records = [record for record in runner.run(config) if record["kind"] == "cost"]
    found = {(record["name"], record["length"]): record.get("failure") for record in records}
    assert {key for key, failure in found.items() if failure == "left out"} == {(FUSED, 16), (EXPLICIT, 16)}
    assert no_costs[-1] == (("Hyena order 2",), 16, "training")


def test_lost_teachers_and_broken_records_are_made_again(panels, config, no_costs, measured):
    config = dataclasses.replace(config, students=("control",))
    before = runner.run(config)
    teachers, students, _ = runner.phases(config)
    store = Store(config.out)
    for path in (config.out / "teachers").glob("*/*"):
        path.write_bytes(b"")
    store.path(students[0]).write_text("{")
    models = trainings.models_of("A", None)
    assert store.teacher(teachers[0], models) is None
    del measured[:]
    after = runner.run(config)
    assert measured == [str(teachers[0]), str(students[0])]
    assert after[2]["similarity"] == before[2]["similarity"]
    assert isinstance(store.teacher(teachers[0], models), MHAEmbedder)
    assert [store.has_teacher(cell) for cell in teachers] == [True, False]  # those without mixing are not needed again


def test_a_teacher_that_fails_and_its_students_are_left_out(panels, config, no_costs, monkeypatch, capsys):
    class Failing(MHAEmbedder):
        def fit(self, X, y=None):
            raise ValueError("training diverged")

    monkeypatch.setattr(series, "MHAEmbedder", Failing)
    assert [record.get("mixes") for record in runner.run(config) if record["kind"] != "cost"] == [False]
    failures = capsys.readouterr().err
    assert "A random seed 0 attention: not measured: training diverged" in failures
    assert "A random seed 0 control: not measured: there is no A random seed 0 attention" in failures


def test_runs_are_logged_once(panels, config, no_costs, monkeypatch):
    logged, pictures = [], []

    class Noting(runner.TRACKERS["wandb"]):
        def run(self, *run):
            logged.append(run)

        def pictures(self, found):
            pictures.append(found)

    monkeypatch.setitem(runner.TRACKERS, "wandb", Noting)
    config = dataclasses.replace(config, tracker="wandb", students=("control",))
    runner.run(config)
    assert len(logged) == 3
    _, settings, values, curves, steps = logged[2]
    assert (settings["student"], settings["seed"], settings["max_epochs"]) == ("control", 0, 1)
    assert {"fidelity/token_r2", "score", "similarity/linear CKA/value", "seconds"} <= set(values)
    assert all(len(curve) == len(steps) == 20 for curve in curves.values())
    assert pictures == [{"number of records": 3 + 2 * 2}]
    runner.run(config)
    assert len(logged) == 3


@pytest.fixture
def folder(tmp_path):
    """Data sets as empty files; "Half" has no test part."""
    for name in ("Cars", "Apples", "BasicMotions", "Dogs", "Eggs"):
        (tmp_path / name).mkdir()
        for part in ("TRAIN", "TEST"):
            (tmp_path / name / f"{name}_{part}.ts").touch()
    (tmp_path / "Half").mkdir()
    (tmp_path / "Half" / "Half_TRAIN.ts").touch()
    return tmp_path


def test_sets_of_a_folder(folder):
    assert chosen_sets(None, ("A", "B")) == ["A", "B"]
    assert chosen_sets(folder, ("Nowhere", "Dogs", "BasicMotions")) == ["Dogs", "BasicMotions"]
    assert chosen_sets(folder, ("Nowhere", "Half")) == ["Apples", "BasicMotions", "Cars"]
    with pytest.raises(ValueError, match="there is no data set in .*Half: no file NAME/NAME_TRAIN.ts with"):
        chosen_sets(folder / "Half", ("Half",))


def test_a_folder_without_names_of_sets(folder, capsys):
    (folder / "BasicMotions").rename(folder / "Libras")
    for part in ("TRAIN", "TEST"):
        (folder / "Libras" / f"BasicMotions_{part}.ts").rename(folder / "Libras" / f"Libras_{part}.ts")
    synthetic = ("pointer", "recall", "induction", "text")
    assert from_arguments(["--full", "--data", str(folder)]).tasks == (*synthetic, "Libras")
    assert capsys.readouterr().err == f"data sets from {folder}: Libras\n"
    assert from_arguments(["--data", str(folder)]).tasks == ("memory", "Apples", "Cars", "Dogs")
    assert capsys.readouterr().err == f"data sets from {folder}: Apples, Cars, Dogs\n"
    assert from_arguments(["--data", str(folder), "--tasks", "Cars", "text"]).tasks == ("Cars", "text")
    assert capsys.readouterr().err == ""
    with pytest.raises(SystemExit):
        from_arguments(["--data", str(folder / "Half")])
    assert f"--data {folder / 'Half'}: there is no data set" in capsys.readouterr().err


def test_presets_without_a_folder(capsys):
    """Data sets that sktime does not ship are left out, and it is reported."""
    assert from_arguments([]).tasks == ("memory", "BasicMotions")
    assert capsys.readouterr().err == ""
    full = from_arguments(["--full"])
    assert set(full.tasks) <= set(SYNTHETIC)
    assert (full.max_epochs, full.teacher_epochs, full.matches) == (None, None, ("width", "weights"))
    assert "without --data DIR, there is no data set UWaveGestureLibrary" in capsys.readouterr().err
    assert from_arguments(["--students"]).students == ()
    assert from_arguments(["--teacher_epochs", "3", "--max_epochs", "2"]).teacher_epochs == 3


def test_times_are_the_same_everywhere(capsys):
    with pytest.raises(SystemExit):
        from_arguments(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert f"{QUICK_TIME} (default)" in text
    for time in (QUICK_TIME, FULL_TIME):
        assert time in text
        assert time in (ROOT / "README.md").read_text()
    assert QUICK_TIME in " ".join((ROOT / "docs" / "guide" / "hyena.md").read_text().split())


def test_arguments_go_over_a_file_and_a_file_over_a_preset(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('orders = [2, 5]\nseeds = 4\nstudents = ["hyena"]\nout = "somewhere"\nlimit = 1.5\n')
    config = from_arguments(["--config", str(path), "--seeds", "2"])
    assert (config.orders, config.seeds, config.students, str(config.out)) == ((2, 5), 2, ("hyena",), "somewhere")
    assert config.limit == 1.5
    full = from_arguments(["--full"])
    assert (config.tasks, config.lengths, config.max_epochs) == (full.tasks, full.lengths, full.max_epochs)
    assert from_arguments([]) == from_arguments(["--quick"])
    path.write_text('tasks = ["text", "A"]\nmatches = ["weights"]\nstudents = []\nteacher_epochs = 4\n')
    config = from_arguments(["--config", str(path)])
    assert (config.tasks, config.matches, config.students) == (("text", "A"), ("weights",), ())
    assert (config.teacher_epochs, config.max_epochs) == (4, None)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--orders", "0"], "argument --orders: must be at least 1, got 0"),
        (["--students", "rnn"], "argument --students: invalid choice: 'rnn'"),
        (["--matches", "length"], "argument --matches: invalid choice: 'length'"),
        (["--sets", "A"], "unrecognized arguments: --sets A"),
        (["--limit", "0"], "argument --limit: must be above 0, got 0"),
        (["--config", "nowhere.toml"], "--config nowhere.toml cannot be read"),
        (["--depth", "3"], "unrecognized arguments: --depth 3"),
        (["--quick", "--full"], "not allowed with argument --quick"),
    ],
)
def test_wrong_arguments(arguments, sentence, capsys):
    with pytest.raises(SystemExit):
        from_arguments(arguments)
    assert sentence in capsys.readouterr().err
