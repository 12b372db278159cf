"""Iterated sums along any set of words, in any semiring, as one pass over their prefix tree.

Nodes are the prefixes of the words, sorted by length; the running sums of a node over one block of time feed those of
its children, and are pooled while they are in the cache.
"""

from typing import NamedTuple

import numpy as np

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.pooling import ChosenPoolings, feature
from sigfeat._kernels.simd.emitter import block_steps
from sigfeat._kernels.simd.rows import (
    CHAINS,
    Decay,
    Factors,
    Span,
    Sums,
    longest_of,
    pack_block,
    scan,
    vectors,
)
from sigfeat._kernels.simd.semirings import REAL, REAL_DECAYED, SemiringCode, multiply_items, power
from sigfeat._kernels.simd.statistics import (
    END,
    N_STATISTICS,
    NOTHING,
    Kept,
    Level,
    Limits,
    Row,
    Steps,
    gather_statistics,
    merge_statistics,
    passes,
    reset_statistics,
)


class Tree(NamedTuple):
    """Nodes by their length: rows of parent and letter of each, first node of each length.

    Letters from n_channels on are products of the letter in row `shorter` and a channel.
    """

    parent: np.ndarray
    letter: np.ndarray
    first_of_length: np.ndarray
    shorter: np.ndarray
    channel: np.ndarray


class Recursion(NamedTuple):
    """What is summed along the nodes of a tree, with the decay factor of one step."""

    tree: Tree
    semiring: SemiringCode
    strict: bool
    decay_factor: float


class TreeWords(NamedTuple):
    """The node of each word of a tree, its first column of features, and its number of letters."""

    nodes: np.ndarray
    columns: np.ndarray
    n_letters: np.ndarray


class TreePooling(NamedTuple):
    """Poolings, and the threshold of each word.

    A series is cut into n_fine equal parts, and windows[v] = (first, stop) is a run of them.
    """

    poolings: ChosenPoolings
    thresholds: np.ndarray
    n_fine: int
    windows: np.ndarray


class Workspace(NamedTuple):
    """Rows of the letters, a row of ones, the state of each node, the rows of the nodes."""

    letters: np.ndarray
    ones: np.ndarray
    state: np.ndarray
    running: np.ndarray
    lanes: int


@compiled
def running_words(data, rows, recursion, lanes, nodes, out):
    """Write the running value of nodes[w] at each own time t of series rows[i] to out[i, w, t]."""
    lengths, n_block = data.lengths, block_steps(lanes)
    workspace = _workspace(data, recursion, lanes)
    state, running = workspace.state, workspace.running
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        n_steps = longest_of(members, lengths)
        state[:] = recursion.semiring.zero
        for block in range(-(-n_steps // n_block)):
            n = _advance_block(data, members, n_steps, block, recursion, workspace)
            for lane in range(members.shape[0]):
                first = n_steps - lengths[members[lane]]
                for w in range(nodes.shape[0]):
                    place = (nodes[w] * (n_block + 1) + 1) * lanes + lane
                    for t in range(max(first - block * n_block, 0), n):
                        out[group + lane, w, block * n_block + t - first] = running[place + t * lanes]


@compiled
def pooled_words(data, rows, recursion, lanes, words, pooling, out):
    """Write pooled running values of nodes[w] to out[rows[i], columns[w] + j], j = pooling * n_windows + window."""
    lengths, strict, n_block = data.lengths, recursion.strict, block_steps(lanes)
    nodes, columns, n_letters = words
    poolings, thresholds, n_fine, windows = pooling
    workspace = _workspace(data, recursion, lanes)
    state, running = workspace.state, workspace.running
    real = np.empty(0)
    statistics = vectors(nodes.shape[0] * n_fine * N_STATISTICS * lanes, real)
    lower, upper = vectors(n_letters.max() * n_fine * lanes, real), vectors(n_fine * lanes, real)
    bounds, (code, n_thresholds) = np.zeros((lanes, n_fine + 1), np.int64), passes(poolings.wanted, 1)
    gathered = code != NOTHING or n_thresholds > 0
    for group in range(0, rows.shape[0], lanes):
        members = rows[group : group + lanes]
        n_steps = longest_of(members, lengths)
        for lane in range(lanes):
            own = lengths[members[lane]] if lane < members.shape[0] else 0
            for f in range(n_fine + 1):
                bounds[lane, f] = n_steps - own + f * own // n_fine
        reset_statistics(statistics, lanes, N_STATISTICS)
        state[:] = recursion.semiring.zero
        for block in range(-(-n_steps // n_block)):
            n = _advance_block(data, members, n_steps, block, recursion, workspace)
            begin = block * n_block
            for f in range(n_fine):
                _keep_ends(running, nodes, bounds, f, members.shape[0], begin, n, n_fine, lanes, statistics)
                touched, masked = _set_bounds(
                    bounds, f, strict, members.shape[0], begin, n, n_fine, lanes, lower, upper
                )
                if not touched or not gathered:
                    continue
                for w in range(nodes.shape[0]):
                    limits = Limits(masked, lower, (n_letters[w] - 1) * n_fine + f, upper, f)
                    row, levels = Row(running, nodes[w], 1), Level(thresholds, w, n_thresholds)
                    kept = Kept(statistics, (w * n_fine + f) * N_STATISTICS)
                    gather_statistics(row, Steps(0, n, float(begin)), limits, levels, code, kept)
        for lane in range(members.shape[0]):
            row = out[members[lane]]
            for w in range(nodes.shape[0]):
                undefined = n_letters[w] - 1 if strict else 0
                values = statistics[w * n_fine * N_STATISTICS * lanes + lane :: lanes]
                _pool(values, bounds[lane], undefined, poolings.codes, windows, row[columns[w] :])


@compiled
def _workspace(data, recursion, lanes):
    series, tree = data.series, recursion.tree
    row, n_nodes = (block_steps(lanes) + 1) * lanes, tree.parent.shape[0]
    letters, ones = vectors((series.shape[1] + tree.shorter.shape[0]) * row, series), vectors(row, series)
    ones[:] = recursion.semiring.one
    state, running = vectors(n_nodes * lanes, np.empty(0)), vectors(n_nodes * row, series)
    return Workspace(letters, ones, state, running, lanes)


@compiled
def _advance_block(data, members, n_steps, block, recursion, workspace):
    """Pack one block, multiply its letters, advance every node by it; the number of steps."""
    tree, (kind, zero, one), strict, own = recursion
    letters, ones, state, running, lanes = workspace
    n_block, n_channels = block_steps(lanes), data.series.shape[1]
    row = (n_block + 1) * lanes
    n = min(n_block, n_steps - block * n_block)
    pack_block(data, members, n_steps, block, zero, letters[: n_channels * row], lanes)
    for i in range(tree.shorter.shape[0]):
        shorter, channel = letters[tree.shorter[i] * row :], letters[tree.channel[i] * row :]
        multiply_items(kind, shorter, channel, letters[(n_channels + i) * row :][: n * lanes])
    factor_of_block = power(kind, own, n)
    actual = REAL_DECAYED if kind == REAL and own != one else kind
    sums = Sums(state, running)
    for level in range(tree.first_of_length.shape[0] - 1):
        slot = 1 if level > 0 and not strict else 0
        factors = Factors(ones if level == 0 else running, tree.parent, slot, letters, tree.letter)
        decay = Decay(own, own if level > 0 and strict else one, factor_of_block)
        stop = tree.first_of_length[level + 1]
        for i in range(tree.first_of_length[level], stop, CHAINS):
            scan(actual, Span(i, min(CHAINS, stop - i)), factors, n, decay, sums)
    return n


@compiled
def _set_bounds(bounds, f, strict, n_members, begin, n, n_fine, lanes, lower, upper):
    """Set the bounds of part f within the block, by length of word and lane.

    Returns whether any lane has a time of it there, and 1 if a lane has not all of them for a word, otherwise 0.
    """
    touched, masked = False, 0
    for lane in range(n_members):
        first, stop = bounds[lane, f], bounds[lane, f + 1]
        touched |= first < begin + n and stop > begin
        upper[f * lanes + lane] = stop - begin
        if stop < begin + n:
            masked = 1
        for k in range(lower.shape[0] // (n_fine * lanes)):
            defined = bounds[lane, 0] + (k if strict else 0)
            lower[(k * n_fine + f) * lanes + lane] = max(first, defined) - begin
            if max(first, defined) > begin:
                masked = 1
    return touched, masked


@compiled
def _keep_ends(running, nodes, bounds, f, n_members, begin, n, n_fine, lanes, statistics):
    """Note the last values of part f for the lanes in which it ends in this block."""
    n_slots = block_steps(lanes) + 1
    for lane in range(n_members):
        stop = bounds[lane, f + 1]
        if bounds[lane, f] < stop and begin < stop <= begin + n:
            for w in range(nodes.shape[0]):
                value = running[(nodes[w] * n_slots + stop - begin) * lanes + lane]
                statistics[((w * n_fine + f) * N_STATISTICS + END) * lanes + lane] = value


@compiled
def _pool(values, bounds, undefined, codes, windows, out):
    """Merge the parts of one series into windows; statistics become features, 0 where a window has no value."""
    merged = np.empty(N_STATISTICS)
    for v in range(windows.shape[0]):
        reset_statistics(merged, 1, N_STATISTICS)
        for f in range(windows[v, 0], windows[v, 1]):
            if bounds[f + 1] > bounds[f]:
                merge_statistics(values[f * N_STATISTICS :][:N_STATISTICS], merged)
        start, stop = bounds[windows[v, 0]], bounds[windows[v, 1]]
        n = stop - max(start, bounds[0] + undefined)
        for p in range(codes.shape[0]):
            out[p * windows.shape[0] + v] = feature(codes[p], merged, 0, start, stop, n)
