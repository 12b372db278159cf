"""The measurements on a GPU, run on the CPU, and the page that is made from their record."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import device, mixers, report, suite, transforms
from benchmarks.hyena_vs_mha.cost import FUSED
from tests.pages import ROOT

CPU = torch.device("cpu")
TINY = mixers.Settings(lengths=(16, 8), shapes=(mixers.Shape(1, 8, 2),), repeat=3, cell_seconds=60.0)
ABOUT = {"batch": 4, "width": 64, "heads": 4, "dtype": "bfloat16", "task": "training"}
WITHOUT_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


def cell(name, length, milliseconds, mib=None, **more):
    seconds = [1e-3 * value for value in milliseconds]
    return {**ABOUT, "name": name, "length": length, "seconds": seconds, "peak_bytes": mib and mib * 2**20, **more}


def two_mixers():
    """Attention that takes four times as long at twice the length and has no time at last, and a Hyena."""
    return [
        cell(FUSED, 1024, [1.0, 1.0, 1.0], 10, backend="flash"),
        cell("Hyena order 2", 1024, [2.0, 2.0, 2.0], 30),
        cell(FUSED, 4096, [16.0, 16.0, 16.0], 40, backend="flash"),
        cell("Hyena order 2", 4096, [7.0, 8.0, 9.0], 120),
        cell(FUSED, 16384, [], failure="time"),
        cell("Hyena order 2", 16384, [32.0], 480),
    ]


def document():
    transform = {"name": "MHAEmbedder", "dtype": "float32", "series": 9, "steps": 8, "channels": 3, "tolerance": 1e-3}
    both = {"cpu_seconds": [0.1, 0.1], "device_seconds": [0.02, 0.02], "difference": 2e-6, "equal": True}
    return {
        "date": "2026-01-02T",
        "commit": "abc",
        "cpu": "C",
        "n_cpus": 16,
        "python": "3.11",
        "versions": {"torch": "2.13.0+cu128"},
        "threads": 16,
        "device": {
            "type": "cuda",
            "name": "G",
            "memory_bytes": 2**37,
            "compute_capability": "9.0",
            "driver": "1.2",
            "cuda": "12.8",
            "cudnn": 9,
        },
        "tests": {
            "passed": 70,
            "failed": 1,
            "skipped": 2,
            "failures": ["tests.a.b"],
            "not_loaded": {"test_c": "skorch"},
            "finished": False,
        },
        "mixers": two_mixers(),
        "transforms": [
            transform | both,
            transform | both | {"name": "Other", "equal": False},
            transform | {"name": "Third", "failure": "memory"},
        ],
    }


def test_mixers_are_measured_length_after_length():
    found = list(mixers.records(CPU, TINY, lambda: 1000.0))
    assert [record["length"] for record in found] == [8] * 16 + [16] * 16
    assert {len(record["seconds"]) for record in found} == {3}
    assert {record["name"] for record in found} == {FUSED, "Hyena order 1", "Hyena order 2", "Hyena order 3"}
    assert {record["backend"] for record in found if record["name"] == FUSED} == {"flash"}
    assert {(record["dtype"], record["task"]) for record in found} == {
        (dtype, task) for dtype in ("bfloat16", "float32") for task in ("forward", "training")
    }


def test_without_time_nothing_is_run(monkeypatch):
    monkeypatch.setattr(mixers, "_runs", None)
    found = list(mixers.records(CPU, TINY, lambda: 0.0))
    assert len(found) == 32
    assert {record["failure"] for record in found} == {"time"}
    assert all(record["failure"] == "time" for record in transforms.records(CPU, lambda: 0.0))


def test_what_is_predicted_to_take_too_long_is_not_run():
    shorter = {"length": 8, "seconds": [3.0]}
    enough, little = (lambda: 100.0), (lambda: 11.0)
    assert mixers._reason(shorter, 16, TINY, enough) is None  # 12 seconds
    assert mixers._reason(shorter, 16, TINY, little) == "time"
    assert mixers._reason(shorter, 64, TINY, enough) == "time"
    assert mixers._reason({"length": 8, "seconds": [], "failure": "memory"}, 16, TINY, enough) == "memory"
    assert mixers._reason({"length": 8, "seconds": [], "failure": "RuntimeError: no plan"}, 16, TINY, enough) is None


def test_a_mixer_without_memory_leaves_the_others(monkeypatch):
    runs = mixers._runs

    def full(*arguments):
        if arguments[2] == "Hyena order 3":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return runs(*arguments)

    monkeypatch.setattr(mixers, "_runs", full)
    found = list(mixers.records(CPU, TINY, lambda: 1000.0))
    assert {record["name"] for record in found if record.get("failure") == "memory"} == {"Hyena order 3"}
    assert all(record["seconds"] for record in found if record["name"] != "Hyena order 3")


def test_a_long_run_is_measured_once(monkeypatch):
    monkeypatch.setattr(mixers, "_timed", lambda device, run: 50.0)
    found = list(mixers.records(CPU, TINY, lambda: 1000.0))
    assert {tuple(record["seconds"]) for record in found if record["length"] == 8} == {(50.0,)}
    assert {record["failure"] for record in found if record["length"] == 16} == {"time"}  # 200 seconds


def test_failures_name_no_paths():
    assert device.failure(RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED")) == "memory"
    assert device.failure(MemoryError()) == "memory"
    assert device.failure(RuntimeError("no plan at /src/a.cpp:3\nmore")) == "RuntimeError: no plan at"


def test_what_a_cuda_device_says(monkeypatch):
    """With functions of torch.cuda that need no device."""
    calls = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: calls.append("wait"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: calls.append("reset"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 10)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 25)
    assert device.peak_bytes(torch.device("cuda"), lambda: calls.append("run")) == 15
    assert calls == ["wait", "reset", "run", "wait"]
    about = {"name": "G", "total_memory": 8, "multi_processor_count": 2, "major": 9, "minor": 0}
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(**about))
    monkeypatch.setenv("PATH", "")
    found = device.description(torch.device("cuda"))
    assert (found["name"], found["memory_bytes"], found["compute_capability"]) == ("G", 8, "9.0")
    assert found["driver"] is None  # nvidia-smi is not there


def test_the_kernel_of_attention_is_recognised():
    operations = mixers._Operations()
    assert operations.backend() == "math"
    operations.names = {"_scaled_dot_product_efficient_attention.default", "addmm.default"}
    assert operations.backend() == "efficient"
    operations.names = {"_scaled_dot_product_cudnn_attention.default"}
    assert operations.backend() == "cudnn"


def test_transforms_agree_with_themselves(monkeypatch, short_epochs):
    cases = ("LowRankISSTransformer", "HyenaEmbeddingTransformer", "IntervalNetworkClassifier, stack")
    monkeypatch.setattr(transforms, "CASES", {name: transforms.CASES[name] for name in cases})
    found = list(transforms.records(CPU, lambda: 1000.0, shape=(4, 30), repeat=1))
    assert [(record["name"], record["equal"], record["difference"]) for record in found] == [
        (name, True, 0.0) for name in cases for _ in transforms.CASES[name][1]
    ]


def test_differences_are_relative_to_a_column():
    expected = np.array([[1.0, 100.0], [2.0, 50.0]])
    assert transforms.relative_difference(expected + [[0.0, 0.0], [0.0, 1.0]], expected) == pytest.approx(0.01)
    assert transforms.relative_difference(expected * np.nan, expected) == np.inf


def test_tests_are_counted(tmp_path):
    (tmp_path / "tests").mkdir()
    marked = "import pytest\n\n@pytest.mark.gpu\n@pytest.mark.parametrize('k', [0, 1, 2])\ndef test_one(k):\n"
    body = "    if k == 1:\n        pytest.skip()\n    assert k < 2\n\ndef test_other():\n    raise ValueError\n"
    (tmp_path / "tests" / "test_some.py").write_text(marked + body)
    (tmp_path / "tests" / "test_needy.py").write_text(f"import no_such_package.part\n{marked}{body}")
    (tmp_path / "tests" / "test_unmarked.py").write_text("raise ValueError")
    found = suite.run_tests(100.0, tmp_path)
    assert found == {
        "passed": 1,
        "failed": 1,
        "skipped": 1,
        "failures": ["tests.test_some.test_one[2]"],
        "not_loaded": {"test_needy": "no_such_package"},
        "finished": True,
    }


def test_tests_that_take_too_long_are_stopped(tmp_path):
    (tmp_path / "tests").mkdir()
    sleeps = "import time\nimport pytest\n\n@pytest.mark.gpu\ndef test_it():\n    time.sleep(100)\n"
    (tmp_path / "tests" / "test_some.py").write_text(sleeps)
    assert suite.run_tests(1.0, tmp_path).get("finished", False) is False


@WITHOUT_CUDA
def test_without_a_device_nothing_is_done(tmp_path, capsys):
    gpu.main(["--out", str(tmp_path)])
    assert capsys.readouterr().out == "torch finds no CUDA device: nothing was run or written.\n"
    assert not list(tmp_path.iterdir())


@WITHOUT_CUDA
def test_the_target_ends_well_without_a_device(tmp_path):
    command = ["make", "-s", "gpu", f"PYTHON_GPU={sys.executable}", f"OUT={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "torch finds no CUDA device: nothing was run or written.\n"
    assert not list(tmp_path.iterdir())


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(gpu, "NEEDED", ("json", "no_such_package"))
    with pytest.raises(SystemExit, match="benchmarks.gpu needs no_such_package: run `pip install"):
        gpu.main(["--device", "cpu"])


def test_the_record_and_its_tables(tmp_path, capsys):
    sizes = ["--lengths", "8", "16", "--shape", "1", "8", "2", "--repeat", "2"]
    gpu.main(["--device", "cpu", "--parts", "mixers", *sizes, "--out", str(tmp_path)])
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert {"date", "commit", "cpu", "python", "versions", "device", "threads", "mixers"} <= set(record)
    assert len(record["mixers"]) == 32
    capsys.readouterr()
    gpu.main(["--table", str(tmp_path / "gpu.json")])
    assert capsys.readouterr().out.strip() == report.markdown(record)


def test_no_record(tmp_path, capsys):
    gpu.main(["--table", str(tmp_path / "gpu.json")])
    assert capsys.readouterr().out.strip() == report.NO_RECORD


def test_sentences_and_tables():
    text = report.markdown(document())
    for part in (
        "G, 128 GiB, compute capability 9.0, driver 1.2, CUDA 12.8, cuDNN 9; C, 16 CPUs, torch threads: 16; Python",
        "70 tests marked `gpu` passed, 1 failed, 2 were skipped. Failed: `tests.a.b`. Not loaded: `test_c` (skorch",
        "5 of 6 cells were measured. Kernels of fused attention: flash in bfloat16.",
        "bfloat16, training, width 64 (4 heads), batch 4: Hyena order 2 is faster than fused attention from about ",
        " from about 2,000 steps on and takes 0.5 (0.47 to 0.53) times as long at 4,096, with 3 times its memory ",
        "its memory (it alone reached 16,384).",
        "1 of 2 measured transforms give the same features on both, within the tolerance. Different: Other in float32.",
        "out of memory",
    ):
        assert part in text
    rows = [[entry.strip() for entry in line.split("|")] for line in text.splitlines()]
    assert ["", "4,096", "16 (16 to 16) flash", "40", "8 (7.5 to 8.5) 0.5x", "120", ""] in rows
    assert ["", "16,384", "not measured: time", "", "32† (32 to 32)", "480", ""] in rows
    assert ["", "MHAEmbedder", "float32", "100", "20", "5x", "2e-06", "0.001", ""] in rows


def test_a_slower_mixer_and_none_to_compare():
    key = tuple(ABOUT.values())
    slower = [cell(FUSED, 8, [1.0]), cell("Hyena order 1", 8, [3.0])]
    assert report.verdict(key, slower).endswith(
        "Hyena order 1 is not faster than fused attention at 8 steps and takes 3 (3 to 3) times as long at 8."
    )
    faster = [cell(FUSED, 8, [3.0]), cell("Hyena order 1", 8, [1.0])]
    assert "is faster than fused attention at all lengths from 8 steps on and takes 0.33" in report.verdict(key, faster)
    alone = [cell(FUSED, 8, [], failure="memory"), cell("Hyena order 1", 8, [1.0])]
    assert report.verdict(key, alone).endswith("Hyena order 1 has no length at which both were measured.")
    assert report.tests_sentence({"not_run": "no"}) == "The tests marked `gpu` did not run: no."
