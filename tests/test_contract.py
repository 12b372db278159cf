"""What every transformer of panels promises. A new transformer is one more line in AUGMENTATIONS or FEATURES."""

import importlib.util
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from sigfeat import (
    AddBasepoint,
    AddTime,
    ChannelUnion,
    CumulativeSum,
    DelayEmbedding,
    FeatureScaler,
    FillMissing,
    HyenaEmbeddingTransformer,
    Increments,
    IntervalDevelopmentTransformer,
    IntervalISSTransformer,
    ISSTransformer,
    LeadLag,
    LowRankISSTransformer,
    MHAEmbedder,
    PathDevelopmentTransformer,
    RecurrentEmbeddingTransformer,
    S4EmbeddingTransformer,
    SignatureTransformer,
    StandardizeChannels,
)
from tests.panels import KINDS, LENGTHS, df_list, interleaved, multiindex, nested, padded, ragged

pytestmark = pytest.mark.usefixtures("short_epochs")

AUGMENTATIONS = [
    Increments(),
    Increments(basepoint=True),
    CumulativeSum(),
    AddTime(),
    AddTime(unit="step"),
    AddBasepoint(),
    LeadLag(),
    DelayEmbedding(),
    StandardizeChannels(),
    FillMissing(),
    FillMissing(method="forward"),
    ChannelUnion([("raw", "passthrough"), ("steps", Increments())]),
    ChannelUnion([("steps", Increments(basepoint=True)), ("sums", CumulativeSum()), ("time", AddTime())]),
]
SMALL = {"d_model": 4, "n_layers": 1, "d_ff": 5, "max_epochs": 1, "batch_size": 4, "dtype": "float64"}
UNTRAINED = MHAEmbedder(fit_mode="random", d_model=4, n_heads=2, n_layers=1, d_ff=5, dtype="float64")
FEATURES = [
    ISSTransformer(),
    ISSTransformer(words="length", depth=3, pooling="end", windows="whole"),
    ISSTransformer(semiring="max_plus", decay=0.1, scale="std"),
    ISSTransformer(semiring="max_times"),
    ISSTransformer(semiring="min_plus", pooling=("mean", "ppv", "mpv", "argmax"), windows=2),
    ISSTransformer(words=["[1]", "[1,1][1]"], strict=False, windows=("dyadic", 1), scale=None, n_jobs=2),
    LowRankISSTransformer(n_functionals=5),
    LowRankISSTransformer(
        depth=1,
        n_functionals=6,
        semiring=("real", "max_plus"),
        pooling=("max", "end"),
        windows=2,
    ),
    LowRankISSTransformer(4, depth=3, pooling=("mipv", "ppv"), quantiles=(0.21, 0.57), n_jobs=2),
    IntervalISSTransformer(n_filters=2),
    IntervalISSTransformer(
        words=["[1]", "[1,1][1]"], filter="box", n_filters=3, pooling=("ppv", "mpv"), windows=2, n_jobs=2
    ),
    IntervalISSTransformer(filter="random", filter_rank=2, n_filters=2, filter_length=3, pooling="argmax", scale=None),
    IntervalISSTransformer(filter="learnt", n_filters=2, fit_mode="supervised", max_epochs=2, scale="std"),
    IntervalDevelopmentTransformer(n_filters=2),
    IntervalDevelopmentTransformer(group="SU", dim=2, filter="box", n_filters=2, n_developments=2, n_jobs=2),
    IntervalDevelopmentTransformer(group="SE", filter="learnt", n_filters=1, fit_mode="supervised", max_epochs=2),
    SignatureTransformer(),
    SignatureTransformer(kind="logsignature", depth=2, windows=("dyadic", 1)),
    PathDevelopmentTransformer(dim=3, n_developments=2),
    PathDevelopmentTransformer(group="SE", dim=3, pooling="end", windows="whole"),
    PathDevelopmentTransformer(group="SU", dim=2, n_developments=2, pooling="mean", windows=2),
    PathDevelopmentTransformer(dim=2, n_developments=3, pooling=("ppv", "mpv", "argmax"), n_jobs=2),
    PathDevelopmentTransformer(dim=2, n_developments=1, fit_mode="supervised", max_epochs=2),
    UNTRAINED,
    MHAEmbedder(n_heads=2, windows=("dyadic", 1), pooling="max", **SMALL),
    MHAEmbedder(n_heads=1, fit_mode="supervised", causal=True, pooling="end", **SMALL),
    HyenaEmbeddingTransformer(UNTRAINED, **SMALL),
    HyenaEmbeddingTransformer(UNTRAINED, order=3, causal=True, short_filter=1, gate_norm=True, **SMALL),
    S4EmbeddingTransformer(UNTRAINED, d_state=4, windows=3, **SMALL),
    RecurrentEmbeddingTransformer(UNTRAINED, **SMALL | {"d_model": 3}),
]
EXTRAS = {SignatureTransformer: "iisignature"}


def installed(transformer):
    extra = EXTRAS.get(type(transformer))
    return extra is None or importlib.util.find_spec(extra) is not None


def parts(transformer):
    """A transformer, or those of which a union consists."""
    if not isinstance(transformer, ChannelUnion):
        return [transformer]
    return [part for _, part in transformer.transformer_list if part != "passthrough"]


def target(transformer, X):
    """Two classes, where the transformer learns from them."""
    if not get_tags(transformer).target_tags.required:
        return None
    index = getattr(X, "index", None)
    n_samples = index.get_level_values(0).nunique() if getattr(index, "nlevels", 1) > 1 else len(X)
    return np.arange(n_samples) % 2


def fit(transformer, X):
    return clone(transformer).fit(X, target(transformer, X))


def fit_transform(transformer, X):
    return clone(transformer).fit_transform(X, target(transformer, X))


def each(transformers):
    params = [
        pytest.param(
            transformer,
            id=" ".join(str(transformer).split()),
            marks=pytest.mark.skipif(not installed(transformer), reason=f"needs {EXTRAS.get(type(transformer))}"),
        )
        for transformer in transformers
    ]
    return pytest.mark.parametrize("transformer", params)


every_transformer = each(AUGMENTATIONS + FEATURES)
every_augmentation = each(AUGMENTATIONS)
every_feature_transformer = each(FEATURES)

# ------------------------------------------------------------------------------------ scikit-learn's own checks


@parametrize_with_checks([transformer for transformer in AUGMENTATIONS + FEATURES if installed(transformer)])
def test_check_estimator(estimator, check):
    check(estimator)


CHECKS_BY_HAND = [
    "check_dataframe_column_names_consistency",
    "check_get_feature_names_out_error",
    "check_param_validation",
    "check_set_output_transform",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]
CONTAINER_CHECKS = [  # of transformers that give a table
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
]


@each(AUGMENTATIONS + FEATURES)
@pytest.mark.parametrize("check", CHECKS_BY_HAND)
def test_checks_that_check_estimator_leaves_out(transformer, check):
    getattr(estimator_checks, check)(type(transformer).__name__, clone(transformer))


@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@each(FEATURES)
@pytest.mark.parametrize("check", CONTAINER_CHECKS)
def test_checks_of_output_containers(transformer, check):
    if "polars" in check:
        pytest.importorskip("polars")
    getattr(estimator_checks, check)(type(transformer).__name__, clone(transformer))


# -------------------------------------------------------------------------------------------- kinds of input


def results_alone(transformer, series):
    """What a fitted transformer gives for each series alone, without any padding."""
    return [transformer.transform(s[np.newaxis])[0] for s in series]


@every_transformer
def test_a_padded_series_gives_what_it_gives_alone(transformer):
    series = ragged()
    together = fit(transformer, padded(series))
    for result, alone in zip(together.transform(padded(series)), results_alone(together, series), strict=True):
        if alone.ndim == 2:
            np.testing.assert_array_equal(np.isnan(result[:, alone.shape[1] :]), True)
            result = result[:, : alone.shape[1]]
        assert np.isfinite(alone).all()
        np.testing.assert_allclose(result, alone, rtol=1e-12, atol=1e-13)


@every_transformer
def test_padding_that_no_series_fills_changes_nothing(transformer):
    X = padded(ragged())
    wider = np.concatenate([X, np.full_like(X, np.nan)], axis=2)
    expected = fit_transform(transformer, X)
    result = fit_transform(transformer, wider)
    if result.ndim == 3:
        assert np.isnan(result[:, :, expected.shape[2] :]).all()
        result = result[:, :, : expected.shape[2]]
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-13)


@every_transformer
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_input_gives_the_same(transformer, kind):
    series, X = ragged(), KINDS[kind](ragged())
    expected = fit(transformer, padded(series)).transform(padded(series))
    np.testing.assert_array_equal(fit(transformer, X).transform(X), expected)
    np.testing.assert_array_equal(fit(transformer, X).transform(padded(series)), expected)
    np.testing.assert_array_equal(fit(transformer, padded(series)).transform(X), expected)


@every_transformer
@pytest.mark.parametrize("kind", KINDS)
def test_dtype_is_kept_and_float32_is_close(transformer, kind):
    wide, narrow = ragged(), ragged(dtype=np.float32)
    fitted = fit(transformer, padded(wide))
    expected = fitted.transform(KINDS[kind](wide))
    result = fitted.transform(KINDS[kind](narrow))
    assert expected.dtype == np.float64
    assert result.dtype == np.float32
    if "argmax" not in str(transformer):  # places of maxima and shares above a threshold jump
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


@every_transformer
def test_two_dimensions_are_one_channel(transformer):
    X = padded(ragged(lengths=(9,) * 4, n_channels=1))
    expected = fit_transform(transformer, X)
    frame = pd.DataFrame(X[:, 0], columns=[f"t{t}" for t in range(9)])
    for table in (X[:, 0], X[:, 0].tolist(), frame, np.ma.MaskedArray(X[:, 0])):
        fitted = fit(transformer, table)
        assert (fitted.n_features_in_, fitted.n_channels_) == (9, 1)
        np.testing.assert_array_equal(fitted.transform(table), expected)
        np.testing.assert_array_equal(fitted.transform(X), expected)  # a panel after a table
        np.testing.assert_array_equal(fit(transformer, X).transform(table), expected)


@every_transformer
def test_two_tables_must_have_as_many_columns_but_a_panel_may_have_any_length(transformer):
    fitted = fit(transformer, np.ones((3, 9)))
    with pytest.raises(ValueError, match="X has 8 features, but .* is expecting 9 features"):
        fitted.transform(np.ones((3, 8)))
    assert np.isfinite(fitted.transform(np.ones((3, 1, 8)))).all()
    on_panel = fit(transformer, np.ones((3, 1, 9)))
    assert np.isfinite(on_panel.transform(np.ones((3, 8)))).all()


@every_transformer
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_bytes_in_foreign_order_are_the_same_numbers(transformer, dtype):
    X = padded(ragged(lengths=(9,) * 4, n_channels=1, dtype=dtype))
    foreign = X.astype(X.dtype.newbyteorder())
    expected = fit_transform(transformer, X)
    for same in (foreign, foreign[:, 0]):
        np.testing.assert_array_equal(fit_transform(transformer, same), expected, strict=True)


@every_transformer
def test_lengths_not_seen_at_fit(transformer):
    fitted = fit(transformer, padded(ragged()))
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
    for other in (X, mapped, np.asfortranarray(X), X[::-1].copy()[::-1], np.repeat(X, 2, axis=0)[::2]):
        np.testing.assert_array_equal(fit_transform(transformer, other), expected)


def test_finite_values_may_have_a_sum_that_overflows():
    for dtype in (np.float64, np.float32):
        X = np.full((2, 1, 3), np.finfo(dtype).max, dtype=dtype)
        np.testing.assert_array_equal(AddTime().fit_transform(X)[:, 1:], X)
        X[1] = -X[1]
        np.testing.assert_array_equal(AddTime().fit_transform(X)[:, 1:], X)


# ---------------------------------------------------------------------------------------------- bad input


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


def check_refused(transformer, good, bad, message):
    fresh = clone(transformer)
    with pytest.raises(ValueError, match=message):
        fresh.fit(bad)
    with pytest.raises(NotFittedError):
        fresh.transform(good)
    with pytest.raises(ValueError, match=message):
        fit(transformer, good).transform(bad)


@every_transformer
@pytest.mark.parametrize("case", BAD)
def test_bad_panels_give_one_clear_sentence_and_leave_nothing_fitted(transformer, case):
    spoil, message = BAD[case]
    if case == "NaN inside" and isinstance(transformer, FillMissing):
        pytest.skip("takes missing values")
    check_refused(transformer, padded(ragged()), spoil(padded(ragged())), message)


@every_transformer
@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_give_one_clear_sentence(transformer, case):
    spoil, message = BAD_TABLES[case]
    if case == "NaN inside" and isinstance(transformer, FillMissing):
        pytest.skip("takes missing values")
    good = padded(ragged(lengths=(9,) * 4, n_channels=1))[:, 0]
    check_refused(transformer, good, spoil(good), message)


@every_transformer
@pytest.mark.parametrize("bad", [object(), None, 3.0, {"a": [1.0]}], ids=["object", "None", "number", "dict"])
def test_what_is_no_panel_is_refused(transformer, bad):
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
    fitted = fit(transformer, padded(ragged()))
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


# ------------------------------------------------------------------------------------ parameters after fit


HOW_TO_COMPUTE = {"n_jobs", "device", "verbose"}  # may be changed after fit; features do not depend on them
OTHER_VALUES = {  # of which at least one is not the value of any transformer above
    "transformer_list": ([("raw", "passthrough")],),
    **dict.fromkeys(["basepoint", "with_mean", "with_std", "strict", "causal", "gate_norm", "control"], (True, False)),
    **dict.fromkeys(["depth", "n_lags", "dilation", "n_filters", "n_developments", "n_functionals"], (2, 4)),
    **dict.fromkeys(["quantiles", "filter_rank", "filter_length", "d_state", "n_layers", "n_heads"], (2, 1)),
    **dict.fromkeys(["order", "short_filter", "filter_width", "filter_bands"], (2, 1)),
    **dict.fromkeys(["dim", "d_model", "d_ff", "batch_size", "max_epochs", "patience"], (4, 8)),
    **dict.fromkeys(
        ["lr", "weight_decay", "validation_fraction", "quantile", "decay", "masked_ratio", "dropout"], (0.25, 0.75)
    ),
    "callbacks": ((),),
    "dilations": ((1, 2),),
    "dtype": ("float32",),
    "filter": ("random", "box"),
    "fit_mode": ("random", "supervised", "masked"),
    "group": ("SO", "SE"),
    "kind": ("logsignature", "dplr", "signature"),
    "method": ("forward", "zero"),
    "pooling": ("max", "end", "mean"),
    "random_state": (7,),
    "scale": (None, "std"),
    "step_size": (0.5, None),
    "semiring": ("real", "max_plus"),
    "task": ("regression",),
    "teacher": (MHAEmbedder(d_model=8, n_heads=1),),
    "unit": ("series", "step"),
    "windows": (3, "whole"),
    "words": ("length", "weight"),
}


@every_transformer
def test_parameters_that_are_set_after_fit_wait_for_the_next_fit(transformer):
    X = padded(ragged())
    if isinstance(transformer, FillMissing):
        X[2, 1, 1:3] = np.nan
    fitted = fit(transformer, X)
    values, names = fitted.transform(X), fitted.get_feature_names_out().tolist()
    for name, value in fitted.get_params(deep=False).items():
        if name in HOW_TO_COMPUTE:
            continue
        other = next(other for other in OTHER_VALUES[name] if other is not value and other != value)
        fitted.set_params(**{name: other})
        np.testing.assert_array_equal(fitted.transform(X), values, err_msg=f"{name}={other!r}", strict=True)
        assert fitted.get_feature_names_out().tolist() == names, f"{name}={other!r}"
        assert fitted.transform(X[:, :, :9]).shape[0] == len(X)
    fitted.set_params(**clone(transformer).get_params(deep=False)).fit(X, target(transformer, X))
    np.testing.assert_array_equal(fitted.transform(X), values)


def test_a_scaler_keeps_the_parameters_of_fit():
    X = np.maximum(np.random.default_rng(0).normal(size=(9, 4)), 0.0)
    fitted = FeatureScaler().fit(X)
    expected = fitted.transform(X)
    np.testing.assert_array_equal(fitted.set_params(power=0.5).transform(X), expected)


# ----------------------------------------------------------------------------------- life in scikit-learn


def plain_params(transformer):
    """Parameters, also those of estimators within, which themselves do not compare."""
    params = transformer.get_params()
    within = isinstance(transformer, ChannelUnion)
    return {
        name: type(value) if isinstance(value, BaseEstimator) else str(value) if within else value
        for name, value in params.items()
    }


@every_transformer
def test_clone_and_pickle(transformer):
    X = padded(ragged())
    fitted = fit(transformer, X)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.transform(X), fitted.transform(X))
    assert plain_params(clone(fitted)) == plain_params(transformer)
    with pytest.raises(NotFittedError):
        clone(fitted).transform(X)


@every_feature_transformer
def test_names_are_unique_and_one_for_each_column(transformer):
    fitted = fit(transformer, padded(ragged()))
    names = fitted.get_feature_names_out()
    assert len(set(names)) == len(names) == fitted.transform(padded(ragged())).shape[1]
    assert fitted.get_feature_names_out(["a", "b", "c"]).tolist() == names.tolist()
    with pytest.raises(ValueError, match="input_features should have length equal to number of features"):
        fitted.get_feature_names_out(["a", "b"])


INDICES = {
    "numpy3D": (padded, list(range(6))),
    "df-list": (df_list, list(range(6))),
    "nested_univ": (nested, [f"s{i}" for i in range(6)]),
    "pd-multiindex": (multiindex, list(range(6))),
    "pd-multiindex, interleaved": (interleaved, ["s0", "s7", "s3", "s10", "s6", "s2"]),
}


@every_feature_transformer
@pytest.mark.parametrize("kind", INDICES)
def test_output_frames_have_one_row_per_series(transformer, kind):
    build, index = INDICES[kind]
    X, fresh = build(ragged()), clone(transformer).set_output(transform="pandas")
    expected = fit_transform(transformer, padded(ragged()))
    with sklearn.config_context(transform_output="pandas"):
        everywhere = fit_transform(transformer, X)
    for frame in (fresh.fit_transform(X, target(transformer, X)), fresh.transform(X), everywhere):
        assert list(frame.index) == index
        assert frame.columns.tolist() == fresh.get_feature_names_out().tolist()
        np.testing.assert_array_equal(frame.to_numpy(), expected)


@every_augmentation
def test_augmentations_give_arrays_whatever_container_is_asked_for(transformer):
    X = padded(ragged())
    expected = fit_transform(transformer, X)
    for container in ("default", "pandas", "polars", None):
        chosen = clone(transformer).set_output(transform=container)
        np.testing.assert_array_equal(chosen.fit_transform(X), expected, strict=True)
    with sklearn.config_context(transform_output="pandas"):
        np.testing.assert_array_equal(fit_transform(transformer, X), expected, strict=True)
        np.testing.assert_array_equal(fit(transformer, X).transform(multiindex(ragged())), expected)


@every_feature_transformer
@pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=str)
def test_pipelines_give_named_columns(augmentation, transformer):
    X, chain = padded(ragged()), make_pipeline(clone(augmentation), clone(transformer))
    negative = any(isinstance(part, Increments | StandardizeChannels) for part in parts(augmentation))
    if "max_times" in str(transformer) and negative:
        with pytest.raises(ValueError, match='semiring="max_times" needs values >= 0'):
            chain.fit(X)
        return
    frame = chain.set_output(transform="pandas").fit_transform(X, target(transformer, X))
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == chain.get_feature_names_out().tolist()
    assert frame.columns.tolist() == chain.get_feature_names_out(["a", "b", "c"]).tolist()
    assert np.isfinite(frame.to_numpy()).all()


@every_transformer
@pytest.mark.parametrize("kind", ["numpy3D", "list", "object array", "df-list", "nested_univ"])
def test_grid_search(transformer, kind):
    X, y = KINDS[kind](ragged(lengths=LENGTHS[::-1] * 2)), np.arange(12) % 2
    tail = ISSTransformer(depth=1) if transformer in AUGMENTATIONS else "passthrough"
    chain = make_pipeline(clone(transformer), tail, RidgeClassifier())
    search = GridSearchCV(chain, {"ridgeclassifier__alpha": [1.0, 10.0]}, cv=3, error_score="raise")
    assert search.fit(X, y).predict(X).shape == (12,)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_fold_may_hold_only_short_series():
    X, y = padded(ragged(lengths=(20, 20, 5, 5))), np.array([0, 1, 0, 1])
    chain = make_pipeline(Increments(), ISSTransformer(), RidgeClassifier())
    folds = [([0, 1], [2, 3]), ([2, 3], [0, 1])]
    GridSearchCV(chain, {"isstransformer__depth": [1, 2]}, cv=folds, error_score="raise").fit(X, y)


def test_a_feature_union_names_its_parts():
    one = ISSTransformer(depth=1, pooling="end", windows="whole")
    union = FeatureUnion([("real", one), ("tropical", clone(one).set_params(semiring="max_plus"))])
    frame = union.set_output(transform="pandas").fit_transform(multiindex(ragged()))
    assert frame.columns.tolist()[2:4] == ["real__[channel3]|real|end", "tropical__[channel1]|max_plus|end"]
    assert frame.shape == (6, 6)


def test_a_table_with_column_names_is_remembered():
    frame = pd.DataFrame(padded(ragged(lengths=(5,) * 4, n_channels=1))[:, 0], columns=list("abcde"))
    fitted = Increments().fit(frame)
    assert fitted.feature_names_in_.tolist() == list("abcde")
    assert fitted.get_feature_names_out(list("abcde")).tolist() == ["d channel1"]
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform(frame.rename(columns={"a": "z"}))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted.transform(frame.to_numpy())
