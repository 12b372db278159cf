"""Words: what an iterated sum runs along."""

import itertools
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sigfeat._messages import plain

_LETTER = re.compile(r"\[\s*(\d+(?:\s*,\s*\d+)*)\s*\]")


@dataclass(frozen=True, order=True, slots=True)
class Word:
    """A word over the channels of a series.

    A letter is a monomial in the channels, a word a sequence of letters; the text form counts channels from
    1: ``[1][1,2]`` has the two letters x_1 and x_1 x_2.

    Parameters
    ----------
    letters : tuple of tuple of int
        Each letter as its channels, counted from 0, in increasing order, a channel repeated once per power.

    Attributes
    ----------
    length : int
        Number of letters.
    weight : int
        Sum of the degrees of the letters.
    channels : frozenset of int
        Channels that occur, counted from 0: the part of the alphabet that the word uses.

    Raises
    ------
    ValueError
        If the word or a letter is empty, or a channel is negative.

    Examples
    --------
    >>> from sigfeat import Word
    >>> word = Word.parse("[1][1,2]")
    >>> word.letters, word.length, word.weight, str(word)
    (((0,), (0, 1)), 2, 3, '[1][1,2]')
    """

    letters: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not self.letters or not all(self.letters):
            raise ValueError(
                "a word needs at least one letter and a letter at least one channel, "
                f"got letters={plain(self.letters)!r}"
            )
        if min(map(min, self.letters)) < 0:
            raise ValueError(f"channels of a word are counted from 0, got letters={plain(self.letters)!r}")
        object.__setattr__(self, "letters", tuple(tuple(sorted(letter)) for letter in self.letters))

    @classmethod
    def parse(cls, text: str) -> "Word":
        """Word from its text form, channels counted from 1.

        Parameters
        ----------
        text : str
            Letters in brackets, channels of a letter separated by commas.

        Returns
        -------
        word : Word

        Raises
        ------
        TypeError
            If `text` is not a string.
        ValueError
            If `text` is no word.
        """
        if not isinstance(text, str):
            raise TypeError(
                f"a word must be given as text such as '[1][1,2]', got {plain(text)!r} of type {type(text).__name__}"
            )
        if not text.strip() or _LETTER.sub("", text).strip():
            raise ValueError(f"word {text!r} cannot be read: letters are channels in brackets, such as '[1][1,2]'")
        letters = tuple(tuple(int(channel) for channel in letter.split(",")) for letter in _LETTER.findall(text))
        if min(map(min, letters)) < 1:
            raise ValueError(f"word {text!r} names channel 0, but channels are counted from 1")
        return cls(tuple(tuple(channel - 1 for channel in letter) for letter in letters))

    @property
    def length(self) -> int:
        """Number of letters."""
        return len(self.letters)

    @property
    def weight(self) -> int:
        """Sum of the degrees of the letters."""
        return sum(map(len, self.letters))

    @property
    def channels(self) -> frozenset[int]:
        """Channels that occur, counted from 0."""
        return frozenset(itertools.chain.from_iterable(self.letters))

    def __str__(self) -> str:
        """Text form, channels counted from 1."""
        return "".join("[" + ",".join(str(channel + 1) for channel in letter) + "]" for letter in self.letters)


def words_of_length(n_channels: int, length: int) -> list[Word]:
    """All words of `length` single channels, in lexicographic order.

    Parameters
    ----------
    n_channels, length : int
        Size of the alphabet and number of letters, each at least 1.

    Returns
    -------
    words : list of Word
        n_channels ** length words.

    Raises
    ------
    ValueError
        If a number is below 1.

    Examples
    --------
    >>> from sigfeat import words_of_length
    >>> [str(word) for word in words_of_length(2, 2)]
    ['[1][1]', '[1][2]', '[2][1]', '[2][2]']
    """
    _check_positive(n_channels=n_channels, length=length)
    return [Word(tuple((c,) for c in channels)) for channels in itertools.product(range(n_channels), repeat=length)]


def words_of_weight(n_channels: int, weight: int) -> list[Word]:
    """All words of monomials whose degrees add up to `weight`: one level of the full iterated-sums signature.

    Parameters
    ----------
    n_channels, weight : int
        Size of the alphabet and total degree, each at least 1.

    Returns
    -------
    words : list of Word
        Longer first letters first, then lexicographic.

    Raises
    ------
    ValueError
        If a number is below 1.

    References
    ----------
    .. [1] Diehl, Ebrahimi-Fard, Tapia, "Time-warping invariants of multidimensional time series", 2020,
       arXiv:1906.05823.

    Examples
    --------
    >>> from sigfeat import words_of_weight
    >>> [str(word) for word in words_of_weight(2, 2)]
    ['[1,1]', '[1,2]', '[2,2]', '[1][1]', '[1][2]', '[2][1]', '[2][2]']
    """
    _check_positive(n_channels=n_channels, weight=weight)
    return [Word(letters) for letters in _letters_of_weight(n_channels, weight)]


def count_words(n_channels: int, depth: int, words: str) -> int:
    """Number of words of length ("length") or weight ("weight") 1 to `depth`, without building them."""
    if words == "length":
        return depth if n_channels == 1 else (n_channels ** (depth + 1) - n_channels) // (n_channels - 1)
    counts = [1]
    for weight in range(1, depth + 1):
        counts.append(sum(math.comb(n_channels + w - 1, w) * counts[weight - w] for w in range(1, weight + 1)))
    return sum(counts[1:])


def _letters_of_weight(n_channels: int, weight: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    for first in range(weight, 0, -1):
        rests: Iterable[tuple[tuple[int, ...], ...]]
        rests = [()] if first == weight else list(_letters_of_weight(n_channels, weight - first))
        for letter in itertools.combinations_with_replacement(range(n_channels), first):
            for rest in rests:
                yield (letter, *rest)


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
