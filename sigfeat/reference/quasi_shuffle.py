"""Algebra of iterated sums: their products, and their relation to the signature."""

import math
from collections import Counter
from fractions import Fraction

from sigfeat.words import Word

Letters = tuple[tuple[int, ...], ...]


def quasi_shuffle(left: Word, right: Word) -> Counter[Word]:
    """Words, with multiplicities, whose strict real iterated sums add up to the product S_left(t) S_right(t).

    With letters a, b and words u, v:  ua * vb = (u * vb) a + (ua * v) b + (u * v) (ab).

    Parameters
    ----------
    left, right : Word
        The factors.

    Returns
    -------
    words : Counter of Word
        Multiplicity of each word.

    References
    ----------
    .. [1] Hoffman, "Quasi-shuffle products", 2000, arXiv:math/9907173.

    Examples
    --------
    >>> from sigfeat import Word
    >>> from sigfeat.reference.quasi_shuffle import quasi_shuffle
    >>> {str(word): n for word, n in quasi_shuffle(Word.parse("[1]"), Word.parse("[2]")).items()}
    {'[2][1]': 1, '[1][2]': 1, '[1,2]': 1}
    """
    return Counter({Word(letters): n for letters, n in _product(left.letters, right.letters).items()})


def _product(left: Letters, right: Letters) -> Counter[Letters]:
    if not left or not right:
        return Counter({left + right: 1})
    total: Counter[Letters] = Counter()
    merged = tuple(sorted(left[-1] + right[-1]))
    for u, v, last in (
        (left[:-1], right, left[-1]),
        (left, right[:-1], right[-1]),
        (left[:-1], right[:-1], merged),
    ):
        for letters, n in _product(u, v).items():
            total[(*letters, last)] += n
    return total


def hoffman_exponential(word: Word) -> dict[Word, Fraction]:
    """Linear combination of iterated sums of increments that equals a coefficient of the signature of the path.

    The path is piecewise linear.

    exp(a_1 ... a_k) = sum over k = i_1 + ... + i_p of (a_1 .. a_{i_1}) ... (.. a_k) / (i_1! ... i_p!),
    where brackets are merged letters.

    Parameters
    ----------
    word : Word
        A word of single channels.

    Returns
    -------
    terms : dict of Word to Fraction
        Coefficient of each iterated sum.

    References
    ----------
    .. [1] Hoffman, "Quasi-shuffle products", 2000, arXiv:math/9907173; Diehl, Ebrahimi-Fard,
       Tapia, 2020, arXiv:1906.05823.

    Examples
    --------
    >>> from sigfeat import Word
    >>> from sigfeat.reference.quasi_shuffle import hoffman_exponential
    >>> {str(term): str(factor) for term, factor in hoffman_exponential(Word.parse("[1][2]")).items()}
    {'[1][2]': '1', '[1,2]': '1/2'}
    """
    channels = [letter[0] for letter in word.letters]
    terms: dict[Word, Fraction] = {}
    for cuts in range(2 ** (word.length - 1)):
        letters, factor, start = [], Fraction(1), 0
        for end in range(1, word.length + 1):
            if end == word.length or not cuts >> (end - 1) & 1:
                letters.append(tuple(channels[start:end]))
                factor /= math.factorial(end - start)
                start = end
        term = Word(tuple(letters))
        terms[term] = terms.get(term, Fraction(0)) + factor
    return terms
