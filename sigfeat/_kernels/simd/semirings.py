"""Sums and products of semirings in the compiled loops, for numbers and for vectors.

This is the only file of the kernels that knows them: a new semiring of these sums and products needs nothing here, one
of others a line in `ADDITIONS` or `PRODUCTS`, and a branch in the functions for numbers below.
"""

from typing import NamedTuple

import numpy as np

from sigfeat._kernels.compiled import compiled
from sigfeat.semirings import SEMIRINGS, Semiring


class Operation(NamedTuple):
    """Number of a sum or product in the loops, and the method of `Emitter` for vectors."""

    number: int
    method: str


ADD, LARGER, SMALLER = range(3)
ADDITIONS = {np.add: Operation(ADD, "add"), np.maximum: Operation(LARGER, "larger")}
ADDITIONS |= {np.minimum: Operation(SMALLER, "smaller")}
TIMES, PLUS = range(2)
PRODUCTS = {np.multiply: Operation(TIMES, "multiply"), np.add: Operation(PLUS, "add")}
N_PRODUCTS = len(PRODUCTS)


class SemiringCode(NamedTuple):
    """A semiring as the loops know it: its sum and product as one number, and its neutral elements."""

    kind: int
    zero: float
    one: float


def semiring_code(semiring: Semiring) -> SemiringCode:
    """A semiring as the loops know it.

    Raises
    ------
    ValueError
        If the loops do not have its sum or its product.
    """
    if semiring.add not in ADDITIONS or semiring.multiply not in PRODUCTS:
        raise ValueError(
            f"the compiled loops have no sum {semiring.add.__name__!r} with product {semiring.multiply.__name__!r}, "
            f"which semiring {semiring.name!r} needs"
        )
    kind = ADDITIONS[semiring.add].number * N_PRODUCTS + PRODUCTS[semiring.multiply].number
    return SemiringCode(kind, semiring.zero, semiring.one)


REAL = semiring_code(SEMIRINGS["real"]).kind  # the only one whose sums run in float64 from block to block
REAL_DECAYED = len(ADDITIONS) * N_PRODUCTS
KINDS = tuple(sorted({semiring_code(semiring).kind for semiring in SEMIRINGS.values()}))


@compiled
def plus(kind, a, b):
    """Sum of two numbers."""
    addition = kind // N_PRODUCTS
    if addition == ADD:
        return a + b
    if addition == LARGER:
        return max(a, b)
    if addition == SMALLER:
        return min(a, b)
    raise ValueError("unknown code of a semiring")


@compiled
def times(kind, a, b):
    """Product of two numbers."""
    product = kind % N_PRODUCTS
    if product == TIMES:
        return a * b
    if product == PLUS:
        return a + b
    raise ValueError("unknown code of a semiring")


@compiled
def multiply_items(kind, left, right, out):
    """Write the products of the items of two arrays to `out`, by loops without a branch."""
    product = kind % N_PRODUCTS
    if product == TIMES:
        for i in range(out.shape[0]):
            out[i] = left[i] * right[i]
    elif product == PLUS:
        for i in range(out.shape[0]):
            out[i] = left[i] + right[i]
    else:
        raise ValueError("unknown code of a semiring")


@compiled
def power(kind, factor, n):
    """Product of n equal factors."""
    product = kind % N_PRODUCTS
    if product == TIMES:
        return factor**n
    if product == PLUS:
        return factor * n
    raise ValueError("unknown code of a semiring")


def emitted(emit, kind):
    """Sum and product of vectors."""
    kind = REAL if kind == REAL_DECAYED else kind
    addition, product = divmod(kind, N_PRODUCTS)
    (plus_method,) = (operation.method for operation in ADDITIONS.values() if operation.number == addition)
    (times_method,) = (operation.method for operation in PRODUCTS.values() if operation.number == product)
    return getattr(emit, plus_method), getattr(emit, times_method)
