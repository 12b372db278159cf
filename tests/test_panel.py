"""Every kind of panel becomes the same array, and what is no panel is refused in one sentence."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from sigfeat import to_panel
from sigfeat.panel import series_lengths
from tests.panels import KINDS, LENGTHS, df_list, interleaved, multiindex, nested, padded, ragged

NAN = np.nan


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("lengths", [LENGTHS, (5, 5, 5), (4,)], ids=["unequal", "equal", "one"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_becomes_the_same_array(kind, lengths, dtype):
    series = ragged(lengths, dtype=dtype)
    panel = to_panel(KINDS[kind](series))
    assert panel.dtype == dtype
    assert isinstance(panel, np.ndarray)
    assert panel.flags.c_contiguous
    np.testing.assert_array_equal(panel, padded(series))
    np.testing.assert_array_equal(series_lengths(panel), lengths)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(1, 3), st.randoms(use_true_random=False))
def test_rows_of_a_multiindex_may_come_in_any_order(lengths, n_channels, random):
    series = ragged(tuple(lengths), n_channels)
    rows = [(i, t) for i, length in enumerate(lengths) for t in range(length)]
    random.shuffle(rows)
    appearance = list(dict.fromkeys(i for i, _ in rows))
    names = random.sample(range(100), len(lengths))
    index = pd.MultiIndex.from_tuples([(names[i], t) for i, t in rows])
    frame = pd.DataFrame([series[i][:, t] for i, t in rows], index=index)
    np.testing.assert_array_equal(to_panel(frame), padded([series[i] for i in appearance]))


def test_levels_of_a_multiindex_may_hold_more_than_the_rows_use():
    frame = multiindex(ragged())
    some = frame.loc[[1, 4]]
    assert len(some.index.levels[0]) == len(LENGTHS)
    np.testing.assert_array_equal(to_panel(some), padded([ragged()[1], ragged()[4]]))


def test_times_are_sorted_by_value_not_by_where_they_stand_in_the_level():
    index = pd.MultiIndex(levels=[["a", "b"], [20, 3, 100]], codes=[[1, 1, 0, 1, 0], [0, 1, 2, 2, 1]])
    frame = pd.DataFrame({"x": [2.0, 1.0, 9.0, 3.0, 8.0]}, index=index)
    np.testing.assert_array_equal(to_panel(frame), [[[1, 2, 3]], [[8, 9, NAN]]])


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2020", periods=3),
        pd.period_range("2020", periods=3, freq="D"),
        pd.CategoricalIndex(list("cab"), categories=list("cab"), ordered=True),
        [datetime.date(2020, 1, day) for day in (1, 2, 3)],
    ],
    ids=["stamps", "periods", "ordered categories", "dates"],
)
def test_times_may_be_of_any_type_with_an_order(times):
    index = pd.MultiIndex.from_product([pd.Categorical(["z", "y"], categories=["w", "y", "z"]), times])
    frame = pd.DataFrame({"x": np.arange(6.0)}, index=index)
    np.testing.assert_array_equal(to_panel(frame), np.arange(6.0).reshape(2, 1, 3))
    np.testing.assert_array_equal(to_panel(frame.iloc[[2, 1, 0, 5, 3, 4]]), np.arange(6.0).reshape(2, 1, 3))


@pytest.mark.parametrize("arrange", ["sorted", "interleaved", "shuffled"])
def test_many_series_are_the_same_panel_in_any_order_of_rows(arrange, rng):
    n_samples, n_timepoints, n_channels = 2000, 100, 3
    series = rng.normal(size=(n_samples, n_timepoints, n_channels))
    names = rng.permutation(n_samples)
    index = pd.MultiIndex.from_product([names, range(n_timepoints)])
    frame = pd.DataFrame(series.reshape(-1, n_channels), index=index)
    if arrange == "sorted":
        frame = frame.sort_index()
    elif arrange == "interleaved":
        frame = frame.sort_index(level=1, sort_remaining=False)
    else:
        frame = frame.sample(frac=1, random_state=0)
    place = {name: i for i, name in enumerate(names)}
    order = [place[name] for name in dict.fromkeys(frame.index.get_level_values(0))]
    np.testing.assert_array_equal(to_panel(frame), series[order].transpose(0, 2, 1))


def test_a_right_array_is_not_copied(tmp_path):
    X = padded(ragged())
    assert to_panel(X) is X
    X.setflags(write=False)
    assert to_panel(X) is X
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.shares_memory(to_panel(mapped), mapped)


ONE_CHANNEL = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


FORMS = {
    "array": ONE_CHANNEL,
    "nested lists": ONE_CHANNEL.tolist(),
    "list of 1-D arrays": list(ONE_CHANNEL),
    "list of 1-D and 2-D arrays": [ONE_CHANNEL[0], ONE_CHANNEL[1:]],
    "list of a Series and a tuple": [pd.Series(ONE_CHANNEL[0][[2, 0, 1]], index=[5, 1, 2]), tuple(ONE_CHANNEL[1])],
    "Series of arrays": pd.Series([ONE_CHANNEL[0], ONE_CHANNEL[1]]),
    "DataFrame": pd.DataFrame(ONE_CHANNEL, columns=list("abc")),
    "DataFrame of pandas' own dtypes": pd.DataFrame(ONE_CHANNEL).convert_dtypes(),
    "Fortran order": np.asfortranarray(ONE_CHANNEL)[:, np.newaxis],
    "negative strides": ONE_CHANNEL[:, ::-1].copy()[:, ::-1],
    "every second": np.repeat(ONE_CHANNEL, 2, axis=1)[:, ::2],
    "masked array": np.ma.MaskedArray(ONE_CHANNEL),
    "matrix": np.asmatrix(ONE_CHANNEL),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("form", FORMS)
def test_one_channel(form):
    panel = to_panel(FORMS[form])
    assert panel.dtype == np.float64
    assert panel.flags.c_contiguous
    np.testing.assert_array_equal(panel, ONE_CHANNEL[:, np.newaxis])


def test_tensors():
    torch = pytest.importorskip("torch")
    for dtype, expected in [(torch.float32, np.float32), (torch.bfloat16, np.float64), (torch.int8, np.float64)]:
        panel = to_panel(torch.tensor(ONE_CHANNEL, dtype=dtype))
        assert panel.dtype == expected
        np.testing.assert_array_equal(panel, ONE_CHANNEL[:, np.newaxis])
    shared = torch.ones(2, 3, 4)
    assert np.shares_memory(to_panel(shared), shared.numpy())
    with pytest.raises(ValueError, match="X must have 3 dimensions .* got 4"):
        to_panel(torch.ones(1, 2, 3, 4))


@pytest.mark.parametrize("dtype", ["float16", "int8", "uint64", "bool", "object", "longdouble", ">f8"])
def test_other_numbers_become_float64(dtype):
    X = np.array([[[1, 0], [0, 1]]])
    for given_as in (X.astype(dtype), list(X.astype(dtype)), pd.DataFrame(X[0].astype(dtype))):
        panel = to_panel(given_as)
        assert panel.dtype == np.dtype(np.float64)
        assert panel.dtype.isnative
        np.testing.assert_array_equal(panel.ravel(), X.ravel())


def test_float32_needs_everything_to_be_float32():
    one, two = np.ones((2, 3), np.float32), np.ones((2, 4))
    assert to_panel([one, one]).dtype == np.float32
    assert to_panel([one, two]).dtype == np.float64
    assert to_panel(np.ones((1, 2, 3), dtype=">f4")).dtype == np.dtype(np.float32)
    mixed = multiindex(ragged()).astype({"channel2": np.float32, "channel3": bool})
    assert to_panel(mixed).dtype == np.float64
    np.testing.assert_array_equal(np.nanmin(to_panel(mixed)[:, 2], axis=1), 1.0)


def test_what_is_missing_becomes_nan():
    expected = [[[1.0, NAN, 3.0]]]
    mask = [[[False, True, False]]]
    for X in (
        np.ma.MaskedArray([[[1.0, 9.0, 3.0]]], mask),
        np.ma.MaskedArray([[[1, 9, 3]]], mask),
        [np.ma.MaskedArray([1, 9, 3], mask[0][0])],
        np.array([[[1, None, 3]]], dtype=object),
        [pd.Series([1, pd.NA, 3], dtype="Int64")],
        pd.DataFrame([[1, pd.NA, 3]], dtype="Float64"),
        pd.DataFrame({"x": [1.0, None, 3.0]}, index=pd.MultiIndex.from_product([[0], range(3)])),
        [[1.0, NAN, 3.0]],
    ):
        np.testing.assert_array_equal(to_panel(X), expected)


def test_nan_at_the_end_of_an_item_is_padding():
    panel = to_panel([np.array([[1.0, NAN, NAN], [2.0, 3.0, NAN]]), np.array([[1.0, NAN], [NAN, NAN]])])
    np.testing.assert_array_equal(series_lengths(panel), [2, 1])


def test_numbers_that_are_no_floats():
    X = np.array([[[decimal.Decimal("0.5"), np.float32(2), 3, True]]], dtype=object)
    np.testing.assert_array_equal(to_panel(X), [[[0.5, 2, 3, 1]]])


@given(st.lists(st.lists(st.sampled_from([0.0, NAN]), min_size=6, max_size=6), min_size=1, max_size=5))
def test_lengths_end_at_the_last_time_with_a_value(rows):
    panel = np.array(rows).reshape(len(rows), 2, 3)
    lengths = series_lengths(panel)
    assert lengths.dtype == np.int64
    assert lengths.tolist() == [max([t + 1 for t in range(3) if (s[:, t] == 0).any()], default=0) for s in panel]


def duplicated(frame):
    return pd.concat([frame, frame.iloc[[3]]])


def with_columns(frames, i, columns):
    frames[i] = frames[i][columns]
    return frames


def with_cell(frame, cell):
    frame.iat[2, 1] = cell
    return frame


REFUSED = {
    "text": ([["1", "2"]], "series 0 of X must hold real numbers, got dtype <U1"),
    "text as objects": (np.array([[["1", "2"]]], dtype=object), "X must hold real numbers: got '1'"),
    "text in a column": (pd.DataFrame({"a": [1.0], "b": ["2"]}), "X must hold real numbers: got '2' in column 'b'"),
    "one text in a column": (
        [pd.DataFrame({"a": [1.0, 2.0], "b": ["2", "two"]})],
        "series 0 of X must hold real numbers: got 'two' in column 'b'",
    ),
    "dates": (np.array([["2020-01-01"]], dtype="M8[D]"), r"X must hold real numbers, got dtype datetime64\[D\]"),
    "date objects": (np.array([[[datetime.date(2020, 1, 1)]]], dtype=object), "X must hold real numbers: "),
    "complex": (np.ones((1, 1, 2), dtype=complex), "X must hold real numbers, got dtype complex128"),
    "complex objects": (np.array([[[1j]]], dtype=object), "X must hold real numbers: got 1j"),
    "records": (np.zeros((1, 1), dtype="i4,f4"), "X must hold real numbers, got dtype"),
    "0-D": (np.array(1.0), "X must have 3 dimensions .* got 0"),
    "1-D": (np.ones(3), r"X must hold several series, got one series of shape \(3,\): pass \[X\]"),
    "numbers": ([1.0, 2.0], r"X must hold several series, got one series of 2 numbers: pass \[X\]"),
    "4-D": (np.ones((1, 2, 3, 4)), "X must have 3 dimensions .* got 4"),
    "4-D list": (list(np.ones((1, 2, 3, 4))), r"series 0 of X must have shape .* got \(2, 3, 4\)"),
    "empty": ([], "at least one series, channel and time point, got shape"),
    "no series": (np.ones((0, 2, 3)), r"got shape \(0, 2, 3\)"),
    "no channel": (np.ones((2, 0, 3)), r"got shape \(2, 0, 3\)"),
    "no time point": ([np.ones((2, 0)), np.ones((2, 0))], r"got shape \(2, 2, 0\)"),
    "no rows": (multiindex(ragged()).iloc[:0], r"got shape \(0, 3, 0\)"),
    "no columns": (pd.DataFrame(index=range(3)), r"got shape \(3, 1, 0\)"),
    "channels": ([np.ones((2, 3)), np.ones(3)], "as many channels as the first, 2, got 1 in series 1"),
    "ragged item": ([np.ones((2, 3)), [[1.0], [1.0, 2.0]]], "series 1 of X must hold real numbers: "),
    "columns": (
        with_columns(df_list(ragged()), 2, ["channel2", "channel1", "channel3"]),
        r"columns of the first, .* got \['channel2', 'channel1', 'channel3'\] in series 2",
    ),
    "cells of unequal length": (
        with_cell(nested(ragged()), pd.Series(np.ones(5))),
        r"same length, got shapes \(12,\), \(5,\), \(12,\) in series 2",
    ),
    "cell of text": (with_cell(nested(ragged()), pd.Series(["a"])), "series 2, column .channel2. of X must hold real"),
    "a time twice": (duplicated(multiindex(ragged())), "each time of an instance once, got one twice in series 0"),
    "a time twice, interleaved": (duplicated(interleaved(ragged())), "got one twice in series 3"),
    "three levels": (
        pd.DataFrame({"x": [1.0]}, index=pd.MultiIndex.from_tuples([(0, 0, 0)])),
        r"two levels \(instance, time\), got 3 levels",
    ),
    "nameless time": (
        pd.DataFrame({"x": [1.0, 2.0]}, index=pd.MultiIndex.from_tuples([(0, 0), (0, None)])),
        "must name an instance and a time in every row",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_holds_no_panel_is_refused(case):
    X, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as caught:
        to_panel(X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("X", "kind"),
    [
        (None, "NoneType"),
        (1.0, "float"),
        (np.float64(1.0), "float64"),
        ("abc", "str"),
        ({"x": [1.0]}, "dict"),
        ((x for x in "ab"), "generator"),
        (scipy.sparse.eye_array(3).tocsr(), r"csr_array; make a sparse X dense with X.toarray\(\)"),
    ],
    ids=["None", "number", "NumPy number", "text", "dict", "generator", "sparse"],
)
def test_what_is_no_panel_is_refused_by_type(X, kind):
    with pytest.raises(TypeError, match=f"X must be an array, a list .* got {kind}"):
        to_panel(X)
