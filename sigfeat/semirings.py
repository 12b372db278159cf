"""Semirings: the sum and the product that an iterated sum uses."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True)
class Semiring:
    """A sum and a product for iterated sums, as data.

    Parameters
    ----------
    name : str
        Parameter value that selects it.
    add, multiply : numpy.ufunc
        Sum and product.
    zero, one : float
        Their neutral elements; `zero` is the value of an empty sum.
    fade : callable
        decay rate -> factor by which one time step multiplies, so that a later look at the same sum sees it
        weakened.
    non_negative : bool
        Whether the distributive law holds for values >= 0 only.

    Notes
    -----
    The compiled kernels know a semiring by its place in `SEMIRINGS`.

    References
    ----------
    .. [1] Diehl, Ebrahimi-Fard, Tapia, "Tropical time series, iterated-sums signatures and quasisymmetric
       functions", 2022, arXiv:2009.08443.

    Examples
    --------
    >>> from sigfeat.semirings import SEMIRINGS
    >>> tropical = SEMIRINGS["max_plus"]
    >>> float(tropical.add(1.0, 3.0)), float(tropical.multiply(1.0, 3.0)), tropical.zero
    (3.0, 4.0, -inf)
    """

    name: str
    add: np.ufunc
    multiply: np.ufunc
    zero: float
    one: float
    fade: Callable[[float], float]
    non_negative: bool = False


def _shrink(rate: float) -> float:
    return math.exp(-rate)


def _lower(rate: float) -> float:
    return -rate


def _raise(rate: float) -> float:
    return rate


SEMIRINGS = MappingProxyType(
    {
        semiring.name: semiring
        for semiring in (
            Semiring("real", np.add, np.multiply, 0.0, 1.0, _shrink),
            Semiring("max_plus", np.maximum, np.add, -math.inf, 0.0, _lower),
            Semiring("min_plus", np.minimum, np.add, math.inf, 0.0, _raise),
            Semiring("max_times", np.maximum, np.multiply, 0.0, 1.0, _shrink, non_negative=True),
        )
    }
)
