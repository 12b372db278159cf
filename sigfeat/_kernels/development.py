"""Developments in matrix groups: products of exponentials along a series, and their gradients.

X_t = X_{t-1} exp(M_t) with M_t = sum_c A_c dx_c(t). One run of steps per SIMD lane: a segment of a series where only
its product counts, since the segments multiply afterwards (`chain`), or a whole series where every X_t counts.
Arguments travel in tuples:

* runs = (series, starts, stops): steps starts[i] <= t < stops[i] of increments[series[i]] are run i;
* algebra = (weights, norms): M = sum_c weights[d, :, c] dx_c has at most the norm sum_c norms[d, c] |dx_c|;
* shape = (rows, columns, lanes) of a matrix, see `matrices`;
* star = (places, signs) of the group's bilinear form, or empty: see `add_star`.

Gradients are written as momenta: W with dL = Re tr(W U) where X changes to X exp(U). A step back turns W into
exp(M) W exp(-M), and its change by V of M_t is Re tr(D V), see `integrated_conjugation`.
"""

import numpy as np
from numba import njit

from sigfeat._kernels.emitter import block_steps
from sigfeat._kernels.exponential import N_SCRATCH, exponential, integrated_conjugation
from sigfeat._kernels.matrices import (
    add_identity,
    add_outer,
    add_star,
    copy,
    multiply,
    norm_bounds,
    set_identity,
    weighted_sums,
)
from sigfeat._kernels.packing import vectors
from sigfeat._kernels.pooling import feature
from sigfeat._kernels.statistics import END, N_STATISTICS, gather_statistics, passes, reset_statistics

POLISH_EVERY = 64  # factors, after which rounding errors are taken out of a compact group's matrix


@njit(cache=True, nogil=True)
def segment_products(increments, rows, runs, algebra, shape, largest_norms, out):
    """Write the product of exp(M_t) over run i, development d to out[i, d], float64, for the runs i in `rows`."""
    weights, norms = algebra
    lanes, n_channels = shape[2], increments.shape[2]
    size = shape[1] * shape[1]
    work = vectors((4 + N_SCRATCH) * size * lanes, increments)
    m, e, scratch = 0, size, 4 * size
    steps, bounds = _room_for_steps(increments, rows, runs, lanes)
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        n_steps = _pack(increments, members, runs, lanes, steps)
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


@njit(cache=True, nogil=True)
def segment_gradients(
    increments, rows, runs, algebra, shape, star, tolerance, momenta, back, grad_algebra, grad_increments
):  # fmt: skip
    """Add to grad_algebra[d, c] the sum over the runs in `rows` and their steps of dx_c D, a matrix each.

    momenta[i, d] is W at the end of run i. back[d, c] are the weights that make Re tr(D A_c) of D; where
    `grad_increments` is not empty, that becomes the gradient of dx_c.
    """
    weights, norms = algebra
    lanes, n_channels = shape[2], increments.shape[2]
    size, n_entries = shape[1] * shape[1], shape[0] * shape[1]
    work = vectors((3 + N_SCRATCH) * size * lanes, increments)
    m, w, change, scratch = 0, size, 2 * size, 3 * size
    steps, bounds = _room_for_steps(increments, rows, runs, lanes)
    sums = vectors(n_channels * n_entries * lanes, increments)
    back_steps = vectors(steps.shape[0] if grad_increments.size else 0, increments)
    some = vectors(n_channels * lanes, increments)
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        n_steps = _pack(increments, members, runs, lanes, steps)
        back_steps[:] = 0
        for d in range(weights.shape[0]):
            norm_bounds(steps, norms[d], n_steps, bounds)
            work[w * lanes :][: n_entries * lanes] = 0
            for lane in range(members.shape[0]):
                _load(momenta[members[lane], d], lane, lanes, work, w)
            sums[:] = 0
            for t in range(n_steps - 1, -1, -1):
                weighted_sums(weights[d], steps, t * n_channels, work, m)
                integrated_conjugation(work, m, w, change, scratch, shape, bounds[t], star, tolerance)
                add_outer(steps, t * n_channels, n_channels, work, change, n_entries, sums, lanes)
                if grad_increments.size:
                    weighted_sums(back[d], work, change, some, 0)
                    _add(back_steps, t * n_channels * lanes, some)
            _add_lanes(sums, lanes, grad_algebra[d])
        if grad_increments.size:
            _unpack(back_steps, members, runs, lanes, grad_increments)


@njit(cache=True, nogil=True)
def running_products(increments, rows, algebra, shape, star, largest_norms, out):
    """Write X_t of series i, development d to out[i, t, d], for the series i in `rows`."""
    weights, norms = algebra
    lanes, (n_steps, n_channels) = shape[2], increments.shape[1:]
    size = shape[1] * shape[1]
    work = vectors((4 + N_SCRATCH) * size * lanes, increments)
    m, e, scratch = 0, size, 4 * size
    runs = _whole_series(increments)
    steps, bounds = _room_for_steps(increments, rows, runs, lanes)
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        _pack(increments, members, runs, lanes, steps)
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
                if star[0].shape[0] and t % POLISH_EVERY == POLISH_EVERY - 1:
                    _polish_lanes(work, x, y, scratch, shape, star)
                    x, y = y, x
                for lane in range(members.shape[0]):
                    _store(work, x, lane, lanes, out[members[lane], t, d])


@njit(cache=True, nogil=True)
def running_gradients(
    increments, rows, algebra, shape, star, tolerance, largest_norms, path, grad, adjoint, back, grad_algebra,
    grad_increments,
):  # fmt: skip
    """As `segment_gradients`, from the gradient grad[i, t, d] of every X_t = path[i, t, d].

    adjoint = (places, signs) writes the conjugate transpose of a matrix. What X_t does later on is carried back as a
    product, V_{t-1} = grad_{t-1}* + exp(M_t) V_t, and W_t = V_t X_t taken anew at each step: no error grows.
    """
    weights, norms = algebra
    lanes, (n_steps, n_channels) = shape[2], increments.shape[1:]
    size, n_entries = shape[1] * shape[1], shape[0] * shape[1]
    work = vectors((7 + N_SCRATCH) * size * lanes, increments)
    m, w, change, x, e, scratch = 0, size, 2 * size, 3 * size, 4 * size, 7 * size
    runs = _whole_series(increments)
    steps, bounds = _room_for_steps(increments, rows, runs, lanes)
    sums = vectors(n_channels * n_entries * lanes, increments)
    back_steps = vectors(steps.shape[0] if grad_increments.size else 0, increments)
    some = vectors(n_channels * lanes, increments)
    work[:] = 0
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        _pack(increments, members, runs, lanes, steps)
        back_steps[:] = 0
        for d in range(weights.shape[0]):
            norm_bounds(steps, norms[d], n_steps, bounds)
            v, new = 5 * size, 6 * size
            work[v * lanes :][: n_entries * lanes] = 0
            sums[:] = 0
            for t in range(n_steps - 1, -1, -1):
                for lane in range(members.shape[0]):
                    _add_adjoint(grad[members[lane], t, d], adjoint, lane, lanes, work, v)
                    _load(path[members[lane], t, d], lane, lanes, work, x)
                multiply(work, v, x, w, shape)
                if star[0].shape[0]:
                    copy(work, w, e, shape)
                    add_star(work, e, w, shape, star, 0.5, -0.5)
                weighted_sums(weights[d], steps, t * n_channels, work, m)
                integrated_conjugation(work, m, w, change, scratch, shape, bounds[t], star, tolerance)
                add_outer(steps, t * n_channels, n_channels, work, change, n_entries, sums, lanes)
                if grad_increments.size:
                    weighted_sums(back[d], work, change, some, 0)
                    _add(back_steps, t * n_channels * lanes, some)
                weighted_sums(weights[d], steps, t * n_channels, work, m)
                exponential(work, m, e, scratch, shape, bounds[t], largest_norms)
                multiply(work, e, v, new, shape)
                v, new = new, v
            _add_lanes(sums, lanes, grad_algebra[d])
        if grad_increments.size:
            _unpack(back_steps, members, runs, lanes, grad_increments)


@njit(cache=True, nogil=True)
def pooled_products(increments, rows, runs, algebra, shape, star, largest_norms, pooling, out):
    """Write poolings of the entries of X_t over run i to out[i, d, entry, pooling], for the runs i in `rows`.

    pooling = (`ChosenPoolings`, thresholds of each development and entry). A run without steps stays at the identity.
    """
    (weights, norms), (poolings, thresholds) = algebra, pooling
    lanes, n_channels, n_block = shape[2], increments.shape[2], block_steps(shape[2])
    size, n_entries, row = shape[1] * shape[1], shape[0] * shape[1], (n_block + 1) * lanes
    work = vectors((4 + N_SCRATCH) * size * lanes, increments)
    m, e, scratch = 0, size, 4 * size
    steps, bounds = _room_for_steps(increments, rows, runs, lanes)
    running, real = vectors(n_entries * row, increments), np.empty(0)
    statistics = vectors(n_entries * N_STATISTICS * lanes, real)
    lower, upper, flat_thresholds = vectors(lanes, real), vectors(lanes, real), thresholds.ravel()
    code, n_thresholds = passes(poolings.wanted, 1)
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        n_steps = max(_pack(increments, members, runs, lanes, steps), 1)
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
                if star[0].shape[0]:
                    _polish_lanes(work, x, y, scratch, shape, star)
                    x, y = y, x
                masked = 0
                for lane in range(members.shape[0]):
                    length = max(runs[2][members[lane]] - runs[1][members[lane]], 1)
                    lower[lane], upper[lane] = -begin, length - begin
                    if length < begin + n:
                        masked = 1
                    if begin < length <= begin + n:
                        for k in range(n_entries):
                            end = running[k * row + (length - begin) * lanes + lane]
                            statistics[(k * N_STATISTICS + END) * lanes + lane] = end
                for k in range(n_entries):
                    gather_statistics(
                        running, k, 1, 0, n, masked, lower, 0, upper, 0, flat_thresholds, d * n_entries + k,
                        n_thresholds, float(begin), code, statistics, k * N_STATISTICS,
                    )  # fmt: skip
            for lane in range(members.shape[0]):
                length = max(runs[2][members[lane]] - runs[1][members[lane]], 1)
                for k in range(n_entries):
                    values = statistics[k * N_STATISTICS * lanes + lane :: lanes]
                    for p in range(poolings.codes.shape[0]):
                        value = feature(poolings.codes[p], values, 0, 0, length, length)
                        out[members[lane], d, k, p] = value if np.isfinite(values[END]) else np.nan


# ------------------------------------------------------------------------------- between segments, in float64


@njit(cache=True, nogil=True)
def chain(products, first, stop, rows, columns, star, out):
    """Write the product of products[first[i] : stop[i], d] to out[i, d]; star is empty unless the group is compact."""
    new = np.empty(rows * columns)
    for i in range(first.shape[0]):
        for d in range(products.shape[1]):
            own = out[i, d]
            _set_one(own, rows, columns)
            for s in range(first[i], stop[i]):
                _times(own, products[s, d], new, rows, columns)
                own[:] = new
                if star[0].shape[0] and ((s - first[i]) % POLISH_EVERY == POLISH_EVERY - 1 or s == stop[i] - 1):
                    _polish(own, rows, columns, star)


@njit(cache=True, nogil=True)
def _polish(matrix, rows, columns, star):
    """Take rounding errors out of a matrix of a compact group: one Newton-Schulz step X (3 I - X* X) / 2."""
    places, signs = star
    starred, square = np.empty(rows * columns), np.empty(rows * columns)
    for k in range(rows * columns):
        starred[k] = -0.5 * signs[k] * matrix[places[k]]
    _times(starred, matrix, square, rows, columns)
    for k in range(rows):
        square[k * columns + k] += 1.5
    starred[:] = matrix
    _times(starred, square, matrix, rows, columns)


@njit(cache=True, nogil=True)
def end_momenta(products, first, stop, rows, columns, star, adjoint_grad, out):
    """Write W at the end of each segment to out[s, d], given grad* of the product of the segments of each series.

    With the segments P_1, ..., P_K, W behind segment s is P_{s+1} ... P_K grad* P_1 ... P_s.
    """
    places, signs = star
    new, before = np.empty(rows * columns), np.empty(rows * columns)
    for i in range(first.shape[0]):
        for d in range(products.shape[1]):
            new[:] = adjoint_grad[i, d]
            for s in range(stop[i] - 1, first[i] - 1, -1):
                out[s, d] = new
                _times(products[s, d], out[s, d], new, rows, columns)
            _set_one(before, rows, columns)
            for s in range(first[i], stop[i]):
                _times(before, products[s, d], new, rows, columns)
                before[:] = new
                _times(out[s, d], before, new, rows, columns)
                out[s, d] = new
                for k in range(places.shape[0]):
                    out[s, d, k] = 0.5 * (new[k] - signs[k] * new[places[k]])


@njit(cache=True, nogil=True)
def _set_one(matrix, rows, columns):
    """The identity."""
    matrix[:] = 0.0
    for k in range(rows):
        matrix[k * columns + k] = 1.0


@njit(cache=True, nogil=True)
def _times(left, right, out, rows, columns):
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


@njit(cache=True, nogil=True)
def _polish_lanes(work, x, out, scratch, shape, star):
    """As `_polish`, one matrix per lane, from place x to `out`."""
    starred, square = scratch, scratch + shape[1] * shape[1]
    add_star(work, x, starred, shape, star, 0.0, -0.5)
    multiply(work, starred, x, square, shape)
    add_identity(work, square, shape, 1.5)
    multiply(work, x, square, out, shape)


@njit(cache=True, nogil=True)
def _whole_series(increments):
    series = np.arange(increments.shape[0])
    return series, np.zeros_like(series), np.full_like(series, increments.shape[1])


@njit(cache=True, nogil=True)
def _room_for_steps(increments, rows, runs, lanes):
    n_steps = 0
    for i in rows:
        n_steps = max(n_steps, runs[2][i] - runs[1][i])
    return vectors(n_steps * increments.shape[2] * lanes, increments), np.empty(n_steps)


@njit(cache=True, nogil=True)
def _pack(increments, members, runs, lanes, steps):
    """Write increments to steps[t, c, lane], zero behind the end of a shorter run; the most steps of a run."""
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


@njit(cache=True, nogil=True)
def _unpack(steps, members, runs, lanes, out):
    series, starts, stops = runs
    for lane in range(members.shape[0]):
        place = lane
        for t in range(starts[members[lane]], stops[members[lane]]):
            for c in range(out.shape[2]):
                out[series[members[lane]], t, c] = steps[place]
                place += lanes


@njit(cache=True, nogil=True)
def _load(entries, lane, lanes, work, place):
    item = place * lanes + lane
    for k in range(entries.shape[0]):
        work[item] = entries[k]
        item += lanes


@njit(cache=True, nogil=True)
def _add_adjoint(entries, adjoint, lane, lanes, work, place):
    places, signs = adjoint
    item = place * lanes + lane
    for k in range(entries.shape[0]):
        work[item] += signs[k] * entries[places[k]]
        item += lanes


@njit(cache=True, nogil=True)
def _store(work, place, lane, lanes, entries):
    item = place * lanes + lane
    for k in range(entries.shape[0]):
        entries[k] = work[item]
        item += lanes


@njit(cache=True, nogil=True)
def _add(sums, first, values):
    for k in range(values.shape[0]):
        sums[first + k] += values[k]


@njit(cache=True, nogil=True)
def _add_lanes(sums, lanes, out):
    """out[c, k] += sum of sums[c, k, lane] over the lanes."""
    item = 0
    for c in range(out.shape[0]):
        for k in range(out.shape[1]):
            for lane in range(lanes):
                out[c, k] += sums[item + lane]
            item += lanes
