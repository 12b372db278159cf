"""Modules as classes, plain values and NumPy arrays, so that equal modules have equal pickles.

The pickle of a tensor contains the number of its storage, which differs between copies. `Pipeline(memory=...)` finds a
cached fit by `joblib.hash`, which reads pickles.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(eq=False)
class TensorState:
    """Values of a tensor or a parameter."""

    values: NDArray[Any]
    dtype: torch.dtype
    is_parameter: bool
    requires_grad: bool


@dataclass(eq=False)
class ModuleState:
    """Class and attributes of a module."""

    module: type[nn.Module]
    attributes: Any


def pack_modules(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes with modules and tensors replaced by states, whose pickles and hashes depend on their values only.

    Parameters
    ----------
    attributes : dict
        Attributes of an object.

    Returns
    -------
    packed : dict
        Input of `unpack_modules`. Tensors lose their device, their gradients and their memory layout.

    Examples
    --------
    >>> import joblib, pickle, torch
    >>> from sigfeat.nn.states import pack_modules, unpack_modules
    >>> packed = pack_modules({"layer": torch.nn.Linear(2, 3), "name": "first"})
    >>> again = unpack_modules(pickle.loads(pickle.dumps(packed)))
    >>> joblib.hash(pack_modules(again)) == joblib.hash(packed)
    True
    """
    known: dict[int, Any] = {}
    return {
        name: _pack(value, known) if isinstance(value, nn.Module | Tensor) else value
        for name, value in attributes.items()
    }


def unpack_modules(packed: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes restored from `pack_modules`, with tensors on the CPU.

    Parameters
    ----------
    packed : dict
        From `pack_modules`.

    Returns
    -------
    attributes : dict
    """
    known: dict[int, Any] = {}
    return {
        name: _unpack(value, known) if isinstance(value, ModuleState | TensorState) else value
        for name, value in packed.items()
    }


def _pack(value: Any, known: dict[int, Any]) -> Any:
    if isinstance(value, Tensor | nn.Module):  # several attributes may refer to the same object
        if id(value) not in known:
            known[id(value)] = _tensor_state(value) if isinstance(value, Tensor) else _module_state(value, known)
        return known[id(value)]
    return _inside(_pack, value, known)


def _unpack(value: Any, known: dict[int, Any]) -> Any:
    if isinstance(value, TensorState | ModuleState):
        if id(value) not in known:
            known[id(value)] = _tensor(value) if isinstance(value, TensorState) else _module(value, known)
        return known[id(value)]
    return _inside(_unpack, value, known)


def _inside(change: Any, value: Any, known: dict[int, Any]) -> Any:
    """Apply `change` to the values of a container; return anything else as it is."""
    if type(value) in (dict, OrderedDict):
        return type(value)((name, change(part, known)) for name, part in value.items())
    if type(value) in (list, tuple):
        return type(value)(change(part, known) for part in value)
    return value


def _tensor_state(tensor: Tensor) -> TensorState:
    kept = tensor.detach().cpu()
    kept = kept.float() if kept.dtype in (torch.bfloat16, torch.float16) else kept  # NumPy has no bfloat16
    values = np.array(kept.numpy(), order="C")  # a hash depends on strides
    return TensorState(values, tensor.dtype, isinstance(tensor, nn.Parameter), tensor.requires_grad)


def _tensor(state: TensorState) -> Tensor:
    tensor = torch.tensor(state.values).to(state.dtype)  # a copy: values that are mapped from a file are read-only
    if state.is_parameter:
        return nn.Parameter(tensor, requires_grad=state.requires_grad)
    return tensor.requires_grad_(state.requires_grad)


def _module_state(module: nn.Module, known: dict[int, Any]) -> ModuleState:
    state = module.__getstate__()  # type: ignore[no-untyped-call]
    return ModuleState(type(module), _inside(_pack, state, known))


def _module(state: ModuleState, known: dict[int, Any]) -> nn.Module:
    module = state.module.__new__(state.module)
    module.__setstate__(_inside(_unpack, state.attributes, known))  # type: ignore[no-untyped-call]
    return module
