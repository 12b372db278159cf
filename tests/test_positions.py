"""How attention knows the positions of tokens, and its weights."""

import numpy as np
import pytest
import torch

from sigfeat.nn.layers import real_points
from sigfeat.nn.mixers.attention import Attention
from sigfeat.nn.mixers.positions import POSITIONS, distance_penalty, rotated


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def check_close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(np.asarray(expected)).max())


@pytest.mark.parametrize("width", [1, 2, 5, 8])
def test_products_of_rotated_depend_on_the_lag_only(width):
    query, key = torch.randn(2, width, generator=seeded(), dtype=torch.float64)
    queries, keys = rotated(query.expand(30, -1)), rotated(key.expand(30, -1), start=1000)
    products = queries @ keys.T
    for lag in range(-20, 21):
        check_close(products.diagonal(lag), products.diagonal(lag)[:1].expand(30 - abs(lag)), 1e-12)
    if width > 1:
        assert not torch.allclose(products[0, 0], products[0, 1])


def test_rotation_starts_anywhere():
    x = torch.randn(2, 3, 20, 6, generator=seeded())
    assert torch.equal(rotated(x)[..., 7:, :], rotated(x[..., 7:, :], start=7))
    check_close(rotated(x).norm(dim=-1), x.norm(dim=-1), 1e-6)


def test_rotation_by_hand():
    """Entries 0 and 2 turn by the angle t, entries 1 and 3 by t / 100, entry 4 does not turn."""
    found = rotated(torch.tensor([[1.0, 1.0, 0.0, 0.0, 5.0]] * 3, dtype=torch.float64))
    t = np.arange(3)
    check_close(found, np.stack([np.cos(t), np.cos(t / 100), np.sin(t), np.sin(t / 100), 0 * t + 5.0], axis=1), 1e-15)


def test_penalty_of_distance_by_hand():
    """Of two heads the first has the slope 1/16, the second one 1/256; the two queries are the last of three keys."""
    distances = torch.tensor([[1.0, 0.0, 1.0], [2.0, 1.0, 0.0]])
    found = distance_penalty(2, 2, 3, torch.zeros(()))
    assert torch.equal(found, -torch.stack([distances / 16, distances / 256])[None])


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("causal", [True, False], ids=["causal", "two-sided"])
@pytest.mark.parametrize("padded", [True, False], ids=["padded", "full"])
def test_weights_of_attention(positions, causal, padded):
    """The weights are averages, and those of the values are the output."""
    mixer = Attention(8, n_heads=2, causal=causal, positions=positions, generator=seeded(), dtype=torch.float64)
    x, mask = torch.randn(2, 10, 8, generator=seeded(1), dtype=torch.float64), None
    if padded:
        mask = real_points(torch.tensor([10, 6]), 10)
    with torch.no_grad():
        weights = mixer.weights(x, mask)
        values = mixer.queries_keys_values(x, mask)[2]
        found = mixer.out_projection((weights @ values).transpose(1, 2).flatten(2))
        expected = mixer(x, mask)
    assert weights.shape == (2, 2, 10, 10)
    assert (weights >= 0).all()
    check_close(weights.sum(dim=-1), torch.ones(2, 2, 10), 1e-12)
    check_close(found[0], expected[0], 1e-12)
    check_close(found[1, : 6 if padded else 10], expected[1, : 6 if padded else 10], 1e-12)
    assert bool((weights.triu(1) == 0).all()) == causal
    assert bool((weights[1, :, :6, 6:] == 0).all()) == (causal or padded)


@pytest.mark.parametrize("positions", POSITIONS)
def test_which_attention_depends_on_order(positions):
    """Only with some positions or a short filter does the output depend on the order of the tokens."""
    x = torch.randn(1, 10, 8, generator=seeded(1), dtype=torch.float64)
    for short_filter in (1, 3):
        how = {"positions": positions, "short_filter": short_filter, "dtype": torch.float64}
        mixer = Attention(8, n_heads=2, **how, generator=seeded())
        with torch.no_grad():
            is_same = torch.allclose(mixer(x.flip(1)).flip(1), mixer(x))
            # rotation knows the sign of a lag, the penalty only its size
            assert is_same == (short_filter == 1 and positions != "rotary")
            order = torch.randperm(10, generator=seeded())
            is_same = torch.allclose(mixer(x[:, order]), mixer(x)[:, order])
            assert is_same == (short_filter == 1 and positions in {"sinusoidal", "none"})
