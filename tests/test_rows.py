"""The row of a series is the row it came in with: every estimator, container, output and index.

The estimators are those of the table of adapters, so that a new one is tested too.
`python -m tests.test_rows` counts the cases.
"""

import functools
import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline, make_union

from sigfeat import ChannelUnion, CumulativeSum, Increments, ISSTransformer, to_panel
from sigfeat.adapters._estimators import ADAPTED, CLASSES, FEATURES, NUMBERS, PANELS
from sigfeat.classifiers import iss_classifier
from tests.panels import padded, ragged

NAMES = ["speed", "temp"]
LENGTHS = (9, 14, 12, 14, 10, 11, 13, 9)
CHANNEL_UNION = ChannelUnion([("raw", "passthrough"), ("steps", Increments()), ("sums", CumulativeSum())])
ESTIMATORS = [*sorted(ADAPTED), "ChannelUnion"]
# One of each kind is fitted to every container. The rows of the others go through the same code: each of them is fitted
# to some of the containers, in turn, so that every container has several of them.
WHOLE = ("Increments", "ChannelUnion", "ISSTransformer", "MHAEmbedder", "ISSClassifier", "HyenaRegressor")
N_IN_TURN = 3

# ------------------------------------------------------------------------------------------------- containers


def frames(library, make):
    """Maker of a list of frames of a library."""

    def build(series, labels):
        frame = getattr(pytest.importorskip(library), make)
        return [frame(dict(zip(NAMES, s, strict=True))) for s in series]

    return build


def nested(series, labels):
    cells = {name: [pd.Series(s[c]) for s in series] for c, name in enumerate(NAMES)}
    return pd.DataFrame(cells, index=labels)


def multiindex(series, labels):
    return pd.concat([pd.DataFrame(s.T, columns=NAMES) for s in series], keys=list(labels))


def wide(series, labels):
    return pd.DataFrame(np.stack([s[0] for s in series]), index=labels).rename(columns="t{}".format)


def wide_polars(series, labels):
    return pytest.importorskip("polars").DataFrame(wide(series, labels).to_dict("list"))


def wide_arrow(series, labels):
    return pytest.importorskip("pyarrow").table(wide(series, labels).to_dict("list"))


def wide_dask(series, labels):
    return pytest.importorskip("dask.dataframe").from_pandas(wide(series, labels), npartitions=1, sort=False)


WITHOUT_INDEX = {
    "array": lambda series, labels: padded(series),
    "list": lambda series, labels: list(series),
    "list of pandas frames": frames("pandas", "DataFrame"),
    "list of polars frames": frames("polars", "DataFrame"),
    "list of pyarrow tables": frames("pyarrow", "table"),
}
WITH_INDEX = {
    "nested_univ": nested,
    "pd-multiindex": multiindex,
    "to_panel of pd-multiindex": lambda series, labels: to_panel(multiindex(series, labels)),
}
TABLES = {"wide polars frame": wide_polars, "wide pyarrow table": wide_arrow}
INDEXED_TABLES = {"wide frame": wide, "wide dask frame": wide_dask}
CONTAINERS = WITHOUT_INDEX | WITH_INDEX | TABLES | INDEXED_TABLES
N = len(LENGTHS)
INDICES = {  # which series, and what they are called
    "in order": (range(N), range(N)),
    "permuted": ([3, 0, 7, 1, 6, 2, 5, 4], [3, 0, 7, 1, 6, 2, 5, 4]),
    "strings": (range(N), [f"run {9 - i}" for i in range(N)]),
    "subset": ([6, 2, 4], [6, 2, 4]),
    "duplicate": (range(N), [4, 1, 4, 0, 1, 2, 0, 3]),
}
OUTPUTS = ("default", "pandas", "polars")


def possible(container, index):
    """An instance of a pd-multiindex has one name."""
    return index != "duplicate" or "multiindex" not in container


def is_wide(container):
    return container in TABLES | INDEXED_TABLES


def in_turn(name, containers, n=N_IN_TURN):
    """The containers for an estimator."""
    containers, first = list(containers), ESTIMATORS.index(name)
    if name in WHOLE:
        return containers
    step = max(1, len(containers) // n)
    return [containers[(first + k * step) % len(containers)] for k in range(n)]


def panel(container):
    """Series that fit into a container, as a list."""
    return ragged((12,) * N, 1) if is_wide(container) else ragged(LENGTHS, 2)


def build(container, index):
    rows, labels = INDICES[index]
    return CONTAINERS[container]([panel(container)[i] for i in rows], list(labels)), list(rows), list(labels)


# ------------------------------------------------------------------------------------------------- estimators


def made(name):
    if name == "ChannelUnion":
        return clone(CHANNEL_UNION)
    for package in ADAPTED[name].needs:
        pytest.importorskip(package)
    return ADAPTED[name].load()(**ADAPTED[name].examples()[0])


def gives(name):
    return PANELS if name == "ChannelUnion" else ADAPTED[name].gives


def target(name):
    return np.linspace(0.0, 1.0, N) if gives(name) == NUMBERS else np.arange(N) % 2


def gives_panels(fitted):
    return hasattr(fitted, "_learnt")


@functools.cache
def expected_of(name, is_wide_one):
    """What an estimator gives for plain arrays, and what its columns are called."""
    X = padded(panel("wide frame" if is_wide_one else "array"))
    fitted = made(name).fit(X, target(name))
    if gives(name) in (CLASSES, NUMBERS):
        return fitted.predict(X), None
    return fitted.transform(X), fitted.get_feature_names_out()


def same(result, expected):
    """The same numbers; embeddings are rounded by what is computed together."""
    np.testing.assert_allclose(np.asarray(result), expected, rtol=1e-5, atol=1e-6, strict=True)


def check_output(fitted, X, output, expected, labels):
    """One output: rows, their labels, columns."""
    result = fitted.set_output(transform=output).transform(X)
    same(result, cut(expected, np.shape(result)[-1]))
    if output == "pandas" and expected.ndim == 2:
        assert list(result.index) == labels
    if output != "default" and expected.ndim == 2:
        assert list(result.columns) == fitted.get_feature_names_out().tolist()
    if expected.ndim == 3 and labels != list(range(len(labels))):
        assert list(result.index) == labels


@pytest.mark.filterwarnings("ignore:X has feature names, but:UserWarning")  # of another output at fit
@pytest.mark.parametrize(
    ("name", "container"), [(name, container) for name in ESTIMATORS for container in in_turn(name, CONTAINERS)]
)
def test_every_container_output_and_index_gives_the_same_rows(name, container):
    expected, names = expected_of(name, is_wide(container))
    fitted = made(name).fit(build(container, "in order")[0], target(name))
    for index in INDICES:
        if not possible(container, index):
            continue
        X, rows, labels = build(container, index)
        if container in WITHOUT_INDEX | TABLES:
            labels = list(range(len(rows)))
        for output in OUTPUTS:
            if gives(name) in (CLASSES, NUMBERS):
                with sklearn.config_context(transform_output=output):
                    same(fitted.predict(X), expected[rows])
            else:
                check_output(fitted, X, output, expected[rows], labels)
    if names is not None:
        check_names(fitted, names, container)


def cut(expected, n_timepoints):
    """Panels of some series are as long as the longest of them."""
    if expected.ndim == 2:
        return expected
    assert np.isnan(expected[:, :, n_timepoints:]).all()
    return expected[:, :, :n_timepoints]


def check_names(fitted, names, container):
    """Channels keep their names, wherever there are some."""
    found = fitted.get_feature_names_out().tolist()
    if container in ("array", "list") or is_wide(container):
        assert found == names.tolist()
        return
    assert fitted.feature_names_in_.tolist() == NAMES
    if gives_panels(fitted):
        plain = [name.replace("channel1", NAMES[0]).replace("channel2", NAMES[1]) for name in names]
        assert found == plain


# ------------------------------------------------------------------------- where scikit-learn joins rows by labels


@pytest.mark.parametrize(
    ("name", "container"),
    [
        (name, container)
        for name in ESTIMATORS
        if gives(name) == FEATURES
        for container in in_turn(name, WITH_INDEX | INDEXED_TABLES, 1)
    ],
)
def test_unions_join_the_same_series(name, container):
    def union():
        return make_union(made(name), make_pipeline(Increments(basepoint=True), CumulativeSum(), made(name)))

    plain = union().fit(padded(panel(container)), target(name)).transform(padded(panel(container)))
    fitted = union().fit(build(container, "in order")[0], target(name))
    for index in INDICES:
        if possible(container, index):
            X, rows, labels = build(container, index)
            same(fitted.transform(X), plain[rows])
            with sklearn.config_context(transform_output="pandas"):
                frame = fitted.transform(X)
            assert list(frame.index) == labels
            same(frame.to_numpy(), plain[rows])


@pytest.mark.parametrize("index", INDICES)
def test_a_column_transformer_joins_the_same_series(index):
    iss = ISSTransformer(depth=1, pooling="end", windows="whole", scale=None, decay=0)
    steps = make_pipeline(Increments(basepoint=True), CumulativeSum(), clone(iss))
    columns = ColumnTransformer([("speed", iss, ["speed"]), ("temp", steps, ["temp"])]).set_output(transform="pandas")
    X, rows, labels = build("nested_univ", index)
    frame = columns.fit(X).transform(X)
    sums = np.nansum(padded(panel("nested_univ")), axis=2)[rows]
    np.testing.assert_allclose(frame.to_numpy(), sums)
    assert list(frame.index) == labels
    assert list(frame.columns) == ["speed__[speed]|real|end", "temp__[sum d temp]|real|end"]


@pytest.mark.parametrize("container", WITH_INDEX | INDEXED_TABLES)
def test_pandas_output_changes_no_prediction_of_a_shuffled_frame(container):
    series = [s.cumsum(axis=1) if i % 2 else s for i, s in enumerate(ragged((20,) * 40, 1 + (not is_wide(container))))]
    order = np.random.default_rng(0).permutation(40)
    X = CONTAINERS[container]([series[i] for i in order], order.tolist())
    features = iss_classifier(n_functionals=20)[0]
    union = make_union(features, make_pipeline(Increments(basepoint=True), clone(features)))
    chain = make_pipeline(union, iss_classifier()[-1])
    scores = []
    for output in ("default", "pandas"):
        with sklearn.config_context(transform_output=output):
            fitted = clone(chain).fit(X, order % 2)
            scores.append(fitted.decision_function(X))
    np.testing.assert_allclose(*scores, rtol=1e-9)


def test_a_split_frame_is_taken_under_pandas_output():
    X, y = wide(ragged((20,) * 30, 1), [f"s{i}" for i in range(30)]), np.arange(30) % 2
    X_train, X_test, y_train, _ = train_test_split(X, y, random_state=0)
    features = iss_classifier(n_functionals=20)[0]
    chain = make_pipeline(
        make_union(features, make_pipeline(Increments(basepoint=True), clone(features))), iss_classifier()[-1]
    )
    expected = clone(chain).fit(X_train.to_numpy(), y_train).predict(X_test.to_numpy())
    with sklearn.config_context(transform_output="pandas"):
        same(chain.fit(X_train, y_train).predict(X_test), expected)


# ---------------------------------------------------------------------------------------------------- adapters


def instances(index):
    rows, labels = INDICES[index]
    return list(rows), list(labels)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "container"),
    [(name, container) for name in sorted(ADAPTED) for container in in_turn(name, ["nested_univ", "pd-multiindex"], 1)],
)
def test_adapters_of_sktime_keep_the_rows(name, container):
    sktime = pytest.importorskip("sktime") and importlib.import_module("sigfeat.adapters.sktime")
    made(name)
    X = build(container, "in order")[0]
    adapter = getattr(sktime, name)(**ADAPTED[name].examples()[0]).fit(X, target(name))
    method = "predict" if gives(name) in (CLASSES, NUMBERS) else "transform"
    expected = getattr(adapter, method)(X)
    for index in INDICES:
        if possible(container, index) and possible("pd-multiindex", index):
            frame, rows, labels = build(container, index)
            result = getattr(adapter, method)(frame)
            if method == "predict":
                same(result, np.asarray(expected)[rows])
            elif gives(name) == FEATURES:
                same(result.to_numpy(), np.asarray(expected)[rows])
                assert list(result.index) == labels
            else:
                found = to_panel(result)
                same(found, cut(to_panel(expected)[rows], found.shape[2]))
                assert list(found.index) == labels


if __name__ == "__main__":
    of_features = [name for name in ESTIMATORS if gives(name) == FEATURES]

    def n_cases(names, containers, n=N_IN_TURN):
        return sum(possible(c, index) for name in names for c in in_turn(name, containers, n) for index in INDICES)

    counts = {
        "estimators x containers x indices x outputs": n_cases(ESTIMATORS, CONTAINERS) * len(OUTPUTS),
        "unions x containers x indices": n_cases(of_features, WITH_INDEX | INDEXED_TABLES, 1),
        "adapters x containers x indices": n_cases(sorted(ADAPTED), ["nested_univ", "pd-multiindex"], 1),
    }
    sys.stdout.write("".join(f"{number:6d} {what}\n" for what, number in counts.items()))
    sys.stdout.write(f"{sum(counts.values()):6d} cases\n")
