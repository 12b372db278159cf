"""Records of finished cells, which are kept in a folder."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.files import write


class Records:
    """Records of finished cells, in a folder.

    A cell is a frozen dataclass. The name of its file holds a checksum of everything that it depends on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def name(self, cell) -> str:
        """Of the cell's file, without ending."""
        said = json.dumps([type(cell).__name__, asdict(cell)], sort_keys=True)
        words = "".join(letter if letter.isalnum() else "-" for letter in str(cell).replace(",", ""))
        return f"{words}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"

    def read(self, cell):
        """Record of a finished cell, or None."""
        try:
            return json.loads((self.folder / "cells" / f"{self.name(cell)}.json").read_text())
        except (OSError, json.JSONDecodeError):
            return None

    def write(self, cell, record) -> None:
        """Keep a record."""
        write(self.folder / "cells" / f"{self.name(cell)}.json", json.dumps(rounded(record), indent=1) + "\n")


def rounded(value, digits=6):
    """Values with so many digits; None for what is not finite, which JSON does not know."""
    if isinstance(value, dict):
        return {name: rounded(part, digits) for name, part in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [rounded(part, digits) for part in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.{digits}g}") if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
