"""Transform series stored in files, in parts, and write the features to files."""

import os
import secrets
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import dask
import dask.array
import numpy as np
from numpy.typing import NDArray

from sigfeat._validation import check_is_fitted
from sigfeat.adapters._fingerprints import fingerprint
from sigfeat.adapters._formats import FORMATS, header_of, kind_of, read_rows
from sigfeat.adapters._listings import agree, read_list
from sigfeat.adapters._parts import Source, groups, make_parts, naming, part_path, parts_of, refuse_changed, remove
from sigfeat.adapters._stamps import stamp
from sigfeat.panel import is_table, to_panel


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
        If a parameter or a file is invalid, or a file changes during the call. The message names the file.

    Warns
    -----
    UserWarning
        If `source` is a folder with entries that are not read, such as ``.npz`` or ``.NPY``.

    Notes
    -----
    `target` belongs to this estimator if the class, the parameters and the fitted attributes agree, except those
    without an effect on features, such as `n_jobs`, `verbose`, `device` and `callbacks`. It belongs to these series if
    the names, sizes, modification times and contents of the files agree; of files above 256 KiB, 16 pieces are
    compared, and of zarr 16 of its files.

    Nothing in a file is run or unpickled. Files of zarr may use fixed lists of dtypes (booleans, integers, floats) and
    codecs (blosc, gzip, lz4, zlib, zstd, delta, transpose, shards), and parquet files may have columns of numbers or of
    lists of numbers, and texts and times in their index. All other files are refused.

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
    sources = _sources(source, target)
    first = _first_features(estimator, sources[0].file)
    parts = parts_of(sources, part_size, first)
    listing = {
        "format": format,
        "dtype": first.dtype.name,
        "estimator": fingerprint(estimator),
        "files": [[one.file.name, *one.stamp] for one in sources],
        "parts": [[part.source, part.start, part.stop] for part in parts],
        "first": [float(value) for value in first],
    }
    agree(target, listing)
    names = _feature_names(estimator, len(first))
    shared = dask.delayed(estimator, pure=False, traverse=False)
    present = set(os.listdir(target))
    missing = [part for part in parts if part_path(target, part.number, format).name not in present]
    run = secrets.token_hex(8)  # tasks run in the order of their names, which must be unique
    fixed: dict[str, Any] = {"target": target, "kind": format, "names": names, "dtype": first.dtype}
    tasks = []
    for group in groups(missing, sources, part_size, first):
        make = dask.delayed(partial(make_parts, parts=group, **fixed), pure=False, traverse=False)
        tasks.append(make(shared, dask_key_name=f"part-{group[0].number:06d}-{run}"))
    dask.compute(tasks)
    for left in target.glob(".part-*"):  # leftovers of lost workers
        remove(left)
    refuse_changed(sources, missing, target, format)
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
    listing = read_list(target)
    kind, dtype, n_features = listing["format"], np.dtype(listing["dtype"]), len(listing["first"])
    paths = [part_path(target, number, kind) for number in range(len(listing["parts"]))]
    present = set(os.listdir(target))
    missing = [path.name for path in paths if path.name not in present]
    if missing:
        raise FileNotFoundError(f"{target} has not all parts: {len(missing)} are missing, the first is {missing[0]}")
    headers = [header_of(path) for path in paths]
    for path, header, (_, start, stop) in zip(paths, headers, listing["parts"], strict=True):
        n_rows = stop - start if stop is not None else header.shape[0] if header.shape else 1
        _check_part(path, header.shape, header.dtype, (n_rows, n_features), dtype)
    rows = [header.shape[0] for header in headers]
    blocks = dask.array.from_array(np.column_stack([np.arange(len(rows)), rows]), chunks=(1, 2))
    return dask.array.map_blocks(
        _read_part,
        blocks,
        target,
        kind,
        n_features,
        dtype,
        chunks=(tuple(rows), (n_features,)),
        dtype=dtype,
        meta=np.empty((0, 0), dtype),
    )


def _read_part(block: NDArray[Any], target: Path, kind: str, n_features: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The table in a part, which may have changed since `read_features` was called."""
    number, n_rows = block[0].tolist()
    path = part_path(target, number, kind)
    table: NDArray[Any] = np.asarray(read_rows(path, 0, None, as_table=True))
    _check_part(path, table.shape, table.dtype, (n_rows, n_features), dtype)
    return table


def _check_part(path: Path, shape: Any, found: Any, expected: tuple[int, int], dtype: np.dtype[Any]) -> None:
    if tuple(shape) != expected or found is None or found != dtype:  # NumPy takes None for float64
        what = f"shape {tuple(shape)} and dtype {found or 'of different columns'}"
        raise ValueError(f"{path} must have shape {expected} and dtype {dtype} of its list, got {what}: remove it")


def _sources(source: Path, target: Path) -> list[Source]:
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
    known = {*files, target}
    _warn_of_skipped(source, [entry.name for entry in inside if entry not in known], endings)
    headers = [(file, header_of(file)) for file in files]
    for file, header in headers:
        _check_series(file, header.shape)
    with_series = [Source(file, *header, stamp(file)) for file, header in headers if header.shape[0]]
    if not with_series:
        raise ValueError(f"{source} holds no series")
    return with_series


def _warn_of_skipped(source: Path, names: list[str], endings: str) -> None:
    if names:
        some = ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
        what = "1 entry that is" if len(names) == 1 else f"{len(names)} entries that are"
        warnings.warn(
            f"{source} has {what} not read: {some}; files must end in one of {endings} and not start with a dot",
            UserWarning,
            stacklevel=4,
        )


def _check_series(file: Path, shape: tuple[int, ...]) -> None:
    if kind_of(file) == "parquet":
        return
    if len(shape) not in (2, 3):
        raise ValueError(
            f"{file} must have shape (n_samples, n_channels, n_timepoints) or (n_samples, n_timepoints), got {shape}"
        )
    if 0 in shape[1:]:
        raise ValueError(f"{file} must have at least one channel and time point, got shape {shape}")


def _first_features(estimator: Any, file: Path) -> NDArray[Any]:
    X = read_rows(file, 0, 1)
    with naming(str(file)):
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
