"""Iterated sums of one series whose points come one after another: the loops of whole series, resumed.

Words: one step of all nodes of a prefix tree at a time, in float64. Functionals: block by block through the very loops
of a whole series, with what goes from block to block kept between the calls, so that the values are the same to the
last bit.
"""

from typing import NamedTuple

import numpy as np

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.low_rank_sums import LARGEST_SUM, Packed, _advance, _is_beyond, _keep_ends, _place_terms
from sigfeat._kernels.pooling import ChosenPoolings, feature
from sigfeat._kernels.simd.emitter import block_steps
from sigfeat._kernels.simd.rows import vectors
from sigfeat._kernels.simd.semirings import REAL, plus, times
from sigfeat._kernels.simd.statistics import (
    END,
    N_ABOVE,
    Kept,
    Levels,
    Limits,
    Row,
    Steps,
    fold_row,
    gather_statistics,
    passes,
    reset_statistics,
)


class StreamWords(NamedTuple):
    """The node of each word of a tree, its number of letters, and its threshold."""

    nodes: np.ndarray
    n_letters: np.ndarray
    thresholds: np.ndarray


class StreamPooling(NamedTuple):
    """Thresholds (n_chains, n_parts, n_thresholds), the pooling and the number of the threshold of each column."""

    thresholds: np.ndarray
    poolings: ChosenPoolings
    of_columns: np.ndarray


@compiled
def advance_words(points, time, recursion, words, wanted, state, statistics):
    """Fold points (n_points, n_channels), the first at `time`, into the nodes' values and the words' statistics.

    words: `StreamWords`; state (n_nodes,); statistics (N_STATISTICS, n_words).
    """
    tree, (kind, _, one), strict, own_factor = recursion
    parent, letter, first_of_length, shorter, channel = tree
    nodes, n_letters, thresholds = words
    n_channels, n_levels = points.shape[1], first_of_length.shape[0] - 1
    letters, values = np.empty(n_channels + shorter.shape[0]), np.empty(nodes.shape[0])
    longest = n_letters.max()
    for t in range(points.shape[0]):
        letters[:n_channels] = points[t]
        for i in range(shorter.shape[0]):
            letters[n_channels + i] = times(kind, letters[shorter[i]], letters[channel[i]])
        for step in range(n_levels):
            level = n_levels - 1 - step if strict else step  # strict sums look at what their parents were
            for node in range(first_of_length[level], first_of_length[level + 1]):
                before = one if level == 0 else state[parent[node]]
                before_factor = own_factor if level > 0 and strict else one
                value, term = state[node], letters[letter[node]]
                earlier = times(kind, times(kind, before, before_factor), term)
                state[node] = plus(kind, times(kind, value, own_factor), earlier)
        for w in range(nodes.shape[0]):
            values[w] = state[nodes[w]]
        statistics[END] = values
        if not strict or time + t >= longest - 1:
            fold_row(values, time + t, thresholds, wanted, statistics)
            continue
        for w in range(nodes.shape[0]):
            if time + t >= n_letters[w] - 1:
                fold_row(values[w : w + 1], time + t, thresholds[w : w + 1], wanted, statistics[:, w : w + 1])


@compiled
def advance_functionals(history, begin, stops, k, chains, pooling, lanes, sums, statistics, ends):
    """Fold times begin, ..., stops[own] - 1 of one series into what is kept; whether no sum is too large.

    own is 1 for chains of differences and 0 for others. history (2 n_channels, padding + n_steps + padding), float32,
    holds the scaled values and their differences from time begin - padding on; begin is at the beginning of a block.
    Kept are sums (n_chains, n_parts), statistics (n_chains, n_parts, n_statistics) and ends (n_chains, n_parts), see
    `pooled_functionals`, whose `pooling` this is without windows.
    """
    thresholds, poolings, _ = pooling
    n_chains, n_parts, n_thresholds = thresholds.shape
    n_statistics, n_block = N_ABOVE + n_thresholds, block_steps(lanes)
    differenced, kind = chains.differenced, chains.kind
    (code, n_counted), end_wanted = passes(poolings.wanted, n_thresholds), poolings.wanted[END]
    packed = _packed_history(history, chains, lanes)
    values = vectors(n_parts * (n_block + 1) * lanes, np.empty(0, np.float32))
    state, kept = vectors(n_parts * lanes, np.empty(0)), vectors(n_parts * n_statistics * lanes, np.empty(0))
    limits, flat_thresholds = vectors(2 * lanes, np.empty(0)), thresholds.ravel()
    limits[:] = 0.0
    bounds, end = np.zeros((lanes, 2), np.int64), np.zeros(lanes)
    small = True
    for chain in range(n_chains):
        stop = stops[1 if differenced[chain] else 0]
        state[:], kept[:] = 0.0, 0.0
        state[::lanes], kept[::lanes] = sums[chain], statistics[chain].ravel()
        for start in range(begin, stop, n_block):
            n = min(n_block, stop - start)
            _advance(packed, chains, k, chain, start - begin, n, state, values)
            part = 0
            for level in range(1, k + 1):
                for _ in range(k - level + 1):
                    first = max(level - 1 - start, 0)
                    if first < n:
                        row, steps = Row(values, part, 0), Steps(first, n - first, float(start))
                        all_times = Limits(0, limits, 0, limits, 1)
                        levels = Levels(flat_thresholds, (chain * n_parts + part) * n_thresholds, n_counted)
                        own = Kept(kept, part * n_statistics)
                        gather_statistics(row, steps, all_times, levels, code, own)
                        if end_wanted:
                            bounds[0, 0], bounds[0, 1], end[0] = start + first, start + n, ends[chain, part]
                            steps_of_part = values[part * (n_block + 1) * lanes :]
                            _keep_ends(steps_of_part, bounds, start, n, chains, chain, end)
                            ends[chain, part] = end[0]
                    part += 1
        sums[chain] = state[::lanes]
        statistics[chain] = kept[::lanes].copy().reshape(n_parts, n_statistics)
        if kind[chain] == REAL:
            small &= not _is_beyond(sums[chain], LARGEST_SUM)
    return small


@compiled
def functional_features(statistics, ends, k, pooling, differenced, n_timepoints, out):
    """Write the pooled values of all parts of all chains after so many points, as `pooled_functionals` does."""
    _, poolings, of_columns = pooling
    n_chains, n_columns = statistics.shape[0], of_columns.shape[0]
    for chain in range(n_chains):
        n_steps = n_timepoints - (1 if differenced[chain] else 0)
        part = first_column = 0
        for level in range(1, k + 1):
            for i in range(k - level + 1):
                column = first_column + (chain * (k - level + 1) + i) * n_columns
                kept, n = statistics[chain, part], n_steps - level + 1
                kept[END] = ends[chain, part]
                for c in range(n_columns):
                    out[column + c] = feature(poolings.codes[c], kept, of_columns[c], 0, n_steps, n)
                part += 1
            first_column += n_chains * (k - level + 1) * n_columns


@compiled
def _packed_history(history, chains, lanes):
    """The history in the first lane, and the places of the terms in it."""
    padding = chains.reach.max() if chains.reach.shape[0] else 0
    n_rows, n_steps = history.shape
    row_steps = n_steps + block_steps(lanes)
    values = vectors(n_rows * row_steps * lanes, np.empty(0, np.float32))
    values[:] = 0.0
    for row in range(n_rows):
        for t in range(n_steps):
            values[(row * row_steps + t) * lanes] = history[row, t]
    packed = Packed(values, np.empty(chains.channel.shape[0], np.int64), padding)
    _place_terms(chains, row_steps, packed)
    return packed


def nothing_kept(n_chains, n_parts, n_thresholds, zero):
    """Sums, statistics and ends of chains of which no value is known."""
    n_statistics = N_ABOVE + n_thresholds
    statistics = np.empty((n_chains, n_parts, n_statistics))
    reset_statistics(statistics.reshape(-1), 1, n_statistics)
    return np.repeat(zero[:, np.newaxis], n_parts, axis=1), statistics, np.repeat(zero[:, np.newaxis], n_parts, axis=1)
