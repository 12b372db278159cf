"""The list of a folder of features: whose they are, and in which parts."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np

from sigfeat.adapters._formats import FORMATS

LIST = "parts.json"
_TYPES = {"format": str, "dtype": str, "estimator": str, "files": list, "parts": list, "first": list}
_WHOSE = {
    "estimator": "of another estimator",
    "files": "of other series",
    "format": "in another format",
    "parts": "in other parts",
    "dtype": "of another dtype",
}


def agree(target: Path, listing: dict[str, Any]) -> None:
    """Write the list into an empty folder, or raise a FileExistsError if the existing list differs."""
    target.mkdir(parents=True, exist_ok=True)
    is_empty = all(entry.name.startswith(".") for entry in target.iterdir())
    if not (target / LIST).exists() and not is_empty:
        raise FileExistsError(f"{target} is not empty, and not of transform_files: choose another target")
    if not (target / LIST).exists() and _write(target, listing):
        return
    known = read_list(target)
    for key, what in _WHOSE.items():
        if known[key] != listing[key]:
            raise FileExistsError(f"{target} holds features {what}: choose another target, or remove it")
    if not _alike(known["first"], listing["first"], listing["dtype"]):  # of another version, for example
        raise FileExistsError(f"{target} holds features of another estimator: choose another target, or remove it")


def _write(target: Path, listing: dict[str, Any]) -> bool:
    """Write the list, completely or not at all; False if another process was faster."""
    unfinished = target / f".{LIST}.{secrets.token_hex(4)}"
    try:
        unfinished.write_text(json.dumps(listing))
        os.link(unfinished, target / LIST)  # unlike a renaming, fails if the name is taken
    except FileExistsError:
        return False
    except OSError:  # file systems without links
        if not unfinished.exists():
            raise
        return _write_in_place(target / LIST, unfinished.read_text())
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def _write_in_place(file: Path, text: str) -> bool:
    try:
        with file.open("x") as stream:
            stream.write(text)
    except FileExistsError:
        return False
    return True


def _alike(known: list[float], first: list[float], dtype: str) -> bool:
    tolerance = 1e3 * float(np.finfo(dtype).eps)
    scale = max((abs(value) for value in first if np.isfinite(value)), default=0.0)
    return len(known) == len(first) and np.allclose(
        known, first, rtol=tolerance, atol=tolerance * scale, equal_nan=True
    )


def read_list(target: Path) -> dict[str, Any]:
    """The list of a folder, whose fields have the right types."""
    file = target / LIST
    if not file.is_file():
        raise FileNotFoundError(f"{target} is not a folder written by transform_files: it has no {LIST}")
    try:
        listing: dict[str, Any] = json.loads(file.read_bytes())
        if isinstance(listing, dict) and "estimator" not in listing and "first" in listing:
            raise ValueError("it was written by an older version: choose another target, or remove it")
        wrong = [name for name, kind in _TYPES.items() if not isinstance(listing[name], kind)]
        if wrong or listing["format"] not in FORMATS or listing["dtype"] not in ("float32", "float64"):
            raise ValueError(f"its {', '.join(wrong) or 'format or dtype'} is wrong")
        if not all(_is_part(part, len(listing["files"])) for part in listing["parts"]) or not listing["parts"]:
            raise ValueError("its parts are wrong")
        if np.asarray(listing["first"], dtype=float).ndim != 1:
            raise ValueError("its first is wrong")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    return listing


def _is_part(part: Any, n_files: int) -> bool:
    """Whether this is the number of a file, and the first and the last series, or None for all of them."""
    if not isinstance(part, list) or len(part) != 3 or any(type(i) is not int for i in part[:2]):
        return False
    file, start, stop = part
    return 0 <= file < n_files and start >= 0 and (stop is None or (type(stop) is int and start < stop < 2**63))
