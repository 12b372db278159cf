"""A tile of sums of products over one block of time, kept in registers."""

from typing import NamedTuple

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from sigfeat._kernels.simd.emitter import TILE, Emitter, operands


class Rows(NamedTuple):
    """Consecutive rows of `data`, each from `slot` on."""

    data: np.ndarray
    first: int
    slot: int


class Tile(NamedTuple):
    """Matrix entries of float64 vectors: the first at vector `place`, `pitch` vectors from row to row."""

    data: np.ndarray
    place: int
    pitch: int
    n_rows: int
    n_columns: int


@intrinsic
def add_outer_tile(typing_context, left, right, tile, n_steps):
    """Add sum_t left[r, t] * right[c, t] to entry (r, c) of a tile of at most TILE x TILE, lane by lane."""
    signature = types.void(left, right, tile, types.intp)

    def codegen(context, builder, signature, args):
        rows, columns, sums_of, n_steps = operands(context, builder, signature, args)
        emit = Emitter(builder, left[left.fields.index("data")].dtype)
        a, b = (emit.skip(emit.row(own.data, own.first), own.slot) for own in (rows, columns))
        c = emit.skip(sums_of.data, sums_of.place)
        row_vectors = emit.row_items // emit.lanes

        def body(m, n):
            def step(t, sums):
                x = [emit.read(a, builder.add(t, emit.integer(r * row_vectors))) for r in range(m)]
                y = [emit.read(b, builder.add(t, emit.integer(s * row_vectors))) for s in range(n)]
                return [emit.fma(x[e // n], y[e % n], sums[e]) for e in range(m * n)]

            sums = emit.loop(n_steps, [emit.constant(0.0)] * (m * n), step)
            for e in range(m * n):
                place = builder.add(builder.mul(sums_of.pitch, emit.integer(e // n)), emit.integer(e % n))
                emit.write(builder.fadd(emit.read(c, place, emit.wide), emit.widen(sums[e])), c, place)

        sides = range(1, TILE + 1)
        emit.choose((sums_of.n_rows, sums_of.n_columns), (sides, sides), body)
        return context.get_dummy_value()

    return signature, codegen
