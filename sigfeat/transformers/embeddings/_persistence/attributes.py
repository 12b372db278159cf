"""What the fitted attributes of embedders may be: their names, types and limits."""

import math
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from sigfeat._messages import plain
from sigfeat.nn.encoder import Encoder
from sigfeat.pooling import MAX_DYADIC_DEPTH, trainable_poolings

HISTORY = ("train_loss", "valid_loss", "loss", "gradient_norm")
FIGURES = {"pooled_r2", "token_r2", "cka", "cosine"}
FIGURES_OF_CONTROL = {"control_pooled_r2", "control_token_r2", "pooled_skill", "token_skill"}
FIT_MODES = ("supervised", "masked", "random")
CONTAINERS = ("default", "pandas", "polars")
LARGEST_FIGURE = 1 + 1e-6  # 1, with rounding


@dataclass(frozen=True)
class Attribute:
    """What one attribute of a fitted estimator may be.

    Parameters
    ----------
    what : str
        What it must be, for messages.
    allows : callable
        Whether it allows a value, as a function of the value and the estimator. The attributes before it in the table
        of its class were checked before.
    optional : bool, default=False
        Whether the estimator may be without it.
    """

    what: str
    allows: Callable[[Any, Any], bool]
    optional: bool = False


def declared(cls: type[Any]) -> Mapping[str, Attribute] | None:
    """Attributes that a class declares in `_saved_attributes`, or None for a class that cannot be saved."""
    if cls is FrozenEstimator:
        return {}
    attributes: Mapping[str, Attribute] | None = getattr(cls, "_saved_attributes", None)
    return attributes


def check_names(cls: type[Any], names: Iterable[str], place: str) -> None:
    """Raise a ValueError if the class does not declare an attribute."""
    known = declared(cls) or {}
    for name in names:
        if name not in known:
            raise ValueError(f"{place or 'it'} has an unknown attribute {name!r} of {cls.__name__}")


def check_attributes(estimator: Any, attributes: Mapping[str, Any], place: str) -> None:
    """Raise a ValueError if an attribute is missing or has a value that is not allowed; none is that of unfitted."""
    known = declared(type(estimator)) or {}
    if all(known[name].optional for name in attributes):
        known = {name: known[name] for name in attributes}
    for name, attribute in known.items():
        if name in attributes and not attribute.allows(attributes[name], estimator):
            found = " ".join(reprlib.repr(plain(attributes[name])).split())  # of networks too, in one line
            raise ValueError(f"attribute {name} of {place or 'it'} must be {attribute.what}, got {found}")
        if name not in attributes and not attribute.optional:
            raise ValueError(f"{place or 'it'} has no attribute {name!r} of {type(estimator).__name__}")


def one_of(names: Iterable[str]) -> Attribute:
    """One of some strings."""
    names = tuple(names)
    return Attribute(f"one of {', '.join(names)}", lambda value, estimator: type(value) is str and value in names)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**31


def _is_encoder(value: Any, estimator: Any) -> bool:
    mixer = estimator._mixer.name if hasattr(estimator, "_mixer") else "attention"
    return type(value) is Encoder and value.spec.mixer == mixer and value.spec.n_channels == estimator.n_channels_


def _is_control(value: Any, estimator: Any) -> bool:
    spec = estimator.encoder_.spec
    same = type(value) is Encoder and (value.spec.n_channels, value.spec.d_out) == (spec.n_channels, spec.d_out)
    return same and value.spec.mixer == "pointwise" and _dtype_of(value) == _dtype_of(estimator.encoder_)


def _is_number_of_inputs(value: Any, estimator: Any) -> bool:
    one_channel = estimator._fitted_on_table and estimator.n_channels_ == 1  # whose inputs are the columns of a table
    return _is_count(value) and (one_channel or value == estimator.n_channels_)


def _are_names(value: Any, estimator: Any) -> bool:
    is_array = type(value) is np.ndarray and value.dtype == object and value.shape == (estimator.n_features_in_,)
    return is_array and all(type(name) is str for name in value)


def _are_columns(value: Any, estimator: Any) -> bool:
    is_list = type(value) is list and all(type(name) is str for name in value)
    return value is None or (is_list and len(value) == estimator.n_channels_)


def _are_moments(value: Any, estimator: Any) -> bool:
    is_array = type(value) is np.ndarray and value.dtype == np.float64 and value.shape == (estimator.n_channels_,)
    return is_array and bool(np.isfinite(value).all())


def _is_compute_dtype(value: Any, estimator: Any) -> bool:
    return isinstance(value, np.dtype) and value == np.dtype(_dtype_of(estimator.encoder_))


def _dtype_of(encoder: Encoder) -> str:
    return str(next(encoder.parameters()).dtype).removeprefix("torch.")


def _is_number_of_weights(value: Any, estimator: Any) -> bool:
    return type(value) is int and value == sum(weight.numel() for weight in estimator.encoder_.parameters())


def _are_windows(value: Any, estimator: Any) -> bool:
    if type(value) is not tuple or len(value) != 2 or not _is_count(value[0]) or value[0] > 2**MAX_DYADIC_DEPTH:
        return False
    n_parts, runs = value
    if type(runs) is not np.ndarray or runs.dtype != np.int64 or runs.ndim != 2 or runs.shape[1] != 2 or not len(runs):
        return False
    first, stop = runs.T
    return bool(((first >= 0) & (first < stop) & (stop <= n_parts)).all())


def _are_endings(value: Any, estimator: Any) -> bool:
    ending = re.compile(rf"\|{re.escape(estimator.pooling_)}(\|\d{{1,5}}/\d{{1,5}}-\d{{1,5}}/\d{{1,5}})?")
    is_list = type(value) is list and len(value) == len(estimator._windows[1])
    return is_list and all(type(text) is str and ending.fullmatch(text) for text in value)


def _is_output_config(value: Any, estimator: Any) -> bool:
    return (
        type(value) is dict
        and value.keys() <= {"transform"}
        and all(type(container) is str and container in CONTAINERS for container in value.values())
    )


def _is_history(value: Any, estimator: Any) -> bool:
    return (
        type(value) is dict
        and value.keys() <= set(HISTORY)
        and all(
            type(losses) is np.ndarray and losses.dtype.kind == "f" and losses.ndim == 1 for losses in value.values()
        )
    )


def _is_teacher(value: Any, estimator: Any) -> bool:
    is_fitted = declared(type(value)) and "encoder_" in vars(value) and value.n_channels_ == estimator.n_channels_
    return bool(is_fitted and value.encoder_.spec.d_out == estimator.encoder_.spec.d_out)


def _is_fidelity(value: Any, estimator: Any) -> bool:
    names = FIGURES | (FIGURES_OF_CONTROL if "control_" in vars(estimator) else set())
    return (
        type(value) is dict
        and value.keys() == names
        and all(type(figure) is float and (figure <= LARGEST_FIGURE or math.isnan(figure)) for figure in value.values())
    )


OPTIONAL = {
    "_sklearn_output_config": Attribute(
        f"a choice of {', '.join(CONTAINERS)} for transform", _is_output_config, optional=True
    )
}
EMBEDDER_ATTRIBUTES = {
    **OPTIONAL,
    "n_channels_": Attribute("a whole number from 1 up", lambda value, estimator: _is_count(value)),
    "_fitted_on_table": Attribute("a bool", lambda value, estimator: type(value) is bool),
    "n_features_in_": Attribute("the number of channels, or of columns of a table", _is_number_of_inputs),
    "feature_names_in_": Attribute("an array of n_features_in_ strings", _are_names, optional=True),
    "_columns": Attribute("None or n_channels_ strings", _are_columns),
    "encoder_": Attribute("an encoder with the mixer of its class for n_channels_ channels", _is_encoder),
    "mean_": Attribute("n_channels_ finite numbers of float64", _are_moments),
    "scale_": Attribute(
        "n_channels_ finite numbers of float64 above 0",
        lambda value, estimator: _are_moments(value, estimator) and bool((value > 0).all()),
    ),
    "pooling_": one_of(trainable_poolings()),
    "_compute_dtype": Attribute("the dtype of the weights", _is_compute_dtype),
    "n_parameters_": Attribute("the number of weights", _is_number_of_weights),
    "_windows": Attribute(f"runs of at most {2**MAX_DYADIC_DEPTH} parts of a series", _are_windows),
    "_endings": Attribute("the pooling and the window of each feature", _are_endings),
    "_label": Attribute(
        "the name of the encoder", lambda value, estimator: type(value) is str and value == estimator._encoder_label()
    ),
    "_n_features_out": Attribute(
        "the number of windows times the width of the tokens",
        lambda value, estimator: (
            type(value) is int and value == estimator.encoder_.spec.d_out * len(estimator._windows[1])
        ),
    ),
    "history_": Attribute(f"a dict of arrays, of the names {', '.join(HISTORY)}", _is_history),
}
TEACHER_ATTRIBUTES = {**EMBEDDER_ATTRIBUTES, "fit_mode_": one_of(FIT_MODES)}
STUDENT_ATTRIBUTES = {
    **EMBEDDER_ATTRIBUTES,
    "control_": Attribute("a pointwise encoder of the width of the student", _is_control, optional=True),
    "fidelity_": Attribute("a dict of the figures of `fidelity`, each NaN or at most 1", _is_fidelity),
    "teacher_": Attribute("a fitted embedder of the channels and the width of the student", _is_teacher),
}
