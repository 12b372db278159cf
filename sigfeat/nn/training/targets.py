"""Targets and validation rows of a supervised training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from sigfeat._rounding import within_rounding


def standardised_numbers(target: NDArray[Any]) -> NDArray[Any]:
    """Targets of a regression, shape (n_samples, n_targets), with mean zero and standard deviation one."""
    size = np.abs(target).max(axis=0)
    target = target / np.where(size > 0, size, 1.0)  # the squares of huge numbers would overflow
    deviation = target.std(axis=0)
    constant = within_rounding(deviation, 1.0, target.dtype)
    standard: NDArray[Any] = (target - target.mean(axis=0)) / np.where(constant, 1.0, deviation)
    return standard


def split_rows(
    n_series: int, fraction: float | int, seed: int, classes: NDArray[Any] | None = None, needed: int = 2
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows of the training set and of the validation set, stratified by the classes where that is possible."""
    rows = np.arange(n_series)
    if fraction == 0:
        return rows, rows[:0]
    n_validation = max(1, round(fraction * n_series))
    if n_series - n_validation < needed:
        raise ValueError(
            f"validation_fraction must leave at least {needed} series to train on, "
            f"got {fraction:g} of n_samples = {n_series} series"
        )
    strata = None
    if classes is not None:
        sizes = np.bincount(classes)
        n_classes = np.count_nonzero(sizes)
        possible = sizes[sizes > 0].min() > 1 and n_classes <= min(n_validation, n_series - n_validation)
        strata = classes if possible else None
    training, validation = train_test_split(rows, test_size=n_validation, stratify=strata, random_state=seed)
    return training, validation
