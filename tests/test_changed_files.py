"""Series in files that change, that are wrong or many, and features in files that are damaged."""

import json
import os
import time
from pathlib import PurePath

import numpy as np
import pytest

from sigfeat import ISSTransformer
from tests.fuzz_files import check_sentence
from tests.panels import multiindex

dask = pytest.importorskip("dask")

from sigfeat.adapters.dask import read_features, transform_files  # noqa: E402

FORMATS = ("npy", "parquet", "zarr")
SMALL = {"pooling": "end", "windows": "whole"}
N_LARGE = 4000  # of 216 bytes each: above the size up to which whole files are hashed


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).standard_normal((24, 3, 9))


@pytest.fixture(scope="module")
def estimator(X):
    return ISSTransformer(**SMALL).fit(X)


def write(file, X):
    """Series in a file of the kind that its name says; nothing but values differs between arrays of one shape."""
    if file.suffix == ".npy":
        np.save(file, X)
    elif file.suffix == ".zarr":
        zarr = pytest.importorskip("zarr")
        zarr.create_array(file, data=X, chunks=(6, *X.shape[1:]), compressors=None, overwrite=True)
    else:
        pytest.importorskip("pyarrow")
        multiindex(list(X)).to_parquet(file, compression=None)


def files_of(path):
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


# ------------------------------------------------------------------------------------------- changed series


@pytest.mark.parametrize("kind", FORMATS)
def test_rewritten_values_are_other_series(kind, X, estimator, tmp_path):
    file, out = tmp_path / f"a.{kind}", tmp_path / "out"
    write(file, X)
    transform_files(estimator, file, out, part_size=6)
    next(out.glob("part-000000*")).unlink()
    time.sleep(0.01)
    changed = X.copy()
    changed[12:] += 1  # the first series are the same
    if kind == "zarr":
        pytest.importorskip("zarr").open_array(file, mode="r+")[12:] = changed[12:]  # the metadata stay as they are
    else:
        write(file, changed)
    with pytest.raises(FileExistsError, match="out holds features of other series"):
        transform_files(estimator, file, out, part_size=6)


@pytest.mark.parametrize("place", [0, 11, -1])
@pytest.mark.parametrize("kind", FORMATS)
def test_rewritten_values_with_the_old_times_are_other_series(kind, place, X, estimator, tmp_path):
    file, out = tmp_path / f"a.{kind}", tmp_path / "out"
    write(file, X)
    before = {path: path.stat() for path in files_of(file)}
    transform_files(estimator, file, out, part_size=6)
    changed = X.copy()
    changed[place, :, -1] += 1
    write(file, changed)
    for path, status in before.items():
        assert path.stat().st_size == status.st_size
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(FileExistsError, match="out holds features of other"):
        transform_files(estimator, file, out, part_size=6)


@pytest.mark.parametrize("place", [0, N_LARGE // 2, -1])
def test_pieces_of_large_files_are_compared(place, X, estimator, tmp_path):
    file, out = tmp_path / "a.npy", tmp_path / "out"
    large = np.resize(X, (N_LARGE, 3, 9))
    np.save(file, large)
    status = file.stat()
    transform_files(estimator, file, out, part_size=2000)
    np.save(file, np.where(np.arange(N_LARGE)[:, np.newaxis, np.newaxis] // 200 == place % N_LARGE // 200, 9, large))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(FileExistsError, match="out holds features of other"):
        transform_files(estimator, file, out, part_size=2000)


class Rewriting(ISSTransformer):
    """Rewrites its file when it transforms the second part."""

    file = None

    def transform(self, X):
        features = super().transform(X)
        if len(X) > 1 and Rewriting.file is not None:
            file, Rewriting.file = Rewriting.file, None
            write(file, np.ones((24, 3, 9)))
        return features


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_changes_during_the_call_leaves_no_features(kind, X, tmp_path, monkeypatch):
    file, out = tmp_path / f"b.{kind}", tmp_path / "out"
    write(file, X)
    write(tmp_path / f"a.{kind}", X + 1)
    monkeypatch.setattr(Rewriting, "file", file)
    rewriting = Rewriting(**SMALL).fit(X)
    with (
        pytest.raises(ValueError, match=rf"b\.{kind} changed while its features were computed: choose another target"),
        dask.config.set(scheduler="synchronous"),
    ):
        transform_files(rewriting, tmp_path, out, part_size=6)
    assert len(list(out.glob("part-*"))) == (1 if kind == "parquet" else 4)
    with pytest.raises(FileNotFoundError, match="has not all parts"):
        read_features(out)


# -------------------------------------------------------------------------------------- messages name the file


def with_nan(X):
    changed = X.copy()
    changed[3, 1, 4] = np.nan
    return changed


BAD = {"channels": lambda X: X[:, :2], "NaN": with_nan, "infinity": lambda X: X / 0.0}


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("kind", FORMATS)
def test_errors_of_the_estimator_name_the_file(kind, bad, place, X, tmp_path):
    with np.errstate(all="ignore"):
        wrong = BAD[bad](X)
    write(tmp_path / f"b.{kind}", X)
    name = f"a.{kind}" if place == "first" else f"c.{kind}"
    write(tmp_path / name, wrong)
    iss = ISSTransformer(**SMALL).fit(X)
    with pytest.raises(ValueError, match=name) as caught:
        transform_files(iss, tmp_path, tmp_path / "out")
    check_sentence(caught.value, tmp_path / name)


@pytest.mark.parametrize("what", ["damage", "empty", "folder", "pipe", "0-d", "1-d"])
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.timeout(20)
def test_unreadable_files_are_named(kind, what, X, estimator, tmp_path):
    write(tmp_path / f"a.{kind}", X)
    file = tmp_path / f"c.{kind}"
    if what.endswith("-d") and kind == "parquet":
        pytest.skip("frames have two dimensions")
    if what == "folder":
        file.mkdir()
    elif what == "pipe":
        os.mkfifo(file)
    elif what.endswith("-d"):
        values = np.array(1.0) if what == "0-d" else np.ones(3)
        np.save(file, values) if kind == "npy" else pytest.importorskip("zarr").create_array(file, data=values)
    else:
        write(file, X)
        for path in files_of(file):
            path.write_bytes(b"" if what == "empty" else path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"c\.{kind}") as caught:
        transform_files(estimator, tmp_path, tmp_path / "out")
    check_sentence(caught.value, file)


def test_skipped_files_are_named(X, estimator, tmp_path):
    source = tmp_path / "series"
    source.mkdir()
    for name in ("a.npy", "b.NPY", "c.npz", ".d.npy"):
        with open(source / name, "wb") as stream:
            np.save(stream, X)
    with pytest.warns(UserWarning, match=r"series has 3 entries that are not read: '.d.npy', 'b.NPY', 'c.npz'; files"):
        features = transform_files(estimator, source, source / "out")
    assert len(features) == len(X)
    for i in range(1600):
        (source / f"e{i}.txt").touch()
    with pytest.warns(UserWarning, match=r"has 1603 entries .* '.d.npy', 'b.NPY', 'c.npz', ...; files") as caught:
        transform_files(estimator, source, source / "out")  # the target inside is not named
    assert len(caught) == 1
    assert caught[0].filename == __file__


# ----------------------------------------------------------------------------------------- many files, parts


class Counting(ISSTransformer):
    """Counts how often it is called."""

    calls = 0

    def transform(self, X):
        Counting.calls += 1
        return super().transform(X)


def test_many_small_files_take_few_calls_and_linear_time(X, tmp_path, monkeypatch):
    counting, same, times = Counting(**SMALL).fit(X), PurePath.__eq__, {}
    comparisons = []
    monkeypatch.setattr(PurePath, "__eq__", lambda path, other: bool(comparisons.append(1)) or same(path, other))
    monkeypatch.setattr(Counting, "calls", 0)
    for n_files in (100, 400):
        source = tmp_path / str(n_files)
        source.mkdir()
        for i in range(n_files):
            np.save(source / f"{i:04d}.npy", X[i % 24 :][:1])
        Counting.calls, comparisons[:] = 0, []
        start = time.process_time()
        features = transform_files(counting, source, tmp_path / f"out {n_files}")
        times[n_files] = time.process_time() - start
        assert Counting.calls <= 2 + n_files / 64
        assert len(comparisons) <= 10 * n_files
        assert features.numblocks == (n_files, 1)
        np.testing.assert_array_equal(features, counting.transform(np.resize(X, (n_files, 3, 9))))
    assert times[400] < 400 * 0.005  # 0.4 ms each on an idle machine


def test_files_of_different_shapes_and_dtypes_are_transformed_apart(tmp_path, X, estimator):
    series = [X[:2], X[2:5, :, :7], X[5:6, :, :7], X[6:9].astype("f4"), X[9:10].astype("f4"), X[10:]]
    for i, some in enumerate(series):
        np.save(tmp_path / f"{i}.npy", some)
    features = transform_files(estimator, tmp_path, tmp_path / "out", part_size=4)
    np.testing.assert_array_equal(features, np.concatenate([estimator.transform(some) for some in series]))


PARTS = {
    "rows": lambda table: table[:-1],
    "columns": lambda table: table[:, 1:],
    "dtype": lambda table: table.astype("f4"),
    "integers": lambda table: table.astype("i8"),
    "dimensions": lambda table: table[0],
}


@pytest.mark.parametrize("change", PARTS)
@pytest.mark.parametrize("kind", FORMATS)
def test_parts_with_other_shapes_or_dtypes_are_refused(kind, change, X, estimator, tmp_path):
    from sigfeat.adapters._formats import read_rows, write_table

    if kind == "parquet" and change == "dimensions":
        pytest.skip("frames have two dimensions")
    np.save(tmp_path / "a.npy", X)
    out = tmp_path / "out"
    features = transform_files(estimator, tmp_path / "a.npy", out, part_size=6, format=kind)
    part = out / f"part-000001.{kind}"
    table = PARTS[change](read_rows(part, 0, None, as_table=True))
    part.rename(tmp_path / "moved")
    write_table(part, table, [f"f{i}" for i in range(table.shape[-1])])
    with pytest.raises(ValueError, match=rf"part-000001\.{kind} must have shape \(6, 18\) and dtype float64"):
        read_features(out)
    with pytest.raises(ValueError, match=rf"part-000001\.{kind} must have shape"):  # changed since it was opened
        features.compute(scheduler="synchronous")


LISTS = {"parts": [[[0, 0]], [[1, 0, 3]], [[0, 3, 3]], [[0, 0, "3"]], [[True, 0, 3]], []], "first": [[[1.0]], ["x"]]}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in LISTS.items() for value in values])
def test_damaged_lists_are_refused(key, value, X, estimator, tmp_path):
    np.save(tmp_path / "a.npy", X)
    transform_files(estimator, tmp_path / "a.npy", tmp_path / "out")
    listing = json.loads((tmp_path / "out/parts.json").read_text())
    (tmp_path / "out/parts.json").write_text(json.dumps(listing | {key: value}))
    with pytest.raises(ValueError, match=r"parts.json cannot be read: "):
        read_features(tmp_path / "out")


def test_a_list_of_an_older_version_is_refused(X, estimator, tmp_path):
    np.save(tmp_path / "a.npy", X)
    transform_files(estimator, tmp_path / "a.npy", tmp_path / "out")
    listing = json.loads((tmp_path / "out/parts.json").read_text())
    del listing["estimator"]
    (tmp_path / "out/parts.json").write_text(json.dumps(listing))
    with pytest.raises(ValueError, match=r"parts.json cannot be read: it was written by an older version"):
        transform_files(estimator, tmp_path / "a.npy", tmp_path / "out")
