"""Parts of the names of features."""

import re
from typing import NamedTuple

from sigfeat.pooling import POOLINGS
from sigfeat.words import LETTER

WINDOW = re.compile(r"\d+/\d+-\d+/\d+")
POOLING = re.compile(rf"({'|'.join(POOLINGS)}|largest|smallest)\d*|q\d+/\d+")
LETTERS = re.compile(rf"{LETTER.pattern}|<\d+\.\d+>")
BRACKETS = re.compile(r"[\[\],]*")  # around the letters of a word
QUOTED = re.compile(r'(?<=[\[,])"(?:[^"\\]|\\.)*"(?=[\],])')
INNERMOST = re.compile(r"\[[^\[\]|]*\]")
NONE = "none"


class NameParts(NamedTuple):
    """Parts of the name of a feature, with "none" for parts that it does not have.

    Parameters
    ----------
    union : str
        Name of the feature's transformer in a `FeatureUnion` or `ColumnTransformer`.
    word : str
        Word, functional, element of a development, or component of an embedding.
    kind : str
        Semiring, kind of signature, filter, or representation of the series.
    pooling : str
        Statistic over time, or quantile.
    window : str
        Part of the series.
    level : str
        Number of letters of the word.
    """

    union: str
    word: str
    kind: str
    pooling: str
    window: str
    level: str


PARTS = NameParts._fields


def name_parts(name):
    """Parts of the name of a feature.

    Parameters
    ----------
    name : str
        A name from `get_feature_names_out` of a transformer of sigfeat, or of a pipeline or `FeatureUnion` of them.

    Returns
    -------
    parts : NameParts
        Strings `union`, `word`, `kind`, `pooling`, `window` and `level`.

    Examples
    --------
    >>> from sigfeat.plotting import name_parts
    >>> name_parts("iss__[1][1,2]|max_plus|mean|1/2-2/2")  # doctest: +NORMALIZE_WHITESPACE
    NameParts(union='iss', word='[1][1,2]', kind='max_plus', pooling='mean', window='1/2-2/2', level='2')
    >>> name_parts("[speed][speed,temp]|real|end").word
    '[speed][speed,temp]'
    >>> name_parts("dev3[SO(5)](2,4)").level
    'none'
    """
    name = str(name)
    plain = _without_channels(name)
    start = plain.rfind("__")
    union, start = (name[:start], start + 2) if start >= 0 else ("", 0)
    cut = plain.find("|", start)
    cut = len(name) if cut < 0 else cut
    word, others = name[start:cut], name[cut + 1 :].split("|") if cut < len(name) else []
    window = others.pop() if others and WINDOW.fullmatch(others[-1]) else NONE
    pooling = others.pop() if others and POOLING.fullmatch(others[-1]) else NONE
    n_letters = len(LETTERS.findall(word)) if BRACKETS.fullmatch(LETTERS.sub("", word)) else 0
    return NameParts(union or NONE, word, "|".join(others) or NONE, pooling, window, str(n_letters or NONE))


def _without_channels(name):
    """The name, of the same length, with everything in quotes and brackets masked, as it may contain separators."""
    name = QUOTED.sub(lambda found: "#" * len(found[0]), name)
    while INNERMOST.search(name):
        name = INNERMOST.sub(lambda found: "#" * len(found[0]), name)
    return name
