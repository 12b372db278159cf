"""Cells, each of which is one measurement.

A cell is a frozen dataclass whose fields are everything that its record depends on, and whose text names it.
"""

import time
from collections.abc import Callable
from typing import Any

from benchmarks.measure import made, thread_limit
from benchmarks.study.records import Record, Records


def measured(cell: Any, measure: Callable[[], Record], store: Records) -> Record:
    """Measure a cell on one thread, and keep the record, with the time that it took, the commit and the date."""
    start, origin = time.perf_counter(), made()  # asked first, since files may change meanwhile
    with thread_limit(1):
        record = measure()
    return store.write(cell, record | {"wall_seconds": time.perf_counter() - start, **origin})
