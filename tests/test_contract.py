"""What every transformer of panels promises. A new transformer is one more line in AUGMENTATIONS or FEATURES."""

import functools
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
    FillMissing,
    HyenaEmbeddingTransformer,
    Increments,
    IntervalDevelopmentTransformer,
    IntervalISSTransformer,
    IntervalQuantileTransformer,
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
    IntervalQuantileTransformer(),
    IntervalQuantileTransformer(
        ("differences", "spectrum"),
        depth=2,
        words="weight",
        semiring="max_plus",
        decay=0.1,
        n_levels=3,
        max_features=90,
        n_jobs=2,
    ),
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


@functools.cache
def fitted_once(transformer):
    """A transformer fitted to the ragged panel, and its values there. Tests share both, and must not change them."""
    fitted = fit(transformer, padded(ragged()))
    values = fitted.transform(padded(ragged()))
    values.setflags(write=False)
    return fitted, values


def in_turn(transformer, others, n=1):
    """A few of several alternatives that do not depend on the transformer; all are taken by some transformers."""
    first = next(i for i, one in enumerate(AUGMENTATIONS + FEATURES) if one is transformer)
    others, step = list(others), max(1, len(others) // n)
    return [others[(first + k * step) % len(others)] for k in range(n)]


def one_of_each_path(transformers):
    """The first transformer of each class, and of each of its modes that are separate code."""
    modes = ("fit_mode", "functionals", "objective")
    paths = {}
    for transformer in transformers:
        params = transformer.get_params(deep=False)
        paths.setdefault((type(transformer), *(params.get(mode) for mode in modes)), transformer)
    return list(paths.values())


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


PATHS = one_of_each_path(AUGMENTATIONS), one_of_each_path(FEATURES)


@parametrize_with_checks([transformer for transformer in sum(PATHS, []) if installed(transformer)])
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


@each(sum(PATHS, []))
@pytest.mark.parametrize("check", CHECKS_BY_HAND)
def test_checks_that_check_estimator_leaves_out(transformer, check):
    getattr(estimator_checks, check)(type(transformer).__name__, clone(transformer))


@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@each(PATHS[1])
@pytest.mark.parametrize("check", CONTAINER_CHECKS)
def test_checks_of_output_containers(transformer, check):
    if "polars" in check:
        pytest.importorskip("polars")
    getattr(estimator_checks, check)(type(transformer).__name__, clone(transformer))


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
    X, (fitted, values) = padded(ragged()), fitted_once(transformer)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.transform(X), values)
    assert plain_params(clone(fitted)) == plain_params(transformer)
    with pytest.raises(NotFittedError):
        clone(fitted).transform(X)


@every_feature_transformer
def test_names_are_unique_and_one_for_each_column(transformer):
    fitted, values = fitted_once(transformer)
    names = fitted.get_feature_names_out()
    assert len(set(names)) == len(names) == values.shape[1]
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
def test_output_frames_have_one_row_per_series(transformer):
    expected = fitted_once(transformer)[1]
    for build, index in in_turn(transformer, INDICES.values(), 2):
        X, fresh = build(ragged()), clone(transformer).set_output(transform="pandas")
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
def test_pipelines_give_named_columns(transformer):
    not_negative = "max_times" in str(transformer)  # what it refuses depends on the augmentation
    for augmentation in AUGMENTATIONS if not_negative else in_turn(transformer, AUGMENTATIONS, 3):
        check_pipeline(augmentation, transformer, not_negative)


def check_pipeline(augmentation, transformer, not_negative):
    X, chain = padded(ragged()), make_pipeline(clone(augmentation), clone(transformer))
    if not_negative and any(isinstance(part, Increments | StandardizeChannels) for part in parts(augmentation)):
        with pytest.raises(ValueError, match='semiring="max_times" needs values >= 0'):
            chain.fit(X)
        return
    frame = chain.set_output(transform="pandas").fit_transform(X, target(transformer, X))
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == chain.get_feature_names_out().tolist()
    assert frame.columns.tolist() == chain.get_feature_names_out(["a", "b", "c"]).tolist()
    assert np.isfinite(frame.to_numpy()).all()


@every_transformer
def test_grid_search(transformer):
    kind = in_turn(transformer, ["numpy3D", "list", "object array", "df-list", "nested_univ"])[0]
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
