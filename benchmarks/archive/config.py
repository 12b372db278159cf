"""Settings from the command line."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.archive.pipelines import AEON
from benchmarks.study.command import above_zero, as_tuples, at_least, study_parser

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
    """Settings from the command line."""
    return Config(**as_tuples(vars(_parser().parse_args(arguments))))


def _parser():
    parser = study_parser(
        "archive",
        "Test accuracy, time and memory of classifiers on data sets of the UEA and UCR archives, default split.",
    )
    default = Config()
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help="folder of NAME/NAME_TRAIN.ts; default: the sets that sktime ships")
    add("--sets", nargs="+", default=default.sets, metavar="NAME", help="data sets; default: all of the folder")
    add("--pipelines", nargs="*", default=PIPELINES, metavar="NAME", help="of sigfeat.classifiers: iss, sigfeat, ...")
    add("--against", nargs="+", choices=["aeon", *AEON], default=(), help="aeon's classifiers, all or some of them")
    add("--seeds", type=at_least(1), default=default.seeds, metavar="N", help="default: 3")
    add("--jobs", type=at_least(1), default=default.jobs, metavar="N", help="threads of a classifier; default: 1")
    add("--published", type=Path, metavar="CSV", help="published figures: columns dataset, method, accuracy")
    add("--limit", type=above_zero, default=default.limit, metavar="SECONDS", help="of a cell; default: 3600")
    return parser
