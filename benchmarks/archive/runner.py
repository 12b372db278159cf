"""A run, cell by cell: what is finished is kept, and the rest is measured."""

import functools
from pathlib import Path

from benchmarks.archive import sets
from benchmarks.archive.apart import measure_apart
from benchmarks.archive.cells import Cell, is_finished
from benchmarks.archive.config import Config
from benchmarks.archive.pipelines import opponents, resolved, settings
from benchmarks.archive.published import read_published
from benchmarks.archive.report import write_report
from benchmarks.measure import circumstances, made
from benchmarks.study import runner
from benchmarks.study.records import Record, Records


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
    store = Records(config.out)
    left = [cell for cell in cells if not is_finished(store.read(cell), config.limit)]
    for name in dict.fromkeys(cell.data_set for cell in left):
        sets.load(name, config.data)  # faults are raised before hours of work
    about = circumstances() | {"config": runner.settings(config, without=("data", "published", "out"))}
    measure = functools.partial(
        _measured, store=store, folder=config.data, limit=config.limit, versions=about["versions"]
    )
    runner.run_cells(len(cells), [(left, 1)], measure)
    records = list(store.found(cells).values())
    write_report(records, about, published, config.out)
    return records


def cells_of(config: Config) -> list[Cell]:
    """All cells in the order in which they are run: all with one seed come before those with the next."""
    names = list(dict.fromkeys(config.sets)) or sets.names(config.data)
    pipelines = [*resolved(config.pipelines), *opponents(config.against)]
    if not pipelines:
        raise ValueError("there is nothing to run: name some --pipelines, or --against aeon")
    checksums = {name: sets.checksum(name, config.data) for name in names}
    parameters = {pipeline: settings(pipeline) for pipeline in pipelines}
    return [
        Cell(name, checksums[name], pipeline, parameters[pipeline], seed, config.jobs)
        for seed in range(config.seeds)
        for name in names
        for pipeline in pipelines
    ]


def _measured(cell: Cell, store: Records, folder: Path | None, limit: float, versions: dict[str, str]) -> None:
    named = {"data_set": cell.data_set, "pipeline": cell.pipeline, "seed": cell.seed, "jobs": cell.jobs}
    record = measure_apart(cell, folder, limit)
    store.write(cell, named | record | {"versions": versions, **made()})
    if "failure" in record:
        raise ValueError(record["failure"])
