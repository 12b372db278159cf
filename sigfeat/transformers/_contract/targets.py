"""Targets of supervised training, and the parameters that all supervised transformers have."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.multiclass import type_of_target

from sigfeat._messages import plain
from sigfeat._validation import Interval, StrOptions, check_known, of_objects
from sigfeat.transformers._contract.unused import TRAINED

TRAINING_CONSTRAINTS: dict[str, Any] = {
    "fit_mode": [StrOptions({"random", "supervised"})],
    "task": [StrOptions({"auto", "classification", "regression"})],
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 2, None, closed="left")],
    "lr": [Interval(Real, 0, None, closed="neither")],
}
TRAINING_USED_ONLY = dict.fromkeys(TRAINING_CONSTRAINTS.keys() - {"fit_mode"}, TRAINED)
KINDS = ("binary", "multiclass", "continuous", "continuous-multioutput")


def check_target(y: Any, X: Any, task: str, mode: str = "fit_mode='supervised'") -> tuple[str, NDArray[Any]]:
    """Return the task, "classification" or "regression", and y as an array: class numbers, or numbers (n, n_targets).

    Raises a ValueError, which names the `mode` that requires y, unless y has one entry per series, without missing
    values, and at least two classes or two values.
    """
    if y is None:
        raise ValueError(f"{mode} requires y to be passed, but the target y is None")
    y = _as_array(y, len(X), mode)
    if len(y) < 2:
        raise ValueError(f"{mode} needs at least 2 series, got n_samples = {len(y)}")
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if task == "auto":
        kind = type_of_target(y, input_name="y")
        if kind not in KINDS:
            raise ValueError(f"Unknown label type: y must hold one class or number per series for {mode}, got {kind}")
        task = "regression" if kind.startswith("continuous") else "classification"
    if task == "regression":
        numbers = _as_numbers(y, mode)
        if (numbers == numbers[0]).all():
            raise ValueError(f"y must hold different numbers for {mode}, got only {numbers[0].tolist()}")
        return task, numbers
    if y.ndim > 1:
        raise ValueError(f"y must be one class per series for task='classification', got shape {y.shape}")
    classes, places = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y must have at least 2 classes for {mode}, got one class: {classes.tolist()[0]!r}")
    return task, places


def _as_array(y: Any, n_samples: int, mode: str) -> NDArray[Any]:
    """The target as an array of one entry per series, all known and of one type."""
    what = f"y must be one class or number per series for {mode}"
    values = of_objects(y)
    if values is None:
        raise ValueError(f"{what}, got entries of different lengths")
    if values.ndim == 0:
        raise ValueError(f"{what}, got {plain(y)!r}")
    if len(values) != n_samples:
        raise ValueError(f"y must have one entry per series, {n_samples}, got {len(values)}")
    check_known(values, what)
    array: NDArray[Any] = check_array(y, ensure_2d=False, dtype=None, ensure_all_finite=True, input_name="y")
    return array


def _as_numbers(y: NDArray[Any], mode: str) -> NDArray[np.float64]:
    """Targets of a regression, (n, n_targets)."""
    try:
        numbers: NDArray[np.float64] = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    except ValueError as error:
        text = next((value for value in y.ravel().tolist() if isinstance(value, str)), None)
        if text is None:
            raise
        raise ValueError(f"y must hold numbers for {mode} and task='regression', got {text!r}") from error
    return numbers.reshape(len(y), -1)
