"""Transform series stored in files, in parts, and write the features to files."""

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
    """Transform series stored in files and write their features into a folder, in parts.

    Neither the series nor the features are held in memory as a whole. Each part is a task for dask and a file in
    `target`, which is written completely or not at all. Parts that exist are not computed again: after an interrupt, a
    lost worker or a full disk, the same call continues where it stopped.

    Parameters
    ----------
    estimator : transformer
        Fitted transformer of sigfeat, or a fitted pipeline that starts with one, that returns a table of features.
    source : path
        A file, or a folder whose files are read in the order of their names:

        * ``.npy``: array (n_samples, n_channels, n_timepoints) or (n_samples, n_timepoints);
        * ``.zarr``: array of one of these shapes;
        * ``.parquet``: DataFrame of any kind that `to_panel` accepts. Each file is read as a whole and is one part, so
          split large panels into several files.
    target : path
        Folder, created if it does not exist.
    part_size : int or None, default=None
        Number of series in a part. None: as many as need 32 MiB together with their features.
    format : {"npy", "parquet", "zarr"}, default="npy"
        Format of the files in `target`. In "parquet" the columns have the names of the features.

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
        If `source` does not exist or contains no file.
    ImportError
        If pyarrow or zarr is needed and not installed.
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If a parameter or a file is invalid. Files are never unpickled.

    Notes
    -----
    `target` is assumed to belong to this estimator if the features of the first series agree, and to these series if
    the names, sizes and modification times of the files agree.

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
    source, target = (
        Path(path).expanduser().resolve() for path in (source, target)
    )  # workers may run in another folder
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
    run = secrets.token_hex(8)  # tasks run in the order of their names, which must be unique
    tasks = [
        make(shared, part, part.path(target, format), names, first.dtype, dask_key_name=f"part-{part.number:06d}-{run}")
        for part in missing
    ]
    dask.compute(tasks)
    for left in target.glob(".part-*"):  # leftovers of lost workers
        _remove(left)
    return read_features(target)


def read_features(target: str | os.PathLike[str]) -> Any:
    """Open the features written by `transform_files` as a dask array.

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
    """The series from `start` to `stop` (None: all) of a file."""

    number: int
    file: Path
    start: int
    stop: int | None

    def path(self, target: Path, kind: str) -> Path:
        return _part_path(target, self.number, kind)


def _part_path(target: Path, number: int, kind: str) -> Path:
    return target / f"part-{number:06d}.{kind}"


def _files(source: Path) -> list[Path]:
    """The files that contain series."""
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
        raise ValueError(f"estimator must return a table of features, got {features.ndim} dimensions")
    first: NDArray[Any] = features[0]
    return first


def _feature_names(estimator: Any, n_features: int) -> list[str]:
    try:
        return [str(name) for name in estimator.get_feature_names_out()]
    except AttributeError:  # of a pipeline with a step that has no names
        return [f"feature{i + 1}" for i in range(n_features)]


def _make_part(estimator: Any, part: _Part, path: Path, names: list[str], dtype: np.dtype[Any]) -> None:
    """Write the features of a part to a temporary name, then rename it."""
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
    """Write the list into an empty folder, or check that the existing list agrees."""
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
        raise FileNotFoundError(f"{target} is not a folder written by transform_files: it has no {LIST}")
    types = {"format": str, "dtype": str, "files": list, "parts": list, "first": list}
    try:
        listing: dict[str, Any] = json.loads(file.read_bytes())
        wrong = [name for name, kind in types.items() if not isinstance(listing[name], kind)]
        if wrong or listing["format"] not in FORMATS or listing["dtype"] not in ("float32", "float64"):
            raise ValueError(f"its {', '.join(wrong) or 'format or dtype'} is wrong")
        np.asarray(listing["first"], dtype=float)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    return listing
