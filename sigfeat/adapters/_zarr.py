"""Arrays of zarr, opened after their metadata agree with fixed lists of dtypes and codecs.

A codec is a program that the metadata choose. Those listed here only rearrange and decompress numbers.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from sigfeat.adapters._reading import Header, Stored, check_declared, check_sides, once, shown, stored_files

METADATA = {"zarr.json": 3, ".zarray": 2}
MAX_METADATA_BYTES = 2**22
FREE_CHUNKS, MAX_MISSING = 1000, 10  # chunks that hold only the fill value need no file
MAX_SHARD_DEPTH = 2

# Names of codecs, and of their parameters.
COMPRESSORS = {
    "blosc": {"cname", "clevel", "shuffle", "blocksize", "typesize"},
    "gzip": {"level"},
    "lz4": {"acceleration"},
    "zlib": {"level"},
    "zstd": {"level", "checksum"},
}
FILTERS = {"delta": {"dtype", "astype"}}
SHARDS = "sharding_indexed"
COMPRESSORS_V3 = {name: COMPRESSORS[name] for name in ("blosc", "gzip", "zstd")}
COMPRESSORS_V3 |= {f"numcodecs.{name}": parameters for name, parameters in COMPRESSORS.items()}
CODECS_V3 = COMPRESSORS_V3 | {
    "bytes": {"endian"},
    "crc32c": set(),
    "numcodecs.delta": FILTERS["delta"],
    "transpose": {"order"},
    SHARDS: {"chunk_shape", "codecs", "index_codecs", "index_location"},
}
INDEX_CODECS = ("bytes", "crc32c")

_INTEGERS = tuple(f"{sign}int{8 * size}" for sign in ("", "u") for size in (1, 2, 4, 8))
DTYPES_V3 = ("bool", *_INTEGERS, "float16", "float32", "float64")
_DTYPE_V2 = re.compile(r"[<>|](b1|[iu][1248]|f[248])")
_FIELDS = {
    2: {
        "zarr_format",
        "shape",
        "chunks",
        "dtype",
        "compressor",
        "fill_value",
        "order",
        "filters",
        "dimension_separator",
    },
    3: {
        "zarr_format",
        "node_type",
        "shape",
        "data_type",
        "chunk_grid",
        "chunk_key_encoding",
        "fill_value",
        "codecs",
        "attributes",
        "storage_transformers",
        "dimension_names",
    },
}


def zarr_header(file: Path) -> Header:
    """Shape and dtype of an array whose metadata, files and sizes have been checked."""
    files = stored_files(file)
    metadata, _ = _metadata(file)
    header = _checked(metadata)
    _check_amounts(metadata, header, files)
    return header


def open_zarr(file: Path, zarr: Any) -> Any:
    """The array of a folder, opened by the package `zarr`, after its metadata have been checked."""
    metadata, zarr_format = _metadata(file)
    header = _checked(metadata)
    array = zarr.open_array(file, mode="r", zarr_format=zarr_format)
    if array.shape != header.shape or array.dtype != header.dtype:
        raise ValueError("it changed while it was opened")
    return array


def _metadata(file: Path) -> tuple[dict[str, Any], int]:
    """Metadata of an array, with the version of their format."""
    names = [name for name in METADATA if (file / name).is_file()]
    if len(names) != 1:
        raise ValueError(f"it has both {' and '.join(names)}" if names else "it is no zarr array")
    path, zarr_format = file / names[0], METADATA[names[0]]
    if path.stat().st_size > MAX_METADATA_BYTES:
        raise ValueError(f"{path.name} has more than {MAX_METADATA_BYTES} bytes")
    metadata = json.loads(path.read_bytes(), object_pairs_hook=once)
    if not isinstance(metadata, dict):
        raise ValueError(f"{path.name} is {shown(metadata)}, but must be an object")
    found = metadata.get("zarr_format")
    if type(found) is not int or found != zarr_format:
        raise ValueError(f"zarr_format is {shown(found)}, but must be {zarr_format} in {path.name}")
    _check_keys("the metadata", metadata, _FIELDS[zarr_format])
    return metadata, zarr_format


def _checked(metadata: dict[str, Any]) -> Header:
    """Shape and dtype of metadata whose fields all have allowed values."""
    shape = check_sides("shape", metadata.get("shape"))
    dtype = _checked_v2(metadata) if metadata["zarr_format"] == 2 else _checked_v3(metadata)
    chunks = check_sides("the shape of chunks", _chunks(metadata), 1)
    if len(chunks) != len(shape):
        raise ValueError(f"the shape of chunks is {shown(chunks)}, but shape is {shown(shape)}")
    fill = metadata.get("fill_value")
    if not (fill is None or isinstance(fill, bool | int | float) or (isinstance(fill, str) and len(fill) <= 20)):
        raise ValueError(f"fill_value is {shown(fill)}, but must be a number")
    return Header(shape, dtype)


def _chunks(metadata: dict[str, Any]) -> Any:
    if metadata["zarr_format"] == 2:
        return metadata.get("chunks")
    return metadata["chunk_grid"]["configuration"].get("chunk_shape")


def _checked_v2(metadata: dict[str, Any]) -> np.dtype[Any]:
    dtype = metadata.get("dtype")
    if not isinstance(dtype, str) or not _DTYPE_V2.fullmatch(dtype):
        raise ValueError(f"dtype is {shown(dtype)}, but must be that of booleans, integers or floats, such as '<f8'")
    _check_name("order", metadata.get("order"), ("C", "F"))
    _check_name("dimension_separator", metadata.get("dimension_separator", "."), (".", "/"))
    if metadata.get("compressor") is not None:
        _check_codec_v2("compressor", metadata["compressor"], COMPRESSORS)
    filters = metadata.get("filters")
    if not (filters is None or isinstance(filters, list)):
        raise ValueError(f"filters is {shown(filters)}, but must be a list or null")
    for i, codec in enumerate(filters or []):
        _check_codec_v2(f"filters[{i}]", codec, FILTERS)
    return np.dtype(dtype)


def _check_codec_v2(field: str, codec: Any, allowed: dict[str, set[str]]) -> None:
    if not isinstance(codec, dict):
        raise ValueError(f"{field} is {shown(codec)}, but must be an object")
    _check_name(f"{field}.id", codec.get("id"), allowed)
    _check_parameters(field, {name: value for name, value in codec.items() if name != "id"}, allowed[codec["id"]])


def _checked_v3(metadata: dict[str, Any]) -> np.dtype[Any]:
    _check_name("node_type", metadata.get("node_type"), ("array",))
    _check_name("data_type", metadata.get("data_type"), DTYPES_V3)
    name, grid = _named("chunk_grid", metadata.get("chunk_grid"))
    _check_name("chunk_grid.name", name, ("regular",))
    _check_keys("chunk_grid.configuration", grid, {"chunk_shape"})
    name, encoding = _named("chunk_key_encoding", metadata.get("chunk_key_encoding"))
    _check_name("chunk_key_encoding.name", name, ("default", "v2"))
    _check_keys("chunk_key_encoding.configuration", encoding, {"separator"})
    _check_name("chunk_key_encoding.configuration.separator", encoding.get("separator", "/"), ("/", "."))
    for field, default, kind in (("storage_transformers", [], list), ("attributes", {}, dict)):
        value = metadata.get(field, default)
        if not isinstance(value, kind) or (field == "storage_transformers" and value):
            raise ValueError(f"{field} is {shown(value)}, but must be an empty list or an object")
    _check_codecs("codecs", metadata.get("codecs"), tuple(CODECS_V3))
    dtype: np.dtype[Any] = np.dtype(metadata["data_type"])
    return dtype


def _check_codecs(field: str, codecs: Any, allowed: tuple[str, ...], depth: int = 0) -> None:
    """Raise a ValueError if a list of codecs has others than `allowed`, or several compressors."""
    if not isinstance(codecs, list) or not codecs:
        raise ValueError(f"{field} is {shown(codecs)}, but must be a list of codecs")
    names = []
    for i, codec in enumerate(codecs):
        name, parameters = _named(f"{field}[{i}]", codec)
        _check_name(f"{field}[{i}].name", name, allowed)
        names.append(name)
        if name == SHARDS:
            _check_shards(f"{field}[{i}]", parameters, depth + 1)
        else:
            _check_parameters(f"{field}[{i}]", parameters, CODECS_V3[name])
    if sum(name in COMPRESSORS_V3 for name in names) > 1:  # a few bytes might expand into terabytes
        raise ValueError(f"{field} is {shown(names)}, but must have at most one compressor")


def _check_shards(field: str, parameters: dict[str, Any], depth: int) -> None:
    if depth > MAX_SHARD_DEPTH:
        raise ValueError(f"{field} is a shard inside {depth - 1} others, but at most {MAX_SHARD_DEPTH - 1} is allowed")
    _check_keys(field, parameters, CODECS_V3[SHARDS])
    check_sides(f"{field}.chunk_shape", parameters.get("chunk_shape"), 1)
    _check_name(f"{field}.index_location", parameters.get("index_location", "end"), ("start", "end"))
    _check_codecs(f"{field}.codecs", parameters.get("codecs"), tuple(CODECS_V3), depth)
    _check_codecs(f"{field}.index_codecs", parameters.get("index_codecs"), INDEX_CODECS, depth)


def _named(field: str, value: Any) -> tuple[Any, dict[str, Any]]:
    """Name and configuration of an entry of the third format, which may be a name alone."""
    if isinstance(value, str):
        return value, {}
    if not isinstance(value, dict):
        raise ValueError(f"{field} is {shown(value)}, but must be an object with a name")
    _check_keys(field, value, {"name", "configuration"})
    configuration = value.get("configuration", {})
    if not isinstance(configuration, dict):
        raise ValueError(f"{field}.configuration is {shown(configuration)}, but must be an object")
    return value.get("name"), configuration


def _check_name(field: str, value: Any, allowed: Any) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{field} is {shown(value)}, but must be one of {', '.join(allowed)}")


def _check_keys(field: str, value: dict[str, Any], allowed: set[str]) -> None:
    unknown = sorted(set(value) - allowed)
    if unknown:
        raise ValueError(f"{field} has the unknown key {shown(unknown[0])} with the value {shown(value[unknown[0]])}")


def _check_parameters(field: str, parameters: dict[str, Any], allowed: set[str]) -> None:
    """Raise a ValueError if a parameter of a codec is unknown, or is no number, short text or dtype of numbers."""
    _check_keys(field, parameters, allowed)
    for name, value in parameters.items():
        if name in ("dtype", "astype"):
            valid = isinstance(value, str) and (value in DTYPES_V3 or _DTYPE_V2.fullmatch(value) is not None)
        elif name == "order":
            valid = isinstance(value, list) and sorted(map(str, value)) == sorted(map(str, range(len(value))))
        elif isinstance(value, int):
            valid = abs(value) < 2**31
        else:
            valid = value is None or (isinstance(value, str) and len(value) <= 20)
        if not valid:
            raise ValueError(f"{field}.{name} is {shown(value)}, which is not allowed")


def _check_amounts(metadata: dict[str, Any], header: Header, files: list[Stored]) -> None:
    """Raise a ValueError if an array declares many more values or chunks than are stored."""
    dtype, chunks = header.dtype, _chunks(metadata)
    assert dtype is not None
    stored, n_files = sum(file.size for file in files), len(files)
    check_declared(dtype.itemsize * max(math.prod(header.shape), math.prod(chunks)), stored)
    n_chunks = math.prod(-(-side // chunk) for side, chunk in zip(header.shape, chunks, strict=True))
    if n_chunks > FREE_CHUNKS + MAX_MISSING * n_files:
        raise ValueError(f"it declares {n_chunks} chunks, but has only {n_files} files")
    codecs = metadata.get("codecs", [])
    while shards := [codec for codec in codecs if isinstance(codec, dict) and codec.get("name") == SHARDS]:
        inside = shards[0]["configuration"]
        if len(inside["chunk_shape"]) != len(chunks):
            raise ValueError(f"chunk_shape of a shard is {shown(inside['chunk_shape'])}, but has another length")
        n_inside = math.prod(max(1, side // part) for side, part in zip(chunks, inside["chunk_shape"], strict=True))
        if n_inside > FREE_CHUNKS + stored:  # each has an entry in the index of its shard
            raise ValueError(f"it declares {n_inside} chunks in a shard, but stores only {stored} bytes")
        codecs, chunks = inside["codecs"], inside["chunk_shape"]
