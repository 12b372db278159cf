"""Pooling of running values over windows of a series: one table of poolings, thresholds, windows.

`POOLINGS` is the only place where a pooling is defined. The compiled loops (`_kernels/simd/statistics.py`) and torch
(`nn/pooling.py`) accumulate the statistics that a pooling needs, and both call its `value` on them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sigfeat._messages import plain

MAX_DYADIC_DEPTH = 16
THRESHOLD_SERIES = 64  # largest number of series for thresholds; fewer if they would exceed THRESHOLD_BYTES
THRESHOLD_BYTES = 1 << 28

Windows = str | int | tuple[str, int]  # "whole", a number of equal parts or ("dyadic", depth)

# Statistics that can be accumulated value by value; the index in this tuple is their number in the compiled loops.
STATISTICS = ("total", "maximum", "position", "minimum", "end", "excess", "places", "n_above")


class Statistics(NamedTuple):
    """Statistics of the n values at times stop - n <= t < stop of a window start <= t < stop, n >= 1.

    Sums over strictly increasing times have no value at the first times of a series, and so n may be less than
    stop - start. All are numbers, arrays, or tensors of the same shape; those that a pooling does not need may be None.
    """

    start: Any
    stop: Any
    n: Any
    total: Any  # sum of the values
    maximum: Any
    position: Any  # first time of the maximum
    minimum: Any
    end: Any  # last value
    excess: Any  # sum of the differences from the threshold of the values above it
    places: Any  # sum of the times of these values
    n_above: Any  # number of these values


@dataclass(frozen=True)
class Pooling:
    """One way to summarise the values of a window.

    Attributes
    ----------
    needs : tuple of str
        The `STATISTICS` that `value` reads.
    value : callable
        The value as a function of `Statistics`. It is compiled by numba for numbers, and called on NumPy arrays and on
        tensors of torch, so it consists of arithmetic and comparisons alone.
    definition : callable
        The value computed from values (n,), a threshold, and the number of times of the window before the first value.
    needs_threshold : bool
        Whether it depends on a threshold.
    trainable : bool
        Whether its gradient is useful for training.
    """

    needs: tuple[str, ...]
    value: Callable[[Statistics], Any]
    definition: Callable[[np.ndarray, float, int], Any]
    needs_threshold: bool = False
    trainable: bool = False


def _end(s):
    return s.end


def _mean(s):
    return s.total / s.n


def _maximum(s):
    return s.maximum


def _minimum(s):
    return s.minimum


def _fraction_above(s):
    return s.n_above / s.n


def _mean_excess(s):
    return s.excess / (s.n_above + (s.n_above == 0))


def _place_of_maximum(s):
    steps = s.stop - s.start - 1
    return (s.position - s.start) / (steps + (steps == 0))


def _mean_place_above(s):
    none = 1.0 * (s.n_above == 0)  # the position is then one step before the first value
    return (s.places / (s.n_above + none) - (s.stop - s.n) * (1.0 - none) - none) / s.n


# The names of features end in the name of the pooling; its index in the table is its code in the compiled loops.
POOLINGS = {
    "end": Pooling(("end",), _end, lambda x, threshold, skipped: x[-1], trainable=True),
    "mean": Pooling(("total",), _mean, lambda x, threshold, skipped: np.mean(x), trainable=True),
    "max": Pooling(("maximum",), _maximum, lambda x, threshold, skipped: np.max(x), trainable=True),
    "min": Pooling(("minimum",), _minimum, lambda x, threshold, skipped: np.min(x), trainable=True),
    "ppv": Pooling(
        ("n_above",), _fraction_above, lambda x, threshold, skipped: np.mean(x > threshold), needs_threshold=True
    ),
    "mpv": Pooling(
        ("excess", "n_above"),
        _mean_excess,
        lambda x, threshold, skipped: np.mean(x[x > threshold] - threshold) if (x > threshold).any() else 0.0,
        needs_threshold=True,
    ),
    "argmax": Pooling(
        ("position",),
        _place_of_maximum,
        lambda x, threshold, skipped: (skipped + np.argmax(x)) / max(skipped + len(x) - 1, 1),
    ),
    "mipv": Pooling(
        ("places", "n_above"),
        _mean_place_above,
        lambda x, threshold, skipped: (np.flatnonzero(x > threshold).mean() if (x > threshold).any() else -1) / len(x),
        needs_threshold=True,
    ),
}


def pooling_named(name: str) -> Pooling:
    """The pooling of this name.

    Raises
    ------
    ValueError
        If there is no such pooling.
    """
    if not isinstance(name, str) or name not in POOLINGS:
        raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, got {plain(name)!r}")
    return POOLINGS[name]


def trainable_poolings(names: Iterable[str] | None = None) -> tuple[str, ...]:
    """The names, by default among all poolings, of those with a useful gradient."""
    return tuple(name for name in (POOLINGS if names is None else names) if pooling_named(name).trainable)


def threshold_poolings(names: Iterable[str] | None = None) -> tuple[str, ...]:
    """The names, by default among all poolings, of those that need a threshold."""
    return tuple(name for name in (POOLINGS if names is None else names) if pooling_named(name).needs_threshold)


def check_poolings(pooling: Any, otherwise: str = "") -> tuple[str, ...]:
    """Names of the poolings as a tuple, after a check; `otherwise` adds an alternative to the error message."""
    names = (pooling,) if isinstance(pooling, str) else tuple(pooling)
    known = all(isinstance(name, str) and name in POOLINGS for name in names)
    if not known or not names or len(set(names)) < len(names):
        raise ValueError(
            f"pooling must {otherwise}name different ones of {', '.join(POOLINGS)}, got {plain(pooling)!r}"
        )
    return names


# -------------------------------------------------------------------------------------------------- thresholds


def threshold_series(n_samples: int, bytes_of_one: int) -> np.ndarray:
    """Indices of evenly spread series, as many as THRESHOLD_SERIES and THRESHOLD_BYTES allow."""
    n_chosen = max(1, min(THRESHOLD_SERIES, THRESHOLD_BYTES // bytes_of_one))
    return np.unique(np.linspace(0, n_samples - 1, n_chosen).round().astype(int))


def threshold_bytes(n_samples: int, bytes_of_one: int) -> int:
    """Bytes of the running values of the series of `threshold_series`, and of the copy of one that is sorted."""
    return (min(n_samples, max(1, min(THRESHOLD_SERIES, THRESHOLD_BYTES // bytes_of_one))) + 1) * bytes_of_one


def quantile_of(values: np.ndarray, quantile: float) -> Any:
    """Quantile that is finite even if the difference of two values is not."""
    with np.errstate(over="ignore"):
        fits = np.isfinite(values.max() - values.min())
    return np.quantile(values, quantile) if fits else 2 * np.quantile(values / 2, quantile)


def threshold_between(values: np.ndarray, quantile: float) -> float:
    """Number between a quantile and the next larger value, so that rounding does not decide which values are above."""
    ordered = np.sort(values)
    low = float(ordered[int(quantile * (len(ordered) - 1))])
    apart = 1e-6 * max(1.0, abs(low))
    following = np.searchsorted(ordered, low + apart, side="right")
    return low + apart if following == len(ordered) else low / 2 + float(ordered[following]) / 2


# ----------------------------------------------------------------------------------------------------- windows


def check_windows(windows: Any) -> None:
    """Raise a ValueError that names the argument unless `windows` is "whole", a count, or ("dyadic", depth)."""
    pair = windows if isinstance(windows, tuple | list) else ()
    dyadic = len(pair) == 2 and isinstance(pair[0], str) and pair[0] == "dyadic"
    number = pair[1] if dyadic else windows
    lowest, highest = (0, MAX_DYADIC_DEPTH) if dyadic else (1, 2**MAX_DYADIC_DEPTH)
    whole_number = isinstance(number, int | np.integer) and not isinstance(number, bool)
    if (isinstance(windows, str) and windows == "whole") or (whole_number and lowest <= number <= highest):
        return
    raise ValueError(
        f'windows must be "whole", a number of windows from 1 to {2**MAX_DYADIC_DEPTH}, or ("dyadic", depth) with a '
        f"depth from 0 to {MAX_DYADIC_DEPTH}, got {plain(windows)!r}"
    )


def fine_windows(windows: object) -> tuple[int, np.ndarray]:
    """Number of equal parts that a series is cut into, and each window as a run (first, stop) of them."""
    check_windows(windows)
    if windows == "whole":
        return 1, np.array([[0, 1]])
    if isinstance(windows, tuple | list):
        depth = int(windows[1])
        n_parts = 2**depth
        runs = [
            (i * n_parts // 2**level, (i + 1) * n_parts // 2**level)
            for level in range(depth + 1)
            for i in range(2**level)
        ]
        return n_parts, np.array(runs)
    n_parts = int(windows)  # type: ignore[call-overload]
    return n_parts, np.array([(i, i + 1) for i in range(n_parts)])


def window_bounds(windows: object, length: int) -> np.ndarray:
    """Times [start, stop) of the windows of a series; part i of n parts starts at floor(i * length / n)."""
    n_parts, runs = fine_windows(windows)
    return runs * length // n_parts


def whole_series(windows: object) -> None:
    """Raise a ValueError unless there is one window, the whole series."""
    if len(fine_windows(windows)[1]) > 1:
        raise ValueError(f'windows must be "whole" for a stream, whose end is not known, got {plain(windows)!r}')


def window_names(windows: object) -> list[str]:
    """The windows as fractions of the series, "0/2-1/2"; an empty name for the whole series."""
    if windows == "whole":
        return [""]
    n_parts, runs = fine_windows(windows)
    names = []
    for first, stop in runs.tolist():
        level = n_parts // (stop - first)
        names.append(f"{first * level // n_parts}/{level}-{stop * level // n_parts}/{level}")
    return names


def window_endings(windows: Windows) -> list[str]:
    """Endings of the names of features for each window, "|0/2-1/2"; an empty one for the whole series."""
    return [f"|{name}" if name else "" for name in window_names(windows)]
