"""Transforms of series in files, part by part, into files."""

import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import dask.array
import numpy as np
from numpy.typing import NDArray

from sigfeat._validation import check_is_fitted
from sigfeat.adapters._formats import FORMATS, kind_of, read_rows, shape_of, stamp, write_table
from sigfeat.panel import is_table, to_panel

PART_BYTES = 2**25  # of series and features together
LIST = "parts.json"


def transform_files(
    estimator: Any,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    part_size: int | None = None,
    format: str = "npy",
) -> Any:
    """Features of the series in files, written part by part into a folder; what is there already is not made again.

    Neither the series nor the features are ever in memory as a whole. Each part is a task of its own for dask, and a
    file of its own in `target`, which is there as a whole or not at all: after an interrupt, a lost worker or a full
    disk the same call goes on where it stopped.

    Parameters
    ----------
    estimator : transformer
        Fitted: a transformer of sigfeat, or a pipeline that begins with one, that gives a table of features.
    source : path
        A file, or a folder whose files are taken in the order of their names:

        * ``.npy``: array (n_samples, n_channels, n_timepoints) or (n_samples, n_timepoints);
        * ``.zarr``: array of such a shape;
        * ``.parquet``: DataFrame of any kind that `to_panel` takes. Each is read as a whole and is one part, so put
          large panels into several files.
    target : path
        Folder; made where there is none.
    part_size : int or None, default=None
        Series in a part; None for as many as take 32 MiB together with their features.
    format : {"npy", "parquet", "zarr"}, default="npy"
        Of the files in `target`. In "parquet" columns have the names of the features.

    Returns
    -------
    features : dask.array.Array of shape (n_samples, n_features_out)
        The contents of `target`, in the order of `source`, in the dtype of the features of the first series; see
        `read_features`.

    Raises
    ------
    FileExistsError
        If `target` holds something else, or features of other series, of another estimator or in other parts.
    FileNotFoundError
        If there is no `source`, or no file in it.
    ImportError
        If pyarrow or zarr is needed and not installed.
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If a parameter or a file is wrong. No file is ever unpickled.

    Notes
    -----
    Whether `target` belongs to this estimator is told by the features of the very first series, and to these series by
    the names, sizes and times of the files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sigfeat import ISSTransformer
    >>> from sigfeat.adapters.dask import transform_files
    >>> X = np.random.default_rng(0).standard_normal((1000, 3, 50))
    >>> iss = ISSTransformer().fit(X[:100])
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     np.save(folder / "series.npy", X)
    ...     features = transform_files(iss, folder / "series.npy", folder / "features", part_size=300)
    ...     print(features.numblocks, bool((features.compute() == iss.transform(X)).all()))
    (4, 1) True
    """
    check_is_fitted(estimator)
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if part_size is not None and part_size < 1:
        raise ValueError(f"part_size must be at least 1, got {part_size}")
    source, target = (Path(path).expanduser().resolve() for path in (source, target))  # workers may be elsewhere
    files = _files(source)
    first = _first_features(estimator, files[0])
    parts = _parts(files, part_size, first)
    listing = {
        "format": format,
        "dtype": first.dtype.name,
        "files": [[file.name, *stamp(file)] for file in files],
        "parts": [[files.index(part.file), part.start, part.stop] for part in parts],
        "first": [float(value) for value in first],
    }
    _agree(target, listing)
    names = _feature_names(estimator, len(first))
    shared, make = dask.delayed(estimator, pure=False, traverse=False), dask.delayed(_make_part, pure=False)
    missing = [part for part in parts if not part.path(target, format).exists()]
    run = secrets.token_hex(8)  # names of tasks, by which their order is decided, differ from those of other transforms
    tasks = [
        make(shared, part, part.path(target, format), names, first.dtype, dask_key_name=f"part-{part.number:06d}-{run}")
        for part in missing
    ]
    dask.compute(tasks)
    for left in target.glob(".part-*"):  # of workers that were lost
        _remove(left)
    return read_features(target)


def read_features(target: str | os.PathLike[str]) -> Any:
    """Features that `transform_files` wrote, read when they are asked for.

    Parameters
    ----------
    target : path
        Folder.

    Returns
    -------
    features : dask.array.Array of shape (n_samples, n_features_out)
        A chunk for each file.

    Raises
    ------
    FileNotFoundError
        If the folder is not one of `transform_files`, or is not complete.
    ValueError
        If its list of files is damaged.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sigfeat import ISSTransformer
    >>> from sigfeat.adapters.dask import read_features, transform_files
    >>> X = np.random.default_rng(0).standard_normal((6, 2, 20))
    >>> iss = ISSTransformer(pooling="end", windows="whole").fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/series.npy", X)
    ...     _ = transform_files(iss, f"{folder}/series.npy", f"{folder}/features")
    ...     features = read_features(f"{folder}/features").compute()
    >>> bool(np.allclose(features, iss.transform(X)))
    True
    """
    target = Path(target).expanduser().resolve()
    listing = _read_list(target)
    paths = [_part_path(target, number, listing["format"]) for number in range(len(listing["parts"]))]
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        raise FileNotFoundError(f"{target} has not all parts: {len(missing)} are missing, the first is {missing[0]}")
    read = dask.delayed(read_rows, pure=True)
    dtype, n_features = np.dtype(listing["dtype"]), len(listing["first"])
    blocks = [
        dask.array.from_delayed(read(path, 0, None, as_table=True), (shape_of(path)[0], n_features), dtype)
        for path in paths
    ]
    return dask.array.concatenate(blocks, axis=0)


@dataclass(frozen=True)
class _Part:
    """Series from `start` to `stop` (None for all) of a file."""

    number: int
    file: Path
    start: int
    stop: int | None

    def path(self, target: Path, kind: str) -> Path:
        return _part_path(target, self.number, kind)


def _part_path(target: Path, number: int, kind: str) -> Path:
    return target / f"part-{number:06d}.{kind}"


def _files(source: Path) -> list[Path]:
    """Files with series in them."""
    if not source.exists():
        raise FileNotFoundError(f"there is no {source}")
    endings = ", ".join("." + name for name in FORMATS)
    if not kind_of(source) and not source.is_dir():
        raise ValueError(f"source must be a folder or a file that ends in one of {endings}, got {source}")
    inside = [source] if kind_of(source) else sorted(source.iterdir())
    files = [entry for entry in inside if kind_of(entry) and not entry.name.startswith(".")]
    if not files:
        raise FileNotFoundError(f"{source} has no file that ends in one of {endings}")
    with_series = [file for file in files if shape_of(file)[0]]
    if not with_series:
        raise ValueError(f"{source} holds no series")
    return with_series


def _parts(files: list[Path], part_size: int | None, first: NDArray[Any]) -> list[_Part]:
    parts: list[_Part] = []
    for file in files:
        if kind_of(file) == "parquet":
            parts.append(_Part(len(parts), file, 0, None))
            continue
        n_series, *numbers = shape_of(file)
        size = part_size or max(1, PART_BYTES // (first.itemsize * (int(np.prod(numbers)) + len(first))))
        for start in range(0, n_series, size):
            parts.append(_Part(len(parts), file, start, min(start + size, n_series)))
    return parts


def _first_features(estimator: Any, file: Path) -> NDArray[Any]:
    X = read_rows(file, 0, 1)
    one = (X.iloc[:1] if hasattr(X, "iloc") else X[:1]) if is_table(X) else to_panel(X)[:1]
    features = np.asarray(estimator.transform(one))
    if features.ndim != 2:
        raise ValueError(f"estimator must give a table of features, got {features.ndim} dimensions")
    return features[0]


def _feature_names(estimator: Any, n_features: int) -> list[str]:
    try:
        return [str(name) for name in estimator.get_feature_names_out()]
    except AttributeError:  # of a pipeline with a step that has no names
        return [f"feature{i + 1}" for i in range(n_features)]


def _make_part(estimator: Any, part: _Part, path: Path, names: list[str], dtype: np.dtype[Any]) -> None:
    """Write the features of a part beside its place, then rename."""
    features = np.asarray(estimator.transform(read_rows(part.file, part.start, part.stop)), dtype)
    if features.shape[1:] != (len(names),):
        raise ValueError(f"all series of {part.file} must have {len(names)} features, got {features.shape[1:]}")
    unfinished = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        write_table(unfinished, features, names)
        unfinished.rename(path)
    except OSError:
        if not path.exists():  # else another worker was as fast
            raise
    finally:
        _remove(unfinished)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _agree(target: Path, listing: dict[str, Any]) -> None:
    """Write the list into an empty folder, or check that it is the one that is there."""
    target.mkdir(parents=True, exist_ok=True)
    if not (target / LIST).exists():
        if any(not entry.name.startswith(".") for entry in target.iterdir()):
            raise FileExistsError(f"{target} is not empty, and not of transform_files: choose another target")
        unfinished = target / f".{LIST}.{secrets.token_hex(4)}"
        unfinished.write_text(json.dumps(listing))
        unfinished.rename(target / LIST)
        return
    known = _read_list(target)
    whose = {
        "files": "of other series",
        "format": "in another format",
        "parts": "in other parts",
        "dtype": "of a dtype",
    }
    for key, what in whose.items():
        if known[key] != listing[key]:
            raise FileExistsError(f"{target} holds features {what}: choose another target, or remove it")
    if not _alike(known["first"], listing["first"], listing["dtype"]):
        raise FileExistsError(f"{target} holds features of another estimator: choose another target, or remove it")


def _alike(known: list[float], first: list[float], dtype: str) -> bool:
    tolerance = 1e3 * float(np.finfo(dtype).eps)
    scale = max(map(abs, first), default=0.0)
    return len(known) == len(first) and np.allclose(known, first, rtol=tolerance, atol=tolerance * scale)


def _read_list(target: Path) -> dict[str, Any]:
    file = target / LIST
    if not file.is_file():
        raise FileNotFoundError(f"{target} is no folder of transform_files: it has no {LIST}")
    types = {"format": str, "dtype": str, "files": list, "parts": list, "first": list}
    try:
        listing = json.loads(file.read_bytes())
        wrong = [name for name, kind in types.items() if not isinstance(listing[name], kind)]
        if wrong or listing["format"] not in FORMATS or listing["dtype"] not in ("float32", "float64"):
            raise ValueError(f"its {', '.join(wrong) or 'format or dtype'} is wrong")
        np.asarray(listing["first"], dtype=float)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    return listing
