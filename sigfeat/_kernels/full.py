"""All words of single channels up to a depth, real semiring, end value: "meet in the middle" as one matrix product per series.

With m = depth // 2 every word of length k > m is u v with |u| = m, and its end value is sum_t U_u(t) V_v(t): U is the running sum of u before t, V the
sum of v over all choices whose first letter sits at t. Time is walked in blocks: scan U forward, scan V backward from a checkpoint, add the product
of the block to the totals. Decay depends on the age of the first letter only, so it is a weight on that letter.
"""

import numpy as np
from numba import njit

from sigfeat._kernels.packing import pack_block
from sigfeat._kernels.simd import CHAINS, REAL, TILE, add_outer_tile, block_steps, scan, scan_back

PANEL_BYTES = 1 << 22  # totals of one pass over time; more words than fit are taken in several passes, so memory stays bounded


@njit(cache=True, nogil=True)
def full_words(series, rows, lengths, depth, strict, fade, shift, scale, lanes, panel_bytes, out):
    """Fill out[rows] with the end values of the words of lengths 1..depth in lexicographic order.

    series (n_samples, n_channels, n_timepoints), read up to each one's own length as (x - shift) * scale; `fade` is the decay factor of one step.
    """
    n_channels, m, n_block = series.shape[1], depth // 2, block_steps(lanes)
    q = depth - m
    sizes, starts = np.ones(q + 2, np.int64), np.zeros(q + 2, np.int64)  # level k is rows starts[k] : starts[k] + sizes[k]
    for k in range(1, q + 2):
        sizes[k] = sizes[k - 1] * n_channels
        starts[k] = 0 if k == 1 else starts[k - 1] + sizes[k - 1]
    n_left, n_right, n_kept = sizes[m], starts[q + 1], starts[q]
    # A forward child p a has its newest letter fastest, a backward child a v its first letter slowest: both are lexicographic.
    before, newest = np.zeros(n_right, np.int64), np.zeros(n_right, np.int64)
    after, first_letter = np.zeros(n_right, np.int64), np.zeros(n_right, np.int64)
    for k in range(1, q + 1):
        for i in range(sizes[k]):
            newest[starts[k] + i], first_letter[starts[k] + i] = i % n_channels, i // sizes[k - 1]
            if k > 1:
                before[starts[k] + i] = starts[k - 1] + i // n_channels
                after[starts[k] + i] = starts[k - 1] + i % sizes[k - 1]
    row = (n_block + 1) * lanes
    longest = 0
    for r in rows:
        longest = max(longest, lengths[r])
    max_blocks = -(-longest // n_block)
    panel = min(n_left, max(4 * TILE, panel_bytes // (n_right * lanes * 8)))
    packed = np.empty((max_blocks, n_channels * row), series.dtype)
    weights, ones = np.ones((max_blocks, row), series.dtype), np.ones(row, series.dtype)
    prefix_state, suffix_state = np.zeros(max(starts[m + 1], 1) * lanes), np.zeros(max(n_kept, 1) * lanes)
    checkpoints = np.zeros((max_blocks, suffix_state.shape[0]))
    prefixes, suffixes = np.empty(max(starts[m + 1], 1) * row, series.dtype), np.empty(max(n_kept, 1) * row, series.dtype)
    right = np.empty(n_right * row, series.dtype)
    totals = np.empty(panel * n_right * lanes)
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        n_steps = 0
        for r in members:
            n_steps = max(n_steps, lengths[r])
        n_blocks = -(-n_steps // n_block)
        suffix_state[:] = 0.0
        for block in range(n_blocks - 1, -1, -1):
            n = min(n_block, n_steps - block * n_block)
            pack_block(series, members, lengths, n_steps, block, 0.0, shift, scale, packed[block], lanes)
            if fade != 1.0:
                for t in range(n):
                    weights[block, t * lanes : (t + 1) * lanes] = fade ** (n_steps - 1 - block * n_block - t)
            checkpoints[block] = suffix_state
            _suffixes(packed[block], after, first_letter, sizes, starts, q - 1, q - 1, strict, n, ones, suffix_state, suffixes, right)
        for first in range(0, n_left, panel):
            n_rows = min(panel, n_left - first)
            totals[:] = 0.0
            prefix_state[:] = 0.0
            for block in range(n_blocks):
                n = min(n_block, n_steps - block * n_block)
                _prefixes(packed[block], before, newest, sizes, starts, m, strict, n, weights[block], prefix_state, prefixes)
                suffix_state[:] = checkpoints[block]
                _suffixes(packed[block], after, first_letter, sizes, starts, q - 1, q, strict, n, ones, suffix_state, suffixes, right)
                if m == 0:
                    _add_product(weights[block], 0, 0, n_rows, right, n_right, totals, n)
                else:
                    _add_product(prefixes, starts[m] + first, 0 if strict else 1, n_rows, right, n_right, totals, n)
            for j in range(1, q + 1):
                place = starts[m + 1] + starts[j] * n_left + first * sizes[j]
                for u in range(n_rows):
                    source = (u * n_right + starts[j]) * lanes
                    for v in range(sizes[j]):
                        for lane in range(members.shape[0]):
                            out[members[lane], place + v] = totals[source + v * lanes + lane]
                    place += sizes[j]
        for i in range(starts[m + 1]):
            for lane in range(members.shape[0]):
                out[members[lane], i] = prefix_state[i * lanes + lane]


@njit(cache=True, nogil=True)
def _prefixes(letters, before, newest, sizes, starts, n_levels, strict, n, weights, state, running):
    for k in range(1, n_levels + 1):
        parents = weights if k == 1 else running
        slot = 1 if k > 1 and not strict else 0
        for i in range(starts[k], starts[k] + sizes[k], CHAINS):
            count = min(CHAINS, starts[k] + sizes[k] - i)
            scan(REAL, i, count, parents, before, slot, letters, newest, n, 1.0, 1.0, 1.0, state, running)


@njit(cache=True, nogil=True)
def _suffixes(letters, after, first_letter, sizes, starts, n_kept, n_levels, strict, n, ones, state, running, product):
    for k in range(1, n_levels + 1):
        parents = ones if k == 1 else running
        slot = 1 if k > 1 and strict else 0
        for i in range(starts[k], starts[k] + sizes[k], CHAINS):
            count = min(CHAINS, starts[k] + sizes[k] - i)
            scan_back(1 if k <= n_kept else 0, i, count, parents, after, slot, letters, first_letter, n, state, running, product)


@njit(cache=True, nogil=True)
def _add_product(left, first, slot, n_rows, right, n_columns, totals, n_steps):
    """totals += left @ right.T per lane, in tiles of nearly equal shape."""
    row_tiles, column_tiles = -(-n_rows // TILE), -(-n_columns // TILE)
    for j in range(column_tiles):
        c = j * n_columns // column_tiles
        columns = (j + 1) * n_columns // column_tiles - c
        for i in range(row_tiles):
            r = i * n_rows // row_tiles
            rows = (i + 1) * n_rows // row_tiles - r
            add_outer_tile(left, first + r, slot, right, c, totals, r * n_columns + c, n_columns, rows, columns, n_steps)
