"""Mistakes of beginners: each gets one plain sentence that names what is wrong, and no fit is left half done."""

import re

import numpy as np
import pytest

from sigfeat import AddTime, ISSTransformer, to_panel
from tests.mistakes import FRAMES, KEYS, LONG, MULTI, X, Y, arrow, dask, fit, of, polars, search
from tests.mistakes_of_fits import FITS
from tests.mistakes_of_panels import PANELS
from tests.mistakes_of_parameters import PARAMETERS
from tests.pages import GUIDE

MISTAKES = PANELS | FITS | PARAMETERS
UGLY = re.compile(r"np\.\w+\(|array\(\[|\b_[A-Z]\w+|\n")

RIGHT = {
    "list of polars frames": lambda: to_panel(polars()),
    "list of pyarrow tables": lambda: to_panel(arrow()),
    "list of dask frames": lambda: to_panel([dask(frame) for frame in FRAMES]),
    "long table": lambda: to_panel(LONG, **KEYS),
    "shuffled long table": lambda: to_panel(LONG.iloc[np.argsort(-LONG["time"], kind="stable")], **KEYS),
    "long polars table": lambda: to_panel(of("polars", "DataFrame", LONG.to_dict("list")), **KEYS),
    "lazy polars table": lambda: to_panel(of("polars", "LazyFrame", LONG.to_dict("list")), **KEYS),
    "long pyarrow table": lambda: to_panel(of("pyarrow", "table", LONG.to_dict("list")), **KEYS),
    "long dask table": lambda: to_panel(dask(LONG), **KEYS),
    "long table without times": lambda: to_panel(LONG.drop(columns="time"), series="series"),
    "names of index levels": lambda: to_panel(MULTI, **KEYS),
    "DataArray": lambda: to_panel(of("xarray", "DataArray", X.transpose(0, 2, 1), None, ["series", "time", "channel"])),
    "a column of y": lambda: fit(X, list(Y)) and X,
    "a search for roc_auc": lambda: search(X, Y, scoring="roc_auc") and X,
    "a search over a panel of a multi-index": lambda: search(to_panel(MULTI), Y) and X,
    "a search over a list of polars frames": lambda: search(polars(), Y) and X,
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_gives_the_right_values(name):
    np.testing.assert_array_equal(RIGHT[name](), X)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_plain_sentence(name):
    argument, make, kind, sentence = MISTAKES[name]
    expect = pytest.warns if issubclass(kind, Warning) else pytest.raises
    with expect(kind, match=sentence) as caught:
        make()
    said = str(caught[0].message if issubclass(kind, Warning) else caught.value)
    assert UGLY.search(said) is None
    assert re.search(rf"\b{argument}\b", said)
    assert len(said.split()) > 3


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
@pytest.mark.parametrize("estimator", [AddTime(), ISSTransformer()], ids=str)
def test_one_warning_of_swapped_axes_stands_where_the_user_calls(estimator, method):
    with pytest.warns(UserWarning, match="X has more channels") as caught:
        getattr(estimator, method)(X.transpose(0, 2, 1))
    assert [warning.filename for warning in caught] == [__file__]


def test_tables_share_no_name_and_are_many():
    assert len(MISTAKES) == len(PANELS) + len(FITS) + len(PARAMETERS) > 200


def test_the_guide_tells_what_searches_over_frames_need():
    assert "to_panel(table)" in (GUIDE / "panels.md").read_text(encoding="utf-8")
