"""Developments in matrix groups: products of exponentials along a series.

X_t = X_{t-1} exp(M_t) with M_t = sum_c A_c dx_c(t). One run of steps per SIMD lane: a segment of a series where only
its product counts, since the segments multiply afterwards (`chain`), or a whole series where every X_t counts.
The star of a group without a bilinear form is empty.
"""

from typing import NamedTuple

import numpy as np

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.development.exponential import N_SCRATCH, exponential
from sigfeat._kernels.development.matrices import (
    add_identity,
    add_star,
    multiply,
    norm_bounds,
    set_identity,
    weighted_sums,
)
from sigfeat._kernels.pooling import feature
from sigfeat._kernels.simd.emitter import block_steps
from sigfeat._kernels.simd.rows import vectors
from sigfeat._kernels.simd.statistics import (
    END,
    N_STATISTICS,
    Kept,
    Level,
    Limits,
    Row,
    Steps,
    gather_statistics,
    passes,
    reset_statistics,
)

POLISH_EVERY = 64  # factors, after which rounding errors are taken out of a compact group's matrix


class Runs(NamedTuple):
    """Steps starts[i] <= t < stops[i] of increments[series[i]] are run i."""

    series: np.ndarray
    starts: np.ndarray
    stops: np.ndarray


class Algebra(NamedTuple):
    """M = sum_c weights[d, :, c] dx_c has at most the norm sum_c norms[d, c] |dx_c|."""

    weights: np.ndarray
    norms: np.ndarray


@compiled
def segment_products(increments, rows, runs, algebra, shape, largest_norms, out):
    """Write the product of exp(M_t) over run i, development d to out[i, d], float64, for the runs i in `rows`."""
    weights, norms = algebra
    lanes, n_channels = shape.lanes, increments.shape[2]
    size = shape.columns * shape.columns
    work = vectors((4 + N_SCRATCH) * size * lanes, increments)
    m, e, scratch = 0, size, 4 * size
    steps, bounds = room_for_steps(increments, rows, runs, lanes)
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        n_steps = pack(increments, members, runs, lanes, steps)
        for d in range(weights.shape[0]):
            norm_bounds(steps, norms[d], n_steps, bounds)
            x, y = 2 * size, 3 * size
            set_identity(work, x, shape)
            for t in range(n_steps):
                if bounds[t] == 0.0:
                    continue
                weighted_sums(weights[d], steps, t * n_channels, work, m)
                exponential(work, m, e, scratch, shape, bounds[t], largest_norms)
                multiply(work, x, e, y, shape)
                x, y = y, x
            for lane in range(members.shape[0]):
                _store(work, x, lane, lanes, out[members[lane], d])


@compiled
def running_products(increments, rows, algebra, shape, star, largest_norms, out):
    """Write X_t of series i, development d to out[i, t, d], for the series i in `rows`."""
    weights, norms = algebra
    lanes, (n_steps, n_channels) = shape.lanes, increments.shape[1:]
    size = shape.columns * shape.columns
    work = vectors((4 + N_SCRATCH) * size * lanes, increments)
    m, e, scratch = 0, size, 4 * size
    runs = whole_series(increments)
    steps, bounds = room_for_steps(increments, rows, runs, lanes)
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        pack(increments, members, runs, lanes, steps)
        for d in range(weights.shape[0]):
            norm_bounds(steps, norms[d], n_steps, bounds)
            x, y = 2 * size, 3 * size
            set_identity(work, x, shape)
            for t in range(n_steps):
                if bounds[t] != 0.0:
                    weighted_sums(weights[d], steps, t * n_channels, work, m)
                    exponential(work, m, e, scratch, shape, bounds[t], largest_norms)
                    multiply(work, x, e, y, shape)
                    x, y = y, x
                if star.places.shape[0] and t % POLISH_EVERY == POLISH_EVERY - 1:
                    _polish_lanes(work, x, y, scratch, shape, star)
                    x, y = y, x
                for lane in range(members.shape[0]):
                    _store(work, x, lane, lanes, out[members[lane], t, d])


@compiled
def pooled_products(increments, rows, runs, algebra, shape, star, largest_norms, pooling, out):
    """Write poolings of the entries of X_t over run i to out[i, d, entry, pooling], for the runs i in `rows`.

    pooling = (`ChosenPoolings`, thresholds of each development and entry). A run without steps stays at the identity.
    """
    (weights, norms), (poolings, thresholds) = algebra, pooling
    lanes, n_channels, n_block = shape.lanes, increments.shape[2], block_steps(shape.lanes)
    size, n_entries, row = shape.columns * shape.columns, shape.rows * shape.columns, (n_block + 1) * lanes
    work = vectors((4 + N_SCRATCH) * size * lanes, increments)
    m, e, scratch = 0, size, 4 * size
    steps, bounds = room_for_steps(increments, rows, runs, lanes)
    running, real = vectors(n_entries * row, increments), np.empty(0)
    statistics = vectors(n_entries * N_STATISTICS * lanes, real)
    lower, upper, flat_thresholds = vectors(lanes, real), vectors(lanes, real), thresholds.ravel()
    code, n_thresholds = passes(poolings.wanted, 1)
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        n_steps = max(pack(increments, members, runs, lanes, steps), 1)
        for d in range(weights.shape[0]):
            norm_bounds(steps, norms[d], bounds.shape[0], bounds)
            x, y = 2 * size, 3 * size
            set_identity(work, x, shape)
            reset_statistics(statistics, lanes, N_STATISTICS)
            for begin in range(0, n_steps, n_block):
                n = min(n_block, n_steps - begin)
                for t in range(begin, begin + n):
                    if t < bounds.shape[0] and bounds[t] != 0.0:
                        weighted_sums(weights[d], steps, t * n_channels, work, m)
                        exponential(work, m, e, scratch, shape, bounds[t], largest_norms)
                        multiply(work, x, e, y, shape)
                        x, y = y, x
                    for k in range(n_entries):
                        own = running[k * row + (t - begin + 1) * lanes :][:lanes]
                        own[:] = work[(x + k) * lanes :][:lanes]
                if star.places.shape[0]:
                    _polish_lanes(work, x, y, scratch, shape, star)
                    x, y = y, x
                masked = 0
                for lane in range(members.shape[0]):
                    length = max(runs.stops[members[lane]] - runs.starts[members[lane]], 1)
                    lower[lane], upper[lane] = -begin, length - begin
                    if length < begin + n:
                        masked = 1
                    if begin < length <= begin + n:
                        for k in range(n_entries):
                            end = running[k * row + (length - begin) * lanes + lane]
                            statistics[(k * N_STATISTICS + END) * lanes + lane] = end
                steps_of_block, limits = Steps(0, n, float(begin)), Limits(masked, lower, 0, upper, 0)
                for k in range(n_entries):
                    levels = Level(flat_thresholds, d * n_entries + k, n_thresholds)
                    own, kept = Row(running, k, 1), Kept(statistics, k * N_STATISTICS)
                    gather_statistics(own, steps_of_block, limits, levels, code, kept)
            for lane in range(members.shape[0]):
                length = max(runs.stops[members[lane]] - runs.starts[members[lane]], 1)
                for k in range(n_entries):
                    values = statistics[k * N_STATISTICS * lanes + lane :: lanes]
                    for p in range(poolings.codes.shape[0]):
                        value = feature(poolings.codes[p], values, 0, 0, length, length)
                        out[members[lane], d, k, p] = value if np.isfinite(values[END]) else np.nan


# ------------------------------------------------------------------------------- between segments, in float64


@compiled
def chain(products, first, stop, rows, columns, star, out):
    """Write the product of products[first[i] : stop[i], d] to out[i, d]; star is empty unless the group is compact."""
    new = np.empty(rows * columns)
    for i in range(first.shape[0]):
        for d in range(products.shape[1]):
            own = out[i, d]
            set_one(own, rows, columns)
            for s in range(first[i], stop[i]):
                times(own, products[s, d], new, rows, columns)
                own[:] = new
                if star.places.shape[0] and ((s - first[i]) % POLISH_EVERY == POLISH_EVERY - 1 or s == stop[i] - 1):
                    _polish(own, rows, columns, star)


@compiled
def _polish(matrix, rows, columns, star):
    """Take rounding errors out of a matrix of a compact group: one Newton-Schulz step X (3 I - X* X) / 2."""
    places, signs = star
    starred, square = np.empty(rows * columns), np.empty(rows * columns)
    for k in range(rows * columns):
        starred[k] = -0.5 * signs[k] * matrix[places[k]]
    times(starred, matrix, square, rows, columns)
    for k in range(rows):
        square[k * columns + k] += 1.5
    starred[:] = matrix
    times(starred, square, matrix, rows, columns)


@compiled
def set_one(matrix, rows, columns):
    """The identity."""
    matrix[:] = 0.0
    for k in range(rows):
        matrix[k * columns + k] = 1.0


@compiled
def times(left, right, out, rows, columns):
    """out = left @ right for one matrix of `rows * columns` numbers, complex as in `matrices`."""
    out[:] = 0.0
    for i in range(rows):
        own = out[i * columns : (i + 1) * columns]
        for k in range(rows):
            other = right[k * columns : (k + 1) * columns]
            number = left[i * columns + k]
            for j in range(columns):
                own[j] += number * other[j]
            if rows < columns:
                number = left[i * columns + rows + k]
                for j in range(rows):
                    own[j] -= number * other[rows + j]
                    own[rows + j] += number * other[j]


# ---------------------------------------------------------------------------------------------- lanes


@compiled
def _polish_lanes(work, x, out, scratch, shape, star):
    """As `_polish`, one matrix per lane, from place x to `out`."""
    starred, square = scratch, scratch + shape.columns * shape.columns
    add_star(work, x, starred, shape, star, 0.0, -0.5)
    multiply(work, starred, x, square, shape)
    add_identity(work, square, shape, 1.5)
    multiply(work, x, square, out, shape)


@compiled
def whole_series(increments):
    series = np.arange(increments.shape[0])
    return Runs(series, np.zeros_like(series), np.full_like(series, increments.shape[1]))


@compiled
def room_for_steps(increments, rows, runs, lanes):
    n_steps = 0
    for i in rows:
        n_steps = max(n_steps, runs.stops[i] - runs.starts[i])
    return vectors(n_steps * increments.shape[2] * lanes, increments), np.empty(n_steps)


@compiled
def pack(increments, members, runs, lanes, steps):
    """Write increments to steps[t, c, lane], zero after the end of a shorter run; the most steps of a run."""
    series, starts, stops = runs
    n_channels, n_steps = increments.shape[2], 0
    steps[:] = 0
    for lane in range(members.shape[0]):
        start, stop = starts[members[lane]], stops[members[lane]]
        own = increments[series[members[lane]]]
        n_steps = max(n_steps, stop - start)
        place = lane
        for t in range(start, stop):
            for c in range(n_channels):
                steps[place] = own[t, c]
                place += lanes
    return n_steps


@compiled
def _store(work, place, lane, lanes, entries):
    item = place * lanes + lane
    for k in range(entries.shape[0]):
        entries[k] = work[item]
        item += lanes
