"""Trackers of experiments: TensorBoard and Weights & Biases behind one interface."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.study.files import write


class Tracker:
    """Interface to a service that logs runs. This one logs nothing.

    Parameters
    ----------
    folder : Path
        Where files are written.
    project : str
        Name of the project that the runs belong to.
    """

    packages: tuple[str, ...] = ()  # that it needs

    def __init__(self, folder: Path, project: str) -> None:
        self.folder, self.project = folder, project

    def run(
        self,
        name: str,
        settings: Mapping[str, Any],
        figures: Mapping[str, float],
        curves: Mapping[str, Sequence[float]],
        steps: Sequence[int],
    ) -> None:
        """Log a run: its settings, single figures, and curves with a value at each of the steps."""

    def pictures(self, pictures: Mapping[str, Figure]) -> None:
        """Log pictures that belong to no single run."""


class TensorBoard(Tracker):
    """Writes event files, one folder per run: ``tensorboard --logdir FOLDER/tensorboard``."""

    packages = ("tensorboard",)

    def run(self, name, settings, figures, curves, steps):
        with self._writer(name) as writer:
            writer.add_text("settings", "\n".join(f"    {key}: {value}" for key, value in settings.items()))
            for key, value in figures.items():
                writer.add_scalar(key, value, 0)
            for key, values in curves.items():
                for step, value in zip(steps, values, strict=True):
                    writer.add_scalar(key, value, step)

    def pictures(self, pictures):
        with self._writer("report") as writer:
            for name, picture in pictures.items():
                writer.add_figure(name, picture, close=False)

    def _writer(self, name):
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(self.folder / "tensorboard" / name)


class WeightsAndBiases(Tracker):
    """Writes runs of Weights & Biases, all of one group.

    Without ``WANDB_MODE=online`` nothing leaves the machine: ``wandb sync FOLDER/wandb/offline-run-*`` sends the runs.
    """

    packages = ("wandb",)

    def run(self, name, settings, figures, curves, steps):
        with self._run(name, dict(settings)) as run:
            for k, step in enumerate(steps):
                run.log({key: values[k] for key, values in curves.items()}, step=step)
            run.summary.update(dict(figures))

    def pictures(self, pictures):
        import wandb

        with self._run("report", {}) as run:
            run.log({name: wandb.Image(_pixels(picture)) for name, picture in pictures.items()})

    def _run(self, name, settings):
        import wandb

        return wandb.init(
            project=self.project,
            group=self.folder.resolve().name,
            name=name,
            config=settings,
            dir=self.folder,
            mode=os.environ.get("WANDB_MODE", "offline"),
            reinit="finish_previous",
            settings=wandb.Settings(silent=True, console="off", disable_git=True, x_disable_stats=True),
        )


def _pixels(picture):
    """Array (height, width, 4); W&B needs pyplot to log a figure itself."""
    canvas = FigureCanvasAgg(picture)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def log(
    tracker: Tracker, name: str, runs: Iterable[tuple[Any, ...]], pictures: Callable[[], Mapping[str, Figure]]
) -> None:
    """Log the runs that a tracker has not logged before, and the pictures.

    Parameters
    ----------
    tracker : Tracker
        NAME.json in its folder lists the runs that it has logged.
    name : str
        Of the tracker.
    runs : iterable of tuple
        Arguments of `Tracker.run`.
    pictures : callable
        Draws them.

    Raises
    ------
    ValueError
        If the tracker fails.
    """
    logged = tracker.folder / f"{name}.json"
    try:
        known = json.loads(logged.read_text()) if logged.exists() else []
        for run in runs:
            if run[0] not in known:
                tracker.run(*run)
                known.append(run[0])
                write(logged, json.dumps(known))
        tracker.pictures(pictures())
    except Exception as error:  # of the tracker's own kinds
        what = f"--tracker {name} failed: {error}; the report and all records are in {tracker.folder}"
        raise ValueError(what) from error


TRACKERS = {"csv": Tracker, "tensorboard": TensorBoard, "wandb": WeightsAndBiases}
