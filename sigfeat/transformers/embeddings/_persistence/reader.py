"""Values of fitted estimators from JSON and arrays.

Reading runs no code from the files: only a fixed list of kinds of values can be built, and classes are looked up among
the public names. Every file is treated as untrusted.
"""

import math
import reprlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sigfeat._devices import Device
from sigfeat._validation import check_is_fitted
from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.nn.saved.documents import check_fields
from sigfeat.nn.saved.specs import check_spec
from sigfeat.nn.training.processes import processes
from sigfeat.transformers.embeddings._persistence.attributes import check_attributes, check_names
from sigfeat.transformers.embeddings._persistence.checks import (
    DTYPES,
    ESTIMATOR_FIELDS,
    RANDOM_STATE_FIELDS,
    STRINGS_FIELDS,
    check_parameters,
    empty_encoder,
    inside,
    public_class,
    stored_as,
)


class Reader:
    """Values from their JSON; arrays that are used are removed from `arrays`."""

    def __init__(self, arrays: dict[str, NDArray[Any]], device: Device | None) -> None:
        self.arrays, self._device = arrays, device
        self._known: dict[str, Any] = {}
        self._readers: dict[str, Callable[[Any, str], Any]] = {
            "array": self._array,
            "device": self._torch_device,
            "dict": self._dict,
            "dtype": self._dtype,
            "encoder": self._encoder,
            "estimator": self._estimator,
            "float": self._float,
            "random_state": self._random_state,
            "same": self._same,
            "scalar": self._scalar,
            "spec": lambda node, place: check_spec(node, place, EncoderSpec),
            "strings": self._strings,
            "tuple": lambda node, place: tuple(self._items(node, place)),
        }

    def whole(self, node: Any, cls: type[Any]) -> Any:
        """Return the fitted estimator, of this class or a subclass."""
        estimator = self._estimator(node, "")
        if not isinstance(estimator, cls):
            raise ValueError(f"it is of class {type(estimator).__name__}, not of {cls.__name__}")
        check_is_fitted(estimator)
        return estimator

    def _value(self, node: Any, place: str) -> Any:
        if node is None or type(node) in (bool, int, float, str):
            return node
        if type(node) is list:
            return self._items(node, place)
        kind = next(iter(node)) if len(node) == 1 else None
        if kind not in self._readers:
            raise ValueError(f"{place} must be a value of a known kind, got {reprlib.repr(node)}")
        return self._readers[kind](node[kind], place)

    def _estimator(self, node: Any, place: str) -> Any:
        cls = public_class(check_fields(node, ESTIMATOR_FIELDS, place or "it")["class"])
        if cls is None:
            raise ValueError(f"there is no class {reprlib.repr(node['class'])} that could be loaded")
        names = set(cls._get_param_names())
        wrong = sorted(names ^ node["parameters"].keys())
        if wrong:
            what = "no" if wrong[0] in names else "an unknown"
            raise ValueError(f"{place or 'it'} has {what} parameter {wrong[0]!r} of {cls.__name__}")
        check_names(cls, node["attributes"], place)
        parameters = self._dict(node["parameters"], place)
        if self._device is not None and "device" in names:
            parameters["device"] = self._device
        estimator = cls(**parameters)
        check_parameters(estimator)
        attributes = self._dict(node["attributes"], place)
        vars(estimator).update(attributes)
        check_attributes(estimator, attributes, place)
        self._known[place] = estimator
        return estimator

    def _same(self, node: Any, place: str) -> Any:
        if type(node) is not str or node not in self._known:
            raise ValueError(f"{place} must be the same as an earlier estimator, got {reprlib.repr(node)}")
        return self._known[node]

    def _items(self, node: Any, place: str) -> list[Any]:
        if type(node) is not list:
            raise ValueError(f"{place} must be a list, got {reprlib.repr(node)}")
        return [self._value(item, f"{place}.{i}") for i, item in enumerate(node)]

    def _dict(self, node: Any, place: str) -> dict[str, Any]:
        if type(node) is not dict:
            raise ValueError(f"{place} must be an object, got {reprlib.repr(node)}")
        return {name: self._value(value, inside(place, name)) for name, value in node.items()}

    def _float(self, node: Any, place: str) -> float:
        if node not in ("nan", "inf", "-inf"):
            raise ValueError(f"{place} must be a number, or nan, inf or -inf, got {reprlib.repr(node)}")
        return float(node)

    def _torch_device(self, node: Any, place: str) -> torch.device:
        try:
            return torch.device(str(node))
        except RuntimeError as error:
            raise ValueError(f"{place} must be a device of torch, got {reprlib.repr(node)}") from error

    def _dtype(self, node: Any, place: str) -> np.dtype[Any]:
        if type(node) is not str or not (node == "|O" or DTYPES.fullmatch(node)):
            raise ValueError(f"{place} must be a dtype of numbers or strings, got {reprlib.repr(node)}")
        return np.dtype(node)

    def _array(self, node: Any, place: str) -> NDArray[Any]:
        dtype = self._dtype(node, place)
        stored, sides = stored_as(dtype)
        array = self._take(place)
        n_axes = array.ndim - len(sides)
        if array.dtype != stored or array.shape[n_axes:] != sides:
            raise ValueError(f"tensor {place} must be of {stored}, for values of {dtype}, got {array.dtype}")
        limit = {"b": 1, "U": 0x10FFFF}.get(dtype.kind)  # NumPy does not check these values itself
        if limit is not None and (largest := array.view(f"u{stored.itemsize}").max(initial=0)) > limit:
            raise ValueError(f"tensor {place} must hold values of {dtype}, got {largest}")
        return array.reshape(-1).view(dtype.newbyteorder("<")).reshape(array.shape[:n_axes]).astype(dtype)

    def _scalar(self, node: Any, place: str) -> Any:
        array = self._array(node, place)
        if array.ndim:
            raise ValueError(f"tensor {place} must be a scalar, got shape {array.shape}")
        return array[()]

    def _strings(self, node: Any, place: str) -> NDArray[np.object_]:
        check_fields(node, STRINGS_FIELDS, place)
        shape, values = node["shape"], node["values"]
        is_shape = all(type(side) is int and side >= 0 for side in shape) and math.prod(shape) == len(values)
        if not is_shape or any(type(value) is not str for value in values):
            raise ValueError(f"{place} must hold strings, as many as in its shape {reprlib.repr(shape)}")
        return np.array(values, dtype=object).reshape(shape)

    def _random_state(self, node: Any, place: str) -> np.random.RandomState:
        check_fields(node, RANDOM_STATE_FIELDS, place)
        position, has_gauss, gauss = (node[name] for name in RANDOM_STATE_FIELDS)
        key = self._take(place)
        if key.dtype != np.uint32 or key.shape != (624,) or not 0 <= position <= 624 or has_gauss not in (0, 1):
            raise ValueError(f"{place} must be the state of a Mersenne twister")
        random_state = np.random.RandomState(0)  # noqa: NPY002
        random_state.set_state(("MT19937", key, position, has_gauss, gauss))
        return random_state

    def _encoder(self, node: Any, place: str) -> Encoder:
        spec = check_spec(node, place, EncoderSpec)
        start, weights = f"{place}.", {}
        for name in [name for name in self.arrays if name.startswith(start)]:
            weights[name.removeprefix(start)] = torch.tensor(self._take(name))
        encoder = empty_encoder(spec, weights, place)
        encoder.load_state_dict(weights, assign=True)
        return encoder.eval().requires_grad_(False).to(processes(self._device or "cpu").device)

    def _take(self, place: str) -> NDArray[Any]:
        if place not in self.arrays:
            raise ValueError(f"tensor {place} is missing")
        return self.arrays.pop(place)
