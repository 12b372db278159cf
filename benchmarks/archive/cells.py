"""Cells of a run, a classifier on a data set with a seed, and the records of those that are finished."""

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.archive.pipelines import label
from benchmarks.files import write

Record = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A classifier on a data set.

    `data` is the checksum of the files and `settings` that of the parameters, so that other data and other parameters
    make other cells. Other code with the same parameters does not: records say their commit.
    """

    data_set: str
    data: str
    pipeline: str
    settings: str
    seed: int
    jobs: int

    def __str__(self) -> str:
        return f"{self.data_set} {label(self.pipeline)} seed {self.seed}"


class Store:
    """Records in a folder; the name of a file holds a checksum of its cell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, cell: Cell) -> Path:
        """File of a record."""
        words = "".join(letter if letter.isalnum() else "-" for letter in str(cell))
        checksum = hashlib.sha256(json.dumps(asdict(cell), sort_keys=True).encode()).hexdigest()[:8]
        return self.folder / "cells" / f"{words}-{checksum}.json"

    def read(self, cell: Cell) -> Record | None:
        """Record of a cell, which may be that of a failure, or None."""
        with contextlib.suppress(OSError, json.JSONDecodeError):
            return json.loads(self.path(cell).read_text())
        return None

    def write(self, cell: Cell, record: Record) -> None:
        """Keep a record."""
        write(self.path(cell), json.dumps(record, indent=1) + "\n")

    def is_finished(self, cell: Cell, limit: float) -> bool:
        """Whether a cell need not be run: it did not fail, or it failed by taking longer than this limit."""
        record = self.read(cell)
        return record is not None and ("failure" not in record or record.get("limit", 0) >= limit)
