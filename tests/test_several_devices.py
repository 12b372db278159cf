"""Embedders trained by several processes: all learn the same, and what one process learns from the same batches.

The processes run this file as a module, see `main`.
"""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from skorch.callbacks import Callback, Checkpoint, LoadInitState

from sigfeat import (
    HyenaEmbeddingTransformer,
    MHAEmbedder,
    RecurrentEmbeddingTransformer,
    S4EmbeddingTransformer,
)
from sigfeat.nn.training.processes import Processes
from tests.panels import padded, ragged

DistributedType = pytest.importorskip("accelerate").DistributedType
ROOT = Path(__file__).parents[1]
TWO = "torch.distributed.run", "--standalone", "--nproc-per-node", 2  # processes, without a fixed port
STEPS = {"max_epochs": 2, "batch_size": 4, "dtype": "float64"}
TEACHER = MHAEmbedder(d_model=8, n_heads=2, n_layers=1, dropout=0.0, **STEPS)
UNTRAINED = MHAEmbedder(d_model=8, n_heads=2, n_layers=1, fit_mode="random", dtype="float64")
UNTRAINED.fit(padded(ragged(lengths=(9, 9), n_channels=2)))
SHORT = {**STEPS, "max_epochs": 1}
EMBEDDERS = {
    "attention, classes": clone(TEACHER).set_params(fit_mode="supervised", validation_fraction=0.3, patience=1),
    "attention, masked points": clone(TEACHER).set_params(fit_mode="masked", validation_fraction=0.3),
    "attention, numbers": clone(TEACHER).set_params(task="regression", pooling="end", max_epochs=1),
    "hyena": HyenaEmbeddingTransformer(TEACHER, control=True, **STEPS),
    "hyena of another width": HyenaEmbeddingTransformer(FrozenEstimator(UNTRAINED), d_model=4, **SHORT),
    "s4": S4EmbeddingTransformer(FrozenEstimator(UNTRAINED), d_state=16, **SHORT),
    "s4, dplr": S4EmbeddingTransformer(FrozenEstimator(UNTRAINED), d_state=16, kind="dplr", **SHORT),
    "recurrent": RecurrentEmbeddingTransformer(FrozenEstimator(UNTRAINED), **SHORT),
}
RANDOM = {
    "dropout": clone(TEACHER).set_params(dropout=0.3),
    "no seed": clone(TEACHER).set_params(random_state=None, max_epochs=1),
}


def series():
    X = padded(ragged(lengths=(20, 15, 20, 18, 17, 20, 12, 20, 19, 20, 20, 11, 20), n_channels=2))
    return X, np.arange(len(X)) % 2


def learnt(embedder, device):
    """Features and losses of an embedder."""
    embedder = clone(embedder).set_params(device=device)
    if isinstance(getattr(embedder, "teacher", None), MHAEmbedder):
        embedder.set_params(teacher__device=device)
    X, y = series()
    embedder.fit(X, y)
    weights = torch.cat([weight.flatten() for weight in embedder.encoder_.state_dict().values()])
    found = {"features": embedder.transform(X), "weights": weights.numpy(), "loss": embedder.history_["loss"]}
    return found | {name: embedder.history_[name] for name in ("valid_loss",) if name in embedder.history_}


class StopsIn(Callback):
    """Stops the training in the second epoch."""

    def on_batch_begin(self, net, training=False, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


def resumed(folder, device):
    """Features of a training that was interrupted and goes on from a checkpoint."""
    X, y = series()
    checkpoint = Checkpoint(monitor=None, dirname=folder)
    embedder = clone(TEACHER).set_params(device=device, max_epochs=3)
    try:
        clone(embedder).set_params(callbacks=[checkpoint, StopsIn()]).fit(X, y)
    except KeyboardInterrupt:
        going_on = clone(embedder).set_params(callbacks=[LoadInitState(checkpoint), checkpoint])
        return {"features": going_on.fit(X, y).transform(X)}


class Clock:
    """What each process would decide by itself: only the second wants to stop."""

    def __init__(self, number):
        self.number = number

    def __call__(self, *arguments, **keywords):
        return self.number == 1


def complaints(number):
    """What is said of what does not go together."""
    X, y = series()
    bad = {
        "batch": (clone(TEACHER).set_params(batch_size=3), X, y),
        "other series": (TEACHER, X + number, y),
        "other number of series": (TEACHER, X[number:], y[number:]),
        "other classes": (TEACHER, X, (y + number) % 2),
    }
    for name, (embedder, own, target) in bad.items():
        with pytest.raises(ValueError, match=r"\w") as error:
            clone(embedder).set_params(device="accelerate").fit(own, target)
        yield name, str(error.value)


def main(folder):
    """What one of several processes does: train, and write what it has found into a file of its own."""
    number, found = int(os.environ["RANK"]), {}
    for name, embedder in (EMBEDDERS | RANDOM).items():
        found |= {f"{name}: {key}": value for key, value in learnt(embedder, "accelerate").items()}
    found |= {f"resumed: {key}": value for key, value in resumed(f"{folder}/checkpoint", "accelerate").items()}
    found |= dict(complaints(number))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sigfeat.transformers.embeddings._base._EpochTasks.end", Clock(number))
        found["stopped: loss"] = learnt(TEACHER, "accelerate")["loss"]
    np.savez(f"{folder}/{number}.npz", **found)


def launched(*arguments, seconds=150, **environment):
    """A run of Python, with one thread in each process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """What two processes have found."""
    folder = tmp_path_factory.mktemp("two")
    done = launched("-m", *TWO, "--module", "tests.test_several_devices", folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == ""
    return [dict(np.load(folder / f"{number}.npz")) for number in (0, 1)]


def test_all_processes_end_with_the_same(of_two):
    first, second = of_two
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(second[name], values, err_msg=name)


@pytest.mark.parametrize("name", EMBEDDERS)
def test_two_processes_learn_what_one_learns(of_two, name):
    for key, expected in learnt(EMBEDDERS[name], "cpu").items():
        np.testing.assert_allclose(of_two[0][f"{name}: {key}"], expected, rtol=1e-6, atol=1e-6)


def test_an_interrupted_training_goes_on(of_two, tmp_path):
    X, y = series()
    expected = clone(TEACHER).set_params(max_epochs=3).fit(X, y).transform(X)
    np.testing.assert_allclose(of_two[0]["resumed: features"], expected, rtol=1e-6, atol=1e-6)


def test_one_that_wants_to_stop_stops_all(of_two):
    assert len(of_two[0]["stopped: loss"]) == 20


def test_dropped_values_are_not_those_of_one_process_but_as_good(of_two):
    loss, expected = of_two[0]["dropout: loss"], learnt(RANDOM["dropout"], "cpu")["loss"]
    assert loss[0] != expected[0]
    assert loss.mean() == pytest.approx(expected.mean(), rel=0.2)


def test_each_process_is_told_what_does_not_go_together(of_two):
    for found in of_two:
        assert found["batch"] == "batch_size must be a multiple of the number of processes, 2, got 3"
        for name in ("other series", "other number of series"):
            assert found[name] == "X must be the same in all processes, which share its rows"
        assert found["other classes"] == "y must be the same in all processes, which share its rows"


@pytest.mark.slow
def test_the_example_runs_alone_and_in_two_processes():
    example = "examples/several_devices.py"
    runs = launched(example), launched("-m", *TWO, example)
    for run, count in zip(runs, (1, 2), strict=True):
        assert run.returncode == 0, run.stderr[-3000:]
        assert run.stdout.count("processes:") == run.stdout.count(f"processes: {count}, on") == 1
    of_one, of_two = (run.stdout.split()[-1] for run in runs)
    assert float(of_two) == pytest.approx(float(of_one), abs=1e-3)


def test_one_process_learns_what_it_learns_without_accelerate(tmp_path):
    X, y = series()
    for name in ("attention, classes", "hyena"):
        for key, expected in learnt(EMBEDDERS[name], "cpu").items():
            np.testing.assert_array_equal(learnt(EMBEDDERS[name], "accelerate")[key], expected)
    fitted = clone(TEACHER).set_params(device="accelerate", max_epochs=1).fit(X, y)
    assert clone(fitted).device == "accelerate"
    fitted.save(tmp_path / "saved")
    for loaded in (MHAEmbedder.load(tmp_path / "saved"), MHAEmbedder.load(tmp_path / "saved", device="accelerate")):
        assert loaded.device == "accelerate"
        np.testing.assert_array_equal(loaded.transform(X), fitted.transform(X))


def test_without_accelerate_there_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    message = r"device='accelerate' needs accelerate: run `pip install 'sigfeat\[accelerate\]'`"
    with pytest.raises(ImportError, match=message):
        clone(TEACHER).set_params(device="accelerate").fit(*series())
    clone(TEACHER).set_params(max_epochs=1).fit(*series())


LAUNCHES = {
    "weights": ({"distributed_type": DistributedType.FSDP}, "shares batches, not weights: launch without FSDP"),
    "precision": ({"mixed_precision": "bf16"}, "computes in dtype: launch without mixed precision, now bf16"),
    "accumulation": ({"gradient_accumulation_steps": 3}, "launch without accumulation of gradients over 3"),
}


@pytest.mark.parametrize("case", LAUNCHES)
def test_launches_that_ask_for_more_are_refused(case, monkeypatch):
    different, message = LAUNCHES[case]
    usual = {"distributed_type": DistributedType.NO, "mixed_precision": "no", "gradient_accumulation_steps": 1}
    found = SimpleNamespace(**usual | different)
    monkeypatch.setattr("accelerate.Accelerator", lambda **how: found)
    with pytest.raises(ValueError, match=f"device='accelerate' .*{message}"):
        clone(TEACHER).set_params(device="accelerate").fit(*series())


def test_processes_that_do_not_know_each_other_are_told(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    alone = SimpleNamespace(num_processes=1, device=torch.device("cpu"))
    monkeypatch.setattr("accelerate.PartialState", lambda cpu: alone)
    with pytest.raises(ValueError, match="accelerate takes 2 launched processes for 1 on cpu: set ACCELERATE_USE_CPU"):
        clone(TEACHER).set_params(device="accelerate").fit(*series())


@pytest.mark.slow
def test_an_error_in_one_process_ends_the_others(tmp_path):
    script = tmp_path / "one_fails.py"
    script.write_text(
        "import os\n"
        "from tests.test_several_devices import TEACHER, series\n"
        "X, y = series()\n"
        "if os.environ['RANK'] == '1':\n"
        "    raise OSError('no such panel')\n"
        "TEACHER.set_params(device='accelerate').fit(X, y)\n"
    )
    run = launched("-m", *TWO, script, seconds=60)
    assert run.returncode == 1
    assert "no such panel" in run.stderr


def test_each_process_takes_its_rows():
    rows = torch.arange(6)
    parts = [Processes(number=number, count=3).own(rows) for number in range(3)]
    assert torch.equal(torch.cat(parts), rows)
    assert Processes().own(rows) is rows


if __name__ == "__main__":
    main(sys.argv[1])
