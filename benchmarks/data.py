"""Data sets of the UEA and UCR archives."""

from pathlib import Path

import numpy as np
from sktime.datasets import load_from_tsfile, load_UCR_UEA_dataset

from sigfeat import to_panel


def load(name: str, part: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Series as a panel, and their classes, of the part "TRAIN" or "TEST".

    From FOLDER/NAME/NAME_PART.ts or, without a folder, from what sktime ships.
    """
    if folder is None:
        X, y = load_UCR_UEA_dataset(name, split=part.lower())
    else:
        X, y = load_from_tsfile(str(folder / name / f"{name}_{part}.ts"), return_data_type="nested_univ")
    return to_panel(X), np.asarray(y)
