"""Words and semirings: text form, counts, laws."""

import dataclasses
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigfeat.semirings import SEMIRINGS
from sigfeat.words import Word, count_words, words_of_length, words_of_weight
from tests.strategies import words


@given(words(n_channels=12))
def test_text_form_is_read_back(word):
    assert Word.parse(str(word)) == word
    assert pickle.loads(pickle.dumps(word)) == word


def test_letters_are_monomials_so_the_order_of_channels_does_not_matter():
    assert Word.parse("[2,1] [3]") == Word(((0, 1), (2,)))
    assert (Word.parse("[1,1,2][3]").length, Word.parse("[1,1,2][3]").weight) == (2, 4)
    assert Word.parse("[1][4]").channels == {0, 3}


@pytest.mark.parametrize(
    "text", ["", "  ", "1", "[1", "[]", "[1][", "[a]", "[1,]", "[1]x[2]", "[-1]", "[1.5]", "[0]", "[1][0,2]"]
)
def test_what_is_no_word_is_named(text):
    with pytest.raises(ValueError, match="word '"):
        Word.parse(text)


def test_a_word_is_text_and_not_empty():
    with pytest.raises(TypeError, match="int"):
        Word.parse(3)
    for letters in ((), ((),), ((-1,),)):
        with pytest.raises(ValueError, match="letters="):
            Word(letters)


@pytest.mark.parametrize(("n_channels", "level"), list(itertools.product([1, 2, 3], [1, 2, 3, 4])))
def test_levels_hold_every_word_once(n_channels, level):
    by_length, by_weight = words_of_length(n_channels, level), words_of_weight(n_channels, level)
    assert len(set(by_length)) == len(by_length) == n_channels**level
    assert by_length == sorted(by_length)
    assert len(set(by_weight)) == len(by_weight)
    assert {word.weight for word in by_weight} == {level}
    assert set(by_length) <= set(by_weight)
    for kind, make in (("length", words_of_length), ("weight", words_of_weight)):
        assert count_words(n_channels, level, kind) == sum(len(make(n_channels, k)) for k in range(1, level + 1))


def test_weight_three_on_one_channel_by_hand():
    assert {str(word) for word in words_of_weight(1, 3)} == {"[1,1,1]", "[1,1][1]", "[1][1,1]", "[1][1][1]"}


@pytest.mark.parametrize("make", [words_of_length, words_of_weight])
@pytest.mark.parametrize("arguments", [(0, 1), (1, 0)])
def test_levels_and_alphabets_start_at_one(make, arguments):
    with pytest.raises(ValueError, match="at least 1, got 0"):
        make(*arguments)


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("max_times", {"add": np.minimum, "zero": np.inf}, "product of zero and a value must be zero, got .*nan"),
        ("min_plus", {"zero": 0.0}, "zero=0.0 and one=0.0 must be neutral in semiring 'min_plus'"),
        ("max_plus", {"multiply": np.minimum, "one": np.inf}, "decay_factor must be one=inf for rate 0"),
        ("max_plus", {"decay_factor": lambda rate: -float(rate > 0)}, "got -0.0 for rate 0, -1.0 for 0.5 and -1.0 for"),
    ],
)
def test_what_is_not_a_semiring_is_refused(name, changed, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SEMIRINGS[name], **changed)


@pytest.mark.parametrize("ring", SEMIRINGS.values(), ids=lambda ring: ring.name)
@given(values=st.tuples(*[st.integers(0, 8).map(float)] * 3))
def test_semiring_laws(ring, values):
    a, b, c = values
    assert ring.add(a, ring.zero) == a
    assert ring.multiply(a, ring.one) == a
    assert ring.multiply(a, ring.zero) == ring.zero
    assert ring.add(a, b) == ring.add(b, a)
    assert ring.multiply(a, ring.add(b, c)) == pytest.approx(
        ring.add(ring.multiply(a, b), ring.multiply(a, c)), rel=1e-14
    )
    assert ring.decay_factor(0.0) == ring.one
    assert a == 0 or ring.multiply(a, ring.decay_factor(0.5)) != a
