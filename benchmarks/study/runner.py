"""The run of a study: cells that are finished are kept, and the others are measured."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from joblib import Parallel, delayed
from tqdm import tqdm

Phase = tuple[Sequence[Any], int]  # cells, and how many of them are measured at once


def run_cells(n_cells: int, phases: Sequence[Phase], measure: Callable[[Any], Any]) -> None:
    """Measure the cells that are left, phase by phase, and report those that fail on stderr.

    Cells are measured in processes of joblib, or wherever else joblib is asked to run them::

        with joblib.parallel_config("dask"):
            run(config)

    Parameters
    ----------
    n_cells : int
        All cells of the study; what is not in a phase is finished.
    phases : sequence of (cells, n_jobs)
        A phase starts when the one before has ended.
    measure : callable
        Measures a cell and keeps its record. A ValueError, RuntimeError or FloatingPointError ends this cell alone.
    """
    n_left = sum(len(cells) for cells, _ in phases)
    with tqdm(total=n_cells, initial=n_cells - n_left, unit="cell", smoothing=0.05) as bar:
        for cells, n_jobs in phases:
            jobs = (delayed(_attempt)(measure, cell) for cell in cells)
            for cell, failure in Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs):
                bar.set_postfix_str(str(cell))
                if failure:
                    bar.write(f"{cell}: not measured: {failure}", file=sys.stderr)
                bar.update()


def settings(config: Any, without: Sequence[str]) -> Mapping[str, Any]:
    """Fields of a study's config as JSON holds them, without those that no figure depends on."""
    found = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(config).items()}
    return {name: value for name, value in found.items() if name not in without}


def _attempt(measure, cell):
    try:
        measure(cell)
    except (ValueError, RuntimeError, FloatingPointError) as error:
        return cell, str(error)
    return cell, ""
