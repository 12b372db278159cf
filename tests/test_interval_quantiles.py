"""Quantiles over intervals: by hand, by the definition, in the loops and as a transformer."""

import itertools

import numpy as np
import pytest

from sigfeat import IntervalQuantileTransformer, Word, words_of_length
from sigfeat._kernels.intervals.quantiles import (
    DIFFERENCES,
    GIVEN,
    SECOND_DIFFERENCES,
    KeptColumns,
    dyadic_layout,
)
from sigfeat._kernels.intervals.quantiles import interval_quantiles as compiled_quantiles
from sigfeat.pooling import window_bounds, window_names
from sigfeat.reference.iss import iterated_sums
from sigfeat.reference.quantiles import interval_quantiles, represented
from sigfeat.transformers._contract import memory
from sigfeat.transformers.intervals import quantiles as module
from sigfeat.transformers.intervals._selection import quotas, random_words
from sigfeat.transformers.intervals.quantiles import REPRESENTATIONS
from tests.panels import padded
from tests.tolerances import KERNEL

pytestmark = pytest.mark.filterwarnings("ignore:X has more channels:UserWarning")  # than time points

LENGTHS = (1, 2, 3, 5, 16, 17, 31, 32, 33, 63, 64, 65, 100, 333)
KINDS = {"series": GIVEN, "differences": DIFFERENCES, "second_differences": SECOND_DIFFERENCES}
DTYPES = (np.float64, np.float32)


def normal(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


# ---------------------------------------------------------------------------------------------- the definition


def test_representations_by_hand():
    x = [0.0, 1.0, 4.0, 9.0, 16.0]  # differences 1, 3, 5, 7
    np.testing.assert_allclose(represented(x, "series"), x)
    smoothed = [(1 + 1 + 1 + 3 + 5) / 5, (1 + 1 + 3 + 5 + 7) / 5, (1 + 3 + 5 + 7 + 7) / 5, (3 + 5 + 7 + 7 + 7) / 5]
    np.testing.assert_allclose(represented(x, "differences"), smoothed)
    np.testing.assert_allclose(represented(x, "second_differences"), [2, 2, 2])
    np.testing.assert_allclose(represented([1.0, -1.0, 1.0, -1.0], "spectrum"), [0, 0, 2], atol=1e-15)
    for name, shortest in {"differences": 2, "second_differences": 3}.items():
        for n in range(1, shortest):
            assert represented(x[1 : 1 + n], name).tolist() == [0.0]
    with pytest.raises(ValueError, match="representation must be series, .* got 'middle'"):
        represented(x, "middle")


def test_quantiles_by_hand():
    x = [8.0, 1.0, 3.0, 8.0]  # of mean 5
    np.testing.assert_allclose(interval_quantiles(x, 1, 4), [(3 + 8) / 2])
    np.testing.assert_allclose(interval_quantiles(x, 1, 3), [1, 8 - 5])
    np.testing.assert_allclose(interval_quantiles(x, 1, 1), [1, 3 - 5, 8, 8 - 5])
    np.testing.assert_allclose(interval_quantiles(x, 2, 4), [5.5, 4.5, 5.5, 2])
    np.testing.assert_allclose(interval_quantiles(x, 9, 4), [5.5, 4.5, 5.5, 2, 8, 1, 3, 8])


def test_an_interval_without_a_point_has_the_value_of_the_next_one():
    assert interval_quantiles([3.0, 5.0], 3, 4, n_values=4).tolist() == [4, 3, 5, 3, 3, 3, 5, 5]
    assert interval_quantiles([3.0], 2, 1, n_values=4).tolist() == [3, 0, 3, 0, 3, 0, 3, 0, 3, 0]


@pytest.mark.parametrize("n", [4, 5, 37])
def test_intervals_are_the_dyadic_windows(n):
    x = normal(n)
    medians = interval_quantiles(x, 3, 10**6)
    bounds = window_bounds(("dyadic", 2), n)
    expected = [np.median(x[start:stop]) for start, stop in bounds]
    shifted = 3 if n > 4 else 0
    np.testing.assert_allclose([*medians[:3], *medians[4:8]], expected)
    assert len(medians) == len(expected) + 1 + shifted


# --------------------------------------------------------------------------------------------------- the loops


def all_columns(n_rows, layout, start=0):
    n_columns = layout.n_columns
    first = np.arange(n_rows + 1) * n_columns
    kept = np.tile(np.arange(n_columns), n_rows)
    return KeptColumns(np.arange(n_rows), np.full(n_rows, start), first, kept)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", KINDS)
def test_loops_are_the_definition(name, dtype):
    """Series of each length, cut as if they had any other length."""
    kind, X = KINDS[name], padded([normal(2, n, dtype=dtype, seed=n) for n in LENGTHS])
    for n_values, (n_levels, points) in itertools.product((1, 2, 5, 31, 64, 100), ((1, 4), (3, 1), (6, 4), (9, 7))):
        layout = dyadic_layout(n_values, n_levels, points)
        out = np.full((len(X), 2 * layout.n_columns), np.nan)
        compiled_quantiles(X, np.array(LENGTHS), kind, layout, all_columns(2, layout), n_threads=1, out=out)
        for i, n in enumerate(LENGTHS):
            rows = [interval_quantiles(represented(x[:n], name), n_levels, points, n_values) for x in X[i]]
            np.testing.assert_allclose(out[i], np.concatenate(rows), rtol=1e-12, atol=1e-12)


def test_loops_write_what_is_kept():
    X, layout = normal(5, 4, 40), dyadic_layout(40, 4, 4)
    everything, out = np.empty((5, 4 * layout.n_columns)), np.full((5, 11), 7.0)
    lengths = np.full(5, 40)
    compiled_quantiles(X, lengths, GIVEN, layout, all_columns(4, layout), n_threads=2, out=everything)
    columns = KeptColumns(
        np.array([3, 1, 0]), np.zeros(3, np.int64), np.array([2, 5, 5, 9]), np.array([0, 9, 30, 1, 2, 3, 50])
    )
    compiled_quantiles(X, lengths, GIVEN, layout, columns, n_threads=1, out=out)
    by_row = everything.reshape(5, 4, -1)
    np.testing.assert_array_equal(out[:, 2:9], np.hstack([by_row[:, 3, [0, 9, 30]], by_row[:, 0, [1, 2, 3, 50]]]))
    assert (out[:, [0, 1, 9, 10]] == 7.0).all()


@pytest.mark.parametrize("kind", KINDS.values())
def test_loops_start_where_a_row_starts(kind):
    X, layout = normal(3, 2, 30), dyadic_layout(25, 3, 2)
    found, expected = np.empty((3, 2 * layout.n_columns)), np.empty((3, 2 * layout.n_columns))
    lengths = np.array([30, 6, 12])
    compiled_quantiles(X, lengths, kind, layout, all_columns(2, layout, start=5), n_threads=1, out=found)
    later = np.ascontiguousarray(X[:, :, 5:])
    compiled_quantiles(later, lengths - 5, kind, layout, all_columns(2, layout), n_threads=1, out=expected)
    np.testing.assert_array_equal(found, expected)


def test_ties_and_infinities():
    layout = dyadic_layout(40, 3, 4)
    X = np.full((2, 1, 40), 0.1)
    X[1, 0, 30] = np.inf
    out = np.empty((2, layout.n_columns))
    compiled_quantiles(X, np.full(2, 40), GIVEN, layout, all_columns(1, layout), n_threads=1, out=out)
    assert set(out[0].tolist()) == {0.1, 0.0}  # the mean of equal values is their value, without rounding
    assert np.isnan(out[1]).all()


# --------------------------------------------------------------------------------------------- the transformer


def rows_of(x, transformer, names):
    """Pairs of the number of values and the values of all rows of a series (n_channels, n_timepoints)."""
    rows = [represented(channel, name) for name in names for channel in x / transformer.scale_[:, np.newaxis]]
    if transformer.words is not None:
        scaled = (x - transformer.mean_[:, np.newaxis]) / transformer.scale_[:, np.newaxis]
        how = {"semiring": transformer.semiring, "decay": transformer.decay}
        sums = iterated_sums(scaled[np.newaxis], transformer.words_, **how)[0]
        first = [word.length - 1 for word in transformer.words_]
        rows += [row[k:] if len(row) > k else np.zeros(1) for row, k in zip(sums, first, strict=True)]
    return rows


def defined(x, transformer, n_timepoints):
    """Features of a series by the definition, where the median length is `n_timepoints`."""
    given = transformer.representations
    names = [given] if isinstance(given, str) else list(given)
    n_values = {"differences": n_timepoints - 1, "second_differences": n_timepoints - 2}
    n_values["spectrum"] = n_timepoints // 2 + 1
    sizes = [max(1, n_values.get(name, n_timepoints)) for name in names for _ in x]
    sizes += [n_timepoints] * len(transformer.words_)
    rows = rows_of(x, transformer, names)
    how = transformer.n_levels, transformer.points_per_quantile
    return np.concatenate([interval_quantiles(row, *how, n) for row, n in zip(rows, sizes, strict=True)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
def test_features_are_those_of_the_definition(n, dtype):
    X = normal(3, 2, n, dtype=dtype, seed=n)
    transformer = IntervalQuantileTransformer(max_features=None).fit(X)
    found = transformer.transform(X)
    assert found.dtype == dtype
    expected = np.stack([defined(x.astype(np.float64), transformer, n) for x in X])
    np.testing.assert_allclose(found, expected, **KERNEL[np.dtype(dtype)])


CASES = {
    **{name: {"representations": name} for name in REPRESENTATIONS},
    "a list": {"representations": ["spectrum", "series"], "n_levels": 3, "points_per_quantile": 1},
    "words of length 2": {"words": "length", "depth": 2},
    "words of weight 3": {"representations": (), "words": "weight", "depth": 3, "n_levels": 2},
    "a list of words": {"representations": "series", "words": ["[1][2]", "[1,2]", "[2][1][1][1]"]},
    "max_plus": {"words": ["[1][2]", "[2]", "[1][1][1,2]"], "semiring": "max_plus"},
    "min_plus, decay": {"representations": [], "words": "length", "depth": 2, "semiring": "min_plus", "decay": 0.3},
    "decay": {"representations": [], "words": "length", "decay": 0.3, "depth": 3},
}


@pytest.mark.parametrize("case", CASES)
def test_features_of_a_ragged_panel(case):
    lengths = (40, 1, 3, 64, 64, 65, 41, 2, 120)
    series = [normal(2, n, seed=n) for n in lengths]
    transformer = IntervalQuantileTransformer(**CASES[case], max_features=None).fit(padded(series))
    found = transformer.transform(padded(series))
    expected = np.stack([defined(x, transformer, 41) for x in series])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    alone = np.concatenate([transformer.transform(x[np.newaxis]) for x in series])
    np.testing.assert_allclose(found, alone, rtol=1e-12, atol=1e-12)


def test_the_tropical_sum_of_a_short_series_is_0():
    X = normal(4, 1, 20)
    transformer = IntervalQuantileTransformer((), words=["[1][1][1]"], semiring="max_plus").fit(X)
    assert (transformer.transform(X[:, :, :2]) == 0).all()


def test_chunks_and_threads_change_nothing(monkeypatch):
    X = padded([normal(3, n, seed=n) for n in (50, 20, 50, 49, 33, 50, 50)])
    transformer = IntervalQuantileTransformer(words="weight", depth=2).fit(X)
    expected = transformer.transform(X)
    np.testing.assert_array_equal(transformer.set_params(n_jobs=2).transform(X), expected)
    for size in (1, 10_000, 20_000):
        monkeypatch.setattr(module, "CHUNK_BYTES", size)
        np.testing.assert_allclose(transformer.transform(X), expected, rtol=1e-13, atol=1e-13)


def test_words_may_fill_several_trees(monkeypatch):
    X = normal(3, 3, 20)
    transformer = IntervalQuantileTransformer((), words="weight", depth=3, max_features=None)
    expected = transformer.fit_transform(X)
    monkeypatch.setattr("sigfeat._kernels.words.iterated_sums.WORDS_PER_TREE", 7)
    assert len(transformer.words_) > 7
    np.testing.assert_array_equal(transformer.fit_transform(X), expected)


# ------------------------------------------------------------------------------------------- names and selection


def test_names_by_hand():
    names = IntervalQuantileTransformer("series", words=None, n_levels=2).fit(normal(2, 2, 10)).get_feature_names_out()
    of_one = ["q0/2", "q1/2", "q2/2", *[f"q{k}/1|{w}" for w in ("0/2-1/2", "1/2-2/2", "1/4-3/4") for k in (0, 1)]]
    assert names.tolist() == [f"[{c}]|series|{name}" for c in (1, 2) for name in of_one]
    short = IntervalQuantileTransformer("series", words=None).fit(normal(2, 1, 2)).get_feature_names_out()
    assert short.tolist() == [f"[1]|series|{name}" for name in ("q1/2", "q1/2|0/2-1/2", "q1/2|1/2-2/2")]


def test_windows_are_named_as_those_of_poolings():
    transformer = IntervalQuantileTransformer("series", n_levels=4, max_features=None).fit(normal(2, 1, 99))
    windows = dict.fromkeys(transformer.feature_table()["window"])
    assert [name for name in windows if name in window_names(("dyadic", 3))] == window_names(("dyadic", 3))


@pytest.mark.parametrize("n", [1, 2, 16, 33, 100])
def test_the_table_describes_the_names(n):
    transformer = IntervalQuantileTransformer(words=["[1][2]", "[2,2]"], max_features=500).fit(normal(2, 2, n))
    table, names = transformer.feature_table(), transformer.get_feature_names_out()
    assert table.index.tolist() == names.tolist()
    assert table.index.is_unique
    assert set(table["representation"]) == {*REPRESENTATIONS, "sums"}
    for name, row in table.iterrows():
        parts = [row["word"], row["representation"], row["quantile"], row["window"]]
        assert name == "|".join(part for part in parts if part != "0/1-1/1")
        assert row["channels"] == tuple(str(c + 1) for c in sorted(Word.parse(row["word"]).channels))


def test_names_of_sums_have_the_semiring():
    transformer = IntervalQuantileTransformer((), words=["[1][2]"], semiring="max_plus").fit(normal(2, 2, 9))
    assert transformer.get_feature_names_out()[0] == "[1][2]|max_plus_sums|q0/2"


@pytest.mark.parametrize(
    ("sizes", "limit", "expected"),
    [
        ([5, 7], None, [5, 7]),
        ([5, 7], 12, [5, 7]),
        ([100, 100], 9, [4, 5]),
        ([3, 100, 100], 43, [3, 20, 20]),
        ([100, 3, 0], 4, [2, 2, 0]),
        ([1, 1], 0, [0, 0]),
    ],
)
def test_representations_have_equal_parts_of_the_features(sizes, limit, expected):
    assert quotas(sizes, limit) == expected
    assert sum(expected) == min(sum(sizes), sum(sizes) if limit is None else limit)


@pytest.mark.parametrize(("n_channels", "length"), [(3, 3), (1, 5), (7, 2)])
def test_drawn_words_are_different_ones_in_order(n_channels, length):
    every, seed = words_of_length(n_channels, length), np.random.RandomState(0)
    assert random_words(n_channels, length, len(every), seed) == list(every)
    some = random_words(n_channels, length, 4, seed)
    assert [list(every).index(word) for word in some] == sorted({list(every).index(word) for word in some})
    assert len(some) == min(4, len(every))


@pytest.mark.filterwarnings("ignore:X has more channels")
def test_very_many_words_are_drawn_and_not_listed():
    X = normal(3, 2000, 4)
    transformer = IntervalQuantileTransformer(depth=2).fit(X)
    table = transformer.feature_table()
    parts = table.groupby(["representation", "level"]).size()
    assert len(table) == parts.sum() == 5000
    assert parts.index.tolist()[-3:] == [("spectrum", 1), ("sums", 1), ("sums", 2)]
    assert set(parts) == {833, 834}
    assert len(transformer.words_) == 2000 + 4096
    assert np.isfinite(transformer.transform(X)).all()


@pytest.mark.parametrize(("n_channels", "limit"), [(2, 100), (2, 1), (60, 300), (3, 10**9)])
def test_a_selection_has_columns_of_the_whole_table(n_channels, limit):
    X = normal(4, n_channels, 30)
    words = {"words": ["[1][2]", "[2][1]"]}
    everything = IntervalQuantileTransformer(max_features=None, **words).fit(X)
    values, names = everything.transform(X), everything.get_feature_names_out().tolist()
    chosen = IntervalQuantileTransformer(max_features=limit, **words).fit(X)
    places = [names.index(name) for name in chosen.get_feature_names_out()]
    assert len(places) == len(set(places)) == min(limit, len(names))
    assert places == sorted(places)
    np.testing.assert_array_equal(chosen.transform(X), values[:, places])
    table = everything.feature_table().loc[chosen.get_feature_names_out()]
    assert table.equals(chosen.feature_table())
    other = IntervalQuantileTransformer(max_features=limit, random_state=1, **words).fit(X)
    same = other.get_feature_names_out().tolist() == chosen.get_feature_names_out().tolist()
    assert same == (limit >= len(names))


def test_rows_are_left_out_where_there_are_many_channels():
    X = normal(2, 500, 100)
    transformer = IntervalQuantileTransformer(words=None, max_features=3200).fit(X)
    table = transformer.feature_table()
    assert len(table) == 3200
    assert table.groupby(["word", "representation"]).ngroups == 100
    assert transformer.transform(X).shape == (2, 3200)
    short = IntervalQuantileTransformer(max_features=3200).fit(X[:, :, :2])  # a row has 1 or 3 columns
    assert 3190 <= short.transform(X).shape[1] == len(short.get_feature_names_out()) <= 3200


# ----------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("given", [(), ("series", "series"), ("series", 1), ["series", "middle"], ("sums",)])
def test_representations_are_checked(given):
    with pytest.raises(ValueError, match="representations must name different ones of series, .* unless there are wor"):
        IntervalQuantileTransformer(given, words=None).fit(normal(2, 1, 10))


def test_overflow_is_reported():
    X = normal(3, 1, 20) * 1e30
    X[:, :, 3] = 3e38
    transformer = IntervalQuantileTransformer().fit(X.astype(np.float32))
    with pytest.raises(ValueError, match="^quantiles over intervals overflow float32: scale the series$"):
        transformer.transform(X.astype(np.float32) * np.float32([[[-1.0, 1.0] * 10]]))
    large = np.array([[[1.7e308, -1.7e308] * 10]])
    for name in ("differences", "second_differences", "spectrum"):
        median = IntervalQuantileTransformer(name, words=None, n_levels=1, points_per_quantile=100)
        with pytest.raises(ValueError, match="overflow float64"):
            median.fit(large).transform(large)


def test_sizes_are_checked_before_features_are_listed(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2**30)
    wide = np.zeros((2, 300, 10_000))
    with pytest.raises(ValueError, match="would give [0-9.e+]+ features .* lower max_features or n_levels"):
        IntervalQuantileTransformer(words=None, max_features=None).fit(wide)
    many = IntervalQuantileTransformer(words="length", depth=9, max_features=None)
    with pytest.raises(
        ValueError, match="features along .* words for each of 2 series.* lower the depth or choose words"
    ):
        many.fit(np.zeros((2, 4, 10)))


# --------------------------------------------------------------------------------------------------- other code


@pytest.mark.external
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # of aeon's own code
@pytest.mark.parametrize(
    ("name", "n"), [("series", 64), ("differences", 65), ("second_differences", 66), ("spectrum", 126)]
)
@pytest.mark.parametrize(("depth", "divisor"), [(6, 4), (7, 4), (3, 1)])
def test_features_are_those_of_quant(name, n, depth, divisor):
    """Lengths at which a representation has 64 values, so that no bound of an interval is rounded."""
    aeon = pytest.importorskip("aeon.transformations.collection.interval_based", reason="aeon is an extra")
    X = normal(4, 1, n)
    quant = aeon.QUANTTransformer(interval_depth=depth, quantile_divisor=divisor).fit(X)
    before = [len(quant._find_quantiles(torch_of(b - a)).ravel()) for own in quant.intervals_ for a, b in own.tolist()]
    sizes = [len(own) for own in quant.intervals_]
    place = list(REPRESENTATIONS).index(name)
    first = sum(before[: sum(sizes[:place])])
    n_columns = sum(before[sum(sizes[:place]) : sum(sizes[: place + 1])])
    expected = quant.transform(X)[:, first : first + n_columns]
    if name == "spectrum":
        expected = expected / np.sqrt(n)
    ours = IntervalQuantileTransformer(name, words=None, n_levels=depth, points_per_quantile=divisor).fit(X)
    np.testing.assert_allclose(ours.transform(X) * ours.scale_[0], expected, rtol=1e-4, atol=1e-5)


def torch_of(n):
    import torch

    return torch.zeros((1, 1, n))
