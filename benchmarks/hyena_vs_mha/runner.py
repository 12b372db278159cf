"""A study, cell by cell: what is finished is kept, and the rest is run."""

import functools
from dataclasses import replace

import pandas as pd

from benchmarks.hyena_vs_mha import figures
from benchmarks.hyena_vs_mha.cells import Cost, Store, Student, Teacher, measured, rows
from benchmarks.hyena_vs_mha.config import Config
from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED, TASKS
from benchmarks.hyena_vs_mha.report import write_report
from benchmarks.hyena_vs_mha.students import CONTROL, EQUAL_WEIGHTS, HYENA, USUAL_ORDER
from benchmarks.hyena_vs_mha.tasks import NEXT_TOKEN, SeriesTask, data_of, task_of
from benchmarks.hyena_vs_mha.turns import SLOW
from benchmarks.measure import circumstances
from benchmarks.study import runner
from benchmarks.study.files import write
from benchmarks.study.records import Record, file_name, write_results
from benchmarks.study.trackers import TRACKERS, log

NOT_SETTINGS = ("data", "out", "tracker", "n_jobs", "report")  # of the config
PROJECT = "sigfeat-hyena-vs-mha"


def run(config: Config) -> list[Record]:
    """Run what is left of a study and write its tables and its report; see `benchmarks.study.runner.run_cells`.

    Parameters
    ----------
    config : Config
        What to run, and the folder of everything that is written.

    Returns
    -------
    records : list of dict
        Of all finished cells.
    """
    store = Store(config.out)
    teachers, students, costs = phases(config)
    about = circumstances() | {"config": runner.settings(config, without=NOT_SETTINGS)}
    left = [cell for cell in students if store.read(cell) is None]
    needed = {cell.teacher for cell in left}
    first = [cell for cell in teachers if store.read(cell) is None or (cell in needed and not store.has_teacher(cell))]
    last = [cell for cell in costs if store.read(cell) is None]
    cells = [*teachers, *students, *costs]
    measure = functools.partial(measured, store=store, folder=config.data)
    if not config.report:
        runner.run_cells(len(cells), [(first, config.n_jobs), (left, config.n_jobs), (last, 1)], measure)
    found = store.found(cells)
    records = [row for record in found.values() for row in rows(record)]
    write_results(records, about, config.out)
    for kind in ("teacher", "student", "cost"):
        lines = [_flat(record) for record in records if record["kind"] == kind]
        write(config.out / f"{kind}s.csv", pd.DataFrame(lines).to_csv(index=False))
    write_report(records, about, config.out)
    if config.tracker != "csv":
        trained = {cell: record for cell, record in found.items() if record["kind"] != "cost"}
        runs = ((file_name(cell), *_of_run(record, config)) for cell, record in trained.items())
        tracker = TRACKERS[config.tracker](config.out, PROJECT)
        log(tracker, config.tracker, runs, lambda: figures.all_figures(records))
    return records


def phases(config: Config) -> tuple[list[Teacher], list[Student], list[Cost]]:
    """All cells, in the order in which they are run.

    Teachers come before those without mixing, and students of equal weights last. Within each of these, all
    combinations with one seed come before those with the next.
    """
    kinds = {"s4": "S4D", "gru": "GRU", "control": CONTROL}
    hyenas = [f"{HYENA} {order}" for order in config.orders] if "hyena" in config.students else []
    others = [kinds[name] for name in config.students if name != "hyena"]
    wide = hyenas if "width" in config.matches else []
    equal = [f"{name}{EQUAL_WEIGHTS}" for name in hyenas] if "weights" in config.matches else []
    if wide and f"{HYENA} {USUAL_ORDER}" in wide:  # the same student in both comparisons
        equal = [name for name in equal if name != f"{HYENA} {USUAL_ORDER}{EQUAL_WEIGHTS}"]
    checksums = {name: data_of(name, config.data).checksum for name in config.tasks}
    teachers = [
        Teacher(name, checksums[name], objective, seed, config.teacher_epochs)
        for seed in range(config.seeds)
        for name in config.tasks
        for objective in (config.objectives if isinstance(task_of(name), SeriesTask) else (NEXT_TOKEN,))
    ]
    without = [replace(teacher, mixes=False) for teacher in teachers]
    students = [
        Student(teacher, name, config.max_epochs or task_of(teacher.task).student_epochs)
        for names in ([*wide, *others], equal)
        for teacher in teachers
        for name in names
    ]
    mixers = [FUSED, EXPLICIT, *hyenas, *[name for name in others if name != CONTROL]]
    costs = [_cost(mixers, length, task, config) for length in config.lengths for task in TASKS]
    return [*teachers, *without], students, costs


def _cost(mixers, length, task, config):
    left_out = tuple(name for name in mixers if name in SLOW and length > config.attention_up_to)
    measured = tuple(name for name in mixers if name not in left_out)
    return Cost(measured, left_out, length, task, config.batch, config.repeat, config.limit)


def _of_run(record, config):
    """Settings, figures, curves and steps of a training, for a tracker."""
    health = record.get("health", {})
    curves = {key: health[key] for key in ("loss", "gradient_norm") if key in health}
    for k, norms in enumerate(health.get("block_gradient_norms", [])):
        curves[f"gradient_norm/block {k + 1}"] = norms
    values = {key: value for key, value in _flat(record).items() if isinstance(value, int | float)}
    words = {key: value for key, value in record.items() if isinstance(value, str)}
    return words | {"seed": record["seed"], "max_epochs": config.max_epochs}, values, curves, health.get("step", [])


def _flat(record):
    """Single values of a record, by joined names."""
    flat = pd.json_normalize(record, sep="/").iloc[0].to_dict()
    return {name: value for name, value in flat.items() if not isinstance(value, list) or name == "seconds"}
