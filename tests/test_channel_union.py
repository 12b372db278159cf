"""Channels of several augmentations side by side."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sigfeat import (
    ChannelUnion,
    CumulativeSum,
    DelayEmbedding,
    FillMissing,
    Increments,
    ISSTransformer,
    LeadLag,
    StandardizeChannels,
    make_channel_union,
)
from tests.panels import multiindex, padded, ragged


def test_parts_stand_side_by_side():
    X = padded(ragged())
    union = make_channel_union("passthrough", Increments(basepoint=True), CumulativeSum())
    expected = [X, Increments(basepoint=True).fit_transform(X), CumulativeSum().fit_transform(X)]
    np.testing.assert_array_equal(union.fit_transform(X), np.concatenate(expected, axis=1))


def test_shorter_parts_hold_the_last_points():
    union = make_channel_union("passthrough", Increments(), DelayEmbedding(n_lags=3))
    X = ragged()
    for series, result in zip(X, union.fit_transform(X), strict=True):
        length = series.shape[1] - 2
        expected = [series[:, 2:], np.diff(series)[:, 1:], series[:, 2:], series[:, 1:-1], series[:, :-2]]
        np.testing.assert_array_equal(result[:, :length], np.concatenate(expected))
        assert np.isnan(result[:, length:]).all()


def test_names_say_what_the_parts_do():
    X = multiindex(ragged(n_channels=2)).set_axis(["speed", "temp"], axis=1)
    union = ChannelUnion([("raw", "passthrough"), ("steps", Increments()), ("scaled", StandardizeChannels())]).fit(X)
    names = ["raw speed", "raw temp", "d speed", "d temp", "scaled speed", "scaled temp"]
    assert union.get_feature_names_out().tolist() == names
    assert union.transform(X).channel_names.tolist() == names
    chain = make_pipeline(union, ISSTransformer(depth=1, pooling="end", windows="whole")).fit(X)
    assert chain.get_feature_names_out()[2] == "[d speed]|real|end"
    other = make_channel_union("passthrough", FunctionTransformer(np.log)).fit(X)
    assert other.get_feature_names_out()[2:].tolist() == ["functiontransformer 1", "functiontransformer 2"]
    nameless = make_channel_union("passthrough", make_pipeline(Increments(), FunctionTransformer(np.square))).fit(X)
    assert nameless.transform(X).channel_names.tolist() == ["speed", "temp", "pipeline 1", "pipeline 2"]


def test_a_search_goes_through_the_parts():
    X, y = padded(ragged((12,) * 8)), np.arange(8) % 2
    union = ChannelUnion([("raw", "passthrough"), ("steps", Increments())])
    chain = make_pipeline(union, ISSTransformer(depth=1), RidgeClassifier())
    grid = {"channelunion__steps__basepoint": [True, False], "channelunion__raw": ["passthrough", CumulativeSum()]}
    search = GridSearchCV(chain, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert union.steps if hasattr(union, "steps") else clone(union).get_params()["steps__basepoint"] is False


def test_missing_values_go_to_parts_that_take_them():
    X = padded(ragged((9,) * 4))
    X[1, 0, 3] = np.nan
    filled = make_channel_union(FillMissing(), make_pipeline(FillMissing(), Increments(basepoint=True)))
    assert np.isfinite(filled.fit_transform(X)).all()
    np.testing.assert_array_equal(make_channel_union("passthrough", FillMissing()).fit_transform(X)[:, :3], X)
    with pytest.raises(ValueError, match="X must have no missing value inside a series for ChannelUnion"):
        make_channel_union(Increments(), FillMissing()).fit(X)


REFUSED = {
    "longer": ([("a", LeadLag())], ValueError, "make no series longer, but 'a' gives 17 points for the 9 of series 0"),
    "features": ([("a", ISSTransformer())], TypeError, "'a' gives an array of shape .* side by side in a FeatureUnion"),
    "no transformer": ([("a", 3)], TypeError, "must hold transformers or \"passthrough\", got 3 of name 'a'"),
    "empty": ([], ValueError, r"must be pairs of a name and a transformer, at least one, got \[\]"),
    "no pairs": ([Increments()], ValueError, "must be pairs of a name and a transformer"),
    "one name twice": ([("a", "passthrough"), ("a", Increments())], ValueError, "Names provided are not unique"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_parts_that_cannot_be_are_refused(case):
    parts, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message):
        ChannelUnion(parts).fit(padded(ragged()))
