"""What every transformer of panels promises. A new transformer is one more line in TRANSFORMERS."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sigfeat import (
    AddBasepoint,
    AddTime,
    CumulativeSum,
    DelayEmbedding,
    FillMissing,
    Increments,
    ISSTransformer,
    LeadLag,
    SignatureTransformer,
    StandardizeChannels,
)
from tests.panels import KINDS, LENGTHS, padded, ragged

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
]
FEATURES = [
    ISSTransformer(),
    ISSTransformer(words="weight", semiring="max_plus", decay=0.1, scale="std"),
    ISSTransformer(words="weight", semiring="min_plus", pooling=("mean", "ppv", "mpv", "argmax"), windows=2),
    ISSTransformer(
        words=["[1]", "[1,1][1]"],
        strict=False,
        pooling=("min", "max"),
        windows=("dyadic", 1),
        scale=None,
        n_jobs=2,
    ),
]
NON_NEGATIVE = [ISSTransformer(semiring="max_times", scale=None)]  # scikit-learn's checks have values below 0
try:
    import iisignature  # noqa: F401
except ImportError:
    pass  # an extra: its transformer cannot be fitted without it, which test_signature.py covers
else:
    FEATURES += [
        SignatureTransformer(),
        SignatureTransformer(kind="logsignature", depth=2, windows=("dyadic", 1)),
    ]
TRANSFORMERS = AUGMENTATIONS + FEATURES + NON_NEGATIVE

every_transformer = pytest.mark.parametrize("transformer", TRANSFORMERS, ids=str)
feature_transformers = pytest.mark.parametrize("transformer", FEATURES + NON_NEGATIVE, ids=str)


@parametrize_with_checks(AUGMENTATIONS + FEATURES)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


CHECKS_BY_HAND = [
    name for name in dir(estimator_checks) if name.startswith(("check_set_output_transform", "check_global_"))
]
CHECKS_BY_HAND += [
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_param_validation",
]


@pytest.mark.filterwarnings(
    "ignore:X (has|does not have valid) feature names:UserWarning"
)  # the checks mix both on purpose
@pytest.mark.parametrize("check", sorted(set(CHECKS_BY_HAND)))
@pytest.mark.parametrize("transformer", FEATURES, ids=str)
def test_scikit_learn_checks_that_check_estimator_leaves_out(transformer, check):
    if "polars" in check:
        pytest.importorskip("polars", reason="polars is no dependency; scikit-learn's polars output is its own code")
    getattr(estimator_checks, check)(type(transformer).__name__, clone(transformer))


@pytest.mark.parametrize("transformer", AUGMENTATIONS, ids=str)
def test_parameters_of_augmentations_are_checked(transformer):
    estimator_checks.check_param_validation(type(transformer).__name__, clone(transformer))


def own_results(transformer, series):
    """What a fitted transformer gives for each series alone, without any padding."""
    return [transformer.transform(s[np.newaxis])[0] for s in series]


@every_transformer
def test_a_padded_series_gives_what_it_gives_alone(transformer):
    series = ragged()
    together = clone(transformer).fit(padded(series))
    for result, alone in zip(together.transform(padded(series)), own_results(together, series), strict=True):
        if alone.ndim == 2:
            np.testing.assert_array_equal(np.isnan(result[:, alone.shape[1] :]), True)
            result = result[:, : alone.shape[1]]
        assert np.isfinite(alone).all()
        np.testing.assert_allclose(result, alone, rtol=1e-9, atol=1e-12)


@every_transformer
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_input_gives_the_same(transformer, kind):
    series = ragged()
    fitted = clone(transformer).fit(padded(series))
    np.testing.assert_array_equal(
        clone(transformer).fit(KINDS[kind](series)).transform(KINDS[kind](series)),
        fitted.transform(padded(series)),
    )


@every_transformer
def test_dtype_is_kept_and_float32_is_close(transformer):
    wide = clone(transformer).fit_transform(padded(ragged()))
    narrow = clone(transformer).fit_transform(padded(ragged(dtype=np.float32)))
    assert wide.dtype == np.float64
    assert narrow.dtype == np.float32
    if "argmax" not in str(transformer):  # places of maxima and shares above a threshold jump
        np.testing.assert_allclose(narrow, wide, rtol=1e-4, atol=1e-4)


@every_transformer
def test_two_dimensions_are_one_channel(transformer):
    X = padded(ragged(lengths=(9,) * 4, n_channels=1))
    np.testing.assert_array_equal(clone(transformer).fit_transform(X[:, 0]), clone(transformer).fit_transform(X))
    fitted = clone(transformer).fit(X)
    np.testing.assert_array_equal(fitted.transform(X[:, 0]), fitted.transform(X))


@every_transformer
def test_lengths_not_seen_at_fit(transformer):
    fitted = clone(transformer).fit(padded(ragged()))
    for length in (4, 40):
        result = fitted.transform(padded(ragged(lengths=(length,) * 2)))
        assert len(result) == 2
        assert np.isfinite(result).all()


@every_transformer
def test_input_layout_does_not_matter_and_input_is_not_touched(transformer):
    X = padded(ragged())
    before = X.copy()
    expected = clone(transformer).fit_transform(X)
    np.testing.assert_array_equal(X, before)
    X.setflags(write=False)
    for other in (X, np.asfortranarray(X), X[::-1][::-1], np.repeat(X, 2, axis=0)[::2]):
        np.testing.assert_array_equal(clone(transformer).fit_transform(other), expected)


@every_transformer
def test_clone_and_pickle(transformer):
    X = padded(ragged())
    fitted = clone(transformer).fit(X)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.transform(X), fitted.transform(X))
    assert clone(fitted).get_params() == transformer.get_params()


def nan_inside(X):
    X[2, 1, 3] = np.nan
    return X


def infinite(X):
    X[2, 1, 3] = np.inf
    return X


BAD = {
    "strings": (lambda X: X.astype(str), ValueError, "X must hold real numbers"),
    "objects": (lambda X: np.full(X.shape, {}, dtype=object), ValueError, "X must hold real numbers"),
    "complex": (lambda X: X.astype(complex), ValueError, "X must hold real numbers, got dtype complex128"),
    "NaN inside": (
        nan_inside,
        ValueError,
        r"got NaN in series 2 \(from 0\), channel 2 \(from 1\), time 3 \(from 0\); FillMissing",
    ),
    "inf inside": (
        infinite,
        ValueError,
        r"X must be finite for .*, got inf in series 2 \(from 0\), channel 2 \(from 1\), time 3",
    ),
    "NaN throughout": (
        lambda X: np.concatenate([X, np.full_like(X[:1], np.nan)]),
        ValueError,
        r"series 6 \(from 0\) of X is NaN throughout",
    ),
    "4-D": (lambda X: X[np.newaxis], ValueError, "X must have 3 dimensions.*got 4"),
    "no series": (
        lambda X: X[:0],
        ValueError,
        r"at least one series, channel and time point, got shape \(0, 3, 14\)",
    ),
    "no channel": (lambda X: X[:, :0], ValueError, r"got shape \(6, 0, 14\)"),
    "no time": (lambda X: X[:, :, :0], ValueError, r"got shape \(6, 3, 0\)"),
    "no panel": (lambda X: object(), (TypeError, ValueError), "."),
    "channels differ": (
        lambda X: [X[0], X[1, :2]],
        ValueError,
        "as many channels as the first, 3, got 2 in series 1",
    ),
}


@every_transformer
@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_one_clear_sentence_and_leaves_nothing_fitted(transformer, case):
    spoil, error, message = BAD[case]
    if case == "NaN inside" and isinstance(transformer, FillMissing):
        assert np.isfinite(clone(transformer).fit_transform(spoil(padded(ragged(lengths=(9,) * 6))))).all()
        return
    X, fresh = spoil(padded(ragged())), clone(transformer)
    with pytest.raises(error, match=message) as caught:
        fresh.fit(X)
    assert "\n" not in str(caught.value).split(": ")[0]
    with pytest.raises(error, match=message):
        clone(transformer).fit(padded(ragged())).transform(X)


@every_transformer
def test_channel_count_must_match(transformer):
    fitted = clone(transformer).fit(padded(ragged()))
    with pytest.raises(ValueError, match=rf"X has 2 channels, but {type(transformer).__name__} was fitted with 3"):
        fitted.transform(padded(ragged(n_channels=2)))


@every_transformer
def test_a_single_time_point_works_or_gives_one_clear_sentence(transformer):
    X = padded(ragged(lengths=(1, 1)))
    needs_two = isinstance(transformer, SignatureTransformer | DelayEmbedding)
    needs_two |= isinstance(transformer, Increments) and not transformer.basepoint
    needs_two |= isinstance(transformer, ISSTransformer) and transformer.strict
    if needs_two:
        with pytest.raises(ValueError, match="n_timepoints must be at least 2"):
            clone(transformer).fit(X)
    else:
        assert np.isfinite(clone(transformer).fit_transform(X)).all()


@feature_transformers
def test_names_are_unique_and_one_for_each_column(transformer):
    X = padded(ragged())
    fitted = clone(transformer).fit(X)
    names = fitted.get_feature_names_out()
    assert len(set(names)) == len(names) == fitted.transform(X).shape[1]
    frame = clone(transformer).set_output(transform="pandas").fit_transform(X)
    assert list(frame.columns) == list(names)


@feature_transformers
@pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=str)
def test_pipelines_give_named_columns_and_survive_a_grid_search(augmentation, transformer):
    X, y = padded(ragged(lengths=LENGTHS * 2)), np.arange(12) % 2
    features = make_pipeline(clone(augmentation), clone(transformer))
    if "max_times" in str(transformer) and isinstance(augmentation, Increments | StandardizeChannels):
        with pytest.raises(ValueError, match='semiring="max_times" needs values >= 0'):
            features.fit(X)
        return
    frame = features.set_output(transform="pandas").fit_transform(X)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == list(features.get_feature_names_out())
    search = GridSearchCV(
        make_pipeline(features, RidgeClassifierCV()),
        {"pipeline": ["passthrough", features][1:]},
        cv=2,
        error_score="raise",
    )
    assert search.fit(X, y).predict(X).shape == (12,)


def test_feature_union_names_its_parts():
    rings, plain = ("real", "max_plus"), {"depth": 1, "pooling": "end", "windows": "whole"}
    union = FeatureUnion([(ring, ISSTransformer(semiring=ring, **plain)) for ring in rings]).set_output(
        transform="pandas"
    )
    names = union.fit_transform(padded(ragged(n_channels=2))).columns
    assert list(names) == [f"{ring}__[{c}]|{ring}|end" for ring in rings for c in (1, 2)]


def test_a_table_with_column_names_is_remembered():
    frame = pd.DataFrame(padded(ragged(lengths=(5,) * 4, n_channels=1))[:, 0], columns=list("abcde"))
    fitted = ISSTransformer().fit(frame)
    assert list(fitted.feature_names_in_) == list("abcde")
    assert (fitted.n_features_in_, fitted.n_channels_) == (5, 1)
    with pytest.raises(ValueError, match="feature names"):
        fitted.transform(frame.rename(columns={"a": "z"}))
