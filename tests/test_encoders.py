"""One contract for all encoders."""

import dataclasses

import numpy as np
import pytest
import torch

from sigfeat.nn import Encoder, EncoderSpec
from sigfeat.nn.encoder import n_parameters
from sigfeat.nn.layers import real_points
from sigfeat.nn.mixers import MIXERS, build_mixer
from sigfeat.nn.mixers.convolution import convolve, fft_length, filter_spectrum
from sigfeat.nn.mixers.positions import POSITIONS
from sigfeat.nn.mixers.projection import padding
from sigfeat.nn.pooling import pool_tokens
from sigfeat.pooling import trainable_poolings
from sigfeat.reference.encoder import encoder as reference
from sigfeat.reference.layers import pool_tokens as reference_pool
from tests.oracles import convolution

SMALL = EncoderSpec(
    "none",
    n_channels=3,
    d_model=8,
    d_ff=12,
    d_out=8,
    n_heads=2,
    positions="none",
    short_filter=3,
    embedding_filter=1,
    filter_width=8,
    filter_bands=3,
    time_scale=10.0,
    n_modes=3,
    d_state=6,
)


def small(mixer, **changed):
    return dataclasses.replace(SMALL, mixer=mixer, **changed)


ENCODERS = [
    *[small("attention", positions=positions) for positions in POSITIONS],
    *[small("attention", positions=positions, causal=True) for positions in POSITIONS],
    *[small("attention", positions=positions, short_filter=1, n_heads=1, d_model=5) for positions in POSITIONS],
    *[small("attention", positions=positions, short_filter=5, n_heads=3, d_model=9) for positions in POSITIONS],
    small("attention", positions="rotary", n_heads=8, d_out=3),
    small("attention", positions="alibi", n_heads=8, d_out=3),
    small("attention", positions="rotary", causal=True, short_filter=4, embedding_filter=4),
    small("attention", positions="rotary", embedding_filter=9, d_model=5, n_heads=1),
    small("hyena"),
    small("hyena", causal=True),
    small("hyena", order=1),
    small("hyena", order=1, causal=True, gate_norm=True),
    small("hyena", order=2, gate_norm=True, d_out=3),
    small("hyena", order=3, short_filter=1),
    small("hyena", order=3, causal=True, short_filter=1, d_model=5),
    small("hyena", order=8),
    small("hyena", order=8, gate_norm=True),
    small("hyena", order=8, causal=True, gate_norm=True),
    small("hyena", causal=True, short_filter=4),
    small("hyena", causal=True, filter="modal"),
    small("hyena", order=3, causal=True, filter="modal", n_modes=1, gate_norm=True, d_out=3),
    small("hyena", n_channels=1, short_filter=5, d_model=7, d_out=2),
    small("hyena", positions="sinusoidal", embedding_filter=3),
    small("hyena", positions="sinusoidal", embedding_filter=2, causal=True, filter="modal"),
    small("hyena", filter_length=8),
    small("hyena", filter_length=5, order=3),
    small("hyena", filter_length=60, causal=True, gate_norm=True),
    small("hyena", filter_length=2, causal=True, filter="modal"),
    small("hyena", expansion=0.5),
    small("hyena", expansion=1.7, order=3, causal=True, gate_norm=True),
    small("hyena", expansion=0.01, d_model=3),
    small("s4"),
    small("s4", positions="sinusoidal", embedding_filter=5),
    small("s4", causal=True, d_model=5),
    small("s4", kind="dplr"),
    small("s4", kind="dplr", causal=True, d_out=3),
    small("recurrent"),
    small("recurrent", causal=True, d_model=5),
    small("recurrent", n_channels=1, d_out=10),
    small("pointwise"),
    small("pointwise", n_layers=1, d_model=5, d_out=1),
    small("pointwise", positions="sinusoidal", embedding_filter=5),
    small("pointwise", causal=True, embedding_filter=4),
]
LENGTHS = [1, 2, 3, 7, 100, 257]
OWN_LENGTHS = [12, 1, 7, 11]  # of series in one batch
WINDOWS = {
    "whole": [[0, 1]],
    "halves": [[0, 1], [1, 2]],
    "quarters and whole": [[0, 1], [1, 2], [2, 3], [3, 4], [0, 4]],
}


def label(spec):
    changed = [(name, value) for name, value in vars(spec).items() if value != getattr(SMALL, name)]
    return " ".join(name if value is True else f"{name} {value}" for name, value in changed).removeprefix("mixer ")


def rounding(spec):
    """How much more than usual: each gate of many multiplies the errors of those before."""
    return 100 if spec.mixer == "hyena" and spec.order > 3 else 1


every_encoder = pytest.mark.parametrize("spec", ENCODERS, ids=label)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def made(spec):
    """An encoder no weight of which is what it is at first, since zeros and ones hide mistakes."""
    source = seeded()
    model = Encoder(spec, generator=source, dtype=torch.float64)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=source, dtype=weight.dtype)
    return model.eval()


def series_for(spec, batch, length):
    return torch.randn(batch, length, spec.n_channels, generator=seeded(1), dtype=torch.float64)


def arrays(model):
    return {name: values.numpy() for name, values in model.state_dict().items()}


def check_close(found, expected, tolerance):
    """Compare by the size of the largest entry."""
    found, expected = np.asarray(found), np.asarray(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


# ------------------------------------------------------------------------------------------------- reference


@every_encoder
@pytest.mark.parametrize("length", LENGTHS)
def test_torch_is_reference(spec, length):
    model, series = made(spec), series_for(spec, 2 if length < 10 else 1, length)
    with torch.no_grad():
        tokens = model(series)
    assert tokens.shape == (len(series), length, spec.d_out)
    assert tokens.dtype == torch.float64
    check_close(tokens, np.stack([reference(one, arrays(model), spec) for one in series.numpy()]), 1e-10)


def test_filters_of_one_tap():
    spec = small("hyena", filter_length=1)
    model, series = made(spec), series_for(spec, 1, 9)
    with torch.no_grad():
        check_close(model(series)[0], reference(series[0].numpy(), arrays(model), spec), 1e-10)


@every_encoder
def test_float32(spec):
    model, series = made(spec), series_for(spec, 2, 50)
    with torch.no_grad():
        expected, found = model(series), model.float()(series.float())
    assert found.dtype == torch.float32
    check_close(found, expected, 3e-5 * rounding(spec))


@pytest.mark.parametrize("length", [1, 2, 3, 8, 31, 100])
@pytest.mark.parametrize("causal", [True, False], ids=["causal", "two-sided"])
def test_fast_convolution_is_the_sum(length, causal):
    signal, ahead, back = torch.randn(3, 2, length, generator=seeded(), dtype=torch.float64)
    back, n_fft = back[:, : 0 if causal else length - 1], fft_length(length)
    spectrum = filter_spectrum(ahead, None if causal else back, n_fft)
    found = convolve(signal[None], spectrum, n_fft)[0]
    expected = [convolution(*channel) for channel in zip(signal.tolist(), ahead.tolist(), back.tolist(), strict=True)]
    check_close(found, expected, 1e-13)


# --------------------------------------------------------------------------------------------------- padding


@every_encoder
@pytest.mark.parametrize("behind", [0.0, 1000.0], ids=["zeros", "garbage"])
def test_padded_is_alone(spec, behind):
    model, series = made(spec), series_for(spec, len(OWN_LENGTHS), max(OWN_LENGTHS))
    lengths = torch.tensor(OWN_LENGTHS)
    mask = real_points(lengths, series.shape[1])
    padded = torch.where(mask[..., None], series, behind * series.flip(0))
    with torch.no_grad():
        together = model(padded, mask)
        alone = [model(one[None, :length])[0].numpy() for one, length in zip(series, OWN_LENGTHS, strict=True)]
    for found, expected in zip(together, alone, strict=True):
        check_close(found[: len(expected)], expected, 1e-12)
    for windows in WINDOWS.values():
        bounds = torch.tensor(windows) * lengths[:, None, None] // max(stop for _, stop in windows)
        for pooling in trainable_poolings():
            expected = [reference_pool(*one, pooling) for one in zip(alone, bounds.numpy(), strict=True)]
            check_close(pool_tokens(together, bounds, pooling), np.stack(expected), 1e-12)


@every_encoder
def test_mask_of_full_series_changes_nothing(spec):
    model, series = made(spec), series_for(spec, 3, 10)
    with torch.no_grad():
        check_close(model(series, torch.ones(3, 10, dtype=torch.bool)), model(series), 1e-12)


# ------------------------------------------------------------------------------------------------- gradients


@every_encoder
@pytest.mark.parametrize("t", [0, 4, 11])
def test_causality(spec, t):
    model, series = made(spec), series_for(spec, 1, 12).requires_grad_()
    direction = torch.randn(spec.d_out, generator=seeded(), dtype=torch.float64)
    (gradient,) = torch.autograd.grad(model(series)[0, t] @ direction, series)
    sizes = gradient[0].abs().amax(dim=1)
    reached = torch.ones(12, dtype=torch.bool)
    if spec.causal:
        reached[t + 1 :] = False
    if spec.mixer == "pointwise":  # only the points that are embedded together
        before, after = padding(spec.embedding_filter, spec.causal)
        reached = (torch.arange(12) >= t - before) & (torch.arange(12) <= t + after)
    assert (sizes[reached] > 1e-9 * sizes.max()).all()
    leak = 1e-14 * rounding(spec) if spec.mixer in {"hyena", "s4"} else 0.0  # of fast transforms
    assert (sizes[~reached] <= leak * sizes.max()).all()


@every_encoder
def test_gradients(spec):
    spec = dataclasses.replace(spec, n_layers=1, d_ff=3, filter_width=3, filter_bands=1, d_state=2)
    model, series = made(spec), series_for(spec, 1, 5)
    names, weights = zip(*model.named_parameters(), strict=True)

    def tokens(series, *weights):
        return torch.func.functional_call(model, dict(zip(names, weights, strict=True)), (series,))

    inputs = [value.detach().requires_grad_() for value in (series, *weights)]
    assert torch.autograd.gradcheck(tokens, inputs, fast_mode=True)


@every_encoder
def test_every_weight_has_a_gradient(spec):
    model = made(spec).train()
    model(series_for(spec, 2, 9)).square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad.abs().max() > 0, name


# ----------------------------------------------------------------------------------------------- evaluation


@every_encoder
def test_evaluation_is_training_without_dropout(spec):
    model, series = made(spec), series_for(spec, 2, 20)
    with torch.no_grad():
        first = model(series)
        assert torch.equal(model(series), first)
    check_close(first, model.train()(series).detach(), 1e-12)


@every_encoder
def test_changed_weights_are_seen(spec):
    """After each change of one weight in place, all that was kept of the others is as good as new."""
    model, series = made(spec), series_for(spec, 1, 10)
    for name, weight in model.blocks[0].mixer.named_parameters():
        with torch.no_grad():
            before = model(series)
            weight += 0.1 * torch.randn(weight.shape, generator=seeded(2), dtype=weight.dtype)
            after = model(series)
        check_close(after, model(series).detach(), 1e-12)  # nothing is kept where gradients are on
        assert (after - before).abs().max() > 1e-9, name


@every_encoder
def test_dropout(spec):
    spec = dataclasses.replace(spec, dropout=0.5)
    model, series = made(spec), series_for(spec, 2, 20)
    with torch.no_grad():
        expected = made(dataclasses.replace(spec, dropout=0.0))(series)
        assert torch.equal(model(series), expected)
        assert not torch.allclose(model.train()(series), expected)


# -------------------------------------------------------------------------------------------------- weights


@every_encoder
def test_random_numbers_are_the_generators(spec):
    before = torch.get_rng_state()
    first, again, other = (Encoder(spec, generator=seeded(seed)) for seed in (0, 0, 1))
    with torch.no_grad():
        first.eval()(series_for(spec, 2, 9).float())
    assert torch.equal(torch.get_rng_state(), before)
    for (name, weight), same, else_ in zip(
        first.state_dict().items(), again.state_dict().values(), other.state_dict().values(), strict=True
    ):
        assert weight.dtype == torch.float32
        assert torch.equal(weight, same), name
        if "projection.weight" in name:
            assert not torch.equal(weight, else_), name


@every_encoder
def test_number_of_parameters(spec):
    before = torch.get_rng_state()
    model = Encoder(spec, generator=seeded())
    assert n_parameters(spec) == sum(weight.numel() for weight in model.parameters())
    assert torch.equal(torch.get_rng_state(), before)


def test_specs_are_values():
    twin = small("hyena")
    assert twin == small("hyena")
    assert hash(twin) == hash(small("hyena"))
    with pytest.raises(AttributeError):
        twin.order = 3


@pytest.mark.parametrize("mixer", MIXERS)
def test_half_precision_leaves_nothing_behind(mixer):
    """What is kept from a call under autocast serves later calls in full precision."""
    model = Encoder(small(mixer), generator=torch.Generator().manual_seed(0)).eval()
    series = torch.randn(2, 20, 3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model(series)
        for parameter in model.parameters():
            parameter.copy_(parameter.clone())  # what was kept is out of date
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = model(series)
        torch.testing.assert_close(model(series), expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(rough.float(), expected, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("mixer", MIXERS)
def test_gradients_of_tokens_in_half_precision(mixer):
    """They pass through the transforms, which are in single precision, to tokens and weights."""
    module = build_mixer(small(mixer), causal=False, generator=torch.Generator().manual_seed(0))
    tokens = torch.randn(2, 20, 8, generator=torch.Generator().manual_seed(1)).bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = module(tokens)
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    rough = torch.autograd.grad(mixed.float().square().sum(), [tokens, *weights])
    expected = torch.autograd.grad(module(tokens.float()).square().sum(), [tokens, *weights])
    for own, other in zip(rough, expected, strict=True):
        assert own.dtype == other.dtype
        torch.testing.assert_close(own.float(), other.float(), rtol=0, atol=0.05 * float(other.abs().max()))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mixer": "none"}, f"mixer must be one of {', '.join(MIXERS)}, got 'none'"),
        ({"mixer": "attention", "n_heads": 3}, "d_model must be a multiple of n_heads, got d_model=8 and n_heads=3"),
        (
            {"mixer": "attention", "positions": "learnt"},
            f"positions must be one of {', '.join(POSITIONS)}, got 'learnt'",
        ),
        ({"mixer": "s4", "positions": "learnt"}, f"positions must be one of {', '.join(POSITIONS)}, got 'learnt'"),
        ({"mixer": "attention", "short_filter": 2}, "short_filter must be odd unless causal, got 2"),
        ({"mixer": "attention", "short_filter": 0}, "short_filter must be at least 1, got 0"),
        ({"mixer": "s4", "embedding_filter": 2}, "embedding_filter must be odd unless causal, got 2"),
        ({"mixer": "s4", "embedding_filter": 0, "causal": True}, "embedding_filter must be at least 1, got 0"),
        ({"mixer": "hyena", "expansion": 0.0}, r"expansion must be in \(0, 65536\), got 0"),
        ({"mixer": "hyena", "expansion": 65536.0}, r"expansion must be in \(0, 65536\), got 65536"),
        ({"mixer": "hyena", "order": 0}, "order must be at least 1, got 0"),
        ({"mixer": "hyena", "short_filter": 2}, "short_filter must be odd unless causal, got 2"),
        ({"mixer": "hyena", "filter": "free"}, "filter must be one of implicit, modal, got 'free'"),
        ({"mixer": "hyena", "filter": "modal"}, "filter must be implicit unless causal, got 'modal'"),
        (
            {"mixer": "hyena", "filter": "modal", "causal": True, "n_modes": 0},
            "n_modes must be at least 1, got 0",
        ),
        ({"mixer": "s4", "d_state": 3}, "d_state must be an even number from 2 up, got 3"),
        ({"mixer": "s4", "kind": "full"}, "kind must be one of diagonal, dplr, got 'full'"),
    ],
    ids=str,
)
def test_impossible_encoders(changed, message):
    with pytest.raises(ValueError, match=message):
        Encoder(dataclasses.replace(SMALL, **changed), generator=torch.Generator())
