"""What every transformer of panels makes of the kinds of input: containers, padding, dtypes, layouts."""

import numpy as np
import pandas as pd
import pytest

from sigfeat import AddTime
from tests.panels import KINDS, padded, ragged
from tests.test_contract import every_transformer, fit, fit_transform, fitted_once, in_turn

pytestmark = pytest.mark.usefixtures("short_epochs")


def results_alone(transformer, series):
    """What a fitted transformer gives for each series alone, without any padding."""
    return [transformer.transform(s[np.newaxis])[0] for s in series]


@every_transformer
def test_a_padded_series_gives_what_it_gives_alone(transformer):
    together, values = fitted_once(transformer)
    for result, alone in zip(values, results_alone(together, ragged()), strict=True):
        if alone.ndim == 2:
            np.testing.assert_array_equal(np.isnan(result[:, alone.shape[1] :]), True)
            result = result[:, : alone.shape[1]]
        assert np.isfinite(alone).all()
        np.testing.assert_allclose(result, alone, rtol=1e-12, atol=1e-13)


@every_transformer
def test_padding_that_no_series_fills_changes_nothing(transformer):
    X = padded(ragged())
    wider = np.concatenate([X, np.full_like(X, np.nan)], axis=2)
    expected = fitted_once(transformer)[1]
    result = fit_transform(transformer, wider)
    if result.ndim == 3:
        assert np.isnan(result[:, :, expected.shape[2] :]).all()
        result = result[:, :, : expected.shape[2]]
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-13)


@every_transformer
def test_every_kind_of_input_gives_the_same(transformer):
    once, expected = fitted_once(transformer)
    for kind in KINDS:
        np.testing.assert_array_equal(once.transform(KINDS[kind](ragged())), expected, err_msg=kind)
    for kind in in_turn(transformer, KINDS, 4):
        X = KINDS[kind](ragged())
        fitted = fit(transformer, X)
        np.testing.assert_array_equal(fitted.transform(X), expected, err_msg=kind)
        np.testing.assert_array_equal(fitted.transform(padded(ragged())), expected, err_msg=kind)


@every_transformer
def test_dtype_is_kept_and_float32_is_close(transformer):
    fitted, expected = fitted_once(transformer)
    assert expected.dtype == np.float64
    for kind in KINDS:
        result = fitted.transform(KINDS[kind](ragged(dtype=np.float32)))
        assert result.dtype == np.float32, kind
        if "argmax" not in str(transformer):  # places of maxima and shares above a threshold jump
            np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4, err_msg=kind)


@every_transformer
def test_two_dimensions_are_one_channel(transformer):
    X = padded(ragged(lengths=(9,) * 4, n_channels=1))
    expected = fit_transform(transformer, X)
    frame = pd.DataFrame(X[:, 0], columns=[f"t{t}" for t in range(9)])
    on_panel = fit(transformer, X)
    for table in in_turn(transformer, (X[:, 0], X[:, 0].tolist(), frame, np.ma.MaskedArray(X[:, 0])), 2):
        fitted = fit(transformer, table)
        assert (fitted.n_features_in_, fitted.n_channels_) == (9, 1)
        np.testing.assert_array_equal(fitted.transform(table), expected)
        np.testing.assert_array_equal(fitted.transform(X), expected)  # a panel after a table
        np.testing.assert_array_equal(on_panel.transform(table), expected)


@every_transformer
def test_two_tables_must_have_as_many_columns_but_a_panel_may_have_any_length(transformer):
    fitted = fit(transformer, np.ones((3, 9)))
    with pytest.raises(ValueError, match="X has 8 features, but .* is expecting 9 features"):
        fitted.transform(np.ones((3, 8)))
    assert np.isfinite(fitted.transform(np.ones((3, 1, 8)))).all()
    on_panel = fit(transformer, np.ones((3, 1, 9)))
    assert np.isfinite(on_panel.transform(np.ones((3, 8)))).all()


@every_transformer
def test_bytes_in_foreign_order_are_the_same_numbers(transformer):
    dtype = in_turn(transformer, (np.float64, np.float32))[0]
    X = padded(ragged(lengths=(9,) * 4, n_channels=1, dtype=dtype))
    foreign = X.astype(X.dtype.newbyteorder())
    expected = fit_transform(transformer, X)
    for same in (foreign, foreign[:, 0]):
        np.testing.assert_array_equal(fit_transform(transformer, same), expected, strict=True)


@every_transformer
def test_lengths_not_seen_at_fit(transformer):
    fitted = fitted_once(transformer)[0]
    for length in (4, 40):
        result = fitted.transform(padded(ragged(lengths=(length,) * 2)))
        assert len(result) == 2
        assert np.isfinite(result).all()


@every_transformer
def test_input_layout_does_not_matter_and_input_is_not_touched(transformer, tmp_path):
    X = padded(ragged())
    before = X.copy()
    expected = fit_transform(transformer, X)
    np.testing.assert_array_equal(X, before)
    assert not np.shares_memory(expected, X)
    X.setflags(write=False)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    others = (X, mapped, np.asfortranarray(X), X[::-1].copy()[::-1], np.repeat(X, 2, axis=0)[::2])
    for other in others:
        np.testing.assert_array_equal(fitted_once(transformer)[0].transform(other), expected)
    for other in in_turn(transformer, others, 2):
        np.testing.assert_array_equal(fit_transform(transformer, other), expected)


def test_finite_values_may_have_a_sum_that_overflows():
    for dtype in (np.float64, np.float32):
        X = np.full((2, 1, 3), np.finfo(dtype).max, dtype=dtype)
        np.testing.assert_array_equal(AddTime().fit_transform(X)[:, 1:], X)
        X[1] = -X[1]
        np.testing.assert_array_equal(AddTime().fit_transform(X)[:, 1:], X)
