"""Targets of a fit that learns from them."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.multiclass import type_of_target


def check_target(y, X, task, mode="fit_mode='supervised'"):
    """Kind of task, "classification" or "regression", and y as an array: class numbers, or numbers (n, n_targets).

    Raises a ValueError, which names the `mode` that needs y, unless y has one entry per series, all known, and at
    least two classes or two values.
    """
    if y is None:
        raise ValueError(f"{mode} requires y to be passed, but the target y is None")
    y = check_array(y, ensure_2d=False, dtype=None, ensure_all_finite=True, input_name="y")
    check_consistent_length(X, y)
    if len(y) < 2:
        raise ValueError(f"{mode} needs at least 2 series, got n_samples = {len(y)}")
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if task == "auto":
        kind = type_of_target(y, input_name="y")
        if kind not in ("binary", "multiclass", "continuous", "continuous-multioutput"):
            raise ValueError(f"Unknown label type: y must hold one class or number per series for {mode}, got {kind}")
        task = "regression" if kind.startswith("continuous") else "classification"
    if task == "regression":
        numbers = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y").reshape(len(y), -1)
        if (numbers == numbers[0]).all():
            raise ValueError(f"y must hold different numbers for {mode}, got only {numbers[0].tolist()}")
        return task, numbers
    if y.ndim > 1:
        raise ValueError(f"y must be one class per series for task='classification', got shape {y.shape}")
    classes, numbers = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y must have at least 2 classes for {mode}, got one class: {classes.tolist()[0]!r}")
    return task, numbers
