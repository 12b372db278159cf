"""Fingerprints of fitted estimators, which are equal if the estimators transform equally."""

import functools
import hashlib
import sys
from collections.abc import Mapping
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

# Attributes that do not change what a fitted estimator returns.
WITHOUT_EFFECT = {"callbacks", "device", "device_", "memory", "n_jobs", "verbose", "_sklearn_version"}


def fingerprint(estimator: Any) -> str:
    """Hash of the class, the parameters and the fitted attributes of an estimator and of those inside it.

    Equal estimators have equal hashes in all processes. Arrays and modules of torch enter by their values, functions by
    their names and their code. The number of threads, the device, callbacks and the like do not matter.
    """
    return _Digests().of(estimator).hex()


class _Digests:
    """Digests of objects; those of objects that were met before are kept, as they may contain themselves."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Any, bytes]] = {}

    def of(self, value: Any) -> bytes:
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            return _digest(type(value).__name__, repr(value).encode())
        if id(value) not in self.known:
            self.known[id(value)] = value, b"inside itself"  # a reference keeps the number from being used again
            self.known[id(value)] = value, self._of_object(value)
        return self.known[id(value)][1]

    def _of_object(self, value: Any) -> bytes:
        if isinstance(value, np.ndarray):
            return self._of_array(value)
        if isinstance(value, np.generic):
            return self._of_array(np.asarray(value))
        if isinstance(value, Mapping):
            return _digest("dict", *self._of_mapping(value))
        if isinstance(value, list | tuple):
            return _digest(type(value).__name__, *map(self.of, value))
        if isinstance(value, set | frozenset):
            return _digest("set", *sorted(map(self.of, value)))
        if isinstance(value, BaseEstimator):
            return self._of_estimator(value)
        if _is_of_torch(value):
            return self._of_torch(value)
        if hasattr(value, "py_func"):  # compiled by numba
            return self.of(value.py_func)
        return self._of_function(value) if callable(value) and hasattr(value, "__qualname__") else self._of_other(value)

    def _of_array(self, array: Any) -> bytes:
        """Digest of the values of an array, whatever its layout in memory."""
        if array.dtype.names:  # the bytes between the fields are arbitrary
            return _digest("fields", *(self.of((name, np.asarray(array[name]))) for name in array.dtype.names))
        content = self.of(array.tolist()) if array.dtype.hasobject else np.ascontiguousarray(array).tobytes()
        return _digest("array", array.dtype.str.encode(), repr(array.shape).encode(), content)

    def _of_mapping(self, mapping: Mapping[Any, Any]) -> list[bytes]:
        return sorted(_digest("item", self.of(key), self.of(value)) for key, value in mapping.items())

    def _of_estimator(self, estimator: Any) -> bytes:
        state = estimator.__getstate__()
        if isinstance(state, dict):
            state = {name: _seedless(part) for name, part in state.items() if name not in WITHOUT_EFFECT}
        return _digest("estimator", _name(type(estimator)), self.of(state))

    def _of_torch(self, value: Any) -> bytes:
        import torch

        from sigfeat.nn.states import pack_modules

        if isinstance(value, torch.device):
            return _digest("device")
        return _digest("torch", self.of(pack_modules({"value": value})))

    def _of_function(self, function: Any) -> bytes:
        """Digest of a function or a class: its name, and for functions of Python also their code."""
        parts = [_name(function)]
        if isinstance(function, FunctionType):
            closure = [cell.cell_contents for cell in function.__closure__ or ()]
            parts += [_code(function.__code__), self.of([closure, function.__defaults__, function.__kwdefaults__])]
        if isinstance(function, MethodType):
            parts.append(self.of(function.__func__))
        if not isinstance(getattr(function, "__self__", sys), ModuleType):
            parts.append(self.of(function.__self__))
        return _digest("function", *parts)

    def _of_other(self, value: Any) -> bytes:
        """Digest of the state that a copy of an object would receive."""
        if isinstance(value, functools.partial):
            return _digest("partial", self.of([value.func, value.args, value.keywords]))
        try:
            reduced = value.__reduce_ex__(4)
        except TypeError:  # such as locks and open files
            return _digest("object", _name(type(value)))
        if isinstance(reduced, str):
            return _digest("object", _name(type(value)), reduced.encode())
        parts = [part if i < 3 or part is None else list(part) for i, part in enumerate(reduced[:5])]
        return _digest("object", _name(type(value)), self.of(parts))


def _digest(kind: str, *parts: bytes) -> bytes:
    digest = hashlib.blake2b(kind.encode(), digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def _name(kind: Any) -> bytes:
    return f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', '')}".encode()


def _code(code: CodeType) -> bytes:
    return _digest("code", code.co_code, repr(code.co_names).encode(), *map(_constant, code.co_consts))


def _constant(value: Any) -> bytes:
    if isinstance(value, CodeType):
        return _code(value)
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value).encode()


def _seedless(value: Any) -> Any:
    """A generator of random numbers by its class: its state changes whenever it is used, also after `fit`."""
    return type(value) if isinstance(value, np.random.RandomState | np.random.Generator) else value  # noqa: NPY002


def _is_of_torch(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module | torch.Tensor | torch.device)
