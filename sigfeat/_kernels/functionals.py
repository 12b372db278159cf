"""Low-rank iterated sums in one pass over each group of series: letters, sums and statistics, block by block.

A chain of k letters has the parts (level, first letter): each letter alone, each two neighbours, ..., the whole chain.
Arguments travel in tuples:

* data = (series, lengths, shift, scale): series (n_samples, n_channels, n_timepoints) are used as (x - shift[c]) *
  scale[0, c], their differences as (x(t) - x(t - 1)) * scale[1, c];
* chains = (first_term, channel, lag, tap, reach, differenced, kind, fade): the terms of letter i of chain c are
  first_term[c * k + i], ..., each tap * x[channel](t + lag), with |lag| <= reach[c * k + i];
* pooling = (thresholds (n_chains, n_parts, n_thresholds), `ChosenPoolings` of the columns, the number of the threshold
  of each, n_fine, windows): see `tree.pooled_words`.
"""

import numpy as np
from numba import njit

from sigfeat._kernels.emitter import block_steps
from sigfeat._kernels.letters import CHUNK, compete, convolve, follow
from sigfeat._kernels.packing import longest_of, vectors
from sigfeat._kernels.pooling import feature
from sigfeat._kernels.simd import MIN_PLUS, REAL
from sigfeat._kernels.statistics import END, N_ABOVE, gather_statistics, passes, reset_statistics

VALUES_PER_QUANTILE = 4096  # thresholds are quantiles of at most so many values
LARGEST_VALUE, LARGEST_SUM = 1e18, 1e19  # of the series and of sums before their last letter: products stay in float32


@njit(cache=True, nogil=True)
def pooled_functionals(data, rows, k, chains, pooling, lanes, out):
    """Write the pooled values of all parts to out[rows]: level by level, chain by chain, part by part.

    Whether no value is too large for float32; if one is, `out` may hold anything.
    """
    lengths, (thresholds, poolings, of_columns, n_fine, windows) = data[1], pooling
    n_chains, n_thresholds, n_windows = thresholds.shape[0], thresholds.shape[2], windows.shape[0]
    n_parts, n_statistics, n_block = k * (k + 1) // 2, N_ABOVE + n_thresholds, block_steps(lanes)
    differenced, kind, fade = chains[5], chains[6], chains[7]
    single, n_columns = np.empty(0, np.float32), poolings.codes.shape[0] * n_windows
    (code, n_counted), end_wanted = passes(poolings.wanted, n_thresholds), poolings.wanted[END]
    packed, places, padding = _packing_space(data, rows, chains, lanes)
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
        row_steps = _pack(data, members, longest, padding, lanes, packed)
        if _is_beyond(packed[: 2 * data[0].shape[1] * row_steps * lanes], LARGEST_VALUE):
            return False
        _place_terms(chains, row_steps, padding, places)
        uniform = True
        for own in range(2):
            uniform &= _find_bounds(members, lengths, own, k, n_fine, windows, all_bounds[own], all_spans[own])
        for chain in range(n_chains):
            own = 1 if differenced[chain] else 0
            bounds, spans = all_bounds[own], all_spans[own]
            reset_statistics(statistics, lanes, n_statistics)
            zero = 0.0 if kind[chain] == REAL else np.inf if kind[chain] == MIN_PLUS else -np.inf
            state[:], ends[:] = zero, zero
            for begin in range(0, longest - own, n_block):
                n = min(n_block, longest - own - begin)
                _advance(packed, places, chains, k, chain, begin, n, kind[chain], fade[chain], lanes, state, values)
                for part in range(n_parts):
                    for v in range(n_windows):
                        first, stop = max(spans[part, v, 0] - begin, 0), min(spans[part, v, 1] - begin, n)
                        if stop <= first:
                            continue
                        if not uniform:
                            for lane in range(lanes):
                                limits[lane] = bounds[part, v, lane, 0] - begin
                                limits[lanes + lane] = bounds[part, v, lane, 1] - begin
                        gather_statistics(
                            values, part, 0, first, stop - first, 0 if uniform else 1, limits, 0, limits, 1,
                            flat_thresholds, (chain * n_parts + part) * n_thresholds, n_counted, float(begin), code,
                            statistics, (part * n_windows + v) * n_statistics,
                        )  # fmt: skip
                        if end_wanted:
                            own_bounds, row = bounds[part, v], values[part * (n_block + 1) * lanes :]
                            _keep_ends(row, own_bounds, begin, n, kind[chain], fade[chain], lanes, ends[part, v])
            if kind[chain] == REAL and _is_beyond(state, LARGEST_SUM):
                return False
            part = first_column = 0
            for level in range(1, k + 1):
                for i in range(k - level + 1):
                    column = first_column + (chain * (k - level + 1) + i) * n_columns
                    for lane in range(members.shape[0]):
                        row = members[lane]
                        for v in range(n_windows):
                            kept = statistics[(part * n_windows + v) * n_statistics * lanes + lane :: lanes]
                            kept[END] = ends[part, v, lane]
                            first, stop, start = bounds[part, v, lane]
                            for c in range(of_columns.shape[0]):
                                value = feature(poolings.codes[c], kept, of_columns[c], start, stop, stop - first)
                                out[row, column + c * n_windows + v] = value
                    part += 1
                first_column += n_chains * (k - level + 1) * n_columns
    return True


@njit(cache=True, nogil=True)
def functional_values(data, rows, k, chains, lanes, out):
    """Write the values of each part of each chain at each own time to out[i, chain, part, t], for series rows[i]."""
    lengths, n_block, n_parts = data[1], block_steps(lanes), k * (k + 1) // 2
    packed, places, padding = _packing_space(data, rows, chains, lanes)
    values = vectors(n_parts * (n_block + 1) * lanes, np.empty(0, np.float32))
    state = vectors(n_parts * lanes, np.empty(0))
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        longest = longest_of(members, lengths)
        row_steps = _pack(data, members, longest, padding, lanes, packed)
        _place_terms(chains, row_steps, padding, places)
        for chain in range(out.shape[1]):
            kind, fade, own = chains[6][chain], chains[7][chain], 1 if chains[5][chain] else 0
            state[:] = 0.0 if kind == REAL else np.inf if kind == MIN_PLUS else -np.inf
            for begin in range(0, longest - own, n_block):
                n = min(n_block, longest - own - begin)
                _advance(packed, places, chains, k, chain, begin, n, kind, fade, lanes, state, values)
                for lane in range(members.shape[0]):
                    stop = min(n, lengths[members[lane]] - own - begin)
                    for part in range(n_parts):
                        for t in range(stop):
                            value = values[(part * (n_block + 1) + t) * lanes + lane]
                            out[group + lane, chain, part, begin + t] = value


@njit(cache=True, nogil=True)
def learn_thresholds(data, rows, k, chains, shares, lanes, thresholds):
    """Set thresholds[chain, part, q] to the quantile shares[chain, part, q] of the values of series rows[chain]."""
    lengths, n_block, n_parts = data[1], block_steps(lanes), k * (k + 1) // 2
    differenced, kinds, fades = chains[5], chains[6], chains[7]
    different = np.unique(rows)
    packed, places, padding = _packing_space(data, rows, chains, lanes)
    values = vectors(n_parts * (n_block + 1) * lanes, np.empty(0, np.float32))
    state = vectors(n_parts * lanes, np.empty(0))
    kept = np.empty((n_parts, longest_of(rows, lengths)), np.float32)
    for group in range(0, different.shape[0], lanes):
        members = different[group : group + lanes]
        longest = longest_of(members, lengths)
        row_steps = _pack(data, members, longest, padding, lanes, packed)
        _place_terms(chains, row_steps, padding, places)
        for chain in range(thresholds.shape[0]):
            lane = np.searchsorted(members, rows[chain])
            if lane == members.shape[0] or members[lane] != rows[chain]:
                continue
            own = 1 if differenced[chain] else 0
            n_steps, kind, fade = lengths[rows[chain]] - own, kinds[chain], fades[chain]
            state[:] = 0.0 if kind == REAL else np.inf if kind == MIN_PLUS else -np.inf
            for begin in range(0, n_steps, n_block):
                n = min(n_block, n_steps - begin)
                _advance(packed, places, chains, k, chain, begin, n, kind, fade, lanes, state, values)
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
                        thresholds[chain, part, q] = _quantile(ordered, shares[chain, part, q])
                    part += 1


@njit(cache=True, nogil=True)
def _quantile(ordered, share):
    if ordered.shape[0] == 0:
        return 0.0
    place = share * (ordered.shape[0] - 1)
    below = int(place)
    above = min(below + 1, ordered.shape[0] - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@njit(cache=True, nogil=True)
def _packing_space(data, rows, chains, lanes):
    """Room for a packed group, for the places of the terms in it, and the steps of padding on each side."""
    longest, n_channels = longest_of(rows, data[1]), data[0].shape[1]
    padding = chains[4].max() if chains[4].shape[0] else 0
    row_steps = longest + 2 * padding + block_steps(lanes)
    packed = vectors(2 * n_channels * row_steps * lanes, np.empty(0, np.float32))
    return packed, np.empty(chains[1].shape[0], np.int64), padding


@njit(cache=True, nogil=True)
def _pack(data, members, longest, padding, lanes, packed):
    """Write a group of series, then their differences, to packed[row, padding + t, lane]; the steps of a row.

    Around and behind a series there is zero, the mean.
    """
    series, lengths, shift, scale = data
    n_channels, row_steps = series.shape[1], longest + 2 * padding + block_steps(lanes)
    packed[: 2 * n_channels * row_steps * lanes] = 0.0
    for c in range(n_channels):
        for lane in range(members.shape[0]):
            x, n = series[members[lane], c], lengths[members[lane]]
            place = (c * row_steps + padding) * lanes + lane
            for t in range(n):
                packed[place + t * lanes] = (x[t] - shift[c]) * scale[0, c]
            place = ((n_channels + c) * row_steps + padding) * lanes + lane
            for t in range(n - 1):
                packed[place + t * lanes] = (x[t + 1] - x[t]) * scale[1, c]
    return row_steps


@njit(cache=True, nogil=True)
def _is_beyond(values, largest):
    """Whether any value is not a number of at most this size."""
    beyond = 0
    for value in values:
        beyond |= not abs(value) <= largest
    return beyond != 0


@njit(cache=True, nogil=True)
def _place_terms(chains, row_steps, padding, places):
    """Set the place of the first value of each term: channels beyond the series' own are those of their differences."""
    for i in range(places.shape[0]):
        places[i] = chains[1][i] * row_steps + padding + chains[2][i]


@njit(cache=True, nogil=True)
def _advance(packed, places, chains, k, chain, begin, n, kind, fade, lanes, state, values):
    """Write the values of all parts of a chain over one block."""
    first_term, tap = chains[0], chains[3]
    for i in range(k):
        first, stop = first_term[chain * k + i], first_term[chain * k + i + 1]
        convolve(packed, places, tap, first, stop - first, begin, (n + CHUNK - 1) // CHUNK, i, values)
    block_fade = fade**n if kind == REAL else fade * n
    part = k
    for level in range(2, k + 1):
        for i in range(k - level + 1):
            previous = part - (k - level + 2)
            follow(kind, fade, block_fade, previous, i + level - 1, n, state, part, part, values)
            part += 1


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _keep_ends(row, bounds, begin, n, kind, fade, lanes, ends):
    """Carry on the iterated sum over a window, whose value at the end is asked for."""
    for lane in range(lanes):
        total = ends[lane]
        for t in range(max(bounds[lane, 0] - begin, 0), min(bounds[lane, 1] - begin, n)):
            value = row[t * lanes + lane]
            if kind == REAL:
                total = total * fade + value
            elif kind == MIN_PLUS:
                total = min(total + fade, value)
            else:
                total = max(total + fade, value)
        ends[lane] = total


@njit(cache=True, nogil=True)
def competing_letters(data, rows, k, chains, n_fine, windows, lanes, out):
    """Write to out[rows], chain by chain, how strongly and how often each letter is the largest or the smallest.

    Of the k letters of a chain one is the largest at each time and one the smallest: first the sums of the largest
    values, then the numbers of the smallest, of each letter in each window, as shares of the window.
    """
    lengths, n_block, n_windows = data[1], block_steps(lanes), windows.shape[0]
    n_chains = chains[6].shape[0]
    packed, places, padding = _packing_space(data, rows, chains, lanes)
    values = vectors(k * (n_block + 1) * lanes, np.empty(0, np.float32))
    statistics = vectors(n_windows * 2 * k * lanes, np.empty(0))
    bounds, limits = np.zeros((n_windows, lanes, 2), np.int64), vectors(2 * lanes, np.empty(0, np.float32))
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        longest = longest_of(members, lengths)
        row_steps = _pack(data, members, longest, padding, lanes, packed)
        if _is_beyond(packed[: 2 * data[0].shape[1] * row_steps * lanes], LARGEST_VALUE):
            return False
        _place_terms(chains, row_steps, padding, places)
        for chain in range(n_chains):
            own = 1 if chains[5][chain] else 0
            for lane in range(lanes):
                n = lengths[members[min(lane, members.shape[0] - 1)]] - own
                for v in range(n_windows):
                    bounds[v, lane, 0], bounds[v, lane, 1] = windows[v, 0] * n // n_fine, windows[v, 1] * n // n_fine
            statistics[:] = 0.0
            for v in range(n_windows):
                low, high = bounds[v, :, 0].min(), bounds[v, :, 1].max()
                for begin in range(low // n_block * n_block, high, n_block):  # whoever else is in the group
                    n = min(n_block, high - begin)
                    for i in range(k):
                        first, stop = chains[0][chain * k + i], chains[0][chain * k + i + 1]
                        n_chunks = (n + CHUNK - 1) // CHUNK
                        convolve(packed, places, chains[3], first, stop - first, begin, n_chunks, i, values)
                    masked = 0
                    for lane in range(lanes):
                        limits[lane], limits[lanes + lane] = bounds[v, lane, 0] - begin, bounds[v, lane, 1] - begin
                        if bounds[v, lane, 0] > begin or bounds[v, lane, 1] < begin + n:
                            masked = 1
                    compete(values, k, n, masked, limits, statistics, v * 2 * k)
            for lane in range(members.shape[0]):
                row = out[members[lane], chain * 2 * k * n_windows : (chain + 1) * 2 * k * n_windows]
                for v in range(n_windows):
                    n = max(bounds[v, lane, 1] - bounds[v, lane, 0], 1)
                    for j in range(2 * k):
                        row[j * n_windows + v] = statistics[(v * 2 * k + j) * lanes + lane] / n
    return True
