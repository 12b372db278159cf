"""A random selection of features: of rows of values, of the columns of each row, and of words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.random import sample_without_replacement

from sigfeat.words import Word

LEAST_COLUMNS = 32  # of a row that is used, where not all features are kept


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


def random_words(n_channels: int, depth: int, n_words: int, random_state: np.random.RandomState) -> tuple[Word, ...]:
    """Different words of 1 to `depth` single channels, in the order of `words_of_length`, without listing all."""
    counts = np.array([n_channels**k for k in range(1, depth + 1)], np.int64)
    numbers = np.sort(sample_without_replacement(int(counts.sum()), n_words, random_state=random_state))
    lengths = np.searchsorted(counts.cumsum(), numbers, side="right") + 1
    numbers -= (counts.cumsum() - counts)[lengths - 1]
    return tuple(
        Word(tuple((int(number) // n_channels ** (k - 1 - i) % n_channels,) for i in range(k)))
        for number, k in zip(numbers.tolist(), lengths.tolist(), strict=True)
    )
