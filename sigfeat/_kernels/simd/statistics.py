"""Statistics of running values, accumulated one value after another: the only place where this is compiled.

`gather_statistics` takes a block of time of one row with one series per SIMD lane (words, functionals of low rank,
developments); `fold_row` takes many rows at one time (intervals, series that grow). A statistic's number is its place
in `sigfeat.pooling.STATISTICS`; N_ABOVE is the last, so that the numbers for further thresholds follow it.
"""

from typing import NamedTuple

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.simd.emitter import Emitter, operands
from sigfeat.pooling import STATISTICS

MAX_THRESHOLDS = 4
N_STATISTICS = len(STATISTICS)
TOTAL, MAXIMUM, POSITION, MINIMUM, END, EXCESS, PLACES, N_ABOVE = range(N_STATISTICS)

# Loops over a row are compiled for one of these sets of statistics, with or without those of thresholds. More of them
# together cost little more time than one of them alone, since each waits for its own last value.
SETS = ((), (TOTAL,), (MAXIMUM, POSITION), (MINIMUM,), (TOTAL, MAXIMUM, POSITION, MINIMUM))
NOTHING, ONLY_TOTAL, ONLY_MAXIMUM, ONLY_MINIMUM, EVERYTHING = range(len(SETS))


@compiled
def reset_statistics(statistics, lanes, n_statistics):
    """Set statistics to those of no value."""
    for place in range(statistics.shape[0]):
        statistics[place] = 0.0
    for place in range(0, statistics.shape[0], n_statistics * lanes):
        for lane in range(lanes):
            statistics[place + MAXIMUM * lanes + lane] = -np.inf
            statistics[place + MINIMUM * lanes + lane] = np.inf


@compiled
def merge_statistics(part, merged):
    """Add the statistics of the values of one part of a window to those of the parts before it."""
    merged[TOTAL] += part[TOTAL]
    if part[MAXIMUM] > merged[MAXIMUM]:
        merged[MAXIMUM], merged[POSITION] = part[MAXIMUM], part[POSITION]
    merged[MINIMUM] = min(merged[MINIMUM], part[MINIMUM])
    merged[END] = part[END]
    for s in range(EXCESS, merged.shape[0]):
        merged[s] += part[s]


@compiled
def fold_row(row, t, thresholds, wanted, kept):
    """Fold the values of all rows at time t into their statistics `kept`, (N_STATISTICS, n_rows)."""
    if wanted[TOTAL]:
        for i in range(row.shape[0]):
            kept[TOTAL, i] += row[i]
    if wanted[MAXIMUM] or wanted[POSITION]:
        for i in range(row.shape[0]):
            kept[POSITION, i] = t if row[i] > kept[MAXIMUM, i] else kept[POSITION, i]
            kept[MAXIMUM, i] = max(kept[MAXIMUM, i], row[i])
    if wanted[MINIMUM]:
        for i in range(row.shape[0]):
            kept[MINIMUM, i] = min(kept[MINIMUM, i], row[i])
    if wanted[N_ABOVE] or wanted[EXCESS]:
        for i in range(row.shape[0]):
            above = 1.0 if row[i] > thresholds[i] else 0.0
            kept[N_ABOVE, i] += above
            kept[EXCESS, i] += above * (row[i] - thresholds[i])
    if wanted[PLACES]:
        for i in range(row.shape[0]):
            kept[PLACES, i] += t if row[i] > thresholds[i] else 0.0


@compiled
def fold_rows(values, begin, bounds, thresholds, wanted, statistics):
    """Fold values (n_times, n_rows) from time `begin` on into statistics (n_parts, N_STATISTICS, n_rows).

    Part k holds the times bounds[k] <= t < bounds[k + 1].
    """
    for part in range(bounds.shape[0] - 1):
        for t in range(max(begin, bounds[part]), min(begin + values.shape[0], bounds[part + 1])):
            fold_row(values[t - begin], t, thresholds, wanted, statistics[part])
            if t == bounds[part + 1] - 1:
                statistics[part, END] = values[t - begin]


@compiled
def reset_rows(statistics):
    """Set statistics (n_parts, N_STATISTICS, n_rows) to those of no value."""
    statistics[:] = 0.0
    statistics[:, MAXIMUM] = -np.inf
    statistics[:, MINIMUM] = np.inf


def no_statistics(n_rows):
    """Statistics (N_STATISTICS, n_rows) of no value."""
    statistics = np.empty((1, N_STATISTICS, n_rows))
    reset_rows(statistics)
    return statistics[0]


@compiled
def passes(wanted, n_thresholds):
    """Code of the set of statistics that are computed in one loop, and the number of thresholds, 0 if none counts."""
    if not (wanted[N_ABOVE] or wanted[EXCESS] or wanted[PLACES]):
        n_thresholds = 0
    total, maximum, minimum = wanted[TOTAL], wanted[MAXIMUM] or wanted[POSITION], wanted[MINIMUM]
    code = NOTHING
    if total + maximum + minimum > 1:
        code = EVERYTHING
    elif total:
        code = ONLY_TOTAL
    elif maximum:
        code = ONLY_MAXIMUM
    elif minimum:
        code = ONLY_MINIMUM
    return EVERYTHING if n_thresholds > 1 and code != NOTHING else code, n_thresholds


class Row(NamedTuple):
    """Row `number` of `rows`, from vector `slot` on."""

    rows: np.ndarray
    number: int
    slot: int


class Steps(NamedTuple):
    """Steps first, ..., first + n - 1 of a block that starts at time `begin`."""

    first: int
    n: int
    begin: float


class Limits(NamedTuple):
    """Whether only the steps lower <= t < upper of each lane are used (0 or 1), and the float64 vectors of both."""

    used: int
    lower: np.ndarray
    low_place: int
    upper: np.ndarray
    up_place: int


class Levels(NamedTuple):
    """Thresholds values[first], ..., values[first + n - 1]; EXCESS and PLACES belong to the first."""

    values: np.ndarray
    first: int
    n: int


class Level(NamedTuple):
    """As `Levels`, with at most one threshold, for which less is compiled."""

    values: np.ndarray
    first: int
    n: int


class Kept(NamedTuple):
    """Float64 statistics of one row, from vector `place` on."""

    statistics: np.ndarray
    place: int


@intrinsic
def gather_statistics(typing_context, row, steps, limits, levels, code, kept):
    """Fold steps of one block of a row into its statistics. Code and number of levels: what `passes` gives.

    END is kept by the callers, who know where a window ends.
    """
    signature = types.void(row, steps, limits, levels, types.intp, kept)

    def codegen(context, builder, signature, args):
        source, times, bounds, thresholds, code, found = operands(context, builder, signature, args)
        emit = Emitter(builder, row[row.fields.index("rows")].dtype)
        most = 1 if levels.instance_class is Level else MAX_THRESHOLDS
        block = _Block(
            emit,
            emit.skip(emit.row(source.rows, source.number), builder.add(source.slot, times.first)),
            times.n,
            emit.splat(builder.sitofp(times.first, emit.wide.element)),
            emit.round(emit.read(bounds.lower, bounds.low_place, emit.wide)),
            emit.round(emit.read(bounds.upper, bounds.up_place, emit.wide)),
            emit.splat(times.begin, emit.wide),
        )

        def fold(choice, n_thresholds):
            if choice // 2 == NOTHING and n_thresholds == 0:
                return
            number, with_mask = divmod(choice, 2)
            if n_thresholds > 1 and number not in (NOTHING, EVERYTHING):
                return  # `passes` gives none of these
            places = [builder.add(thresholds.first, emit.integer(q)) for q in range(n_thresholds)]
            own = [emit.splat(builder.load(builder.gep(thresholds.values, [place]))) for place in places]
            block.fold(SETS[number], own, with_mask, _Kept(emit, found.statistics, found.place))

        choice = builder.add(builder.mul(code, emit.integer(2)), bounds.used)
        emit.choose((choice, thresholds.n), (range(2 * len(SETS)), range(most + 1)), fold)
        return context.get_dummy_value()

    return signature, codegen


class _Block:
    """One row over one block, and the part of it that counts."""

    def __init__(self, emit, row, n_steps, clock, low, high, begin):
        self.emit, self.row, self.n_steps, self.clock = emit, row, n_steps, clock
        self.low, self.high, self.begin = low, high, begin

    def fold(self, chosen, thresholds, with_mask, kept):
        """Fold the chosen statistics, and those of the thresholds, in one loop."""
        emit, builder, low, high = self.emit, self.emit.builder, self.low, self.high
        zero, one, infinity = emit.constant(0.0), emit.constant(1.0), emit.constant(float("inf"))
        initial = {"clock": self.clock}
        initial |= {TOTAL: zero} if TOTAL in chosen else {}
        initial |= {MAXIMUM: emit.constant(float("-inf")), POSITION: zero} if MAXIMUM in chosen else {}
        initial |= {MINIMUM: infinity} if MINIMUM in chosen else {}
        initial |= {EXCESS: zero, PLACES: zero} if thresholds else {}
        initial |= {N_ABOVE + q: zero for q in range(len(thresholds))}

        def step(t, values):
            old = dict(zip(initial, values, strict=True))
            value, clock = emit.read(self.row, t), old["clock"]
            inside = None
            if with_mask:
                after = builder.fcmp_ordered(">=", clock, low)
                inside = builder.and_(after, builder.fcmp_ordered("<", clock, high))

            def only(condition):
                return condition if inside is None else builder.and_(inside, condition)

            new = {"clock": builder.fadd(clock, one)}
            if TOTAL in old:
                new[TOTAL] = builder.fadd(old[TOTAL], builder.select(inside, value, zero) if with_mask else value)
            if MAXIMUM in old:
                better = only(builder.fcmp_ordered(">", value, old[MAXIMUM]))
                new[MAXIMUM] = builder.select(better, value, old[MAXIMUM])
                new[POSITION] = builder.select(better, clock, old[POSITION])
            if MINIMUM in old:
                better = only(builder.fcmp_ordered("<", value, old[MINIMUM]))
                new[MINIMUM] = builder.select(better, value, old[MINIMUM])
            above = [only(builder.fcmp_ordered(">", value, threshold)) for threshold in thresholds]
            if above:
                excess = builder.select(above[0], builder.fsub(value, thresholds[0]), zero)
                new[EXCESS] = builder.fadd(old[EXCESS], excess)
                new[PLACES] = builder.fadd(old[PLACES], builder.select(above[0], clock, zero))
            for q, each in enumerate(above):
                new[N_ABOVE + q] = builder.fadd(old[N_ABOVE + q], builder.select(each, one, zero))
            return [new[name] for name in initial]

        values = emit.loop(self.n_steps, list(initial.values()), step)
        found = {name: emit.widen(value) for name, value in zip(initial, values, strict=True)}
        if MAXIMUM in found:
            better = builder.fcmp_ordered(">", found[MAXIMUM], kept[MAXIMUM])
            kept[POSITION] = builder.select(better, builder.fadd(found[POSITION], self.begin), kept[POSITION])
            kept[MAXIMUM] = builder.select(better, found[MAXIMUM], kept[MAXIMUM])
        if MINIMUM in found:
            kept[MINIMUM] = emit.smaller(found[MINIMUM], kept[MINIMUM])
        if thresholds:
            found[PLACES] = emit.fma(found[N_ABOVE], self.begin, found[PLACES])
        for s in (TOTAL, EXCESS, PLACES, *range(N_ABOVE, N_ABOVE + len(thresholds))):
            if s in found:
                kept[s] = builder.fadd(kept[s], found[s])


class _Kept:
    """The statistics of one row, from block to block."""

    def __init__(self, emit, data, first):
        self.emit, self.data, self.first = emit, data, first

    def __getitem__(self, statistic):
        return self.emit.read(self.data, self._place(statistic), self.emit.wide)

    def __setitem__(self, statistic, value):
        self.emit.write(value, self.data, self._place(statistic))

    def _place(self, statistic):
        return self.emit.builder.add(self.first, self.emit.integer(statistic))
