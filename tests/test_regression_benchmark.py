"""The regression benchmark: its targets are not in its inputs, and its tables come from what it writes."""

import json
import sys

import numpy as np
import pytest

from benchmarks import regression
from benchmarks.data import load
from sigfeat.panel import series_lengths

CHEAP = ("three_numbers", "mean")


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["regression", *map(str, arguments)])
    regression.main()


def test_records_are_written_and_the_table_is_made_from_them(monkeypatch, capsys, tmp_path):
    out = tmp_path / "results" / "regression.json"
    of_set = ("--sets", "ItalyPowerDemand-future", "--seeds", 2, "--out", out)
    run(monkeypatch, *of_set, "--models", *CHEAP)
    printed = capsys.readouterr().out
    document = json.loads(out.read_text())
    found = {(record["model"], record["seed"]): record for record in document["records"]}
    assert len(found) == len(document["records"]) == 4
    assert found["mean", 1]["r2"] == 0
    assert found["three_numbers", 0]["r2"] != found["three_numbers", 1]["r2"] > 0.1
    assert document["sets"]["ItalyPowerDemand-future"]["n_timepoints"] == [19, 19]
    assert {"numpy", "scikit-learn"} <= set(document["circumstances"]["versions"])
    run(monkeypatch, "--table", out)
    table = capsys.readouterr().out
    assert table.strip() in printed
    assert "ItalyPowerDemand-future +" in table
    run(monkeypatch, *of_set, "--models", "mean", "forest", "--seeds", 1)
    assert len(json.loads(out.read_text())["records"]) == 5  # that of the mean is replaced


@pytest.mark.parametrize("standardise", [False, True])
def test_future_targets_do_not_change_the_inputs(standardise):
    X, _ = load("JapaneseVowels", "TRAIN", None)
    lengths = series_lengths(X)
    inputs, targets = regression.future(X, standardise)
    np.testing.assert_array_equal(series_lengths(inputs), 4 * lengths // 5)
    changed = X.copy()
    for one, length in zip(changed, lengths, strict=True):
        one[:, 4 * length // 5 : length] += 1000.0
    others, changed_targets = regression.future(changed, standardise)
    np.testing.assert_array_equal(inputs, others)
    assert (changed_targets > targets + 100).all()
    if not standardise:
        last = [one[0, length - max(length // 10, 1) : length].mean() for one, length in zip(X, lengths, strict=True)]
        np.testing.assert_allclose(targets, last)


def test_hidden_channels_are_not_in_the_inputs():
    X, _ = load("JapaneseVowels", "TRAIN", None)
    inputs, targets = regression.hidden(X)
    np.testing.assert_array_equal(inputs, X[:, 1:])
    np.testing.assert_allclose(targets[0], X[0, 0, : series_lengths(X)[0]].std())


def test_the_mean_of_normalised_series_is_not_in_the_inputs():
    X, y, X_test, _ = regression.load("GunPoint-future", None)
    np.testing.assert_allclose([X.mean(axis=2), X_test[: len(X)].mean(axis=2)], 0, atol=1e-9)
    np.testing.assert_allclose(X.std(axis=2), 1)
    assert y.std() == pytest.approx(1)
    assert not regression.has_zero_means(load("BasicMotions", "TRAIN", None)[0])


def test_padding_does_not_change_the_controls():
    X, _ = load("JapaneseVowels", "TRAIN", None)
    length = series_lengths(X)[0]
    for features in (regression.summary_statistics, regression.three_numbers):
        rows = features(X)
        assert np.isfinite(rows).all()
        np.testing.assert_array_equal(rows[:1], features(X[:1, :, :length]))
    line = np.arange(5.0).reshape(1, 1, 5)
    expected = [2, np.sqrt(2), 0, 4, 0, 4, 1, 2, 3, 1, 1]
    np.testing.assert_allclose(regression.summary_statistics(line)[0], expected)


def test_sets_that_say_nothing_are_left_out_of_the_comparison():
    scores = {"A": (0.5, 0.4, 0.1), "B": (0.3, 0.2, 0.28), "C": (0.01, -3.0, 0.0)}
    models = ("iss_regressor", "forest", "three_numbers")
    records = [
        {"set": name, "model": model, "seed": 0, "r2": value, "fit_seconds": 1.0}
        for name, values in scores.items()
        for model, value in zip(models, values, strict=True)
    ]
    table = regression.tables({"sets": {name: {"n_train": 3, "n_channels": 1} for name in scores}, "records": records})
    assert all(f" {name} |" in table for name in ("A", "B +", "C *"))
    assert "2 sets" in table
    assert "-0.100 ± 0.000" in table


def test_unknown_sets_are_refused(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, "--sets", "ECG200-future")
    assert "there is no data set 'ECG200-future': choose from Tecator" in capsys.readouterr().err


def test_without_aeon_its_set_and_model_are_left_out(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(regression.importlib.util, "find_spec", lambda package: None)
    asked = []
    monkeypatch.setattr(regression, "measure", lambda *arguments: asked.append(arguments))
    out = tmp_path / "regression.json"
    out.write_text(json.dumps({"sets": {}, "records": []}))
    monkeypatch.setattr(regression, "tables", lambda document: "")
    run(monkeypatch, "--sets", "Tecator", "CardanoSentiment", "--models", "mean", "multirocket", "--out", out)
    assert asked[0][:2] == (["Tecator"], ["mean"])
    assert "aeon is not installed" in capsys.readouterr().out
