"""What the study covers: settings from the command line, a preset or a TOML file."""

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data import SHIPPED, chosen_sets
from benchmarks.hyena_vs_mha.tasks import SYNTHETIC
from benchmarks.study.command import (
    above_zero,
    add_presets,
    add_tracker,
    as_tuples,
    at_least,
    check_tracker,
    preset_options,
    study_parser,
)

OBJECTIVES = ("supervised", "masked", "random")
STUDENTS = ("hyena", "s4", "gru", "control")
MATCHES = ("width", "weights")
QUICK_TIME = "about four minutes on two cores"
FULL_TIME = "about three hours on two cores"
PRESETS = {
    "quick": "--tasks memory BasicMotions --orders 1 2 4 --matches width --objectives supervised --seeds 1 "
    "--max_epochs 8 --repeat 3 --lengths 512 2048 8192 16384 --attention_up_to 8192 --batch 1 --limit 28",
    "full": "--tasks pointer recall induction text UWaveGestureLibrary Libras NATOPS "
    "--orders 1 2 3 4 8 --matches width weights --objectives supervised --seeds 3 --repeat 5 "
    "--lengths 256 1024 4096 8192 16384 32768 65536 --attention_up_to 32768 --batch 1 --limit 60",
}


@dataclass(frozen=True)
class Config:
    """Settings of a study.

    Parameters
    ----------
    data : Path or None
        Folder of NAME/NAME_TRAIN.ts and NAME/NAME_TEST.ts; None for what sktime ships.
    tasks : tuple of str
        Synthetic tasks and data sets that teachers are trained on.
    objectives : tuple of str
        How teachers of series are trained.
    students : tuple of str
        Kinds of students.
    orders : tuple of int
        Of the Hyena students.
    matches : tuple of str
        Whether Hyena students have tokens of equal width, or equal weights, or both are trained.
    seeds : int
        Each combination is run with the seeds 0, 1, ....
    teacher_epochs : int or None
        Of the training of teachers; None for what the task needs.
    max_epochs : int or None
        Of the training of students; None for the number of the task.
    lengths : tuple of int
        Of the sequences for which costs are measured.
    attention_up_to : int
        Longest length at which costs of attention and of a GRU are measured.
    batch : int
        Sequences for which costs are measured.
    repeat : int
        Rounds in which each time is measured; slow mixers take part in fewer.
    limit : float
        Seconds after which the first run of a mixer is given up.
    n_jobs : int
        Teachers and students that are trained at once, each on one thread. Costs are measured one by one.
    report : bool
        Whether nothing is run, and the report is of what was finished.
    tracker : {"csv", "tensorboard", "wandb"}
        Where runs are logged besides the files in `out`.
    out : Path
        Folder of everything that is written.
    """

    data: Path | None
    tasks: tuple[str, ...]
    objectives: tuple[str, ...]
    students: tuple[str, ...]
    orders: tuple[int, ...]
    matches: tuple[str, ...]
    seeds: int
    teacher_epochs: int | None
    max_epochs: int | None
    lengths: tuple[int, ...]
    attention_up_to: int
    batch: int
    repeat: int
    limit: float
    n_jobs: int
    report: bool
    tracker: str
    out: Path


def from_arguments(arguments: list[str]) -> Config:
    """Settings of a preset, with those of a file over them, and over both the other arguments."""
    parser = _parser()
    first = parser.parse_args(arguments)
    preset = PRESETS["full" if first.full or first.config else "quick"].split()
    of_file = _of_file(parser, first.config) if first.config else []
    found = preset_options(parser, arguments, preset + of_file)
    if not first.tasks and "--tasks" not in of_file:
        found["tasks"] = _tasks(parser, found["data"], found["tasks"])
    check_tracker(parser, found["tracker"])
    return Config(**as_tuples(found))


def _parser():
    parser = study_parser(
        "hyena_vs_mha", "How well Hyena stands in for multi-head attention: performance, similarity, cost."
    )
    presets = add_presets(parser, QUICK_TIME, FULL_TIME)
    presets.add_argument("--config", type=Path, metavar="FILE", help="TOML file of the options below, by their names")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of NAME/NAME_TRAIN.ts; default: sktime's sets")
    parser.add_argument(
        "--tasks",
        nargs="+",
        metavar="NAME",
        help=f"what teachers learn: {', '.join(SYNTHETIC)}, or data sets; default: those of the preset that "
        "there are, or three of DIR",
    )
    parser.add_argument("--objectives", nargs="+", choices=OBJECTIVES, help="how teachers of series are trained")
    parser.add_argument(
        "--students", nargs="*", choices=STUDENTS, default=STUDENTS, help="students that imitate the teachers"
    )
    parser.add_argument("--orders", nargs="+", type=at_least(1), metavar="N", help="orders of Hyena")
    parser.add_argument("--matches", nargs="+", choices=MATCHES, help="what is equal for all orders of Hyena")
    parser.add_argument("--seeds", type=at_least(1), metavar="N", help="number of seeds of teacher and student")
    parser.add_argument(
        "--teacher_epochs", type=at_least(1), metavar="N", help="epochs of teachers, of 20 steps; default: by the task"
    )
    parser.add_argument("--max_epochs", type=at_least(1), metavar="N", help="of students; default: by the task")
    parser.add_argument("--lengths", nargs="+", type=at_least(2), metavar="L", help="lengths for the costs")
    parser.add_argument(
        "--attention_up_to", type=at_least(1), metavar="L", help="longest length for attention and the GRU"
    )
    parser.add_argument("--batch", type=at_least(1), metavar="N", help="sequences for the costs")
    parser.add_argument("--repeat", type=at_least(1), metavar="N", help="rounds in which each cost is measured")
    parser.add_argument("--limit", type=above_zero, metavar="SECONDS", help="longest first run of a mixer")
    parser.add_argument("--n_jobs", type=int, default=2, metavar="N", help="trainings at once (default: 2)")
    parser.add_argument("--report", action="store_true", help="run nothing, write the report of what is finished")
    add_tracker(parser)
    return parser


def _tasks(parser, folder, preset):
    """Tasks where none are named: the synthetic ones of the preset, and data sets that there are; prints the latter."""
    synthetic = [name for name in preset if name in SYNTHETIC]
    sets = [name for name in preset if name not in SYNTHETIC]
    if folder is None:
        missing = [name for name in sets if name not in SHIPPED]
        if missing:
            print(f"without --data DIR, there is no data set {', '.join(missing)}", file=sys.stderr)
        return [*synthetic, *[name for name in sets if name not in missing]]
    try:
        sets = chosen_sets(folder, sets)
    except ValueError as error:
        parser.error(f"--data {folder}: {error}")
    print(f"data sets from {folder}: {', '.join(sets)}", file=sys.stderr)
    return [*synthetic, *sets]


def _of_file(parser, path):
    """Options of a TOML file as arguments."""
    try:
        options = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        parser.error(f"--config {path} cannot be read: {error}")
    arguments = []
    for name, value in options.items():
        arguments += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return arguments
