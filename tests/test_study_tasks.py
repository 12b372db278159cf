"""The tasks, teachers and students of the study of Hyena against attention, in small versions."""

import dataclasses
import json
import sys
from types import MappingProxyType

import numpy as np
import pytest
import torch

from benchmarks.hyena_vs_mha import budgets, series, tasks, tokens
from benchmarks.hyena_vs_mha.attention_map import GROUPS, PROPERTIES, against_error, errors, properties, rows_of
from benchmarks.hyena_vs_mha.students import OTHERS, USUAL_ORDER, StudentKind, expansion, kind_of
from benchmarks.hyena_vs_mha.tasks import ACCURACY, SYNTHETIC, SeriesTask, TextTask, data_of, task_of
from benchmarks.hyena_vs_mha.trainings import Store, Student, Teacher, models_of, student_record, teacher_record
from sigfeat.nn import Encoder, EncoderSpec, LanguageModelConfig, layer_tokens, param_count

N_SERIES, LENGTH, TEXT = 24, 24, 3000


def small(task):
    """The same task with few, short sequences."""
    if isinstance(task, SeriesTask):

        def draw(folder):
            X, y, X_test, y_test = task.draw(folder)
            return X[:N_SERIES, :, :LENGTH], y[:N_SERIES], X_test[:N_SERIES, :, :LENGTH], y_test[:N_SERIES]

        return dataclasses.replace(task, draw=draw)
    if isinstance(task, TextTask):
        return dataclasses.replace(task, length=LENGTH)
    return dataclasses.replace(task, length=2 * LENGTH, n_test=16)


@pytest.fixture
def small_tasks(monkeypatch):
    text = tasks.load_python_help()[:TEXT]
    monkeypatch.setattr(tasks, "load_python_help", lambda: text)
    monkeypatch.setattr(tasks, "SYNTHETIC", MappingProxyType({name: small(task) for name, task in SYNTHETIC.items()}))
    monkeypatch.setattr(tokens, "STEPS_PER_EPOCH", 2)
    monkeypatch.setattr(tokens, "HELD_OUT", 16)
    for function in (data_of, models_of):
        function.cache_clear()
    yield
    for function in (data_of, models_of):
        function.cache_clear()


# ------------------------------------------------------------------------------------------------- students


def test_kinds_of_students():
    assert kind_of("Hyena order 12") == StudentKind("hyena", 12)
    assert kind_of("Hyena order 3, equal weights") == StudentKind("hyena", 3, True)
    assert {name: kind_of(name).mixer for name in OTHERS} == OTHERS


@pytest.mark.parametrize("name", ["hyena", "Hyena order 0", "Hyena order 2, equal width", "GRU, equal weights", "LSTM"])
def test_unknown_students(name):
    with pytest.raises(ValueError, match="student must be one of S4D, GRU, control, Hyena order N, got "):
        kind_of(name)


@pytest.mark.parametrize("order", [1, 3, 4, 8])
def test_equal_weights_are_equal(order):
    def count(order, width):
        shape = {"n_tokens": 8, "context": 16} | tokens.SHAPE
        return param_count(LanguageModelConfig(mixer="hyena", order=order, expansion=width, **shape))

    width = expansion(StudentKind("hyena", order, True), count, tokens.SHAPE["d_model"])
    usual = count(USUAL_ORDER, 1.0)
    assert count(order, width) == pytest.approx(usual, rel=0.02)
    assert abs(count(order, 1.0) / usual - 1) > 0.1  # otherwise nothing is shown
    assert (width > 1) == (order < USUAL_ORDER)


def test_the_nearest_width():
    """Each channel has 22 weights; 3.5 channels are as near to 3 as to 4, and there are at most 255."""
    kind = StudentKind("hyena", 4, True)

    def found(wanted):
        return 64 * expansion(kind, lambda order, width: wanted if order == USUAL_ORDER else 22 * 64 * width, 64)

    assert [found(wanted) for wanted in (22, 0, 22 * 3.4, 22 * 3.5, 22 * 3.6, 1e9)] == [1, 1, 3, 3, 4, 255]


def test_width_is_one_otherwise():
    for kind in (StudentKind("hyena", 8), StudentKind("hyena", USUAL_ORDER, True)):
        assert expansion(kind, lambda order, width: 1 / 0, 64) == 1


# ---------------------------------------------------------------------------------------------------- tasks


@pytest.mark.parametrize("name", SYNTHETIC)
def test_a_task_from_data_to_student(name, small_tasks, tmp_path):
    task, data, store = task_of(name), data_of(name, None), Store(tmp_path)
    objective = "supervised" if isinstance(task, SeriesTask) else tasks.NEXT_TOKEN
    assert len(data.checksum) == 12
    assert data_of.__wrapped__(name, None).checksum == data.checksum  # the same draw again
    cell = Teacher(name, data.checksum, objective, 0, 1)
    record = teacher_record(cell, store, None)
    assert (record["kind"], record["data_set"], record["unit"], record["mixes"]) == ("teacher", name, task.unit, True)
    assert np.isfinite(record["score"])
    assert record["n_test"] >= 8
    without = dataclasses.replace(cell, mixes=False)
    assert teacher_record(without, store, None)["mixes"] is False
    assert store.has_teacher(cell)
    assert not store.has_teacher(without)

    models = models_of(name, None)
    kept = store.teacher(cell, models)
    assert models.judge(kept)[0] == pytest.approx(record["score"])

    record = student_record(Student(cell, "Hyena order 1, equal weights", 1), store, None)
    assert (record["student"], record["unit"]) == ("Hyena order 1, equal weights", task.unit)
    assert np.isfinite([record["score"], record["fidelity"]["token_r2"]]).all()
    assert 0 <= record["agreement"] <= 1
    assert set(record["attention"]) == set(PROPERTIES)
    assert all(len(values["error"]) == GROUPS for values in record["attention"].values())
    assert np.shape(record["layers"])[0] == len(record["health"]["signal"][0])
    with pytest.raises(ValueError, match=f"there is no {name} {objective} seed 1 attention"):
        student_record(Student(dataclasses.replace(cell, seed=1), "GRU", 1), store, None)


def test_budgets_take_the_teachers_of_the_study(small_tasks, tmp_path, monkeypatch, capsys):
    file, trained = tmp_path / "budgets.json", []
    command = ["budgets", "--tasks", "memory", "--out", str(tmp_path), "--results", str(file), "--n_jobs", "1"]
    monkeypatch.setattr(sys, "argv", [*command, "--factors", "0.25", "0.5"])
    teacher_record(
        Teacher("memory", data_of("memory", None).checksum, tasks.NEXT_TOKEN, 0, None), Store(tmp_path), None
    )
    budgets.main()
    header, _, row = capsys.readouterr().out.splitlines()
    assert [cell.strip() for cell in header.strip("|").split("|")][2:] == [
        "R2 x0.25",
        "R2 x0.5",
        "score x0.25",
        "score x0.5",
    ]
    assert [cell.strip() for cell in row.strip("|").split("|")][:2] == ["memory", "12"]
    records = json.loads(file.read_text())["records"]
    assert [record["max_epochs"] for record in records] == [3, 6]
    assert records[0]["token_r2"] != records[1]["token_r2"]
    monkeypatch.setattr(budgets, "measured", lambda cell, *where: trained.append(cell))
    budgets.main()
    assert not trained


def test_units_and_names():
    assert {task.unit for task in SYNTHETIC.values()} == set(tasks.LEAST_GAP)
    assert task_of("Handwriting").max_epochs > task_of("A set").max_epochs
    assert task_of("A set").unit == ACCURACY
    cell = Teacher("text", "", tasks.NEXT_TOKEN, 3, None)
    assert str(cell) == "text next token seed 3 attention"
    assert str(dataclasses.replace(cell, mixes=False)) == "text next token seed 3 without mixing"
    assert str(Student(cell, "GRU", 5)) == "text next token seed 3 GRU"


def test_data_depend_on_nothing_but_the_name():
    """Training, validation, test and distillation draw different sequences."""
    task = SYNTHETIC["recall"]
    kinds = [
        task.draw(4, [0, kind]).tokens for kind in (tasks.TRAINING, tasks.TEST, tasks.VALIDATION, tasks.DISTILLATION)
    ]
    assert not any(np.array_equal(one, other) for k, one in enumerate(kinds) for other in kinds[:k])
    np.testing.assert_array_equal(kinds[1], task.draw(4, [0, tasks.TEST]).tokens)


# ------------------------------------------------------------------------------------------- without mixing


def test_a_language_model_without_mixing(small_tasks):
    """Its output at a token depends on this token alone."""
    models = models_of("recall", None)
    model = models.teach(tasks.NEXT_TOKEN, 0, False, 1)
    inputs = torch.from_numpy(models.data.test[:2].copy())
    changed = inputs.clone()
    changed[:, :-1] = changed[:, :-1].flip(1)
    mixing = models.teach(tasks.NEXT_TOKEN, 0, True, 1)
    with torch.no_grad():
        torch.testing.assert_close(model(changed)[:, -1], model(inputs)[:, -1])
        assert not torch.allclose(mixing(changed)[:, -1], mixing(inputs)[:, -1])


def test_an_embedder_without_mixing(small_tasks):
    """Its tokens depend on the points that are embedded together, and on no others."""
    models = models_of("pointer", None)
    model = series.WithoutMixing(fit_mode="random", random_state=0).fit(models.data.train)
    X = models.data.test[:2].copy()
    changed = X.copy()
    changed[:, :, :2] += 5
    before, after = (model.tokens(values) for values in (X, changed))
    reach = 2 + model.embedding_filter
    np.testing.assert_allclose(after[:, :, reach:], before[:, :, reach:], atol=1e-6)
    assert not np.allclose(after[:, :, :2], before[:, :, :2])


# ----------------------------------------------------------------------------------------- weights and errors


class Fixed:
    """A network of one block whose attention has given weights."""

    def __init__(self, weights):
        self.blocks = [self]
        self.mixer, self.mixer_norm = self, lambda x: x
        self.weights = lambda x, mask: weights


@pytest.fixture
def of(monkeypatch):
    """Properties of given weights (batch, heads, length, length)."""
    monkeypatch.setattr("benchmarks.hyena_vs_mha.attention_map.layer_tokens", lambda network, x, mask: [x, x])

    def found(weights, mask=None):
        return properties(Fixed(weights), torch.zeros(weights.shape[0], weights.shape[2], 1), mask)

    return found


def test_uniform_weights(of):
    found = of(torch.full((3, 2, 8, 8), 1 / 8))
    np.testing.assert_allclose(found["entropy"], 3, rtol=1e-6)
    np.testing.assert_allclose(found["dependence"], 0, atol=1e-7)
    lags = np.abs(np.subtract.outer(np.arange(8), np.arange(8))).mean(1)
    np.testing.assert_allclose(found["distance"], np.tile(lags, 3), rtol=1e-6)


def test_a_shift_has_its_lag_as_distance(of):
    shift = torch.roll(torch.eye(8), 3, dims=0)  # token t attends to t - 3
    found = of(shift.expand(2, 1, 8, 8))
    np.testing.assert_allclose(found["entropy"], 0, atol=1e-6)
    np.testing.assert_allclose(found["dependence"], 0, atol=1e-7)
    np.testing.assert_allclose(found["distance"][3:8], 3)


def test_weights_that_follow_the_input(of):
    """Two series attend to two different tokens: each is half a unit of mass away from the mean."""
    weights = torch.zeros(2, 1, 4, 4)
    weights[0, :, :, 0] = weights[1, :, :, 3] = 1
    np.testing.assert_allclose(of(weights)["dependence"], 0.5)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    assert {name: values.shape for name, values in of(weights, mask).items()} == dict.fromkeys(PROPERTIES, (6,))


def test_errors_by_hand():
    teacher = Encoder(EncoderSpec("attention", 1), generator=torch.Generator().manual_seed(0)).eval()
    inputs = torch.randn(3, 7, 1, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(errors(teacher, teacher, inputs, None), np.zeros(21))
    student = Encoder(EncoderSpec("pointwise", 1), generator=torch.Generator().manual_seed(1)).eval()
    found = errors(student, teacher, inputs, None)
    with torch.no_grad():
        wanted, own = (
            net.norm(layer_tokens(net, inputs, None)[-1]).flatten(0, 1).double() for net in (teacher, student)
        )
    variance = ((wanted - wanted.mean(0)) ** 2).sum(1).mean()
    np.testing.assert_allclose(found, ((own - wanted) ** 2).sum(1) / variance, rtol=1e-6)


def test_errors_against_properties():
    values = np.arange(10.0)
    found = against_error({"entropy": values, "distance": np.ones(10)}, values**2)
    assert found["entropy"]["rank_correlation"] == pytest.approx(1)
    assert found["entropy"]["property"] == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert found["entropy"]["error"] == [0.5, 6.5, 20.5, 42.5, 72.5]
    assert found["distance"]["rank_correlation"] is None


def test_number_of_series_whose_weights_are_computed():
    assert rows_of(32, 100, 4) == 32
    assert rows_of(8, 100, 4) == 8
    assert rows_of(32, 1000, 4) == 5
    assert rows_of(32, 100_000, 4) == 2
    assert rows_of(1, 100, 4) == 2
