"""Containers that are easily misread: xarray's, arrays and columns of cells, labels that are no texts, long tables."""

import datetime

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer

from sigfeat import AddTime, DelayEmbedding, Increments, ISSTransformer, MHAEmbedder, to_panel
from sigfeat.panel import Panel
from tests.panels import multiindex, nested, padded, ragged

X = padded(ragged((8,) * 4, 2))


def mean():
    return ISSTransformer(words=["[1]"], pooling="mean", windows="whole")


def frame(labels=range(4), names=("x", "y")):
    return pd.concat({label: pd.DataFrame(s.T, columns=list(names)) for label, s in zip(labels, X, strict=True)})


# ------------------------------------------------------------------------------------------------------- xarray


def data_array(*dims):
    xarray = pytest.importorskip("xarray")
    return xarray.DataArray(X, dims=("case", "channel", "time")).transpose(*dims)


@pytest.mark.parametrize(
    "dims", [("case", "channel", "time"), ("time", "case", "channel"), ("channel", "time", "case")]
)
def test_dimensions_of_a_data_array_are_known_by_their_names(dims):
    np.testing.assert_array_equal(to_panel(data_array(*dims)), X)
    np.testing.assert_array_equal(AddTime().fit_transform(data_array(*dims))[:, 1:], X)


def test_a_data_array_of_one_channel_is_a_table():
    array = data_array("time", "case", "channel")[:, :, 0]
    assert to_panel(array).shape == (4, 1, 8)
    assert mean().fit_transform(array).shape == (4, 1)
    renamed = array.rename(time="t")
    for read in (to_panel, mean().fit):
        with pytest.raises(ValueError, match='must have a dimension "time", as it is a DataArray'):
            read(renamed)


def test_points_of_a_data_array_are_in_the_order_of_its_times():
    array = data_array("case", "channel", "time").assign_coords(
        time=range(8), case=list("dbac"), channel=["speed", "temp"]
    )
    panel = to_panel(array.isel(time=[3, 1, 0, 2, 4, 5, 6, 7]))
    np.testing.assert_array_equal(panel, X)
    assert (list(panel.index), panel.channel_names.tolist()) == (list("dbac"), ["speed", "temp"])
    items = [array[i].isel(time=[1, 0, *range(2, 8)]) for i in range(4)]
    np.testing.assert_array_equal(to_panel(items), X)


def test_variables_of_a_data_set_are_channels_and_its_labels_are_not():
    xarray = pytest.importorskip("xarray")
    data = {"u": (("time", "case"), X[:, 0].T), "v": (("case", "time"), X[:, 1])}
    panel = to_panel(xarray.Dataset(data, coords={"label": ("case", [0, 1, 0, 1]), "level": 500.0}))
    np.testing.assert_array_equal(panel, X)
    assert panel.channel_names.tolist() == ["u", "v"]
    with pytest.raises(ValueError, match=r'same dimensions, with one called "time", got \(.t., .case.\) of .u.'):
        to_panel(xarray.Dataset({"u": (("t", "case"), X[:, 0].T)}))
    with pytest.raises(ValueError, match=r"got a Dataset of one series .* pass \[X\]"):
        to_panel(xarray.Dataset({"u": ("time", X[0, 0])}))


def test_channels_of_arrays_are_compared_by_their_names():
    named = data_array("case", "channel", "time").assign_coords(channel=["u", "v"])
    with pytest.raises(ValueError, match="all DataFrames of X must have the columns of the first"):
        to_panel([named[0], named[1, ::-1]])
    with pytest.raises(ValueError, match="named and ordered as at fit"):
        mean().fit(named).transform(list(named[:, ::-1]))
    with pytest.raises(ValueError, match="the channels of X must have different names, got 'a' twice"):
        to_panel(named.assign_coords(channel=["a", "a"]))
    with pytest.raises(ValueError, match='must have a dimension "channel", as it is a DataArray'):
        to_panel(named.rename(channel="lead"))


class Lazy:
    """A frame that is computed when it is asked for, and counts how often."""

    def __init__(self, frame):
        self.frame, self.columns, self.count = frame, frame.columns, 0

    def __getitem__(self, name):
        raise AssertionError("it has to be computed first")

    def compute(self):
        self.count += 1
        return self.frame


def test_lazy_frames_are_computed_once():
    for use in (
        to_panel,
        Increments().fit,
        Increments().fit_transform,
        mean().set_output(transform="pandas").fit_transform,
    ):
        lazy = Lazy(frame("dbac"))
        use(lazy)
        assert lazy.count == 1
    lazy, fitted = Lazy(frame("dbac")), mean().set_output(transform="pandas").fit(frame())
    assert list(fitted.transform(lazy).index) == list("dbac")
    assert lazy.count == 1


# -------------------------------------------------------------------------------------------------------- cells


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_arrays_and_columns_of_frames_are_lists_of_frames(library):
    module = pytest.importorskip(library)
    make = module.table if library == "pyarrow" else module.DataFrame
    frames = np.empty(4, dtype=object)
    frames[:] = [make({"x": s[0], "y": s[1]}) for s in X]
    for cells in (frames, pd.Series(list(frames), index=list("dbac"))):
        fitted = mean().set_output(transform="pandas").fit(cells)
        np.testing.assert_array_equal(to_panel(cells), X)
        assert fitted.feature_names_in_.tolist() == ["x", "y"]
        assert list(fitted.transform(cells).index) == list(getattr(cells, "index", range(4)))


def test_columns_of_series_are_lists_of_series():
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    rows = [s[0].tolist() for s in X]
    for column in (pd.Series(rows), polars.Series(rows), pyarrow.chunked_array([pyarrow.array(rows)])):
        np.testing.assert_array_equal(to_panel(column), X[:, :1])
        np.testing.assert_array_equal(mean().fit(column).transform(column), mean().fit_transform(X[:, :1]))


def test_columns_of_all_frames_of_a_list_are_those_of_the_first():
    one, two = (pd.DataFrame(X[0].T, columns=list(names)) for names in ("xy", "yx"))
    with pytest.raises(ValueError, match="all DataFrames of X must have the columns of the first"):
        to_panel([X[0], one, two])


def test_channels_of_a_series_have_the_same_times():
    cells = {"x": [pd.Series([1.0, 2.0], index=[0, 1])], "y": [pd.Series([1.0, 2.0], index=[1, 2])]}
    with pytest.raises(ValueError, match="same time stamps, but those of column 'y' are not those of column 'x' in"):
        to_panel(pd.DataFrame(cells))
    cells["y"] = [pd.Series([2.0, 1.0], index=[1, 0])]
    np.testing.assert_array_equal(to_panel(pd.DataFrame(cells)), [[[1, 2], [1, 2]]])


def test_a_nested_frame_has_one_row_per_series():
    wrong = nested(ragged()).set_index(pd.MultiIndex.from_product([range(2), range(3)]))
    with pytest.raises(ValueError, match="whose cells are series, must have one level, got 2"):
        to_panel(wrong)


def test_one_channel_of_a_multiindex_is_a_panel():
    np.testing.assert_array_equal(to_panel(frame()["x"]), X[:, :1])
    with pytest.raises(ValueError, match="the index of series 0 of X must hold times, got 2 levels"):
        to_panel([frame()])


# ----------------------------------------------------------------------------------------------- names and labels


def test_labels_of_channels_that_are_no_texts_are_checked_too():
    numbered = frame(names=(0, 1))
    fitted = mean().fit(numbered)
    with pytest.raises(ValueError, match=r"named and ordered as at fit, \[0, 1\], got \[1, 0\]"):
        fitted.transform(numbered[[1, 0]])
    np.testing.assert_array_equal(fitted.transform(X), fitted.transform(numbered))


@pytest.mark.parametrize("names", [("x", "y"), (0, 1), (0.5, float("nan"))], ids=str)
def test_embedders_of_frames_are_saved_with_the_names_of_the_channels(tmp_path, names):
    pytest.importorskip("torch")
    small = {"d_model": 4, "n_layers": 1, "d_ff": 5, "n_heads": 1, "fit_mode": "random"}
    fitted = MHAEmbedder(**small).fit(frame(names=names))
    fitted.save(tmp_path / "saved")
    loaded = MHAEmbedder.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.transform(frame(names=names)), fitted.transform(X))
    with pytest.raises(ValueError, match="named and ordered as at fit"):
        loaded.transform(frame(names=names).iloc[:, ::-1])


def test_names_that_an_augmentation_would_give_twice_are_told_apart():
    timed = frame(names=("time", "x"))
    assert AddTime().fit(timed).get_feature_names_out().tolist() == ["time", "time 2", "x"]
    twice = make_pipeline(DelayEmbedding(), DelayEmbedding()).fit(timed)
    assert twice.get_feature_names_out().tolist() == [
        *["time", "x", "lag 1 time", "lag 1 x"],
        *["lag 1 time 2", "lag 1 x 2", "lag 1 lag 1 time", "lag 1 lag 1 x"],
    ]


def test_caches_tell_names_apart(tmp_path):
    values, other = to_panel(frame()), to_panel(frame("dbac", ("speed", "temp")))
    assert joblib.hash(values) == joblib.hash(to_panel(frame()))
    assert len({joblib.hash(values), joblib.hash(other), joblib.hash(to_panel(frame(names="yx"))), joblib.hash(X)}) == 4
    chain = make_pipeline(AddTime(), Increments(), mean(), memory=str(tmp_path)).set_output(transform="pandas")
    chain.fit(frame())
    features = chain.fit_transform(frame("dbac", ("speed", "temp")))
    assert list(features.index) == list("dbac")
    assert chain[1].feature_names_in_.tolist() == ["time", "speed", "temp"]
    assert chain.transform(frame("dbac", ("speed", "temp"))).equals(features)


@pytest.mark.filterwarnings("ignore:When `set_output` is configured:UserWarning")
@pytest.mark.parametrize("function", [np.nan_to_num, np.round, np.log, np.copy, lambda panel: panel.round(2)])
def test_steps_that_compute_value_by_value_keep_the_rows(function):
    union = make_union(mean(), make_pipeline(FunctionTransformer(function), mean()))
    expected = union.fit(X).transform(X)
    features = union.set_output(transform="pandas").fit(X).transform(to_panel(frame("dbac")))
    assert list(features.index) == list("dbac")
    np.testing.assert_allclose(features.to_numpy(), expected)


def test_what_moves_channels_or_sorts_in_place_loses_the_names():
    panel = to_panel(frame("dbac"))
    turned = np.array([[0.0, 1.0], [1.0, 0.0]]) @ panel
    assert getattr(turned, "channel_names", None) is None
    ordered = panel.copy()
    ordered.sort(axis=0)
    assert ordered.index is None
    assert not isinstance(panel[True, 0], Panel)


def test_panels_from_augmentations_raise_no_doubts_about_their_axes(recwarn):
    make_pipeline(DelayEmbedding(n_lags=10), mean()).fit(padded(ragged((15,) * 4, 1)))
    mean().fit([pd.DataFrame(s).add_prefix("c") for s in X])
    mean().fit_transform([pd.DataFrame(s).add_prefix("c") for s in X])
    assert [str(warning.message) for warning in recwarn] == []


# -------------------------------------------------------------------------------------------------- long tables

HOURS = np.arange(5.0)
LONG = {
    "different beginnings": {"patient": np.repeat([1, 2, 3], 5), "hour": np.concatenate([HOURS, HOURS + 7, HOURS + 3])},
    "fractions": {"user": np.repeat([1, 2, 3], 5), "sec": np.tile(HOURS / 10, 3)},
    "stamps": {"user_id": np.repeat([1, 2, 3], 5), "timestamp": np.arange(15) * 60 + 1_700_000_000},
    "texts": {"who": np.repeat(["a", "b", "c"], 5), "when": np.tile(pd.date_range("2020", periods=5), 3)},
}


@pytest.mark.parametrize("case", LONG)
def test_long_tables_are_found(case):
    table = pd.DataFrame(LONG[case]).assign(value=np.linspace(0, 1, 15) ** 2)
    series, time = list(LONG[case])
    with pytest.raises(ValueError, match=f"pass to_panel\\(X, series='{series}', time='{time}'\\)"):
        to_panel(table)
    assert to_panel(table, series=series, time=time).shape == (3, 1, 5)


WIDE = {
    "counts": pd.DataFrame(np.random.default_rng(0).integers(0, 5, (40, 6))).add_prefix("t"),
    "named index": pd.DataFrame(X[:, 0, :3], columns=["t", "t-1", "t-2"]).rename_axis("id"),
    "columns named after time": pd.DataFrame(X[:, 0], columns=[f"time{i}" for i in range(8)]),
}


@pytest.mark.parametrize("case", WIDE)
def test_wide_tables_are_not_taken_for_long_ones(case):
    assert to_panel(WIDE[case]).shape == (len(WIDE[case]), 1, WIDE[case].shape[1])


def test_a_wide_frame_has_columns_of_one_level():
    with pytest.raises(ValueError, match="the columns of X must have one level, got 2"):
        to_panel(multiindex(ragged((5,) * 3)).unstack())


def test_dates_in_a_wide_frame_are_refused():
    with pytest.raises(ValueError, match="X must hold real numbers"):
        mean().fit(pd.DataFrame({"a": [1.0, 2.0], "b": [datetime.datetime(2020, 1, 1)] * 2}))
