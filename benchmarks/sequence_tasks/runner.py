"""A study, cell by cell: what is finished is kept, and the rest is run."""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from benchmarks.files import write
from benchmarks.measure import circumstances
from benchmarks.records import Records
from benchmarks.sequence_tasks import figures
from benchmarks.sequence_tasks.cells import Cell, measured
from benchmarks.sequence_tasks.config import Config
from benchmarks.sequence_tasks.report import write_report
from benchmarks.sequence_tasks.summary import Record
from benchmarks.sequence_tasks.tasks import TASKS
from benchmarks.trackers import TRACKERS, tell


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
    store, tracker = Records(config.out), TRACKERS[config.tracker](config.out, "sigfeat-sequence-tasks")
    cells = cells_of(config)
    if not config.report:
        _run(cells, store, config.n_jobs)
    found = {cell: record for cell in cells if (record := store.read(cell)) is not None}
    records = list(found.values())
    about = circumstances() | {"config": settings(config)}
    lines = ",\n".join(json.dumps(record) for record in records)
    write(config.out / "results.json", f'{{"circumstances": {json.dumps(about)},\n"records": [\n{lines}\n]}}\n')
    rows = [{name: value for name, value in record.items() if not isinstance(value, dict)} for record in records]
    write(config.out / "results.csv", pd.DataFrame(rows).to_csv(index=False))
    write_report(records, about, config.out)
    if config.tracker != "csv":
        runs = ((store.name(cell), *_of_run(record)) for cell, record in found.items())
        tell(tracker, config.tracker, runs, lambda: figures.all_figures(records))
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


def settings(config: Config) -> dict[str, Any]:
    """Settings as words and numbers, without folders."""
    found = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(config).items()}
    return {name: value for name, value in found.items() if name not in ("out", "tracker", "n_jobs", "report", "table")}


def _cell(config, task, size, network, lr, seed):
    same = {name: getattr(config, name) for name in ("every", "batch", "width", "n_weights")}
    return Cell(task, size, network, lr, seed, TASKS[task].budget * config.n_steps, **same)


def _run(cells: Sequence[Cell], store: Records, n_jobs: int) -> None:
    left = [cell for cell in cells if store.read(cell) is None]
    with tqdm(total=len(cells), initial=len(cells) - len(left), unit="cell", smoothing=0.05) as bar:
        for cell, failure in _in_parallel(left, store, n_jobs):
            bar.set_postfix_str(f"{cell}")
            if failure:
                bar.write(f"{cell}: {failure}", file=sys.stderr)
            bar.update()


def _in_parallel(cells, store, n_jobs) -> Iterator[tuple[Cell, str]]:
    """Cells as they are finished, and what went wrong."""
    jobs = (delayed(_attempt)(cell, store) for cell in cells)
    yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs)


def _attempt(cell, store):
    try:
        measured(cell, store)
    except (ValueError, RuntimeError, FloatingPointError) as error:
        return cell, f"not measured: {error}"
    return cell, ""


def _of_run(record):
    """Settings, figures, curves and steps of a training, for a tracker."""
    said = {name: record[name] for name in ("task", "size", "network", "lr", "seed", "n_steps", "batch")}
    values = {name: record[name] for name in ("accuracy", "seconds", "peak_bytes", "n_parameters")}
    curves = {name: record["curve"][name] for name in ("accuracy", "loss")}
    return said, values, curves, record["curve"]["step"]
