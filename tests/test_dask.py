"""Transforms by dask: blocks of arrays, and files that are larger than memory."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sigfeat import AddTime, FeatureScaler, ISSTransformer, LeadLag
from tests.panels import multiindex, nested, padded, ragged

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

from sigfeat.adapters.dask import read_features, transform_blocks, transform_files  # noqa: E402

FORMATS = ("npy", "parquet", "zarr")
SMALL = {"pooling": "end", "windows": "whole"}


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).standard_normal((50, 3, 12))


@pytest.fixture(scope="module")
def estimator(X):
    return make_pipeline(AddTime(), ISSTransformer(**SMALL), FeatureScaler()).fit(X[:20])


def write(file, X):
    """Series in a file of the kind that its name says."""
    if file.suffix == ".npy":
        np.save(file, X)
    elif file.suffix == ".zarr":
        pytest.importorskip("zarr").save_array(file, X)
    else:
        pytest.importorskip("pyarrow")
        multiindex(list(X)).to_parquet(file)


# ---------------------------------------------------------------------------------------------------- blocks


@pytest.mark.parametrize("chunks", [(20, 3, 12), (17, 2, 5), (50, 3, 12)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_blocks_give_what_the_whole_gives(X, estimator, chunks, dtype):
    X = X.astype(dtype)
    features = transform_blocks(estimator, da.from_array(X, chunks=chunks))
    assert features.dtype == dtype
    assert features.chunks[0] == da.from_array(X, chunks=chunks).chunks[0]
    np.testing.assert_array_equal(features.compute(scheduler="threads"), estimator.transform(X))


def test_blocks_of_padded_series_of_tables_and_of_augmentations(X):
    panel = padded(ragged())
    iss = ISSTransformer().fit(panel)
    np.testing.assert_array_equal(transform_blocks(iss, da.from_array(panel, chunks=(2, 3, 14))), iss.transform(panel))
    table = ISSTransformer(**SMALL).fit(X[:, 0])
    np.testing.assert_array_equal(transform_blocks(table, da.from_array(X[:, 0], chunks=20)), table.transform(X[:, 0]))
    augmented = transform_blocks(LeadLag().fit(X), da.from_array(X, chunks=20))
    assert augmented.shape == (50, 6, 23)
    np.testing.assert_array_equal(augmented, LeadLag().fit_transform(X))


def test_blocks_of_unknown_number_and_nothing_is_computed_early(X, estimator):
    lazy = da.from_array(X, chunks=20)
    some = lazy[lazy[:, 0, 0] > 0]
    features = transform_blocks(estimator, some)
    np.testing.assert_array_equal(features.compute(), estimator.transform(X[X[:, 0, 0] > 0]))


def test_blocks_refuse_what_they_cannot_take(X, estimator):
    with pytest.raises(TypeError, match="X must be a dask array, got ndarray"):
        transform_blocks(estimator, X)
    with pytest.raises(ValueError, match="X must have 2 or 3 dimensions, got 1"):
        transform_blocks(estimator, da.ones(4))
    with pytest.raises(ValueError, match="X has 2 channels, but AddTime was fitted with 3"):
        transform_blocks(estimator, da.ones((4, 2, 12)))
    with pytest.raises(NotFittedError):
        transform_blocks(ISSTransformer(), da.ones((4, 2, 12)))


# ----------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("target_format", FORMATS)
@pytest.mark.parametrize("source_format", FORMATS)
def test_files_give_what_the_whole_gives(X, estimator, tmp_path, source_format, target_format):
    for module in ("zarr", "pyarrow"):
        pytest.importorskip(module)
    (tmp_path / "series").mkdir()
    write(tmp_path / f"series/b.{source_format}", X[30:])
    write(tmp_path / f"series/a.{source_format}", X[:30])
    features = transform_files(estimator, tmp_path / "series", tmp_path / "features", part_size=8, format=target_format)
    assert features.shape == (50, len(estimator[:-1].get_feature_names_out()))
    np.testing.assert_array_equal(features, estimator.transform(X))
    np.testing.assert_array_equal(read_features(tmp_path / "features"), estimator.transform(X))
    if target_format == "parquet":
        columns = pd.read_parquet(tmp_path / "features/part-000000.parquet").columns
        assert list(columns) == list(estimator.get_feature_names_out())


@pytest.mark.parametrize("kind", [multiindex, nested, lambda series: pd.DataFrame(padded(series)[:, 0])])
def test_parquet_of_every_kind_of_frame(tmp_path, kind):
    pytest.importorskip("pyarrow")
    series = ragged(lengths=(9,) * 5, n_channels=1)
    frame = kind(series)
    frame.columns = [f"column {name}" for name in frame.columns]
    if kind is nested:
        frame = frame.map(lambda cell: cell.to_numpy())
    frame.to_parquet(tmp_path / "a.parquet")
    iss = ISSTransformer(**SMALL).fit(frame)
    features = transform_files(iss, tmp_path / "a.parquet", tmp_path / "out")
    np.testing.assert_array_equal(features, iss.transform(padded(series)))


def test_files_of_series_of_different_lengths(tmp_path):
    long, short = padded(ragged()), padded(ragged(lengths=(8, 9), seed=1))
    np.save(tmp_path / "a.npy", long)
    np.save(tmp_path / "b.npy", short.astype(np.float64))
    iss = ISSTransformer().fit(long)
    features = transform_files(iss, tmp_path, tmp_path / "out", part_size=4)
    np.testing.assert_array_equal(features, np.concatenate([iss.transform(long), iss.transform(short)]))


def test_files_of_two_dtypes_and_of_no_series(tmp_path, monkeypatch):
    X = np.random.default_rng(0).standard_normal((6, 3, 9))
    np.save(tmp_path / "a.npy", X[:0])
    np.save(tmp_path / "b.npy", X[:4].astype(np.float32))
    np.save(tmp_path / "c.npy", X[4:])
    iss = ISSTransformer().fit(X)
    monkeypatch.chdir(tmp_path)
    features = transform_files(iss, ".", "out", part_size=3)
    assert features.dtype == np.float32
    assert features.chunks[0] == (3, 1, 2)
    assert all(block.dtype == np.float32 for block in dask.compute(*features.to_delayed().ravel()))
    np.testing.assert_array_equal(features[4:], iss.transform(X[4:]).astype(np.float32))
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "empty/a.npy", X[:0])
    for source in ("empty", "empty/a.npy"):
        with pytest.raises(ValueError, match=f"{source} holds no series"):
            transform_files(iss, source, "other")


def test_what_is_there_is_not_made_again(X, estimator, tmp_path):
    np.save(tmp_path / "a.npy", X)
    out = tmp_path / "out"
    expected = transform_files(estimator, tmp_path / "a.npy", out, part_size=8).compute()
    parts = sorted(out.glob("part-*"))
    assert len(parts) == 7
    times = {part: part.stat().st_mtime_ns for part in parts}
    parts[2].unlink()
    (out / ".part-000003.abcd.npy").write_bytes(b"of a worker that was lost")
    with pytest.raises(FileNotFoundError, match="has not all parts: 1 are missing, the first is part-000002.npy"):
        read_features(out)
    np.testing.assert_array_equal(transform_files(estimator, tmp_path / "a.npy", out, part_size=8), expected)
    again = {part: part.stat().st_mtime_ns for part in parts}
    assert [part for part in parts if again[part] != times[part]] == [parts[2]]
    assert list(out.glob(".*")) == []


class Stumbling(ISSTransformer):
    """Fails on series whose first value is 9, as long as the disk is full."""

    disk_is_full = True

    def transform(self, X):
        if Stumbling.disk_is_full and (X[:, 0, 0] == 9).any():
            raise OSError("no space left on device")
        return super().transform(X)


def test_an_error_keeps_what_was_finished_and_leaves_nothing_half_written(X, tmp_path, monkeypatch):
    bad = X.copy()
    bad[30, 0, 0] = 9
    np.save(tmp_path / "a.npy", bad)
    iss = Stumbling(**SMALL).fit(X)
    with pytest.raises(OSError, match="no space left"), dask.config.set(scheduler="synchronous"):
        transform_files(iss, tmp_path / "a.npy", tmp_path / "out", part_size=8)
    finished = list((tmp_path / "out").glob("part-*"))
    assert 0 < len(finished) < 7
    assert tmp_path / "out/part-000003.npy" not in finished
    assert not list((tmp_path / "out").glob(".*"))
    monkeypatch.setattr(Stumbling, "disk_is_full", False)
    features = transform_files(iss, tmp_path / "a.npy", tmp_path / "out", part_size=8)
    np.testing.assert_array_equal(features, iss.transform(bad))


def test_a_target_of_others_is_refused(X, estimator, tmp_path):
    np.save(tmp_path / "a.npy", X)
    np.save(tmp_path / "b.npy", X + 1)
    out = tmp_path / "out"
    transform_files(estimator, tmp_path / "a.npy", out, part_size=8)
    other = make_pipeline(AddTime(), ISSTransformer(**SMALL), FeatureScaler()).fit(X[20:])
    for message, change in {
        "of another estimator": {"estimator": other},
        "of other series": {"source": tmp_path / "b.npy"},
        "in other parts": {"part_size": 9},
        "in another format": {"format": "zarr"},
    }.items():
        how = {"estimator": estimator, "source": tmp_path / "a.npy", "target": out, "part_size": 8} | change
        with pytest.raises(FileExistsError, match=f"out holds features {message}"):
            transform_files(**how)
    time.sleep(0.01)
    np.save(tmp_path / "a.npy", X + 1)
    with pytest.raises(FileExistsError, match="of other series"):
        transform_files(estimator, tmp_path / "a.npy", out, part_size=8)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("")
    with pytest.raises(FileExistsError, match="mine is not empty, and not of transform_files"):
        transform_files(estimator, tmp_path / "a.npy", tmp_path / "mine")


def test_bad_sources_and_parameters_give_one_clear_sentence(X, estimator, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(FileNotFoundError, match="there is no .*nowhere"):
        transform_files(estimator, tmp_path / "nowhere", out)
    with pytest.raises(FileNotFoundError, match="has no file that ends in one of .npy, .parquet, .zarr"):
        transform_files(estimator, tmp_path, out)
    (tmp_path / "a.csv").write_text("1,2")
    with pytest.raises(ValueError, match="source must be a folder or a file that ends in"):
        transform_files(estimator, tmp_path / "a.csv", out)
    np.save(tmp_path / "a.npy", X)
    with pytest.raises(ValueError, match="part_size must be at least 1, got 0"):
        transform_files(estimator, tmp_path / "a.npy", out, part_size=0)
    with pytest.raises(ValueError, match="format must be one of npy, parquet, zarr, got 'csv'"):
        transform_files(estimator, tmp_path / "a.npy", out, format="csv")
    with pytest.raises(ValueError, match="estimator must return a table of features, got 3 dimensions"):
        transform_files(LeadLag().fit(X), tmp_path / "a.npy", out)
    with pytest.raises(NotFittedError):
        transform_files(ISSTransformer(), tmp_path / "a.npy", out)
    with pytest.raises(FileNotFoundError, match="is not a folder written by transform_files: it has no parts.json"):
        read_features(tmp_path)
    assert not out.exists()


def test_damaged_files_are_refused_and_nothing_is_unpickled(X, estimator, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.abort, ()

    np.save(tmp_path / "pickled.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00{'descr'")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.parquet").write_text("1,2,3")
    (tmp_path / "folder.zarr").mkdir()
    (tmp_path / "pickled.zarr").mkdir()
    array = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "<f8", "fill_value": 0, "order": "C"}
    array |= {"compressor": None, "filters": [{"id": "pickle"}]}
    (tmp_path / "pickled.zarr/.zarray").write_text(json.dumps(array))
    for name in ("pickled.npy", "cut.npy", "empty.npy", "text.parquet", "folder.zarr", "pickled.zarr"):
        with pytest.raises(ValueError, match=f"{name} cannot be read: "):
            transform_files(estimator, tmp_path / name, tmp_path / "out")
    np.save(tmp_path / "a.npy", X)
    transform_files(estimator, tmp_path / "a.npy", tmp_path / "out")
    good = json.loads((tmp_path / "out/parts.json").read_text())
    for bad in ("", "[]", "{}", "{" * 100_000, *(json.dumps(good | {key: None}) for key in good)):
        (tmp_path / "out/parts.json").write_text(bad)
        with pytest.raises(ValueError, match="parts.json cannot be read: "):
            read_features(tmp_path / "out")


# --------------------------------------------------------------------------------------------------- clusters


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    quiet = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**quiet) as cluster, distributed.Client(cluster) as client:
        yield client


@pytest.mark.filterwarnings("ignore")  # of distributed, about what it closes
def test_a_cluster_gives_the_same(client, X, estimator, tmp_path):
    features = transform_blocks(estimator, da.from_array(X, chunks=(20, 3, 12)))
    np.testing.assert_array_equal(features.compute(), estimator.transform(X))
    np.save(tmp_path / "a.npy", X)
    features = transform_files(estimator, tmp_path / "a.npy", tmp_path / "out", part_size=8)
    np.testing.assert_array_equal(features.compute(), estimator.transform(X))


@pytest.mark.filterwarnings("ignore")
def test_a_grid_search_scores_the_same_serial_by_loky_and_by_dask(client):
    import joblib

    X = np.random.default_rng(0).standard_normal((24, 2, 30))
    y = np.arange(24) % 2
    X[y == 1] = X[y == 1].cumsum(axis=2) / 4
    grid = {"isstransformer__depth": [1, 2, 3], "isstransformer__windows": ["whole", 2]}
    search = GridSearchCV(make_pipeline(ISSTransformer(), RidgeClassifier()), grid, cv=3, error_score="raise")
    scores = {}
    for backend, n_jobs in (("sequential", 1), ("loky", 2), ("dask", -1)):
        with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
            results = search.fit(X, y).cv_results_
        scores[backend] = np.array([results[f"split{i}_test_score"] for i in range(3)])
    get_reusable_executor().shutdown(wait=True)
    assert scores["sequential"].size == 18
    np.testing.assert_array_equal(scores["loky"], scores["sequential"])
    np.testing.assert_array_equal(scores["dask"], scores["sequential"])


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_can_be_followed_by_another(X, tmp_path, sign):
    np.save(tmp_path / "a.npy", np.tile(X, (40, 1, 1)))
    program = textwrap.dedent("""
        import sys, time
        import numpy as np
        from sigfeat import ISSTransformer
        from sigfeat.adapters.dask import transform_files

        class Slow(ISSTransformer):
            def transform(self, X):
                time.sleep(float(sys.argv[2]))
                return super().transform(X)

        folder = sys.argv[1]
        iss = Slow(pooling="end", windows="whole").fit(np.load(f"{folder}/a.npy")[:50])
        transform_files(iss, f"{folder}/a.npy", f"{folder}/out", part_size=20)
    """)
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen([*command, "0.1"], stderr=subprocess.PIPE) as process:
        while len(list(tmp_path.glob("out/part-*"))) < 3:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.send_signal(sign)
        process.communicate(timeout=60)
    assert process.returncode != 0
    finished = {part: part.stat().st_mtime_ns for part in tmp_path.glob("out/part-*")}
    assert 3 <= len(finished) < 100
    subprocess.run([*command, "0"], check=True, timeout=120)
    assert all(part.stat().st_mtime_ns == made for part, made in finished.items())
    iss = ISSTransformer(**SMALL).fit(X)
    np.testing.assert_array_equal(read_features(tmp_path / "out"), np.tile(iss.transform(X), (40, 1)))


def test_a_missing_package_is_named(X, estimator, tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", X)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r"pyarrow is needed .*pip install pyarrow"):
        transform_files(estimator, tmp_path / "a.npy", tmp_path / "out", format="parquet")
