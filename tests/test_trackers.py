"""Trackers: what is logged is in the files that they write."""

import time

import pytest
from matplotlib.figure import Figure

from benchmarks.study.trackers import TRACKERS, TensorBoard, Tracker, WeightsAndBiases

RUN = {
    "name": "one run",
    "settings": {"student": "Hyena order 2", "seed": 3},
    "figures": {"fidelity/token_r2": 0.75},
    "curves": {"loss": [2.0, 1.0, 0.5], "gradient_norm": [8.0, 4.0, 2.0]},
    "steps": [1, 10, 20],
}


def picture():
    figure = Figure(figsize=(1, 1))
    figure.add_subplot().plot([0, 1], [0, 1])
    return figure


def test_names():
    assert set(TRACKERS) == {"csv", "tensorboard", "wandb"}


def test_the_default_logs_nothing(tmp_path):
    tracker = Tracker(tmp_path, "project")
    tracker.run(**RUN)
    tracker.pictures({"line": picture()})
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of protobuf and pkg_resources in tensorboard
def test_tensorboard_reads_what_was_logged(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracker = TensorBoard(tmp_path, "project")
    tracker.run(**RUN)
    tracker.pictures({"line": picture()})
    events = EventAccumulator(str(tmp_path / "tensorboard" / "one run")).Reload()
    for name, values in RUN["curves"].items():
        assert [(event.step, event.value) for event in events.Scalars(name)] == list(
            zip(RUN["steps"], values, strict=True)
        )
    assert [event.value for event in events.Scalars("fidelity/token_r2")] == [0.75]
    report = EventAccumulator(str(tmp_path / "tensorboard" / "report")).Reload()
    assert report.Tags()["images"] == ["line"]


def written(path, words):
    """Bytes of a file, which a process of wandb may write after the end of a run; after ten seconds as they are."""
    for _ in range(100):
        if words in path.read_bytes():
            break
        time.sleep(0.1)
    return path.read_bytes()


def test_weights_and_biases_without_a_network(tmp_path, monkeypatch):
    """A file for each run, in which the names of everything logged are found, and the picture as a file."""
    monkeypatch.delenv("WANDB_MODE", raising=False)
    tracker = WeightsAndBiases(tmp_path, "project")
    tracker.run(**RUN)
    tracker.pictures({"line": picture()})
    first, second = sorted(tmp_path.glob("wandb/offline-run-*/run-*.wandb"), key=lambda path: path.stat().st_mtime_ns)
    logged = written(first, b"one run")
    for words in (b"one run", b"Hyena order 2", b"loss", b"gradient_norm", b"fidelity/token_r2"):
        assert words in logged
    assert b"report" in written(second, b"report")
    assert len(list(second.parent.glob("files/media/images/line_*.png"))) == 1
