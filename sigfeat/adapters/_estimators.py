"""What the bridges to sktime and to aeon share: which estimators there are, and classes with their parameters."""

import importlib
import inspect
import re
from dataclasses import dataclass
from typing import Any

from sigfeat.transformers._contract.nested import DefaultPartsMixin

PANELS, FEATURES, CLASSES, NUMBERS = "panels", "features", "classes", "numbers"  # what an estimator gives
TORCH = ("torch", "skorch")
PARTS = ("teacher", "classifier", "regressor")  # parameters that are estimators, or None for a default one
# Parameters under which two examples of an estimator fit at once on a few short series.
_UNTRAINED = {"d_model": 4, "n_heads": 2, "n_layers": 1, "d_ff": 5, "fit_mode": "random"}
_SMALL = {"d_model": 4, "n_heads": 2, "n_layers": 1, "d_ff": 5, "max_epochs": 1, "batch_size": 4}
_FEW = {"n_functionals": 5}
_TAUGHT = {"teacher": _SMALL, "max_epochs": 1}


@dataclass(frozen=True)
class Adapted:
    """An estimator of sigfeat that other libraries are given.

    Parameters
    ----------
    source : str
        Class or function that makes the scikit-learn estimator, as "module:name".
    gives : {"panels", "features", "classes", "numbers"}
        What comes out.
    small : tuple of dict
        Parameters under which tests run quickly; a teacher by its own parameters.
    needs : tuple of str
        Packages beyond those that sigfeat needs.
    exact : bool
        Whether what comes out does not depend on `n_jobs`. Numbers and probabilities from networks and from forests do,
        in their last digits: torch and scikit-learn add up in another order on another number of threads.
    """

    source: str
    gives: str
    small: tuple[dict[str, Any], ...] = ({},)
    needs: tuple[str, ...] = ()
    exact: bool = True

    def load(self) -> Any:
        """The class or function."""
        module, name = self.source.split(":")
        return getattr(importlib.import_module(module), name)

    def examples(self) -> list[dict[str, Any]]:
        """Parameters under which tests run quickly."""
        return [
            {name: ADAPTED["MHAEmbedder"].load()(**v) if name == "teacher" else v for name, v in example.items()}
            for example in self.small
        ]


def _panels(name: str, *examples: dict[str, Any]) -> Adapted:
    return Adapted(f"sigfeat:{name}", PANELS, examples or ({},))


def _features(name: str, *examples: dict[str, Any], needs: tuple[str, ...] = ()) -> Adapted:
    return Adapted(f"sigfeat:{name}", FEATURES, examples, needs)


def _pipeline(
    name: str, gives: str, *examples: dict[str, Any], needs: tuple[str, ...] = (), exact: bool = True
) -> Adapted:
    return Adapted(f"sigfeat.classifiers:{name}", gives, examples, needs, exact)


ADAPTED = {
    "AddBasepoint": _panels("AddBasepoint"),
    "AddTime": _panels("AddTime", {}, {"unit": "step"}),
    "CumulativeSum": _panels("CumulativeSum"),
    "DelayEmbedding": _panels("DelayEmbedding", {}, {"n_lags": 3}),
    "FillMissing": _panels("FillMissing", {}, {"method": "forward"}),
    "Increments": _panels("Increments", {}, {"basepoint": True}),
    "LeadLag": _panels("LeadLag"),
    "StandardizeChannels": _panels("StandardizeChannels", {}, {"with_mean": False}),
    "HyenaEmbeddingTransformer": _features(
        "HyenaEmbeddingTransformer", _TAUGHT, _TAUGHT | {"order": 3, "batch_size": 4}, needs=TORCH
    ),
    "IntervalDevelopmentTransformer": _features(
        "IntervalDevelopmentTransformer", {"n_filters": 2}, {"group": "SU", "dim": 2, "filter": "box"}, needs=TORCH
    ),
    "IntervalISSTransformer": _features("IntervalISSTransformer", {"n_filters": 2}, {"filter": "box"}),
    "IntervalQuantileTransformer": _features(
        "IntervalQuantileTransformer", {"n_levels": 2}, {"representations": "series", "words": None}
    ),
    "ISSTransformer": _features("ISSTransformer", {}, {"depth": 3, "pooling": "end"}),
    "LowRankISSTransformer": _features("LowRankISSTransformer", _FEW, {"n_functionals": 3, "semiring": "max_plus"}),
    "MHAEmbedder": _features("MHAEmbedder", _SMALL, _UNTRAINED, needs=TORCH),
    "PathDevelopmentTransformer": _features(
        "PathDevelopmentTransformer", {"dim": 3, "n_developments": 2}, {"group": "SE", "dim": 2}, needs=TORCH
    ),
    "RecurrentEmbeddingTransformer": _features(
        "RecurrentEmbeddingTransformer", _TAUGHT, _TAUGHT | {"causal": True}, needs=TORCH
    ),
    "S4EmbeddingTransformer": _features(
        "S4EmbeddingTransformer", _TAUGHT | {"d_state": 4}, _TAUGHT | {"d_state": 2}, needs=TORCH
    ),
    "SignatureTransformer": _features("SignatureTransformer", {}, {"depth": 2}, needs=("iisignature",)),
    "IntervalNetworkClassifier": Adapted(
        "sigfeat:IntervalNetworkClassifier",
        CLASSES,
        ({"max_epochs": 2, "n_filters": 1}, {"layers": "hyena", "d_model": 4, "max_epochs": 2}),
        TORCH,
        exact=False,
    ),
    "HyenaClassifier": _pipeline(
        "hyena_classifier", CLASSES, _TAUGHT, _TAUGHT | {"order": 1}, needs=TORCH, exact=False
    ),
    "HyenaRegressor": _pipeline("hyena_regressor", NUMBERS, _TAUGHT, _TAUGHT | {"order": 1}, needs=TORCH, exact=False),
    "IntervalHyenaClassifier": _pipeline(
        "interval_hyena_classifier",
        CLASSES,
        {"max_epochs": 2, "d_model": 4},
        {"max_epochs": 1},
        needs=TORCH,
        exact=False,
    ),
    "IntervalStackClassifier": _pipeline(
        "interval_stack_classifier",
        CLASSES,
        {"max_epochs": 2, "n_filters": 1},
        {"max_epochs": 1},
        needs=TORCH,
        exact=False,
    ),
    "ISSClassifier": _pipeline("iss_classifier", CLASSES, {"n_functionals": 20}, {"n_functionals": 5}),
    "ISSRegressor": _pipeline("iss_regressor", NUMBERS, {"n_functionals": 20}, {"n_functionals": 5}),
    "ISSDevelopmentClassifier": _pipeline(
        "iss_development_classifier", CLASSES, _FEW, {"n_functionals": 3}, needs=TORCH
    ),
    "ISSDevelopmentRegressor": _pipeline("iss_development_regressor", NUMBERS, _FEW, {"n_functionals": 3}, needs=TORCH),
    "ISSHyenaClassifier": _pipeline(
        "iss_hyena_classifier", CLASSES, _FEW | _TAUGHT, _FEW | _TAUGHT | {"order": 1}, needs=TORCH, exact=False
    ),
    "ISSHyenaRegressor": _pipeline(
        "iss_hyena_regressor", NUMBERS, _FEW | _TAUGHT, _FEW | _TAUGHT | {"order": 1}, needs=TORCH, exact=False
    ),
    "PathDevelopmentClassifier": _pipeline(
        "path_development_classifier", CLASSES, {}, {"random_state": 1}, needs=TORCH
    ),
    "PathDevelopmentRegressor": _pipeline("path_development_regressor", NUMBERS, {}, {"random_state": 1}, needs=TORCH),
    "SigfeatClassifier": _pipeline(
        "sigfeat_classifier", CLASSES, _FEW | {"n_trees": 8}, _FEW | {"n_trees": 16}, exact=False
    ),
    "SigfeatRegressor": _pipeline(
        "sigfeat_regressor", NUMBERS, _FEW | {"n_trees": 8}, _FEW | {"n_trees": 16}, exact=False
    ),
    "PathSignatureClassifier": _pipeline("signature_classifier", CLASSES, {}, {"depth": 2}, needs=("iisignature",)),
    "PathSignatureRegressor": _pipeline("signature_regressor", NUMBERS, {}, {"depth": 2}, needs=("iisignature",)),
}


class AdapterMixin(DefaultPartsMixin):
    """What every adapter has: the scikit-learn estimator behind it, made from its parameters."""

    _adapted: Adapted

    def to_sklearn(self) -> Any:
        """The scikit-learn estimator of these parameters, not fitted."""
        source = self._adapted.load()
        own = {name: vars(self)[name] for name in inspect.signature(source).parameters}
        return source(**{k: v.to_sklearn() if isinstance(v, AdapterMixin) else v for k, v in own.items()})

    def _default_parts(self) -> dict[str, Any]:
        missing = [name for name in PARTS if vars(self).get(name, "") is None]
        if not missing:
            return {}
        whole = self.to_sklearn()
        parts = whole.get_params()
        inner = [part._default_parts() for part in (whole, *parts.values()) if isinstance(part, DefaultPartsMixin)]
        return {name: next(d[name] for d in (*inner, parts) if d.get(name) is not None) for name in missing}


def adapter_class(name: str, base: Any, module: str, library: str, defaults: dict[str, Any], **members: Any) -> type:
    """Class of another library whose parameters are those of an estimator of sigfeat, with some other defaults."""
    adapted = ADAPTED[name]
    source = adapted.load()
    given = [
        p.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD, default=defaults.get(p.name, p.default))
        for p in inspect.signature(source).parameters.values()
    ]
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.Signature([itself, *given])

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        for parameter in given:
            setattr(self, parameter.name, bound.arguments[parameter.name])
        base.__init__(self)

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    members = {
        "__init__": __init__,
        "__doc__": _docstring(name, adapted, source, module, library, defaults),
        "__module__": module,
        "__qualname__": name,
        "_adapted": adapted,
        **members,
    }
    return type(name, (base,), members)


def _docstring(name: str, adapted: Adapted, source: Any, module: str, library: str, defaults: dict[str, Any]) -> str:
    """The source's first line and parameters, and an example with the adapter."""
    text = inspect.getdoc(source) or ""
    summary = text.split("\n", 1)[0].rstrip(".")
    sections = re.split(r"\n\n(?=[A-Z][A-Za-z ]+\n-{3,}\n)", text)
    parameters = next((section for section in sections if section.startswith("Parameters\n")), "")
    home, called = adapted.source.split(":")
    for key, value in defaults.items():
        parameters = re.sub(rf"^(.*\b{key}\b.* : .*)default=\w+$", rf"\1default={value}", parameters, flags=re.M)
    shown = (f"{key}={' '.join(repr(value).split())}" for key, value in adapted.examples()[0].items())
    arguments = ", ".join(shown)  # on one line: scikit-learn breaks those of estimators
    lines = [
        "Examples\n--------",
        ">>> import numpy as np",
        *[">>> from sigfeat import MHAEmbedder"] * ("teacher" in adapted.small[0]),
        f">>> from {module} import {name}",
        ">>> X = np.random.default_rng(0).standard_normal((12, 2, 30))",
        *{
            PANELS: [f">>> {name}({arguments}).fit_transform(X).shape[0]", "12"],
            FEATURES: [f">>> {name}({arguments}).fit_transform(X).shape[0]", "12"],
            CLASSES: [
                '>>> y = np.repeat(["calm", "wild"], 6)',
                f">>> {name}({arguments}).fit(X, y).predict(X).shape",
                "(12,)",
            ],
            NUMBERS: [">>> y = X[:, 0].std(axis=1)", f">>> {name}({arguments}).fit(X, y).predict(X).shape", "(12,)"],
        }[adapted.gives],
    ]
    parts = [
        f"{summary}, for {library}.",
        f"See `{home}.{called}`, whose parameters these are.",
        parameters,
        "\n".join(lines),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
