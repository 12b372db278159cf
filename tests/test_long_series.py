"""The benchmark of longer series than in training, on tiny sizes."""

import dataclasses
import json
import runpy
import sys

import numpy as np
import pytest
import torch

from benchmarks.hyena_vs_mha.tasks import SYNTHETIC
from benchmarks.long_series import __main__ as command
from benchmarks.long_series import costs, tokens
from benchmarks.long_series.limits import with_endless_filters
from benchmarks.long_series.recording import CROP, WINDOW, Sizes, crops, means, r2, recording_of
from sigfeat.nn import Encoder, EncoderSpec
from tests.pages import ROOT

TINY = Sizes((1024, 2048), (), teacher_epochs=1, student_epochs=1, batch_size=2, d_model=8)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "QUICK_SIZES", TINY)
    monkeypatch.setattr(command, "FACTORS", (1, 2))
    monkeypatch.setattr(command, "LENGTH", 16)
    memory = dataclasses.replace(SYNTHETIC["memory"], length=16, batch_size=2, n_test=4, max_epochs=1, student_epochs=1)
    monkeypatch.setattr(tokens, "SYNTHETIC", {"memory": memory})
    monkeypatch.setattr(costs.resource, "setrlimit", lambda *limits: None)
    answers = {"folder": None, "most_seconds": 60.0, "most_gib": 4.0}

    def ask(module, question, timeout):
        return costs.measure(**(answers | question))

    monkeypatch.setattr("benchmarks.study.apart.ask", ask)
    monkeypatch.setattr(costs, "ask", ask)
    return tmp_path / "long_series.json"


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["long_series", *map(str, arguments)])
    command.main()


def test_tables_are_made_from_what_is_written(tiny, monkeypatch, capsys):
    run(monkeypatch, "--quick", "--out", tiny)
    printed = capsys.readouterr().out
    results = json.loads(tiny.read_text())["results"]
    assert list(results) == ["recording 0", "memory 0", "token costs"]
    assert [part["length"] for part in results["memory 0"]["records"]] == [16] * 4 + [32] * 4
    for text in (
        "| crops of 512 |",
        " one pass |",
        "Hyena order 2, endless filters",
        "Accuracy by chance: memory 0.125",
    ):
        assert text in printed
    run(monkeypatch, "--table", tiny)
    assert capsys.readouterr().out == printed
    monkeypatch.setattr(command, "recording_records", pytest.fail)
    run(monkeypatch, "--quick", "--resume", "--out", tiny)
    assert json.loads(tiny.read_text())["results"] == results


def test_passes_that_are_expected_to_take_too_long_are_not_run(monkeypatch):
    monkeypatch.setattr(costs.resource, "setrlimit", lambda *limits: None)
    monkeypatch.setattr(costs, "_cost", lambda network, length, folder: {"processor": 1.0, "clock": 1.0, "mib": 1.0})
    found = costs.measure("attention", [10, 100, 1000], None, most_seconds=100.0, most_gib=1.0)["passes"]
    assert [cost.get("expected") for cost in found.values()] == [None, None, None]
    found = costs.measure("attention", [10, 100, 1000], None, most_seconds=99.0, most_gib=1.0)["passes"]
    assert [cost.get("expected") for cost in found.values()] == [None, 100.0, 10_000.0]


def test_endless_filters_change_long_series_only():
    spec = EncoderSpec("hyena", n_channels=2, d_model=8, n_layers=1, d_ff=8, d_out=8, order=1, filter_length=10)
    shorter = Encoder(spec, generator=torch.Generator().manual_seed(0)).eval()
    series = torch.randn(1, 30, 2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        shorter(series)  # whose spectra are kept
        encoder = with_endless_filters(shorter)
        torch.testing.assert_close(shorter(series[:, :10]), encoder(series[:, :10]))
        assert not torch.allclose(shorter(series), encoder(series), atol=1e-3)
        changed = series.clone()
        changed[:, 20:] += 1.0  # out of reach of the first tokens: 9 lags, and 1 of the short convolution
        torch.testing.assert_close(shorter(changed)[:, :10], shorter(series)[:, :10])
        assert not torch.allclose(encoder(changed)[:, :10], encoder(series)[:, :10], atol=1e-5)


def test_a_recording_has_one_activity_in_each_window():
    one, other = (recording_of("TEST", 4096, seed) for seed in (0, 1))
    assert one.values.shape == (6, 4096)
    assert one.activities.shape == (4096 // WINDOW,)
    assert len(set(one.activities[:40])) == 4
    assert not np.array_equal(one.activities, other.activities)
    assert crops(one.values, 256).shape == (15, 6, CROP)
    assert means(one.values).shape == (40, 6)
    assert r2(one.values, one.values) == 1


def test_the_example_prints_each_way(monkeypatch, capsys):
    path = str(ROOT / "examples" / "long_recording.py")
    monkeypatch.setattr(sys, "argv", [path, "--steps", "1000", "--epochs", "1"])
    runpy.run_path(path, run_name="__main__")
    title, *rows = capsys.readouterr().out.splitlines()
    assert title.startswith("1,000 steps")
    assert [row.partition("  ")[0] for row in rows] == [
        "teacher, crops",
        "student, crops",
        "teacher, one pass",
        "student, one pass",
    ]
    assert float(rows[0].split()[-2]) == 1.0
