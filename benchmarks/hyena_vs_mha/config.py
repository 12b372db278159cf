"""What the study covers: settings from the command line, a preset or a TOML file."""

import argparse
import importlib.util
import tomllib
from dataclasses import dataclass
from pathlib import Path

OBJECTIVES = ("supervised", "masked", "random")
STUDENTS = ("hyena", "s4", "gru", "control")
TRACKERS = {"csv": (), "tensorboard": ("tensorboard",), "wandb": ("wandb",)}  # and the packages that they need
PRESETS = {
    "quick": "--sets BasicMotions --orders 1 2 4 --objectives supervised --seeds 1 --n_steps 60 --repeat 3 "
    "--lengths 256 1024 4096 --limit 20",
    "full": "--sets BasicMotions JapaneseVowels --orders 1 2 3 4 8 16 --objectives supervised masked random --seeds 5 "
    "--n_steps 300 --repeat 5 --lengths 256 512 1024 2048 4096 8192 16384 32768 65536 --limit 240",
}


@dataclass(frozen=True)
class Config:
    """Settings of a study.

    Parameters
    ----------
    data : Path or None
        Folder of NAME/NAME_TRAIN.ts and NAME/NAME_TEST.ts; None for what sktime ships.
    sets, objectives, students : tuple of str
        Data sets, what teachers are trained on, and kinds of students.
    orders : tuple of int
        Of the Hyena students.
    seeds : int
        Each combination is run with the seeds 0, 1, ....
    n_steps : int
        Of every training, of teachers and students.
    lengths : tuple of int
        Of the sequences for which costs are measured.
    repeat : int
        Measurements of each time.
    limit : float
        Seconds after which the measurement of a cost is given up.
    n_jobs : int
        Teachers and students that are trained at once, each on one thread. Costs are measured one by one.
    tracker : {"csv", "tensorboard", "wandb"}
        Who is told besides the files in `out`.
    out : Path
        Folder of everything that is written.
    """

    data: Path | None
    sets: tuple[str, ...]
    objectives: tuple[str, ...]
    students: tuple[str, ...]
    orders: tuple[int, ...]
    seeds: int
    n_steps: int
    lengths: tuple[int, ...]
    repeat: int
    limit: float
    n_jobs: int
    tracker: str
    out: Path


def from_arguments(arguments: list[str]) -> Config:
    """Settings: a preset, over it a file, and over both what else is said."""
    parser = _parser()
    first = parser.parse_args(arguments)
    chosen = PRESETS["full" if first.full else "quick"].split() if first.config is None else PRESETS["full"].split()
    if first.config:
        chosen += _of_file(parser, first.config)
    found = vars(parser.parse_args(chosen + arguments))
    for name in ("config", "quick", "full"):
        del found[name]
    missing = [package for package in TRACKERS[found["tracker"]] if importlib.util.find_spec(package) is None]
    if missing:
        parser.error(f"--tracker {found['tracker']} needs the package {missing[0]}: run `pip install {missing[0]}`")
    return Config(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hyena_vs_mha",
        description="How well Hyena stands in for multi-head attention: performance, similarity, cost. Finished cells "
        "are kept in the output folder; the same command goes on where it was stopped.",
        allow_abbrev=False,
    )
    presets = parser.add_mutually_exclusive_group()
    presets.add_argument("--config", type=Path, metavar="FILE", help="TOML file of the options below, by their names")
    presets.add_argument("--quick", action="store_true", help="some minutes (default)")
    presets.add_argument("--full", action="store_true", help="some hours")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of NAME/NAME_TRAIN.ts; default: sktime's sets")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="data sets")
    parser.add_argument("--objectives", nargs="+", choices=OBJECTIVES, help="what teachers are trained on")
    parser.add_argument("--students", nargs="+", choices=STUDENTS, default=STUDENTS, help="who imitates")
    parser.add_argument("--orders", nargs="+", type=_at_least(1), metavar="N", help="orders of Hyena")
    parser.add_argument("--seeds", type=_at_least(1), metavar="N", help="number of seeds of teacher and student")
    parser.add_argument("--n_steps", type=_at_least(1), metavar="N", help="steps of each training")
    parser.add_argument("--lengths", nargs="+", type=_at_least(2), metavar="L", help="lengths for the costs")
    parser.add_argument("--repeat", type=_at_least(1), metavar="N", help="measurements of each cost")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="longest measurement of a cost")
    parser.add_argument("--n_jobs", type=int, default=2, metavar="N", help="trainings at once (default: 2)")
    parser.add_argument("--tracker", choices=TRACKERS, default="csv", help="who is told besides CSV and JSON files")
    parser.add_argument("--out", type=Path, default=Path("hyena_vs_mha"), metavar="DIR", help="output folder")
    return parser


def _at_least(least):
    def number(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {text}")
        return int(text)

    return number


def _of_file(parser, path):
    """Arguments that say what a TOML file says."""
    try:
        options = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        parser.error(f"--config {path} cannot be read: {error}")
    arguments = []
    for name, value in options.items():
        arguments += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return arguments
