"""Students by their names."""

import bisect
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

CONTROL, HYENA = "control", "Hyena order"
EQUAL_WEIGHTS = ", equal weights"
OTHERS = {"S4D": "s4", "GRU": "recurrent", CONTROL: "pointwise"}
USUAL_ORDER = 2  # whose number of weights the other orders have at equal weights


@dataclass(frozen=True)
class StudentKind:
    """Mixer of a student; of Hyena the order, and whether its width is such that it has as many weights as order 2."""

    mixer: str
    order: int = 0
    has_equal_weights: bool = False


def kind_of(name: str) -> StudentKind:
    """Student of a name. Raises a ValueError for an unknown one."""
    if name in OTHERS:
        return StudentKind(OTHERS[name])
    found = re.fullmatch(rf"{HYENA} ([1-9]\d*)({EQUAL_WEIGHTS})?", name)
    if not found:
        raise ValueError(f"student must be one of {', '.join(OTHERS)}, {HYENA} N, got {name!r}")
    return StudentKind("hyena", int(found[1]), bool(found[2]))


def expansion(kind: StudentKind, count: Callable[[int, float], int], d_model: int) -> float:
    """Width of Hyena, relative to that of the tokens, with which it has as many weights as order 2 of width 1.

    Parameters
    ----------
    kind : StudentKind
        A Hyena.
    count : callable
        Number of weights for an order and an expansion, which increases with the expansion.
    d_model : int
        Width of the tokens.
    """
    if not kind.has_equal_weights or kind.order == USUAL_ORDER:
        return 1.0
    wanted = count(USUAL_ORDER, 1.0)
    widths = range(1, 4 * d_model)
    weights = functools.cache(lambda width: count(kind.order, width / d_model))
    above = bisect.bisect_left(widths, wanted, key=weights)  # a wider Hyena has more weights
    nearest = widths[max(above - 1, 0) : above + 1]
    return min(nearest, key=lambda width: abs(weights(width) - wanted)) / d_model
