"""Data sets of the UEA and UCR archives."""

from collections.abc import Sequence
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
MOST_SETS = 3  # that are taken from a folder with none of those that were looked for


def chosen_sets(folder: Path | None, preset: Sequence[str]) -> list[str]:
    """Names of the data sets of a preset that are in a folder; if none of them is, the first three in the folder.

    Parameters
    ----------
    folder : Path or None
        Folder of NAME/NAME_TRAIN.ts and NAME/NAME_TEST.ts; None for the data sets that sktime ships: all of the preset.
    preset : sequence of str

    Returns
    -------
    names : list of str

    Raises
    ------
    ValueError
        If there is no data set in the folder.
    """
    if folder is None:
        return list(preset)
    trained = {path.parent.name for path in folder.glob("*/*_TRAIN.ts") if path.name == f"{path.parent.name}_TRAIN.ts"}
    there = sorted(name for name in trained if (folder / name / f"{name}_TEST.ts").is_file())
    if not there:
        raise ValueError(
            f"there is no data set in {folder}: no file NAME/NAME_TRAIN.ts with NAME/NAME_TEST.ts beside it"
        )
    return [name for name in preset if name in there] or there[:MOST_SETS]


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
