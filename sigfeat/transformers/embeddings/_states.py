"""Pickles of estimators that hold modules of torch."""

from typing import Any

from sklearn.base import BaseEstimator

from sigfeat.nn.states import pack_modules, unpack_modules


class ModuleStateMixin(BaseEstimator):
    """Estimators whose pickles hold arrays in place of tensors, so that equal ones have an equal `joblib.hash`.

    A cached fit of a pipeline is found by this hash, in this process or another.
    """

    def __getstate__(self) -> dict[str, Any]:
        return pack_modules(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(unpack_modules(state))
