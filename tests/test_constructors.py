"""Constructors of all estimators: one order, one meaning of a name, and no parameter that a setting ignores.

The estimators are those of `sigfeat.__all__` and of the table of adapters, so that a new one is tested too.
"""

import functools
import inspect
import itertools
import re

import numpy as np
import pytest
from sklearn.base import BaseEstimator

import sigfeat
from sigfeat import ChannelUnion, CumulativeSum, MHAEmbedder
from sigfeat.adapters._estimators import ADAPTED, CLASSES, NUMBERS
from sigfeat.pooling import threshold_poolings
from sigfeat.transformers._contract.unused import OnlyWith
from tests.estimators import OTHER_VALUES
from tests.panels import padded, ragged

CLASSES_OF_PACKAGE = {
    name: found
    for name in sigfeat.__all__
    if inspect.isclass(found := getattr(sigfeat, name)) and issubclass(found, BaseEstimator)
}
PIPELINES = {name: ADAPTED[name].load() for name in sorted(ADAPTED) if name not in CLASSES_OF_PACKAGE}
MAKERS = CLASSES_OF_PACKAGE | PIPELINES
every_maker = pytest.mark.parametrize("name", sorted(MAKERS))
every_class = pytest.mark.parametrize("name", sorted(CLASSES_OF_PACKAGE))

SUMMARY = ("pooling", "windows", "scale", "quantile", "quantiles")
TRAINING = (
    *("fit_mode", "task", "masked_ratio", "max_epochs", "batch_size", "lr", "weight_decay", "validation_fraction"),
    *("patience", "callbacks", "control"),
)
LAST_STEP = ("classifier", "regressor")
RUN = ("device", "dtype", "random_state", "n_jobs", "verbose")
ORDER = (*SUMMARY, *TRAINING, *LAST_STEP, *RUN)  # all other names are of the structure, and come before these


def parameters(name):
    return inspect.signature(MAKERS[name]).parameters


# ------------------------------------------------------------------------------------------- order and names


@every_maker
def test_all_parameters_but_the_first_are_keyword_only(name):
    others = list(parameters(name).values())[1:]
    assert [p.name for p in others if p.kind is not inspect.Parameter.KEYWORD_ONLY] == []


@every_maker
def test_common_parameters_are_in_the_one_order(name):
    found = list(parameters(name))[1:]
    structure = [parameter for parameter in found if parameter not in ORDER]
    assert found == structure + [parameter for parameter in ORDER if parameter in found]


def test_two_constructors_order_the_names_of_the_structure_alike():
    before, wrong = {}, []
    for name in sorted(MAKERS):
        found = [p for p in list(parameters(name))[1:] if p not in ORDER and p != "order"]  # the main one of Hyena
        for pair in itertools.combinations(found, 2):
            before.setdefault(pair, name)
            if pair[::-1] in before:
                wrong.append(f"{pair[0]} comes before {pair[1]} in {name}, and after it in {before[pair[::-1]]}")
    assert wrong == []


@every_maker
def test_no_default_depends_on_a_mode(name):
    """A target decides about "auto" in `task` and `fit_mode`; no other parameter decides about a default."""
    defaults = {p.name for p in parameters(name).values() if isinstance(p.default, str) and p.default == "auto"}
    assert defaults <= {"task", "fit_mode"}


def documented_types(name):
    """Types of the parameters, without the defaults, from the docstring."""
    text = inspect.getdoc(MAKERS[name])
    found = dict(re.findall(r"^(\w+) : (.*)$", text, re.MULTILINE))
    return {p: re.sub(r",? *default=.*", "", found[p]) for p in parameters(name) if p in found}


SEVERAL_TYPES = {  # why the types of a common name differ
    "pooling": "what can be pooled",
    "windows": "only words and developments have no windows that end early",
    "scale": "what can be scaled",
    "fit_mode": "modes that there are",
    "lr": "None for a rate that depends on the mode",
    "dtype": "None for the dtype of X",
}


def test_a_common_name_has_one_type():
    types = {}
    for name in sorted(CLASSES_OF_PACKAGE):
        for parameter, kind in documented_types(name).items():
            if parameter in ORDER and parameter not in SEVERAL_TYPES:
                types.setdefault(parameter, {}).setdefault(kind, []).append(name)
    assert {parameter: kinds for parameter, kinds in types.items() if len(kinds) > 1} == {}


def test_the_table_of_other_values_has_the_parameters_that_there_are():
    names = {parameter for name in CLASSES_OF_PACKAGE for parameter in parameters(name)}
    assert set(OTHER_VALUES) - names == set()
    assert names - set(OTHER_VALUES) - set(RUN) - {"alphas", "class_weight"} == set()


# ------------------------------------------------------------------------------- parameters that a setting ignores


@every_class
def test_what_decides_about_a_parameter_is_a_parameter(name):
    used_only = getattr(CLASSES_OF_PACKAGE[name], "_used_only", {})
    names = {parameter for p, only in used_only.items() for parameter in (p, only.parameter)}
    assert names <= set(parameters(name))
    assert [p for p, only in used_only.items() if p == only.parameter] == []


@every_class
def test_quantiles_are_used_with_every_pooling_that_has_a_threshold(name):
    used_only = getattr(CLASSES_OF_PACKAGE[name], "_used_only", {})
    for parameter in {"quantile", "quantiles"} & used_only.keys():
        assert used_only[parameter] == OnlyWith("pooling", threshold_poolings())


X = padded(ragged((12, 10, 12, 12, 9, 12, 12, 12), 2))
Y = np.arange(len(X)) % 2
SMALL = {
    **{"d_model": 4, "n_layers": 1, "d_ff": 5, "n_heads": 1, "d_state": 4, "batch_size": 4, "max_epochs": 3},
    **{"depth": 2, "n_functionals": 5, "n_filters": 2, "n_developments": 1, "filter_bands": 2, "filter_width": 4},
}
CHOICES = {  # settings, of which one differs from the default at a time
    "fit_mode": ("random", "supervised", "masked"),
    "pooling": ("end", "ppv"),
    "filter": ("box", "exponential", "random", "learnt"),
    "words": ("length", ["[1]", "[1][2]"]),
    "windows": ("whole", 2),
    "kind": ("logsignature", "dplr"),
    "scale": (None, "std"),
    "semiring": ("max_plus",),
    "layers": ("hyena",),
    "group": ("SU", "SE"),
    "short_filter": (1, 5),
    "embedding_filter": (1, 5),
    "positions": ("rotary", "alibi", "sinusoidal", "none"),
    "expansion": (0.5, 1.0, 2.0),
    "quantiles": (0.5,),
    "decay": (0.2,),
    "validation_fraction": (0.0, 0.25),
    "method": ("forward",),
    "control": (True,),
}
EXCEPT = {  # parameters that may leave the features as they are, and why
    "n_jobs": "how to compute",
    "verbose": "what is shown",
    "callbacks": "what is shown and logged",
    "device": "where to compute",
    "random_state": "a seed does nothing where nothing is random",
    "dtype": "the precision of X where there is no training",
    "patience": "only long training stops early; refused without a validation set",
}
FIXED = {"MHAEmbedder": {"fit_mode": "supervised"}}  # "auto" is one of the others


@functools.cache
def teacher():
    return MHAEmbedder(d_model=4, n_heads=1, n_layers=1, d_ff=5, fit_mode="random")


def small(name, setting):
    """Parameters of an estimator of this setting; sizes are small, if the setting uses them."""
    own = parameters(name)
    values = {p: own[p].default for p in own} | FIXED.get(name, {}) | setting
    used_only = getattr(MAKERS[name], "_used_only", {})
    sizes = {
        p: v
        for p, v in SMALL.items()
        if p in own and (p not in used_only or used_only[p].holds(values[used_only[p].parameter]))
    }
    sizes |= {"teacher": teacher()} if "teacher" in own else {}
    return {p: v for p, v in (sizes | FIXED.get(name, {}) | setting).items() if p in own}


def fingerprint(name, chosen):
    """What a fitted estimator gives, and its fitted attributes that are numbers."""
    gaps = X.copy()
    gaps[0, 0, 3] = np.nan if name == "FillMissing" else X[0, 0, 3]
    flat = name in ("FeatureScaler", "LeaveOneOutRidgeClassifier")
    data = np.maximum(np.nan_to_num(X.reshape(len(X), -1)) - 0.5, 0.0) if flat else gaps
    fitted = MAKERS[name](**chosen).fit(data, Y)
    gives = ADAPTED[name].gives if name in ADAPTED else None
    if gives in (CLASSES, NUMBERS) or not hasattr(fitted, "transform"):
        values = [getattr(fitted, "decision_function", fitted.predict)(data)]
    else:
        values = [fitted.transform(data)]
    attributes = {key: value for key, value in vars(fitted).items() if key.endswith("_") and not key.startswith("_")}
    for key in sorted(attributes):
        found = attributes[key]
        values += list(found.values()) if isinstance(found, dict) else [found]
    return [np.asarray(value) for value in values if isinstance(value, np.ndarray | float | int | list)]


def differ(one, other):
    return len(one) != len(other) or any(
        a.shape != b.shape
        or a.dtype != b.dtype
        or (a.dtype != object and not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
        for a, b in zip(one, other, strict=True)
    )


def ignored(name, setting):
    """Parameters of which no other value changes anything, or is refused in a sentence that names it."""
    chosen = small(name, setting)
    try:
        before = fingerprint(name, chosen)
    except ValueError:
        return []  # no setting of this estimator
    found = []
    for parameter, own in parameters(name).items():
        if parameter in EXCEPT or parameter in setting or parameter in (*LAST_STEP, "alphas", "class_weight"):
            continue
        now = chosen.get(parameter, own.default)
        others = [value for value in OTHER_VALUES[parameter] if value is not now and not equal(value, now)]
        if not any(has_effect(name, chosen | {parameter: value}, parameter, before) for value in others):
            found.append(parameter)
    return found


def equal(one, other):
    return type(one) is type(other) and one == other


def has_effect(name, chosen, parameter, before):
    try:
        return differ(fingerprint(name, chosen), before)
    except ValueError as error:
        return re.search(rf"\b{parameter}\b", str(error)) is not None


def settings(name):
    """The default setting, and those that may decide about another parameter."""
    own = parameters(name)
    yield {}
    for parameter, values in CHOICES.items():
        about_thresholds = parameter in SUMMARY and not {"quantile", "quantiles"} & set(own)
        about_patience = parameter == "validation_fraction" and "patience" not in own
        if parameter in own and not about_thresholds and not about_patience:
            yield from ({parameter: value} for value in values if value != own[parameter].default)


@pytest.mark.usefixtures("short_epochs")
@pytest.mark.filterwarnings("ignore")
@every_maker
def test_no_setting_ignores_a_parameter(name):
    for package in ADAPTED[name].needs if name in ADAPTED else ():
        pytest.importorskip(package)
    if MAKERS[name] is ChannelUnion:
        assert differ(fingerprint(name, {}), fingerprint(name, {"transformer_list": [("sums", CumulativeSum())]}))
        return
    found = {str(setting): names for setting in settings(name) if (names := ignored(name, setting))}
    assert found == {}


def test_patience_is_refused_without_a_validation_set():
    for name in sorted(CLASSES_OF_PACKAGE):
        if "patience" in parameters(name):
            chosen = small(name, {"fit_mode": "supervised", "validation_fraction": 0.0})
            with pytest.raises(ValueError, match="patience"):
                fingerprint(name, chosen | {"patience": 3})
