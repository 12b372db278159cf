"""Series in, SIMD rows out."""

import numpy as np
from numba import njit

from sigfeat._kernels.emitter import LANE_BYTES, block_steps


@njit(cache=True, nogil=True)
def vectors(n_items, like):
    """Items of the dtype of `like`, not yet set, that start at a cache line: no vector straddles two."""
    spare = LANE_BYTES // like.itemsize
    items = np.empty(n_items + spare, like.dtype)
    first = -(items.ctypes.data // like.itemsize) % spare
    return items[first : first + n_items]


@njit(cache=True, nogil=True)
def longest_of(members, lengths):
    """Length of the longest of some series."""
    longest = 0
    for i in members:
        longest = max(longest, lengths[i])
    return longest


@njit(cache=True, nogil=True)
def pack_block(data, members, n_steps, block, padding, rows, lanes):
    """Write one block of up to `lanes` series to rows[channel, step, lane] as (x - shift) * scale.

    data = (series, lengths, shift, scale): series (n_samples, n_channels, n_timepoints), each read up to its own
    length. Series are aligned at their ENDS, n_steps being the longest; what lies in front of a shorter one is
    `padding`, the semiring's zero, which adds nothing to a sum.
    """
    series, lengths, shift, scale = data
    n_block = block_steps(lanes)
    rows[:] = padding
    for c in range(series.shape[1]):
        offset, factor = shift[c], scale[c]
        for lane in range(members.shape[0]):
            values, first = series[members[lane], c], n_steps - lengths[members[lane]]
            begin, end = max(first, block * n_block), min(n_steps, (block + 1) * n_block)
            place = (c * (n_block + 1) + begin - block * n_block) * lanes + lane
            for t in range(begin - first, end - first):
                rows[place] = (values[t] - offset) * factor
                place += lanes
