"""Values of fitted estimators as JSON and arrays."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.nn.saved.specs import spec_fields
from sigfeat.transformers.embeddings._persistence.attributes import OPTIONAL, check_attributes, check_names
from sigfeat.transformers.embeddings._persistence.checks import (
    DTYPES,
    ENCODER_DTYPES,
    NOT_KEPT,
    cannot_save,
    check_parameters,
    empty_encoder,
    inside,
    public_class,
    stored_as,
)


class Writer:
    """Values as JSON; arrays and weights are stored in `arrays`, by their place."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self._known: dict[int, str] = {}
        self._writers: dict[type[Any], tuple[str, Callable[[Any, str], Any]]] = {
            dict: ("dict", self._dict),
            float: ("float", lambda value, place: str(value)),
            tuple: ("tuple", self._items),
            torch.device: ("device", lambda value, place: str(value)),
            np.random.RandomState: ("random_state", self._random_state),
            EncoderSpec: ("spec", spec_fields),
            Encoder: ("encoder", self._encoder),
        }

    def value(self, value: Any, place: str) -> Any:
        """JSON of any value."""
        if value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value)):
            return value
        if type(value) is list:
            return self._items(value, place)
        if id(value) in self._known:
            return {"same": self._known[id(value)]}
        kind, write = self._writer(value, place)
        return {kind: write(value, place)}

    def estimator(self, estimator: Any, place: str) -> dict[str, Any]:
        """JSON of an estimator."""
        cls = type(estimator)
        if public_class(cls.__name__) is not cls:
            raise cannot_save(place or "it", cls.__name__)
        check_parameters(estimator)
        parameters = estimator.get_params(deep=False)
        if "callbacks" in parameters:
            parameters["callbacks"] = None
        attributes = {name: value for name, value in vars(estimator).items() if name not in {*parameters, *NOT_KEPT}}
        if not estimator.__sklearn_is_fitted__():  # what a failed fit has left
            attributes = {name: value for name, value in attributes.items() if name in OPTIONAL}
        check_names(cls, attributes, place)
        check_attributes(estimator, attributes, place)
        written = {
            "class": cls.__name__,
            "parameters": self._dict(parameters, place),
            "attributes": self._dict(attributes, place),
        }
        self._known[id(estimator)] = place
        return written

    def _writer(self, value: Any, place: str) -> tuple[str, Callable[[Any, str], Any]]:
        if isinstance(value, BaseEstimator):
            return "estimator", self.estimator
        if isinstance(value, np.dtype):
            return "dtype", self._dtype
        if isinstance(value, np.generic):
            return "scalar", self._array
        if type(value) is np.ndarray:
            return ("strings", self._strings) if value.dtype == object else ("array", self._array)
        if type(value) not in self._writers:
            raise cannot_save(place, type(value).__name__)
        return self._writers[type(value)]

    def _items(self, values: Iterable[Any], place: str) -> list[Any]:
        return [self.value(value, f"{place}.{i}") for i, value in enumerate(values)]

    def _dict(self, values: dict[Any, Any], place: str) -> dict[str, Any]:
        for name in values:
            if type(name) is not str:
                raise cannot_save(place, f"dict with keys such as {name!r}")
        return {name: self.value(value, inside(place, name)) for name, value in values.items()}

    def _dtype(self, dtype: np.dtype[Any], place: str) -> str:
        if dtype.kind != "O" and not DTYPES.fullmatch(dtype.str):
            raise cannot_save(place, f"dtype {dtype}")
        return dtype.str

    def _array(self, array: Any, place: str) -> str:
        array = np.asarray(array)
        name = self._dtype(array.dtype, place)
        stored, sides = stored_as(array.dtype)
        values = np.array(array, dtype=array.dtype.newbyteorder("<"), order="C")
        self.arrays[place] = values.reshape(-1).view(stored).reshape(array.shape + sides)
        return name

    def _strings(self, array: NDArray[np.object_], place: str) -> dict[str, Any]:
        values = array.ravel().tolist()
        for value in values:
            if type(value) is not str:
                raise cannot_save(place, f"object array with a {type(value).__name__}")
        return {"shape": list(array.shape), "values": values}

    def _random_state(self, random_state: np.random.RandomState, place: str) -> dict[str, Any]:
        state = random_state.get_state(legacy=False)
        if state["bit_generator"] != "MT19937":
            raise cannot_save(place, f"RandomState of {state['bit_generator']}")
        self.arrays[place] = state["state"]["key"]
        return {"position": state["state"]["pos"], "has_gauss": state["has_gauss"], "gauss": state["gauss"]}

    def _encoder(self, encoder: Encoder, place: str) -> dict[str, Any]:
        written, weights = spec_fields(encoder.spec, place), encoder.state_dict()
        for name, tensor in weights.items():
            if tensor.dtype not in ENCODER_DTYPES:
                raise cannot_save(f"{place}.{name}", f"tensor of {tensor.dtype}")
        empty_encoder(encoder.spec, weights, place)
        self.arrays |= {
            f"{place}.{name}": np.array(tensor.cpu().numpy(), order="C") for name, tensor in weights.items()
        }
        return written
