"""Data, and ways to use it wrongly, for the tables of mistakes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from sigfeat import ISSTransformer, LowRankISSTransformer, MHAEmbedder, to_panel
from sigfeat.classifiers import iss_classifier

N, NAMES = 8, ["a", "b", "c"]
S = list(np.random.default_rng(0).normal(size=(N, 3, 20)))
X, Y = np.stack(S), np.arange(N) % 2
FRAMES = [pd.DataFrame(s.T, columns=NAMES) for s in S]
MULTI = pd.concat(FRAMES, keys=range(N), names=["series", "time"])
NESTED = pd.DataFrame({name: [pd.Series(s[c]) for s in S] for c, name in enumerate(NAMES)})
LONG = MULTI.reset_index()
WIDE = pd.DataFrame(X[:, 0]).rename(columns="t{}".format)
KEYS = {"series": "series", "time": "time"}
SMALL = {"d_model": 4, "n_layers": 1, "d_ff": 5, "max_epochs": 1}
TAUGHT = MHAEmbedder(n_heads=2, **SMALL)
CLASSIFIER = iss_classifier(n_functionals=5)
GRID = {"features__lowrankisstransformer__depth": [1, 2]}

POINTS = "n_timepoints must be at least {} for {}, got {}"
NEVER = "{!r} parameter of {} must be .* Got {} instead.$"
UNFITTED = "This {} instance is not fitted yet. Call 'fit' with appropriate arguments before using this estimator.$"


def of(library, make, *args):
    """What a function of another library gives."""
    return getattr(pytest.importorskip(library), make)(*args)


def polars():
    return [of("polars", "DataFrame", dict(zip(NAMES, s, strict=True))) for s in S]


def arrow():
    return [of("pyarrow", "table", dict(zip(NAMES, s, strict=True))) for s in S]


def dask(frame):
    return of("dask.dataframe", "from_pandas", frame, 2)


def fit(panel, y=Y, estimator=CLASSIFIER):
    """Fit, and see that a fit that fails leaves nothing behind that looks fitted."""
    fresh = clone(estimator)
    try:
        fresh.fit(panel, y)
    except Exception:
        with pytest.raises(NotFittedError):
            (fresh.predict if hasattr(fresh, "predict") else fresh.transform)(X)
        raise
    return fresh


def use(estimator, y=Y):
    """Fit an estimator, whose parameters may be wrong, to series that are right."""
    return fit(X, y, estimator)


def iss(**parameters):
    return use(ISSTransformer(**parameters))


def low_rank(**parameters):
    return use(LowRankISSTransformer(**{"n_functionals": 5} | parameters))


def search(panel, y, grid=GRID, estimator=CLASSIFIER, **options):
    return GridSearchCV(estimator, grid, cv=2, error_score="raise", **options).fit(panel, y)


def changed(value, *place):
    bad = X.copy()
    bad[place] = value
    return bad


def cells(value):
    frame = NESTED.copy()
    frame.iat[2, 1] = value
    return to_panel(frame)


def columns(*names):
    return [frame.set_axis(names, axis=1) for frame in FRAMES]


def objects(*items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array
