"""Windows: the parts of a series over which values are pooled."""

from typing import Any

import numpy as np

from sigfeat._messages import plain

MAX_DYADIC_DEPTH = 16


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
    """The windows as shares of the series, "0/2-1/2"; an empty name for the whole series."""
    if windows == "whole":
        return [""]
    n_parts, runs = fine_windows(windows)
    names = []
    for first, stop in runs.tolist():
        level = n_parts // (stop - first)
        names.append(f"{first * level // n_parts}/{level}-{stop * level // n_parts}/{level}")
    return names
