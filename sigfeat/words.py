"""Words, along which iterated sums are taken."""

import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sigfeat._messages import plain

_CHANNEL = r'\s*"(?:[^"\\]|\\.)*"\s*|[^\[\],|<>"\\]+'
SHOWN = 20  # channels in a message
_CHANNELS = re.compile(_CHANNEL)
LETTER = re.compile(rf"\[(?:{_CHANNEL})(?:,(?:{_CHANNEL}))*\]")  # channels by number, name or quoted name


@dataclass(frozen=True, order=True, slots=True)
class Word:
    """A word over the channels of a series.

    A letter is a monomial in the channels, and a word is a sequence of letters. The text form counts channels from
    1: ``[1][1,2]`` has the two letters x_1 and x_1 x_2.

    Parameters
    ----------
    letters : tuple of tuple of int
        The channels of each letter, counted from 0; a channel is repeated according to its power.

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
    def parse(cls, text: str, labels: Sequence[str] = ()) -> "Word":
        """Word of a text form, in which channels are counted from 1.

        Parameters
        ----------
        text : str
            Letters in brackets, channels of a letter separated by commas.
        labels : sequence of str, default=()
            Labels of all channels, as from `channel_labels`. A channel may be written as its number or as its label. A
            number is always the position of a channel; a channel whose name is a number is written in quotes.

        Returns
        -------
        word : Word

        Raises
        ------
        TypeError
            If `text` is not a string.
        ValueError
            If `text` is not a word, or names a channel that is not in `labels`.

        Examples
        --------
        >>> from sigfeat import Word
        >>> Word.parse("[speed][speed,temp]", ["speed", "temp"]) == Word.parse("[1][1,2]")
        True
        """
        if not isinstance(text, str):
            raise TypeError(
                f"a word must be given as text such as '[1][1,2]', got {plain(text)!r} of type {type(text).__name__}"
            )
        unreadable = f"word {text!r} cannot be read: letters are channels in brackets, such as '[1][1,2]'"
        if not text.strip() or LETTER.sub("", text).strip():
            raise ValueError(unreadable)
        places = {label: c for c, label in enumerate(labels) if not label.isdecimal()}
        letters = []
        for letter in channels_of_letters(text):
            if "" in letter:
                raise ValueError(unreadable)
            letters.append(tuple(int(c) - 1 if c.isdecimal() else places.get(c, -1) for c in letter))
            for channel, place in zip(letter, letters[-1], strict=True):
                if place < 0 and channel.isdecimal():
                    raise ValueError(f"word {text!r} names channel 0, but channels are counted from 1")
                if place < 0 and not places:
                    raise ValueError(unreadable)
                if place < 0:
                    known = ", ".join(labels[:SHOWN]) + ", ..." * (len(labels) > SHOWN)
                    raise ValueError(f"word {text!r} names channel {channel}, but the channels of X are {known}")
        return cls(tuple(letters))

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

    def spell(self, labels: Sequence[str]) -> str:
        """Text form with the labels of the channels in place of their numbers.

        Parameters
        ----------
        labels : sequence of str
            Labels of all channels, as from `channel_labels`.

        Returns
        -------
        text : str

        Examples
        --------
        >>> from sigfeat import Word
        >>> Word.parse("[1][1,2]").spell(["speed", "temp"])
        '[speed][speed,temp]'
        """
        return "".join("[" + ",".join(labels[channel] for channel in letter) + "]" for letter in self.letters)

    def __str__(self) -> str:
        """Text form, channels counted from 1."""
        return "".join("[" + ",".join(str(channel + 1) for channel in letter) + "]" for letter in self.letters)


def channel_labels(names: Sequence[str] | None, n_channels: int) -> list[str]:
    """Text of each channel in the names of features.

    Parameters
    ----------
    names : sequence of str or None
        Names of the channels; None if they have none.
    n_channels : int
        Number of channels.

    Returns
    -------
    labels : list of str
        The names; or the numbers from 1 on, if there are no names or two channels have the same name. A name is quoted
        as in JSON if it would be ambiguous: if it is empty, starts or ends with a blank, is a number, or contains a
        character that cannot be printed, one of ``[],|<>"``, or a backslash.

    Examples
    --------
    >>> from sigfeat.words import channel_labels
    >>> print(*channel_labels(["speed", "a,b", "7"], 3))
    speed "a,b" "7"
    >>> channel_labels(None, 3)
    ['1', '2', '3']
    """
    labels = [] if names is None else [_label(str(name)) for name in names]
    return labels if len(set(labels)) == n_channels else [str(c + 1) for c in range(n_channels)]


def channels_of_letters(text: str) -> list[list[str]]:
    """Labels of the channels of each letter in the text of a word, or of each bracket in that of a Lie bracket."""
    letters = (_CHANNELS.findall(letter[1:-1]) for letter in LETTER.findall(text))
    return [[_stripped(channel) for channel in letter] for letter in letters]


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
    """All words of monomials whose degrees add up to `weight`, which are one level of the iterated-sums signature.

    Parameters
    ----------
    n_channels, weight : int
        Size of the alphabet and total degree, each at least 1.

    Returns
    -------
    words : list of Word
        Sorted by decreasing degree of the first letter, then lexicographically.

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
    """Number of words whose length ("length") or weight ("weight") is 1 to `depth`, without building them."""
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


def _label(name: str) -> str:
    plain = name and name == name.strip() and name.isprintable() and not name.isdecimal()
    return name if plain and not re.search(r'[\[\],|<>"\\]', name) else json.dumps(name, ensure_ascii=False)


def _stripped(channel: str) -> str:
    """Label of a channel in the text of a word, with quotes only where they are needed."""
    channel = channel.strip()
    try:
        return _label(json.loads(channel)) if channel.startswith('"') else channel
    except ValueError:  # not a JSON string, hence not the label of any channel
        return channel


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
