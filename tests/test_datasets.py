"""Synthetic tasks are what their docstrings say."""

import numpy as np
import pytest

from sigfeat.datasets import (
    load_python_help,
    make_associative_recall,
    make_coincidence,
    make_induction,
    make_memory,
    make_pointer,
    make_previous_bit,
    make_selective_copying,
)
from sigfeat.datasets.pulses import shape

TOKEN_MAKERS = (make_memory, make_previous_bit, make_associative_recall, make_induction, make_selective_copying)


def kind_at(x, start, n_shapes, width):
    """Kind of the shape that stands at a place, by its inner product with each."""
    shapes = np.stack([shape(kind, width) for kind in range(n_shapes)])
    return (shapes @ x[start : start + width]).argmax()


def test_shapes_can_be_told_apart():
    shapes = np.stack([shape(kind, 30) for kind in range(4)])
    products = shapes @ shapes.T
    assert (products.argmax(axis=1) == np.arange(4)).all()
    assert np.abs(shapes).max() < 1


def test_the_class_of_a_coincidence_is_the_kind_under_the_pulse():
    X, y = make_coincidence(n_samples=200, length=120, n_shapes=3, n_places=4, noise=0.0, random_state=1)
    assert X.shape == (200, 2, 120)
    assert X.dtype == np.float64
    width = 120 // 4 // 2
    for x, label in zip(X, y, strict=True):
        start = np.flatnonzero(x[1])[0]
        assert np.count_nonzero(x[1]) == width
        assert kind_at(x[0], start, 3, width) == label
    assert np.bincount(y).min() > 40


@pytest.mark.parametrize(("n_jumps", "n_shapes"), [(1, 4), (2, 3), (3, 2)])
def test_the_class_of_a_pointer_task_is_where_the_pointers_end(n_jumps, n_shapes):
    X, y = make_pointer(n_samples=100, length=400, n_jumps=n_jumps, n_shapes=n_shapes, noise=0.0, random_state=1)
    d = int(400 / (n_jumps * (n_shapes + 0.5) + 1.25))
    width = 3 * d // 4
    for x, label in zip(X[:, 0], y, strict=True):
        first = np.flatnonzero(x)[0]
        assert first <= d // 2
        here, stage = kind_at(x, first, n_shapes, width), 0.0
        for jump in range(n_jumps):
            stage += 1.5 if jump == 0 else n_shapes - 1 + 1.5
            here = kind_at(x, first + int((stage + here) * d), n_shapes, width)
        assert here == label
        assert np.flatnonzero(x)[-1] < 400
    assert np.bincount(y, minlength=n_shapes).min() > 100 / n_shapes / 2


@pytest.mark.parametrize("make", [make_coincidence, make_pointer])
def test_tasks_are_seeded_and_noisy(make):
    X, y = make(n_samples=5, length=200, noise=0.5, random_state=3)
    again, labels = make(n_samples=5, length=200, noise=0.5, random_state=3)
    np.testing.assert_array_equal(X, again)
    np.testing.assert_array_equal(y, labels)
    quiet, _ = make(n_samples=5, length=200, noise=0.0, random_state=3)
    assert 0.4 < (X - quiet).std() < 0.8
    assert (make(n_samples=5, length=200, random_state=4)[0] != X).any()


@pytest.mark.parametrize(
    ("make", "parameters", "message"),
    [
        (make_coincidence, {"length": 60}, "length must leave at least 8 steps for each shape, got length=60, which"),
        (make_pointer, {"length": 60}, "length must leave at least 8 steps for each shape, got length=60, which"),
        (make_pointer, {"n_jumps": 0}, "n_jumps must be at least 1, got 0"),
        (make_pointer, {"n_shapes": 1}, "n_shapes must be at least 2, got 1"),
        (make_coincidence, {"n_places": 0}, "n_places must be at least 1, got 0"),
    ],
    ids=["short coincidence", "short pointer", "jumps", "shapes", "places"],
)
def test_tasks_that_cannot_be_are_refused(make, parameters, message):
    with pytest.raises(ValueError, match=message):
        make(**parameters)


# ----------------------------------------------------------------------------------------------------- a text


def test_the_text_gives_no_paragraph_twice():
    text = load_python_help()
    words = [" ".join(paragraph.split()) for paragraph in text.decode().split("\n\n")]
    assert 200_000 < len(text) < 1_000_000
    assert all(words)
    assert len(set(words)) == len(words)
    assert text == load_python_help()


# ------------------------------------------------------------------------------------------- sequences of tokens

TOKEN_TASKS = {
    "memory": (make_memory, {"length": 20, "n_values": 3, "n_distractors": 2}),
    "memory, shortest": (make_memory, {"length": 2, "n_values": 2, "n_distractors": 1}),
    "previous bit": (make_previous_bit, {"length": 20, "lag": 7}),
    "previous bit, one step": (make_previous_bit, {"length": 2, "lag": 1}),
    "associative recall": (make_associative_recall, {"length": 20, "n_keys": 4, "n_values": 3}),
    "associative recall, dense": (make_associative_recall, {"length": 20, "n_keys": 4, "n_values": 3, "dense": True}),
    "associative recall, shortest": (make_associative_recall, {"length": 4, "n_keys": 2, "n_values": 2}),
    "induction": (make_induction, {"length": 20, "n_values": 5}),
    "induction, shortest": (make_induction, {"length": 3, "n_values": 2}),
    "selective copying": (make_selective_copying, {"length": 20, "n_copied": 3, "n_values": 4}),
    "selective copying, no blank": (make_selective_copying, {"length": 6, "n_copied": 3, "n_values": 2}),
}


def answers(name, tokens, *, lag=0, n_keys=0, n_values=0, n_distractors=0, n_copied=0, dense=False, **_):
    """What is asked for, time -> answer, read from one sequence by the words of the definition."""
    last = len(tokens) - 1
    if name.startswith("memory"):
        assert tokens[0] < n_values
        assert all(n_values <= token < n_values + n_distractors for token in tokens[1:-1])
        assert tokens[last] == n_values + n_distractors
        return {last: tokens[0]}
    if name.startswith("previous bit"):
        return {t: tokens[t - lag] for t in range(lag, len(tokens))}
    if name.startswith("associative recall"):
        pairs = list(zip(tokens[:-2:2], tokens[1:-2:2], strict=True))
        assert tokens[-2] == n_keys + n_values
        known, found = {}, {}
        for place, (key, value) in enumerate(pairs):
            assert key < n_keys <= value < n_keys + n_values
            if key in known and dense:
                found[2 * place] = known[key]
            assert known.setdefault(key, value) == value
        return found | {last: known[tokens[last]]}
    if name.startswith("induction"):
        assert [t for t, token in enumerate(tokens) if token == n_values] == [tokens.index(n_values), last]
        return {last: tokens[tokens.index(n_values) + 1]}
    assert all(token <= n_values for token in tokens[:-n_copied])
    assert tokens[-n_copied:] == [n_values + 1] * n_copied
    said = [token for token in tokens[:-n_copied] if token < n_values]
    assert len(said) == n_copied
    return {len(tokens) - n_copied + j: value for j, value in enumerate(said)}


@pytest.mark.parametrize("name", TOKEN_TASKS)
def test_every_answer_follows_from_the_tokens(name):
    make, sizes = TOKEN_TASKS[name]
    task = make(n_samples=200, random_state=1, **sizes)
    assert task.tokens.shape == task.targets.shape == (200, sizes["length"])
    assert task.tokens.dtype == task.targets.dtype == np.int64
    for tokens, targets in zip(task.tokens.tolist(), task.targets.tolist(), strict=True):
        asked = {t: target for t, target in enumerate(targets) if target != -100}
        assert asked == answers(name, tokens, **sizes)
    assert task.tokens.min() == 0


@pytest.mark.parametrize("name", TOKEN_TASKS)
def test_all_tokens_occur_and_no_guess_beats_chance(name):
    make, sizes = TOKEN_TASKS[name]
    task = make(n_samples=4000, random_state=2, **sizes)
    without_blank = {"selective copying, no blank": {2}, "memory, shortest": {2}}.get(name, set())
    assert set(range(task.n_tokens)) - set(np.unique(task.tokens)) == without_blank
    at_time = [column[column != -100] for column in task.targets.T]
    for found in filter(len, at_time):  # the most frequent answer, of all and at each time
        assert np.unique(found, return_counts=True)[1].max() / len(found) == pytest.approx(task.chance, abs=0.08)
    found = task.targets[task.targets != -100]
    assert np.unique(found, return_counts=True)[1].max() / len(found) == pytest.approx(task.chance, abs=0.02)


def test_places_are_uniform():
    """Of the mark, of copied values and of the key that is asked for."""
    marks = (make_induction(5000, 12, n_values=4).tokens[:, :-1] == 4).mean(axis=0)
    np.testing.assert_allclose(marks, [0.1] * 10 + [0], atol=0.02)
    values = (make_selective_copying(5000, 13, n_copied=3, n_values=4).tokens[:, :-3] < 4).mean(axis=0)
    np.testing.assert_allclose(values, [0.3] * 10, atol=0.03)
    pairs = make_associative_recall(20_000, 12, n_keys=50, n_values=2).tokens
    asked = (pairs[:, :-2:2] == pairs[:, -1:]).mean(axis=0)
    np.testing.assert_allclose(asked, [0.2 + 0.8 / 50] * 5, atol=0.02)  # drawn itself, or the same key by chance


def test_token_tasks_by_hand():
    bits = make_previous_bit(1, 8, lag=3)
    np.testing.assert_array_equal(bits.targets[0], [-100, -100, -100, *bits.tokens[0, :5]])
    assert [make(n_samples=1).n_tokens for make in TOKEN_MAKERS] == [17, 2, 21, 17, 10]
    assert [make(n_samples=1).chance for make in TOKEN_MAKERS] == [1 / 8, 1 / 2, 1 / 10, 1 / 16, 1 / 8]
    tokens, targets, n_tokens, chance = make_memory(1)
    assert (tokens.shape, targets.shape, n_tokens, chance) == ((1, 128), (1, 128), 17, 0.125)


@pytest.mark.parametrize("make", TOKEN_MAKERS)
def test_token_tasks_are_seeded(make):
    task, again = make(n_samples=5, random_state=3), make(n_samples=5, random_state=np.random.RandomState(3))
    np.testing.assert_array_equal(task.tokens, again.tokens)
    np.testing.assert_array_equal(task.targets, again.targets)
    assert (make(n_samples=5, random_state=4).tokens != task.tokens).any()


@pytest.mark.parametrize(
    ("make", "parameters", "message"),
    [
        (make_memory, {"length": 1}, "length must be at least 2, got 1"),
        (make_memory, {"n_values": 1}, "n_values must be at least 2, got 1"),
        (make_memory, {"n_distractors": 0}, "n_distractors must be at least 1, got 0"),
        (make_previous_bit, {"lag": 0}, "lag must be at least 1, got 0"),
        (make_previous_bit, {"lag": 9, "length": 9}, "length must be at least 10 for lag=9, got 9"),
        (make_associative_recall, {"length": 9}, "length must be even, for pairs, a cue and a key, got 9"),
        (make_associative_recall, {"length": 2}, "length must be at least 4, got 2"),
        (make_associative_recall, {"n_keys": 1}, "n_keys must be at least 2, got 1"),
        (make_associative_recall, {"n_values": 1}, "n_values must be at least 2, got 1"),
        (make_induction, {"length": 2}, "length must be at least 3, got 2"),
        (make_induction, {"n_values": 1}, "n_values must be at least 2, got 1"),
        (make_selective_copying, {"length": 7}, "length must be at least 8 for n_copied=4, got 7"),
        (make_selective_copying, {"n_copied": 0}, "n_copied must be at least 1, got 0"),
        *[(make, {"n_samples": 0}, "n_samples must be at least 1, got 0") for make in TOKEN_MAKERS],
    ],
)
def test_token_tasks_that_cannot_be_are_refused(make, parameters, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make(**parameters)
