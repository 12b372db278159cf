"""Plans for the compiled loops of iterated sums: which words in which tree."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sigfeat._kernels.pooling import chosen_poolings
from sigfeat._kernels.simd.emitter import LANE_BYTES
from sigfeat._kernels.simd.rows import Data
from sigfeat._kernels.simd.semirings import semiring_code
from sigfeat._kernels.threads import over_series
from sigfeat._kernels.words.full import PANEL_BYTES, full_words
from sigfeat._kernels.words.tree import (
    Recursion,
    Tree,
    TreePooling,
    TreeWords,
    pooled_words,
    running_words,
)
from sigfeat.words import Word

WORDS_PER_TREE = 256  # the running sums of one tree over one block of time stay in a second-level cache
PARTS_PER_TREE = 8 * WORDS_PER_TREE  # statistics of words times parts of a series: with more parts, fewer words


def end_values(series, lengths, depth, *, strict, decay_factor, shift, scale, n_threads, out):
    """Fill `out` with the end values of all single-channel words up to `depth`, real semiring."""
    data, lanes = Data(np.ascontiguousarray(series), lengths, shift, scale), _lanes(series)

    def work(rows):
        full_words(data, rows, depth, strict, decay_factor, lanes, PANEL_BYTES, out)

    over_series(work, lengths, lanes, n_threads)


class PrefixTree(NamedTuple):
    """A tree; the node, the place among all words and the number of letters of each of its words."""

    tree: Tree
    nodes: np.ndarray
    places: np.ndarray
    n_letters: np.ndarray


class PrefixTrees:
    """Words cut into prefix trees of bounded size, `trees`, as index arrays for the kernels."""

    def __init__(self, words: Sequence[Word], n_channels: int, n_fine: int = 1) -> None:
        order, size = sorted(range(len(words)), key=lambda i: words[i].letters), WORDS_PER_TREE
        size = max(1, min(size, PARTS_PER_TREE // n_fine))
        parts = [order[i : i + size] for i in range(0, len(order), size)]
        self.trees = [_tree(words, part, n_channels) for part in parts]


def pooled_values(series, lengths, trees, semiring, pooling, *, strict, decay_factor, shift, scale, n_threads, out):
    """Fill `out`, of n_words * n_poolings * n_windows columns, with pooled running values.

    pooling = (names, threshold of each word, n_fine, windows): a series is cut into n_fine equal parts, and windows
    (n_windows, 2) are runs (first, stop) of them.
    """
    code = semiring_code(semiring)
    lanes = _lanes(series)
    data = Data(np.ascontiguousarray(series), lengths, shift, scale)
    names, thresholds, n_fine, windows = pooling
    poolings, n_columns = chosen_poolings(names), len(names) * len(windows)

    def work(rows):
        for tree, nodes, places, n_letters in trees.trees:
            words = TreeWords(nodes, places * n_columns, n_letters)
            how = TreePooling(poolings, thresholds[places], n_fine, windows)
            pooled_words(data, rows, Recursion(tree, code, strict, decay_factor), lanes, words, how, out)

    over_series(work, lengths, lanes, n_threads)


def running_values(series, lengths, tree, semiring, *, strict, decay_factor, shift, scale):
    """Running values of the words of one tree (n_samples, n_words, n_timepoints), NaN after the end."""
    out = np.full((len(series), len(tree.nodes), series.shape[2]), np.nan, series.dtype)
    data = Data(np.ascontiguousarray(series), lengths, shift, scale)
    recursion = Recursion(tree.tree, semiring_code(semiring), strict, decay_factor)
    running_words(data, np.arange(len(series)), recursion, _lanes(series), tree.nodes, out)
    return out


def _lanes(series: np.ndarray) -> int:
    return LANE_BYTES // series.itemsize


def _tree(words, chosen, n_channels):
    prefixes = {words[i].letters[:k] for i in chosen for k in range(1, words[i].length + 1)}
    nodes = {prefix: n for n, prefix in enumerate(sorted(prefixes, key=lambda prefix: (len(prefix), prefix)))}
    monomials = {prefix[-1][:k] for prefix in nodes for k in range(2, len(prefix[-1]) + 1)}
    products = sorted(monomials, key=lambda letter: (len(letter), letter))
    rows = {(c,): c for c in range(n_channels)}
    rows.update({letter: n_channels + i for i, letter in enumerate(products)})
    lengths = np.array([len(prefix) for prefix in nodes])
    tree = Tree(
        np.array([nodes.get(prefix[:-1], 0) for prefix in nodes]),
        np.array([rows[prefix[-1]] for prefix in nodes]),
        np.searchsorted(lengths, np.arange(1, lengths[-1] + 2)),
        np.array([rows[letter[:-1]] for letter in products], dtype=np.int64),
        np.array([letter[-1] for letter in products], dtype=np.int64),
    )
    own_nodes = np.array([nodes[words[i].letters] for i in chosen])
    return PrefixTree(tree, own_nodes, np.array(chosen), np.array([words[i].length for i in chosen]))
