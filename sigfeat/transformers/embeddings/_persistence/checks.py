"""Checks of the values of saved estimators, in which every file is treated as untrusted."""

import dataclasses
import inspect
import math
import re
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

import sigfeat
from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.nn.mixers import MIXERS
from sigfeat.nn.mixers.positions import POSITIONS
from sigfeat.nn.mixers.s4 import KINDS
from sigfeat.nn.mixers.spec import LARGEST_EXPANSION
from sigfeat.transformers._contract.base import PanelTransformer

ESTIMATOR_FIELDS = {"class": str, "parameters": dict, "attributes": dict}
RANDOM_STATE_FIELDS = {"position": int, "has_gauss": int, "gauss": float}
STRINGS_FIELDS = {"shape": list, "values": list}
SPEC_FIELDS = {field.name: field.type for field in dataclasses.fields(EncoderSpec)}
NOT_KEPT = {"_skl_callbacks", "_skl_callbacks_to_teardown", "_parent_callback_ctx", "_callback_fit_ctx"}
DTYPES = re.compile(r"[<>|](b1|[iu][1248]|f[248]|c8|c16|U[1-9]\d{0,5})")
LARGEST_STATE = 1024  # largest number of states of "dplr", whose construction takes cubic time


def public_class(name: str) -> type[Any] | None:
    """Return the class of this name, or None if a file must not contain it."""
    frozen: type[Any] = FrozenEstimator
    if name == "FrozenEstimator":
        return frozen
    found: Any = getattr(sigfeat, name) if name in sigfeat.__all__ else None
    return found if inspect.isclass(found) and issubclass(found, PanelTransformer) else None


def cannot_save(place: str, what: str) -> TypeError:
    return TypeError(f"{place} cannot be saved: it is of type {what}")


def inside(place: str, name: str) -> str:
    """Unique place of a named value."""
    name = name.encode("unicode_escape").decode().replace(".", r"\x2e")
    return f"{place}.{name}" if place else name


def stored_as(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Dtype for safetensors, and the axis that it adds: parts of complex numbers, characters of strings."""
    if dtype.kind == "c":
        return np.dtype(f"<f{dtype.itemsize // 2}"), (2,)
    if dtype.kind == "U":
        return np.dtype("<u4"), (dtype.itemsize // 4,)
    return dtype.newbyteorder("<"), ()


def check_parameters(estimator: Any) -> None:
    if isinstance(estimator, PanelTransformer):
        estimator._validate_params()
    elif not isinstance(estimator.estimator, PanelTransformer):
        raise ValueError(f"FrozenEstimator must hold a transformer of sigfeat, got {reprlib.repr(estimator.estimator)}")


def check_names(cls: type[Any], attributes: Iterable[str], *taken: str) -> None:
    """Raise if an attribute would hide a parameter, a method or another attribute of the class."""
    for name in attributes:
        if name in taken or hasattr(cls, name):
            raise ValueError(f"{name!r} is an attribute of the class {cls.__name__}, and no fitted one")


def check_fields(node: Any, types: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the node after a check that it has exactly these fields, of these types."""
    if type(node) is not dict or node.keys() != types.keys():
        found = reprlib.repr(sorted(node) if type(node) is dict else node)
        raise ValueError(f"{place} must have the fields {', '.join(types)}, got {found}")
    for name, kind in types.items():
        if type(node[name]) not in (get_args(kind) or (kind,)):
            wanted = getattr(kind, "__name__", str(kind))
            raise ValueError(f"{name} of {place} must be of type {wanted}, got {reprlib.repr(node[name])}")
    fields: dict[str, Any] = node
    return fields


def check_spec(node: Any, place: str) -> dict[str, Any]:
    """Return the fields of an EncoderSpec after a check of their types and ranges."""
    fields = check_fields(node, SPEC_FIELDS, place)
    allowed = {
        **{name: 0 < node[name] < 2**31 for name, kind in SPEC_FIELDS.items() if kind is int},
        "mixer": node["mixer"] in MIXERS,
        "kind": node["kind"] in KINDS,
        "dropout": 0 <= node["dropout"] < 1,
        "positions": node["positions"] in POSITIONS,
        "expansion": 0 < node["expansion"] < LARGEST_EXPANSION,
        "filter_length": node["filter_length"] is None or 0 < node["filter_length"] < 2**31,
        "time_scale": 0 < node["time_scale"] < math.inf,
        "n_heads": 0 < node["n_heads"] < 2**31
        and (node["mixer"] != "attention" or node["d_model"] % node["n_heads"] == 0),
    }
    for name, good in allowed.items():
        if not good:
            raise ValueError(f"{name} of {place} is out of range, got {reprlib.repr(node[name])}")
    return fields


def empty_encoder(spec: EncoderSpec, weights: Mapping[str, NDArray[Any]], place: str) -> Encoder:
    """Return an encoder without values after a check that the weights are finite and match its spec."""
    _check_sizes(spec, len(weights), sum(weight.size for weight in weights.values()), place)
    dtype = torch.float64 if any(weight.dtype == np.float64 for weight in weights.values()) else torch.float32
    try:
        with torch.device("meta"):
            encoder = Encoder(spec, generator=torch.Generator(), dtype=dtype)
    except (ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{place} has no encoder: {error}") from error
    expected = encoder.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights:
            raise ValueError(f"tensor {place}.{name} is missing")
        if name not in expected:
            raise ValueError(f"tensor {place}.{name} belongs to no part of the encoder")
        found, wanted = weights[name], expected[name]
        kind = str(wanted.dtype).removeprefix("torch.")
        if found.shape != wanted.shape or found.dtype != kind:
            raise ValueError(
                f"tensor {place}.{name} must be {kind} of shape {tuple(wanted.shape)}, "
                f"got {found.dtype} of shape {found.shape}"
            )
        if not np.isfinite(found).all():
            raise ValueError(f"tensor {place}.{name} must be finite")
    return encoder


def _check_sizes(spec: EncoderSpec, n_weights: int, n_values: int, place: str) -> None:
    """Raise a ValueError if the construction would be out of proportion to the number and size of the weights."""
    sized = spec.n_layers <= n_weights
    if spec.mixer == "s4":  # computes its initial values on any device, even "meta"
        sized = spec.n_layers * spec.d_model * spec.d_state <= n_values
        sized = sized and (spec.kind != "dplr" or spec.d_state <= LARGEST_STATE)
    if not sized:
        raise ValueError(f"{place} is too large for its {n_weights} tensors of {n_values} values: {spec}")
