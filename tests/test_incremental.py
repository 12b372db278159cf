"""Incremental evaluation: tokens that arrive some at a time get the output of the whole sequence."""

import numpy as np
import pytest
import torch

from sigfeat.nn import HyenaLM, LanguageModelConfig
from sigfeat.nn.encoder import Block, EncoderSpec
from sigfeat.nn.mixers import MIXERS
from sigfeat.nn.mixers.incremental import DirectConvolution, ModalConvolution, ShortConvolution, TiledConvolution
from sigfeat.nn.mixers.modal import ModalFilter
from sigfeat.nn.mixers.positions import POSITIONS

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}  # of the largest entry
CASES = {
    "hyena": ({}, {}),
    "hyena direct": ({}, {"convolution": "direct"}),
    "hyena order 1": ({"order": 1, "short_filter": 1}, {}),
    "hyena order 3, normed": ({"order": 3, "gate_norm": True, "short_filter": 4}, {}),
    "hyena modal": ({"filter": "modal", "n_modes": 4}, {}),
    "hyena modal, tiled": ({"filter": "modal", "n_modes": 4}, {"convolution": "tiled"}),
    "s4": ({"mixer": "s4"}, {}),
    "s4 dplr": ({"mixer": "s4", "kind": "dplr"}, {}),
    **{
        f"attention {positions}": ({"mixer": "attention", "positions": positions, "short_filter": 3}, {})
        for positions in POSITIONS
    },
    "attention rotary, odd heads": (
        {"mixer": "attention", "positions": "rotary", "d_model": 10, "short_filter": 6},
        {},
    ),
    "attention alibi, no filter": ({"mixer": "attention", "positions": "alibi", "n_heads": 8, "short_filter": 1}, {}),
    "hyena, filters that end": ({"filter_length": 40, "order": 3}, {}),
    "hyena, filters that end, direct": ({"filter_length": 40}, {"convolution": "direct"}),
    "hyena wide, modal": ({"expansion": 1.7, "filter": "modal", "n_modes": 4, "order": 3}, {}),
    "recurrent": ({"mixer": "recurrent"}, {}),
    "pointwise": ({"mixer": "pointwise"}, {}),
}
SPLITS = {
    "single": [1] * 300,
    "whole": [300],
    "odd": [5, 1, 31, 33, 1, 1, 64, 96, 2, 66],
    "blocks": [32, 32, 64, 128, 44],
    "prompt": [131] + [1] * 169,
}

every_mixer = pytest.mark.parametrize("name", CASES)
every_dtype = pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def model_of(name, *, context, dtype=torch.float32):
    config = LanguageModelConfig(
        context=context, n_tokens=50, d_model=16, n_layers=2, d_ff=24, n_heads=2, d_state=8, time_scale=100.0
    )
    changed, options = CASES[name]
    source = seeded()
    model = HyenaLM(LanguageModelConfig(**{**vars(config), **changed}), generator=source, dtype=dtype)
    with torch.no_grad():
        for weight in model.parameters():  # change them all, since zeros and ones hide mistakes
            weight += 0.02 * torch.randn(weight.shape, generator=source, dtype=dtype)
    return model, options


def appended(state, values, split, axis=1):
    assert sum(split) == values.shape[axis]
    return torch.cat([state.append(part).clone() for part in torch.split(values, split, dim=axis)], dim=axis)


def check_close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * expected.abs().max().item())


# ---------------------------------------------------------------------------------------------- convolutions


def convolutions():
    """Filters of one sort, and all ways to apply them."""
    filters = ModalFilter(3, 4, 50.0, generator=seeded(), dtype=torch.float64)
    with torch.no_grad():
        exponents, residues = filters.modes()
        taps = filters(torch.arange(1024, dtype=torch.float64))
        skip = torch.zeros(3, dtype=torch.float64)
        ways = {
            "tiled": TiledConvolution(lambda n: taps[:, :n], 2),
            "direct": DirectConvolution(lambda n: taps[:, :n], 2),
            "modal": ModalConvolution(exponents, residues, skip, 2),
        }
    return taps, ways


@pytest.mark.parametrize("split", SPLITS.values(), ids=list(SPLITS))
@pytest.mark.parametrize("way", ["tiled", "direct", "modal"])
def test_convolution_is_the_sum(way, split):
    taps, ways = convolutions()
    z = torch.randn(300, 2, 3, generator=seeded(1), dtype=torch.float64)
    expected = torch.stack([(taps[:, : t + 1].flip(1).T[:, None] * z[: t + 1]).sum(dim=0) for t in range(300)])
    check_close(appended(ways[way], z, split, axis=0), expected, 1e-13)


@pytest.mark.parametrize("way", ["tiled", "direct", "modal"])
def test_single_values(way):
    taps, ways = convolutions()
    impulse = torch.zeros(300, 2, 3, dtype=torch.float64)
    impulse[0] = 1.0
    found = torch.stack([ways[way].step(z).clone() for z in impulse])
    check_close(found, taps[:, :300].T[:, None].expand(-1, 2, -1), 1e-13)


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("split", SPLITS.values(), ids=list(SPLITS))
def test_short_convolution_is_the_sum(width, split):
    taps, u = torch.randn(3, width, generator=seeded()), torch.randn(300, 2, 3, generator=seeded(1))
    short = ShortConvolution(taps, torch.arange(3.0), 2)
    padded = torch.cat([torch.zeros(width - 1, 2, 3), u])
    expected = torch.arange(3.0) + sum(taps[:, k] * padded[k : k + 300] for k in range(width))
    parts = torch.split(u, split)
    found = [short.step(part[0])[None].clone() if len(part) == 1 else short.append(part) for part in parts]
    check_close(torch.cat(found), expected, 1e-6)


def test_memory_grows_with_the_sequence():
    tiles = TiledConvolution(lambda n: torch.ones(1, n), 1)
    for n in (1, 100, 1000):
        tiles.append(torch.ones(n, 1, 1))
        assert len(tiles.values) <= 4 * max(tiles.time, TiledConvolution.BLOCK)


# ---------------------------------------------------------------------------------------------------- models


def test_every_mixer_has_a_case():
    assert {changed.get("mixer", "hyena") for changed, _ in CASES.values()} == set(MIXERS)


@every_mixer
@every_dtype
@pytest.mark.parametrize("split", SPLITS.values(), ids=list(SPLITS))
def test_incremental_is_forward(name, dtype, split):
    model, options = model_of(name, context=300, dtype=dtype)
    tokens = torch.randint(0, 50, (2, 300), generator=seeded(1))
    with torch.no_grad():
        expected = model(tokens)
    found = appended(model.incremental(2, **options), tokens, split)
    assert found.dtype == dtype
    check_close(found, expected, TOLERANCE[dtype])


@pytest.mark.slow
@every_mixer
@every_dtype
def test_long_sequences_are_forward(name, dtype):
    """A prompt, single tokens, and odd chunks, 2,048 in all."""
    model, options = model_of(name, context=2048, dtype=dtype)
    tokens = torch.randint(0, 50, (1, 2048), generator=seeded(1))
    with torch.no_grad():
        expected = model(tokens)
    for split in ([500] + [1] * 1548, [7, 333, 64, 1, 1, 1000, 512, 130]):
        check_close(appended(model.incremental(1, **options), tokens, split), expected, TOLERANCE[dtype])


@pytest.mark.slow
@pytest.mark.parametrize("time_scale", [None, 4096.0], ids=["short", "as long as the context"])
def test_filters_of_any_length_keep_precision(time_scale):
    config = LanguageModelConfig(context=4096, d_model=32, n_layers=2, d_ff=64, time_scale=time_scale)
    model = HyenaLM(config, generator=seeded())
    tokens = torch.randint(0, 256, (1, 4096), generator=seeded(1))
    with torch.no_grad():
        expected = model(tokens)
    check_close(appended(model.incremental(1), tokens, [1000] + [1] * 3096), expected, 1e-5)


@every_mixer
def test_generation_is_repeated_forward(name):
    model, options = model_of(name, context=120, dtype=torch.float64)
    tokens = torch.randint(0, 50, (2, 40), generator=seeded(1))
    found = model.generate(tokens, 80, temperature=0)
    with torch.no_grad():
        for _ in range(80):
            tokens = torch.cat([tokens, model(tokens)[:, -1:].argmax(dim=-1)], dim=1)
    assert torch.equal(found, tokens)


@every_mixer
def test_states_are_independent(name):
    """Two states of one model at the same time, one of them with gradients on and in training."""
    model, options = model_of(name, context=100, dtype=torch.float64)
    tokens = torch.randint(0, 50, (2, 100), generator=seeded(1))
    with torch.no_grad():
        expected = model(tokens)
    first, second = (model.train().incremental(1, **options) for _ in range(2))
    for t in range(100):
        for state, row in ((first, 0), (second, 1)):
            logits = state.append(tokens[row : row + 1, t : t + 1])
            assert not logits.requires_grad
            check_close(logits[:, 0], expected[row : row + 1, t], 1e-10)


@pytest.mark.parametrize("mixer", [name for name in MIXERS if name != "pointwise"])
def test_two_sided_mixers_are_refused(mixer):
    spec = EncoderSpec(mixer, n_channels=8, d_model=8, d_state=4)
    block = Block(spec, generator=seeded(), dtype=torch.float32)
    with pytest.raises(ValueError, match="incremental needs a causal .*, and in this one tokens depend on later ones"):
        block.incremental(1)


def test_modal_convolution_needs_modal_filters():
    model, _ = model_of("hyena", context=10)
    with pytest.raises(ValueError, match="convolution must be one of tiled, direct for implicit filters, got 'modal'"):
        model.incremental(1, convolution="modal")


def test_wrong_appends():
    model, _ = model_of("hyena", context=10)
    state = model.incremental(2)
    state.append(torch.zeros(2, 7, dtype=torch.long))
    with pytest.raises(ValueError, match="tokens must be at most the context of 10, got 4 after 7"):
        state.append(torch.zeros(2, 4, dtype=torch.long))
    with pytest.raises(ValueError, match=r"tokens must be of shape \(2, at least 1\), got \(1, 1\)"):
        state.append(torch.zeros(1, 1, dtype=torch.long))
    with pytest.raises(ValueError, match=r"tokens must be of shape \(2, at least 1\), got \(2, 0\)"):
        state.append(torch.zeros(2, 0, dtype=torch.long))
    assert state.time == 7
