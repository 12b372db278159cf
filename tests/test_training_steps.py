"""Parts of a training step: short convolutions, dropout, orthogonal steps, the two losses of distillation."""

import numpy as np
import pytest
import torch

from sigfeat.nn import Encoder, EncoderSpec
from sigfeat.nn.layers import Dropout
from sigfeat.nn.mixers.convolution import short_convolve
from sigfeat.nn.training.distillation import OF_ENCODERS, Distillation
from sigfeat.nn.training.optimizer import Muon, orthogonal
from tests.embedders import hyena, mha, panel

SIZES = {"d_model": 8, "n_layers": 2, "d_ff": 12, "d_out": 8, "n_heads": 2}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def encoder(mixer, seed=0):
    return Encoder(EncoderSpec(mixer, n_channels=2, **SIZES), generator=seeded(seed), dtype=torch.float64)


def linear(*shape):
    return torch.nn.Parameter(normal(*shape))


# -------------------------------------------------------------------------------------------- short convolutions

SHAPES = [(9, 3, 1), (9, 4, 3), (9, 1, 0), (2, 5, 2), (1, 3, 2)]  # length, width, taps that act on later values


@pytest.mark.parametrize(("length", "width", "before"), SHAPES)
def test_short_convolutions_are_those_of_torch_with_their_gradients(length, width, before):
    inputs = [values.requires_grad_() for values in (normal(2, 3, length), normal(3, width), normal(3))]
    signal, taps, bias = inputs
    padded = torch.nn.functional.pad(signal, (before, width - 1 - before))
    expected = torch.nn.functional.conv1d(padded, taps[:, None], bias, groups=3)
    torch.testing.assert_close(short_convolve(*inputs, before), expected)
    assert torch.autograd.gradcheck(lambda *values: short_convolve(*values, before), inputs)


# ------------------------------------------------------------------------------------------------------- dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.999999])
def test_dropout_drops_its_fraction_and_keeps_the_mean(dtype, rate):
    layer, ones = Dropout(rate).train(), torch.ones(10_001, 30, dtype=dtype)
    layer.generator = seeded()
    dropped = layer(ones)
    assert dropped.dtype == dtype
    assert (dropped == 0).double().mean() == pytest.approx(rate, abs=2e-3)
    kept = dropped[dropped != 0]
    assert len(torch.unique(kept)) == 1
    if rate < 0.9:
        assert dropped.mean() == pytest.approx(1.0, abs=5e-3)
        torch.testing.assert_close(kept[0].item(), 1 / (1 - rate), rtol=1e-4, atol=0)


def test_dropout_is_drawn_from_its_generator():
    layer, ones, before = Dropout(0.3).train(), torch.ones(7, 3), torch.get_rng_state()
    layer.generator = seeded()
    first, second = layer(ones), layer(ones)
    layer.generator = seeded()
    assert torch.equal(layer(ones), first)
    assert not torch.equal(second, first)
    assert torch.equal(torch.get_rng_state(), before)


# ----------------------------------------------------------------------------------------------- orthogonal steps


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (3, 4, 9)])
def test_orthogonal_keeps_singular_vectors_and_evens_out_singular_values(shape):
    matrices = normal(*shape)
    found, (u, _, vh) = orthogonal(matrices), torch.linalg.svd(matrices, full_matrices=False)
    scaled = u.mT @ found @ vh.mT
    values = scaled.diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(scaled, torch.diag_embed(values))
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_orthogonal_of_zeros_is_zero():
    assert torch.equal(orthogonal(torch.zeros(3, 2)), torch.zeros(3, 2))


def test_matrices_take_orthogonal_steps_and_all_else_those_of_adamw():
    weights, same = [linear(5, 3), linear(5, 3), linear(4)], [linear(5, 3), linear(5, 3), linear(4)]
    gradients = [normal(*weight.shape, seed=1) for weight in weights]
    groups = [{"params": weights[:1], "orthogonal": True}, {"params": weights[1:], "weight_decay": 0.1}]
    ours, adamw = Muon(groups, lr=0.01), torch.optim.AdamW(same, lr=0.01, weight_decay=0.1)
    first = weights[0].detach().clone()
    for optimizer, values in ((ours, weights), (adamw, same)):
        for weight, gradient in zip(values, gradients, strict=True):
            weight.grad = gradient.clone()
        optimizer.step()
    assert torch.equal(weights[1], same[1])
    assert torch.equal(weights[2], same[2])
    torch.testing.assert_close(weights[0], first - 0.01 * 5**0.5 * orthogonal(gradients[0]))


def test_the_state_of_the_optimizer_can_be_saved_and_loaded():
    def trained(weight, n_steps, state=None):
        optimizer = Muon([{"params": [weight], "orthogonal": True}], lr=0.01, fused=True)
        if state is not None:
            optimizer.load_state_dict(state)
        for _ in range(n_steps):
            optimizer.step(lambda: (optimizer.zero_grad(), weight.square().sum().backward()))
        return optimizer.state_dict()

    whole, parts = linear(3, 3), linear(3, 3)
    trained(whole, 4)
    trained(parts, 2, trained(parts, 2))
    assert torch.equal(parts, whole)


# -------------------------------------------------------------------------------------------------- distillation


@pytest.mark.parametrize("lengths", [(12, 12, 12), (12, 7, 9)])
def test_at_first_each_mixer_learns_alone_and_then_the_whole_student(lengths):
    objective = Distillation(encoder("hyena"), encoder("attention", 1), "mean", seeded()).train()
    inputs = normal(3, 12, 2), torch.tensor(lengths)

    def gradients(progress):
        objective.progress = progress
        objective.generator.manual_seed(0)
        objective.zero_grad()
        objective(*inputs).backward()
        return {name: weight.grad for name, weight in objective.trained.named_parameters()}

    early, late = gradients(0.0), gradients(OF_ENCODERS.forced)
    for name, gradient in early.items():
        assert bool(gradient.any()) == (".mixer" in name), name
    assert all(gradient.any() for gradient in late.values())


def test_a_student_with_the_mixers_of_its_teacher_has_no_loss():
    teacher = encoder("attention")
    objective = Distillation(encoder("attention"), teacher, "mean", seeded()).train()
    for progress in (0.0, 1.0):
        objective.progress = progress
        assert objective(normal(3, 12, 2), torch.tensor([12, 7, 9])).item() == pytest.approx(0.0, abs=1e-12)


def test_training_does_not_depend_on_chance():
    first, again = (hyena(mha(dropout=0.3)).fit(panel()).transform(panel()) for _ in range(2))
    np.testing.assert_array_equal(first, again)
