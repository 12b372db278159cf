"""Vector instructions for low-rank iterated sums over one block of time, one series per SIMD lane.

Rows are those of `simd`: `block_steps + 1` vectors, of which step t has vector t.
"""

from numba.core import types
from numba.extending import intrinsic

from sigfeat._kernels.emitter import Emitter, array_data
from sigfeat._kernels.simd import MAX_PLUS, MIN_PLUS, REAL

CHUNK = 8  # steps whose sums stay in registers while the terms of a convolution are added
MAX_COMPETITORS = 8
RINGS = (REAL, MAX_PLUS, MIN_PLUS)


@intrinsic
def convolve(typing_context, packed, places, taps, first, n_terms, begin, n_chunks, row, rows):
    """Write sum_i taps[i] x(places[i] + begin + t) over terms first, ..., first + n_terms - 1 to row `row` of `rows`.

    x(p) is vector p of `packed`; t = 0, ..., CHUNK n_chunks - 1.
    """
    index = types.intp
    signature = types.void(packed, places, taps, index, index, index, index, index, rows)

    def codegen(context, builder, signature, args):
        _, _, _, first, n_terms, begin, n_chunks, row, _ = args
        x, places, weights, out = array_data(context, builder, signature, args)
        emit = Emitter(builder, packed.dtype)
        target = emit.row(out, row)

        def chunk(number, _):
            begin_of_chunk = builder.mul(number, emit.integer(CHUNK))
            start = builder.add(begin, begin_of_chunk)

            def term(i, sums):
                which = builder.add(first, i)
                place = builder.add(start, builder.load(builder.gep(places, [which])))
                weight = emit.splat(builder.load(builder.gep(weights, [which])))
                window = emit.skip(x, place)
                return [emit.fma(weight, emit.read(window, emit.integer(u)), sums[u]) for u in range(CHUNK)]

            sums = emit.loop(n_terms, [emit.constant(0.0)] * CHUNK, term)
            for u in range(CHUNK):
                emit.write(sums[u], target, builder.add(begin_of_chunk, emit.integer(u)))
            return []

        emit.loop(n_chunks, [], chunk)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def follow(typing_context, kind, fade, block_fade, previous, letter, n_steps, state, k, row, rows):
    """Write letter(t) (x) fade (x) S(t - 1) to a row, S(t) = fade (x) S(t - 1) (+) previous(t).

    `previous`, `letter` and `row` are numbers of rows of `rows`. S before the block is vector k of the float64 `state`,
    which is moved on; block_fade is the fade of the whole block.
    """
    index, real = types.intp, types.float64
    signature = types.void(index, real, real, index, index, index, state, index, index, rows)

    def codegen(context, builder, signature, args):
        kind, fade, block_fade, previous, letter, n_steps, _, k, row, _ = args
        kept, y = array_data(context, builder, signature, args)
        emit = Emitter(builder, rows.dtype)
        factor, old = emit.splat(fade), emit.read(kept, k, emit.wide)
        source, own, target = (emit.row(y, number) for number in (previous, letter, row))
        base = emit.round(old)

        def real_step(t, values):
            sums, carried = values  # within a block in the working dtype, from block to block in float64
            faded = builder.fmul(builder.fadd(sums, carried), factor)
            emit.write(builder.fmul(emit.read(own, t), faded), target, t)
            return [emit.fma(sums, factor, emit.read(source, t)), builder.fmul(carried, factor)]

        def tropical_step(plus, t, values):
            faded = builder.fadd(values[0], factor)
            emit.write(builder.fadd(emit.read(own, t), faded), target, t)
            return [plus(faded, emit.read(source, t))]

        def body(kind, _):
            if kind == REAL:
                (sums, _) = emit.loop(n_steps, [emit.constant(0.0), base], real_step)
                new = emit.fma(old, emit.splat(block_fade, emit.wide), emit.widen(sums))
            else:
                plus = emit.larger if kind == MAX_PLUS else emit.smaller
                new = emit.widen(emit.loop(n_steps, [base], lambda t, values: tropical_step(plus, t, values))[0])
            emit.write(new, kept, k)

        emit.choose((kind, emit.integer(0)), (RINGS, (0,)), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def compete(typing_context, rows, n_letters, n_steps, masked, limits, statistics, k):
    """Count, letter by letter, the times at which a letter is the largest, weighted by its value, and the smallest.

    The letters are rows 0, ..., n_letters - 1; of equal ones the first wins. Sums go to vectors k + j, counts to
    vectors k + n_letters + j of the float64 statistics. masked: only times lower <= t < upper of each
    lane, the two vectors of `limits`, count.
    """
    index = types.intp
    signature = types.void(rows, index, index, index, limits, statistics, index)

    def codegen(context, builder, signature, args):
        _, n_letters, n_steps, masked, _, _, k = args
        y, bounds, kept = array_data(context, builder, signature, args)
        emit = Emitter(builder, rows.dtype)
        low, high = emit.read(bounds, emit.integer(0)), emit.read(bounds, emit.integer(1))
        zero, one = emit.constant(0.0), emit.constant(1.0)

        def winners(values, order):
            """Value of the winner, and for each letter whether it is the one."""
            best, number = values[0], zero
            for j, value in enumerate(values[1:], start=1):
                better = builder.fcmp_ordered(order, value, best)
                best = builder.select(better, value, best)
                number = builder.select(better, emit.constant(j), number)
            return best, [builder.fcmp_ordered("==", number, emit.constant(j)) for j in range(len(values))]

        def body(with_mask, n):
            sources = [emit.row(y, emit.integer(j)) for j in range(n)]

            def step(t, values):
                now, sums, counts = values[0], values[1 : n + 1], values[n + 1 :]
                letters = [emit.read(source, t) for source in sources]
                best, largest = winners(letters, ">")
                _, smallest = winners(letters, "<")
                share, weight = one, best
                if with_mask:
                    after = builder.fcmp_ordered(">=", now, low)
                    inside = builder.and_(after, builder.fcmp_ordered("<", now, high))
                    share, weight = builder.select(inside, one, zero), builder.select(inside, best, zero)
                sums = [
                    builder.fadd(old, builder.select(wins, weight, zero))
                    for old, wins in zip(sums, largest, strict=True)
                ]
                counts = [
                    builder.fadd(old, builder.select(wins, share, zero))
                    for old, wins in zip(counts, smallest, strict=True)
                ]
                return [builder.fadd(now, one), *sums, *counts]

            found = emit.loop(n_steps, [zero] * (2 * n + 1), step)[1:]
            for j, value in enumerate(found):
                place = builder.add(k, emit.integer(j))
                emit.write(builder.fadd(emit.read(kept, place, emit.wide), emit.widen(value)), kept, place)

        emit.choose((masked, n_letters), ((0, 1), range(2, MAX_COMPETITORS + 1)), body)
        return context.get_dummy_value()

    return signature, codegen
