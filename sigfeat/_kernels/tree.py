"""Iterated sums along any set of words, in any semiring, as one pass over their prefix tree; running values are pooled as they appear.

Nodes are the prefixes of the words, sorted by length; a node's row of running sums over one block of time feeds its children's.
"""

import numpy as np
from numba import njit

from sigfeat._kernels.packing import pack_block
from sigfeat._kernels.simd import (
    CHAINS,
    END,
    EXCESS,
    MAX_PLUS,
    MAXIMUM,
    MIN_PLUS,
    MINIMUM,
    N_ABOVE,
    N_STATISTICS,
    POSITION,
    REAL,
    REAL_DECAYED,
    SUM,
    block_steps,
    gather_statistics,
    scan,
)

POOLINGS = ("end", "mean", "max", "min", "ppv", "mpv", "argmax")  # a pooling's code is its place here


@njit(cache=True, nogil=True)
def _power(kind, fade, n):
    """n-fold semiring product of the factor of one step."""
    return fade * n if kind in (MAX_PLUS, MIN_PLUS) else fade**n


@njit(cache=True, nogil=True)
def _advance_block(series, members, lengths, n_steps, block, tree, semiring, strict, fade, shift, scale, workspace):
    """Pack one block, build its composite letters, and advance every node by it."""
    parent, letter, level_starts, letter_parent, letter_channel = tree
    kind, zero, one = semiring
    letters, ones, state, running, lanes = workspace
    n_block, n_channels = block_steps(lanes), series.shape[1]
    row = (n_block + 1) * lanes
    n = min(n_block, n_steps - block * n_block)
    pack_block(series, members, lengths, n_steps, block, zero, shift, scale, letters[: n_channels * row], lanes)
    for i in range(letter_parent.shape[0]):
        target = (n_channels + i) * row
        for item in range(n * lanes):
            a, b = letters[letter_parent[i] * row + item], letters[letter_channel[i] * row + item]
            letters[target + item] = a + b if kind in (MAX_PLUS, MIN_PLUS) else a * b
    actual = REAL_DECAYED if kind == REAL and fade != one else kind
    for level in range(level_starts.shape[0] - 1):
        parents = ones if level == 0 else running
        slot = 1 if level > 0 and not strict else 0
        parent_fade = fade if level > 0 and strict else one
        for i in range(level_starts[level], level_starts[level + 1], CHAINS):
            count = min(CHAINS, level_starts[level + 1] - i)
            scan(actual, i, count, parents, parent, slot, letters, letter, n, fade, parent_fade, _power(kind, fade, n), state, running)
    return n


@njit(cache=True, nogil=True)
def _workspace(series, tree, semiring, lanes):
    parent, _, _, letter_parent, _ = tree
    row = (block_steps(lanes) + 1) * lanes
    letters = np.zeros((series.shape[1] + letter_parent.shape[0]) * row, series.dtype)
    ones, state = np.full(row, semiring[2], series.dtype), np.empty(parent.shape[0] * lanes)
    return letters, ones, state, np.empty(parent.shape[0] * row, series.dtype), lanes


@njit(cache=True, nogil=True)
def _longest(members, lengths):
    longest = 0
    for r in members:
        longest = max(longest, lengths[r])
    return longest


@njit(cache=True, nogil=True)
def running_words(series, rows, lengths, tree, semiring, strict, fade, shift, scale, lanes, nodes, out):
    """Write the running value of nodes[w] at each own time t of series rows[i] to out[i, w, t]."""
    workspace = _workspace(series, tree, semiring, lanes)
    running, n_block = workspace[3], block_steps(lanes)
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        n_steps = _longest(members, lengths)
        workspace[2][:] = semiring[1]
        for block in range(-(-n_steps // n_block)):
            n = _advance_block(series, members, lengths, n_steps, block, tree, semiring, strict, fade, shift, scale, workspace)
            for lane in range(members.shape[0]):
                first = n_steps - lengths[members[lane]]
                for w in range(nodes.shape[0]):
                    place = (nodes[w] * (n_block + 1) + 1) * lanes + lane
                    for t in range(max(first - block * n_block, 0), n):
                        out[group + lane, w, block * n_block + t - first] = running[place + t * lanes]


@njit(cache=True, nogil=True)
def pooled_words(
    series, rows, lengths, tree, semiring, strict, fade, shift, scale, lanes, nodes, columns, n_letters, poolings, thresholds, n_fine, windows, out
):
    """Write pooled running values of nodes[w] to out[rows[i], columns[w] : columns[w] + n_poolings * n_windows], pooling slowest.

    The series is cut into n_fine windows of equal share; windows[v] = (first, stop) is a run of them. n_letters[w] is the length of the word.
    """
    workspace = _workspace(series, tree, semiring, lanes)
    running, n_block, n_nodes = workspace[3], block_steps(lanes), nodes.shape[0]
    max_letters = n_letters.max()
    statistics = np.empty(n_nodes * n_fine * N_STATISTICS * lanes)
    lower, upper = np.empty(n_fine * max_letters * lanes), np.empty(n_fine * lanes)
    bounds = np.zeros((lanes, n_fine + 1), np.int64)
    wanted = np.zeros(N_STATISTICS, np.bool_)
    for p in poolings:
        wanted[SUM] |= p == 1
        wanted[MAXIMUM] |= p in (2, 6)
        wanted[MINIMUM] |= p == 3
        wanted[N_ABOVE] |= p in (4, 5)
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        n_steps = _longest(members, lengths)
        for lane in range(lanes):
            own = lengths[members[lane]] if lane < members.shape[0] else 0
            for f in range(n_fine + 1):
                bounds[lane, f] = n_steps - own + f * own // n_fine
        for i in range(n_nodes * n_fine):
            for s in range(N_STATISTICS):
                start = -np.inf if s == MAXIMUM else np.inf if s == MINIMUM else 0.0
                statistics[(i * N_STATISTICS + s) * lanes : (i * N_STATISTICS + s + 1) * lanes] = start
        workspace[2][:] = semiring[1]
        for block in range(-(-n_steps // n_block)):
            n = _advance_block(series, members, lengths, n_steps, block, tree, semiring, strict, fade, shift, scale, workspace)
            begin = block * n_block
            for f in range(n_fine):
                touched = False
                for lane in range(lanes):
                    first, stop = bounds[lane, f], bounds[lane, f + 1]
                    touched |= first < begin + n and stop > begin
                    upper[f * lanes + lane] = stop - begin
                    for k in range(max_letters):
                        defined = bounds[lane, 0] + (k if strict else 0)
                        lower[(k * n_fine + f) * lanes + lane] = max(first, defined) - begin
                    if lane < members.shape[0] and begin < stop <= begin + n:
                        for w in range(n_nodes):
                            value = running[(nodes[w] * (n_block + 1) + stop - begin) * lanes + lane]
                            statistics[((w * n_fine + f) * N_STATISTICS + END) * lanes + lane] = value
                if touched:
                    for s in (SUM, MAXIMUM, MINIMUM, N_ABOVE):
                        if wanted[s]:
                            for w in range(n_nodes):
                                low = lower[(n_letters[w] - 1) * n_fine * lanes :]
                                place = (w * n_fine + f) * N_STATISTICS
                                gather_statistics(running, nodes[w], low, upper, f, thresholds[w], begin, n, s, statistics, place)
        for lane in range(members.shape[0]):
            _finish(statistics, lane, lanes, bounds[lane], n_letters, strict, poolings, n_fine, windows, columns, out[members[lane]])


@njit(cache=True, nogil=True)
def _finish(statistics, lane, lanes, bounds, n_letters, strict, poolings, n_fine, windows, columns, out):
    """Merge the fine windows of one series and turn statistics into features. A word without a value in a window gives 0."""
    merged = np.empty(N_STATISTICS)
    for w in range(columns.shape[0]):
        for v in range(windows.shape[0]):
            merged[:] = 0.0
            merged[MAXIMUM], merged[MINIMUM] = -np.inf, np.inf
            for f in range(windows[v, 0], windows[v, 1]):
                values = statistics[(w * n_fine + f) * N_STATISTICS * lanes + lane :: lanes]
                if values[MAXIMUM] > merged[MAXIMUM]:
                    merged[MAXIMUM], merged[POSITION] = values[MAXIMUM], values[POSITION]
                merged[MINIMUM] = min(merged[MINIMUM], values[MINIMUM])
                for s in (SUM, N_ABOVE, EXCESS):
                    merged[s] += values[s]
                merged[END] = values[END]
            first, stop = bounds[windows[v, 0]], bounds[windows[v, 1]]
            n = stop - max(first, bounds[0] + (n_letters[w] - 1 if strict else 0))
            for p in range(poolings.shape[0]):
                code, value = poolings[p], 0.0
                if n > 0:
                    if code == 0:
                        value = merged[END]
                    elif code == 1:
                        value = merged[SUM] / n
                    elif code == 2:
                        value = merged[MAXIMUM]
                    elif code == 3:
                        value = merged[MINIMUM]
                    elif code == 4:
                        value = merged[N_ABOVE] / n
                    elif code == 5:
                        value = merged[EXCESS] / merged[N_ABOVE] if merged[N_ABOVE] > 0 else 0.0
                    else:
                        value = (merged[POSITION] - first) / max(stop - first - 1, 1)
                out[columns[w] + p * windows.shape[0] + v] = value
