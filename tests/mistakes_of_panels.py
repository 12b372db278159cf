"""Wrong shapes, containers, time stamps and single series, and the sentence for each."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from sigfeat import AddTime, to_panel
from tests.mistakes import (
    FRAMES,
    KEYS,
    LONG,
    MULTI,
    NESTED,
    POINTS,
    WIDE,
    N,
    S,
    X,
    Y,
    arrow,
    cells,
    changed,
    columns,
    dask,
    fit,
    objects,
    of,
    polars,
)

V, T, U = ValueError, TypeError, UserWarning
LONG_TABLE = r"X looks like a long table, .* pass to_panel\(X, series='series', time='time'\)"
ONE_SERIES = r"X must hold series, got one series of shape {}: pass \[X\]"
NO_KIND = "X must be an array, a list of arrays, a DataFrame or a tensor, got {}$"
SWAPPED = r"X has more channels, 20, than time points, 3\..* pass {}\.$"
TURNED = r"X has 20 channels, but LowRankISSTransformer was fitted with 3; .* pass {}$"
COLUMN = "{} must be one of the columns of X, {}, got {}$"
KEPT = r"\['series', 'time', 'a', 'b', 'c'\]"
NO_STAMP = "every point of series 0.* of X must have a time stamp, got a missing one in its index$"
NO_ENTRY = "the index of X must name an instance and a time in every row, got a missing value$"
TEXTS = "the time stamps of .*X are text that is not sorted in the order of the rows, {!r} before {!r}: convert"
CELL = "every cell of X must hold a series, got {} in series {}, column {!r}; drop the columns that hold no series$"
NUMBERS = "X must hold real numbers, got {}$"

CONTAINERS = {
    "long table": ("to_panel", lambda: fit(LONG[["series", "time", "a"]], np.repeat(Y, 20)), V, LONG_TABLE),
    "long table of a polars frame": (
        "to_panel",
        lambda: fit(of("polars", "DataFrame", LONG[["series", "time", "a"]].to_dict("list"))),
        V,
        LONG_TABLE,
    ),
    "long table of dask": ("to_panel", lambda: fit(dask(LONG[["series", "time", "a"]])), V, LONG_TABLE),
    "long table, read as a panel": ("to_panel", lambda: to_panel(LONG), V, LONG_TABLE),
    "long table, predicted": ("to_panel", lambda: fit(WIDE).predict(LONG), V, LONG_TABLE),
    "no such series": ("series", lambda: to_panel(LONG, series="run"), V, COLUMN.format("series", KEPT, "'run'")),
    "no such time": (
        "time",
        lambda: to_panel(LONG, series="series", time="t"),
        V,
        COLUMN.format("time", KEPT, "'t'"),
    ),
    "time alone": ("series", lambda: to_panel(LONG, time="time"), V, COLUMN.format("series", KEPT, "None")),
    "series as a column": (
        "series",
        lambda: to_panel(LONG, series=LONG["series"]),
        T,
        "name of a column .* got Series$",
    ),
    "two columns for series": ("series", lambda: to_panel(LONG, series=["series"]), T, "name of a column .* got list$"),
    "one column for both": (
        "time",
        lambda: to_panel(LONG, series="time", time="time"),
        V,
        "series and time must be different columns of X, got 'time' for both$",
    ),
    "columns of an array": ("series", lambda: to_panel(X, series="a"), T, "name columns of a long .* is ndarray$"),
    "columns of a list": (
        "time",
        lambda: to_panel(FRAMES, series="a"),
        T,
        "name columns of a long table, but X is list$",
    ),
    "text in a long table": ("X", lambda: to_panel(LONG.assign(d="x"), **KEYS), V, "numbers: got 'x' in column 'd'$"),
    "a point twice in a long table": (
        "X",
        lambda: to_panel(pd.concat([LONG, LONG[:1]]), **KEYS),
        V,
        "the index of X must name each time of an instance once, got one twice in series 0$",
    ),
    "name of a file": ("X", lambda: fit("train.csv"), T, NO_KIND.format("str")),
    "dict": ("X", lambda: fit(dict(enumerate(S))), T, NO_KIND.format("dict")),
    "values of a dict": ("X", lambda: fit(dict(enumerate(S)).values()), T, NO_KIND.format("dict_values")),
    "set": ("X", lambda: fit({1, 2}), T, NO_KIND.format("set")),
    "generator": ("X", lambda: fit(s for s in S), T, NO_KIND.format("generator")),
    "groups": ("X", lambda: fit(LONG.groupby("series")), T, NO_KIND.format("DataFrameGroupBy")),
    "None": ("X", lambda: fit(None), T, NO_KIND.format("NoneType")),
    "sparse": ("X", lambda: fit(scipy.sparse.eye_array(N).tocsr()), T, "Sparse data was passed for X.*toarray"),
    "empty list": ("X", lambda: fit([], []), V, "X must hold at least one series, channel and time point, got shape"),
    "ragged item": ("X", lambda: fit([[[1.0, 2.0], [1.0]]] * N), V, "series 0 of X must hold real numbers: "),
    "None in a list": ("X", lambda: fit([S[0], None]), V, "series 1 of X must be an array or a frame, got a missing"),
    "text in a list": ("X", lambda: fit([S[0], "a"]), V, "series 1 of X must hold real numbers, got dtype <U1$"),
    "arrays of arrays": ("X", lambda: to_panel([X, X]), V, r"series 0 of X must have shape \(n_channels, n_timepoints"),
    "4-D": ("X", lambda: fit(X[np.newaxis]), V, r"X must have 3 dimensions \(n_samples, .* got 4$"),
    "complex": ("X", lambda: fit(X * 1j), V, NUMBERS.format("dtype complex128")),
    "complex table": ("X", lambda: fit(X[:, 0] * 1j), V, NUMBERS.format("dtype complex128")),
    "dates": ("X", lambda: fit(X.astype("M8[s]")), V, NUMBERS.format(r"dtype datetime64\[s\]")),
    "texts": ("X", lambda: fit(X.astype(str)), V, NUMBERS.format("dtype <U32")),
    "a column of texts": ("X", lambda: fit(WIDE.assign(name="x")), V, NUMBERS.format("text in column 'name'")),
    "a column of dates": (
        "X",
        lambda: fit(WIDE.assign(day=pd.Timestamp("2020"))),
        V,
        NUMBERS.format("Timestamp in column 'day'"),
    ),
    "nothing but None": ("X", lambda: fit(np.full(X.shape, None)), V, r"series 0 \(from 0\) of X is NaN throughout$"),
    "infinite": ("X", lambda: fit(changed(np.inf, 1, 1, 3)), V, "X must be finite .*, got inf in series 1 .* time 3"),
    "NaN inside": ("X", lambda: fit(changed(np.nan, 1, 1, 3)), V, r"got NaN in series 1 .*; FillMissing\(\) fills"),
    "NaN before": ("X", lambda: fit(changed(np.nan, 1, 1, 0)), V, r"got NaN in series 1 .*; FillMissing\(\) fills"),
    "a series of NaN": ("X", lambda: fit(changed(np.nan, 4)), V, r"but series 4 \(from 0\) of X is NaN throughout$"),
    "fewer channels": ("X", lambda: fit([S[0], S[1][:2]]), V, "as many channels as the first, 3, got 2 in series 1$"),
    "other columns": ("X", lambda: fit([FRAMES[0], *columns(*"xyz")]), V, "the columns of the first, .* in series 1$"),
    "columns in another order": (
        "X",
        lambda: fit([FRAMES[0], *columns(*"bac")]),
        V,
        r"got \['b', 'a', 'c'\] in series 1$",
    ),
    "a column twice": ("X", lambda: fit(columns(*"aab")), V, "channels of X must have different names, got 'a' twice$"),
    "a column twice in a long table": (
        "X",
        lambda: to_panel(LONG.set_axis(["series", "series", "time", "a", "b"], axis=1), **KEYS),
        V,
        "the columns of X must have different names, got 'series' twice$",
    ),
    "channels in another order": (
        "X",
        lambda: fit(MULTI).predict(MULTI[["b", "a", "c"]]),
        V,
        r"channels of X must be named and ordered as at fit, \['a', 'b', 'c'\], got \['b', 'a', 'c'\]$",
    ),
    "fewer channels at predict": ("X", lambda: fit(X).predict(X[:, :2]), V, "X has 2 channels, .* was fitted with 3$"),
    "shorter tables": (
        "X",
        lambda: fit(X[:, 0]).predict(X[:, 0, :9]),
        V,
        "X has 9 features, but LowRankISSTransformer is exp",
    ),
    "DataArray without time": (
        "X",
        lambda: to_panel(of("xarray", "DataArray", X, None, ["series", "channel", "t"])),
        V,
        'X must have a dimension "time", .*got the dimensions',
    ),
    "three levels": (
        "X",
        lambda: fit(pd.concat([MULTI], keys=[0])),
        V,
        r"two levels \(instance, time\), got 3 levels$",
    ),
    "levels of columns": (
        "X",
        lambda: fit(MULTI.unstack()),
        V,
        r"columns of X must have one level, got 2: .*X.stack\(\)",
    ),
    "short series": ("n_timepoints", lambda: fit(X[:, :1, :1]), V, POINTS.format(2, "functionals of 2 letters", 1)),
    "swapped axes": ("X", lambda: fit(X.transpose(0, 2, 1)), U, SWAPPED.format(r"X.transpose\(0, 2, 1\)")),
    "swapped axes of arrays": ("X", lambda: fit([s.T for s in S]), U, SWAPPED.format(r"\[x.T for x in X\]")),
    "swapped axes of objects": (
        "X",
        lambda: fit(objects(*S[:-1], S[-1][:, :19].T)),
        V,
        "as many channels as the first",
    ),
    "swapped axes of frames": (
        "X",
        lambda: fit([pd.DataFrame(s) for s in S]),
        U,
        SWAPPED.format(r"\[x.T for x in X\]"),
    ),
    "swapped axes of a transformer": (
        "X",
        lambda: fit(X.transpose(0, 2, 1), estimator=AddTime()),
        U,
        SWAPPED.format(r"X.transpose\(0, 2, 1\)"),
    ),
    "swapped axes at predict": (
        "X",
        lambda: fit(X).predict(X.transpose(0, 2, 1)),
        V,
        TURNED.format(r"X.transpose\(0, 2, 1\)"),
    ),
    "swapped arrays at predict": (
        "X",
        lambda: fit(S).predict([s.T for s in S]),
        V,
        TURNED.format(r"\[x.T for x in X\]"),
    ),
    "channels first": (
        "y",
        lambda: fit(X.transpose(1, 0, 2)),
        V,
        r"y must have one entry per series, 3, got 8; if .* pass X.transpose\(1, 0, 2\)$",
    ),
}


def stamped(*times):
    """A frame of one channel with these time stamps."""
    return pd.DataFrame({"a": np.arange(float(len(times)))}, index=pd.Index(times, dtype=object).infer_objects())


def listed(*times):
    return to_panel([stamped(*times)] * 2)


def indexed(*times):
    return to_panel(pd.concat([stamped(*times)] * 2, keys=[0, 1]))


def nested(*times):
    return to_panel(pd.DataFrame({"a": [stamped(*times)["a"]] * 2}))


def tabled(*times):
    frame = pd.concat([stamped(*times)] * 2, keys=[0, 1], names=["series", "time"])
    return to_panel(frame.reset_index(), series="series", time="time")


FORMS = {"frames": listed, "a multi-index": indexed, "cells": nested, "a long table": tabled}
UNORDERED = [("9:00", "10:00"), ("t1", "t2", "t10"), ("12/2020", "01/2021")]
TIMES = {
    f"{times[0]} and so on in {form}": ("X", partial(make, *times), V, TEXTS.format(*times[-2:]))
    for times in UNORDERED
    for form, make in FORMS.items()
}
TIMES |= {
    f"mixed stamps in {form}": ("X", partial(make, 1, "a"), V, "stamps of .*X must be of one type, got int and str$")
    for form, make in FORMS.items()
}
TIMES |= {
    f"{name} in {form}": ("X", partial(make, *times), V, NO_STAMP if form in ("frames", "cells") else NO_ENTRY)
    for name, times in {"NaT": (pd.Timestamp("2020"), pd.NaT), "NaN": (0.0, np.nan), "no text": ("a", None)}.items()
    for form, make in FORMS.items()
}
TIMES |= {
    f"a stamp twice in {form}": (
        "X",
        partial(make, 1, 2, 1),
        V,
        "must have different time stamps, got 1 twice" if form in ("frames", "cells") else "got one twice in series 0$",
    )
    for form, make in FORMS.items()
}
TIMES |= {
    "stamps with and without a zone": (
        "X",
        lambda: listed(pd.Timestamp("2020"), pd.Timestamp("2020", tz="UTC")),
        V,
        "the time stamps of series 0 of X must be comparable: ",
    ),
}
CELLS = {
    "None in a cell": ("X", lambda: cells(None), V, CELL.format("a missing one", 2, "b")),
    "NaN in a cell": ("X", lambda: cells(np.nan), V, CELL.format("a missing one", 2, "b")),
    "NA in a cell": ("X", lambda: cells(pd.NA), V, CELL.format("a missing one", 2, "b")),
    "a number in a cell": ("X", lambda: cells(np.float64(3)), V, CELL.format("3.0", 2, "b")),
    "a text in a cell": ("X", lambda: cells("x"), V, CELL.format("'x'", 2, "b")),
    "a panel in a cell": ("X", lambda: cells(np.ones((2, 3))), V, "must be 1-D .* got shape .* column 'b' of X$"),
    "a shorter cell": ("X", lambda: cells(pd.Series([1.0])), V, r"same length, got shapes .* in series 2 of X$"),
    "numbers of cases": ("X", lambda: fit(NESTED.assign(id=range(N))), V, CELL.format("0", 0, "id")),
    "names of cases": ("X", lambda: fit(NESTED.assign(id=list("abcdefgh"))), V, CELL.format("'a'", 0, "id")),
    "a column of nothing": ("X", lambda: fit(NESTED.assign(d=np.nan)), V, CELL.format("a missing one", 0, "d")),
    "cells that are texts": ("X", lambda: fit(NESTED.map(str)), V, NUMBERS.format("text in column 'a'")),
    "cells that are texts, as a panel": (
        "X",
        lambda: to_panel(NESTED.map(str)),
        V,
        r"got '.{,80}\.\.\. in column 'a'$",
    ),
}


def first_as_tensors():
    torch = pytest.importorskip("torch")
    return fit(torch.tensor(X)).predict(torch.tensor(X[0]))


SINGLE = {
    "one of an array": ("X", lambda: fit(X).predict(X[0]), V, ONE_SERIES.format(r"\(3, 20\)")),
    "one of an array, transformed": (
        "X",
        lambda: fit(X, estimator=AddTime()).transform(X[0]),
        V,
        ONE_SERIES.format(r"\(3, 20\)"),
    ),
    "one of a list": ("X", lambda: fit(S).predict(S[0]), V, ONE_SERIES.format(r"\(3, 20\)")),
    "one of a list of frames": ("X", lambda: fit(FRAMES).predict(FRAMES[0]), V, ONE_SERIES.format(r"\(20, 3\)")),
    "one of a list of polars frames": (
        "X",
        lambda: fit(polars()).predict(polars()[0]),
        V,
        ONE_SERIES.format(r"\(20, 3\)"),
    ),
    "one of a list of pyarrow tables": (
        "X",
        lambda: fit(arrow()).predict(arrow()[0]),
        V,
        ONE_SERIES.format(r"\(20, 3\)"),
    ),
    "one of a multi-index": ("X", lambda: fit(MULTI).predict(MULTI.loc[0]), V, ONE_SERIES.format(r"\(20, 3\)")),
    "one of nested cells": ("X", lambda: fit(NESTED).predict(NESTED.iloc[0]), V, r"pass X.to_frame\(\).T"),
    "one of a wide frame": ("X", lambda: fit(WIDE).predict(WIDE.iloc[0]), V, ONE_SERIES.format(r"\(20,\)")),
    "one of a panel with names": (
        "X",
        lambda: fit(to_panel(MULTI)).predict(to_panel(MULTI)[0]),
        V,
        ONE_SERIES.format(r"\(3, 20\)"),
    ),
    "one tensor": ("X", first_as_tensors, V, ONE_SERIES.format(r"\(3, 20\)")),
    "one array of numbers": ("X", lambda: fit(X[:, 0]).predict(X[0, 0]), V, ONE_SERIES.format(r"\(20,\)")),
    "one list of numbers": ("X", lambda: fit(X[0, 0].tolist()), V, ONE_SERIES.format(r"\(20,\)")),
    "one array, as a panel": ("X", lambda: to_panel(X[0, 0]), V, r"one series of shape \(20,\): pass \[X\]$"),
    "one list, as a panel": ("X", lambda: to_panel([1.0, 2.0]), V, r"one series of 2 numbers: pass \[X\]$"),
    "one column, as a panel": ("X", lambda: to_panel(LONG["a"]), V, r"one series of shape \(160,\): pass \[X\]$"),
    "X and y exchanged": ("X", lambda: fit(Y, X), V, ONE_SERIES.format(r"\(8,\)")),
}
PANELS = CONTAINERS | TIMES | CELLS | SINGLE
