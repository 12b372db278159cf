"""Running sums and sums of products over one block of time, one series per SIMD lane.

A *row* holds one word (or letter) over one block: `block_steps + 1` vectors, lanes innermost. A row of running
sums keeps the value before the block in slot 0 and the value at step t in slot t + 1 (backward: step t in slot
t, the value behind the block in the last slot), so that strict and weak sums differ only in the slot at which
a parent is read. Within a block the sums run in the working dtype, from block to block in float64: float32
input loses no digits to the length of a series.
"""

from numba.core import types
from numba.extending import intrinsic

from sigfeat._kernels.emitter import TILE, Emitter, array_data

CHAINS = 4  # running sums advanced together: enough to hide the latency of an addition

REAL, MAX_PLUS, MIN_PLUS, MAX_TIMES, REAL_DECAYED = range(5)
TROPICAL = (MAX_PLUS, MIN_PLUS)  # their product is a sum


def _advance(emit, kind, n, parents, letters, running, fade, parent_fade, old, n_steps):
    """Emit n running sums over one block, y(t) = y(t-1) g (+) p(t) (x) x(t).

    Returns what the block adds to the sums (real), or the sums themselves (tropical).
    """
    builder = emit.builder
    plus = emit.smaller if kind == MIN_PLUS else emit.larger
    times = builder.fadd if kind in TROPICAL else builder.fmul
    real, decayed = kind in (REAL, REAL_DECAYED), kind != REAL
    base = [emit.round(value) for value in old]
    for s in range(n):
        emit.write(base[s], running[s], emit.integer(0))

    def step(t, values):
        sums, bases = list(values[:n]), list(values[n:]) or base
        for s in range(n):
            parent, letter = emit.read(parents[s], t), emit.read(letters[s], t)
            if decayed:
                parent, sums[s] = times(parent, parent_fade), times(sums[s], fade)
            if kind == REAL_DECAYED:
                bases[s] = times(bases[s], fade)
            sums[s] = emit.fma(parent, letter, sums[s]) if real else plus(sums[s], times(parent, letter))
            value = builder.fadd(bases[s], sums[s]) if real else sums[s]
            emit.write(value, running[s], builder.add(t, emit.integer(1)))
        return sums + (bases if kind == REAL_DECAYED else [])

    initial = [emit.constant(0.0)] * n if real else base
    return emit.loop(n_steps, initial + (base if kind == REAL_DECAYED else []), step)[:n]


@intrinsic
def scan(
    typing_context, kind, first, n_words, parents, parent_of, slot, letters, letter_of,
    n_steps, fade, parent_fade, block_fade, state, running,
):  # fmt: skip
    """Advance the words first, ..., first + n_words - 1 by one block; at most CHAINS, none the parent of another.

    Word w reads row parent_of[w] of `parents` from `slot` on and row letter_of[w] of `letters`, and writes row w
    of `running` and, as float64, of `state`. fade, parent_fade: semiring factor of one step for the sum itself
    and for the parent; block_fade: that of the whole block for the sum.
    """
    index, real = types.intp, types.float64
    signature = types.void(
        index,
        index,
        index,
        parents,
        parent_of,
        index,
        letters,
        letter_of,
        index,
        real,
        real,
        real,
        state,
        running,
    )

    def codegen(context, builder, signature, args):
        kind, first, n_words, _, _, slot, _, _, n_steps, fade, parent_fade, block_fade, _, _ = args
        p, p_of, x, x_of, kept, y = array_data(context, builder, signature, args)
        emit = Emitter(builder, letters.dtype)
        fades = emit.splat(fade), emit.splat(parent_fade)

        def body(kind, n):
            places = [builder.add(first, emit.integer(s)) for s in range(n)]
            old = [emit.read(kept, place, emit.wide) for place in places]
            parent_rows, letter_rows = emit.rows(p, p_of, first, n, slot), emit.rows(x, x_of, first, n)
            own_rows = [emit.row(y, place) for place in places]
            new = _advance(emit, kind, n, parent_rows, letter_rows, own_rows, *fades, old, n_steps)
            for s in range(n):
                value = emit.widen(new[s])
                if kind == REAL:
                    value = builder.fadd(old[s], value)
                if kind == REAL_DECAYED:
                    value = emit.fma(old[s], emit.splat(block_fade, emit.wide), value)
                emit.write(value, kept, places[s])

        emit.choose((kind, n_words), (range(5), range(1, CHAINS + 1)), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def scan_back(
    typing_context, first, n_words, parents, parent_of, slot, letters, letter_of, n_steps, state, running
):  # fmt: skip
    """Advance words by one block against time, in the real semiring; otherwise as `scan`."""
    index = types.intp
    signature = types.void(index, index, parents, parent_of, index, letters, letter_of, index, state, running)

    def codegen(context, builder, signature, args):
        first, n_words, _, _, slot, _, _, n_steps, _, _ = args
        p, p_of, x, x_of, kept, y = array_data(context, builder, signature, args)
        emit = Emitter(builder, letters.dtype)

        def body(_, n):
            places = [builder.add(first, emit.integer(s)) for s in range(n)]
            parent_rows, letter_rows = emit.rows(p, p_of, first, n, slot), emit.rows(x, x_of, first, n)
            own_rows = [emit.row(y, place) for place in places]
            old = [emit.read(kept, place, emit.wide) for place in places]
            base = [emit.round(value) for value in old]
            for s in range(n):
                emit.write(base[s], own_rows[s], n_steps)

            def step(t, sums):
                new = []
                for s in range(n):
                    new.append(emit.fma(emit.read(letter_rows[s], t), emit.read(parent_rows[s], t), sums[s]))
                    emit.write(builder.fadd(base[s], new[s]), own_rows[s], t)
                return new

            new = emit.loop(n_steps, [emit.constant(0.0)] * n, step, backward=True)
            for s in range(n):
                emit.write(builder.fadd(old[s], emit.widen(new[s])), kept, places[s])

        emit.choose((emit.integer(0), n_words), ((0,), range(1, CHAINS + 1)), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def multiply(typing_context, first, n_words, parents, parent_of, slot, letters, letter_of, n_steps, product):
    """Write letter(t) * parent(t) to row w of `product`; otherwise as `scan`."""
    index = types.intp
    signature = types.void(index, index, parents, parent_of, index, letters, letter_of, index, product)

    def codegen(context, builder, signature, args):
        first, n_words, _, _, slot, _, _, n_steps, _ = args
        p, p_of, x, x_of, y = array_data(context, builder, signature, args)
        emit = Emitter(builder, letters.dtype)

        def body(_, n):
            parent_rows, letter_rows = emit.rows(p, p_of, first, n, slot), emit.rows(x, x_of, first, n)
            own_rows = [emit.row(y, builder.add(first, emit.integer(s))) for s in range(n)]

            def step(t, _):
                for s in range(n):
                    value = builder.fmul(emit.read(letter_rows[s], t), emit.read(parent_rows[s], t))
                    emit.write(value, own_rows[s], t)
                return []

            emit.loop(n_steps, [], step)

        emit.choose((emit.integer(0), n_words), ((0,), range(1, CHAINS + 1)), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def add_outer_tile(typing_context, left, i, slot, right, j, out, k, out_pitch, n_rows, n_columns, n_steps):
    """Add sum_t left[i + r, slot + t] * right[j + c, t] to out[r, c], lane by lane.

    A tile of at most TILE x TILE sums stays in registers. out is float64, starts at vector k and has `out_pitch`
    vectors a row.
    """
    index = types.intp
    signature = types.void(left, index, index, right, index, out, index, index, index, index, index)

    def codegen(context, builder, signature, args):
        _, i, slot, _, j, _, k, out_pitch, n_rows, n_columns, n_steps = args
        a, b, c = array_data(context, builder, signature, args)
        emit = Emitter(builder, left.dtype)
        a, b, c = emit.skip(emit.row(a, i), slot), emit.row(b, j), emit.skip(c, k)
        row_vectors = emit.row_items // emit.lanes

        def body(m, n):
            def step(t, sums):
                x = [emit.read(a, builder.add(t, emit.integer(r * row_vectors))) for r in range(m)]
                y = [emit.read(b, builder.add(t, emit.integer(s * row_vectors))) for s in range(n)]
                return [emit.fma(x[e // n], y[e % n], sums[e]) for e in range(m * n)]

            sums = emit.loop(n_steps, [emit.constant(0.0)] * (m * n), step)
            for e in range(m * n):
                place = builder.add(builder.mul(out_pitch, emit.integer(e // n)), emit.integer(e % n))
                emit.write(builder.fadd(emit.read(c, place, emit.wide), emit.widen(sums[e])), c, place)

        sides = range(1, TILE + 1)
        emit.choose((n_rows, n_columns), (sides, sides), body)
        return context.get_dummy_value()

    return signature, codegen
