"""Data sets of the UEA and UCR archives."""

from pathlib import Path

import numpy as np
from sktime.datasets import load_from_tsfile, load_UCR_UEA_dataset

from sigfeat import to_panel

SHIPPED = (
    "ACSF1",
    "ArrowHead",
    "BasicMotions",
    "GunPoint",
    "ItalyPowerDemand",
    "JapaneseVowels",
    "OSULeaf",
    "PLAID",
    "UnitTest",
)


def load(name: str, part: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Series as a panel, and their classes, of the part "TRAIN" or "TEST".

    From FOLDER/NAME/NAME_PART.ts or, without a folder, from what sktime ships. Raises a ValueError if it is not there.
    """
    if folder is None:
        if name not in SHIPPED:
            raise ValueError(f"data set {name} needs a data folder: sktime ships only {', '.join(SHIPPED)}")
        X, y = load_UCR_UEA_dataset(name, split=part.lower())
    else:
        path = folder / name / f"{name}_{part}.ts"
        if not path.is_file():
            raise ValueError(f"data set {name} is not in the data folder {folder}: there is no file {path}")
        X, y = load_from_tsfile(str(path), return_data_type="nested_univ")
    return to_panel(X), np.asarray(y)
