"""A study, cell by cell: what is finished is kept, and the rest is run."""

import functools

import pandas as pd

from benchmarks.measure import circumstances
from benchmarks.sequence_tasks import figures
from benchmarks.sequence_tasks.cells import Cell, measured
from benchmarks.sequence_tasks.config import Config
from benchmarks.sequence_tasks.report import write_report
from benchmarks.sequence_tasks.tasks import TASKS
from benchmarks.study import runner
from benchmarks.study.files import write
from benchmarks.study.records import Record, Records, file_name, write_results
from benchmarks.study.trackers import TRACKERS, log

PROJECT = "sigfeat-sequence-tasks"
NOT_SETTINGS = ("out", "tracker", "n_jobs", "report", "table")  # of the config


def run(config: Config) -> list[Record]:
    """Run what is left of a study and write its tables and its report.

    Parameters
    ----------
    config : Config
        What to run, and the folder of everything that is written.

    Returns
    -------
    records : list of dict
        Of all finished cells.
    """
    store, cells = Records(config.out), cells_of(config)
    about = circumstances() | {"config": runner.settings(config, without=NOT_SETTINGS)}
    if not config.report:
        left = [cell for cell in cells if store.read(cell) is None]
        runner.run_cells(len(cells), [(left, config.n_jobs)], functools.partial(measured, store=store))
    found = store.found(cells)
    records = list(found.values())
    write_results(records, about, config.out)
    rows = [{name: value for name, value in record.items() if not isinstance(value, dict)} for record in records]
    write(config.out / "results.csv", pd.DataFrame(rows).to_csv(index=False))
    write_report(records, about, config.out)
    if config.tracker != "csv":
        runs = ((file_name(cell), *_of_run(record)) for cell, record in found.items())
        tracker = TRACKERS[config.tracker](config.out, PROJECT)
        log(tracker, config.tracker, runs, lambda: figures.all_figures(records))
    return records


def cells_of(config: Config) -> list[Cell]:
    """All cells, in the order in which they are run: all with one seed come before those with the next."""
    return [
        _cell(config, task, size, network, lr, seed)
        for seed in range(config.seeds)
        for task in config.tasks
        for size in config.sizes(task)
        for network in config.networks
        for lr in config.lr
    ]


def _cell(config, task, size, network, lr, seed):
    same = {name: getattr(config, name) for name in ("every", "batch", "width", "n_weights")}
    return Cell(task, size, network, lr, seed, TASKS[task].budget * config.n_steps, **same)


def _of_run(record):
    """Settings, figures, curves and steps of a training, for a tracker."""
    said = {name: record[name] for name in ("task", "size", "network", "lr", "seed", "n_steps", "batch")}
    values = {name: record[name] for name in ("accuracy", "seconds", "peak_bytes", "n_parameters")}
    curves = {name: record["curve"][name] for name in ("accuracy", "loss")}
    return said, values, curves, record["curve"]["step"]
