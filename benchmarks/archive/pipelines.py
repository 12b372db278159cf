"""Who takes part: pipelines of `sigfeat.classifiers`, and aeon's classifiers next to them."""

import hashlib
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.special import softmax

from sigfeat.panel import series_lengths

MODULE, SUFFIX = "sigfeat.classifiers", "_classifier"
AEON = {  # folder of `aeon.classification`, and class
    "MiniRocket": ("convolution_based", "MiniRocketClassifier"),
    "MultiRocket": ("convolution_based", "MultiRocketClassifier"),
    "MultiRocket-Hydra": ("convolution_based", "MultiRocketHydraClassifier"),
    "QUANT": ("interval_based", "QUANTClassifier"),
    "RDST": ("shapelet_based", "RDSTClassifier"),
}
NEED_TORCH = ("MultiRocket-Hydra", "QUANT")
SHORTEST = 10  # MultiRocket takes 9 points, one of its filters, of the differences too


def resolved(names: Iterable[str]) -> list[str]:
    """Full names of pipelines, each once; "iss" is "iss_classifier". Raises a ValueError for what is not there."""
    found = []
    for name in names:
        full = f"{name.removesuffix(SUFFIX).replace('-', '_')}{SUFFIX}"
        known = [other for other in dir(_ours()) if other.endswith(SUFFIX) and not other.startswith("_")]
        if full not in known:
            choice = ", ".join(label(other) for other in known)
            raise ValueError(f"there is no pipeline {name!r} in {MODULE}: choose from {choice}")
        found.append(full)
    return list(dict.fromkeys(found))


def opponents(names: Iterable[str]) -> list[str]:
    """Keys of `AEON`, "aeon" for all of them. Raises a ValueError if aeon, or what it needs, is not installed."""
    chosen = [other for other in AEON if other in names or "aeon" in names]
    needed = {"aeon": bool(chosen), "torch": bool(set(NEED_TORCH) & set(chosen))}
    missing = [package for package, is_needed in needed.items() if is_needed and _is_missing(package)]
    if missing:
        extras = "aeon,torch" if "torch" in missing else "aeon"
        raise ValueError(
            f"--against needs {' and '.join(missing)}, which is not installed: run `pip install 'sigfeat[{extras}]'` "
            "in an environment of its own, since aeon needs an older numba"
        )
    return chosen


def make(name: str, seed: int, n_jobs: int) -> Any:
    """The unfitted classifier of a full name. Raises a ValueError if a package is missing."""
    try:
        if name in AEON:
            folder, class_name = AEON[name]
            one = getattr(importlib.import_module(f"aeon.classification.{folder}"), class_name)
            common = {"random_state": seed, "n_jobs": n_jobs}
            return one(**{key: common[key] for key in common if key in inspect.signature(one).parameters})
        return getattr(_ours(), name)(random_state=seed, n_jobs=n_jobs)
    except ImportError as error:
        raise ValueError(f"{label(name)} cannot be made: {error}") from error


def settings(name: str) -> str:
    """Checksum of the parameters of a classifier, nested ones too."""
    parameters = sorted(make(name, 0, 1).get_params(deep=True).items())
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(parameters))  # places in memory
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def inputs(name: str, X: np.ndarray, X_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both parts as a classifier takes them.

    Ours take the panels as they are, shorter series padded with NaN. aeon's classifiers take neither missing values
    nor series of unequal length, nor fewer than 9 or 10 points: for them each channel repeats its last value up to the
    longest series of both parts, and up to 10 points, and a value that is missing is the one before.
    """
    if name not in AEON:
        return X, X_test
    n_timepoints = max(series_lengths(X).max(), series_lengths(X_test).max(), SHORTEST)
    return last_value_padded(X, n_timepoints), last_value_padded(X_test, n_timepoints)


def last_value_padded(X: np.ndarray, n_timepoints: int) -> np.ndarray:
    """Panel of that length in which each NaN is the value before it, at the start the first one, and 0 without any."""
    shape = (*X.shape[:2], max(n_timepoints - X.shape[2], 0))
    X = np.concatenate([X, np.full(shape, np.nan, X.dtype)], axis=2)[:, :, :n_timepoints]
    known = ~np.isnan(X)
    last = np.maximum.accumulate(np.where(known, np.arange(n_timepoints), -1), axis=2)
    source = np.where(last < 0, known.argmax(axis=2)[:, :, np.newaxis], last)
    return np.nan_to_num(np.take_along_axis(X, source, axis=2))


def n_features(fitted: Any) -> int | None:
    """Number of features that the last step sees, of all members of an ensemble, where a fitted classifier has it."""
    if hasattr(fitted, "estimators_"):
        return sum(n_features(member) for member in fitted.estimators_)
    found = getattr(_last_step(fitted), "n_features_in_", None)
    return None if found is None else int(found)


def probabilities(fitted: Any, X: np.ndarray) -> np.ndarray | None:
    """Probabilities of the classes; those of a ridge classifier without any are the softmax of its margins."""
    last = _last_step(fitted)
    if hasattr(last, "predict_proba"):
        return fitted.predict_proba(X)
    if not hasattr(last, "decision_function"):
        return None
    last.predict = last.decision_function  # aeon's classifiers have no method for the margins
    try:
        margins = np.asarray(fitted.predict(X))
    finally:
        del last.predict
    return softmax(np.column_stack([-margins, margins]) if margins.ndim == 1 else margins, axis=1)


def _last_step(fitted):
    names = ("pipeline_", "classifier", "estimator_")  # aeon's
    last = next((getattr(fitted, name) for name in names if hasattr(fitted, name)), fitted)
    while hasattr(last, "steps"):
        last = last.steps[-1][1]
    return last


def label(name: str) -> str:
    """Short name."""
    return name.removesuffix(SUFFIX)


def is_ours(name: str) -> bool:
    """Whether a full name is one of `sigfeat.classifiers`."""
    return name.endswith(SUFFIX)


def _ours():
    try:
        return importlib.import_module(MODULE)
    except ImportError as error:
        raise ValueError(f"pipelines are looked up in {MODULE}, which cannot be imported: {error}") from error


def _is_missing(package):
    return importlib.util.find_spec(package) is None
