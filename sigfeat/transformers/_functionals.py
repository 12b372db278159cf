"""Which functionals of rank one a transformer uses: its parameters, checked, and the names of its features."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from sigfeat._kernels.low_rank import LOW_RANK_SEMIRINGS, MAX_THRESHOLDS
from sigfeat._messages import plain
from sigfeat.functionals import MAX_CHANNELS, n_parts
from sigfeat.pooling import window_names


def checked_semirings(semiring: str | Sequence[str]) -> Any:
    """Names of semirings as a tuple."""
    semirings = (semiring,) if isinstance(semiring, str) else tuple(semiring)
    if not semirings or any(name not in LOW_RANK_SEMIRINGS for name in semirings):
        raise ValueError(f"semiring must be of {', '.join(LOW_RANK_SEMIRINGS)}, got {plain(semiring)!r}")
    return semirings


def checked_dilations(dilations: Sequence[int] | None) -> Any:
    """Steps between the points of a window as a tuple, or None."""
    if dilations is None:
        return None
    steps = tuple(dilations)
    if not steps or not all(_is_count(step) for step in steps):
        raise ValueError(f"dilations must be whole numbers >= 1, at least one, got {plain(dilations)!r}")
    return steps


def checked_quantiles(quantiles: int | float | Sequence[float]) -> Any:
    """Number of random quantiles, or a tuple of given ones."""
    if isinstance(quantiles, Integral):
        if 1 <= quantiles <= MAX_THRESHOLDS:
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
    n_functionals: int, depth: int, n_lags: int, n_thresholds: Any, n_channels: int, n_timepoints: int
) -> Any:
    """Bytes, about, in which the functionals are drawn and kept: weights, order of channels, thresholds."""
    n_taps = min(n_channels, MAX_CHANNELS) * min(n_lags, n_timepoints)
    letter_bytes = 40 * n_taps + 24 * n_channels
    return n_functionals * (depth * letter_bytes + 24 * n_parts(depth) * n_thresholds)


def functional_names(functionals: Any, columns: Any, windows: Any) -> list[Any]:
    """Names of the features.

    columns: pairs of the name of a pooling and the number of its threshold.
    """
    k, endings = functionals.depth, [f"|{name}" if name else "" for name in window_names(windows)]
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


def _is_count(value: Any) -> Any:
    """Whether this is a whole number >= 1, also as a float."""
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) >= 1 and float(value).is_integer()


def _is_fraction(value: Any) -> Any:
    """Whether this is a float from 0 to 1."""
    return isinstance(value, Real) and not isinstance(value, Integral) and 0 <= value <= 1
