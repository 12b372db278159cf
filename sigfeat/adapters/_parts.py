"""Parts of series in files: which there are, and how their features are computed and written."""

import math
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat.adapters._formats import kind_of, read_rows, write_table
from sigfeat.adapters._stamps import stamp

PART_BYTES = 2**25  # of series and features together
MAX_FILES_OF_TASK = 64  # small files that are transformed together


@dataclass(frozen=True)
class Source:
    """A file that contains series."""

    file: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    stamp: list[Any] = field(hash=False)


@dataclass(frozen=True)
class Part:
    """The series from `start` to `stop` (None: all) of a file, the one with number `source`."""

    number: int
    source: int
    file: Path
    start: int
    stop: int | None


def part_path(target: Path, number: int, kind: str) -> Path:
    return target / f"part-{number:06d}.{kind}"


def parts_of(sources: list[Source], part_size: int | None, first: NDArray[Any]) -> list[Part]:
    parts: list[Part] = []
    for number, source in enumerate(sources):
        if kind_of(source.file) == "parquet":
            parts.append(Part(len(parts), number, source.file, 0, None))
            continue
        n_series = source.shape[0]
        size = part_size or max(1, PART_BYTES // _series_bytes(source, first))
        for start in range(0, n_series, size):
            parts.append(Part(len(parts), number, source.file, start, min(start + size, n_series)))
    return parts


def _series_bytes(source: Source, first: NDArray[Any]) -> int:
    """Bytes of a series and its features."""
    return int(first.itemsize * (math.prod(source.shape[1:]) + len(first)))


def groups(
    parts: list[Part], sources: list[Source], part_size: int | None, first: NDArray[Any]
) -> Iterator[list[Part]]:
    """Parts that one task transforms together: small files whose series have the same shape and dtype, or one part."""
    group: list[Part] = []
    n_series, last = 0, None
    for part in parts:
        source = sources[part.source]
        kind, n_here = (source.shape[1:], source.dtype), source.shape[0]
        most = part_size or max(1, PART_BYTES // _series_bytes(source, first))
        is_whole = part.stop is not None and part.stop - part.start == n_here
        if group and not (is_whole and kind == last and n_series + n_here <= most and len(group) < MAX_FILES_OF_TASK):
            yield group
            group, n_series = [], 0
        group.append(part)
        n_series, last = n_series + n_here, kind if is_whole else None
    if group:
        yield group


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Put the name of a file before the message of an estimator."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: {error}") from error


def make_parts(
    estimator: Any, parts: list[Part], target: Path, kind: str, names: list[str], dtype: np.dtype[Any]
) -> None:
    """Write the features of parts, which are transformed together if this raises no error."""
    series = [read_rows(part.file, part.start, part.stop) for part in parts]
    tables: list[Any] = [None] * len(parts)
    if len(parts) > 1:
        ends = np.cumsum([len(X) for X in series])[:-1]
        with suppress(TypeError, ValueError):  # raised again below, with the name of the file
            tables = np.split(np.asarray(estimator.transform(np.concatenate(series)), dtype), ends)
    for part, X, table in zip(parts, series, tables, strict=True):
        features = _features(estimator, part, X, dtype) if table is None else table
        if features.shape[1:] != (len(names),):
            raise ValueError(f"all series of {part.file} must have {len(names)} features, got {features.shape[1:]}")
        _write_part(part_path(target, part.number, kind), features, names)


def _features(estimator: Any, part: Part, X: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    series = "" if part.stop is None else f", series {part.start} to {part.stop - 1}"
    with naming(f"{part.file}{series}"):
        return np.asarray(estimator.transform(X), dtype)


def _write_part(path: Path, features: NDArray[Any], names: list[str]) -> None:
    """Write features to a temporary name, then rename it."""
    unfinished = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        write_table(unfinished, features, names)
        unfinished.rename(path)
    except OSError:
        if not path.exists():  # else another worker was as fast
            raise
    finally:
        remove(unfinished)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def refuse_changed(sources: list[Source], made: list[Part], target: Path, kind: str) -> None:
    """Remove the parts that were made of files that have changed in the meantime, and raise a ValueError."""
    numbers = dict.fromkeys(part.source for part in made)
    changed = {number for number in numbers if stamp(sources[number].file) != sources[number].stamp}
    for part in made:
        if part.source in changed:
            remove(part_path(target, part.number, kind))
    if changed:
        file = sources[min(changed)].file
        raise ValueError(f"{file} changed while its features were computed: choose another target, or remove {target}")
