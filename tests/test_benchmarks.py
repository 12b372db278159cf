"""The benchmarks run, and their tables come from what they write."""

import json
import sys

import numpy as np
import pytest

import sigfeat
import sigfeat.classifiers
from benchmarks import accuracy, language_model, pointer
from benchmarks.speed import __main__ as speed
from benchmarks.speed import (
    development,
    full_words,
    intervals,
    low_rank,
    measure,
    mixers,
    panel,
    prefix_tree,
    quantiles,
    streams,
)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(full_words, "SHAPES", ((3, 20, 2, 4), (2, 30, 3, 3)))
    monkeypatch.setattr("benchmarks.speed.measure.MATRIX_SIDE", 20)
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
    for module in (intervals, low_rank):  # a process each; see the test of one
        monkeypatch.setattr(module, "peak_mib", lambda *run: 1.0)
    monkeypatch.setattr(quantiles, "SHAPES", ((3, 2, 20),))
    monkeypatch.setattr(mixers, "LENGTHS", (4, 9))
    monkeypatch.setattr(mixers, "LONGEST_TRAINED", 4)


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["speed", *map(str, arguments)])
    speed.main()


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # of aeon's own code
def test_all_raw_times_are_written_and_the_table_is_made_from_them(tiny, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "pysiglib", None)
    out = tmp_path / "results" / "kernels.json"
    families = [name for name in speed.BENCHMARKS if name not in speed.OWN_FILE]
    run(monkeypatch, *families, "--threads", 1, 2, "--repeat", 3, "--out", out.parent)
    printed = capsys.readouterr().out
    assert "pysiglib is not installed: its columns are left out." in printed
    results = json.loads(out.read_text())
    assert list(results) == families
    assert len(results["iss"]["records"]) == 2 * 2 * 2
    for family in results.values():
        assert {"numpy", "numba", "scikit-learn"} <= set(family["versions"])
        assert all(len(times) == 3 for record in family["records"] for times in record["seconds"].values())
    run(monkeypatch, "--table", out, "--pictures", tmp_path / "pictures")
    assert (tmp_path / "pictures" / "low_rank.svg").read_text().count(">seconds<") == 4
    table = capsys.readouterr().out
    assert all(part.strip() in printed for part in table.split("### ")[1:])
    assert table.count("geometric mean") == 4
    assert "pySigLib" not in table.replace("pysiglib", "")


def test_a_family_that_is_not_run_stays_in_the_file(tiny, monkeypatch, capsys, tmp_path):
    out = tmp_path / "kernels.json"
    out.write_text(json.dumps({"another": {}}))
    run(monkeypatch, "tree", "--threads", 1, "--repeat", 1, "--out", out.parent)
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
    assert 0 <= measure.peak_mib("benchmarks.speed.intervals", "recurrence", (20,), (50,)) < 1000


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
    monkeypatch.setattr(accuracy, "BLOCKS", {name: accuracy.BLOCKS[name] for name in ("levels 1 and 2", "exact")})
    monkeypatch.setattr(accuracy, "SETTINGS", {"base": accuracy.BASE, "both": accuracy.BASE | {"exact": 0.1}})
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
    monkeypatch.setattr(accuracy, "_low_rank", _small_low_rank)
    arguments = ["accuracy", "--trained", "--data", str(tmp_path), "--seeds", "1", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    accuracy.main()
    assert "trained functionals at 0.25" in capsys.readouterr().out
    assert len(set(json.loads(out.read_text())["scores"]["iss_classifier (base)"])) == 4


def _small_low_rank(seed, **parameters):
    return sigfeat.LowRankISSTransformer(random_state=seed, **parameters | {"n_functionals": 3})


def test_a_distilled_language_model_is_set_beside_its_twin(short_epochs, monkeypatch, capsys, tmp_path):
    """Teacher and twin are trained in the same run, the latter for as many steps."""
    twin, student = language_model.LIKE
    out = tmp_path / "models.json"
    options = f"--weights 9000 --layers 1 --context 150 --batch 2 --seconds .1 --lr .003 .01 --seeds 2 --out {out}"
    monkeypatch.setattr(language_model, "load_python_help", lambda: b"round and round the ragged rock, " * 150)
    monkeypatch.setattr(sys, "argv", ["language_model", "--models", twin, student, *options.split()])
    language_model.main()
    found = json.loads(out.read_text())
    assert list(found) == ["attention", twin, student]
    assert found[twin]["steps"] == found[student]["steps"]
    assert found[twin]["config"] == found[student]["config"]
    assert found[twin]["config"]["d_model"] == found["attention"]["config"]["d_model"]
    assert set(found[student]["divergence_by_lr"]) == {"0.003", "0.01"}
    for name in (twin, student):
        assert [figures["bits"] for figures in found[name]["fidelity"]] == pytest.approx(found[name]["bits"])
        teacher_bits = [figures["teacher_bits"] for figures in found[name]["fidelity"]]
        assert teacher_bits == pytest.approx(found["attention"]["bits"])
    printed = capsys.readouterr().out
    assert language_model.table(found) in printed
    assert "divergence in bits" in printed


def test_benchmarks_with_files_of_their_own(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(streams, "BEFORE", (10,))
    monkeypatch.setattr(streams, "TRANSFORMERS", {"words": streams.TRANSFORMERS["words, weight 2"]})
    monkeypatch.setattr(panel, "N_SERIES", 2000)  # so that it is as before the test behind it
    run(monkeypatch, "panel", "streams", "--n-series", 5, "--repeat", 1, "--out", tmp_path)
    printed = capsys.readouterr().out
    document = json.loads((tmp_path / "panel.json").read_text())
    assert [len(figures["ms"]) for figures in document["results"].values()] == [panel.RUNS] * 3
    assert document["shape"] == [5, 3, 100]
    assert panel.table(document["results"]) in printed
    run(monkeypatch, "--table", tmp_path / "streams.json")
    assert capsys.readouterr().out.strip() in printed


def test_unknown_benchmarks_are_refused(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, "kernels")
    assert "there is no benchmark 'kernels': choose from iss, tree" in capsys.readouterr().err


def test_networks_of_the_pointer_task_are_trained_on_the_series(monkeypatch):
    X, y = np.random.default_rng(0).normal(size=(40, 1, 16)), np.arange(40) % 2
    X[y == 1] += 2
    series = np.ascontiguousarray(X.swapaxes(1, 2))
    for name in ("interval layer, Hyena", "GRU", "CNN"):
        network, losses = pointer._trained(name, 4, series, y, lr=0.01, epochs=6, seed=0)
        assert losses[-1] < losses[0] / 2
        assert name != "GRU" or pointer._accuracy(network, series, y) > 0.8  # the others average over many more steps
