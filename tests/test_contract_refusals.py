"""What every transformer of panels says to bad input: one sentence, and nothing is left fitted."""

import functools

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sigfeat import (
    DelayEmbedding,
    FillMissing,
    HyenaEmbeddingTransformer,
    Increments,
    ISSTransformer,
    LowRankISSTransformer,
    SignatureTransformer,
)
from tests.panels import multiindex, nested, padded, ragged
from tests.test_contract import every_transformer, fit, fit_transform, fitted_once, parts, target

pytestmark = pytest.mark.usefixtures("short_epochs")


def nan_inside(X):
    X[2, 1, 3] = np.nan
    return X


def infinite(X):
    X[2, 1, 3] = -np.inf
    return X


BAD = {
    "strings": (lambda X: X.astype(str), "X must hold real numbers, got dtype <U"),
    "objects": (lambda X: np.full(X.shape, {}, dtype=object), "X must hold real numbers: "),
    "complex": (lambda X: X.astype(complex), "X must hold real numbers, got dtype complex128"),
    "NaN inside": (
        nan_inside,
        r"got NaN in series 2 \(from 0\), channel 2 \(from 1\), time 3 \(from 0\); FillMissing\(\) fills such gaps",
    ),
    "inf inside": (
        infinite,
        r"X must be finite for \w+, got -inf in series 2 \(from 0\), channel 2 \(from 1\), time 3 \(from 0\)",
    ),
    "NaN throughout": (
        lambda X: np.concatenate([X, np.full_like(X[:1], np.nan)]),
        r"every series must have at least one value, but series 6 \(from 0\) of X is NaN throughout",
    ),
    "4-D": (lambda X: X[np.newaxis], "X must have 3 dimensions .* got 4"),
    "no series": (lambda X: X[:0], r"at least one series, channel and time point, got shape \(0, 3, 14\)"),
    "no channel": (lambda X: X[:, :0], r"got shape \(6, 0, 14\)"),
    "no time": (lambda X: X[:, :, :0], r"got shape \(6, 3, 0\)"),
    "channels differ": (lambda X: [X[0], X[1, :2]], "as many channels as the first, 3, got 2 in series 1"),
    "an empty item": (lambda X: [X[0], X[1, :, :0]], r"series 1 \(from 0\) of X is NaN throughout"),
}
BAD_TABLES = {
    "strings": (lambda X: X.astype(str), "X must hold real numbers, got dtype <U"),
    "text among objects": (lambda X: np.where(X > 0, "1.5", X.astype(object)), "X must hold real numbers, got text"),
    "text in a column": (lambda X: pd.DataFrame(X).astype({2: str}), "X must hold real numbers, got text"),
    "dates": (lambda X: X.astype("M8[s]"), r"X must hold real numbers, got dtype datetime64\[s\]"),
    "complex": (lambda X: X.astype(complex), "Complex data not supported"),
    "NaN inside": (
        lambda X: np.where(np.eye(4, 9) > 0, np.nan, X),
        r"got NaN in series 0 \(from 0\), channel 1 \(from 1\), time 0",
    ),
    "1-D": (lambda X: X[0], r"got one series of shape \(9,\): pass \[X\]"),
    "no series": (lambda X: X[:0], r"Found array with 0 sample\(s\)"),
}


@functools.cache
def fitted_to_a_table(transformer):
    """A transformer fitted to a table. Tests share it, and must not change it."""
    return fit(transformer, padded(ragged(lengths=(9,) * 4, n_channels=1))[:, 0])


def check_refused(transformer, fitted, good, bad, message):
    fresh = clone(transformer)
    with pytest.raises(ValueError, match=message):
        fresh.fit(bad)
    with pytest.raises(NotFittedError):
        fresh.transform(good)
    with pytest.raises(ValueError, match=message):
        fitted.transform(bad)


@every_transformer
@pytest.mark.parametrize("case", BAD)
def test_bad_panels_give_one_clear_sentence_and_leave_nothing_fitted(transformer, case):
    spoil, message = BAD[case]
    if case == "NaN inside" and isinstance(transformer, FillMissing):
        pytest.skip("takes missing values")
    fitted = fitted_once(transformer)[0]
    check_refused(transformer, fitted, padded(ragged()), spoil(padded(ragged())), message)


@every_transformer
@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_give_one_clear_sentence(transformer, case):
    spoil, message = BAD_TABLES[case]
    if case == "NaN inside" and isinstance(transformer, FillMissing):
        pytest.skip("takes missing values")
    good = padded(ragged(lengths=(9,) * 4, n_channels=1))[:, 0]
    check_refused(transformer, fitted_to_a_table(transformer), good, spoil(good), message)


@every_transformer
def test_what_is_no_panel_is_refused(transformer):
    for bad in (object(), None, 3.0, {"a": [1.0]}):
        message = rf"X must be an array, a list of arrays, a DataFrame or a tensor, got {type(bad).__name__}"
        with pytest.raises(TypeError, match=message):
            clone(transformer).fit(bad)


@every_transformer
def test_a_second_fit_that_fails_leaves_nothing_fitted(transformer):
    fitted = fit(transformer, padded(ragged()))
    with pytest.raises(ValueError, match="X must be finite"):
        fitted.fit(infinite(padded(ragged(n_channels=2))))
    with pytest.raises(NotFittedError):
        fitted.transform(padded(ragged()))


@every_transformer
def test_channels_must_be_those_of_fit(transformer):
    fitted = fitted_once(transformer)[0]
    with pytest.raises(ValueError, match=rf"X has 2 channels, but {type(transformer).__name__} was fitted with 3"):
        fitted.transform(padded(ragged(n_channels=2)))
    for build in (multiindex, nested):
        frame = build(ragged())
        fitted = fit(transformer, frame)
        assert fitted.feature_names_in_.tolist() == ["channel1", "channel2", "channel3"]
        assert fitted.n_features_in_ == 3
        with pytest.raises(ValueError, match=r"named and ordered as at fit, .* got \['channel2', 'channel1', "):
            fitted.transform(frame[["channel2", "channel1", "channel3"]])
    again = fitted.fit(padded(ragged()), target(transformer, padded(ragged())))
    assert not hasattr(again, "feature_names_in_")


@pytest.mark.filterwarnings("ignore:X has more channels:UserWarning")
@every_transformer
def test_a_single_time_point_works_or_gives_one_clear_sentence(transformer):
    X, fresh = padded(ragged(lengths=(1, 1))), clone(transformer)
    needs_two = isinstance(transformer, SignatureTransformer | DelayEmbedding)
    needs_two |= any(isinstance(part, Increments) and not part.basepoint for part in parts(transformer))
    if isinstance(transformer, ISSTransformer):
        needs_two = transformer.strict and transformer.depth > 1
    if isinstance(transformer, LowRankISSTransformer) and transformer.depth > 1:
        with pytest.raises(ValueError, match=f"n_timepoints must be at least {transformer.depth} for functionals of"):
            fresh.fit(X)
        return
    needs_two |= isinstance(transformer, HyenaEmbeddingTransformer) and transformer.short_filter == 3
    if needs_two:
        with pytest.raises(ValueError, match="n_timepoints must be at least 2 for .*, got 1 .* in series 0"):
            fresh.fit(X).transform(X)
    else:
        assert np.isfinite(fit_transform(transformer, X)).all()
