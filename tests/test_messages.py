"""What estimators say to parameters and targets of the wrong kind: one sentence, with plain values."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sigfeat import (
    HyenaEmbeddingTransformer,
    IntervalISSTransformer,
    IntervalNetworkClassifier,
    ISSTransformer,
    LowRankISSTransformer,
    MHAEmbedder,
    PathDevelopmentTransformer,
)
from tests.panels import padded, ragged
from tests.test_contract import FEATURES, each, fit, fitted_once

SMALL = {"d_model": 4, "n_layers": 1, "d_ff": 5, "max_epochs": 1}
TAUGHT = MHAEmbedder(n_heads=2, **SMALL)
TRAINED = PathDevelopmentTransformer(dim=2, n_developments=1, fit_mode="supervised", max_epochs=2)


def panel():
    return padded(ragged(lengths=(15, 12) * 4)), np.arange(8) % 2


# ------------------------------------------------------------------------------------- lists in place of tuples


@each([t for t in FEATURES if any(isinstance(value, tuple) for value in t.get_params().values())])
def test_every_tuple_among_the_parameters_may_be_a_list(transformer):
    X = padded(ragged())
    tuples = {name: list(value) for name, value in transformer.get_params().items() if isinstance(value, tuple)}
    listed = clone(transformer).set_params(**tuples)
    (expected, values), found = fitted_once(transformer), fit(listed, X)
    np.testing.assert_array_equal(found.transform(X), values)
    assert list(found.get_feature_names_out()) == list(expected.get_feature_names_out())


BAD = {
    "a list that is no pair": (ISSTransformer(windows=["dyadic"]), r"depth from 0 to 16, got \['dyadic'\]$"),
    "half a depth": (ISSTransformer(windows=["dyadic", np.float64(0.5)]), r"got \['dyadic', 0.5\]$"),
    "names of NumPy": (IntervalISSTransformer(pooling=[np.str_("middle")]), r"got \['middle'\]$"),
    "a list in a list": (
        LowRankISSTransformer(pooling=["mean", ["max"]]),
        r"pooling must name .*\]\]$",
    ),
    "a text as dilation": (
        LowRankISSTransformer(dilations=["a"]),
        r"dilations must be .* got \['a'\]$",
    ),
    "half a dilation": (
        LowRankISSTransformer(dilations=(np.float64(1.5),)),
        r"dilations must be whole numbers >= 1, at least one, got \(1.5,\)$",
    ),
    "a teacher of another kind": (
        HyenaEmbeddingTransformer(3),
        r"teacher must be an embedder such as MHAEmbedder\(\), a FrozenEstimator that holds one, or None, got 3$",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_values_in_messages_are_plain(case):
    estimator, message = BAD[case]
    X, y = panel()
    with pytest.raises(ValueError, match=message) as raised:
        estimator.fit(X, y)
    assert not any(part in str(raised.value) for part in ("np.", "array(", "sigfeat.", " _", "\n"))


# -------------------------------------------------------------------------------------------------- callbacks


@pytest.mark.parametrize("estimator", [TAUGHT, HyenaEmbeddingTransformer(TAUGHT, **SMALL), TRAINED])
@pytest.mark.parametrize("wrong", ["x", 3, ("name", "x"), np.float64(2)])
def test_what_is_no_callback_is_named(estimator, wrong):
    X, y = panel()
    with pytest.raises(ValueError, match="callbacks must be callbacks of skorch, got .* among them") as raised:
        clone(estimator).set_params(callbacks=[wrong]).fit(X, y)
    assert "np." not in str(raised.value)


def monitors():
    callbacks = pytest.importorskip("skorch.callbacks")
    return (
        callbacks.EarlyStopping(),
        callbacks.EarlyStopping,
        ("stop", callbacks.EarlyStopping()),
        callbacks.Checkpoint(),
    )


@pytest.mark.parametrize("estimator", [TAUGHT, TRAINED])
def test_early_stopping_without_held_out_series_says_how_to_hold_some_out(estimator):
    X, y = panel()
    for callback in monitors():
        with pytest.raises(ValueError, match=r"callbacks: \w+ monitors 'valid_loss.*', .* so set validation_fraction"):
            clone(estimator).set_params(callbacks=[callback]).fit(X, y)
    stopping = clone(estimator).set_params(callbacks=[monitors()[0]], validation_fraction=0.25)
    assert len(stopping.fit(X, y).history_)


def test_early_stopping_of_a_student_says_what_it_may_monitor():
    from skorch.callbacks import EarlyStopping

    X, y = panel()
    student = HyenaEmbeddingTransformer(TAUGHT, **SMALL)
    for callback in monitors():
        with pytest.raises(ValueError, match=r"callbacks: \w+ monitors .* so monitor 'train_loss' instead"):
            clone(student).set_params(callbacks=[callback]).fit(X, y)
    assert len(student.set_params(callbacks=[EarlyStopping(monitor="train_loss")]).fit(X, y).history_)
    untrained = MHAEmbedder(fit_mode="random", d_model=8, callbacks=[EarlyStopping()])
    with pytest.raises(ValueError, match="callbacks is used with fit_mode='auto' or 'supervised' or 'masked' only"):
        untrained.fit(X)


# ---------------------------------------------------------------------------------------------------- targets


KNOWN = r"y must be one class or number per series for .*, got {} for series 0 \(from 0\)$"
TARGETS = {
    "None among text": ([None, *"abababa"], KNOWN.format("None")),
    "None among numbers": (np.array([None, *[0, 1] * 3, 1], dtype=object), KNOWN.format("None")),
    "NaN among text": (np.array([np.nan, *"abababa"], dtype=object), KNOWN.format("nan")),
    "NaN in a list of text": ([np.nan, *"abababa"], KNOWN.format("nan")),
    "NA": (pd.array([pd.NA, *"abababa"]), KNOWN.format("<NA>")),
    "a missing category": (pd.Series([None, *"abababa"], dtype="category"), KNOWN.format("nan")),
    "NaN": (np.r_[np.nan, np.arange(7) % 2], "Input y contains NaN"),
    "text and numbers": ([1, "a"] * 4, "y must be all numbers or all text, got numbers and 'a' for series 1$"),
    "one class": (np.zeros(8), "y must have at least 2 classes for .*, got one class: 0.0$"),
    "one class of text": (["a"] * 8, "y must have at least 2 classes for .*, got one class: 'a'$"),
    "a number": (np.float64(3), "y must be one class or number per series for .*, got 3.0$"),
    "a text": ("abababab", "y must be one class or number per series for .*, got 'abababab'$"),
    "rows of unequal lengths": ([[1], [1, 2]] * 4, "y must be one class .* got entries of different lengths$"),
    "too few": ([0, 1], "y must have one entry per series, 8, got 2$"),
}


@pytest.mark.parametrize(
    "estimator",
    [
        MHAEmbedder(fit_mode="supervised", n_heads=2, **SMALL),
        TRAINED,
        IntervalNetworkClassifier(max_epochs=1),
        LowRankISSTransformer(fit_mode="supervised", n_functionals=2),
        IntervalISSTransformer(fit_mode="supervised", n_filters=1),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("case", TARGETS)
def test_wrong_targets_are_refused_in_one_sentence(estimator, case):
    y, message = TARGETS[case]
    with pytest.raises(ValueError, match=message) as raised:
        clone(estimator).fit(panel()[0], y)
    assert "np." not in str(raised.value)


def test_text_as_targets_of_a_regression_is_named():
    regression = MHAEmbedder(fit_mode="supervised", task="regression", n_heads=2, **SMALL)
    with pytest.raises(ValueError, match="y must hold numbers for .* task='regression', got 'a'$"):
        regression.fit(panel()[0], ["a", "b"] * 4)
