"""All words of single channels up to a depth, real semiring, end value: "meet in the middle".

With m = depth // 2 every word of length k > m is u v with |u| = m, and its end value is sum_t U_u(t) V_v(t): U is the
running sum of u before t, V the sum of v over all choices whose first letter sits at t. So all words together are one
matrix product over time. Time is walked in blocks: scan U forward, scan V backward from a checkpoint, add the product
of the block to the totals. Decay depends on the age of the first letter only, so it is a weight on that letter.
"""

from typing import NamedTuple

import numpy as np

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.simd.emitter import TILE, block_steps
from sigfeat._kernels.simd.rows import (
    CHAINS,
    NO_DECAY,
    Factors,
    Span,
    Sums,
    longest_of,
    multiply,
    pack_block,
    scan,
    scan_back,
    vectors,
)
from sigfeat._kernels.simd.semirings import REAL
from sigfeat._kernels.simd.tiles import Rows, Tile, add_outer_tile

# Totals of one pass over time. More words than fit are taken in several passes, so that memory stays bounded.
PANEL_BYTES = 1 << 22
# Suffix sums of whole series are kept up to this size, half a second-level cache, else made again from checkpoints.
STORE_BYTES = 1 << 19


class Levels(NamedTuple):
    """Index tables of the words of lengths 1, ..., depth.

    Level k is rows starts[k] : starts[k] + sizes[k], in lexicographic order. Read forward, a word is its prefix
    `before` and its `newest` letter; read backward, its `first` letter and its suffix `after`.
    """

    sizes: np.ndarray
    starts: np.ndarray
    before: np.ndarray
    newest: np.ndarray
    first: np.ndarray
    after: np.ndarray


@compiled
def full_words(data, rows, depth, strict, decay_factor, lanes, panel_bytes, out):
    """Fill out[rows] with the end values of the words of lengths 1..depth in lexicographic order.

    The decay factor is that of one step.
    """
    series, lengths = data.series, data.lengths
    n_channels, m, n_block = series.shape[1], depth // 2, block_steps(lanes)
    q, row = depth - m, (n_block + 1) * lanes
    levels = _levels(n_channels, q)
    sizes, starts = levels.sizes, levels.starts
    n_left, n_right, n_prefixes = sizes[m], starts[q + 1], starts[m + 1]
    panel = min(n_left, max(4 * TILE, panel_bytes // (n_right * lanes * 8)))
    n_blocks = -(-longest_of(rows, lengths) // n_block)
    real = np.empty(0)  # states and totals are float64 for every input
    packed = vectors(n_blocks * n_channels * row, series).reshape((n_blocks, n_channels * row))
    weights, ones = vectors(n_blocks * row, series).reshape((n_blocks, row)), vectors(row, series)
    weights[:], ones[:] = 1.0, 1.0
    stored = n_blocks if n_blocks * starts[q] * row * series.itemsize <= STORE_BYTES else 1
    prefix_state, prefixes = vectors(max(n_prefixes, 1) * lanes, real), vectors(max(n_prefixes, 1) * row, series)
    suffix_state = vectors(starts[q] * lanes, real)
    suffixes = vectors(stored * starts[q] * row, series).reshape((stored, starts[q] * row))
    right, totals = vectors(n_right * row, series), vectors(panel * n_right * lanes, real)
    checkpoints = np.empty((n_blocks, suffix_state.shape[0]))
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        n_steps = longest_of(members, lengths)
        n_blocks = -(-n_steps // n_block)
        suffix_state[:] = 0.0
        for block in range(n_blocks - 1, -1, -1):
            n = min(n_block, n_steps - block * n_block)
            pack_block(data, members, n_steps, block, 0.0, packed[block], lanes)
            if decay_factor != 1.0:
                for t in range(n):
                    age = n_steps - 1 - block * n_block - t
                    weights[block, t * lanes : (t + 1) * lanes] = decay_factor**age
            checkpoints[block] = suffix_state
            _scan_suffixes(packed[block], levels, q - 1, strict, n, ones, suffix_state, suffixes[block % stored])
        for first in range(0, n_left, panel):
            n_rows = min(panel, n_left - first)
            totals[:] = 0.0
            prefix_state[:] = 0.0
            for block in range(n_blocks):
                n, letters, after = min(n_block, n_steps - block * n_block), packed[block], suffixes[block % stored]
                _scan_prefixes(letters, levels, m, strict, n, weights[block], prefix_state, prefixes)
                if stored == 1:
                    suffix_state[:] = checkpoints[block]
                    _scan_suffixes(letters, levels, q - 1, strict, n, ones, suffix_state, after)
                _multiply_suffixes(letters, levels, q, strict, n, ones, after, right, lanes)
                if m == 0:
                    _add_product(weights[block], 0, 0, n_rows, right, n_right, totals, n)
                else:
                    slot = 0 if strict else 1
                    _add_product(prefixes, starts[m] + first, slot, n_rows, right, n_right, totals, n)
            for j in range(1, q + 1):
                place = n_prefixes + starts[j] * n_left + first * sizes[j]
                _unpack(totals, starts[j], sizes[j], n_right, n_rows, members, lanes, place, out)
        _unpack(prefix_state, 0, n_prefixes, n_prefixes, 1, members, lanes, 0, out)


@compiled
def _levels(n_channels, depth):
    sizes, starts = np.ones(depth + 2, np.int64), np.zeros(depth + 2, np.int64)
    for k in range(1, depth + 2):
        sizes[k] = sizes[k - 1] * n_channels
        starts[k] = 0 if k == 1 else starts[k - 1] + sizes[k - 1]
    n = starts[depth + 1]
    before, newest = np.zeros(n, np.int64), np.zeros(n, np.int64)
    first, after = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for k in range(1, depth + 1):
        for i in range(sizes[k]):
            newest[starts[k] + i], first[starts[k] + i] = i % n_channels, i // sizes[k - 1]
            if k > 1:
                before[starts[k] + i] = starts[k - 1] + i // n_channels
                after[starts[k] + i] = starts[k - 1] + i % sizes[k - 1]
    return Levels(sizes, starts, before, newest, first, after)


@compiled
def _scan_prefixes(letters, levels, depth, strict, n, weights, state, running):
    sums = Sums(state, running)
    for k in range(1, depth + 1):
        slot, first = 1 if k > 1 and not strict else 0, levels.starts[k]
        factors = Factors(weights if k == 1 else running, levels.before, slot, letters, levels.newest)
        for i in range(first, first + levels.sizes[k], CHAINS):
            span = Span(i, min(CHAINS, first + levels.sizes[k] - i))
            scan(REAL, span, factors, n, NO_DECAY, sums)


@compiled
def _scan_suffixes(letters, levels, depth, strict, n, ones, state, running):
    sums = Sums(state, running)
    for k in range(1, depth + 1):
        slot, first = 1 if k > 1 and strict else 0, levels.starts[k]
        factors = Factors(ones if k == 1 else running, levels.after, slot, letters, levels.first)
        for i in range(first, first + levels.sizes[k], CHAINS):
            scan_back(Span(i, min(CHAINS, first + levels.sizes[k] - i)), factors, n, sums)


@compiled
def _multiply_suffixes(letters, levels, depth, strict, n, ones, running, product, lanes):
    """Values of the words whose first letter sits at t: that letter times the sum of the remaining letters after it."""
    for k in range(1, depth + 1):
        slot = 1 if k > 1 and strict else 0
        factors = Factors(ones if k == 1 else running, levels.after, slot, letters, levels.first)
        multiply(Span(levels.starts[k], levels.sizes[k]), factors, n, product, lanes)


@compiled
def _add_product(left, first, slot, n_rows, right, n_columns, totals, n_steps):
    """totals += left @ right.T per lane, in tiles of nearly equal shape."""  # noqa: D403
    row_tiles, column_tiles = -(-n_rows // TILE), -(-n_columns // TILE)
    for j in range(column_tiles):
        c = j * n_columns // column_tiles
        columns = (j + 1) * n_columns // column_tiles - c
        for i in range(row_tiles):
            r = i * n_rows // row_tiles
            tile = Tile(totals, r * n_columns + c, n_columns, (i + 1) * n_rows // row_tiles - r, columns)
            add_outer_tile(Rows(left, first + r, slot), Rows(right, c, 0), tile, n_steps)


@compiled
def _unpack(items, first, n, pitch, n_rows, members, lanes, place, out):
    """Copy vectors first, ..., first + n - 1 of each row, lane by lane, to rows of `out` from `place` on."""
    for u in range(n_rows):
        source = (u * pitch + first) * lanes
        for v in range(n):
            for lane in range(members.shape[0]):
                out[members[lane], place + v] = items[source + v * lanes + lane]
        place += n
