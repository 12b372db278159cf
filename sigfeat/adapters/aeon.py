"""Estimators for aeon with the names and parameters of sigfeat's.

``from sigfeat.adapters.aeon import ISSClassifier`` imports a classifier of aeon, ``ISSTransformer`` a collection
transformer. They accept all collections of aeon, including series of unequal length. The ready pipelines of
`sigfeat.classifiers` are classes here: `ISSClassifier`, `SigfeatClassifier`, `ISSRegressor`, ... Classes are created on
first access.
"""

import inspect
from typing import Any

import numpy as np

from sigfeat.adapters._estimators import ADAPTED, CLASSES, FEATURES, NUMBERS, PANELS, AdapterMixin, adapter_class
from sigfeat.panel import series_lengths

try:
    from aeon.classification.base import BaseClassifier
    from aeon.regression.base import BaseRegressor
    from aeon.transformations.collection.base import BaseCollectionTransformer
except ModuleNotFoundError as error:
    raise ImportError("sigfeat.adapters.aeon needs aeon: run `pip install 'sigfeat[aeon]'`") from error

__all__ = sorted(ADAPTED)  # noqa: PLE0605

_COMMON_TAGS = {
    "X_inner_type": ["numpy3D", "np-list"],
    "capability:multivariate": True,
    "capability:unequal_length": True,
    "capability:missing_values": False,
}


class _AeonMixin(AdapterMixin):
    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Parameters with which tests run quickly."""
        return cls._adapted.examples()


class _Transformer(_AeonMixin, BaseCollectionTransformer):
    def _fit(self, X: Any, y: Any = None) -> Any:
        self.transformer_ = self.to_sklearn().fit(X, y)
        return self


class _Features(_Transformer):
    def _transform(self, X: Any, y: Any = None) -> Any:
        return self.transformer_.transform(X)


class _Panels(_Transformer):
    def _transform(self, X: Any, y: Any = None) -> Any:
        panel = self.transformer_.transform(X)
        if isinstance(X, np.ndarray):
            return np.asarray(panel)
        return [series[:, :length] for series, length in zip(panel, series_lengths(panel), strict=True)]


class _Classifier(_AeonMixin, BaseClassifier):
    def _fit(self, X: Any, y: Any) -> Any:
        self.classifier_ = self.to_sklearn().fit(X, y)
        return self

    def _predict(self, X: Any) -> Any:
        return self.classifier_.predict(X)

    def _predict_proba(self, X: Any) -> Any:
        if hasattr(self.classifier_, "predict_proba"):
            return self.classifier_.predict_proba(X)
        return super()._predict_proba(X)


class _Regressor(_AeonMixin, BaseRegressor):
    def _fit(self, X: Any, y: Any) -> Any:
        self.regressor_ = self.to_sklearn().fit(X, y)
        return self

    def _predict(self, X: Any) -> Any:
        return self.regressor_.predict(X)


_BASES = {PANELS: _Panels, FEATURES: _Features, CLASSES: _Classifier, NUMBERS: _Regressor}


def __getattr__(name: str) -> Any:
    if name not in ADAPTED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    base = _BASES[ADAPTED[name].gives]
    globals()[name] = adapter_class(name, base, __name__, "aeon", {"n_jobs": 1}, _tags=_tags(name))
    return globals()[name]


def __dir__() -> list[str]:
    return __all__


def _tags(name: str) -> dict[str, Any]:
    adapted = ADAPTED[name]
    parameters = inspect.signature(adapted.load()).parameters
    tags = _COMMON_TAGS | {"python_dependencies": list(adapted.needs) or None}
    tags["capability:multithreading"] = "n_jobs" in parameters
    if adapted.gives in (PANELS, FEATURES):
        tags["output_data_type"] = "Tabular" if adapted.gives == FEATURES else "Collection"
    if name == "FillMissing":
        tags |= {"capability:missing_values": True, "removes_missing_values": True}
    return tags
