"""Frames in parquet files, read after their types agree with fixed lists."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from sigfeat.adapters._reading import Header, check_declared, check_regular, once, shown

_NUMPY_TYPES = re.compile(
    r"object|str|string(\[\w+\])?|bool|boolean|[uU]?[iI]nt(8|16|32|64)|[fF]loat(16|32|64)"
    r"|(datetime64|timedelta64)\[(s|ms|us|ns)(, [\w/+:-]+)?\]"
    r"|(bool|u?int(8|16|32|64)|halffloat|float|double|string|large_string)\[pyarrow\]"
)


def parquet_header(file: Path, parquet: Any) -> Header:
    """Rows and columns of a file whose types and sizes have been checked, and the dtype if it is a table of floats."""
    check_regular(file)
    with parquet.ParquetFile(file) as opened:
        return _checked(opened, file)


def read_frame(file: Path, parquet: Any) -> Any:
    """DataFrame of a file whose types have been checked."""
    check_regular(file)
    with parquet.ParquetFile(file) as opened:
        _checked(opened, file)
        return opened.read().to_pandas()


def _checked(opened: Any, file: Path) -> Header:
    schema, metadata = opened.schema_arrow, opened.metadata
    labels = _checked_pandas(schema)
    for field in schema:
        _check_field(field, field.name in labels)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    n_values = sum(group.column(i).num_values for group in groups for i in range(group.num_columns))
    n_rows = sum(group.num_rows for group in groups)
    if metadata.num_rows != n_rows or any(group.num_rows < 0 for group in groups) or n_values < 0:
        raise ValueError(f"num_rows is {metadata.num_rows}, but its groups have {n_rows} rows")
    check_declared(8 * max(n_values, n_rows), file.stat().st_size)
    kinds = {str(field.type) for field in schema}
    floats = {"float": "float32", "double": "float64"}
    same = floats.get(next(iter(kinds), "")) if len(kinds) == 1 else None
    return Header((n_rows, len(schema)), None if same is None else np.dtype(same))


def _check_field(field: Any, is_label: bool) -> None:
    """Raise a ValueError unless a column holds numbers or lists of numbers, or an index also texts or times."""
    import pyarrow as pa

    if isinstance(field.type, pa.BaseExtensionType) or b"ARROW:extension:name" in (field.metadata or {}):
        raise ValueError(f"column {shown(field.name)} is of the extension type {shown(str(field.type))}")
    kind, inside = field.type, None
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inside = kind.value_field
        _check_field(inside, False)
        kind = inside.type
    if not (_is_number(kind) or (is_label and inside is None and _is_label(kind))):
        raise ValueError(f"column {shown(field.name)} is of type {shown(str(field.type))}, but must hold numbers")


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    kinds = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_null)
    return any(is_kind(kind) for is_kind in kinds)


def _is_label(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
        return bool(types.is_string(kind) or types.is_large_string(kind) or _is_number(kind))
    kinds = (types.is_string, types.is_large_string, types.is_string_view, types.is_temporal)
    return any(is_kind(kind) for is_kind in kinds)


def _checked_pandas(schema: Any) -> set[str]:
    """Columns that are levels of the index, from metadata that name only dtypes of numbers, texts and times."""
    text = (schema.metadata or {}).get(b"pandas")
    if text is None:
        return set()
    document = json.loads(text, object_pairs_hook=once)
    names = document["columns"] + document["column_indexes"]
    for entry in names:
        dtype = entry["numpy_type"]
        if not isinstance(dtype, str) or not _NUMPY_TYPES.fullmatch(dtype):
            name = entry.get("field_name") or entry.get("name")
            raise ValueError(
                f"the dtype of {shown(name)} in its pandas metadata is {shown(dtype)}, but must be numeric"
            )
    if len(document["column_indexes"]) > 1:
        raise ValueError(f"its columns have {len(document['column_indexes'])} levels of names, but must have one")
    return {name for name in document["index_columns"] if isinstance(name, str)}
