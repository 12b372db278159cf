"""Small embedders, and series for them, that several tests use."""

import numpy as np
import pytest
import torch

from sigfeat import (
    HyenaEmbeddingTransformer,
    MHAEmbedder,
    RecurrentEmbeddingTransformer,
    S4EmbeddingTransformer,
)

SMALL = {"d_model": 8, "n_layers": 1, "max_epochs": 1, "batch_size": 4}
STUDENTS = [
    HyenaEmbeddingTransformer(max_epochs=1, batch_size=4),
    S4EmbeddingTransformer(max_epochs=1, batch_size=4, d_state=16),
    S4EmbeddingTransformer(max_epochs=1, batch_size=4, d_state=16, kind="dplr"),
    RecurrentEmbeddingTransformer(max_epochs=1, batch_size=4),
]
every_student = pytest.mark.parametrize(
    "student", STUDENTS, ids=lambda s: f"{type(s).__name__} {getattr(s, 'kind', '')}"
)


def mha(**parameters):
    return MHAEmbedder(**{"n_heads": 2, **SMALL, **parameters})


def untrained(**parameters):
    return MHAEmbedder(**{"n_heads": 2, "d_model": 8, "n_layers": 1, "fit_mode": "random", **parameters})


def hyena(teacher=None, **parameters):
    return HyenaEmbeddingTransformer(teacher or mha(), **{"max_epochs": 1, "batch_size": 4, **parameters})


def panel(n=12, n_channels=2, length=15, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_channels, length)).cumsum(axis=2)


def classes(n=12):
    return np.arange(n) % 2


def weights(encoder):
    return torch.cat([weight.flatten() for weight in encoder.state_dict().values()])
