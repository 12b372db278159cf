"""A small estimator that can be saved, for the tests of what is saved."""

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator

from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.transformers._contract.base import PanelTransformer
from sigfeat.transformers.embeddings._persistence import load_estimator, save_estimator
from sigfeat.transformers.embeddings._persistence.attributes import Attribute

SMALL = {"d_model": 4, "n_layers": 2, "d_ff": 5, "d_out": 3, "n_heads": 2, "d_state": 4, "filter_width": 3}
SPECS = [
    EncoderSpec("attention", 2, causal=True, positions="alibi", short_filter=1, embedding_filter=1, **SMALL),
    EncoderSpec("attention", 2, positions="rotary", short_filter=3, embedding_filter=3, **SMALL),
    EncoderSpec("hyena", 2, short_filter=5, positions="sinusoidal", expansion=1.5, **SMALL),
    EncoderSpec("s4", 2, **SMALL),
    EncoderSpec("s4", 2, kind="dplr", causal=True, **SMALL),
    EncoderSpec("recurrent", 2, **SMALL),
    EncoderSpec("recurrent", 2, causal=True, **SMALL),
    EncoderSpec("pointwise", 2, **SMALL | {"d_out": 4}),
]
STUDENT = {"max_epochs": 1, "batch_size": 4}


ANYTHING = Attribute("anything", lambda value, estimator: True)


class Fake(PanelTransformer):
    """An embedder as far as saving is concerned; `extra` becomes a fitted attribute."""

    _saved_attributes = {
        "n_channels_": Attribute("2", lambda value, estimator: value == 2),
        **dict.fromkeys(("extra_", "teacher_", "encoder_"), ANYTHING),
    }
    _fitted_mark = "encoder_"
    _parameter_constraints = {
        "mixer": [str],
        "teacher": [PanelTransformer, FrozenEstimator, None],
        "callbacks": [list, None],
        "device": [str, torch.device],
        "random_state": ["random_state"],
    }

    def __init__(self, mixer="pointwise", teacher=None, extra=None, callbacks=None, device="cpu", random_state=0):
        self.mixer = mixer
        self.teacher = teacher
        self.extra = extra
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state

    def fit(self, X, y=None):
        spec = EncoderSpec(self.mixer, X.shape[1], positions="rotary", short_filter=1, embedding_filter=1, **SMALL)
        self.n_channels_, self.extra_ = X.shape[1], self.extra
        self.teacher_ = self.teacher.estimator if isinstance(self.teacher, FrozenEstimator) else self.teacher
        self.encoder_ = encoder(spec)
        return self

    def transform(self, X):
        with torch.no_grad():
            return self.encoder_(torch.tensor(X, dtype=torch.float32).transpose(1, 2)).numpy()


class Stranger(Fake):
    pass


def panel(n_samples=8, length=12):
    return np.random.default_rng(0).normal(size=(n_samples, 2, length)).cumsum(axis=2)


def encoder(spec, dtype=torch.float32):
    module = Encoder(spec, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return module.eval().requires_grad_(False)  # torch may round otherwise where it counts with gradients


def fitted(**parameters):
    return Fake(**parameters).fit(panel())


def returned(estimator, folder, device=None):
    save_estimator(estimator, folder)
    return load_estimator(type(estimator), folder, device)
