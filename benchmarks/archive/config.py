"""What is run, as the command line says it."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.archive.pipelines import AEON

PIPELINES = ("iss_classifier", "sigfeat_classifier")


@dataclass(frozen=True)
class Config:
    """Settings of a run.

    Parameters
    ----------
    data : Path or None
        Folder of NAME/NAME_TRAIN.ts and NAME/NAME_TEST.ts; None for what sktime ships.
    sets : tuple of str
        Data sets; empty for all there are.
    pipelines : tuple of str
        Functions of `sigfeat.classifiers`, with or without "_classifier".
    against : tuple of str
        "aeon", or some of aeon's classifiers.
    seeds : int
        Every classifier is run with the seeds 0, 1, ....
    jobs : int
        Threads of a classifier. Classifiers are run one after the other, so that times can be compared.
    published : Path or None
        CSV file with the columns dataset, method, accuracy.
    limit : float
        Seconds after which a cell is given up, from the start of its process.
    out : Path
        Folder of everything that is written.
    """

    data: Path | None = None
    sets: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = PIPELINES
    against: tuple[str, ...] = ()
    seeds: int = 3
    jobs: int = 1
    published: Path | None = None
    limit: float = 3600.0
    out: Path = Path("archive")


def from_arguments(arguments: list[str]) -> Config:
    """Settings that the command line says."""
    said = vars(_parser().parse_args(arguments))
    found: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    return Config(**found)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.archive",
        description="Test accuracy, time and memory of classifiers on data sets of the UEA and UCR archives, default "
        "split. Finished cells are kept in the output folder; the same command goes on where it was stopped.",
        allow_abbrev=False,
    )
    default = Config()
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help="folder of NAME/NAME_TRAIN.ts; default: the sets that sktime ships")
    add("--sets", nargs="+", default=default.sets, metavar="NAME", help="data sets; default: all of the folder")
    add("--pipelines", nargs="*", default=PIPELINES, metavar="NAME", help="of sigfeat.classifiers: iss, sigfeat, ...")
    add("--against", nargs="+", choices=["aeon", *AEON], default=(), help="aeon's classifiers, all or some of them")
    add("--seeds", type=_positive(int), default=default.seeds, metavar="N", help="default: 3")
    add("--jobs", type=_positive(int), default=default.jobs, metavar="N", help="threads of a classifier; default: 1")
    add("--published", type=Path, metavar="CSV", help="published figures: columns dataset, method, accuracy")
    add("--limit", type=_positive(float), default=default.limit, metavar="SECONDS", help="of a cell; default: 3600")
    add("--out", type=Path, default=default.out, metavar="DIR", help="output folder; default: archive")
    return parser


def _positive(kind):
    def number(text):
        if not kind(text) > 0:
            raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
        return kind(text)

    return number
