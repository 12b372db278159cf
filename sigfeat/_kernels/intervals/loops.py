"""Sums over all pairs of intervals: factors, recurrences, products of filtered factors, and their statistics.

An interval function is a sum of products p(s) q(s'), and so O(t) = sum over s, s' of h(t - s, t - s') p(s) q(s') is
one of products of filtered factors. Factors may be measured from any anchor: O does not depend on it, but rounding
errors do. Recurrences are anchored at t itself. Values are rows (time, output * n_filters + filter).
"""

from typing import NamedTuple

import numpy as np

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.pooling import feature
from sigfeat._kernels.simd.statistics import N_STATISTICS, fold_rows, merge_statistics, reset_rows, reset_statistics

BLOCK = 128  # steps whose values are kept at a time


class Nodes(NamedTuple):
    """All runs of letters of the words, the empty one first, by length.

    Of each run: the run without its last letter, that letter, the run without its first letter, and that letter.
    """

    parent: np.ndarray
    last: np.ndarray
    tail: np.ndarray
    head: np.ndarray


class Terms(NamedTuple):
    """Output w is a sum of products of factors, over first[w] <= i < first[w + 1].

    Product i is that of factor of_p[i] of the beginning and factor of_q[i] of the end.
    """

    first: np.ndarray
    of_p: np.ndarray
    of_q: np.ndarray


class FilterLanes(NamedTuple):
    """Decay factors (2, lanes) of the two ends and weights of exponential filters.

    Product i of filter j has the lane i * n_filters + j.
    """

    decay_factors: np.ndarray
    weights: np.ndarray
    n_filters: int


@compiled
def letters_of(x, n, shift, scale, monomials, out):
    """Write the letters of one series, (n_letters, n), each a product of the channels in monomials[letter] >= 0."""
    for k in range(monomials.shape[0]):
        out[k, :n] = 1.0
        for c in monomials[k]:
            if c >= 0:
                for t in range(n):
                    out[k, t] *= (x[c, t] - shift[c]) * scale[c]


@compiled
def advance_sums(letters, begin, n, nodes, prefixes, suffixes, filters, state, terms, values):
    """Take n steps of the recurrences, and write the values at each.

    With S the iterated sums and powers of the decay factors f and g, E(t) = sum over s of weight f^(t - s) S(s, t) and
    G(t) = sum over s' of g^(t - s') S(t, s'), so that E(t) = f E(t - 1) (1 + x_t) + weight, G(t) = g (1 + x_t)^-1
    G(t - 1) + 1 and O(t) = E(t) G(t) in the algebra of words.
    """
    (parent, last, tail, head), (factors, weights, n_filters), (e, g) = nodes, filters, state
    lanes = weights.shape[0]
    for t in range(begin, begin + n):
        for place in range(prefixes.shape[0] - 1, 0, -1):
            node = prefixes[place]
            x, own, shorter = letters[last[node], t], e[node], e[parent[node]]
            for i in range(lanes):
                own[i] = factors[0, i] * (own[i] + x * shorter[i])
        for i in range(lanes):
            e[0, i] = factors[0, i] * e[0, i] + weights[i]
            g[0, i] *= factors[1, i]
        for place in range(1, suffixes.shape[0]):
            node = suffixes[place]
            x, own, shorter = letters[head[node], t], g[node], g[tail[node]]
            for i in range(lanes):
                own[i] = factors[1, i] * own[i] - x * shorter[i]
        for i in range(lanes):
            g[0, i] += 1.0
        _products(e, g, terms, n_filters, values[t - begin])


@compiled
def advance_developments(steps, inverses, begin, n, filters, state, terms, values):
    """Take n steps of the recurrences, and write the values at each.

    E(t) = f E(t - 1) M_t + weight I and G(t) = g M_t^-1 G(t - 1) + I, with X_t = X_{t-1} M_t; O(t) = E(t) G(t).
    """
    (factors, weights, n_filters), (e, g, spare) = filters, state
    dim, lanes = steps.shape[1], weights.shape[0]
    for t in range(begin, begin + n):
        for row in range(dim):
            for column in range(dim):
                to, back = spare[row * dim + column], spare[dim * dim + row * dim + column]
                for i in range(lanes):
                    to[i] = weights[i] if row == column else 0.0
                    back[i] = 1.0 if row == column else 0.0
                for k in range(dim):
                    forth, inverse = steps[t, k, column], inverses[t, row, k]
                    own, other = e[row * dim + k], g[k * dim + column]
                    for i in range(lanes):
                        to[i] += factors[0, i] * own[i] * forth
                        back[i] += factors[1, i] * other[i] * inverse
        e[:] = spare[: dim * dim]
        g[:] = spare[dim * dim :]
        _products(e, g, terms, n_filters, values[t - begin])


@compiled
def _products(e, g, terms, n_filters, values):
    """Write the sums of products of all terms at one time."""
    first, of_p, of_q = terms
    rank = e.shape[1] // n_filters
    values[:] = 0.0
    for w in range(first.shape[0] - 1):
        out = values[w * n_filters : (w + 1) * n_filters]
        for term in range(first[w], first[w + 1]):
            left, right = e[of_p[term]], g[of_q[term]]
            for i in range(rank):
                for j in range(n_filters):
                    out[j] += left[i * n_filters + j] * right[i * n_filters + j]


@compiled
def sum_factors(letters, begin, n, nodes, p, q):
    """Write the factors of all nodes at boundaries begin, ..., begin + n - 1, anchored at the first.

    q are the sums from the anchor, and p the coefficients of their inverse (the antipode): p_lv(s) = p_lv(s - 1) -
    l(x_s) p_v(s).
    """
    parent, last, tail, head = nodes
    p[0, :n] = 1.0
    q[0, :n] = 1.0
    for node in range(1, parent.shape[0]):
        p[node, 0] = q[node, 0] = 0.0
        ending, beginning = letters[last[node]], letters[head[node]]
        for s in range(1, n):
            q[node, s] = q[node, s - 1] + ending[begin + s - 1] * q[parent[node], s - 1]
            p[node, s] = p[node, s - 1] - beginning[begin + s - 1] * p[tail[node], s]


@compiled
def development_factors(steps, inverses, begin, n, p, q):
    """Write X_s^-1 to p[:, s] and X_s to q[:, s], row by row, for points begin + s, anchored at the first."""
    dim = steps.shape[1]
    for s in range(n):
        for row in range(dim):
            for column in range(dim):
                back = forth = steps[0, 0, 0] * 0.0
                if s == 0:
                    back = forth = forth + (1.0 if row == column else 0.0)
                else:
                    for k in range(dim):
                        forth += q[row * dim + k, s - 1] * steps[begin + s, k, column]
                        back += inverses[begin + s, row, k] * p[k * dim + column, s - 1]
                p[row * dim + column, s], q[row * dim + column, s] = back, forth


@compiled
def fold_terms(p, q, begin, n, terms, values, sizes):
    """Write the sums of products of filtered factors p, q (rank, n_filters, n_factors, time) for n times from `begin`.

    sizes[0, w, j] grows to a bound of the terms; sizes[1, w, j] is added the sum of the sizes of the values.
    """
    first, of_p, of_q = terms
    rank, n_filters = p.shape[:2]
    for w in range(first.shape[0] - 1):
        for j in range(n_filters):
            out = values[:n, w * n_filters + j]
            out[:] = 0.0
            bound = 0.0
            for term in range(first[w], first[w + 1]):
                for i in range(rank):
                    left, right = p[i, j, of_p[term]], q[i, j, of_q[term]]
                    most_left = most_right = 0.0
                    for t in range(n):
                        out[t] += left[begin + t] * right[begin + t]
                        most_left = max(most_left, abs(left[begin + t]))
                        most_right = max(most_right, abs(right[begin + t]))
                    bound = max(bound, most_left * most_right)
            sizes[0, w, j] = max(sizes[0, w, j], bound)
            for t in range(n):
                sizes[1, w, j] += abs(out[t])


@compiled
def pool(statistics, bounds, codes, runs, out):
    """Write the poolings of all rows over runs of parts, row by row, pooling by pooling, run by run."""
    merged = np.empty(N_STATISTICS)
    for i in range(statistics.shape[2]):
        for v in range(runs.shape[0]):
            reset_statistics(merged, 1, N_STATISTICS)
            for part in range(runs[v, 0], runs[v, 1]):
                if bounds[part + 1] > bounds[part]:
                    merge_statistics(statistics[part, :, i], merged)
            start, stop = bounds[runs[v, 0]], bounds[runs[v, 1]]
            for c in range(codes.shape[0]):
                value = feature(codes[c], merged, 0, start, stop, stop - start)
                out[(i * codes.shape[0] + c) * runs.shape[0] + v] = value


@compiled
def pooled_exponential_sums(data, rows, monomials, nodes, prefixes, suffixes, filters, terms, pooling, out):
    """Write the pooled values of series rows[i] to out[rows[i]]: one pass, and no more memory than its letters take.

    pooling = (`ChosenPoolings`, thresholds, n_fine, runs).
    """
    (series, lengths, shift, scale), (poolings, thresholds, n_fine, runs) = data, pooling
    longest = 0
    for row in rows:
        longest = max(longest, lengths[row])
    letters = np.empty((monomials.shape[0], longest))
    lanes, n_rows = filters.weights.shape[0], (terms.first.shape[0] - 1) * filters.n_filters
    e, g = np.empty((nodes.parent.shape[0], lanes)), np.empty((nodes.parent.shape[0], lanes))
    values, statistics = np.empty((BLOCK, n_rows)), np.empty((n_fine, N_STATISTICS, n_rows))
    for row in rows:
        n = lengths[row]
        letters_of(series[row], n, shift, scale, monomials, letters)
        bounds = np.arange(n_fine + 1) * n // n_fine
        reset_rows(statistics)
        start_sums(e, g, filters)
        for begin in range(0, n, BLOCK):
            taken = min(BLOCK, n - begin)
            advance_sums(letters, begin, taken, nodes, prefixes, suffixes, filters, (e, g), terms, values)
            fold_rows(values[:taken], begin, bounds, thresholds, poolings.wanted, statistics)
        pool(statistics, bounds, poolings.codes, runs, out[row])
        if not (np.isfinite(e).all() and np.isfinite(g).all()):  # what overflowed stays so
            out[row] = np.nan


@compiled
def start_sums(e, g, filters):
    """Set the state of the recurrences to that at the boundary before the first point."""
    e[:] = 0.0
    g[:] = 0.0
    e[0] = filters.weights
    g[0] = 1.0


@compiled
def exponential_sum_values(x, n, shift, scale, monomials, nodes, prefixes, suffixes, filters, terms, values):
    """Write the values of one series at all times, (n, outputs * n_filters)."""
    letters = np.empty((monomials.shape[0], n))
    letters_of(x, n, shift, scale, monomials, letters)
    e, g = (
        np.empty((nodes.parent.shape[0], filters.weights.shape[0])),
        np.empty((nodes.parent.shape[0], filters.weights.shape[0])),
    )
    start_sums(e, g, filters)
    advance_sums(letters, 0, n, nodes, prefixes, suffixes, filters, (e, g), terms, values)


@compiled
def pooled_exponential_developments(steps, inverses, lengths, filters, terms, pooling, out):
    """Write the pooled values of each series, from its steps (n_series, n_steps, dim, dim), to out[i]."""
    poolings, thresholds, n_fine, runs = pooling
    values = development_block(steps, filters, terms)
    real = values.view(thresholds.dtype)
    statistics = np.empty((n_fine, N_STATISTICS, real.shape[1]))
    for i in range(steps.shape[0]):
        state, bounds = start_developments(steps, filters), np.arange(n_fine + 1) * lengths[i] // n_fine
        reset_rows(statistics)
        for begin in range(0, lengths[i], BLOCK):
            n = min(BLOCK, lengths[i] - begin)
            advance_developments(steps[i], inverses[i], begin, n, filters, state, terms, values)
            fold_rows(real[:n], begin, bounds, thresholds, poolings.wanted, statistics)
        pool(statistics, bounds, poolings.codes, runs, out[i])
        if not (np.isfinite(state[0]).all() and np.isfinite(state[1]).all()):
            out[i] = np.nan


@compiled
def development_block(steps, filters, terms):
    """Room for one block of values."""
    return np.empty((BLOCK, (terms.first.shape[0] - 1) * filters.n_filters), steps.dtype)


@compiled
def start_developments(steps, filters):
    """State of the recurrences before the first point, and room to work in."""
    n_entries, lanes = steps.shape[2] * steps.shape[3], filters.weights.shape[0]
    e, g = np.zeros((n_entries, lanes), steps.dtype), np.zeros((n_entries, lanes), steps.dtype)
    return e, g, np.empty((2 * n_entries, lanes), steps.dtype)
