"""Values of fitted estimators as JSON, and arrays for what is too large for it.

Reading runs no code that a file chooses: what can be built is in a fixed list, and classes are looked up among the
public names. Everything that is read is checked as if it were forged.
"""

import dataclasses
import inspect
import math
import re
import reprlib

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator

import sigfeat
from sigfeat._validation import check_is_fitted
from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.nn.mixers import MIXERS
from sigfeat.nn.mixers.s4 import KINDS
from sigfeat.nn.training.processes import processes
from sigfeat.transformers._contract.base import PanelTransformer

OF_ESTIMATOR = {"class": str, "parameters": dict, "attributes": dict}
OF_RANDOM_STATE = {"position": int, "has_gauss": int, "gauss": float}
OF_STRINGS = {"shape": list, "values": list}
OF_SPEC = {field.name: field.type for field in dataclasses.fields(EncoderSpec)}
NOT_KEPT = {"_skl_callbacks", "_skl_callbacks_to_teardown", "_parent_callback_ctx", "_callback_fit_ctx"}
DTYPES = re.compile(r"[<>|](b1|[iu][1248]|f[248]|c8|c16|U[1-9]\d{0,5})")
LARGEST_STATE = 1024  # of "dplr", whose construction takes a time that grows with the cube


def public_class(name):
    """The class of this name, or None if it is none that a file may hold."""
    if name == "FrozenEstimator":
        return FrozenEstimator
    found = getattr(sigfeat, name) if name in sigfeat.__all__ else None
    return found if inspect.isclass(found) and issubclass(found, PanelTransformer) else None


class Writer:
    """Values as JSON; what is too large for it goes into `arrays`, by its place."""

    def __init__(self):
        self.arrays, self._known = {}, {}
        self._writers = {
            dict: ("dict", self._dict),
            float: ("float", lambda value, place: str(value)),
            tuple: ("tuple", self._items),
            torch.device: ("device", lambda value, place: str(value)),
            np.random.RandomState: ("random_state", self._random_state),
            EncoderSpec: ("spec", self._spec),
            Encoder: ("encoder", self._encoder),
        }

    def value(self, value, place):
        """JSON of any value."""
        if value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value)):
            return value
        if type(value) is list:
            return self._items(value, place)
        if id(value) in self._known:
            return {"same": self._known[id(value)]}
        kind, write = self._writer(value, place)
        return {kind: write(value, place)}

    def estimator(self, estimator, place):
        """JSON of an estimator."""
        cls = type(estimator)
        if public_class(cls.__name__) is not cls:
            raise _cannot_save(place or "it", cls.__name__)
        _check_parameters(estimator)
        parameters = estimator.get_params(deep=False)
        if "callbacks" in parameters:
            parameters["callbacks"] = None
        attributes = {name: value for name, value in vars(estimator).items() if name not in {*parameters, *NOT_KEPT}}
        _check_names(cls, attributes)
        written = {
            "class": cls.__name__,
            "parameters": self._dict(parameters, place),
            "attributes": self._dict(attributes, place),
        }
        self._known[id(estimator)] = place
        return written

    def _writer(self, value, place):
        if isinstance(value, BaseEstimator):
            return "estimator", self.estimator
        if isinstance(value, np.dtype):
            return "dtype", self._dtype
        if isinstance(value, np.generic):
            return "scalar", self._array
        if type(value) is np.ndarray:
            return ("strings", self._strings) if value.dtype == object else ("array", self._array)
        if type(value) not in self._writers:
            raise _cannot_save(place, type(value).__name__)
        return self._writers[type(value)]

    def _items(self, values, place):
        return [self.value(value, f"{place}.{i}") for i, value in enumerate(values)]

    def _dict(self, values, place):
        for name in values:
            if type(name) is not str:
                raise _cannot_save(place, f"dict with keys such as {name!r}")
        return {name: self.value(value, _inside(place, name)) for name, value in values.items()}

    def _dtype(self, dtype, place):
        if dtype.kind != "O" and not DTYPES.fullmatch(dtype.str):
            raise _cannot_save(place, f"dtype {dtype}")
        return dtype.str

    def _array(self, array, place):
        array = np.asarray(array)
        name = self._dtype(array.dtype, place)
        stored, sides = _stored_as(array.dtype)
        values = np.array(array, dtype=array.dtype.newbyteorder("<"), order="C")
        self.arrays[place] = values.reshape(-1).view(stored).reshape(array.shape + sides)
        return name

    def _strings(self, array, place):
        values = array.ravel().tolist()
        for value in values:
            if type(value) is not str:
                raise _cannot_save(place, f"object array with a {type(value).__name__}")
        return {"shape": list(array.shape), "values": values}

    def _random_state(self, random_state, place):
        state = random_state.get_state(legacy=False)
        if state["bit_generator"] != "MT19937":
            raise _cannot_save(place, f"RandomState of {state['bit_generator']}")
        self.arrays[place] = state["state"]["key"]
        return {"position": state["state"]["pos"], "has_gauss": state["has_gauss"], "gauss": state["gauss"]}

    def _spec(self, spec, place):
        return _check_spec(dataclasses.asdict(spec), place)

    def _encoder(self, encoder, place):
        written, weights = self._spec(encoder.spec, place), {}
        for name, tensor in encoder.state_dict().items():
            if tensor.dtype not in (torch.float32, torch.float64):
                raise _cannot_save(f"{place}.{name}", f"tensor of {tensor.dtype}")
            weights[name] = np.array(tensor.cpu().numpy(), order="C")
        _empty_encoder(encoder.spec, weights, place)
        self.arrays |= {f"{place}.{name}": weight for name, weight in weights.items()}
        return written


class Reader:
    """Values from their JSON; every array is taken out of `arrays`."""

    def __init__(self, arrays, device):
        self.arrays, self._device, self._known = arrays, device, {}
        self._readers = {
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
            "spec": lambda node, place: EncoderSpec(**_check_spec(node, place)),
            "strings": self._strings,
            "tuple": lambda node, place: tuple(self._items(node, place)),
        }

    def whole(self, node, cls):
        """The estimator; a fitted one of this class or one that is derived from it."""
        estimator = self._estimator(node, "")
        if not isinstance(estimator, cls):
            raise ValueError(f"it is of class {type(estimator).__name__}, not of {cls.__name__}")
        check_is_fitted(estimator)
        return estimator

    def _value(self, node, place):
        if node is None or type(node) in (bool, int, float, str):
            return node
        if type(node) is list:
            return self._items(node, place)
        kind = next(iter(node)) if len(node) == 1 else None
        if kind not in self._readers:
            raise ValueError(f"{place} must be a value of a known kind, got {reprlib.repr(node)}")
        return self._readers[kind](node[kind], place)

    def _estimator(self, node, place):
        cls = public_class(check_fields(node, OF_ESTIMATOR, place or "it")["class"])
        if cls is None:
            raise ValueError(f"there is no class {reprlib.repr(node['class'])} that could be loaded")
        names = set(cls._get_param_names())
        wrong = sorted(names ^ node["parameters"].keys())
        if wrong:
            what = "no" if wrong[0] in names else "an unknown"
            raise ValueError(f"{place or 'it'} has {what} parameter {wrong[0]!r} of {cls.__name__}")
        _check_names(cls, node["attributes"], *names)
        parameters = self._dict(node["parameters"], place)
        if self._device is not None and "device" in names:
            parameters["device"] = self._device
        estimator = cls(**parameters)
        _check_parameters(estimator)
        vars(estimator).update(self._dict(node["attributes"], place))
        self._known[place] = estimator
        return estimator

    def _same(self, node, place):
        if type(node) is not str or node not in self._known:
            raise ValueError(f"{place} must be the same as an earlier estimator, got {reprlib.repr(node)}")
        return self._known[node]

    def _items(self, node, place):
        if type(node) is not list:
            raise ValueError(f"{place} must be a list, got {reprlib.repr(node)}")
        return [self._value(item, f"{place}.{i}") for i, item in enumerate(node)]

    def _dict(self, node, place):
        if type(node) is not dict:
            raise ValueError(f"{place} must be an object, got {reprlib.repr(node)}")
        return {name: self._value(value, _inside(place, name)) for name, value in node.items()}

    def _float(self, node, place):
        if node not in ("nan", "inf", "-inf"):
            raise ValueError(f"{place} must be a number, or nan, inf or -inf, got {reprlib.repr(node)}")
        return float(node)

    def _torch_device(self, node, place):
        try:
            return torch.device(str(node))
        except RuntimeError as error:
            raise ValueError(f"{place} must be a device of torch, got {reprlib.repr(node)}") from error

    def _dtype(self, node, place):
        if type(node) is not str or not (node == "|O" or DTYPES.fullmatch(node)):
            raise ValueError(f"{place} must be a dtype of numbers or strings, got {reprlib.repr(node)}")
        return np.dtype(node)

    def _array(self, node, place):
        dtype = self._dtype(node, place)
        stored, sides = _stored_as(dtype)
        array = self._take(place)
        n_axes = array.ndim - len(sides)
        if array.dtype != stored or array.shape[n_axes:] != sides:
            raise ValueError(f"tensor {place} must be of {stored}, for values of {dtype}, got {array.dtype}")
        limit = {"b": 1, "U": 0x10FFFF}.get(dtype.kind)  # other bits NumPy trusts, but must not
        if limit is not None and (largest := array.view(f"u{stored.itemsize}").max(initial=0)) > limit:
            raise ValueError(f"tensor {place} must hold values of {dtype}, got {largest}")
        return array.reshape(-1).view(dtype.newbyteorder("<")).reshape(array.shape[:n_axes]).astype(dtype)

    def _scalar(self, node, place):
        array = self._array(node, place)
        if array.ndim:
            raise ValueError(f"tensor {place} must be a scalar, got shape {array.shape}")
        return array[()]

    def _strings(self, node, place):
        check_fields(node, OF_STRINGS, place)
        shape, values = node["shape"], node["values"]
        is_shape = all(type(side) is int and side >= 0 for side in shape) and math.prod(shape) == len(values)
        if not is_shape or any(type(value) is not str for value in values):
            raise ValueError(f"{place} must hold strings, as many as in its shape {reprlib.repr(shape)}")
        return np.array(values, dtype=object).reshape(shape)

    def _random_state(self, node, place):
        check_fields(node, OF_RANDOM_STATE, place)
        position, has_gauss, gauss = (node[name] for name in OF_RANDOM_STATE)
        key = self._take(place)
        if key.dtype != np.uint32 or key.shape != (624,) or not 0 <= position <= 624 or has_gauss not in (0, 1):
            raise ValueError(f"{place} must be the state of a Mersenne twister")
        random_state = np.random.RandomState(0)  # noqa: NPY002
        random_state.set_state(("MT19937", key, position, has_gauss, gauss))
        return random_state

    def _encoder(self, node, place):
        spec = EncoderSpec(**_check_spec(node, place))
        start = f"{place}."
        weights = {name.removeprefix(start): self._take(name) for name in list(self.arrays) if name.startswith(start)}
        encoder = _empty_encoder(spec, weights, place)
        encoder.load_state_dict({name: torch.tensor(weight) for name, weight in weights.items()}, assign=True)
        return encoder.eval().requires_grad_(False).to(processes(self._device or "cpu").device)

    def _take(self, place):
        if place not in self.arrays:
            raise ValueError(f"tensor {place} is missing")
        return self.arrays.pop(place)


def _cannot_save(place, what):
    return TypeError(f"{place} cannot be saved: it is of type {what}")


def _inside(place, name):
    """Place of a named value; no two values have the same."""
    name = name.encode("unicode_escape").decode().replace(".", r"\x2e")
    return f"{place}.{name}" if place else name


def _stored_as(dtype):
    """Dtype that safetensors knows, and the axis that it adds: parts of complex numbers, characters of strings."""
    if dtype.kind == "c":
        return np.dtype(f"<f{dtype.itemsize // 2}"), (2,)
    if dtype.kind == "U":
        return np.dtype("<u4"), (dtype.itemsize // 4,)
    return dtype.newbyteorder("<"), ()


def _check_parameters(estimator):
    if isinstance(estimator, PanelTransformer):
        estimator._validate_params()
    elif not isinstance(estimator.estimator, PanelTransformer):
        raise ValueError(f"FrozenEstimator must hold a transformer of sigfeat, got {reprlib.repr(estimator.estimator)}")


def _check_names(cls, attributes, *taken):
    """Raise if an attribute would hide a parameter, a method or another attribute of the class."""
    for name in attributes:
        if name in taken or hasattr(cls, name):
            raise ValueError(f"{name!r} is an attribute of the class {cls.__name__}, and no fitted one")


def check_fields(node, types, place):
    """The node, if it has these fields, of these types, and no others."""
    if type(node) is not dict or node.keys() != types.keys():
        fields = reprlib.repr(sorted(node) if type(node) is dict else node)
        raise ValueError(f"{place} must have the fields {', '.join(types)}, got {fields}")
    for name, kind in types.items():
        if type(node[name]) is not kind:
            raise ValueError(f"{name} of {place} must be of type {kind.__name__}, got {reprlib.repr(node[name])}")
    return node


def _check_spec(node, place):
    """Fields of an EncoderSpec, if they make sense by themselves."""
    check_fields(node, OF_SPEC, place)
    allowed = {
        **{name: 0 < node[name] < 2**31 for name, kind in OF_SPEC.items() if kind is int},
        "mixer": node["mixer"] in MIXERS,
        "kind": node["kind"] in KINDS,
        "dropout": 0 <= node["dropout"] < 1,
        "time_scale": 0 < node["time_scale"] < math.inf,
        "n_heads": 0 < node["n_heads"] < 2**31
        and (node["mixer"] != "attention" or node["d_model"] % node["n_heads"] == 0),
    }
    for name, good in allowed.items():
        if not good:
            raise ValueError(f"{name} of {place} is out of range, got {reprlib.repr(node[name])}")
    return node


def _empty_encoder(spec, weights, place):
    """An encoder without values, if the weights are finite and are those of its spec."""
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


def _check_sizes(spec, n_weights, n_values, place):
    """Raise where construction takes far longer, or more memory, than weights of this number and size justify."""
    sized = spec.n_layers <= n_weights
    if spec.mixer == "s4":  # makes first values wherever its weights are to lie
        sized = spec.n_layers * spec.d_model * spec.d_state <= n_values
        sized = sized and (spec.kind != "dplr" or spec.d_state <= LARGEST_STATE)
    if not sized:
        raise ValueError(f"{place} is too large for its {n_weights} tensors of {n_values} values: {spec}")
