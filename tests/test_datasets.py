"""Synthetic tasks are what their docstrings say."""

import numpy as np
import pytest

from sigfeat.datasets import load_python_help, make_coincidence, make_pointer
from sigfeat.datasets.pulses import shape


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
