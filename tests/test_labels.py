"""Panels keep the names of series and channels where these are known, and lose them where they are not."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing

from sigfeat import ISSTransformer, to_panel
from sigfeat.panel import Panel, series_index
from tests.panels import multiindex, nested, padded, ragged

NAMES = ["channel1", "channel2", "channel3"]


@pytest.fixture
def panel():
    return to_panel(nested(ragged()))


def labels(panel):
    return list(panel.index), list(panel.channel_names)


def test_it_is_an_array_and_prints_as_one(panel):
    assert isinstance(panel, np.ndarray)
    assert str(panel) == str(np.asarray(panel))
    assert labels(panel) == ([f"s{i}" for i in range(6)], NAMES)


ROWS = {
    "list": [3, 0, 0],
    "array": np.array([3, 0, 0]),
    "mask": np.arange(6) % 2 == 0,
    "slice": slice(None, None, -2),
    "Ellipsis": ([4, 1], Ellipsis),
    "all": Ellipsis,
    "channels": (slice(None), [2, 0]),
    "rows and a slice of channels": ([1, 2], slice(1, None), slice(2, 9)),
    "channels behind Ellipsis": (Ellipsis, slice(0, 2), slice(None)),
}


@pytest.mark.parametrize("key", ROWS)
def test_selections_select_names_as_they_select_values(panel, key):
    part = panel[ROWS[key]]
    np.testing.assert_array_equal(part, np.asarray(panel)[ROWS[key]])
    for i, name in enumerate(part.index):
        for c, channel in enumerate(part.channel_names):
            origin = np.asarray(panel)[int(name[1:]), NAMES.index(channel)]
            assert np.isin(part[i, c][~np.isnan(part[i, c])], origin).all()
    assert type(part.index) is type(panel.index)


@pytest.mark.parametrize(
    "key",
    [0, (0, 1), (slice(None), 0), (Ellipsis, 0), ([0, 1], [1, 2]), (None, 0), np.ix_([0, 1], [1], [2])],
    ids=str,
)
def test_what_is_no_selection_of_series_and_channels_is_a_plain_array(panel, key):
    assert not isinstance(panel[key], Panel)


def test_a_mask_of_values_gives_plain_values(panel):
    assert not isinstance(panel[panel > 1], Panel)


def test_values_may_change_one_by_one(panel):
    for changed in (panel * 2, -panel, np.log(panel), panel - np.nanmean(panel, axis=(0, 2))[:, np.newaxis]):
        assert labels(changed) == labels(panel)
    assert labels(panel + panel) == labels(panel)
    assert (panel + panel[::-1]).index is None
    assert labels(np.diff(panel, axis=2)) == labels(panel)


def test_functions_that_may_move_rows_lose_the_names(panel):
    for moved in (np.roll(panel, 1, axis=0), np.concatenate([panel, panel]), panel.transpose(1, 0, 2), np.sort(panel)):
        assert getattr(moved, "index", None) is None or labels(moved) == labels(panel)
    assert list(np.flip(panel, axis=0).index) == [f"s{i}" for i in range(5, -1, -1)]
    assert getattr(np.roll(panel, 1, axis=0), "index", None) is None


@pytest.mark.parametrize("again", [pickle.dumps, copy.copy, copy.deepcopy, lambda panel: panel.copy()])
def test_copies_keep_the_names(panel, again):
    result = again(panel)
    result = pickle.loads(result) if isinstance(result, bytes) else result
    assert labels(result) == labels(panel)
    np.testing.assert_array_equal(result, panel)
    assert not np.shares_memory(result, panel)
    assert labels(panel.astype(np.float32)) == labels(panel)


def double(panel):
    mapped = panel
    while not isinstance(mapped, np.memmap):
        mapped = mapped.base
    return panel.index.tolist(), float(np.nansum(panel))


def test_workers_map_large_panels_into_memory(panel):
    large = to_panel(multiindex(ragged((2000,) * 60)))
    assert large.nbytes > 2 * 2**20
    results = joblib.Parallel(n_jobs=2, max_nbytes="1M")(joblib.delayed(double)(large) for _ in range(2))
    for index, total in results:
        assert index == list(range(60))
        assert total == pytest.approx(float(np.nansum(large)))


def test_what_picks_rows_picks_names(panel):
    assert list(_safe_indexing(panel, np.array([5, 2])).index) == ["s5", "s2"]
    train, test = train_test_split(panel, random_state=0)
    assert sorted([*train.index, *test.index]) == sorted(panel.index)
    features = ISSTransformer(depth=1).set_output(transform="pandas").fit(train).transform(test)
    assert list(features.index) == list(test.index)


def test_names_that_occur_twice_are_refused():
    frame = multiindex(ragged())
    frame.columns = ["a", "b", "a"]
    with pytest.raises(ValueError, match="the channels of X must have different names, got 'a' twice"):
        to_panel(frame)


def test_series_of_frames_without_an_index_have_no_names():
    polars = pytest.importorskip("polars")
    assert series_index(padded(ragged())) is None
    assert series_index(ragged()) is None
    assert list(series_index(polars.DataFrame({"a": [1.0, 2.0]}))) == [0, 1]
    assert list(series_index(pd.Series([[1.0], [2.0]], index=["x", "y"]))) == ["x", "y"]


def test_cached_steps_keep_the_values(tmp_path, panel):
    cached = joblib.Memory(tmp_path, verbose=0).cache(lambda X: X * 2)
    np.testing.assert_array_equal(cached(panel), panel * 2)
