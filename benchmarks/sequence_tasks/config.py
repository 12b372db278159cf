"""What the study covers: settings from the command line or a preset."""

import argparse
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sequence_tasks.networks import OTHERS, settings_of
from benchmarks.sequence_tasks.tasks import TASKS

TRACKERS = {"csv": (), "tensorboard": ("tensorboard",), "wandb": ("wandb",)}  # and the packages that they need
NETWORKS = ("Hyena order 1", "Hyena order 2", "Hyena order 3", *OTHERS)
PRESETS = {
    "quick": "--lengths 16 --lags 8 --lr 0.01 --n_steps 200 --width 32 --n_weights 25000",
    "full": "--lengths 32 64 128 256 --lags 8 16 32 64 --lr 0.003 0.01 0.03 --n_steps 4000 --seeds 3",
}


@dataclass(frozen=True)
class Config:
    """Settings of a study.

    Parameters
    ----------
    tasks, networks : tuple of str
        Who is tried on what.
    lengths, lags : tuple of int
        Sizes of the tasks: lags of the previous bit, lengths of the others.
    lr : tuple of float
        Learning rates that are tried.
    seeds : int
        Each combination is run with the seeds 0, 1, ....
    n_steps, every : int
        Most steps of a training, six times as many for associative recall, and steps between two evaluations.
    batch : int
        Sequences of a step.
    width, n_weights : int
        Of the tokens, and of each network.
    n_jobs : int
        Trainings at once, each on one thread.
    report : bool
        Whether nothing is run, and the report is of what was finished.
    table : Path or None
        A results.json of which the main table is printed, and nothing else is done.
    tracker : {"csv", "tensorboard", "wandb"}
        Who is told besides the files in `out`.
    out : Path
        Folder of everything that is written.
    """

    tasks: tuple[str, ...]
    networks: tuple[str, ...]
    lengths: tuple[int, ...]
    lags: tuple[int, ...]
    lr: tuple[float, ...]
    seeds: int
    n_steps: int
    every: int
    batch: int
    width: int
    n_weights: int
    n_jobs: int
    report: bool
    table: Path | None
    tracker: str
    out: Path

    def sizes(self, task: str) -> tuple[int, ...]:
        """Sizes of a task."""
        return self.lags if TASKS[task].size == "lag" else self.lengths


def from_arguments(arguments: list[str]) -> Config:
    """Settings: a preset, and over it what else is said."""
    parser = _parser()
    first = parser.parse_args(arguments)
    preset = PRESETS["full" if first.full else "quick"].split()
    found = vars(parser.parse_args(preset + arguments))
    del found["quick"], found["full"]
    missing = [package for package in TRACKERS[found["tracker"]] if importlib.util.find_spec(package) is None]
    if missing:
        parser.error(f"--tracker {found['tracker']} needs the package {missing[0]}: run `pip install {missing[0]}`")
    odd = [length for length in found["lengths"] if length % 2]
    if odd and "associative recall" in found["tasks"]:
        parser.error(f"--lengths must be even for associative recall, got {odd[0]}")
    return Config(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sequence_tasks",
        description="Hyena, S4, a GRU and attention of equal size on tasks that ask for what was said earlier. "
        "Finished cells are kept in the output folder; the same command goes on where it was stopped.",
        allow_abbrev=False,
    )
    presets = parser.add_mutually_exclusive_group()
    presets.add_argument("--quick", action="store_true", help="some minutes (default)")
    presets.add_argument("--full", action="store_true", help="a day")
    parser.add_argument(
        "--tasks", nargs="+", choices=TASKS, default=tuple(TASKS), metavar="TASK", help=", ".join(TASKS)
    )
    parser.add_argument(
        "--networks", nargs="+", type=_network, default=NETWORKS, metavar="NAME", help=", ".join(NETWORKS)
    )
    parser.add_argument("--lengths", nargs="+", type=_at_least(8), metavar="L", help="of the sequences")
    parser.add_argument("--lags", nargs="+", type=_at_least(1), metavar="K", help="of the previous bit")
    parser.add_argument("--lr", nargs="+", type=float, metavar="RATE", help="learning rates to choose from")
    parser.add_argument("--seeds", type=_at_least(1), default=1, metavar="N", help="number of seeds (default: 1)")
    parser.add_argument("--n_steps", type=_at_least(1), metavar="N", help="most steps of each training")
    parser.add_argument(
        "--every", type=_at_least(1), default=25, metavar="N", help="steps from one evaluation to the next"
    )
    parser.add_argument("--batch", type=_at_least(1), default=16, metavar="N", help="sequences of a step (default: 16)")
    parser.add_argument("--width", type=_at_least(4), default=64, metavar="N", help="of the tokens (default: 64)")
    parser.add_argument("--n_weights", type=_at_least(1), default=80_000, metavar="N", help="of each network")
    parser.add_argument("--n_jobs", type=int, default=1, metavar="N", help="trainings at once (default: 1)")
    parser.add_argument("--report", action="store_true", help="run nothing, write the report of what is finished")
    parser.add_argument("--table", type=Path, metavar="FILE", help="run nothing, print the table of this results.json")
    parser.add_argument("--tracker", choices=TRACKERS, default="csv", help="who is told besides CSV and JSON files")
    parser.add_argument("--out", type=Path, default=Path("sequence_tasks"), metavar="DIR", help="output folder")
    return parser


def _network(text):
    try:
        settings_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _at_least(least):
    def number(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {text}")
        return int(text)

    return number
