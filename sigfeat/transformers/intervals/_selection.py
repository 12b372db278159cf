"""Features of quantiles over intervals: a random selection of them, and their windows and quantiles."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.random import sample_without_replacement

from sigfeat._kernels.intervals.quantiles import Layout
from sigfeat.transformers._contract.feature_table import Columns
from sigfeat.words import Word

LEAST_COLUMNS = 32  # of a row that is used, where not all features are kept


def runs(values: Sequence[int]) -> list[range]:
    """Places of each run of equal values."""
    starts = [place for place in range(len(values)) if not place or values[place] != values[place - 1]]
    return [range(first, stop) for first, stop in itertools.pairwise([*starts, len(values)])]


def quotas(sizes: Sequence[int], limit: int | None) -> list[int]:
    """How many of so many features of each group are kept: as many of each as possible, if not all."""
    kept, left = [0] * len(sizes), sum(sizes) if limit is None else limit
    order = sorted(range(len(sizes)), key=lambda group: sizes[group])
    for place, group in enumerate(order):
        kept[group] = min(sizes[group], left // (len(order) - place))
        left -= kept[group]
    return kept


def chosen_features(
    n_rows: int, n_columns: int, n_kept: int, random_state: np.random.RandomState
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows that are used, and of each kept feature its place among these rows and its column.

    Where very few features of a row would be kept, some rows are left out.
    """
    used = np.arange(n_rows)
    n_used = max(1, -(-n_kept // min(n_columns, LEAST_COLUMNS)))
    if n_used < n_rows and n_kept < n_rows * n_columns:
        used = np.sort(sample_without_replacement(n_rows, n_used, random_state=random_state))
    n_features = len(used) * n_columns
    kept = np.arange(n_features)
    if n_kept < n_features:
        kept = np.sort(sample_without_replacement(n_features, n_kept, random_state=random_state))
    return used, kept // n_columns, kept % n_columns


def random_words(n_channels: int, length: int, n_words: int, random_state: np.random.RandomState) -> list[Word]:
    """Different words of so many single channels, in the order of `words_of_length`: all, or some without listing all.

    There are n_channels ** length of them, which must be less than 2 ** 31.
    """
    count = n_channels**length
    numbers = np.arange(count)
    if n_words < count:
        numbers = np.sort(sample_without_replacement(count, n_words, random_state=random_state))
    powers = n_channels ** np.arange(length - 1, -1, -1)
    letters = numbers[:, np.newaxis] // powers % n_channels
    return [Word(tuple((channel,) for channel in row)) for row in letters.tolist()]


def interval_columns(layout: Layout) -> Columns:
    """Windows and quantiles of the columns of a row."""
    columns: Columns = {"window": [], "quantile": []}
    for level, (n_quantiles, shifted) in enumerate(zip(layout.n_quantiles.tolist(), layout.shifted, strict=True)):
        n = 2**level
        windows = [f"{j}/{n}-{j + 1}/{n}" for j in range(n)]
        windows += [f"{2 * j + 1}/{2 * n}-{2 * j + 3}/{2 * n}" for j in range(n - 1)] if shifted else []
        quantiles = [f"q{k}/{n_quantiles - 1}" for k in range(n_quantiles)] if n_quantiles > 1 else ["q1/2"]
        columns["window"] += [window for window in windows for _ in quantiles]
        columns["quantile"] += quantiles * len(windows)
    return columns
