"""A run, cell by cell: what is finished is kept, and the rest is measured."""

import contextlib
import datetime
import importlib.metadata
import sys
from typing import Any

from tqdm import tqdm

from benchmarks.archive import sets
from benchmarks.archive.apart import measure_apart
from benchmarks.archive.cells import Cell, Record, Store
from benchmarks.archive.config import Config
from benchmarks.archive.pipelines import opponents, resolved, settings
from benchmarks.archive.published import read_published
from benchmarks.archive.report import write_report
from benchmarks.measure import circumstances

MORE_PACKAGES = ("aeon", "sktime", "joblib", "threadpoolctl")


def run(config: Config) -> list[Record]:
    """Run what is left, and write tables, pictures and the report.

    Parameters
    ----------
    config : Config
        What to run, and the folder of everything that is written.

    Returns
    -------
    records : list of dict
        Of all cells, "failure" in those that failed.

    Raises
    ------
    ValueError
        If a data set, a pipeline, a package or the file of published figures is missing or cannot be read. Nothing has
        been measured then.
    """
    published = None if config.published is None else read_published(config.published)
    cells = cells_of(config)
    store = Store(config.out)
    left = [cell for cell in cells if not store.is_finished(cell, config.limit)]
    for name in dict.fromkeys(cell.data_set for cell in left):
        sets.load(name, config.data)  # faults are told before hours of work
    about = _circumstances()
    with tqdm(total=len(cells), initial=len(cells) - len(left), unit="cell", smoothing=0.05) as bar:
        for cell in left:
            bar.set_postfix_str(str(cell))
            record = measure_apart(cell, config.data, config.limit)
            store.write(cell, _named(cell) | record | _made(about))
            if "failure" in record:
                bar.write(f"{cell}: {record['failure']}", file=sys.stderr)
            bar.update()
    records = [found for cell in cells if (found := store.read(cell)) is not None]
    write_report(records, about | {"config": _settings(config)}, published, config.out)
    return records


def cells_of(config: Config) -> list[Cell]:
    """All cells in the order in which they are run: all with one seed come before those with the next."""
    names = list(dict.fromkeys(config.sets)) or sets.names(config.data)
    pipelines = [*resolved(config.pipelines), *opponents(config.against)]
    if not pipelines:
        raise ValueError("there is nothing to run: name some --pipelines, or say --against aeon")
    checksums = {name: sets.checksum(name, config.data) for name in names}
    parameters = {pipeline: settings(pipeline) for pipeline in pipelines}
    return [
        Cell(name, checksums[name], pipeline, parameters[pipeline], seed, config.jobs)
        for seed in range(config.seeds)
        for name in names
        for pipeline in pipelines
    ]


def _named(cell):
    return {"data_set": cell.data_set, "pipeline": cell.pipeline, "seed": cell.seed, "jobs": cell.jobs}


def _made(about):
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"commit": about["commit"], "versions": about["versions"], "date": now}


def _circumstances() -> dict[str, Any]:
    about = circumstances()
    for package in MORE_PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            about["versions"][package] = importlib.metadata.version(package)
    return about


def _settings(config):
    """Settings as words and numbers, without folders."""
    found = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(config).items()}
    return {name: value for name, value in found.items() if name not in ("data", "published", "out")}
