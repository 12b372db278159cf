"""Tasks in which one event determines which other event is relevant."""

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

SHORTEST = 8  # steps of a shape: with fewer, shapes cannot be distinguished


def shape(kind: int, width: int) -> NDArray[np.float64]:
    """Shape of a kind: kind + 1 periods of a sine under a Hann window.

    Parameters
    ----------
    kind : int
        0, 1, 2, ...
    width : int
        Number of steps.

    Returns
    -------
    values : ndarray of shape (width,)
        sin(2 pi (kind + 1) u) sin(pi u)^2 at u = (i + 1/2) / width.
    """
    u = (np.arange(width) + 0.5) / width
    values: NDArray[np.float64] = np.sin(2 * np.pi * (kind + 1) * u) * np.sin(np.pi * u) ** 2
    return values


def make_coincidence(
    n_samples: int = 1000,
    length: int = 500,
    *,
    n_shapes: int = 4,
    n_places: int = 4,
    noise: float = 0.1,
    random_state: int | np.random.RandomState | None = 0,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Series of several shapes, in which a pulse in the other channel marks the shape that determines the class.

    Channel 1 contains `n_places` shapes, channel 2 one pulse. The series is divided into `n_places` intervals of
    length // n_places steps, and each contains one shape of half that width at a random position. Kinds of shapes are
    independent and uniform. The pulse is a Hann window of the same width, at the same steps as one of the shapes, each
    with the same probability. The class is the kind of that shape. Gaussian noise of standard deviation `noise` is
    added to both channels.

    Parameters
    ----------
    n_samples, length : int, default=1000, 500
        Number of series, and of steps in each.
    n_shapes : int, default=4
        Number of kinds of shapes, hence of classes, at least 2; see `shape`.
    n_places : int, default=4
        Number of shapes in each series, at least 1.
    noise : float, default=0.1
        Standard deviation of the noise; the largest value of a shape is near 1.
    random_state : int, RandomState instance or None, default=0
        Source of the draws.

    Returns
    -------
    X : ndarray of shape (n_samples, 2, length)
        Series.
    y : ndarray of shape (n_samples,)
        Classes 0, ..., n_shapes - 1.

    Raises
    ------
    ValueError
        If the series are too short for shapes of 8 steps, or a number is too small.

    Examples
    --------
    >>> from sigfeat.datasets import make_coincidence
    >>> X, y = make_coincidence(n_samples=10, length=100)
    >>> X.shape, y.shape
    ((10, 2, 100), (10,))
    """
    rng = check_random_state(random_state)
    _check(n_samples=(n_samples, 1), n_shapes=(n_shapes, 2), n_places=(n_places, 1))
    slot = length // n_places
    width = slot // 2
    _check_width(width, length, f"n_places={n_places}")
    X = rng.normal(scale=noise, size=(n_samples, 2, length))
    kinds = rng.randint(n_shapes, size=(n_samples, n_places))
    starts = np.arange(n_places) * slot + rng.randint(slot - width + 1, size=(n_samples, n_places))
    marked = rng.randint(n_places, size=n_samples)
    pulse = np.sin(np.pi * (np.arange(width) + 0.5) / width) ** 2
    shapes = np.stack([shape(kind, width) for kind in range(n_shapes)])
    for i in range(n_samples):
        for kind, start in zip(kinds[i], starts[i], strict=True):
            X[i, 0, start : start + width] += shapes[kind]
        start = starts[i, marked[i]]
        X[i, 1, start : start + width] += pulse
    return X, kinds[np.arange(n_samples), marked]


def make_pointer(
    n_samples: int = 1000,
    length: int = 500,
    *,
    n_jumps: int = 1,
    n_shapes: int = 4,
    noise: float = 0.1,
    random_state: int | np.random.RandomState | None = 0,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Series in which the kind of a shape points to the position of the next; the class is the kind of the last.

    Stage 0 has one place, and each of the stages 1, ..., `n_jumps` has `n_shapes` places, d steps apart. The last place
    of a stage and the first place of the next one are 3 d / 2 steps apart. Every place has a shape of width 3 d / 4,
    whose kind is drawn uniformly. A shape of kind k points to place k of the next stage. Starting at stage 0 and
    following `n_jumps` pointers, one reaches the shape whose kind is the class; all other shapes are distractors. The
    whole is shifted by up to d / 2 steps, and Gaussian noise of standard deviation `noise` is added. d is the largest
    integer for which all shapes fit into the series.

    Parameters
    ----------
    n_samples, length : int, default=1000, 500
        Number of series, and of steps in each.
    n_jumps : int, default=1
        Number of pointers to follow, at least 1.
    n_shapes : int, default=4
        Number of kinds of shapes, hence of classes and of places in a stage, at least 2; see `shape`.
    noise : float, default=0.1
        Standard deviation of the noise; the largest value of a shape is near 1.
    random_state : int, RandomState instance or None, default=0
        Source of the draws.

    Returns
    -------
    X : ndarray of shape (n_samples, 1, length)
        Series.
    y : ndarray of shape (n_samples,)
        Classes 0, ..., n_shapes - 1.

    Raises
    ------
    ValueError
        If the series are too short for shapes of 8 steps, or a number is too small.

    Examples
    --------
    >>> from sigfeat.datasets import make_pointer
    >>> X, y = make_pointer(n_samples=10, length=200, n_jumps=2)
    >>> X.shape, y.shape
    ((10, 1, 200), (10,))
    """
    rng = check_random_state(random_state)
    _check(n_samples=(n_samples, 1), n_jumps=(n_jumps, 1), n_shapes=(n_shapes, 2))
    in_units = n_jumps * (n_shapes + 0.5) + 0.75 + 0.5  # of d: to the last place, its shape, and the shift
    d = int(length / in_units)
    width, shift = 3 * d // 4, d // 2
    _check_width(width, length, f"n_jumps={n_jumps}, n_shapes={n_shapes}")
    places = [np.zeros(1)]
    for _ in range(n_jumps):
        places.append(places[-1][-1] + 1.5 + np.arange(n_shapes))
    X = rng.normal(scale=noise, size=(n_samples, 1, length))
    shapes = np.stack([shape(kind, width) for kind in range(n_shapes)])
    y = np.zeros(n_samples, np.int64)
    for i in range(n_samples):
        moved, here = rng.randint(shift + 1), 0
        for stage in places:
            kinds = rng.randint(n_shapes, size=len(stage))
            for kind, place in zip(kinds, stage, strict=True):
                start = moved + int(place * d)
                X[i, 0, start : start + width] += shapes[kind]
            here = kinds[here]
        y[i] = here
    return X, y


def _check(**limits: tuple[int, int]) -> None:
    for name, (value, least) in limits.items():
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")


def _check_width(width: int, length: int, what: str) -> None:
    if width < SHORTEST:
        raise ValueError(
            f"length must leave at least {SHORTEST} steps for each shape, got length={length}, which leaves {width} "
            f"with {what}"
        )
