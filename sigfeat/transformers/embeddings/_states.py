"""Pickles of estimators that contain torch modules."""

from typing import Any

from sklearn.base import BaseEstimator

from sigfeat.nn.states import pack_modules, unpack_modules


class ModuleStateMixin(BaseEstimator):
    """Estimators whose pickles contain arrays in place of tensors, so that equal estimators have equal hashes.

    `joblib` finds the cached fit of a pipeline by this hash, in this process or another.
    """

    def __getstate__(self) -> dict[str, Any]:
        return pack_modules(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(unpack_modules(state))
