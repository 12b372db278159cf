"""Published accuracies, from a CSV file."""

from pathlib import Path

import pandas as pd

COLUMNS = ["dataset", "method", "accuracy"]
MARK = ", published"


def read_published(path: Path) -> pd.DataFrame:
    """Published accuracies, data sets by methods, whose names are marked as published.

    Parameters
    ----------
    path : Path
        CSV file with the columns dataset, method, accuracy; accuracies between 0 and 1.

    Returns
    -------
    accuracy : DataFrame
        NaN where nothing was published.

    Raises
    ------
    ValueError
        If there is no such file, column or number, or a data set has two figures of one method.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"published figures {path} cannot be read: {' '.join(str(error).split())}") from error
    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise ValueError(f"published figures {path} have no column {missing[0]}: {', '.join(COLUMNS)} are needed")
    numbers = pd.to_numeric(table["accuracy"], errors="coerce")
    wrong = table[~numbers.between(0, 1)]
    if len(wrong):
        first = wrong.iloc[0]
        what = f"the accuracy of {first['method']} on {first['dataset']} is {first['accuracy']}"
        raise ValueError(f"published figures {path} must be between 0 and 1, but {what}")
    twice = table[table.duplicated(["dataset", "method"])]
    if len(twice):
        first = twice.iloc[0]
        raise ValueError(f"published figures {path} have {first['method']} on {first['dataset']} more than once")
    wide = table.assign(accuracy=numbers).pivot(index="dataset", columns="method", values="accuracy")
    wide.columns = pd.Index([f"{method}{MARK}" for method in wide.columns])
    return wide


def is_published(method: str) -> bool:
    """Whether the figures of a method are published ones."""
    return method.endswith(MARK)
