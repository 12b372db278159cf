"""Selection of the words of a transformer."""

from collections.abc import Sequence
from typing import Any

from sigfeat._messages import plain
from sigfeat.transformers._contract.memory import MAX_DEPTH, WORD_BYTES, check_word_count
from sigfeat.words import Word, count_words, words_of_length, words_of_weight

FEWER_WORDS = "lower the depth, choose words or use LowRankISSTransformer"


def chosen_words(
    words: str | Sequence[str],
    depth: int,
    n_channels: int,
    n_columns: int,
    n_samples: int,
    dtype: Any,
    name: str,
    *,
    labels: Sequence[str] = (),
    workspace: int = 0,
    word_bytes: int = WORD_BYTES,
    remedy: str = FEWER_WORDS,
) -> tuple[Word, ...]:
    """The words selected by `words` and `depth`, with `n_columns` features each.

    labels: names of the channels that words may use; see `Word.parse`.

    Raises a ValueError if a word cannot be parsed or names a missing channel, or if the features, together with
    `workspace` more bytes, would not fit into memory. Words are counted before they are listed.
    """
    rule = words if isinstance(words, str) else None
    or_more = rule is not None and depth > MAX_DEPTH and (rule == "weight" or n_channels > 1)
    n_words = len(words) if rule is None else count_words(n_channels, MAX_DEPTH if or_more else depth, rule)
    what = f"{name} with a list of words" if rule is None else f"{name} with depth={depth}, words={rule!r}"
    check_word_count(n_samples, n_words, n_columns, dtype, what, word_bytes, workspace, remedy, or_more)
    if rule is not None:
        level = words_of_length if rule == "length" else words_of_weight
        return tuple(word for k in range(1, depth + 1) for word in level(n_channels, k))
    chosen = tuple(Word.parse(text, labels) for text in words)
    for word in chosen:
        if max(word.channels) >= n_channels:
            raise ValueError(f"words: {word} names channel {max(word.channels) + 1}, but X has {n_channels} channels")
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"words must be different words, at least one, got {plain(words)!r}")
    return chosen
