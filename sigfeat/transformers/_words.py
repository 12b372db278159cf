"""Which words a transformer runs along."""

from sigfeat._messages import plain
from sigfeat.transformers._memory import check_output_size
from sigfeat.words import Word, count_words, words_of_length, words_of_weight

WORD_BYTES = 500  # of one Word object, about


def chosen_words(words, depth, n_channels, n_columns, n_samples, dtype, name, labels=()):
    """Words, as a tuple, that `words` and `depth` ask for, of `n_columns` features each.

    labels: of the channels, by which words may name them; see `Word.parse`.

    Raises a ValueError if a word cannot be read or names a missing channel, or the features would not fit into memory.
    """
    if isinstance(words, str):
        n_words = count_words(n_channels, depth, words)
        what = f"{name} with depth={depth}, words={words!r}"
        check_output_size(n_samples, n_words * n_columns, dtype, what, n_words * WORD_BYTES)
        level = words_of_length if words == "length" else words_of_weight
        return tuple(word for k in range(1, depth + 1) for word in level(n_channels, k))
    chosen = tuple(Word.parse(text, labels) for text in words)
    for word in chosen:
        if max(word.channels) >= n_channels:
            raise ValueError(f"words: {word} names channel {max(word.channels) + 1}, but X has {n_channels} channels")
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"words must be different words, at least one, got {plain(words)!r}")
    return chosen
