"""The benchmarks run, and their tables come from what they write."""

import functools
import json
import sys

import numpy as np
import pytest

import sigfeat
import sigfeat.classifiers
from benchmarks import (
    accuracy,
    development,
    distillation,
    full_words,
    intervals,
    kernels,
    low_rank,
    mixers,
    panel,
    prefix_tree,
)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(full_words, "SHAPES", ((3, 20, 2, 4), (2, 30, 3, 3)))
    monkeypatch.setattr("benchmarks.measure.MATRIX_SIDE", 20)
    monkeypatch.setattr(prefix_tree, "N_STEPS", 20)
    monkeypatch.setattr(development, "DIMS", (3, 4))
    monkeypatch.setattr(development, "LENGTHS", {"float32": (5,), "float64": (5,)})
    monkeypatch.setattr(low_rank, "CASES", ((3, 1, 20),))
    monkeypatch.setattr(low_rank, "N_FEATURES", 90)
    for name in ("STEPS", "SERIES", "FUNCTIONALS"):
        monkeypatch.setattr(low_rank, name, (10, 20))
    monkeypatch.setattr(low_rank, "DEPTHS", (1, 2))
    monkeypatch.setattr(intervals, "STEPS", (20, 40))
    monkeypatch.setattr(intervals, "FROM", 20)
    monkeypatch.setattr(intervals, "LONGEST", {"definition": 20, "direct": 20})
    monkeypatch.setattr(intervals, "_peak_memory", lambda name, n: float(n))  # a process each; see the test of one
    monkeypatch.setattr(mixers, "LENGTHS", (4, 9))
    monkeypatch.setattr(mixers, "LONGEST_TRAINED", 4)


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["kernels", *map(str, arguments)])
    kernels.main()


def test_all_raw_times_are_written_and_the_table_is_made_from_them(tiny, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "pysiglib", None)
    out = tmp_path / "results" / "kernels.json"
    run(monkeypatch, "--threads", 1, 2, "--repeat", 3, "--out", out)
    printed = capsys.readouterr().out
    assert "pysiglib is not installed: its columns are left out." in printed
    results = json.loads(out.read_text())
    assert list(results) == list(kernels.FAMILIES)
    assert len(results["iss"]["records"]) == 2 * 2 * 2
    for family in results.values():
        assert {"numpy", "numba", "scikit-learn"} <= set(family["versions"])
        assert all(len(times) == 3 for record in family["records"] for times in record["seconds"].values())
    run(monkeypatch, "--table", out, "--pictures", tmp_path / "pictures")
    assert (tmp_path / "pictures" / "low_rank.svg").read_text().count(">seconds<") == 4
    table = capsys.readouterr().out
    assert table.strip() in printed
    assert table.count("geometric mean") == 4
    assert "pySigLib" not in table.replace("pysiglib", "")


def test_a_family_that_is_not_run_stays_in_the_file(tiny, monkeypatch, capsys, tmp_path):
    out = tmp_path / "kernels.json"
    out.write_text(json.dumps({"another": {}}))
    run(monkeypatch, "--only", "tree", "--threads", 1, "--repeat", 1, "--out", out)
    assert list(json.loads(out.read_text())) == ["another", "tree"]
    assert "ns per word and step" in capsys.readouterr().out


def test_low_rank_sums_are_set_beside_multirocket_where_it_is_there(tiny, monkeypatch):
    record = low_rank.records([1], 2)[0]
    record["seconds"] |= {"sigfeat": [1.0, 1.0], "MultiRocket": [3.0, 3.0]}
    record["MiB"] = {"sigfeat": 10.0, "MultiRocket": 40.0}
    points = [{"kind": "scaling", "of": "steps", "size": n, "seconds": {"sigfeat": [n / 10]}} for n in (10, 100)]
    table = low_rank.table([record, *points])
    assert "3.0x" in table
    assert "0.25x" in table
    assert "1.00 |" in table
    assert "slope 1" in low_rank.picture(points).axes[0].get_legend_handles_labels()[1]


def test_all_ways_to_sum_over_intervals_agree():
    """But for the filters: those as long as the series are the same."""
    found = intervals.contestants(50)
    expected = found["definition"]()
    np.testing.assert_allclose(found["direct"](), expected, rtol=1e-9)
    np.testing.assert_allclose(found["fft"]()[0], expected, rtol=1e-9)
    assert set(found) == set(intervals.NAMES)
    assert 0 <= intervals._peak_memory("recurrence", 50) < 1000


def test_accuracy_compares_settings_with_the_base_on_training_parts(monkeypatch, capsys, tmp_path):
    rng = np.random.default_rng(0)
    asked = []

    def load(name, part, folder):
        asked.append((name, part))
        return rng.normal(size=(12, 2 if name == "A" else 1, 15)).cumsum(axis=2), np.arange(12) % 2

    for name in "ABCD":
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}_TRAIN.ts").touch()
    monkeypatch.setattr(accuracy, "load", load)
    monkeypatch.setattr(accuracy, "BLOCKS", {name: accuracy.BLOCKS[name] for name in ("levels 1 and 2", "8 competing")})
    monkeypatch.setattr(accuracy, "SETTINGS", {"base": accuracy.BASE, "both": accuracy.DEFAULT})
    out = tmp_path / "accuracy.json"
    monkeypatch.setattr(sys, "argv", ["accuracy", "--data", str(tmp_path), "--seeds", "1", "--out", str(out)])
    accuracy.main()
    printed = capsys.readouterr().out
    assert asked == [(name, "TRAIN") for name in "ABCD"]
    results = json.loads(out.read_text())
    assert list(results["scores"]) == ["base", "both", accuracy.BY_SQUARED_ERROR]
    assert all(0 <= score <= 1 for scores in results["scores"].values() for score in scores.values())
    monkeypatch.setattr(sys, "argv", ["accuracy", "--table", str(out)])
    accuracy.main()
    assert capsys.readouterr().out.strip() in printed
    assert "1 multivariate" in printed
    small = functools.partial(sigfeat.classifiers.sigfeat_classifier, n_functionals=3)
    monkeypatch.setattr(accuracy, "sigfeat_classifier", small)
    monkeypatch.setattr(sigfeat.classifiers.recommended, "N_TRAINED", 2)
    arguments = ["accuracy", "--trained", "--data", str(tmp_path), "--seeds", "1", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    accuracy.main()
    assert "trained functionals at 0.25" in capsys.readouterr().out
    assert len(set(json.loads(out.read_text())["scores"]["iss_classifier (base)"])) == 4


def test_distillation_writes_the_figures_that_its_table_shows(monkeypatch, capsys, tmp_path):
    X, y = np.random.default_rng(0).normal(size=(12, 2, 15)).cumsum(axis=2), np.arange(12) % 2
    quick = {"Hyena order 2": (sigfeat.HyenaEmbeddingTransformer, {"n_steps": 2})}
    quick["GRU"] = (sigfeat.RecurrentEmbeddingTransformer, {"n_steps": 2})
    monkeypatch.setattr(distillation, "STUDENTS", quick)
    monkeypatch.setattr(distillation, "load", lambda name, part, folder: (X, y))
    monkeypatch.setattr(distillation, "MHAEmbedder", functools.partial(sigfeat.MHAEmbedder, n_steps=2))
    out = tmp_path / "distillation.json"
    monkeypatch.setattr(
        sys, "argv", ["distillation", "--sets", "A", "--seeds", "2", "--out", str(out), "--students", *quick]
    )
    distillation.main()
    printed = capsys.readouterr().out
    results = json.loads(out.read_text())
    assert list(results) == ["A, supervised teacher", "A, masked teacher"]
    students = results["A, masked teacher"]["records"][1]["students"]
    assert list(students) == list(quick)
    assert {"token_skill", "pooled_skill"} <= set(students["Hyena order 2"]["test"])
    monkeypatch.setattr(sys, "argv", ["distillation", "--table", str(out)])
    distillation.main()
    table = capsys.readouterr().out
    assert table.strip() in printed
    mean = np.mean(
        [record["students"]["GRU"]["test"]["token_r2"] for record in results["A, masked teacher"]["records"]]
    )
    assert f"{mean:.4f}" in table


def test_panel_times_each_order_of_rows_and_writes_what_its_table_shows(monkeypatch, capsys, tmp_path):
    out = tmp_path / "panel.json"
    monkeypatch.setattr(sys, "argv", ["panel", "--series", "5", "--repeat", "3", "--output", str(out)])
    panel.main()
    document = json.loads(out.read_text())
    assert [len(figures["ms"]) for figures in document["results"].values()] == [3, 3, 3]
    assert document["shape"] == [5, 3, 100]
    assert panel.table(document["results"]) in capsys.readouterr().out
