"""Parameters of low-rank transformers, the thresholds of their functionals, and the names of their features."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat._kernels.low_rank import LOW_RANK_SEMIRINGS, MAX_THRESHOLDS, low_rank_thresholds
from sigfeat._messages import plain
from sigfeat.functionals import MAX_CHANNELS, Functionals, n_parts
from sigfeat.panel import Floats
from sigfeat.pooling import Windows, threshold_poolings, window_endings


def checked_semirings(semiring: str | Sequence[str]) -> tuple[str, ...]:
    """Names of semirings as a tuple, after a check."""
    semirings = (semiring,) if isinstance(semiring, str) else tuple(semiring)
    if not semirings or any(name not in LOW_RANK_SEMIRINGS for name in semirings):
        raise ValueError(f"semiring must be of {', '.join(LOW_RANK_SEMIRINGS)}, got {plain(semiring)!r}")
    return semirings


def checked_dilations(dilations: Sequence[int] | None) -> tuple[int, ...] | None:
    """Steps between the points of a window as a tuple, or None, after a check."""
    if dilations is None:
        return None
    steps = tuple(dilations)
    if not steps or not all(_is_count(step) for step in steps):
        raise ValueError(f"dilations must be whole numbers >= 1, at least one, got {plain(dilations)!r}")
    return steps


def checked_quantiles(quantiles: float | Sequence[float]) -> int | tuple[float, ...]:
    """Number of random quantiles, or a tuple of given ones, after a check."""
    if isinstance(quantiles, Integral):
        if not isinstance(quantiles, bool) and 1 <= int(quantiles) <= MAX_THRESHOLDS:
            return int(quantiles)
    else:
        given = tuple(quantiles) if isinstance(quantiles, tuple | list) else (quantiles,)
        if 1 <= len(given) <= MAX_THRESHOLDS and all(_is_fraction(quantile) for quantile in given):
            return tuple(float(quantile) for quantile in given)
    raise ValueError(
        f"quantiles must be a number of thresholds from 1 to {MAX_THRESHOLDS}, or as many floats from 0 to 1, "
        f"got {plain(quantiles)!r}"
    )


def functionals_workspace(
    n_functionals: int, depth: int, n_lags: int, n_thresholds: int, n_channels: int, n_timepoints: int
) -> int:
    """Approximate bytes for drawing and storing the functionals: weights, order of channels, thresholds."""
    n_taps = min(n_channels, MAX_CHANNELS) * min(n_lags, n_timepoints)
    letter_bytes = 40 * n_taps + 24 * n_channels
    return n_functionals * (depth * letter_bytes + 24 * n_parts(depth) * n_thresholds)


def learnt_thresholds(
    functionals: Functionals,
    X: Floats,
    lengths: NDArray[np.int64],
    pooling: tuple[str, ...],
    quantiles: int | tuple[float, ...],
    random_state: np.random.RandomState,
    *,
    shift: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Quantiles of the values on a random training series for each chain; zeros if no pooling needs thresholds."""
    n_thresholds = len(quantiles) if isinstance(quantiles, tuple) else quantiles
    shape = functionals.n_chains, n_parts(functionals.depth), n_thresholds
    if not threshold_poolings(pooling):
        return np.zeros(shape, np.float32)
    rows = random_state.randint(len(X), size=functionals.n_chains)
    if isinstance(quantiles, tuple):
        fractions = np.broadcast_to(quantiles, shape).copy()
    else:  # one from each of `quantiles` equal parts of the distribution
        fractions = (np.arange(quantiles) + random_state.random_sample(shape)) / quantiles
    thresholds: NDArray[np.float32] = low_rank_thresholds(
        X, lengths, functionals, rows, fractions, shift=shift, scale=scale
    )
    return thresholds


def functional_names(functionals: Functionals, columns: Sequence[tuple[str, int]], windows: Windows) -> list[str]:
    """Names of the features.

    columns: pairs of the name of a pooling and the number of its threshold.
    """
    k, endings = functionals.depth, window_endings(windows)
    numbered = any(q > 0 for _, q in columns)
    poolings = [f"{name}{q + 1}" if name == "ppv" and numbered else name for name, q in columns]
    return [
        f"{''.join(f'<{c + 1}.{j + 1}>' for j in range(i, i + level))}|{semiring}|{pooling}{ending}"
        for level in range(1, k + 1)
        for c, semiring in enumerate(functionals.semirings)
        for i in range(k - level + 1)
        for pooling in poolings
        for ending in endings
    ]


def _is_count(value: Any) -> bool:
    """Whether this is a whole number >= 1, also as a float."""
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) >= 1 and float(value).is_integer()


def _is_fraction(value: Any) -> bool:
    """Whether this is a float from 0 to 1."""
    return isinstance(value, Real) and not isinstance(value, Integral) and 0 <= float(value) <= 1
