"""Files of zarr, parquet and npy that are not plain arrays of numbers are refused, and never run anything."""

import json
import os
import re
import time

import numpy as np
import pandas as pd
import pytest

from sigfeat import ISSTransformer
from tests import fuzz_arrays
from tests.fuzz_arrays import frame, panel, read_metadata, write_array, write_metadata

pytest.importorskip("dask")
zarr = pytest.importorskip("zarr")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from sigfeat.adapters.dask import read_features, transform_files  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of zarr, about codecs and types outside its specification


@pytest.fixture(scope="module")
def estimator():
    return ISSTransformer(pooling="end", windows="whole").fit(panel())


def changed(metadata, path, value):
    """Metadata with another value at a path of keys; `...` removes it."""
    *above, last = path
    node = metadata
    for key in above:
        node = node[key]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return metadata


SHARDS = ("codecs", 0, "configuration")
# Name: kind, path of keys, value, what the message contains.
FORGED = {
    "pickle after text": (
        "zarr 2",
        ["filters"],
        [{"id": "vlen-utf8"}, {"id": "pickle"}],
        "filters[0].id is 'vlen-utf8'",
    ),
    "pickle": ("zarr 2", ["filters"], [{"id": "pickle"}], "filters[0].id is 'pickle'"),
    "pickle as compressor": ("zarr 2", ["compressor"], {"id": "pickle"}, "compressor.id is 'pickle'"),
    "json": ("zarr 2", ["filters"], [{"id": "json2"}], "filters[0].id is 'json2'"),
    "compressor as filter": ("zarr 2", ["filters"], [{"id": "zstd"}], "filters[0].id is 'zstd'"),
    "no codec": ("zarr 2", ["compressor"], "zstd", "compressor is 'zstd'"),
    "codec of a list": ("zarr 2", ["compressor"], {"id": ["zstd"]}, "compressor.id is ['zstd']"),
    "filters of text": ("zarr 2", ["filters"], "delta", "filters is 'delta'"),
    "parameter": ("zarr 2", ["compressor", "x"], 1, "compressor has the unknown key 'x'"),
    "dtype of delta": ("zarr 2", ["filters"], [{"id": "delta", "dtype": "|O"}], "filters[0].dtype is '|O'"),
    "objects": ("zarr 2", ["dtype"], "|O", "dtype is '|O'"),
    "texts": ("zarr 2", ["dtype"], "<U9", "dtype is '<U9'"),
    "records": ("zarr 2", ["dtype"], [["a", "<f8"]], "dtype is [['a', '<f8']]"),
    "complex": ("zarr 2", ["dtype"], "<c16", "dtype is '<c16'"),
    "order": ("zarr 2", ["order"], "A", "order is 'A'"),
    "separator": ("zarr 2", ["dimension_separator"], "/../", "dimension_separator is '/../'"),
    "version": ("zarr 2", ["zarr_format"], 3, "zarr_format is 3"),
    "field": ("zarr 2", ["x"], 1, "the unknown key 'x'"),
    "negative side": ("zarr 2", ["shape"], [-8, 3, 9], "shape is [-8, 3, 9]"),
    "2**63 rows": ("zarr 2", ["shape"], [2**63, 3, 9], f"shape is [{2**63}, 3, 9]"),
    "2**62 rows": ("zarr 2", ["shape"], [2**62, 3, 9], f"declares {2**62 * 27 * 8} bytes"),
    "float side": ("zarr 2", ["shape"], [8.0, 3, 9], "shape is [8.0, 3, 9]"),
    "shape of text": ("zarr 2", ["shape"], "839", "shape is '839'"),
    "no chunk": ("zarr 2", ["chunks"], [0, 3, 9], "the shape of chunks is [0, 3, 9]"),
    "large chunk": ("zarr 2", ["chunks"], [2**40, 3, 9], f"declares {2**40 * 27 * 8} bytes"),
    "flat chunk": ("zarr 2", ["chunks"], [27], "the shape of chunks is (27,)"),
    "many chunks": ("zarr 3", ["shape"], [8000, 3, 9], "declares 4000 chunks"),
    "fill value": ("zarr 2", ["fill_value"], {"a": 1}, "fill_value is {'a': 1}"),
    "numcodecs pickle": ("zarr 3", ["codecs", 1, "name"], "numcodecs.pickle", "codecs[1].name is 'numcodecs.pickle'"),
    "texts of codecs": ("zarr 3", ["codecs", 0, "name"], "vlen-utf8", "codecs[0].name is 'vlen-utf8'"),
    "class as codec": ("zarr 3", ["codecs", 0], "os.system", "codecs[0].name is 'os.system'"),
    "parameter of a codec": ("zarr 3", ["codecs", 1, "configuration", "x"], 1, "codecs[1] has the unknown key 'x'"),
    "no codecs": ("zarr 3", ["codecs"], [], "codecs is []"),
    "two compressors": ("zarr 3", ["codecs"], ["bytes", "gzip", "gzip"], "must have at most one compressor"),
    "text type": ("zarr 3", ["data_type"], "string", "data_type is 'string'"),
    "raw type": ("zarr 3", ["data_type"], "r64", "data_type is 'r64'"),
    "object type": ("zarr 3", ["data_type"], {"name": "fixed_length_utf32"}, "data_type is {'name'"),
    "grid": ("zarr 3", ["chunk_grid", "name"], "rectangular", "chunk_grid.name is 'rectangular'"),
    "keys": ("zarr 3", ["chunk_key_encoding", "name"], "x", "chunk_key_encoding.name is 'x'"),
    "storage": ("zarr 3", ["storage_transformers"], [{"name": "x"}], "storage_transformers is [{'name': 'x'}]"),
    "group": ("zarr 3", ["node_type"], "group", "node_type is 'group'"),
    "must understand": ("zarr 3", ["x"], {"must_understand": False}, "the unknown key 'x'"),
    "pickle in shards": ("shards", [*SHARDS, "codecs", 0, "name"], "pickle", "codecs[0].codecs[0].name is 'pickle'"),
    "compressed index": ("shards", [*SHARDS, "index_codecs", 1], "gzip", "codecs[0].index_codecs[1].name is 'gzip'"),
    "many chunks in a shard": ("shards", ["chunk_grid", "configuration", "chunk_shape"], [9000, 3, 9], "in a shard"),
    "location": ("shards", [*SHARDS, "index_location"], "x", "codecs[0].index_location is 'x'"),
}


def check_refused(estimator, file, message):
    start = time.perf_counter()
    with pytest.raises(ValueError, match=f"{re.escape(str(file))}.*{re.escape(message)}") as caught:
        transform_files(estimator, file, file.parent / "out")
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - start < 5  # of a loaded machine


@pytest.mark.parametrize("name", FORGED)
def test_forged_zarr(name, estimator, tmp_path):
    kind, path, value, message = FORGED[name]
    file = tmp_path / "a.zarr"
    write_array(file, kind, panel())
    write_metadata(file, kind, changed(read_metadata(file, kind), path, value))
    check_refused(estimator, file, message)


class Bomb:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("spelling", ["pickle", "\\u0070ickle"])
@pytest.mark.parametrize("dtype", ["|O", "<f8"])
def test_a_codec_of_pickles_is_not_called(estimator, tmp_path, monkeypatch, spelling, dtype):
    pickles = pytest.importorskip("numcodecs.pickles")
    monkeypatch.setattr(pickles, "ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)  # as before numcodecs 0.16.6
    file, witness = tmp_path / "a.zarr", tmp_path / "ran"
    file.mkdir()
    metadata = {"zarr_format": 2, "shape": [1, 3], "chunks": [1, 3], "dtype": dtype, "fill_value": 0, "order": "C"}
    metadata |= {"compressor": None, "filters": [{"id": "vlen-utf8"}, {"id": "PICKLE"}]}
    (file / ".zarray").write_text(json.dumps(metadata).replace("PICKLE", spelling))
    import pickle

    (file / "0.0").write_bytes(pickle.dumps(Bomb(str(witness))))
    check_refused(estimator, file, "dtype is" if dtype == "|O" else "filters[0].id is 'vlen-utf8'")
    assert not witness.exists()


def test_repeated_keys_and_two_metadata(estimator, tmp_path):
    file = tmp_path / "a.zarr"
    write_array(file, "zarr 2", panel())
    text = (file / ".zarray").read_text()
    (file / ".zarray").write_text(text.replace("{", '{"filters": [{"id": "pickle"}], ', 1))
    check_refused(estimator, file, "the key 'filters' is repeated")
    (file / ".zarray").write_text(text)
    write_array(tmp_path / "b.zarr", "zarr 3", panel())
    (file / "zarr.json").write_text((tmp_path / "b.zarr/zarr.json").read_text())
    check_refused(estimator, file, "it has both zarr.json and .zarray")


@pytest.mark.parametrize("kind", ["link", "link to a folder", "pipe"])
def test_links_and_pipes_inside_zarr(estimator, tmp_path, kind):
    file = tmp_path / "a.zarr"
    write_array(file, "zarr 2", panel())
    np.save(tmp_path / "secret.npy", np.arange(99.0))
    (file / "0.0.0").unlink()
    if kind == "pipe":
        os.mkfifo(file / "0.0.0")
    else:
        (file / "0.0.0").symlink_to(tmp_path / ("secret.npy" if kind == "link" else "."))
    check_refused(estimator, file, "'0.0.0' inside it is a link")


@pytest.mark.parametrize("kind", fuzz_arrays.KINDS[:3])
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", ">f8"])
def test_numbers_are_read(estimator, tmp_path, kind, dtype):
    X = (panel() > 0 if dtype == "bool" else 9 * np.abs(panel())).astype(dtype)
    if kind == "shards" and dtype == ">f8":
        X = X.astype("f8")
    write_array(tmp_path / "a.zarr", kind, X)
    np.testing.assert_array_equal(
        transform_files(estimator, tmp_path / "a.zarr", tmp_path / "out", part_size=3), estimator.transform(X)
    )


@pytest.mark.parametrize("name", ["blosc", "gzip", "lz4", "zlib", "zstd", "delta", None])
@pytest.mark.parametrize("version", [2, 3])
def test_codecs_are_read(estimator, tmp_path, name, version):
    X = (9 * panel()).astype("i4")
    how = {"compressors": None, "filters": None}
    codecs = pytest.importorskip("numcodecs" if version == 2 else "zarr.codecs.numcodecs")
    classes = {"blosc": "Blosc", "gzip": "GZip", "lz4": "LZ4", "zlib": "Zlib", "zstd": "Zstd", "delta": "Delta"}
    if name == "delta":
        how["filters"] = [codecs.Delta(dtype="<i4")]
    elif name:
        how["compressors"] = [getattr(codecs, classes[name])()]
    zarr.create_array(tmp_path / "a.zarr", data=X, chunks=(3, 3, 9), zarr_format=version, **how)
    features = transform_files(estimator, tmp_path / "a.zarr", tmp_path / "out")
    np.testing.assert_array_equal(features, estimator.transform(X))


# --------------------------------------------------------------------------------------------------- parquet

COLUMNS = {
    "texts": (["a"] * 72, "'extra' is of type 'string'"),
    "bytes": ([b"a"] * 72, "'extra' is of type 'binary'"),
    "records": ([{"a": 1}] * 72, "'extra' is of type 'struct<a: int64>'"),
    "lists of texts": ([["a"]] * 72, "is of type 'string'"),
    "lists of lists": ([[[1.0]]] * 72, "is of type 'list<"),
    "times": (pd.date_range("2020", periods=72), "'extra' is of type 'timestamp["),
    "periods": (pd.period_range("2020", periods=72), "'extra' is of the extension type"),
    "intervals": (pd.interval_range(0, 72), "'extra' is of the extension type"),
    "categories": (pd.Categorical(["a"] * 72), "'extra' is of type 'dictionary<"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_that_hold_no_numbers(name, estimator, tmp_path):
    values, message = COLUMNS[name]
    table = pa.Table.from_pandas(frame()).append_column("extra", pa.array(values))
    pq.write_table(table, tmp_path / "a.parquet")
    check_refused(estimator, tmp_path / "a.parquet", message)


class Uuid(pa.ExtensionType):
    """An extension type of a stranger, registered or not."""

    made = 0

    def __init__(self):
        super().__init__(pa.float64(), "tests.uuid")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, data):
        return cls()


@pytest.mark.parametrize("known", [False, True])
def test_extension_types(estimator, tmp_path, known):
    values = pa.ExtensionArray.from_storage(Uuid(), pa.array(np.ones(72)))
    pq.write_table(pa.Table.from_pandas(frame()).append_column("extra", values), tmp_path / "a.parquet")
    if known:
        pa.register_extension_type(Uuid())
    try:
        check_refused(estimator, tmp_path / "a.parquet", "'extra' is of the extension type")
    finally:
        if known:
            pa.unregister_extension_type("tests.uuid")


@pytest.mark.parametrize("dtype", [*fuzz_arrays.NUMPY_TYPES[:5], "tests.bomb", "", 3, None])
@pytest.mark.parametrize("where", ["columns", "column_indexes"])
def test_pandas_metadata_construct_no_dtype(estimator, tmp_path, dtype, where):
    class Bomb(pd.api.extensions.ExtensionDtype):
        name, type = "tests.bomb", float

        @classmethod
        def construct_from_string(cls, text):
            assert text != "tests.bomb", "code ran"
            raise TypeError(text)

    pd.api.extensions.register_extension_dtype(Bomb)
    try:
        table = pa.Table.from_pandas(frame())
        document = json.loads(table.schema.metadata[b"pandas"])
        document[where][0]["numpy_type"] = dtype
        table = table.replace_schema_metadata({b"pandas": json.dumps(document).encode()})
        pq.write_table(table, tmp_path / "a.parquet")
        check_refused(estimator, tmp_path / "a.parquet", f"in its pandas metadata is {dtype!r}")
    finally:
        pd.core.dtypes.base._registry.dtypes.remove(Bomb)


def test_values_that_are_not_stored(estimator, tmp_path):
    pq.write_table(pa.table({name: pa.repeat(1.0, 2_000_000) for name in "abc"}), tmp_path / "a.parquet")
    check_refused(estimator, tmp_path / "a.parquet", "declares 48000000 bytes of values")


@pytest.mark.parametrize("dtype", ["Float64", "Int64", "boolean", "float32", "double[pyarrow]"])
def test_nullable_numbers_are_read(tmp_path, dtype):
    table = pd.DataFrame(panel()[:, 0], columns=[f"t{i}" for i in range(9)], index=pd.Index(list("abcdefgh"), name="n"))
    table = (table > 0 if dtype == "boolean" else table.round()).astype(dtype)
    table.to_parquet(tmp_path / "a.parquet")
    iss = ISSTransformer(pooling="end", windows="whole").fit(table)
    np.testing.assert_array_equal(transform_files(iss, tmp_path / "a.parquet", tmp_path / "out"), iss.transform(table))


@pytest.mark.parametrize("second", [range(9), pd.date_range("2020", periods=9, tz="UTC"), list("abcdefghi")])
@pytest.mark.parametrize("first", [range(8), list("hgfedcba"), pd.CategoricalIndex(list("hgfedcba"))])
def test_indexes_of_numbers_texts_and_times_are_read(estimator, tmp_path, first, second):
    table = frame().set_axis(pd.MultiIndex.from_product([first, second], names=["instance", "time"]))
    table.to_parquet(tmp_path / "a.parquet")
    features = transform_files(estimator, tmp_path / "a.parquet", tmp_path / "out")
    np.testing.assert_array_equal(features, estimator.transform(pd.read_parquet(tmp_path / "a.parquet")))


# ------------------------------------------------------------------------------------------------------- npy


def npy(header):
    data = repr(header).encode() if isinstance(header, dict) else header
    return b"\x93NUMPY\x01\x00" + (len(data) + 1).to_bytes(2, "little") + data + b"\n" + bytes(8 * 216)


HEADERS = {
    "2**63 rows": ({"descr": "<f8", "fortran_order": False, "shape": (2**63, 3, 9)}, f"its shape is ({2**63}, 3, 9)"),
    "2**62 rows": (
        {"descr": "<f8", "fortran_order": False, "shape": (2**62, 3, 9)},
        "bytes of values, but stores only",
    ),
    "no columns": ({"descr": "<f8", "fortran_order": False, "shape": (2**62, 0)}, "at least one channel"),
    "negative": ({"descr": "<f8", "fortran_order": False, "shape": (-8, 3, 9)}, "its shape is (-8, 3, 9)"),
    "bool side": ({"descr": "<f8", "fortran_order": False, "shape": (True, 3, 9)}, "its shape is (True, 3, 9)"),
    "0-d": ({"descr": "<f8", "fortran_order": False, "shape": ()}, "got ()"),
    "1-d": ({"descr": "<f8", "fortran_order": False, "shape": (8,)}, "got (8,)"),
    "4-d": ({"descr": "<f8", "fortran_order": False, "shape": (1, 1, 1, 8)}, "got (1, 1, 1, 8)"),
    "objects": ({"descr": "|O", "fortran_order": False, "shape": (8, 3)}, "its dtype is 'object'"),
    "texts": ({"descr": "<U2", "fortran_order": False, "shape": (8, 3)}, "its dtype is '<U2'"),
    "deep": (b"(" * 5000, "cannot be read"),
    "cut": (b"{'descr': '<f8', 'fo", "cannot be read"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_forged_npy(name, estimator, tmp_path):
    header, message = HEADERS[name]
    (tmp_path / "a.npy").write_bytes(npy(header))
    check_refused(estimator, tmp_path / "a.npy", message)


def test_arrays_in_either_order_are_read(estimator, tmp_path):
    X = panel()
    for name, array in {"c": X, "f": np.asfortranarray(X), "big": X.astype(">f4")}.items():
        np.save(tmp_path / f"{name}.npy", array)
        features = transform_files(estimator, tmp_path / f"{name}.npy", tmp_path / name, part_size=3)
        np.testing.assert_array_equal(features, estimator.transform(array))
        np.testing.assert_array_equal(read_features(tmp_path / name), features)


def test_random_forgeries_need_little_time_and_memory():
    counts, seconds, mib = fuzz_arrays.run(200)
    for n_cases, refused in counts.values():
        assert n_cases == 50
        assert 40 < refused <= 50
    assert seconds < 10 * fuzz_arrays.MAX_SECONDS  # other programs may use the machine
    assert mib < fuzz_arrays.MAX_MIB
