"""Plans for the compiled loops: which nodes, which series, which thread."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sigfeat._kernels.full import PANEL_BYTES, full_words
from sigfeat._kernels.simd import LANE_BYTES
from sigfeat._kernels.tree import POOLINGS, pooled_words, running_words
from sigfeat.semirings import SEMIRINGS, Semiring
from sigfeat.words import Word

WORDS_PER_TREE = 256  # rows of running sums of one tree stay in a second-level cache
GROUPS_PER_TASK = 4


def end_values(series, lengths, depth, *, strict, fade, shift, scale, n_threads, out):
    """Fill `out` with the end values of all single-channel words up to `depth`, real semiring."""

    def work(rows):
        full_words(series, rows, lengths, depth, strict, fade, shift, scale, _lanes(series), PANEL_BYTES, out)

    _over_series(work, lengths, _lanes(series), n_threads)


class PrefixTrees:
    """Words cut into prefix trees of bounded size, as index arrays for the kernels.

    Each tree is (arrays of the tree, node of each of its words, place of each of its words in `words`, length of each of its words).
    """

    def __init__(self, words: Sequence[Word], n_channels: int) -> None:
        order = sorted(range(len(words)), key=lambda i: words[i].letters)
        self.trees = [_tree(words, order[i : i + WORDS_PER_TREE], n_channels) for i in range(0, len(order), WORDS_PER_TREE)]


def pooled_values(series, lengths, trees, semiring, *, strict, fade, shift, scale, pooling, thresholds, n_fine, windows, n_threads, out):
    """Fill `out`, of n_words * n_poolings * n_windows columns, with pooled running values."""
    ring = _ring(semiring)
    poolings = np.array([POOLINGS.index(name) for name in pooling])
    n_columns = len(pooling) * len(windows)

    def work(rows):
        for arrays, nodes, places, n_letters in trees.trees:
            pooled_words(
                series, rows, lengths, arrays, ring, strict, fade, shift, scale, _lanes(series),
                nodes, places * n_columns, n_letters, poolings, thresholds[places], n_fine, windows, out,
            )  # fmt: skip

    _over_series(work, lengths, _lanes(series), n_threads)


def running_values(series, lengths, tree, semiring, *, strict, fade, shift, scale):
    """Running values of the words of one tree at each own time: (n_samples, n_words, n_timepoints), NaN behind the end of a shorter series."""
    arrays, nodes, _, _ = tree
    out = np.full((len(series), len(nodes), series.shape[2]), np.nan, series.dtype)
    running_words(series, np.arange(len(series)), lengths, arrays, _ring(semiring), strict, fade, shift, scale, _lanes(series), nodes, out)
    return out


def _lanes(series: np.ndarray) -> int:
    return LANE_BYTES // series.itemsize


def _ring(semiring: Semiring) -> tuple[int, float, float]:
    return list(SEMIRINGS).index(semiring.name), semiring.zero, semiring.one


def _over_series(work: Callable[[np.ndarray], None], lengths: np.ndarray, lanes: int, n_threads: int) -> None:
    """Call work(rows) on tasks of series of like length, one SIMD group after another, in threads (the kernels release the lock)."""
    rows = np.argsort(-lengths, kind="stable")
    n_groups = -(-len(rows) // lanes)
    if n_threads == 1 or n_groups == 1:
        work(rows)
        return
    per_task = lanes * max(1, n_groups // (GROUPS_PER_TASK * n_threads))
    with ThreadPoolExecutor(min(n_threads, n_groups)) as pool:
        for done in [pool.submit(work, rows[i : i + per_task]) for i in range(0, len(rows), per_task)]:
            done.result()


def _tree(words, chosen, n_channels):
    prefixes = {words[i].letters[:k] for i in chosen for k in range(1, words[i].length + 1)}
    nodes = {prefix: n for n, prefix in enumerate(sorted(prefixes, key=lambda prefix: (len(prefix), prefix)))}
    monomials = {letter[:k] for prefix in nodes for letter in prefix[-1:] for k in range(2, len(letter) + 1)}
    rows = {(c,): c for c in range(n_channels)}
    composite = sorted(monomials, key=lambda letter: (len(letter), letter))
    rows.update({letter: n_channels + i for i, letter in enumerate(composite)})
    levels = np.array([len(prefix) for prefix in nodes])
    arrays = (
        np.array([nodes.get(prefix[:-1], 0) for prefix in nodes]),
        np.array([rows[prefix[-1]] for prefix in nodes]),
        np.searchsorted(levels, np.arange(1, levels[-1] + 2)),
        np.array([rows[letter[:-1]] for letter in composite], dtype=np.int64),
        np.array([letter[-1] for letter in composite], dtype=np.int64),
    )
    return arrays, np.array([nodes[words[i].letters] for i in chosen]), np.array(chosen), np.array([words[i].length for i in chosen])
