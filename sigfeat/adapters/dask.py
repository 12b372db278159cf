"""Transform panels that are larger than memory, on one or several machines, with dask.

The active scheduler runs them: threads by default, a cluster if there is a `dask.distributed.Client`. Grid searches do
not need this module: use ``with joblib.parallel_config(backend="dask"):`` around `fit`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat._validation import check_is_fitted

try:
    import dask.array

    from sigfeat.adapters._files import read_features, transform_files
except ModuleNotFoundError as error:
    raise ImportError("sigfeat.adapters.dask needs dask: run `pip install 'sigfeat[dask]'`") from error

__all__ = ["read_features", "transform_blocks", "transform_files"]


def transform_blocks(estimator: Any, X: Any) -> Any:
    """Transform a dask array of series lazily, block by block.

    Parameters
    ----------
    estimator : transformer
        Fitted transformer of sigfeat, or a fitted pipeline that starts with one.
    X : dask.array.Array of shape (n_samples, n_channels, n_timepoints) or (n_samples, n_timepoints)
        Series; shorter ones are padded at the end with NaN. Chunks along the channels and the time are merged.

    Returns
    -------
    features : dask.array.Array of shape (n_samples, n_features_out)
        Its chunks along the first axis are those of X. Augmentations return (n_samples, n_channels_out,
        n_timepoints_out).

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If X is not a dask array.
    ValueError
        If X does not have 2 or 3 dimensions, or the estimator refuses it.

    Examples
    --------
    >>> import dask.array as da
    >>> from sigfeat import ISSTransformer
    >>> from sigfeat.adapters.dask import transform_blocks
    >>> X = da.random.default_rng(0).standard_normal((1000, 3, 50), chunks=(100, 3, 50))
    >>> iss = ISSTransformer(pooling="end", windows="whole").fit(X[:100].compute())
    >>> features = transform_blocks(iss, X)
    >>> features.shape, features.numblocks
    ((1000, 18), (10, 1))
    """
    check_is_fitted(estimator)
    if not isinstance(X, dask.array.Array):
        raise TypeError(f"X must be a dask array, got {type(X).__name__}")
    if X.ndim not in (2, 3):
        raise ValueError(f"X must have 2 or 3 dimensions, got {X.ndim}")
    axes = tuple(range(1, X.ndim))
    X = X.rechunk(dict.fromkeys(axes, -1))
    one = np.asarray(estimator.transform(np.ones((1, *X.shape[1:]), X.dtype)))
    return X.map_blocks(
        _transformed,
        estimator,
        drop_axis=axes,
        new_axis=tuple(range(1, one.ndim)),
        chunks=(X.chunks[0], *((n,) for n in one.shape[1:])),
        dtype=one.dtype,
        meta=one[:0],
    )


def _transformed(block: Any, estimator: Any) -> NDArray[Any]:
    return np.asarray(estimator.transform(block))
