"""What the study covers: settings from the command line or a preset."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sequence_tasks.networks import OTHERS, settings_of
from benchmarks.sequence_tasks.tasks import TASKS
from benchmarks.study.command import (
    add_presets,
    add_tracker,
    as_tuples,
    at_least,
    check_tracker,
    preset_options,
    study_parser,
)

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
        Which networks are trained on which tasks.
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
        Where runs are logged besides the files in `out`.
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
    """Settings of a preset, with the other arguments over them."""
    parser = _parser()
    first = parser.parse_args(arguments)
    found = preset_options(parser, arguments, PRESETS["full" if first.full else "quick"].split())
    check_tracker(parser, found["tracker"])
    odd = [length for length in found["lengths"] if length % 2]
    if odd and "associative recall" in found["tasks"]:
        parser.error(f"--lengths must be even for associative recall, got {odd[0]}")
    return Config(**as_tuples(found))


def _parser():
    parser = study_parser(
        "sequence_tasks", "Hyena, S4, a GRU and attention of equal size on tasks that ask for an earlier token."
    )
    add_presets(parser, "some minutes", "a day")
    parser.add_argument(
        "--tasks", nargs="+", choices=TASKS, default=tuple(TASKS), metavar="TASK", help=", ".join(TASKS)
    )
    parser.add_argument(
        "--networks", nargs="+", type=_network, default=NETWORKS, metavar="NAME", help=", ".join(NETWORKS)
    )
    parser.add_argument("--lengths", nargs="+", type=at_least(8), metavar="L", help="of the sequences")
    parser.add_argument("--lags", nargs="+", type=at_least(1), metavar="K", help="of the previous bit")
    parser.add_argument("--lr", nargs="+", type=float, metavar="RATE", help="learning rates to choose from")
    parser.add_argument("--seeds", type=at_least(1), default=1, metavar="N", help="number of seeds (default: 1)")
    parser.add_argument("--n_steps", type=at_least(1), metavar="N", help="most steps of each training")
    parser.add_argument(
        "--every", type=at_least(1), default=25, metavar="N", help="steps from one evaluation to the next"
    )
    parser.add_argument("--batch", type=at_least(1), default=16, metavar="N", help="sequences of a step (default: 16)")
    parser.add_argument("--width", type=at_least(4), default=64, metavar="N", help="of the tokens (default: 64)")
    parser.add_argument("--n_weights", type=at_least(1), default=80_000, metavar="N", help="of each network")
    parser.add_argument("--n_jobs", type=int, default=1, metavar="N", help="trainings at once (default: 1)")
    parser.add_argument("--report", action="store_true", help="run nothing, write the report of what is finished")
    parser.add_argument("--table", type=Path, metavar="FILE", help="run nothing, print the table of this results.json")
    add_tracker(parser)
    return parser


def _network(text):
    try:
        settings_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text
