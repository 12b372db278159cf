"""Hypothesis strategies for series, steps of paths and words."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sigfeat.words import Word


def series(n_channels=2, min_timepoints=1, max_timepoints=8, *, low=-2.0, high=2.0):
    """Arrays of shape (n_channels, n_timepoints) of moderate values."""
    shapes = st.integers(min_timepoints, max_timepoints).map(lambda n: (n_channels, n))
    return arrays(np.float64, shapes, elements=st.floats(low, high, width=32))


def steps(n_channels=2, max_steps=12):
    """Steps of one path of shape (1, n_steps, n_channels)."""
    return series(n_channels, 1, max_steps, low=-1.0, high=1.0).map(lambda x: np.ascontiguousarray(x.T)[np.newaxis])


def words(n_channels=2, max_length=3, max_degree=2):
    """Words of short monomials."""
    letter = st.lists(st.integers(0, n_channels - 1), min_size=1, max_size=max_degree).map(tuple)
    return st.lists(letter, min_size=1, max_size=max_length).map(lambda letters: Word(tuple(letters)))
