"""Records of finished cells, which are kept in a folder."""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.study.files import write

Record = dict[str, Any]


class Records:
    """Records of finished cells, one file each, in a folder.

    Parameters
    ----------
    folder : Path
        Folder of a study; records are in the folder "cells" within.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, cell: Any) -> Path:
        """File of a cell's record."""
        return self.folder / "cells" / f"{file_name(cell)}.json"

    def read(self, cell: Any) -> Record | None:
        """Record of a finished cell, or None."""
        with contextlib.suppress(OSError, json.JSONDecodeError):
            return json.loads(self.path(cell).read_text())
        return None

    def write(self, cell: Any, record: Record) -> Record:
        """Keep a record, and return it with as many digits as are kept."""
        kept = rounded(record)
        write(self.path(cell), json.dumps(kept, indent=1) + "\n")
        return kept

    def found(self, cells: Iterable[Any]) -> dict[Any, Record]:
        """Records of those cells that are finished, in the order of the cells."""
        return {cell: record for cell in cells if (record := self.read(cell)) is not None}


def file_name(cell: Any) -> str:
    """Name of a cell's file without its ending: plain words, and a checksum of everything that the cell depends on."""
    content = json.dumps([type(cell).__name__, asdict(cell)], sort_keys=True)
    words = "".join(letter if letter.isalnum() else "-" for letter in str(cell).replace(",", ""))
    return f"{words}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def rounded(value: Any, digits: int = 6) -> Any:
    """Values with so many digits; None for what is not finite, which JSON cannot hold."""
    if isinstance(value, dict):
        return {name: rounded(part, digits) for name, part in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [rounded(part, digits) for part in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.{digits}g}") if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def write_results(records: Sequence[Record], about: Mapping[str, Any], folder: Path) -> None:
    """Write results.json: circumstances and settings, and a line for each record."""
    lines = ",\n".join(json.dumps(record) for record in records)
    write(folder / "results.json", f'{{"circumstances": {json.dumps(about)},\n"records": [\n{lines}\n]}}\n')
