"""Checks of the values of saved estimators, in which every file is treated as untrusted."""

import inspect
import re
import reprlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from torch import Tensor

import sigfeat
from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.nn.saved.specs import empty_network
from sigfeat.transformers._contract.base import PanelTransformer
from sigfeat.transformers.embeddings._persistence.attributes import declared

ESTIMATOR_FIELDS = {"class": str, "parameters": dict, "attributes": dict}
RANDOM_STATE_FIELDS = {"position": int, "has_gauss": int, "gauss": float}
STRINGS_FIELDS = {"shape": list, "values": list}
NOT_KEPT = {"_skl_callbacks", "_skl_callbacks_to_teardown", "_parent_callback_ctx", "_callback_fit_ctx"}
DTYPES = re.compile(r"[<>|](b1|[iu][1248]|f[248]|c8|c16|U[1-9]\d{0,5})")
ENCODER_DTYPES = (torch.float32, torch.float64)


def public_class(name: str) -> type[Any] | None:
    """Return the class of this name, or None if a file must not contain it."""
    frozen: type[Any] = FrozenEstimator
    if name == "FrozenEstimator":
        return frozen
    found: Any = getattr(sigfeat, name) if name in sigfeat.__all__ else None
    return found if inspect.isclass(found) and declared(found) is not None else None


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


def empty_encoder(spec: EncoderSpec, weights: Mapping[str, Tensor], place: str) -> Encoder:
    """Return an encoder without values after a check that the weights are finite and match its spec."""

    def build(spec: EncoderSpec, dtype: torch.dtype) -> Encoder:
        return Encoder(spec, generator=torch.Generator(), dtype=dtype)

    return empty_network(build, spec, weights, ENCODER_DTYPES, place, f"{place}.")
