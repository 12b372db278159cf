"""Each augmentation against its formula, series by series in plain Python, and the identities between them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline

from sigfeat import (
    AddBasepoint,
    AddTime,
    CumulativeSum,
    DelayEmbedding,
    FillMissing,
    Increments,
    ISSTransformer,
    LeadLag,
    LowRankISSTransformer,
    StandardizeChannels,
    to_panel,
)
from tests.panels import df_list, multiindex, padded, ragged

NAN = np.nan
panels = st.builds(
    ragged,
    lengths=st.lists(st.integers(4, 9), min_size=1, max_size=4).map(tuple),
    n_channels=st.integers(1, 3),
    seed=st.integers(0, 1000),
)


def increments(x):
    return [[c[t] - c[t - 1] for t in range(1, len(c))] for c in x]


def increments_from_zero(x):
    return [[c[t] - (c[t - 1] if t else 0.0) for t in range(len(c))] for c in x]


def sums(x):
    return [[sum(c[: t + 1]) for t in range(len(c))] for c in x]


def with_time(x):
    return [[t / (len(x[0]) - 1) for t in range(len(x[0]))], *x]


def with_steps(x):
    return [list(range(len(x[0]))), *x]


def with_basepoint(x):
    return [[0.0, *c] for c in x]


def lead_lag(x):
    """(x_1, x_1), then for each next point: the lead moves, the lag follows."""
    pairs = [(0, 0)]
    for t in range(1, len(x[0])):
        pairs += [(t, t - 1), (t, t)]
    return [[c[lead] for lead, _ in pairs] for c in x] + [[c[lag] for _, lag in pairs] for c in x]


def delays(n_lags, dilation):
    def delayed(x):
        times = range((n_lags - 1) * dilation, len(x[0]))
        return [[c[t - lag * dilation] for t in times] for lag in range(n_lags) for c in x]

    return delayed


@pytest.mark.parametrize(
    ("augmentation", "formula"),
    [
        (Increments(), increments),
        (Increments(basepoint=True), increments_from_zero),
        (CumulativeSum(), sums),
        (AddTime(), with_time),
        (AddTime(unit="step"), with_steps),
        (AddBasepoint(), with_basepoint),
        (LeadLag(), lead_lag),
        (DelayEmbedding(), delays(2, 1)),
        (DelayEmbedding(n_lags=1, dilation=5), delays(1, 5)),
        (DelayEmbedding(n_lags=4), delays(4, 1)),
        (DelayEmbedding(n_lags=2, dilation=3), delays(2, 3)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
@given(series=panels)
def test_formula(augmentation, formula, series):
    expected = padded([np.array(formula(s.tolist()), dtype=float) for s in series])
    result = augmentation.fit_transform(series)
    np.testing.assert_allclose(result, expected, rtol=1e-13, atol=1e-15)
    assert len(augmentation.get_feature_names_out()) == result.shape[1]


@given(series=panels)
def test_sums_undo_increments(series):
    both = make_pipeline(Increments(basepoint=True), CumulativeSum())
    np.testing.assert_allclose(both.fit_transform(series), padded(series), rtol=1e-13)
    both = make_pipeline(CumulativeSum(), Increments(basepoint=True))
    np.testing.assert_allclose(both.fit_transform(series), padded(series), rtol=1e-12)


@given(series=panels)
def test_a_basepoint_before_increments_is_their_basepoint(series):
    np.testing.assert_array_equal(
        make_pipeline(AddBasepoint(), Increments()).fit_transform(series),
        Increments(basepoint=True).fit_transform(series),
    )


@given(series=panels)
def test_the_signed_area_of_lead_and_lag_is_half_the_quadratic_variation(series):
    for x in series:
        lead, lag = LeadLag().fit_transform(x[np.newaxis, :1])[0]
        area = 0.5 * (lag[:-1] @ np.diff(lead) - lead[:-1] @ np.diff(lag))
        assert abs(area) == pytest.approx(0.5 * (np.diff(x[0]) ** 2).sum(), rel=1e-9, abs=1e-12)


def test_sums_of_float32_are_taken_in_float64():
    X = np.full((1, 1, 2**22), 0.1, dtype=np.float32)
    assert CumulativeSum().fit_transform(X)[0, 0, -1] == np.float32(np.float64(X[0, 0, 0]) * X.size)


@given(series=panels)
def test_standardized_channels_have_mean_0_and_deviation_1_over_all_times(series):
    everything = np.concatenate(series, axis=1)
    standardize = StandardizeChannels().fit(series)
    np.testing.assert_allclose(standardize.mean_, everything.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(standardize.scale_, everything.std(axis=1), rtol=1e-12)
    result = standardize.transform(series)
    np.testing.assert_allclose(np.nanmean(result, axis=(0, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(result, axis=(0, 2)), 1, atol=1e-12)
    halves = StandardizeChannels(with_mean=False), StandardizeChannels(with_std=False)
    np.testing.assert_allclose(halves[0].fit_transform(series), padded(series) / standardize.scale_[:, None])
    np.testing.assert_allclose(halves[1].fit_transform(series), padded(series) - standardize.mean_[:, None], atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.1])
def test_a_constant_channel_keeps_its_scale(value, dtype):
    X = np.full((5, 2, 7), value, dtype=dtype)
    X[:, 1] = np.arange(35).reshape(5, 7)
    standardize = StandardizeChannels().fit(X)
    assert standardize.scale_[0] == 1
    np.testing.assert_allclose(standardize.transform(X)[:, 0], 0, atol=1e-6 * max(value, 1e-9))


def test_a_channel_whose_deviation_has_no_inverse_keeps_its_scale():
    X = np.array([[1e-307, 1e-307 + 1e-320]])
    np.testing.assert_array_equal(StandardizeChannels().fit(X).scale_, 1.0)
    for transformer in (ISSTransformer(), LowRankISSTransformer(n_functionals=2)):
        assert np.isfinite(transformer.fit_transform(X)).all()


def test_float32_is_standardized_as_exactly_as_it_can_be():
    X = np.random.default_rng(0).normal(1e4, 1.0, size=(20, 1, 50)).astype(np.float32)
    expected = StandardizeChannels().fit_transform(X.astype(np.float64))
    np.testing.assert_allclose(StandardizeChannels().fit_transform(X), expected, rtol=1e-6, atol=1e-7)


def fill_linear(x, _):
    t = np.arange(len(x))
    return np.interp(t, t[~np.isnan(x)], x[~np.isnan(x)])


def fill_forward(x, _):
    return pd.Series(x).ffill().bfill().to_numpy()


def fill_mean(x, mean):
    return np.where(np.isnan(x), mean, x)


def fill_zero(x, _):
    return np.nan_to_num(x)


FILLS = {"linear": fill_linear, "forward": fill_forward, "mean": fill_mean, "zero": fill_zero}


@given(series=panels, share=st.sampled_from([0.1, 0.5, 0.9]), seed=st.integers(0, 1000))
@pytest.mark.parametrize("method", FILLS)
def test_gaps_are_filled_and_padding_stays(method, series, share, seed):
    rng = np.random.default_rng(seed)
    gappy = [np.where(rng.random(s.shape) < share, NAN, s) for s in series]
    for s, whole in zip(gappy, series, strict=True):
        s[rng.integers(len(s)), -1] = whole[0, -1]  # the series ends where it did
    everything = np.concatenate(gappy, axis=1)
    means = np.array([np.nanmean(c) if (~np.isnan(c)).any() else 0.0 for c in everything])
    expected = [
        np.array(
            [
                FILLS[method](c, m) if (~np.isnan(c)).any() else np.full(len(c), 0.0 if method == "zero" else m)
                for c, m in zip(s, means, strict=True)
            ]
        )
        for s in gappy
    ]
    fill = FillMissing(method=method).fit(gappy)
    np.testing.assert_allclose(fill.mean_, means, rtol=1e-12)
    np.testing.assert_allclose(fill.transform(gappy), padded(expected), rtol=1e-12)


def test_a_channel_that_a_series_lacks_gets_the_training_mean():
    train = [[[1.0, 3.0], [5.0, NAN]], [[2.0, 6.0], [7.0, 9.0]]]
    lacking = [[[4.0, 4.0, NAN], [NAN, NAN, NAN]]]
    for method, value in [("linear", 7.0), ("forward", 7.0), ("mean", 7.0), ("zero", 0.0)]:
        filled = FillMissing(method=method).fit(np.array(train)).transform(np.array(lacking))
        np.testing.assert_array_equal(filled, [[[4.0, 4.0, NAN], [value, value, NAN]]])
    nowhere = np.array([[[1.0, 2.0], [NAN, NAN]]])
    np.testing.assert_array_equal(FillMissing().fit_transform(nowhere), [[[1.0, 2.0], [0.0, 0.0]]])


def test_filling_keeps_the_largest_numbers_finite():
    big = np.finfo(np.float64).max
    filled = FillMissing().fit_transform([[-big, NAN, big]])
    np.testing.assert_array_equal(filled, [[[-big, 0.0, big]]])


@pytest.mark.parametrize(
    ("augmentation", "series"),
    [
        (Increments(), [3e38, -3e38]),
        (CumulativeSum(), [3e38, 3e38, -3e38]),
        (StandardizeChannels(with_std=False), [3e38, -3e38, -3e38, -3e38]),
    ],
    ids=str,
)
def test_overflow_is_one_sentence(augmentation, series):
    X = np.array([series], dtype=np.float32)
    with pytest.raises(
        ValueError, match=rf"values of {type(augmentation).__name__} overflow float32: scale the series"
    ):
        augmentation.fit(X).transform(X)
    for huge in (np.float64(X) * 5e269, -np.float64(X) * 5e269):
        with pytest.raises(ValueError, match="overflow float64"):
            augmentation.fit(huge).transform(huge)


def test_the_training_mean_of_the_largest_numbers_is_finite():
    X = np.array([[1.5e308, np.nan, 1.5e308, -1.5e308, 1.5e308], [np.nan, np.nan, np.nan, 1.5e308, 1.5e308]])
    filled = FillMissing("mean").fit_transform(X)
    np.testing.assert_allclose(filled[0, 0, 1], 1.5e308 / 6 * 4)


def test_a_series_without_gaps_is_copied():
    X = padded(ragged())
    filled = FillMissing().fit_transform(X)
    np.testing.assert_array_equal(filled, X)
    assert not np.shares_memory(filled, X)


@pytest.mark.parametrize(
    ("augmentation", "needed"),
    [(Increments(), 2), (DelayEmbedding(n_lags=3), 3), (DelayEmbedding(n_lags=2, dilation=4), 5)],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:X has more channels:UserWarning")
def test_too_short_a_series_is_named(augmentation, needed):
    series = ragged((9, 9, needed - 1, 9))
    message = (
        f"n_timepoints must be at least {needed} for {type(augmentation).__name__}, "
        rf"got {needed - 1} \(n_features={needed - 1}\) in series 2"
    )
    with pytest.raises(ValueError, match=message):
        augmentation.fit(series)
    with pytest.raises(ValueError, match=message):
        augmentation.fit(ragged()).transform(series)
    shortest = augmentation.fit_transform(ragged((needed,)))
    assert shortest.shape[2] == 1
    assert np.isfinite(shortest).all()


NAMES = {
    Increments(): ["d x", "d y"],
    CumulativeSum(): ["sum x", "sum y"],
    AddTime(): ["time", "x", "y"],
    AddBasepoint(): ["x", "y"],
    LeadLag(): ["lead x", "lead y", "lag x", "lag y"],
    DelayEmbedding(n_lags=3, dilation=2): ["x", "y", "lag 2 x", "lag 2 y", "lag 4 x", "lag 4 y"],
    StandardizeChannels(): ["x", "y"],
    FillMissing(): ["x", "y"],
}


@pytest.mark.parametrize(("augmentation", "names"), NAMES.items(), ids=str)
def test_names_of_channels(augmentation, names):
    series = ragged(n_channels=2)
    rename = {"channel1": "x", "channel2": "y"}
    from_frames = augmentation.fit([frame.rename(columns=rename) for frame in df_list(series)])
    assert from_frames.get_feature_names_out().tolist() == names
    assert from_frames.get_feature_names_out(["x", "y"]).tolist() == names
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        from_frames.get_feature_names_out(["y", "x"])
    from_array = augmentation.fit(padded(series))
    assert from_array.get_feature_names_out(["x", "y"]).tolist() == names
    numbered = [name.replace("x", "channel1").replace("y", "channel2") for name in names]
    assert from_array.get_feature_names_out().tolist() == numbered
    with pytest.raises(ValueError, match="input_features should have length equal"):
        from_array.get_feature_names_out(["x"])


def test_names_run_through_a_pipeline():
    steps = make_pipeline(AddTime(), LeadLag()).fit(multiindex(ragged(n_channels=1)))
    assert steps.get_feature_names_out().tolist() == ["lead time", "lead channel1", "lag time", "lag channel1"]


def test_the_result_is_a_panel_again():
    chain = make_pipeline(FillMissing(), AddTime(), DelayEmbedding(), StandardizeChannels(), LeadLag())
    result = chain.fit_transform(ragged())
    assert to_panel(result) is result
    assert result.shape == (6, 16, 25)
