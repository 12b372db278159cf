"""The study of sequence tasks: networks, trainings, the choice of rates, tables, and cells that it resumes."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import torch

from benchmarks.sequence_tasks import __main__ as command
from benchmarks.sequence_tasks import cells, runner, training
from benchmarks.sequence_tasks.conclusion import conclusion
from benchmarks.sequence_tasks.config import NETWORKS, PRESETS, Config, from_arguments
from benchmarks.sequence_tasks.figures import PICTURES
from benchmarks.sequence_tasks.networks import config_of, filters_of, settings_of
from benchmarks.sequence_tasks.report import main_table, verdicts, write_report
from benchmarks.sequence_tasks.summary import chosen_rates, table
from benchmarks.sequence_tasks.tasks import TASKS
from benchmarks.study.pages import FAILS, HOLDS, UNKNOWN
from benchmarks.study.records import file_name
from sigfeat.datasets import make_memory, make_previous_bit
from sigfeat.nn import HyenaLM, param_count

CIRCUMSTANCES = {
    "date": "2026-01-02T03:04:05+00:00",
    "commit": "abc",
    "cpu": "a processor",
    "n_cpus": 2,
    "system": "a system",
    "python": "3.11",
    "versions": {"torch": "2.13", "sigfeat": "0.1"},
    "config": {"lr": [0.003, 0.01], "n_steps": 100},
}


@pytest.fixture
def config(tmp_path):
    return Config(
        tasks=("memory", "previous bit"),
        networks=("Hyena order 1", "attention"),
        lengths=(4,),
        lags=(2,),
        lr=(0.01, 0.001),
        seeds=1,
        n_steps=4,
        every=2,
        batch=4,
        width=8,
        n_weights=6000,
        n_jobs=1,
        report=False,
        table=None,
        tracker="csv",
        out=tmp_path / "study",
    )


@pytest.fixture
def reports(monkeypatch):
    """What reports are written of; drawing one takes seconds, and has tests of its own."""
    asked = []
    monkeypatch.setattr(runner, "write_report", lambda *asked_for: asked.append(asked_for))
    monkeypatch.setattr(runner.figures, "all_figures", lambda records: {})
    return asked


def record(task="memory", size=32, network="S4D", lr=0.01, seed=0, accuracy=1.0, solved=50, **more):
    """One as `measured` gives; `solved` is the step, None for never."""
    filters = None
    if network.startswith(("Hyena", "S4")):
        filters = {moment: [[0.1, 0.2, 0.3]] * 4 for moment in ("before", "after")}
    return {
        "task": task,
        "size": size,
        "network": network,
        "lr": lr,
        "seed": seed,
        "n_steps": 100,
        "batch": 16,
        "chance": 0.125,
        "n_parameters": 80_000,
        "accuracy": accuracy,
        "held_out": accuracy,
        "steps": 100 if solved is None else solved + 10,
        "steps_to_solve": solved,
        "seconds": 2.0,
        "peak_bytes": 2**20,
        "curve": {"step": [50, 100], "accuracy": [0.5, accuracy], "loss": [2.0, 0.1]},
        "filters": filters,
        "commit": "abc",
        "date": "2026-01-02T03:04:05+00:00",
    } | more


@pytest.fixture
def records():
    found = []
    for task, sizes in (("memory", (32, 128)), ("previous bit", (8, 64)), ("associative recall", (32, 128))):
        for size in sizes:
            for network in NETWORKS:
                if size == sizes[0]:
                    found.append(record(task, size, network, 0.003, accuracy=0.2, solved=None))
                found.append(record(task, size, network, accuracy=0.3 if network == "GRU" else 1.0))
                if network == "GRU":
                    found[-1] |= {"steps_to_solve": None}
    return found


# ------------------------------------------------------------------------------------------------ networks


@pytest.mark.parametrize("network", NETWORKS)
def test_networks_are_of_equal_size_and_causal(network):
    sizes = {"n_tokens": 11, "context": 20, "width": 16, "n_weights": 12_000}
    config = config_of(network, **sizes)
    assert abs(param_count(config) / 12_000 - 1) < 0.01
    model = HyenaLM(config, generator=torch.Generator().manual_seed(0)).eval()
    tokens = torch.arange(20)[None] % 11
    changed = tokens.clone()
    changed[0, -1] = 5
    np.testing.assert_allclose(model(tokens)[:, :-1].detach(), model(changed)[:, :-1].detach(), atol=1e-5)
    filters = filters_of(model)
    assert (filters is None) == (network in ("GRU", "attention"))
    assert filters is None or filters.shape == (2 * 16, 20)


def test_networks_that_cannot_be():
    with pytest.raises(ValueError, match=r"n_weights must be at least [\d,]+ for GRU of width 64, got 100"):
        config_of("GRU", 4, 8, 64, 100)
    with pytest.raises(ValueError, match="network must be one of S4D, .*Hyena order N, got 'Hyena'"):
        settings_of("Hyena")


# ------------------------------------------------------------------------------------------------ training


def test_a_training_ends_when_solved_and_is_the_same_again():
    def once():
        model = HyenaLM(config_of("attention", 4, 3, 16, 4000), generator=torch.Generator().manual_seed(0))
        rng = np.random.RandomState(0)

        def draw():
            return make_memory(16, 3, n_values=2, n_distractors=1, random_state=rng)

        test = make_memory(50, 3, n_values=2, n_distractors=1, random_state=1)
        return training.trained(model, draw, draw(), test, lr=0.01, n_steps=400, every=5)

    found = once()
    assert found["accuracy"] == 1
    curve = found["curve"]
    assert found["steps"] == curve["step"][-1] == found["steps_to_solve"] + 2 * 5 < 400
    assert curve["accuracy"][-3:] == [1, 1, 1]
    assert max(curve["accuracy"][:-3], default=0) < training.SOLVED
    assert found["held_out"] == 1
    assert once()["curve"] == curve


def test_a_training_that_does_not_solve_takes_all_steps():
    model = HyenaLM(config_of("S4D", 2, 6, 8, 3000), generator=torch.Generator().manual_seed(0))
    task = make_previous_bit(20, 6, lag=3)
    found = training.trained(model, lambda: task, task, task, lr=1e-6, n_steps=7, every=3)
    assert found["curve"]["step"] == [3, 6, 7]
    assert found["steps"] == 7
    assert found["steps_to_solve"] is None
    assert np.shape(found["filters"]["before"]) == np.shape(found["filters"]["after"]) == (4, 6)


def test_accuracy_counts_what_is_asked():
    class Echo(torch.nn.Module):
        def forward(self, tokens):
            return torch.nn.functional.one_hot(tokens, 2).float()

    task = make_previous_bit(300, 8, lag=2)
    expected = np.mean(task.tokens[:, 2:] == task.tokens[:, :-2])
    assert training.accuracy(Echo(), task) == pytest.approx(expected)


def test_draws_are_the_same_for_all_networks():
    own = {"size": 8, "lr": 0.1, "n_steps": 1, "every": 1, "batch": 2, "width": 8, "n_weights": 1}
    one, other = (cells.Cell("memory", network=network, seed=3, **own) for network in ("GRU", "S4D"))
    for kind in (cells.TRAINING, cells.HELD_OUT, cells.TEST):
        left, right = (cells._draws(cell, kind).randint(1000, size=9) for cell in (one, other))
        np.testing.assert_array_equal(left, right)
    assert (cells._draws(one, cells.TEST).randint(1000, size=9) != left[::-1]).any()


def test_associative_recall_is_trained_on_more_answers_than_it_is_judged_by():
    task = TASKS["associative recall"]
    assert (task.draw(5, 20, 0).targets >= 0).sum() == 5
    assert (task.draw(5, 20, 0, training=True).targets >= 0).sum() > 5
    assert TASKS["previous bit"].draw(2, 7, 0).tokens.shape == (2, 14)


# ------------------------------------------------------------------------------------------------- a study


def test_records_and_files_of_a_study(config, reports):
    records = runner.run(config)
    places = [(one["task"], one["size"], one["network"], one["lr"]) for one in records]
    assert places == [
        (task, size, network, lr)
        for task, size in (("memory", 4), ("previous bit", 2))
        for network in config.networks
        for lr in config.lr
    ]
    found = json.loads((config.out / "results.json").read_text())
    assert found["records"] == records
    assert found["circumstances"]["config"]["lags"] == [2]
    assert len((config.out / "results.csv").read_text().splitlines()) == 1 + len(records)
    assert reports == [(records, found["circumstances"], config.out)]


def test_a_study_that_was_stopped_goes_on(config, reports, monkeypatch):
    names, measured, stop_after = [], runner.measured, 3

    def note(cell, **rest):
        if len(names) == stop_after:
            raise KeyboardInterrupt
        names.append(str(cell))
        return measured(cell, **rest)

    monkeypatch.setattr(runner, "measured", note)
    config = dataclasses.replace(config, tasks=("memory",))
    with pytest.raises(KeyboardInterrupt):
        runner.run(config)
    unfinished = runner.run(dataclasses.replace(config, report=True))
    stop_after = None
    records = runner.run(config)
    assert records[:3] == unfinished
    assert len(names) == len(set(names)) == len(records) == 4
    assert runner.run(config) == records
    assert len(names) == 4


def test_further_sizes_only_add_cells(config):
    before = {file_name(cell) for cell in runner.cells_of(config)}
    assert before < {file_name(cell) for cell in runner.cells_of(dataclasses.replace(config, lengths=(4, 8), seeds=2))}
    assert not before & {file_name(cell) for cell in runner.cells_of(dataclasses.replace(config, width=16))}


def test_a_cell_that_fails_is_left_out(config, reports, capsys):
    assert runner.run(dataclasses.replace(config, n_weights=10)) == []
    assert "not measured: n_weights must be at least" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------ tables, sentences


def test_the_rate_is_chosen_by_held_out_sequences():
    tried = [
        record(lr=0.01, solved=50, accuracy=0.995),
        record(lr=0.003, solved=20, accuracy=0.991),
        record(lr=0.03, solved=10, held_out=0.98, accuracy=1.0),
        record(network="GRU", lr=0.01, solved=None, accuracy=0.5),
        record(network="GRU", lr=0.003, solved=None, accuracy=0.6),
        record(task="induction", lr=0.01, solved=20, accuracy=0.985),
        record(task="induction", lr=0.003, solved=None, accuracy=0.999),
    ]
    assert chosen_rates(tried) == {
        ("memory", 32, "S4D"): 0.003,
        ("memory", 32, "GRU"): 0.003,
        ("induction", 32, "S4D"): 0.01,
    }
    assert chosen_rates([record(lr=0.01), record(lr=0.003)]) == {("memory", 32, "S4D"): 0.003}


def test_rows_are_means_over_seeds():
    found = [
        record(accuracy=0.9, solved=None, seconds=4.0),
        record(seed=1, accuracy=1.0, solved=30, peak_bytes=2**21),
        record(lr=0.003, accuracy=0.2, solved=None),
    ]
    (row,) = table(found)
    assert row["accuracy"] == (pytest.approx(0.95), 0.9, 1.0)
    assert (row["n_seeds"], row["solved"], row["steps_to_solve"]) == (2, 1, None)
    assert row["step_ms"] == pytest.approx(1e3 * (4 / 100 + 2 / 40) / 2)
    assert row["peak_bytes"] == 2**21
    assert row["others"] == {0.003: 0.2}


def test_what_was_asked_for(records):
    found = {verdict.claim: verdict for verdict in verdicts(records)}
    assert {verdict.verdict for verdict in found.values()} == {HOLDS}
    recall = found["Hyena solves associative recall at length 128"]
    assert recall.sentence.startswith("Hyena order 1: 1.000, solved after 50 steps. Beside it: S4D 1.000, ")
    assert "GRU 0.300" in recall.sentence
    assert {verdict.verdict for verdict in verdicts([record()])} == {UNKNOWN}
    (found, *_) = verdicts([record("previous bit", 64, accuracy=0.98, solved=None)])
    assert (found.verdict, found.sentence) == (FAILS, "S4D: 0.980.")


def test_conclusion(records):
    said = conclusion(records)
    assert said[0].startswith("Memory, length 128: solved by Hyena order 1 (50 steps), ")
    assert said[0].endswith("; not by GRU (0.30), where a guess has 0.125.")
    assert conclusion([]) == []
    assert "solved by none: S4D (0.40)" in conclusion([record(accuracy=0.4, solved=None)])[0]


def test_main_table(records, tmp_path, monkeypatch, capsys):
    found = main_table(records)
    assert found.header == ["task", *NETWORKS, "chance"]
    rows = {row[0]: dict(zip(found.header, row, strict=True)) for row in found.rows}
    assert list(rows)[:3] == ["memory, length 32", "memory, length 128", "previous bit, lag 8"]
    assert rows["memory, length 32"]["GRU"] == "0.300"
    assert rows["memory, length 32"]["S4D"] == "1.000 *"
    assert rows["previous bit, lag 64"]["chance"] == "0.125"
    assert rows["weights"]["GRU"] == "80,000"
    (tmp_path / "results.json").write_text(json.dumps({"records": records}))
    monkeypatch.setattr(sys, "argv", ["sequence_tasks", "--table", str(tmp_path / "results.json")])
    command.main()
    assert capsys.readouterr().out.splitlines()[-1].split()[:4] == ["|", "weights", "|", "80,000"]


def test_the_page_has_the_figures_of_the_tables(records, tmp_path):
    write_report(records, CIRCUMSTANCES, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == len(PICTURES)
    for words in ("holds", "0.200 (0.003)", "never", "a processor"):
        assert words in page
    assert {path.stem for path in (tmp_path / "figures").glob("*.svg")} == {picture.name for picture in PICTURES}


@pytest.mark.parametrize("kept", ["S4D", "GRU", "nothing"])
def test_parts_of_a_study(records, monkeypatch, tmp_path, kept):
    monkeypatch.setattr("benchmarks.sequence_tasks.report.all_figures", lambda records: {})
    write_report([one for one in records if one["network"] == kept], CIRCUMSTANCES, tmp_path)
    assert ("Nothing was measured yet." in (tmp_path / "report.md").read_text()) == (kept == "nothing")


# --------------------------------------------------------------------------------------------- command line


@pytest.mark.parametrize("preset", PRESETS)
def test_all_networks_of_a_preset_can_be_made(preset):
    config = from_arguments([f"--{preset}"])
    assert (config.tasks, config.networks) == (tuple(TASKS), NETWORKS)
    for network, size in {(cell.network, cell.size) for cell in runner.cells_of(config)}:
        config_of(network, 21, size, config.width, config.n_weights)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--lengths", "7"], "argument --lengths: must be at least 8, got 7"),
        (["--lengths", "9"], "--lengths must be even for associative recall, got 9"),
        (["--networks", "Hyena order 0"], "argument --networks: network must be one of"),
        (["--tasks", "copying"], "argument --tasks: invalid choice: 'copying'"),
    ],
)
def test_wrong_arguments(arguments, sentence, capsys):
    with pytest.raises(SystemExit):
        from_arguments(arguments)
    assert sentence in capsys.readouterr().err
