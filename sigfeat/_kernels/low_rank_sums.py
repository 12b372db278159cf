"""Low-rank iterated sums in one pass over each group of series: letters, sums and statistics, block by block.

A chain of k letters has the parts (level, first letter): each letter alone, each two neighbours, ..., the whole chain.
Series are used as (x - shift[c]) * scale[0, c], their differences as (x(t) - x(t - 1)) * scale[1, c].
"""

from typing import NamedTuple

import numpy as np

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.low_rank_letters import CHUNK, BlockDecay, Link, Terms, convolve, follow
from sigfeat._kernels.pooling import ChosenPoolings, write_features
from sigfeat._kernels.simd.emitter import block_steps
from sigfeat._kernels.simd.rows import Span, longest_of, vectors
from sigfeat._kernels.simd.semirings import REAL, plus, power, times
from sigfeat._kernels.simd.statistics import (
    END,
    N_ABOVE,
    Kept,
    Levels,
    Limits,
    Row,
    Steps,
    gather_statistics,
    passes,
    reset_statistics,
)

VALUES_PER_QUANTILE = 4096  # thresholds are quantiles of at most so many values
LARGEST_VALUE, LARGEST_SUM = 1e18, 1e19  # of the series and of sums before their last letter: products stay in float32


class Chains(NamedTuple):
    """Letters and sums of all chains.

    The terms of letter i of chain c are first_term[c * k + i], ..., each tap * x[channel](t + lag), with |lag| <=
    reach[c * k + i]. Channels from n_channels on are differences.
    """

    first_term: np.ndarray
    channel: np.ndarray
    lag: np.ndarray
    tap: np.ndarray
    reach: np.ndarray
    differenced: np.ndarray
    kind: np.ndarray
    zero: np.ndarray
    decay_factor: np.ndarray


class ChainPooling(NamedTuple):
    """Thresholds (n_chains, n_parts, n_thresholds), pooling and number of the threshold of each column, windows.

    A series is cut into n_fine parts, and windows[v] = (first, stop) is a run of them.
    """

    thresholds: np.ndarray
    poolings: ChosenPoolings
    of_columns: np.ndarray
    n_fine: int
    windows: np.ndarray


class Packed(NamedTuple):
    """Room for a group of series with `padding` steps on each side, and for the places of the terms in it."""

    values: np.ndarray
    places: np.ndarray
    padding: int


@compiled
def pooled_functionals(data, rows, k, chains, pooling, lanes, out):
    """Write the pooled values of all parts to out[rows]: level by level, chain by chain, part by part.

    Whether no value is too large for float32; if one is, `out` may hold anything.
    """
    lengths, (thresholds, poolings, of_columns, n_fine, windows) = data.lengths, pooling
    n_chains, n_thresholds, n_windows = thresholds.shape[0], thresholds.shape[2], windows.shape[0]
    n_parts, n_statistics, n_block = k * (k + 1) // 2, N_ABOVE + n_thresholds, block_steps(lanes)
    differenced, kind = chains.differenced, chains.kind
    single, n_columns = np.empty(0, np.float32), poolings.codes.shape[0] * n_windows
    (code, n_counted), end_wanted = passes(poolings.wanted, n_thresholds), poolings.wanted[END]
    packed = _packing_space(data, rows, chains, lanes)
    values = vectors(n_parts * (n_block + 1) * lanes, single)
    state = vectors(n_parts * lanes, np.empty(0))
    statistics = vectors(n_parts * n_windows * n_statistics * lanes, np.empty(0))
    ends = np.zeros((n_parts, n_windows, lanes))
    all_bounds, all_spans = (
        np.zeros((2, n_parts, n_windows, lanes, 3), np.int64),
        np.zeros((2, n_parts, n_windows, 2), np.int64),
    )
    limits, flat_thresholds = vectors(2 * lanes, np.empty(0)), thresholds.ravel()
    limits[:] = 0.0
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        longest = longest_of(members, lengths)
        row_steps = _pack(data, members, longest, packed, lanes)
        if _is_beyond(packed.values[: 2 * data.series.shape[1] * row_steps * lanes], LARGEST_VALUE):
            return False
        _place_terms(chains, row_steps, packed)
        uniform = True
        for own in range(2):
            uniform &= _find_bounds(members, lengths, own, k, n_fine, windows, all_bounds[own], all_spans[own])
        for chain in range(n_chains):
            own = 1 if differenced[chain] else 0
            bounds, spans = all_bounds[own], all_spans[own]
            reset_statistics(statistics, lanes, n_statistics)
            state[:], ends[:] = chains.zero[chain], chains.zero[chain]
            for begin in range(0, longest - own, n_block):
                n = min(n_block, longest - own - begin)
                _advance(packed, chains, k, chain, begin, n, state, values)
                for part in range(n_parts):
                    for v in range(n_windows):
                        first, stop = max(spans[part, v, 0] - begin, 0), min(spans[part, v, 1] - begin, n)
                        if stop <= first:
                            continue
                        if not uniform:
                            for lane in range(lanes):
                                limits[lane] = bounds[part, v, lane, 0] - begin
                                limits[lanes + lane] = bounds[part, v, lane, 1] - begin
                        row = Row(values, part, 0)
                        steps = Steps(first, stop - first, float(begin))
                        masked = Limits(0 if uniform else 1, limits, 0, limits, 1)
                        levels = Levels(flat_thresholds, (chain * n_parts + part) * n_thresholds, n_counted)
                        kept = Kept(statistics, (part * n_windows + v) * n_statistics)
                        gather_statistics(row, steps, masked, levels, code, kept)
                        if end_wanted:
                            steps_of_part = values[part * (n_block + 1) * lanes :]
                            _keep_ends(steps_of_part, bounds[part, v], begin, n, chains, chain, ends[part, v])
            if kind[chain] == REAL and _is_beyond(state, LARGEST_SUM):
                return False
            part = first_column = 0
            for level in range(1, k + 1):
                for i in range(k - level + 1):
                    column = first_column + (chain * (k - level + 1) + i) * n_columns
                    for lane in range(members.shape[0]):
                        for v in range(n_windows):
                            found = statistics[(part * n_windows + v) * n_statistics * lanes + lane :: lanes]
                            found[END] = ends[part, v, lane]
                            first, stop, start = bounds[part, v, lane]
                            own_out = out[members[lane], column + v : column + n_columns : n_windows]
                            write_features(poolings.codes, found, of_columns, start, stop, stop - first, own_out)
                    part += 1
                first_column += n_chains * (k - level + 1) * n_columns
    return True


@compiled
def functional_values(data, rows, k, chains, lanes, out):
    """Write the values of each part of each chain at each own time to out[i, chain, part, t], for series rows[i]."""
    lengths, n_block, n_parts = data.lengths, block_steps(lanes), k * (k + 1) // 2
    packed = _packing_space(data, rows, chains, lanes)
    values = vectors(n_parts * (n_block + 1) * lanes, np.empty(0, np.float32))
    state = vectors(n_parts * lanes, np.empty(0))
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        longest = longest_of(members, lengths)
        row_steps = _pack(data, members, longest, packed, lanes)
        _place_terms(chains, row_steps, packed)
        for chain in range(out.shape[1]):
            own = 1 if chains.differenced[chain] else 0
            state[:] = chains.zero[chain]
            for begin in range(0, longest - own, n_block):
                n = min(n_block, longest - own - begin)
                _advance(packed, chains, k, chain, begin, n, state, values)
                for lane in range(members.shape[0]):
                    stop = min(n, lengths[members[lane]] - own - begin)
                    for part in range(n_parts):
                        for t in range(stop):
                            value = values[(part * (n_block + 1) + t) * lanes + lane]
                            out[group + lane, chain, part, begin + t] = value


@compiled
def learn_thresholds(data, rows, k, chains, fractions, lanes, thresholds):
    """Set thresholds[chain, part, q] to the quantile fractions[chain, part, q] of the values of series rows[chain]."""
    lengths, n_block, n_parts = data.lengths, block_steps(lanes), k * (k + 1) // 2
    different = np.unique(rows)
    packed = _packing_space(data, rows, chains, lanes)
    values = vectors(n_parts * (n_block + 1) * lanes, np.empty(0, np.float32))
    state = vectors(n_parts * lanes, np.empty(0))
    kept = np.empty((n_parts, longest_of(rows, lengths)), np.float32)
    for group in range(0, different.shape[0], lanes):
        members = different[group : group + lanes]
        longest = longest_of(members, lengths)
        row_steps = _pack(data, members, longest, packed, lanes)
        _place_terms(chains, row_steps, packed)
        for chain in range(thresholds.shape[0]):
            lane = np.searchsorted(members, rows[chain])
            if lane == members.shape[0] or members[lane] != rows[chain]:
                continue
            own = 1 if chains.differenced[chain] else 0
            n_steps = lengths[rows[chain]] - own
            state[:] = chains.zero[chain]
            for begin in range(0, n_steps, n_block):
                n = min(n_block, n_steps - begin)
                _advance(packed, chains, k, chain, begin, n, state, values)
                for part in range(n_parts):
                    for t in range(n):
                        kept[part, begin + t] = values[(part * (n_block + 1) + t) * lanes + lane]
            part = 0
            for level in range(1, k + 1):
                for _ in range(k - level + 1):
                    first = level - 1
                    stride = 1 + max(n_steps - first - 1, 0) // VALUES_PER_QUANTILE
                    ordered = np.sort(kept[part, first:n_steps:stride])
                    for q in range(thresholds.shape[2]):
                        thresholds[chain, part, q] = _quantile(ordered, fractions[chain, part, q])
                    part += 1


@compiled
def _quantile(ordered, fraction):
    if ordered.shape[0] == 0:
        return 0.0
    place = fraction * (ordered.shape[0] - 1)
    below = int(place)
    above = min(below + 1, ordered.shape[0] - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@compiled
def _packing_space(data, rows, chains, lanes):
    longest, n_channels = longest_of(rows, data.lengths), data.series.shape[1]
    padding = chains.reach.max() if chains.reach.shape[0] else 0
    row_steps = longest + 2 * padding + block_steps(lanes)
    values = vectors(2 * n_channels * row_steps * lanes, np.empty(0, np.float32))
    return Packed(values, np.empty(chains.channel.shape[0], np.int64), padding)


@compiled
def _pack(data, members, longest, packed, lanes):
    """Write a group of series, then their differences, to values[row, padding + t, lane]; the steps of a row.

    Before and after a series there is zero, the mean.
    """
    series, lengths, shift, scale = data
    values, _, padding = packed
    n_channels, row_steps = series.shape[1], longest + 2 * padding + block_steps(lanes)
    values[: 2 * n_channels * row_steps * lanes] = 0.0
    for c in range(n_channels):
        for lane in range(members.shape[0]):
            x, n = series[members[lane], c], lengths[members[lane]]
            place = (c * row_steps + padding) * lanes + lane
            for t in range(n):
                values[place + t * lanes] = (x[t] - shift[c]) * scale[0, c]
            place = ((n_channels + c) * row_steps + padding) * lanes + lane
            for t in range(n - 1):
                values[place + t * lanes] = (x[t + 1] - x[t]) * scale[1, c]
    return row_steps


@compiled
def _is_beyond(values, largest):
    """Whether any value is not a number of at most this size."""
    beyond = 0
    for value in values:
        beyond |= not abs(value) <= largest
    return beyond != 0


@compiled
def _place_terms(chains, row_steps, packed):
    """Set the place of the first value of each term: channels beyond the series' own are those of their differences."""
    for i in range(packed.places.shape[0]):
        packed.places[i] = chains.channel[i] * row_steps + packed.padding + chains.lag[i]


@compiled
def _advance(packed, chains, k, chain, begin, n, state, values):
    """Write the values of all parts of a chain over one block."""
    terms, kind, factor = Terms(packed.places, chains.tap), chains.kind[chain], chains.decay_factor[chain]
    for i in range(k):
        first, stop = chains.first_term[chain * k + i], chains.first_term[chain * k + i + 1]
        convolve(packed.values, terms, Span(first, stop - first), begin, (n + CHUNK - 1) // CHUNK, i, values)
    decay = BlockDecay(factor, power(kind, factor, n))
    part = k
    for level in range(2, k + 1):
        for i in range(k - level + 1):
            previous = part - (k - level + 2)
            follow(kind, decay, Link(previous, i + level - 1, part), n, state, values)
            part += 1


@compiled
def _find_bounds(members, lengths, own, k, n_fine, windows, bounds, spans):
    """Set the times over which each part is pooled, by window and lane, and over all lanes; whether all lanes agree.

    bounds: time of the first value, end of the window and start of the window.
    """
    uniform = True
    for lane in range(bounds.shape[2]):
        n = lengths[members[min(lane, members.shape[0] - 1)]] - own
        uniform &= n == lengths[members[0]] - own
        part = 0
        for level in range(1, k + 1):
            for _ in range(k - level + 1):
                for v in range(windows.shape[0]):
                    start = windows[v, 0] * n // n_fine
                    bounds[part, v, lane, 0] = max(start, level - 1)
                    bounds[part, v, lane, 1] = windows[v, 1] * n // n_fine
                    bounds[part, v, lane, 2] = start
                part += 1
    for part in range(bounds.shape[0]):
        for v in range(windows.shape[0]):
            spans[part, v, 0], spans[part, v, 1] = bounds[part, v, :, 0].min(), bounds[part, v, :, 1].max()
    return uniform


@compiled
def _keep_ends(row, bounds, begin, n, chains, chain, ends):
    """Carry on the iterated sum over a window, whose value at the end is asked for."""
    lanes, kind, factor = ends.shape[0], chains.kind[chain], chains.decay_factor[chain]
    for lane in range(lanes):
        total = ends[lane]
        for t in range(max(bounds[lane, 0] - begin, 0), min(bounds[lane, 1] - begin, n)):
            total = plus(kind, times(kind, total, factor), row[t * lanes + lane])
        ends[lane] = total
