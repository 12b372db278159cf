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
        Parameter value that selects the semiring.
    add, multiply : numpy.ufunc
        Sum and product.
    zero, one : float
        Neutral elements of sum and product; `zero` is the value of an empty sum.
    decay_factor : callable
        Maps a decay rate to the factor by which, in the product of the semiring, earlier terms are multiplied at each
        time step. Rate 0 gives `one`.
    non_negative : bool
        Whether the distributive law holds only for values >= 0.

    Raises
    ------
    ValueError
        If `zero` or `one` are not neutral, the product of `zero` and a value is not `zero`, or the decay factor of two
        steps is not the product of those of each step.

    Notes
    -----
    The compiled kernels select their instructions by `add` and `multiply`.

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
    decay_factor: Callable[[float], float]
    non_negative: bool = False

    def __post_init__(self) -> None:
        for value in (0.0, 2.0) if self.non_negative else (-3.0, 0.0, 2.0):
            with np.errstate(invalid="ignore"):  # infinity times zero is NaN, and the loops begin with zeros
                found = self.add(self.zero, value), self.multiply(self.one, value), self.multiply(self.zero, value)
            if found != (value, value, self.zero):
                raise ValueError(
                    f"zero={self.zero} and one={self.one} must be neutral in semiring {self.name!r}, and the product "
                    f"of zero and a value must be zero, got {', '.join(str(float(x)) for x in found)} for the sum of "
                    f"zero and {value}, the product of one and {value}, and the product of zero and {value}"
                )
        step, twice = self.decay_factor(0.5), self.decay_factor(1.0)
        if self.decay_factor(0.0) != self.one or not math.isclose(self.multiply(step, step), twice, rel_tol=1e-12):
            raise ValueError(
                f"decay_factor must be one={self.one} for rate 0 in semiring {self.name!r}, and its product with "
                f"itself must be the factor of twice the rate, got {self.decay_factor(0.0)} for rate 0, {step} for "
                f"0.5 and {twice} for 1"
            )


def _exponential(rate: float) -> float:
    return math.exp(-rate)


def _minus(rate: float) -> float:
    return -float(rate)  # compiled loops would take a whole number for a type of its own


def _plus(rate: float) -> float:
    return float(rate)


SEMIRINGS = MappingProxyType(
    {
        semiring.name: semiring
        for semiring in (
            Semiring("real", np.add, np.multiply, 0.0, 1.0, _exponential),
            Semiring("max_plus", np.maximum, np.add, -math.inf, 0.0, _minus),
            Semiring("min_plus", np.minimum, np.add, math.inf, 0.0, _plus),
            Semiring("max_times", np.maximum, np.multiply, 0.0, 1.0, _exponential, non_negative=True),
        )
    }
)


def semiring_named(name: str) -> Semiring:
    """Semiring of a name.

    Parameters
    ----------
    name : str
        A key of `SEMIRINGS`.

    Returns
    -------
    semiring : Semiring

    Raises
    ------
    ValueError
        If there is no semiring of this name.

    Examples
    --------
    >>> from sigfeat.semirings import semiring_named
    >>> semiring_named("min_plus").zero
    inf
    """
    if name not in SEMIRINGS:
        raise ValueError(f"semiring must be one of {', '.join(SEMIRINGS)}, got {name!r}")
    return SEMIRINGS[name]
