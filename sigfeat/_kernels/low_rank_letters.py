"""Vector instructions for low-rank iterated sums over one block of time, one series per SIMD lane.

Rows are those of `simd.rows`: `block_steps + 1` vectors, of which step t has vector t.
"""

from typing import NamedTuple

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from sigfeat._kernels.simd.emitter import Emitter, operands
from sigfeat._kernels.simd.semirings import KINDS, REAL, emitted

CHUNK = 8  # steps whose sums stay in registers while the terms of a convolution are added


class Terms(NamedTuple):
    """Terms of convolutions: the place of the first value of each, and its tap."""

    places: np.ndarray
    taps: np.ndarray


class Link(NamedTuple):
    """Numbers of rows: of the part that ends one letter earlier, of the next letter, and of both together."""

    previous: int
    letter: int
    own: int


class BlockDecay(NamedTuple):
    """Factors of the semiring: of one step and of the whole block."""

    step: float
    block: float


@intrinsic
def convolve(typing_context, packed, terms, span, begin, n_chunks, row, rows):
    """Write sum_i taps[i] x(places[i] + begin + t) over the terms of the span to row `row` of `rows`.

    x(p) is vector p of `packed`; t = 0, ..., CHUNK n_chunks - 1.
    """
    index = types.intp
    signature = types.void(packed, terms, span, index, index, index, rows)

    def codegen(context, builder, signature, args):
        x, table, chosen, begin, n_chunks, row, out = operands(context, builder, signature, args)
        emit = Emitter(builder, packed.dtype)
        target = emit.row(out, row)

        def chunk(number, _):
            begin_of_chunk = builder.mul(number, emit.integer(CHUNK))
            start = builder.add(begin, begin_of_chunk)

            def term(i, sums):
                which = builder.add(chosen.first, i)
                place = builder.add(start, builder.load(builder.gep(table.places, [which])))
                weight = emit.splat(builder.load(builder.gep(table.taps, [which])))
                window = emit.skip(x, place)
                return [emit.fma(weight, emit.read(window, emit.integer(u)), sums[u]) for u in range(CHUNK)]

            sums = emit.loop(chosen.n, [emit.constant(0.0)] * CHUNK, term)
            for u in range(CHUNK):
                emit.write(sums[u], target, builder.add(begin_of_chunk, emit.integer(u)))
            return []

        emit.loop(n_chunks, [], chunk)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def follow(typing_context, kind, decay, link, n_steps, state, rows):
    """Write letter(t) (x) step (x) S(t - 1) to the own row of a link, S(t) = step (x) S(t - 1) (+) previous(t).

    S before the block is the vector of the own number in the float64 `state`, which is moved on.
    """
    index = types.intp
    signature = types.void(index, decay, link, index, state, rows)

    def codegen(context, builder, signature, args):
        kind, rates, numbers, n_steps, kept, y = operands(context, builder, signature, args)
        emit = Emitter(builder, rows.dtype)
        factor, old = emit.splat(rates.step), emit.read(kept, numbers.own, emit.wide)
        source, letter, target = (emit.row(y, number) for number in (numbers.previous, numbers.letter, numbers.own))
        base = emit.round(old)

        def real_step(t, values):
            sums, carried = values  # within a block in the working dtype, from block to block in float64
            decayed = builder.fmul(builder.fadd(sums, carried), factor)
            emit.write(builder.fmul(emit.read(letter, t), decayed), target, t)
            return [emit.fma(sums, factor, emit.read(source, t)), builder.fmul(carried, factor)]

        def other_step(kind, t, values):
            plus, times = emitted(emit, kind)
            decayed = times(values[0], factor)
            emit.write(times(emit.read(letter, t), decayed), target, t)
            return [plus(decayed, emit.read(source, t))]

        def body(kind, _):
            if kind == REAL:
                (sums, _) = emit.loop(n_steps, [emit.constant(0.0), base], real_step)
                new = emit.fma(old, emit.splat(rates.block, emit.wide), emit.widen(sums))
            else:
                new = emit.widen(emit.loop(n_steps, [base], lambda t, values: other_step(kind, t, values))[0])
            emit.write(new, kept, numbers.own)

        emit.choose((kind, emit.integer(0)), (KINDS, (0,)), body)
        return context.get_dummy_value()

    return signature, codegen
