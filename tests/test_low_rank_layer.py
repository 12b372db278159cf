"""The layer of low-rank iterated sums: values, gradients, training."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline

from sigfeat import FeatureScaler, LowRankISSTransformer
from sigfeat._kernels.low_rank import low_rank_thresholds, low_rank_values, pooled_low_rank
from sigfeat.functionals import draw_functionals, n_parts
from sigfeat.nn import LowRankISS
from sigfeat.nn.low_rank import PooledLowRank, convolved_by_products
from sigfeat.nn.pooling import pooled_on_device
from sigfeat.pooling import POOLINGS

LENGTHS = np.array([60, 41, 60, 9, 33, 2, 50])
LONGER = np.maximum(LENGTHS, 4)
SCALE = np.array([[0.9, 1.1, 1.0], [0.7, 1.3, 1.0]])
RINGS = ("real", "max_plus", "min_plus")


def drawn(depth, semirings=RINGS, n_chains=12, decay=None, n_channels=3):
    return draw_functionals(
        n_chains,
        depth,
        n_channels,
        40,
        n_lags=5,
        dilations=None,
        decay=decay,
        semirings=semirings,
        random_state=np.random.RandomState(depth),
    )


def panel(n_channels=3, lengths=LENGTHS):
    X = np.random.default_rng(0).normal(size=(len(lengths), n_channels, lengths.max()))
    X[np.broadcast_to(np.arange(lengths.max()) >= lengths[:, np.newaxis, np.newaxis], X.shape)] = np.nan
    return X


def run(layer, X):
    series = torch.tensor(np.nan_to_num(X, nan=7.0).transpose(0, 2, 1), dtype=layer.taps.dtype)
    return layer(series, torch.tensor(LENGTHS))


@pytest.mark.parametrize("decay", [0.0, None])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_layer_gives_what_the_compiled_loops_give(dtype, depth, decay):
    X, functionals = panel(), drawn(depth, decay=decay)
    expected = low_rank_values(X, LENGTHS, functionals, shift=np.zeros(3), scale=SCALE)
    layer = LowRankISS(functionals, 3, SCALE, dtype)
    found, inside = run(layer, X), layer.inside(torch.tensor(LENGTHS), 60).numpy()
    assert found.dtype == dtype
    assert (inside <= np.isfinite(expected)).all()
    assert (found.detach().numpy()[~inside] == 0).all()
    for part in range(n_parts(depth)):
        for chain in range(12):
            here = inside[:, chain, part]
            own, other = found[:, chain, part].detach().numpy()[here], expected[:, chain, part][here]
            np.testing.assert_allclose(own, other, rtol=0, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("ring", RINGS)
def test_gradients_are_those_of_finite_differences(ring):
    functionals = drawn(3, (ring,), n_chains=2, n_channels=2)
    layer = LowRankISS(functionals, 2, SCALE[:, :2], torch.float64)
    series = torch.randn(2, 9, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([9, 6])
    taps = layer.taps.detach().clone().requires_grad_()

    def values(series, taps):
        return torch.func.functional_call(layer, {"taps": taps}, (series, lengths))

    def pooled(series, taps):
        network = PooledLowRank(layer, np.full((2, 6, 2), 0.1), np.ones((2, 6)), 2, [(0, 2), (1, 2)])
        return torch.func.functional_call(network, {"layer.taps": taps}, (series, lengths))

    assert torch.autograd.gradcheck(values, (series, taps))
    assert torch.autograd.gradcheck(pooled, (series, taps))


def test_shares_in_evaluation_are_those_of_the_compiled_loops():
    X, functionals, windows = panel(), drawn(2), np.array([[0, 2], [1, 2]])
    rng = np.random.default_rng(0)
    shares = rng.random((12, 3, 2))
    how = {"shift": np.zeros(3), "scale": SCALE}
    thresholds = low_rank_thresholds(X, LENGTHS, functionals, rng.integers(0, 5, 12), shares, **how)
    out = np.empty((len(X), 12 * 3 * 2 * 2))
    columns = [("ppv", 0), ("ppv", 1)]
    pooled_low_rank(X, LENGTHS, functionals, (columns, thresholds, 2, windows), n_threads=1, out=out, **how)
    network = PooledLowRank(LowRankISS(functionals, 3, SCALE), thresholds, np.ones((12, 3)), 2, windows).eval()
    found = run(network_with_taps(network), X).detach().numpy()
    expected = np.concatenate([out[:, :96].reshape(-1, 12, 2, 2, 2), out[:, 96:].reshape(-1, 12, 1, 2, 2)], axis=2)
    assert (np.abs(found - expected) > 1e-6).mean() < 0.01  # a value at its threshold may be rounded to either side


def test_sums_that_torch_does_not_have_are_refused():
    with pytest.raises(ValueError, match="semiring must be one of real, max_plus, min_plus .*, got 'max_times'"):
        LowRankISS(dataclasses.replace(drawn(2), semirings=("max_times",) * 12), 3)


def network_with_taps(network):
    network.taps = network.layer.taps
    return network


def orders(n_samples, seed):
    """Noise and two pulses, one up and one down, at random places: which comes first is the class."""
    rng = np.random.default_rng(seed)
    X, y = 0.1 * rng.standard_normal((n_samples, 1, 60)), np.arange(n_samples) % 2
    for i in range(n_samples):
        first, second = np.sort(rng.choice(np.arange(3, 57, 6), 2, replace=False))
        X[i, 0, first : first + 3] += 2 * y[i] - 1
        X[i, 0, second : second + 3] -= 2 * y[i] - 1
    return X, y


def supervised(**more):
    return LowRankISSTransformer(**{"n_functionals": 6, "quantiles": 1, "fit_mode": "supervised", "lr": 0.03} | more)


@pytest.mark.slow
def test_trained_functionals_tell_more_than_random_ones():
    (X, y), (fresh, expected) = orders(120, 0), orders(200, 1)
    scores = {}
    for mode in ("random", "supervised"):
        low_rank = supervised() if mode == "supervised" else LowRankISSTransformer(6, quantiles=1)
        model = make_pipeline(low_rank, FeatureScaler(), RidgeClassifierCV())
        scores[mode] = model.fit(X, y).score(fresh, expected)
    losses = model[0].history_["train_loss"]
    assert losses[-1] < 0.6 * losses[0]
    assert scores["supervised"] > scores["random"] + 0.03


def test_training_is_repeatable_and_leaves_random_state_alone():
    X, y = orders(30, 0)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = (supervised(max_epochs=2).fit(X, y) for _ in range(2))
    assert torch.rand(1) == expected
    np.testing.assert_array_equal(first.functionals_.taps, second.functionals_.taps)
    untrained = LowRankISSTransformer(6, quantiles=1).fit(X, y)
    assert (first.functionals_.taps != untrained.functionals_.taps).any()
    assert not hasattr(untrained, "history_")
    assert first.history_["train_loss"].shape == (2,)
    assert {field.name for field in dataclasses.fields(first.functionals_)} >= {"taps", "decays"}


def test_unequal_lengths_and_targets_of_a_regression_are_trained_on():
    X, y = panel(), np.linspace(0, 1, len(LENGTHS))
    iss = supervised(max_epochs=2, batch_size=4).fit(X, y)
    assert np.isfinite(iss.transform(X)).all()


def test_y_is_asked_for():
    with pytest.raises(ValueError, match="requires y"):
        supervised().fit(panel())


def test_an_interrupt_leaves_nothing_half_fitted(monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    X, y = orders(30, 0)
    iss = supervised().fit(X, y)
    monkeypatch.setattr(LowRankISS, "_follow", interrupt)
    with pytest.raises(KeyboardInterrupt):
        iss.fit(X, y)
    assert not iss.__sklearn_is_fitted__()


def test_a_device_that_is_not_there_is_told_in_one_sentence():
    X, y = panel(), np.arange(len(LENGTHS)) % 2
    model = LowRankISSTransformer(n_functionals=4, fit_mode="supervised", device="abacus")
    with pytest.raises(ValueError, match="device must be one that torch can use, got 'abacus': "):
        model.fit(X, y)
    assert not hasattr(model, "functionals_")


def on(device, iss, X):
    """Features of a fitted transformer from the operations of torch, which the CPU does not take by itself."""
    lengths = np.isfinite(X[:, 0]).sum(axis=1)
    out = np.empty((len(X), iss._n_features_out), X.dtype)
    pooling = iss._pooling_columns, iss.thresholds_, iss._n_fine, iss._runs
    how = {"shift": iss.mean_, "scale": 1 / np.stack([iss.scale_, iss.difference_scale_]), "device": device, "out": out}
    assert pooled_on_device(X, lengths, iss.functionals_, pooling, **how)
    return out


def assert_alike(iss, found, expected):
    """Equal up to rounding, relative to the largest of each pooling; a time may be above its threshold or not."""
    names, lengths = iss.get_feature_names_out(), LONGER[:, np.newaxis]
    for ring in RINGS:
        for pooling in POOLINGS:
            chosen = [f"|{ring}|{pooling}" in name for name in names]
            if not any(chosen):
                continue
            own, other = found[:, chosen], expected[:, chosen]
            differs = np.abs(own - other) > 1e-5 * max(1.0, np.abs(other).max())
            if pooling in ("ppv", "mpv", "mipv"):
                assert differs.mean() < 0.002, (ring, pooling, differs.mean())
                if pooling == "ppv":  # windows are at most four times shorter than the series
                    assert (np.abs(own - other) <= 8 / lengths + 1e-6).all()
            else:
                assert not differs.any(), (ring, pooling)


WAYS = {
    "whole": {},
    "one letter": {"depth": 1},
    "three letters, windows": {"depth": 3, "windows": ("dyadic", 2)},
    "no decay": {"decay": 0.0, "windows": 3},
    "differences only scaled": {"scale": "std", "quantiles": 1},
    "not scaled": {"scale": None, "dilations": (1, 4)},
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("way", WAYS)
def test_operations_of_torch_give_the_features_of_the_compiled_loops(way, dtype, monkeypatch):
    X = panel(lengths=LONGER).astype(dtype)
    iss = LowRankISSTransformer(n_functionals=40, semiring=RINGS, pooling=tuple(POOLINGS))
    iss.set_params(**WAYS[way]).fit(X[:, :, :50])
    expected, found = iss.transform(X), on("cpu", iss, X)
    assert found.dtype == dtype
    assert_alike(iss, found, expected)
    monkeypatch.setattr("sigfeat.nn.pooling.CHUNK_BYTES", 20_000)  # few chains of few series at once
    np.testing.assert_allclose(on("cpu", iss, X), found, atol=1e-5 * np.abs(found).max())


def test_smooth_series_far_from_zero_keep_their_differences():
    t = np.linspace(0, 3, 300)
    X = 1e4 + np.stack([np.sin(t + phase) for phase in np.arange(6)])[:, np.newaxis]
    iss = LowRankISSTransformer(n_functionals=40, pooling=("mean", "max"), scale="standard").fit(X)
    np.testing.assert_allclose(on("cpu", iss, X), expected := iss.transform(X), atol=1e-5 * np.abs(expected).max())


def test_products_of_matrices_convolve():
    rows, weight = torch.randn(2, 3, 40, dtype=torch.float64), torch.randn(5, 3, 7, dtype=torch.float64)
    for dilation in (1, 4):
        expected = torch.nn.functional.conv1d(rows, weight, dilation=dilation)
        torch.testing.assert_close(convolved_by_products(rows, weight, dilation=dilation), expected)


@pytest.mark.parametrize("factor", [1e19, 1e14])
def test_sums_too_large_for_float32_are_told_wherever_they_are_computed(factor):
    X = panel(lengths=LONGER) * factor
    iss = LowRankISSTransformer(depth=3, n_functionals=4, scale=None, decay=0.0).fit(X / factor)
    with pytest.raises(ValueError, match="low-rank iterated sums overflow float32"):
        iss.transform(X)
    with pytest.raises(AssertionError):
        on("cpu", iss, X)


def test_no_tensor_is_left_on_the_cpu():
    functionals = drawn(3)
    layer = LowRankISS(functionals, 3, SCALE).to("meta")
    series, lengths = torch.empty(7, 60, 3, device="meta"), torch.empty(7, dtype=torch.int64, device="meta")
    assert layer(series, lengths).device.type == "meta"
