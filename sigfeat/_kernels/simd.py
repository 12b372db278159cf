"""Loops over blocks of time with one series per SIMD lane, written as LLVM vectors.

A *row* holds one word (or letter) over one block of time: `block_steps + 1` vectors, lanes innermost. The loop vectoriser of LLVM looks at innermost
loops only and cannot keep a tile of sums in registers, so these few loops are emitted directly; everything around them is plain numba.
A row of running sums keeps the value before the block in slot 0 and the value at step t in slot t + 1 (backward: step t in slot t, the value after
the block in the last slot), so that strict and weak sums differ only in the slot at which a parent is read.

Within a block the sums run in the working dtype, from block to block in float64: float32 input loses no digits to the length of a series.
"""

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

LANE_BYTES = 64
CHAINS = 4  # running sums advanced together: enough to hide the latency of an addition
# Side of the square of sums that stays in registers beside its operands: 32 registers of 512 bits, or fewer and narrower ones.
TILE = 5 if llvm.get_host_cpu_features().get("avx512f") else 2

REAL, MAX_PLUS, MIN_PLUS, MAX_TIMES, REAL_DECAYED = range(5)


@njit(inline="always")
def block_steps(lanes):
    """Time steps of one block. A row has one more, which also keeps rows off each other's cache sets."""
    return 4 * lanes


class _Emitter:
    """Vector instructions for arrays of one working dtype; `wide` is float64 with as many lanes."""

    def __init__(self, builder, dtype):
        self.builder, self.itemsize = builder, dtype.bitwidth // 8
        self.lanes = LANE_BYTES // self.itemsize
        self.word = ir.IntType(64)
        self.narrow = ir.VectorType(ir.FloatType() if self.itemsize == 4 else ir.DoubleType(), self.lanes)
        self.wide = ir.VectorType(ir.DoubleType(), self.lanes)
        self.row_items = (block_steps.py_func(self.lanes) + 1) * self.lanes

    def integer(self, value):
        return ir.Constant(self.word, value)

    def constant(self, value, vector=None):
        return ir.Constant(vector or self.narrow, [float(value)] * self.lanes)

    def splat(self, scalar):
        """A float64 scalar in every lane of the working dtype."""
        scalar = self.builder.fptrunc(scalar, ir.FloatType()) if self.itemsize == 4 else scalar
        one = self.builder.insert_element(ir.Constant(self.narrow, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, ir.Constant(self.narrow, ir.Undefined), mask)

    def widen(self, value):
        return self.builder.fpext(value, self.wide) if self.itemsize == 4 else value

    def round(self, value):
        return self.builder.fptrunc(value, self.narrow) if self.itemsize == 4 else value

    def fma(self, a, b, c):
        kind = "f32" if a.type.element == ir.FloatType() else "f64"
        function_type = ir.FunctionType(a.type, [a.type] * 3)
        name = f"llvm.fmuladd.v{self.lanes}{kind}"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, function_type, name), (a, b, c))

    def larger(self, a, b):
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def smaller(self, a, b):
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def read(self, base, vectors, vector_type=None):
        pointer = self._place(base, vectors, vector_type or self.narrow)
        return self.builder.load(pointer, align=self.itemsize)

    def write(self, value, base, vectors):
        self.builder.store(value, self._place(base, vectors, value.type), align=self.itemsize)

    def _place(self, base, vectors, vector_type):
        items = self.builder.mul(vectors, self.integer(self.lanes))
        return self.builder.bitcast(self.builder.gep(base, [items]), vector_type.as_pointer())

    def row(self, data, number):
        return self.builder.gep(data, [self.builder.mul(number, self.integer(self.row_items))])

    def choose(self, cases, selector, bodies):
        """Run bodies[i]() where selector == cases[i]; nothing for another value."""
        done = self.builder.append_basic_block()
        switch = self.builder.switch(selector, done)
        for case, body in zip(cases, bodies, strict=True):
            entry = self.builder.append_basic_block()
            switch.add_case(self.integer(case), entry)
            self.builder.position_at_end(entry)
            body()
            self.builder.branch(done)
        self.builder.position_at_end(done)

    def loop(self, n_steps, initial, step, *, backward=False):
        """Run values = step(t, values) for t = 0..n_steps-1 (or down to 0), n_steps >= 1; returns the last values."""
        builder, entry = self.builder, self.builder.block
        body, end = builder.append_basic_block(), builder.append_basic_block()
        builder.branch(body)
        builder.position_at_end(body)
        count = builder.phi(self.word)
        count.add_incoming(self.integer(0), entry)
        values = [builder.phi(value.type) for value in initial]
        t = builder.sub(builder.sub(n_steps, self.integer(1)), count) if backward else count
        new = step(t, values)
        following = builder.add(count, self.integer(1))
        count.add_incoming(following, body)
        for phi, first, value in zip(values, initial, new, strict=True):
            phi.add_incoming(first, entry)
            phi.add_incoming(value, body)
        builder.cbranch(builder.icmp_signed("<", following, n_steps), body, end)
        builder.position_at_end(end)
        return new


def _data(context, builder, array_types, arrays):
    return [context.make_array(t)(context, builder, a).data for t, a in zip(array_types, arrays, strict=True)]


def _load_index(builder, table, first, offset):
    return builder.load(builder.gep(table, [builder.add(first, ir.Constant(ir.IntType(64), offset))]))


def _advance(emit, kind, n, rows, fade, parent_fade, old, n_steps):
    """Emit n running sums over one block in one semiring: y(t) = y(t-1) g (+) p(t) (x) x(t). Returns what to add to (or put in place of) the state."""
    builder = emit.builder
    plus = {REAL: builder.fadd, REAL_DECAYED: builder.fadd, MIN_PLUS: emit.smaller}.get(kind, emit.larger)
    times = builder.fadd if kind in (MAX_PLUS, MIN_PLUS) else builder.fmul
    real, decayed = kind in (REAL, REAL_DECAYED), kind != REAL
    base = [emit.round(value) for value in old]
    for s in range(n):
        emit.write(base[s], rows[s].running, emit.integer(0))
    one_more = emit.integer(1)

    def step(t, values):
        sums, bases = list(values[:n]), list(values[n:]) or base
        for s in range(n):
            parent, letter = emit.read(rows[s].parent, t), emit.read(rows[s].letter, t)
            if decayed:
                parent, sums[s] = times(parent, parent_fade), times(sums[s], fade)
            if kind == REAL_DECAYED:
                bases[s] = times(bases[s], fade)
            sums[s] = emit.fma(parent, letter, sums[s]) if real else plus(sums[s], times(parent, letter))
            emit.write(builder.fadd(bases[s], sums[s]) if real else sums[s], rows[s].running, builder.add(t, one_more))
        return sums + (bases if kind == REAL_DECAYED else [])

    initial = [emit.constant(0.0)] * n if real else list(base)
    return emit.loop(n_steps, initial + (base if kind == REAL_DECAYED else []), step)[:n]


class _Rows:
    def __init__(self, parent, letter, running):
        self.parent, self.letter, self.running = parent, letter, running


@intrinsic
def scan(typing_context, kind, first, n_words, parents, parent_of, slot, letters, letter_of, n_steps, fade, parent_fade, block_fade, state, running):
    """Advance the words first..first+n_words-1 (at most CHAINS, none the parent of another) by one block.

    Word w reads row parent_of[w] of `parents` from `slot` on and row letter_of[w] of `letters`, and writes row w of `running` and, as float64, `state`.
    fade, parent_fade: semiring factor of one step for the sum itself and for the parent; block_fade: that of the whole block.
    """
    signature = types.void(
        *(types.intp,) * 3, parents, parent_of, types.intp, letters, letter_of, types.intp, *(types.float64,) * 3, state, running
    )  # fmt: skip

    def codegen(context, builder, signature, args):
        emit = _Emitter(builder, letters.dtype)
        array_types = (parents, parent_of, letters, letter_of, state, running)
        p, p_of, x, x_of, kept, y = _data(context, builder, array_types, [args[i] for i in (3, 4, 6, 7, 12, 13)])
        which, first, count, start, n_steps = args[0], args[1], args[2], args[5], args[8]
        fades = [emit.splat(args[9]), emit.splat(args[10])]
        total_fade = args[11]

        def body(kind, n):
            rows, places, old = [], [], []
            for s in range(n):
                parent = emit.row(p, _load_index(builder, p_of, first, s))
                parent = builder.gep(parent, [builder.mul(start, emit.integer(emit.lanes))])
                places.append(builder.add(first, emit.integer(s)))
                rows.append(_Rows(parent, emit.row(x, _load_index(builder, x_of, first, s)), emit.row(y, places[s])))
                old.append(emit.read(kept, places[s], emit.wide))
            new = _advance(emit, kind, n, rows, *fades, old, n_steps)
            for s in range(n):
                value = emit.widen(new[s])
                if kind == REAL:
                    value = builder.fadd(old[s], value)
                if kind == REAL_DECAYED:
                    factor = builder.insert_element(ir.Constant(emit.wide, ir.Undefined), total_fade, ir.Constant(ir.IntType(32), 0))
                    zeros = ir.Constant(ir.VectorType(ir.IntType(32), emit.lanes), [0] * emit.lanes)
                    factor = builder.shuffle_vector(factor, ir.Constant(emit.wide, ir.Undefined), zeros)
                    value = emit.fma(old[s], factor, value)
                emit.write(value, kept, places[s])

        pairs = [(kind, n) for kind in range(5) for n in range(1, CHAINS + 1)]
        selector = builder.add(builder.mul(which, emit.integer(CHAINS + 1)), count)
        emit.choose([k * (CHAINS + 1) + n for k, n in pairs], selector, [lambda pair=pair: body(*pair) for pair in pairs])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def scan_back(typing_context, keep, first, n_words, parents, parent_of, slot, letters, letter_of, n_steps, state, running, product):
    """Real semiring, time reversed: row w of `product` is letter(t) * parent(t); with keep == 1 its sums from the end go to `running` and `state`."""
    signature = types.void(
        *(types.intp,) * 3, parents, parent_of, types.intp, letters, letter_of, types.intp, state, running, product
    )  # fmt: skip

    def codegen(context, builder, signature, args):
        emit = _Emitter(builder, letters.dtype)
        array_types = (parents, parent_of, letters, letter_of, state, running, product)
        p, p_of, x, x_of, kept, w, v = _data(context, builder, array_types, [args[i] for i in (3, 4, 6, 7, 9, 10, 11)])
        keep, first, count, start, n_steps = args[0], args[1], args[2], args[5], args[8]

        def body(keeps, n):
            parent_rows, letter_rows, running_rows, product_rows, places = [], [], [], [], []
            for s in range(n):
                parent = emit.row(p, _load_index(builder, p_of, first, s))
                parent_rows.append(builder.gep(parent, [builder.mul(start, emit.integer(emit.lanes))]))
                letter_rows.append(emit.row(x, _load_index(builder, x_of, first, s)))
                places.append(builder.add(first, emit.integer(s)))
                running_rows.append(emit.row(w, places[s]))
                product_rows.append(emit.row(v, places[s]))
            old = [emit.read(kept, place, emit.wide) for place in places] if keeps else []
            base = [emit.round(value) for value in old]
            for s in range(len(base)):
                emit.write(base[s], running_rows[s], n_steps)

            def step(t, sums):
                new = []
                for s in range(n):
                    value = builder.fmul(emit.read(letter_rows[s], t), emit.read(parent_rows[s], t))
                    emit.write(value, product_rows[s], t)
                    if keeps:
                        new.append(builder.fadd(sums[s], value))
                        emit.write(builder.fadd(base[s], new[s]), running_rows[s], t)
                return new

            new = emit.loop(n_steps, [emit.constant(0.0)] * len(base), step, backward=True)
            for s in range(len(new)):
                emit.write(builder.fadd(old[s], emit.widen(new[s])), kept, places[s])

        pairs = [(keeps, n) for keeps in range(2) for n in range(1, CHAINS + 1)]
        selector = builder.add(builder.mul(keep, emit.integer(CHAINS + 1)), count)
        emit.choose([k * (CHAINS + 1) + n for k, n in pairs], selector, [lambda pair=pair: body(*pair) for pair in pairs])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def add_outer_tile(typing_context, left, i, slot, right, j, out, k, out_pitch, n_rows, n_columns, n_steps):
    """out[r, c] += sum_t left[i + r, slot + t] * right[j + c, t], lane by lane, for a tile of at most TILE x TILE sums held in registers.

    out is float64, starts at vector k and has `out_pitch` vectors a row.
    """
    signature = types.void(left, types.intp, types.intp, right, types.intp, out, *(types.intp,) * 5)

    def codegen(context, builder, signature, args):
        emit = _Emitter(builder, left.dtype)
        a, b, c = _data(context, builder, (left, right, out), (args[0], args[3], args[5]))
        a = builder.gep(emit.row(a, args[1]), [builder.mul(args[2], emit.integer(emit.lanes))])
        b = emit.row(b, args[4])
        c = builder.gep(c, [builder.mul(args[6], emit.integer(emit.lanes))])
        pitch, rows, columns, n_steps = args[7:]
        row_vectors = emit.row_items // emit.lanes

        def body(m, n):
            def step(t, sums):
                x = [emit.read(a, builder.add(t, emit.integer(r * row_vectors))) for r in range(m)]
                y = [emit.read(b, builder.add(t, emit.integer(s * row_vectors))) for s in range(n)]
                return [emit.fma(x[e // n], y[e % n], sums[e]) for e in range(m * n)]

            sums = emit.loop(n_steps, [emit.constant(0.0)] * (m * n), step)
            for e in range(m * n):
                place = builder.add(builder.mul(pitch, emit.integer(e // n)), emit.integer(e % n))
                emit.write(builder.fadd(emit.read(c, place, emit.wide), emit.widen(sums[e])), c, place)

        pairs = [(m, n) for m in range(1, TILE + 1) for n in range(1, TILE + 1)]
        selector = builder.add(builder.mul(rows, emit.integer(TILE + 1)), columns)
        emit.choose([m * (TILE + 1) + n for m, n in pairs], selector, [lambda pair=pair: body(*pair) for pair in pairs])
        return context.get_dummy_value()

    return signature, codegen


SUM, MAXIMUM, POSITION, MINIMUM, N_ABOVE, EXCESS, END, N_STATISTICS = range(8)


@intrinsic
def gather_statistics(typing_context, running, word, lower, upper, window, threshold, position, n_steps, wanted, statistics, k):
    """Fold one block of a row of running sums into its statistics, for the times lower <= t < upper of each lane.

    `wanted` picks a loop: SUM, MAXIMUM (with its POSITION), MINIMUM, N_ABOVE (with the EXCESS over `threshold`). lower and upper (float64, vector
    `window`) count from the start of the block, `position` is that start. statistics is float64; those of this word start at vector k.
    """
    signature = types.void(
        running, types.intp, lower, upper, types.intp, types.float64, types.float64, types.intp, types.intp, statistics, types.intp
    )  # fmt: skip

    def codegen(context, builder, signature, args):
        emit = _Emitter(builder, running.dtype)
        y, low, high, kept = _data(context, builder, (running, lower, upper, statistics), [args[i] for i in (0, 2, 3, 9)])
        low, high = (emit.round(emit.read(data, args[4], emit.wide)) for data in (low, high))
        y, n_steps, k = emit.row(y, args[1]), args[7], args[10]
        threshold, position = emit.splat(args[5]), emit.widen(emit.splat(args[6]))
        zero, one = emit.constant(0.0), emit.constant(1.0)

        def place(statistic):
            return builder.add(k, emit.integer(statistic))

        def run(initial, fold):
            def step(t, values):
                clock, value = values[-1], emit.read(y, builder.add(t, emit.integer(1)))
                inside = builder.and_(builder.fcmp_ordered(">=", clock, low), builder.fcmp_ordered("<", clock, high))
                return [*fold(values[:-1], value, inside, clock), builder.fadd(clock, one)]

            return emit.loop(n_steps, [*initial, zero], step)[:-1]

        def sums():
            (total,) = run([zero], lambda v, value, inside, _: [builder.fadd(v[0], builder.select(inside, value, zero))])
            emit.write(builder.fadd(emit.read(kept, place(SUM), emit.wide), emit.widen(total)), kept, place(SUM))

        def maximum():
            def fold(values, value, inside, clock):
                better = builder.and_(inside, builder.fcmp_ordered(">", value, values[0]))
                return [builder.select(better, value, values[0]), builder.select(better, clock, values[1])]

            best, when = run([emit.constant(float("-inf")), zero], fold)
            best, when = emit.widen(best), builder.fadd(emit.widen(when), position)
            old = emit.read(kept, place(MAXIMUM), emit.wide)
            better = builder.fcmp_ordered(">", best, old)
            emit.write(builder.select(better, best, old), kept, place(MAXIMUM))
            emit.write(builder.select(better, when, emit.read(kept, place(POSITION), emit.wide)), kept, place(POSITION))

        def minimum():
            (least,) = run(
                [emit.constant(float("inf"))],
                lambda v, value, inside, _: [builder.select(builder.and_(inside, builder.fcmp_ordered("<", value, v[0])), value, v[0])],
            )
            emit.write(emit.smaller(emit.widen(least), emit.read(kept, place(MINIMUM), emit.wide)), kept, place(MINIMUM))

        def above():
            def fold(values, value, inside, _):
                over = builder.and_(inside, builder.fcmp_ordered(">", value, threshold))
                excess = builder.select(over, builder.fsub(value, threshold), zero)
                return [builder.fadd(values[0], builder.select(over, one, zero)), builder.fadd(values[1], excess)]

            for statistic, value in zip((N_ABOVE, EXCESS), run([zero, zero], fold), strict=True):
                emit.write(builder.fadd(emit.read(kept, place(statistic), emit.wide), emit.widen(value)), kept, place(statistic))

        emit.choose([SUM, MAXIMUM, MINIMUM, N_ABOVE], args[8], [sums, maximum, minimum, above])
        return context.get_dummy_value()

    return signature, codegen
