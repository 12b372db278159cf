"""Series in, SIMD rows out."""

from numba import njit

from sigfeat._kernels.simd import block_steps


@njit(cache=True, nogil=True)
def pack_block(series, members, lengths, n_steps, block, padding, shift, scale, rows, lanes):
    """Write one block of up to `lanes` standardised series to rows[channel, step, lane].

    Series are aligned at their ENDS, n_steps being the longest; what lies in front of a shorter one is `padding`, the semiring's zero, which adds nothing.
    """
    n_block, n_channels = block_steps(lanes), series.shape[1]
    rows[:] = padding
    for c in range(n_channels):
        offset, factor = shift[c], scale[c]
        for lane in range(members.shape[0]):
            values, first = series[members[lane], c], n_steps - lengths[members[lane]]
            begin, end = max(first, block * n_block), min(n_steps, (block + 1) * n_block)
            place = (c * (n_block + 1) + begin - block * n_block) * lanes + lane
            for t in range(begin - first, end - first):
                rows[place] = (values[t] - offset) * factor
                place += lanes
