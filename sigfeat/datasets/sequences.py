"""Tasks on sequences of tokens whose answers appear earlier in the sequence."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

NO_TARGET = -100  # the class that torch's cross entropy ignores


class TokenTask(NamedTuple):
    """Sequences of tokens, and the target at each time.

    Parameters
    ----------
    tokens : ndarray of shape (n_samples, length), dtype int64
        Tokens 0, ..., n_tokens - 1.
    targets : ndarray of shape (n_samples, length), dtype int64
        The token to predict at each time, or -100 where there is no target.
    n_tokens : int
        Number of different tokens.
    chance : float
        Accuracy of the best guess that does not depend on the sequence.

    Examples
    --------
    >>> from sigfeat.datasets import make_previous_bit
    >>> tokens, targets, n_tokens, chance = make_previous_bit(n_samples=10, length=12, lag=3)
    >>> bool((targets[:, 3:] == tokens[:, :-3]).all()), n_tokens, chance
    (True, 2, 0.5)
    """

    tokens: NDArray[np.int64]
    targets: NDArray[np.int64]
    n_tokens: int
    chance: float


def make_memory(
    n_samples: int = 1000,
    length: int = 128,
    *,
    n_values: int = 8,
    n_distractors: int = 8,
    random_state: int | np.random.RandomState | None = 0,
) -> TokenTask:
    """Sequences whose first token has to be predicted at the end.

    The first token is one of the values 0, ..., n_values - 1. It is followed by length - 2 distractors, each one of the
    next `n_distractors` tokens. The last token is a cue, n_values + n_distractors, and its target is the value. All
    draws are uniform and independent. This is the copying task of [1]_ and [2]_ with one symbol to copy.

    Parameters
    ----------
    n_samples, length : int, default=1000, 128
        Number of sequences, and of tokens in each, at least 2.
    n_values : int, default=8
        Number of different values, at least 2.
    n_distractors : int, default=8
        Number of different tokens between value and cue, at least 1.
    random_state : int, RandomState instance or None, default=0
        Source of the draws.

    Returns
    -------
    task : TokenTask
        With n_values + n_distractors + 1 tokens and chance 1 / n_values.

    Raises
    ------
    ValueError
        If a number is too small.

    References
    ----------
    .. [1] Hochreiter, Schmidhuber, "Long short-term memory", 1997, Neural Computation 9(8), section 5.
    .. [2] Arjovsky, Shah, Bengio, "Unitary evolution recurrent neural networks", 2015, arXiv:1511.06464, section 5.1.

    Examples
    --------
    >>> from sigfeat.datasets import make_memory
    >>> task = make_memory(n_samples=2, length=6, n_values=3, n_distractors=2)
    >>> task.tokens
    array([[0, 4, 4, 3, 4, 5],
           [2, 4, 4, 4, 4, 5]])
    >>> task.targets[:, -1]
    array([0, 2])
    """
    rng = check_random_state(random_state)
    _check(n_samples=(n_samples, 1), length=(length, 2), n_values=(n_values, 2), n_distractors=(n_distractors, 1))
    tokens = n_values + _draw(rng, n_distractors, n_samples, length)
    tokens[:, 0] = _draw(rng, n_values, n_samples)
    tokens[:, -1] = n_values + n_distractors
    targets = np.full_like(tokens, NO_TARGET)
    targets[:, -1] = tokens[:, 0]
    return TokenTask(tokens, targets, n_values + n_distractors + 1, 1 / n_values)


def make_previous_bit(
    n_samples: int = 1000,
    length: int = 128,
    *,
    lag: int = 64,
    random_state: int | np.random.RandomState | None = 0,
) -> TokenTask:
    """Random bits; the target at each time is the bit `lag` steps before.

    Tokens are 0 and 1, uniform and independent. From time `lag` on (counted from 0), the target is the token `lag`
    steps before; earlier times have no target. This is the delay task of [1]_ for bits.

    Parameters
    ----------
    n_samples, length : int, default=1000, 128
        Number of sequences, and of tokens in each, at least lag + 1.
    lag : int, default=64
        Number of steps between a bit and its prediction, at least 1.
    random_state : int, RandomState instance or None, default=0
        Source of the draws.

    Returns
    -------
    task : TokenTask
        With 2 tokens and chance 1 / 2.

    Raises
    ------
    ValueError
        If a number is too small.

    References
    ----------
    .. [1] Gu, Johnson, Timalsina, Rudra, Ré, "How to train your HiPPO", 2022, arXiv:2206.12037, section 5.

    Examples
    --------
    >>> from sigfeat.datasets import make_previous_bit
    >>> task = make_previous_bit(n_samples=1, length=8, lag=3)
    >>> task.tokens
    array([[0, 1, 1, 0, 1, 1, 1, 1]])
    >>> task.targets
    array([[-100, -100, -100,    0,    1,    1,    0,    1]])
    """
    rng = check_random_state(random_state)
    _check(n_samples=(n_samples, 1), lag=(lag, 1))
    if length <= lag:
        raise ValueError(f"length must be at least {lag + 1} for lag={lag}, got {length}")
    tokens = _draw(rng, 2, n_samples, length)
    targets = np.full_like(tokens, NO_TARGET)
    targets[:, lag:] = tokens[:, :-lag]
    return TokenTask(tokens, targets, 2, 1 / 2)


def make_associative_recall(
    n_samples: int = 1000,
    length: int = 128,
    *,
    n_keys: int = 10,
    n_values: int = 10,
    dense: bool = False,
    random_state: int | np.random.RandomState | None = 0,
) -> TokenTask:
    """Pairs of keys and values, and a key whose value has to be predicted.

    Each sequence has its own dictionary, which assigns a uniform and independent value to each key. The sequence begins
    with (length - 2) / 2 pairs. The key of a pair, one of 0, ..., n_keys - 1, is uniform and independent, so keys may
    occur several times; its value in the dictionary is one of n_keys, ..., n_keys + n_values - 1. The pairs are
    followed by a cue, the token n_keys + n_values, and by the key of one of these pairs, each with the same
    probability. The target at this last key is its value.

    Parameters
    ----------
    n_samples, length : int, default=1000, 128
        Number of sequences, and of tokens in each, an even number, at least 4.
    n_keys, n_values : int, default=10, 10
        Number of different keys and of different values, at least 2.
    dense : bool, default=False
        Whether the target of every key that occurred before is its value, and not only that of the last key. These
        targets are the next tokens, so this option is for causal encoders only.
    random_state : int, RandomState instance or None, default=0
        Source of the draws.

    Returns
    -------
    task : TokenTask
        With n_keys + n_values + 1 tokens and chance 1 / n_values.

    Raises
    ------
    ValueError
        If a number is too small, or `length` is odd.

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy", 2023, arXiv:2302.10866, section 4.1; the cue is that of its published code.
    .. [2] Fu et al., "Hungry hungry hippos", 2022, arXiv:2212.14052, section 3.1.

    Examples
    --------
    >>> from sigfeat.datasets import make_associative_recall
    >>> task = make_associative_recall(n_samples=1, length=10, n_keys=2, n_values=3)
    >>> task.tokens
    array([[0, 3, 1, 3, 1, 3, 0, 3, 5, 0]])
    >>> task.targets[:, -1]
    array([3])
    """
    rng = check_random_state(random_state)
    _check(n_samples=(n_samples, 1), length=(length, 4), n_keys=(n_keys, 2), n_values=(n_values, 2))
    if length % 2:
        raise ValueError(f"length must be even, for pairs, a cue and a key, got {length}")
    n_pairs = (length - 2) // 2
    rows = np.arange(n_samples)
    keys = _draw(rng, n_keys, n_samples, n_pairs + 1)
    keys[:, -1] = keys[rows, _draw(rng, n_pairs, n_samples)]
    values = np.take_along_axis(n_keys + _draw(rng, n_values, n_samples, n_keys), keys, axis=1)
    tokens = np.stack([keys, values], axis=2).reshape(n_samples, length)
    tokens[:, -2], tokens[:, -1] = n_keys + n_values, keys[:, -1]
    targets = np.full_like(tokens, NO_TARGET)
    if dense:
        targets[:, :-2:2] = np.where(_seen_before(keys, n_keys), values, NO_TARGET)[:, :-1]
    targets[:, -1] = values[:, -1]
    return TokenTask(tokens, targets, n_keys + n_values + 1, 1 / n_values)


def make_induction(
    n_samples: int = 1000,
    length: int = 128,
    *,
    n_values: int = 16,
    random_state: int | np.random.RandomState | None = 0,
) -> TokenTask:
    """Random tokens with a marker; the token after it has to be predicted when the marker comes again.

    Tokens are values 0, ..., n_values - 1, uniform and independent, except for a marker, the token n_values. It occurs
    at one of the times 0, ..., length - 3, each with the same probability, and again at the last time, length - 1,
    where the target is the value after the first marker.

    Parameters
    ----------
    n_samples, length : int, default=1000, 128
        Number of sequences, and of tokens in each, at least 3.
    n_values : int, default=16
        Number of different values, at least 2.
    random_state : int, RandomState instance or None, default=0
        Source of the draws.

    Returns
    -------
    task : TokenTask
        With n_values + 1 tokens and chance 1 / n_values.

    Raises
    ------
    ValueError
        If a number is too small.

    References
    ----------
    .. [1] Fu et al., "Hungry hungry hippos", 2022, arXiv:2212.14052, section 3.1.

    Examples
    --------
    >>> from sigfeat.datasets import make_induction
    >>> task = make_induction(n_samples=1, length=8, n_values=4)
    >>> task.tokens
    array([[0, 4, 1, 0, 3, 3, 3, 4]])
    >>> task.targets[:, -1]
    array([1])
    """
    rng = check_random_state(random_state)
    _check(n_samples=(n_samples, 1), length=(length, 3), n_values=(n_values, 2))
    rows = np.arange(n_samples)
    tokens = _draw(rng, n_values, n_samples, length)
    mark = _draw(rng, length - 2, n_samples)
    tokens[rows, mark] = tokens[:, -1] = n_values
    targets = np.full_like(tokens, NO_TARGET)
    targets[:, -1] = tokens[rows, mark + 1]
    return TokenTask(tokens, targets, n_values + 1, 1 / n_values)


def make_selective_copying(
    n_samples: int = 1000,
    length: int = 128,
    *,
    n_copied: int = 4,
    n_values: int = 8,
    random_state: int | np.random.RandomState | None = 0,
) -> TokenTask:
    """Values at random positions among blanks, which have to be reproduced in order at the end.

    Values 0, ..., n_values - 1, uniform and independent, occur at `n_copied` of the first length - n_copied times; each
    choice of times has the same probability. The token at the others is a blank, n_values. The last `n_copied` tokens
    are a cue, n_values + 1, and the target at the j-th of them is the j-th value.

    Parameters
    ----------
    n_samples, length : int, default=1000, 128
        Number of sequences, and of tokens in each, at least 2 n_copied.
    n_copied : int, default=4
        Number of values in each sequence, at least 1.
    n_values : int, default=8
        Number of different values, at least 2.
    random_state : int, RandomState instance or None, default=0
        Source of the draws.

    Returns
    -------
    task : TokenTask
        With n_values + 2 tokens and chance 1 / n_values.

    Raises
    ------
    ValueError
        If a number is too small.

    References
    ----------
    .. [1] Gu, Dao, "Mamba: linear-time sequence modeling with selective state spaces", 2023, arXiv:2312.00752, section
       3.1 and figure 2, which uses 16 values of 14 kinds and up to 4096 times.

    Examples
    --------
    >>> from sigfeat.datasets import make_selective_copying
    >>> task = make_selective_copying(n_samples=1, length=10, n_copied=2, n_values=4)
    >>> task.tokens
    array([[4, 4, 4, 0, 4, 3, 4, 4, 5, 5]])
    >>> task.targets[:, -2:]
    array([[0, 3]])
    """
    rng = check_random_state(random_state)
    _check(n_samples=(n_samples, 1), n_copied=(n_copied, 1), n_values=(n_values, 2))
    if length < 2 * n_copied:
        raise ValueError(f"length must be at least {2 * n_copied} for n_copied={n_copied}, got {length}")
    tokens = np.full((n_samples, length), n_values, np.int64)
    values = _draw(rng, n_values, n_samples, n_copied)
    ranks = rng.random_sample((n_samples, length - n_copied)).argsort(axis=1)  # a permutation in each row
    np.put_along_axis(tokens, np.sort(ranks[:, :n_copied], axis=1), values, axis=1)
    tokens[:, -n_copied:] = n_values + 1
    targets = np.full_like(tokens, NO_TARGET)
    targets[:, -n_copied:] = values
    return TokenTask(tokens, targets, n_values + 2, 1 / n_values)


def _draw(rng: np.random.RandomState, n: int, *shape: int) -> NDArray[np.int64]:
    return rng.randint(n, size=shape, dtype=np.int64)


def _seen_before(keys: NDArray[np.int64], n_keys: int) -> NDArray[np.bool_]:
    """Which keys occur earlier in the same row."""
    is_key = keys[:, :, np.newaxis] == np.arange(n_keys)
    earlier = is_key.cumsum(axis=1) - is_key
    found: NDArray[np.bool_] = np.take_along_axis(earlier, keys[:, :, np.newaxis], axis=2)[..., 0] > 0
    return found


def _check(**limits: tuple[int, int]) -> None:
    for name, (value, least) in limits.items():
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
