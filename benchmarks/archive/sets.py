"""Data sets of a folder, and one sentence about each that cannot be read."""

import hashlib
from pathlib import Path

import numpy as np
import sktime.datasets

from benchmarks import data

PARTS = ("TRAIN", "TEST")
SHIPPED = tuple(name for name in data.SHIPPED if name != "UnitTest")  # a part of another set, to try programs with
SHIPPED_FOLDER = Path(sktime.datasets.__file__).with_name("data")
TAGS = {name.lower(): name for name in ("@problemName", "@timeStamps", "@univariate", "@classLabel")}
CHOICES = ("@timestamps", "@univariate", "@classlabel")
STUMBLES = (OSError, ValueError, TypeError, AttributeError, LookupError, NameError)  # of the loader, over bad lines


def names(folder: Path | None) -> list[str]:
    """Data sets of a folder, or those that sktime ships. Raises a ValueError if there are none."""
    if folder is None:
        return list(SHIPPED)
    if not folder.is_dir():
        raise ValueError(f"there is no data folder {folder}")
    found = sorted(path.parent.name for path in folder.glob("*/*_TRAIN.ts") if path.stem[:-6] == path.parent.name)
    if not found:
        raise ValueError(f"the data folder {folder} holds no data set: there is no file NAME/NAME_TRAIN.ts in it")
    return found


def load(name: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Series and classes of the training part, then of the test part, as panels padded with NaN.

    Parameters
    ----------
    name : str
        Of the data set.
    folder : Path or None
        Folder of NAME/NAME_TRAIN.ts and NAME/NAME_TEST.ts; None for what sktime ships.

    Returns
    -------
    X, y, X_test, y_test : ndarray
        Panels of shape (n_samples, n_channels, n_timepoints), each part as long as its longest series, and classes as
        texts, in small letters as sktime's loader gives them.

    Raises
    ------
    ValueError
        If a part is missing or cannot be read, holds no series, has no class labels, or if the parts differ in their
        channels; with the file and what is wrong with it.
    """
    X, y = _part(name, "TRAIN", folder)
    X_test, y_test = _part(name, "TEST", folder)
    if X.shape[1] != X_test.shape[1]:
        path = _file(name, "TEST", folder)
        raise ValueError(f"{path} has series of {X_test.shape[1]} channels, but the training part of {X.shape[1]}")
    return X, y, X_test, y_test


def checksum(name: str, folder: Path | None) -> str:
    """Of the files of both parts. Raises a ValueError if one of them is missing."""
    total = hashlib.sha256()
    for part in PARTS:
        total.update(_file(name, part, folder).read_bytes())
    return total.hexdigest()[:12]


def _part(name, part, folder):
    path = _file(name, part, folder)
    if fault := _fault(path):
        raise ValueError(f"{path} {fault}")
    try:
        X, y = data.load(name, part, folder)
    except STUMBLES as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    unlabelled = [k for k, label in enumerate(y) if "," in label or label.lower() in ("", "nan")]
    if unlabelled:
        raise ValueError(f"{path} has no class label for series {unlabelled[0]} of 0 to {len(y) - 1}")
    return X, y


def _file(name, part, folder):
    if folder is None and name not in data.SHIPPED:
        raise ValueError(f"data set {name} needs --data, a data folder: sktime ships only {', '.join(data.SHIPPED)}")
    if folder is not None and not folder.is_dir():
        raise ValueError(f"there is no data folder {folder}")
    path = (folder or SHIPPED_FOLDER) / name / f"{name}_{part}.ts"
    if not path.is_file():
        raise ValueError(f"data set {name} is not in the data folder {path.parent.parent}: there is no file {path}")
    return path


def _fault(path):
    """What the header speaks against: said here, since sktime's loader takes numbers for classes, or stumbles."""
    header, first_series = _header(path)
    missing = next((tag for small, tag in TAGS.items() if small not in header), "")
    wrong = next((small for small in CHOICES if header.get(small, [])[:1] not in (["true"], ["false"])), "")
    said = " ".join(header.get(wrong, [])) or "nothing"
    faults = {
        "has no header: no line begins with @": not header,
        "has no line @data: its series cannot be found": "@data" not in header,
        "is a regression set (@targetLabel): class labels are needed": "@targetlabel" in header,
        f"has a bad header: there is no line {missing}": missing,
        f"has a bad header: {TAGS.get(wrong)} must be true or false, got {said}": wrong,
        "has no class labels (@classLabel false)": header.get("@classlabel", [])[:1] == ["false"],
        "is empty: there is no series after @data": not first_series,
        "has no class label for series 0": ":" not in first_series,
    }
    return next((fault for fault, is_there in faults.items() if is_there), "")


def _header(path):
    """Lines before the series in small letters, as first words and the others, and the first series."""
    header = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in (line.strip().lower() for line in file):
            if line.startswith("@"):
                tag, *values = line.split()
                header[tag] = values
            elif line and "@data" in header:
                return header, line
    return header, ""
