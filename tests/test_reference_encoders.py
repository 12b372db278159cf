"""The reference of encoders against values computed by hand."""

import math

import numpy as np
import pytest

from sigfeat.reference.attention import attention, multi_head_attention, rotated
from sigfeat.reference.encoder import block, encoder, neighbours, pointwise
from sigfeat.reference.hyena import FLOOR, hyena, implicit_filter, long_convolution, modal_filter, short_convolution
from sigfeat.reference.layers import (
    gelu,
    layer_norm,
    linear,
    part,
    pool_tokens,
    sigmoid,
    sinusoids,
    softmax,
)
from sigfeat.reference.recurrent import gru, recurrent
from tests.oracles import convolution
from tests.tolerances import EXACT


def column(*values):
    return np.array(values, float)[:, np.newaxis]


def check(found, expected):
    np.testing.assert_allclose(found, expected, **EXACT)


# ---------------------------------------------------------------------------------------------------- layers


def test_part():
    weights = {
        "mixer.skip": np.array([1.0]),
        "mixer.filters.decay": np.array([2.0]),
        "mixer_norm.bias": np.array([3.0]),
    }
    assert part(weights, "mixer.") == {"skip": 1.0, "filters.decay": 2.0}
    assert part(part(weights, "mixer."), "filters.") == {"decay": 2.0}


def test_linear():
    weights = {"weight": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])}
    check(linear(np.array([[1.0, 10.0]]), weights), [[21, 43, 65]])
    check(linear(np.array([[1.0, 10.0]]), weights | {"bias": np.array([1.0, 2.0, 3.0])}), [[22, 45, 68]])


def test_gelu():
    below = [0.15865525393145707, 0.5, 0.8413447460685429]  # the normal distribution at -1, 0 and 1
    check(gelu(np.array([-1.0, 0.0, 1.0])), [-below[0], 0, below[2]])
    check(gelu(np.array([-40.0, 40.0])), [0, 40])


def test_layer_norm():
    weights = {"weight": np.array([1.0, 2.0]), "bias": np.array([0.0, 10.0])}
    one = 1 / math.sqrt(1 + 1e-5)  # the mean of 1 and 3 is 2, their variance 1
    check(layer_norm(np.array([[1.0, 3.0], [5.0, 5.0]]), weights), [[-one, 10 + 2 * one], [0, 10]])


def test_sigmoid_and_softmax():
    check(sigmoid(np.array([0.0, math.log(3), -1000.0, 1000.0])), [0.5, 0.75, 0, 1])
    check(softmax(np.log([[1.0, 1.0], [1.0, 4.0]])), [[0.5, 0.5], [0.2, 0.8]])
    check(softmax(np.array([1000.0, 1000.0, -np.inf])), [0.5, 0.5, 0])


def test_sinusoids():
    check(sinusoids(1, 5), [[0, 0, 0, 1, 1]])
    slow = 0.01  # of two frequencies, the second is 10000^(-1/2)
    expected = [[math.sin(t), math.sin(slow * t), math.cos(t), math.cos(slow * t)] for t in range(3)]
    check(sinusoids(3, 4), expected)
    check(sinusoids(2, 1), [[0], [math.sin(1)]])


def test_pool_tokens():
    tokens = np.array([[1.0, 0.0], [5.0, -1.0], [3.0, -2.0]])
    bounds = np.array([[0, 3], [1, 3], [2, 2], [3, 3]])  # the last two have no time of their own
    check(pool_tokens(tokens, bounds, "mean"), [[3, -1], [4, -1.5], [3, -2], [3, -2]])
    check(pool_tokens(tokens, bounds, "end"), [[3, -2]] * 4)
    check(pool_tokens(tokens, bounds, "max"), [[5, 0], [5, -1], [3, -2], [3, -2]])


# ------------------------------------------------------------------------------------------------- attention


def test_attention_of_two_tokens():
    q, k, v = np.array([[1.0, 1.0]] * 2), math.log(3) / math.sqrt(2) * np.array([[0.0, 0.0], [1.0, 1.0]]), column(4, 8)
    check(attention(q, k, v, causal=False), column(7, 7))  # scores 0 and log 3, weights 1/4 and 3/4
    check(attention(q, k, v, causal=True), column(4, 7))


def test_heads_attend_by_themselves():
    """The first head sees equal keys, the second one a key that outweighs all others."""
    weights = {
        "in_projection.weight": np.array([[0, 0], [0, 100.0], [0, 0], [0, 100.0], [1, 0], [1, 0]]),
        "in_projection.bias": np.array([0, 0, 0, 0, 0, 5.0]),
        "out_projection.weight": np.array([[1.0, 0.0], [1.0, 1.0]]),
        "out_projection.bias": np.array([0.0, 0.5]),
    }
    x = np.array([[2.0, 1.0], [6.0, 2.0]])
    first, second = 4, 6 + 5
    check(
        multi_head_attention(x, weights, n_heads=2, causal=False, positions="none"), [[first, first + second + 0.5]] * 2
    )
    first, second = np.array([2, 4]), np.array([2, 6]) + 5
    found = multi_head_attention(x, weights, n_heads=2, causal=True, positions="none")
    check(found, np.stack([first, first + second + 0.5], axis=1))


def test_distance_lowers_the_scores():
    """Equal keys: at a slope of log 3, values of the other token have a third of the weight."""
    q = k = np.zeros((3, 2))
    v = column(4, 8, 12)
    near, far = 1 / 3, 1 / 9
    expected = column(
        (4 + 8 * near + 12 * far) / (1 + near + far),
        (4 * near + 8 + 12 * near) / (1 + 2 * near),
        (4 * far + 8 * near + 12) / (1 + near + far),
    )
    check(attention(q, k, v, causal=False, slope=math.log(3)), expected)
    expected[:2] = column(4, (4 * near + 8) / (1 + near))
    check(attention(q, k, v, causal=True, slope=math.log(3)), expected)


def test_rotated():
    """Of two pairs the second one is slower by a factor of 100; the last entry stays."""
    x = np.array([[1.0, 0.0, 0.0, 1.0, 7.0]] * 3)
    expected = [[math.cos(t), -math.sin(t / 100), math.sin(t), math.cos(t / 100), 7] for t in range(3)]
    check(rotated(x), expected)
    check(rotated(column(1, 2, 3)), column(1, 2, 3))


def heads_of_one(*, short_taps=None):
    """Queries and keys of one head (x, x) and values x, of two copies of a token x."""
    weights = {
        "in_projection.weight": np.vstack([np.eye(2)] * 3),
        "in_projection.bias": np.zeros(6),
        "out_projection.weight": np.eye(2),
        "out_projection.bias": np.zeros(2),
    }
    if short_taps is None:
        return weights
    del weights["in_projection.bias"]
    return weights | {"short_taps": short_taps, "short_bias": np.arange(6.0)}


def test_positions_of_heads():
    x = np.array([[1.0, 0.0], [0.0, 2.0]])
    weights = heads_of_one()
    q, v = rotated(x), x
    found = multi_head_attention(x, weights, n_heads=1, causal=True, positions="rotary")
    score = -2 * math.sin(1) / math.sqrt(2), 4 / math.sqrt(2)  # the second query is (-2 sin 1, 2 cos 1)
    weight = math.exp(score[0]) / (math.exp(score[0]) + math.exp(score[1]))
    check(found, [[1, 0], [weight, 2 * (1 - weight)]])
    check(found, attention(q, q, v, causal=True))
    found = multi_head_attention(x, weights, n_heads=2, causal=True, positions="alibi")
    near, far = math.exp(-1 / 16), math.exp(-1 / 256)  # heads of width 1 with slopes 2^-4 and 2^-8
    check(found, [[1, 0], [near / (near + 1), 2 * math.exp(4) / (far + math.exp(4))]])


def test_short_filter_of_attention():
    """Two taps (1, 0) delay queries, keys and values by a step, and a bias follows."""
    taps = np.array([[1.0, 0.0]] * 6)
    x = np.array([[1.0, 2.0], [3.0, 5.0], [8.0, 13.0]])
    found = multi_head_attention(x, heads_of_one(short_taps=taps), n_heads=1, causal=True, positions="none")
    late = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 5.0]])
    check(found, attention(late + [0, 1], late + [2, 3], late + [4, 5], causal=True))


# ----------------------------------------------------------------------------------------------------- Hyena


def test_short_convolution():
    u = np.array([[1.0, 1.0], [10.0, 10.0], [100.0, 100.0]])
    taps, bias = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, -1.0]]), np.array([0.5, 0.0])
    expected = [[3 + 0.5, -1], [2 + 30 + 0.5, -10], [1 + 20 + 300 + 0.5, -100]]
    check(short_convolution(u, taps, bias, causal=True), expected)
    expected = [[2 + 30 + 0.5, -10], [1 + 20 + 300 + 0.5, -100], [10 + 200 + 0.5, 0]]  # the last tap looks ahead
    check(short_convolution(u, taps, bias, causal=False), expected)


def test_long_convolution():
    z = np.array([[1.0, 1.0], [10.0, 10.0], [100.0, 100.0]])
    h = np.array([[1, 0], [2, 0], [3, 0], [5, 0], [4, 1]], float)  # at lags 0, 1, 2, -2, -1
    expected = [[1 + 40 + 500, 10], [2 + 10 + 400, 100], [3 + 20 + 100, 0]]
    check(long_convolution(z, h), expected)
    check([convolution(z[:, 0], [1, 2, 3], [4, 5]), convolution(z[:, 1], [0], [1])], np.transpose(expected))


def filter_weights(*outputs, decay=2.0):
    """A network of one band with filters (1 + output * sin(sin(t / 10))) times the window."""
    return {
        "layers.0.weight": np.array([[0.1, 0.0, 0.0]]),
        "layers.0.bias": np.zeros(1),
        "layers.1.weight": np.ones((1, 1)),
        "layers.1.bias": np.zeros(1),
        "layers.2.weight": column(*outputs),
        "layers.2.bias": np.ones(len(outputs)),
        "log_decay": np.full(len(outputs), math.log(decay)),
    }


def test_implicit_filter():
    found = implicit_filter(np.array([0, 4, -4]), filter_weights(0.0, 3.0), time_scale=8.0)
    window, wave = math.exp(-1) + FLOOR, 3 * math.sin(math.sin(0.05))
    check(found, [[1 + FLOOR] * 2, [window, window * (1 + wave)], [window, window * (1 - wave)]])
    found = implicit_filter(np.array([0, 3, -4, 9]), filter_weights(0.0), time_scale=8.0, length=4)[:, 0]
    check(found, [1 + FLOOR, math.exp(-6 / 8) + FLOOR, 0, 0])


@pytest.mark.parametrize("band", [1, 2])
@pytest.mark.parametrize("phase", [0, 1])
def test_bands_of_the_lag(band, phase):
    """The network sees the lag, then cosines of all bands, then sines."""
    weights = filter_weights(1.0)
    weights["layers.0.weight"] = np.eye(5)[[band + 2 * phase]]
    found = implicit_filter(np.array([3]), weights, time_scale=10.0)[0, 0]
    seen = (math.cos, math.sin)[phase](2 * math.pi * band / 2 * 0.3)
    assert found == pytest.approx((math.exp(-2 * 0.3) + FLOOR) * (1 + math.sin(math.sin(seen))), rel=1e-13)


def test_modal_filter():
    """One oscillation that turns by a quarter and halves at each step, and the sum of two constants."""
    weights = {
        "log_rate": np.log([0.5, 1.0]),
        "log_decay": np.array([[np.log(2 * np.log(2)), -800.0], [-800.0, -800.0]]),
        "frequency": np.array([[np.pi, 0.0], [0.0, 0.0]]),
        "residue": np.array([[[2.0, 4.0], [0.0, 7.0]], [[1.0, 0.0], [2.0, -3.0]]]),
    }
    check(modal_filter(np.array([0, 1, 2, 3]), weights), [[2, 3], [-2, 3], [-0.5, 3], [0.5, 3]])


def hyena_weights(order, *, skip, decay):
    """One channel x, all projections of which are x, and filters exp(-decay lag) + FLOOR."""
    return {
        "in_projection.weight": np.ones((order + 1, 1)),
        "short_taps": np.ones((order + 1, 1)),
        "short_bias": np.zeros(order + 1),
        "skip": column(*skip),
        "out_projection.weight": np.ones((1, 1)),
        "out_projection.bias": np.zeros(1),
        **{f"filters.{name}": values for name, values in filter_weights(*[0.0] * order, decay=decay).items()},
    }


def test_hyena_of_order_one():
    """A filter that halves at each step, but for its floor."""
    weights = hyena_weights(1, skip=[-FLOOR], decay=math.log(2))
    x, one, two = column(1, 10, 100), 0.5 + FLOOR, 0.25 + FLOOR
    numbers = {"time_scale": 1.0, "gate_norm": False}
    expected = column(2 * 1, 11 * (10 + one), 101 * (100 + 10 * one + two))
    check(hyena(x, weights, causal=True, **numbers), expected)
    expected = column(2 * (1 + 10 * one + 100 * two), 11 * (one + 10 + 100 * one), 101 * (two + 10 * one + 100))
    check(hyena(x, weights, causal=False, **numbers), expected)


def test_hyena_of_order_two_is_shifted_products():
    """With hardly any window but the floor, and the skip that removes it, what stays is the running sum of the past."""
    present = (1 + FLOOR) / 2  # half the tap at lag 0, as the order is 2
    weights = hyena_weights(2, skip=[-present, 2 - present], decay=800.0)
    x, floor = column(2, 4, 6), FLOOR / 2
    z = [0, 3 * floor * 2, 4 * floor * (2 + 4)]  # 1 + x / 2 times the floor's sum of all before
    expected = column(0, 3 * 2 * z[1], 4 * (floor * z[1] + 2 * z[2]))
    check(hyena(x, weights, causal=True, time_scale=1.0, gate_norm=False), expected)


def test_hyena_of_another_width():
    """Two channels with equal weights, of a token of one, are twice one channel."""
    one = hyena_weights(1, skip=[0.5], decay=2.0)
    of_channels = ("in_projection.weight", "short_taps", "short_bias")
    of_filters = ("filters.layers.2.weight", "filters.layers.2.bias", "filters.log_decay")
    two = one | {name: np.concatenate([one[name]] * 2) for name in of_channels + of_filters}
    two |= {"skip": np.full((1, 2), 0.5), "out_projection.weight": np.ones((1, 2))}
    x, numbers = column(1, -2, 3), {"causal": False, "time_scale": 1.0, "gate_norm": False}
    check(hyena(x, two, **numbers), 2 * hyena(x, one, **numbers))


def test_norm_of_gates():
    """One channel divided by its own size is its sign, here after two gates 1 + x / 2 of -1 and 2."""
    weights = hyena_weights(2, skip=[1.0, 1.0], decay=1.0)
    found = hyena(column(-4, 2), weights, causal=True, time_scale=1.0, gate_norm=True)
    np.testing.assert_allclose(found, column(-1, 1), rtol=1e-5)


# ------------------------------------------------------------------------------------------------- recurrent


def gru_weights(d_model, **changed):
    shapes = {"weight_ih_l0": (d_model,), "weight_hh_l0": (d_model,), "bias_ih_l0": (), "bias_hh_l0": ()}
    return {name: np.zeros((3 * d_model, *shape)) for name, shape in shapes.items()} | changed


def test_gru_with_zero_weights():
    check(gru(np.ones((4, 2)), gru_weights(2)), np.zeros((4, 2)))


def test_gru_with_one_proposal():
    """Gates at 1/2: each state is the middle of the last one and of tanh(1)."""
    found = gru(np.zeros((3, 1)), gru_weights(1, bias_ih_l0=np.array([0.0, 0.0, 1.0])))
    check(found, math.tanh(1) * column(1 / 2, 3 / 4, 7 / 8))


def test_gates_of_gru():
    reset, update, proposal = math.log(3), -math.log(3), 2.0  # gates 3/4 and 1/4
    weights = gru_weights(
        1,
        bias_ih_l0=np.array([reset, update, 0.0]),
        weight_ih_l0=column(0, 0, proposal),
        weight_hh_l0=column(0, 0, 4),
        bias_hh_l0=np.array([0.0, 0.0, 0.5]),
    )
    first = 3 / 4 * math.tanh(2 + 3 / 4 * 0.5)
    second = 3 / 4 * math.tanh(-2 + 3 / 4 * (4 * first + 0.5)) + 1 / 4 * first
    check(gru(column(1, -1), weights), column(first, second))


def test_both_directions():
    one = gru_weights(1, bias_ih_l0=np.array([0.0, 0.0, 1.0]))
    weights = {f"{name}.{key}": values for name in ("ahead", "back") for key, values in one.items()}
    weights |= {"out_projection.weight": np.array([[1.0, 10.0]]), "out_projection.bias": np.array([0.0])}
    check(recurrent(np.zeros((2, 1)), weights, causal=False), math.tanh(1) * column(1 / 2 + 7.5, 3 / 4 + 5))
    weights["out_projection.weight"] = np.array([[1.0]])
    check(recurrent(np.zeros((2, 1)), weights, causal=True), math.tanh(1) * column(1 / 2, 3 / 4))


# --------------------------------------------------------------------------------------------------- encoder


class NoMixing:
    mixer, n_layers, d_model = "pointwise", 1, 2
    positions, embedding_filter, causal = "sinusoidal", 1, False


def identity(name, width=2):
    return {f"{name}.weight": np.eye(width), f"{name}.bias": np.zeros(width)}


def norm(name):
    return {f"{name}.weight": np.ones(2), f"{name}.bias": np.zeros(2)}


BLOCK = {
    **norm("mixer_norm"),
    **identity("mixer.in_projection"),
    **identity("mixer.out_projection"),
    **norm("feed_norm"),
    **identity("widen"),
    **identity("narrow"),
}


def test_pointwise():
    check(pointwise(np.array([[1.0, -1.0]]), part(BLOCK, "mixer.")), gelu(np.array([[1.0, -1.0]])))


def test_neighbours():
    series = np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]])
    check(neighbours(series, 1, causal=True), series)
    check(neighbours(series, 2, causal=True), [[0, 1, 0, 5], [1, 2, 5, 6], [2, 3, 6, 7]])
    check(neighbours(series, 3, causal=False), [[0, 1, 2, 0, 5, 6], [1, 2, 3, 5, 6, 7], [2, 3, 0, 6, 7, 0]])
    check(neighbours(series[:1], 5, causal=False), [[0, 0, 1, 0, 0, 0, 0, 5, 0, 0]])


def test_block():
    """Each half adds gelu of the normed token, which is (-1, 1) but for the norm's 1e-5."""
    low, high = gelu(np.array([-1.0, 1.0]))
    found = block(np.array([[1.0, 3.0]]), BLOCK, NoMixing)
    np.testing.assert_allclose(found, [[1 + 2 * low, 3 + 2 * high]], rtol=1e-5)


def test_encoder_of_constants():
    """An embedding that leaves positions alone, and a last map that adds up the normed token."""
    weights = {
        "embedding.weight": np.zeros((2, 1)),
        "embedding.bias": np.zeros(2),
        **norm("norm"),
        "out_projection.weight": np.array([[0.0, 1.0]]),
        "out_projection.bias": np.array([4.0]),
        **{f"blocks.0.{name}": values for name, values in BLOCK.items()},
    }
    # the position 0 is (0, 1), the position 2 is (sin 2, cos 2), which a norm turns into (-1, 1) and (1, -1)
    found = encoder(np.zeros((3, 1)), weights, NoMixing)
    np.testing.assert_allclose(found[[0, 2]], column(5, 3), rtol=1e-4)


def test_encoder_of_neighbours():
    """Tokens are (x_t, x_{t-1}), which a norm turns into the sign of a step, without blocks."""
    weights = {"embedding.weight": np.array([[0.0, 1.0], [1.0, 0.0]]), "embedding.bias": np.zeros(2), **norm("norm")}

    class Neighbours(NoMixing):
        n_layers, positions, embedding_filter, causal = 0, "none", 2, True

    found = encoder(column(-3, 5, 2), weights, Neighbours)
    np.testing.assert_allclose(found, [[-1, 1], [1, -1], [-1, 1]], rtol=1e-4)
