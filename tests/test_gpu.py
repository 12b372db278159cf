"""What a CUDA device gives is what the CPU gives, for everything that takes a device."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sigfeat import (
    HyenaEmbeddingTransformer,
    IntervalDevelopmentTransformer,
    IntervalISSTransformer,
    IntervalNetworkClassifier,
    LowRankISSTransformer,
    MHAEmbedder,
    PathDevelopmentTransformer,
    RecurrentEmbeddingTransformer,
    S4EmbeddingTransformer,
)
from sigfeat.nn.mixers import BlockSpec, build_mixer
from tests.panels import padded, ragged
from tests.test_low_rank_layer import RINGS, assert_alike
from tests.test_low_rank_layer import panel as noise

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

STEPS = {"max_epochs": 1, "batch_size": 4, "dtype": "float64"}  # float32 convolutions of a GPU keep ten bits
TEACHER = MHAEmbedder(d_model=8, n_heads=2, n_layers=1, dropout=0.0, **STEPS)
EPOCHS = {"fit_mode": "supervised", "max_epochs": 2, "batch_size": 4}

LEARNT = {
    "attention, hidden points": TEACHER,
    "attention, classes": clone(TEACHER).set_params(fit_mode="supervised", validation_fraction=0.3),
    "hyena": HyenaEmbeddingTransformer(TEACHER, control=True, **STEPS),
    "s4": S4EmbeddingTransformer(TEACHER, d_state=16, **STEPS),
    "s4, dplr": S4EmbeddingTransformer(TEACHER, d_state=16, kind="dplr", **STEPS),
    "recurrent": RecurrentEmbeddingTransformer(TEACHER, **STEPS),
}
TRAINED = {
    "development": PathDevelopmentTransformer(dim=3, n_developments=2, **EPOCHS),
    "development, SU": PathDevelopmentTransformer(
        group="SU", dim=2, n_developments=2, pooling=("end", "max"), **EPOCHS
    ),
    "low rank": LowRankISSTransformer(n_functionals=8, **EPOCHS),
    "sums over intervals": IntervalISSTransformer(filter="learnt", n_filters=2, filter_length=9, **EPOCHS),
    "sums over intervals, rates": IntervalISSTransformer(filter="exponential", n_filters=2, **EPOCHS),
    "developments of intervals": IntervalDevelopmentTransformer(
        dim=2, n_developments=1, filter="learnt", n_filters=2, filter_length=9, **EPOCHS
    ),
}


def series():
    X = padded(ragged(lengths=(30, 25, 30, 18, 27, 30, 22, 30, 29, 30), n_channels=2))
    return X, np.arange(len(X)) % 2


@pytest.mark.parametrize("case", LEARNT)
def test_embeddings_of_weights_learnt_on_the_cpu(case):
    X, y = series()
    embedder = clone(LEARNT[case]).fit(X, y)
    expected, tokens = embedder.transform(X), embedder.tokens(X)
    embedder.set_params(device="cuda")
    np.testing.assert_allclose(embedder.transform(X), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(embedder.tokens(X), tokens, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", LEARNT)
def test_embedders_learn_there(case, tmp_path):
    X, y = series()
    embedder = clone(LEARNT[case]).set_params(device="cuda")
    if hasattr(embedder, "teacher"):
        embedder.set_params(teacher__device="cuda")
    embedder.fit(X, y)
    again = clone(embedder).fit(X, y)
    np.testing.assert_allclose(again.transform(X), embedder.transform(X), rtol=1e-5, atol=1e-5)
    assert np.isfinite(embedder.history_["loss"]).all()
    embedder.save(tmp_path / "saved")
    loaded = type(embedder).load(tmp_path / "saved", device="cpu")
    np.testing.assert_allclose(loaded.transform(X), embedder.transform(X), rtol=1e-9, atol=1e-9)
    assert not next(clone(embedder).fit(X, y).encoder_.parameters()).is_cuda  # what is kept opens anywhere


def test_embeddings_in_single_precision_are_close():
    X, y = series()
    student = HyenaEmbeddingTransformer(TEACHER, **{**STEPS, "dtype": "float32"}).fit(X, y)
    expected = student.transform(X)
    found = student.set_params(device="cuda").transform(X)
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("mixer", ["attention", "hyena", "s4", "recurrent"])
def test_mixers_in_half_precision(mixer):
    """Under autocast tokens and gradients are those of the CPU up to rounding; transforms are in single precision."""
    spec = BlockSpec(mixer=mixer, d_model=16)
    module = build_mixer(spec, causal=False, generator=torch.Generator().manual_seed(0))
    tokens = torch.randn(2, 50, 16, generator=torch.Generator().manual_seed(1))

    def mixed_and_gradients(device, half):
        x = tokens.to(device, torch.bfloat16 if half else torch.float32).requires_grad_()
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            mixed = module.to(device)(x)
        gradients = torch.autograd.grad(mixed.float().square().sum(), [x, *module.parameters()])
        return [part.detach().float().cpu() for part in (mixed, *gradients)]

    expected = mixed_and_gradients("cpu", half=False)
    for own, other in zip(mixed_and_gradients("cuda", half=True), expected, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=0.1 * float(other.abs().max()))


@pytest.mark.parametrize("case", TRAINED)
def test_features_trained_there_are_those_trained_on_the_cpu(case):
    X, y = series()
    expected = clone(TRAINED[case]).fit(X, y)
    found = clone(TRAINED[case]).set_params(device="cuda").fit(X, y)
    losses = [fitted.history_["train_loss"] for fitted in (found, expected)]
    np.testing.assert_allclose(*losses, rtol=1e-3)
    size = np.abs(expected.transform(X)).max(axis=0)
    far = np.abs(found.transform(X) - expected.transform(X)) > 0.01 * np.maximum(size, 1e-3)
    assert far.mean() < 0.05  # shares of time jump where a value sits on its threshold
    pickle.loads(pickle.dumps(found))


@pytest.mark.parametrize("group", ["SO", "SU", "SE", "Sp", "GL"])
def test_developments(group):
    X, _ = series()
    transformer = PathDevelopmentTransformer(group=group, dim=2 if group != "SE" else 3, n_developments=3).fit(X)
    expected = transformer.transform(X)
    found = transformer.set_params(device="cuda").transform(X)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("layers", ["stack", "hyena"])
def test_networks_of_intervals(layers):
    X, y = series()
    network = IntervalNetworkClassifier(layers=layers, max_epochs=2, batch_size=4, dtype="float64").fit(X, y)
    expected = network.decision_function(X)
    np.testing.assert_allclose(network.set_params(device="cuda").decision_function(X), expected, rtol=1e-8, atol=1e-8)
    there = clone(network).fit(X, y)
    np.testing.assert_allclose(there.decision_function(X), expected, rtol=1e-3, atol=1e-3)
    assert not next(clone(network).fit(X, y).network_.parameters()).is_cuda


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_low_rank_sums(depth, dtype):
    from sigfeat.pooling import POOLINGS

    X = noise(lengths=np.array([60, 41, 60, 9, 33, 4, 50])).astype(dtype)
    iss = LowRankISSTransformer(40, depth=depth, semiring=RINGS, windows=("dyadic", 2))
    iss.set_params(pooling=tuple(POOLINGS)).fit(X)
    expected = iss.transform(X)
    assert_alike(iss, iss.set_params(device="cuda").transform(X), expected)
    there = clone(iss).fit(X)
    np.testing.assert_array_equal(there.thresholds_, iss.thresholds_)
