"""Estimators for sktime with the names and parameters of sigfeat's.

``from sigfeat.adapters.sktime import ISSTransformer`` imports a transformer of sktime. It accepts all containers of
sktime and works in its pipelines (``*``), its grid searches and in pipelines of scikit-learn. The ready pipelines of
`sigfeat.classifiers` are classes here: `ISSClassifier`, `SigfeatClassifier`, `ISSRegressor`, ... Classes are created on
first access.
"""

import inspect
from typing import Any

import numpy as np
import pandas as pd

from sigfeat.adapters._estimators import ADAPTED, CLASSES, FEATURES, NUMBERS, PANELS, AdapterMixin, adapter_class
from sigfeat.panel import in_order, series_index, series_lengths

try:
    from sktime.classification.base import BaseClassifier
    from sktime.regression.base import BaseRegressor
    from sktime.transformations.base import BaseTransformer
except ModuleNotFoundError as error:
    raise ImportError("sigfeat.adapters.sktime needs sktime: run `pip install 'sigfeat[sktime]'`") from error

__all__ = sorted(ADAPTED)  # noqa: PLE0605

_ANY_PANEL = ["numpy3D", "pd-multiindex", "df-list", "nested_univ"]
_COMMON_TAGS = {
    "authors": ["The sigfeat developers"],
    "maintainers": ["The sigfeat developers"],
    "X_inner_mtype": _ANY_PANEL,
    "capability:multivariate": True,
    "capability:unequal_length": True,
    "capability:missing_values": False,
    "capability:categorical_in_X": False,
}
_KEPT_BY_RESET = (
    "_parent_callback_ctx",
    "_skl_callbacks",
)  # set by scikit-learn's pipelines on their steps


class _SktimeMixin(AdapterMixin):
    def reset(self) -> Any:
        """Reset as in sktime, but keep the attributes that scikit-learn's pipelines attach."""
        kept = {name: vars(self)[name] for name in _KEPT_BY_RESET if name in vars(self)}
        super().reset()  # type: ignore[misc]  # of sktime
        self.__dict__.update(kept)
        return self

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Parameters with which tests run quickly."""
        return cls._adapted.examples()


class _Transformer(_SktimeMixin, BaseTransformer):
    def _fit(self, X: Any, y: Any = None) -> Any:
        self.transformer_ = self.to_sklearn().fit(X, y)
        return self


class _Features(_Transformer):
    def _transform(self, X: Any, y: Any = None) -> pd.DataFrame:
        names = self.transformer_.get_feature_names_out()
        return pd.DataFrame(np.asarray(self.transformer_.transform(X)), columns=names, index=series_index(X))


class _Panels(_Transformer):
    def _transform(self, X: Any, y: Any = None) -> Any:
        panel = self.transformer_.transform(X)
        if isinstance(X, np.ndarray):
            return np.asarray(panel)
        return _frame_of_panel(panel, self.transformer_.get_feature_names_out(), X)


class _Classifier(_SktimeMixin, BaseClassifier):
    def __init__(self) -> None:
        super().__init__()
        last = getattr(self, "classifier", None)  # the default classifier has probabilities
        self.set_tags(**{"capability:predict_proba": last is None or hasattr(last, "predict_proba")})

    def _fit(self, X: Any, y: Any) -> Any:
        self.classifier_ = self.to_sklearn().fit(X, y)
        return self

    def _predict(self, X: Any) -> Any:
        return self.classifier_.predict(X)

    def _predict_proba(self, X: Any) -> Any:
        if hasattr(self.classifier_, "predict_proba"):
            return self.classifier_.predict_proba(X)
        return super()._predict_proba(X)


class _Regressor(_SktimeMixin, BaseRegressor):
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
    globals()[name] = adapter_class(name, base, __name__, "sktime", {}, _tags=_tags(name))
    return globals()[name]


def __dir__() -> list[str]:
    return __all__


def _tags(name: str) -> dict[str, Any]:
    adapted = ADAPTED[name]
    parameters = inspect.signature(adapted.load()).parameters
    tags = _COMMON_TAGS | {"python_dependencies": list(adapted.needs) or None}
    if "random_state" in parameters:
        randomness = "derandomized" if adapted.exact else "stochastic"
        tags |= {"capability:random_state": True, "property:randomness": randomness}
    if adapted.gives == CLASSES:
        tags["capability:predict_proba"] = True
    if adapted.gives in (CLASSES, NUMBERS):
        return tags | {"capability:multithreading": True}
    output = "Primitives" if adapted.gives == FEATURES else "Series"
    tags |= {"scitype:transform-input": "Series", "scitype:transform-output": output}
    tags |= {"scitype:instancewise": True, "fit_is_empty": False, "y_inner_mtype": "None"}
    if "task" in parameters or "teacher" in parameters:
        tags["y_inner_mtype"] = "numpy1D"
    if adapted.gives == FEATURES:
        tags["capability:unequal_length:removes"] = True
    if name == "FillMissing":
        tags |= {"capability:missing_values": True, "capability:missing_values:removes": True}
    return tags


def _times(X: Any) -> list[pd.Index]:
    """Times of each series of a panel of pandas objects, in the order of `to_panel`."""
    if not isinstance(X, pd.DataFrame):
        return [_ordered(series.index) for series in X]
    if X.index.nlevels == 1:
        return [_ordered(getattr(cell, "index", pd.RangeIndex(len(cell)))) for cell in X.iloc[:, 0]]
    times = X.index.get_level_values(1)
    codes, _ = pd.factorize(X.index.get_level_values(0))
    rows_of_series = np.split(np.argsort(codes, kind="stable"), np.bincount(codes).cumsum())[:-1]
    return [_ordered(times[rows]) for rows in rows_of_series]


def _ordered(times: pd.Index) -> pd.Index:
    order = in_order(times, "a series")
    return times if order is None else times[order]


def _frame_of_panel(panel: np.ndarray, names: Any, X: Any) -> pd.DataFrame:
    """Panel as "pd-multiindex" with the instances and times of X, the last times if there are fewer points."""
    frames = []
    for series, length, times in zip(panel, series_lengths(panel), _times(X), strict=True):
        index = times[len(times) - length :] if length <= len(times) else pd.RangeIndex(length)
        frames.append(pd.DataFrame(series[:, :length].T, columns=names, index=index))
    instances = series_index(X)
    return pd.concat(
        frames, keys=range(len(panel)) if instances is None else instances, names=["instances", "timepoints"]
    )
