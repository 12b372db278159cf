"""Statistics of running sums, gathered one block of time after another, one series per SIMD lane."""

from numba.core import types
from numba.extending import intrinsic

from sigfeat._kernels.simd.emitter import Emitter, array_data

SUM, MAXIMUM, POSITION, MINIMUM, N_ABOVE, EXCESS, END, N_STATISTICS = range(8)


@intrinsic
def gather_statistics(
    typing_context, running, word, lower, low_window, upper, window, threshold, position, n_steps, wanted, statistics, k
):  # fmt: skip
    """Fold one block of a row of running sums into its statistics, for the times lower <= t < upper of each lane.

    `wanted` picks what: SUM, MAXIMUM (with its POSITION), MINIMUM, or N_ABOVE (with the EXCESS over `threshold`).
    The bounds, vector `low_window` of lower and `window` of upper, float64, count from the start of the block,
    which is at `position`. The float64 statistics of this word start at vector k.
    """
    index, real = types.intp, types.float64
    signature = types.void(running, index, lower, index, upper, index, real, real, index, index, statistics, index)

    def codegen(context, builder, signature, args):
        _, word, _, low_window, _, window, threshold, position, n_steps, wanted, _, k = args
        y, low, high, kept = array_data(context, builder, signature, args)
        emit = Emitter(builder, running.dtype)
        low = emit.round(emit.read(low, low_window, emit.wide))
        high = emit.round(emit.read(high, window, emit.wide))
        block = _Block(
            emit, emit.row(y, word), n_steps, low, high, emit.splat(threshold), emit.splat(position, emit.wide)
        )
        folds = {SUM: _sum, MAXIMUM: _maximum, MINIMUM: _minimum, N_ABOVE: _above}
        emit.choose(
            (wanted, emit.integer(0)),
            (tuple(folds), (0,)),
            lambda statistic, _: folds[statistic](block, _Kept(emit, kept, k)),
        )
        return context.get_dummy_value()

    return signature, codegen


class _Block:
    """One row over one block, and the part of it that counts."""

    def __init__(self, emit, row, n_steps, low, high, threshold, position):
        self.emit, self.row, self.n_steps = emit, row, n_steps
        self.low, self.high, self.threshold, self.position = low, high, threshold, position

    def fold(self, initial, step):
        """Run values = step(values, value, inside, t) over the block, t as a vector of the working dtype."""
        emit, builder = self.emit, self.emit.builder

        def count(t, values):
            clock, value = values[-1], emit.read(self.row, builder.add(t, emit.integer(1)))
            after = builder.fcmp_ordered(">=", clock, self.low)
            inside = builder.and_(after, builder.fcmp_ordered("<", clock, self.high))
            new = step(values[:-1], value, inside, clock)
            return [*new, builder.fadd(clock, emit.constant(1.0))]

        return [emit.widen(value) for value in emit.loop(self.n_steps, [*initial, emit.constant(0.0)], count)[:-1]]


class _Kept:
    """The statistics of one word, from block to block."""

    def __init__(self, emit, data, first):
        self.emit, self.data, self.first = emit, data, first

    def __getitem__(self, statistic):
        return self.emit.read(self.data, self._place(statistic), self.emit.wide)

    def __setitem__(self, statistic, value):
        self.emit.write(value, self.data, self._place(statistic))

    def _place(self, statistic):
        return self.emit.builder.add(self.first, self.emit.integer(statistic))


def _sum(block, kept):
    builder, zero = block.emit.builder, block.emit.constant(0.0)
    (total,) = block.fold([zero], lambda v, value, inside, _: [builder.fadd(v[0], builder.select(inside, value, zero))])
    kept[SUM] = builder.fadd(kept[SUM], total)


def _maximum(block, kept):
    emit, builder = block.emit, block.emit.builder

    def step(values, value, inside, clock):
        better = builder.and_(inside, builder.fcmp_ordered(">", value, values[0]))
        return [builder.select(better, value, values[0]), builder.select(better, clock, values[1])]

    best, when = block.fold([emit.constant(float("-inf")), emit.constant(0.0)], step)
    better = builder.fcmp_ordered(">", best, kept[MAXIMUM])
    kept[POSITION] = builder.select(better, builder.fadd(when, block.position), kept[POSITION])
    kept[MAXIMUM] = builder.select(better, best, kept[MAXIMUM])


def _minimum(block, kept):
    emit, builder = block.emit, block.emit.builder

    def step(values, value, inside, _):
        better = builder.and_(inside, builder.fcmp_ordered("<", value, values[0]))
        return [builder.select(better, value, values[0])]

    (least,) = block.fold([emit.constant(float("inf"))], step)
    kept[MINIMUM] = emit.smaller(least, kept[MINIMUM])


def _above(block, kept):
    builder, zero, one = block.emit.builder, block.emit.constant(0.0), block.emit.constant(1.0)

    def step(values, value, inside, _):
        above = builder.and_(inside, builder.fcmp_ordered(">", value, block.threshold))
        excess = builder.select(above, builder.fsub(value, block.threshold), zero)
        return [builder.fadd(values[0], builder.select(above, one, zero)), builder.fadd(values[1], excess)]

    count, excess = block.fold([zero, zero], step)
    kept[N_ABOVE] = builder.fadd(kept[N_ABOVE], count)
    kept[EXCESS] = builder.fadd(kept[EXCESS], excess)
