"""Gradients of developments, carried back along each run.

Gradients are written as momenta: W with dL = Re tr(W U) where X changes to X exp(U). A step back turns W into
exp(M) W exp(-M), and its change by V of M_t is Re tr(D V), see `integrated_conjugation`.
"""

from typing import NamedTuple

import numpy as np

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.development.exponential import N_SCRATCH, exponential, integrated_conjugation
from sigfeat._kernels.development.matrices import add_outer, add_star, copy, multiply, norm_bounds, weighted_sums
from sigfeat._kernels.development.products import pack, room_for_steps, set_one, times, whole_series
from sigfeat._kernels.simd.rows import vectors


class Gradients(NamedTuple):
    """Sums over the steps of dx_c D to algebra[d, c], a matrix each, and the gradients of dx_c, if not empty."""

    algebra: np.ndarray
    increments: np.ndarray


@compiled
def segment_gradients(increments, rows, runs, algebra, shape, star, tolerance, momenta, back, gradients):
    """Add the gradients of the steps of the runs in `rows`.

    momenta[i, d] is W at the end of run i. back[d, c] are the weights that make Re tr(D A_c) of D, the gradient of
    dx_c.
    """
    (weights, norms), (grad_algebra, grad_increments) = algebra, gradients
    lanes, n_channels = shape.lanes, increments.shape[2]
    size, n_entries = shape.columns * shape.columns, shape.rows * shape.columns
    work = vectors((3 + N_SCRATCH) * size * lanes, increments)
    m, w, change, scratch = 0, size, 2 * size, 3 * size
    steps, bounds = room_for_steps(increments, rows, runs, lanes)
    sums = vectors(n_channels * n_entries * lanes, increments)
    back_steps = vectors(steps.shape[0] if grad_increments.size else 0, increments)
    some = vectors(n_channels * lanes, increments)
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        n_steps = pack(increments, members, runs, lanes, steps)
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


@compiled
def running_gradients(
    increments, rows, algebra, shape, star, tolerance, largest_norms, path, grad, adjoint, back, gradients
):
    """As `segment_gradients`, from the gradient grad[i, t, d] of every X_t = path[i, t, d].

    The star `adjoint` writes the conjugate transpose of a matrix. What X_t does later on is carried back as a
    product, V_{t-1} = grad_{t-1}* + exp(M_t) V_t, and W_t = V_t X_t taken anew at each step: no error grows.
    """
    (weights, norms), (grad_algebra, grad_increments) = algebra, gradients
    lanes, (n_steps, n_channels) = shape.lanes, increments.shape[1:]
    size, n_entries = shape.columns * shape.columns, shape.rows * shape.columns
    work = vectors((7 + N_SCRATCH) * size * lanes, increments)
    m, w, change, x, e, scratch = 0, size, 2 * size, 3 * size, 4 * size, 7 * size
    runs = whole_series(increments)
    steps, bounds = room_for_steps(increments, rows, runs, lanes)
    sums = vectors(n_channels * n_entries * lanes, increments)
    back_steps = vectors(steps.shape[0] if grad_increments.size else 0, increments)
    some = vectors(n_channels * lanes, increments)
    work[:] = 0
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        pack(increments, members, runs, lanes, steps)
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
                if star.places.shape[0]:
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


@compiled
def end_momenta(products, first, stop, rows, columns, star, adjoint_grad, out):
    """Write W at the end of each segment to out[s, d], given grad* of the product of the segments of each series.

    With the segments P_1, ..., P_K, W after segment s is P_{s+1} ... P_K grad* P_1 ... P_s.
    """
    places, signs = star
    new, before = np.empty(rows * columns), np.empty(rows * columns)
    for i in range(first.shape[0]):
        for d in range(products.shape[1]):
            new[:] = adjoint_grad[i, d]
            for s in range(stop[i] - 1, first[i] - 1, -1):
                out[s, d] = new
                times(products[s, d], out[s, d], new, rows, columns)
            set_one(before, rows, columns)
            for s in range(first[i], stop[i]):
                times(before, products[s, d], new, rows, columns)
                before[:] = new
                times(out[s, d], before, new, rows, columns)
                out[s, d] = new
                for k in range(places.shape[0]):
                    out[s, d, k] = 0.5 * (new[k] - signs[k] * new[places[k]])


# ---------------------------------------------------------------------------------------------- lanes


@compiled
def _unpack(steps, members, runs, lanes, out):
    series, starts, stops = runs
    for lane in range(members.shape[0]):
        place = lane
        for t in range(starts[members[lane]], stops[members[lane]]):
            for c in range(out.shape[2]):
                out[series[members[lane]], t, c] = steps[place]
                place += lanes


@compiled
def _load(entries, lane, lanes, work, place):
    item = place * lanes + lane
    for k in range(entries.shape[0]):
        work[item] = entries[k]
        item += lanes


@compiled
def _add_adjoint(entries, adjoint, lane, lanes, work, place):
    places, signs = adjoint
    item = place * lanes + lane
    for k in range(entries.shape[0]):
        work[item] += signs[k] * entries[places[k]]
        item += lanes


@compiled
def _add(sums, first, values):
    for k in range(values.shape[0]):
        sums[first + k] += values[k]


@compiled
def _add_lanes(sums, lanes, out):
    """out[c, k] += sum of sums[c, k, lane] over the lanes."""
    item = 0
    for c in range(out.shape[0]):
        for k in range(out.shape[1]):
            for lane in range(lanes):
                out[c, k] += sums[item + lane]
            item += lanes
