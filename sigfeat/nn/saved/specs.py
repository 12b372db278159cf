"""Checks of the settings and weights of saved networks, before a network is built."""

import dataclasses
import math
import numbers
import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, get_args

import numpy as np
import torch
from torch import Tensor, nn

from sigfeat.nn.mixers import MIXERS, BlockSpec
from sigfeat.nn.mixers.hyena import FILTERS
from sigfeat.nn.mixers.positions import POSITIONS
from sigfeat.nn.mixers.s4 import KINDS
from sigfeat.nn.mixers.spec import LARGEST_EXPANSION
from sigfeat.nn.saved.documents import check_fields

LARGEST_STATE = 1024  # largest number of states of "dplr", whose construction takes cubic time
TENSORS_OF_BLOCK = 8  # of its norms and its feed-forward part; the mixer has more
# smallest number of values of S4 for each state: its construction computes them on any device, even "meta"
VALUES_OF_STATE = {"diagonal": 2, "dplr": 4}

Spec = TypeVar("Spec", bound=BlockSpec)
Network = TypeVar("Network", bound=nn.Module)


def check_spec(node: Any, place: str, cls: type[Spec]) -> Spec:
    """Return the settings of a network from their JSON, after a check of their names, types and ranges."""
    types = {field.name: field.type for field in dataclasses.fields(cls)}
    fields = check_fields(node, types, place)
    allowed = {
        **{name: 0 < fields[name] < 2**31 for name, kind in types.items() if kind is int},
        "mixer": fields["mixer"] in MIXERS,
        "kind": fields["kind"] in KINDS,
        "filter": fields["filter"] in FILTERS,
        "dropout": 0 <= fields["dropout"] < 1,
        "positions": fields["positions"] in POSITIONS,
        "expansion": 0 < fields["expansion"] < LARGEST_EXPANSION,
        "filter_length": fields["filter_length"] is None or 0 < fields["filter_length"] < 2**31,
        "time_scale": fields["time_scale"] is None or 0 < fields["time_scale"] < math.inf,
        "n_heads": 0 < fields["n_heads"] < 2**31
        and (fields["mixer"] != "attention" or fields["d_model"] % fields["n_heads"] == 0),
    }
    for name, good in allowed.items():
        if not good:
            raise ValueError(f"{name} of {place} is out of range, got {reprlib.repr(fields[name])}")
    return cls(**fields)


def spec_fields(spec: BlockSpec, place: str) -> dict[str, Any]:
    """JSON of settings that can be loaded again; numbers of NumPy become those of Python."""
    fields = {field.name: _plain(getattr(spec, field.name), field.type) for field in dataclasses.fields(spec)}
    check_spec(fields, place, type(spec))
    return fields


def empty_network(
    build: Callable[[Spec, torch.dtype], Network],
    spec: Spec,
    weights: Mapping[str, Tensor],
    dtypes: Iterable[torch.dtype],
    place: str,
    prefix: str = "",
) -> Network:
    """Return a network without memory after a check that the weights are finite, of one dtype, and match its spec."""
    _check_sizes(spec, len(weights), sum(weight.numel() for weight in weights.values()), place)
    dtype = _most_frequent(weight.dtype for weight in weights.values())
    if dtype not in dtypes:
        raise ValueError(f"weights of {place} must be {' or '.join(map(_name, dtypes))}, got {_name(dtype)}")
    try:
        with torch.device("meta"):
            network = build(spec, dtype)
    except (ValueError, RuntimeError, ArithmeticError) as error:
        raise ValueError(f"{place} is of no network: {error}") from error
    expected = network.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights:
            raise ValueError(f"tensor {prefix}{name} is missing")
        if name not in expected:
            raise ValueError(f"tensor {prefix}{name} belongs to no part of the network")
        found, wanted = weights[name], expected[name]
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            raise ValueError(
                f"tensor {prefix}{name} must be {_name(wanted.dtype)} of shape {tuple(wanted.shape)}, "
                f"got {_name(found.dtype)} of shape {tuple(found.shape)}"
            )
        if not torch.isfinite(found).all():
            raise ValueError(f"tensor {prefix}{name} must be finite")
    return network


def _check_sizes(spec: BlockSpec, n_weights: int, n_values: int, place: str) -> None:
    """Raise a ValueError if the construction would be out of proportion to the number and size of the weights."""
    sized = spec.n_layers * TENSORS_OF_BLOCK <= n_weights
    if spec.mixer == "s4":
        sized = sized and spec.n_layers * spec.d_model * spec.d_state * VALUES_OF_STATE[spec.kind] <= n_values
        sized = sized and (spec.kind != "dplr" or spec.d_state <= LARGEST_STATE)
    if not sized:
        raise ValueError(f"{place} is too large for its {n_weights} tensors of {n_values} values: {spec}")


def _plain(value: Any, kind: Any) -> Any:
    kinds = get_args(kind) or (kind,)
    if float in kinds and isinstance(value, numbers.Real) and not isinstance(value, bool):
        return float(value)
    if int in kinds and isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    return bool(value) if isinstance(value, np.bool_) else value


def _most_frequent(dtypes: Iterable[torch.dtype]) -> torch.dtype:
    return Counter(dtypes).most_common(1)[0][0]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
