"""Interval features: compiled loops, torch layers and transformers against the definition."""

import warnings

import mpmath
import numpy as np
import pytest
import torch

from sigfeat import (
    IntervalDevelopmentTransformer,
    IntervalISSTransformer,
    IntervalNetworkClassifier,
    PathDevelopmentTransformer,
    Word,
    words_of_weight,
)
from sigfeat._kernels.intervals.features import Developments, Sums, interval_values
from sigfeat.datasets import make_coincidence
from sigfeat.filters import FILTERS, ExponentialFilters, FiniteFilters, draw_filters
from sigfeat.nn import GROUPS, IntervalDevelopment, IntervalSums, build_filter, interval_convolution, random_algebra
from sigfeat.nn.intervals.layers import PooledIntervals
from sigfeat.pooling import POOLINGS, fine_windows
from sigfeat.reference.intervals import interval_developments, interval_features, interval_sum
from sigfeat.reference.pooling import pooled
from sigfeat.transformers.intervals.development import StepsOf

WORDS = [word for weight in range(1, 5) for word in words_of_weight(2, weight)]
LENGTHS = (3, 20)  # of filters: several stretches, and one
N = 14


def series(n_channels=2, n=N, seed=0):
    return np.random.default_rng(seed).normal(size=(n_channels, n))


@pytest.fixture
def short_stretches(monkeypatch):
    """As short as filters allow: long series in small."""
    monkeypatch.setattr("sigfeat._kernels.intervals.features.SHORTEST", 1)
    monkeypatch.setattr("sigfeat.nn.intervals.layers.SHORTEST", 1)


def unscaled(words, n_channels=2):
    return Sums(words, np.zeros(n_channels), np.ones(n_channels))


# ------------------------------------------------------------------------------------------ loops and layers


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", FILTERS)
def test_sums_are_those_of_the_definition(short_stretches, kind, length):
    x, module = series(), build_filter(kind, 2, 2, length, 0)
    filters = module.frozen()
    found = interval_values(unscaled(WORDS), x, N, filters)
    by_layer = IntervalSums(WORDS, module)(torch.from_numpy(x.T[np.newaxis].copy())).detach().numpy()[0].T
    taps = filters.taps(N + 1)
    for w, word in enumerate(WORDS):
        for j in range(2):
            expected = interval_features(x, word, taps[:, j])
            np.testing.assert_allclose(found[w, j], expected, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(by_layer[2 * w + j], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize("name", GROUPS)
def test_developments_are_those_of_the_definition(short_stretches, name, kind, length):
    group, x, module = GROUPS[name](4 if name == "Sp" else 3), series(), build_filter(kind, 2, 2, length, 0)
    generator = torch.Generator().manual_seed(0)
    algebra = 0.5 * random_algebra(group, 2, 1, generator=generator, dtype=torch.float64)
    filters = module.frozen()
    source = Developments(StepsOf(group, algebra[0].numpy()), group.dim, group.is_complex)
    found = interval_values(source, x, N, filters)
    layer = IntervalDevelopment(group, 2, 1, module)
    layer.development.weight.data = algebra
    steps = torch.from_numpy(np.diff(x, axis=1, prepend=x[:, :1]).T[np.newaxis].copy())
    by_layer = layer(steps).detach().numpy()[0].T.reshape(found.shape)
    for j in range(2):
        expected = interval_developments(x.T, algebra[0].numpy(), filters.taps(N)[:, j]).reshape(N, -1).T
        np.testing.assert_allclose(found[:, j], expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(by_layer[:, j], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("is_complex", [False, True])
def test_the_consumer_is_the_double_sum(is_complex):
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=(2, 3, 4, 9)) + (1j * rng.normal(size=(2, 3, 4, 9)) if is_complex else 0)
    taps, terms = (
        rng.normal(size=(2, 2, 3, 5)),
        (torch.tensor([0, 0, 1]), torch.tensor([0, 3, 2]), torch.tensor([1, 1, 2])),
    )
    found = interval_convolution(torch.tensor(p), torch.tensor(q), torch.tensor(taps), terms, 2).numpy()
    full = np.zeros((2, 2, 3, 9))
    full[..., :5] = taps
    for t in range(9):
        backwards = slice(t, None, -1)
        left = np.einsum("jra,bna->bjrn", full[0, :, :, : t + 1], p[:, :, backwards])
        right = np.einsum("jra,bna->bjrn", full[1, :, :, : t + 1], q[:, :, backwards])
        expected = np.stack(
            [
                (left[..., 0] * right[..., 1] + left[..., 3] * right[..., 1]).sum(2),
                (left[..., 2] * right[..., 2]).sum(2),
            ],
            1,
        )
        np.testing.assert_allclose(found[..., t], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", FILTERS)
def test_gradients_of_sums(kind):
    layer = IntervalSums(["[1]", "[1][2]", "[1,2][1][2]"], build_filter(kind, 2, 1, 4, 0))
    x = torch.randn(2, 9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    parameters = tuple(layer.parameters())

    def values(x, *parameters):
        return layer(x)

    assert torch.autograd.gradcheck(values, (x, *parameters), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["SO", "SU", "SE"])
def test_gradients_of_developments(name):
    generator = torch.Generator().manual_seed(0)
    layer = IntervalDevelopment(GROUPS[name](2), 2, 2, build_filter("learnt", 2, 1, 3, 0), generator=generator)
    x = torch.randn(2, 7, 2, dtype=torch.float64, generator=generator, requires_grad=True)

    def values(x, *parameters):
        return torch.view_as_real(layer(x)) if layer.development.group.is_complex else layer(x)

    assert torch.autograd.gradcheck(values, (x, *layer.filters.parameters()), eps=1e-6, atol=1e-6)


def test_layers_give_the_precision_that_they_get():
    layer = IntervalSums(["[1]"], build_filter("random", 1, 1, 4, 0))
    assert layer(torch.zeros(1, 5, 1)).dtype == torch.float32
    assert layer(torch.zeros(1, 5, 1, dtype=torch.float64)).dtype == torch.float64


def test_unknown_kinds_of_filters_are_refused():
    with pytest.raises(ValueError, match=f"kind must be one of {', '.join(FILTERS)}, got 'gamma'"):
        build_filter("gamma", 1, 1, 5, 0)
    drawn = [name for name, draw in FILTERS.items() if draw is not None]
    for kind in ("gamma", *(FILTERS.keys() - drawn)):
        with pytest.raises(ValueError, match=f"kind must be one of {', '.join(drawn)}, got '{kind}'"):
            draw_filters(kind, 1, 1, 5, np.random.RandomState(0))


@pytest.mark.parametrize("kind", FILTERS)
def test_a_filter_knows_its_length_and_device(kind):
    module = build_filter(kind, 3, 2, 7, 0)
    filters = module.frozen()
    assert module.device == torch.device("cpu")
    assert module.length == filters.length
    assert filters.taps(5).shape == (2, 3, 2, 5)
    np.testing.assert_allclose(module(5).detach().numpy(), filters.taps(5), rtol=1e-14)
    assert (kind == "exponential") == isinstance(filters, ExponentialFilters)
    if kind == "exponential":
        assert np.abs(filters.taps(filters.length + 1)[..., -1]).max() < 1e-16
    else:
        assert filters.length == 7
        assert not filters.taps(9)[..., 7:].any()


def test_averages_over_lags():
    """Exponentials and boxes sum up to one, and so an interval function that is one everywhere stays one."""
    for kind in ("exponential", "box"):
        taps = draw_filters(kind, 5, 1, 6, np.random.RandomState(0)).taps(3000)
        np.testing.assert_allclose(taps.sum(axis=-1).prod(axis=0), 1.0)


# ------------------------------------------------------------------------------------------------ long series


def exact(x, letters, filtered):
    """Values of one word at the last time with 50 digits, from factors anchored at the start of the series."""
    mpmath.mp.dps = 50
    k = len(letters)
    channels = [[mpmath.mpf(float(v)) for v in np.prod([x[c] for c in letter], axis=0)] for letter in letters]
    sums = {(j, m): mpmath.mpf(m == j) for j in range(k + 1) for m in range(j, k + 1)}
    inverse = {(j, m): mpmath.mpf(m == j) for j in range(k + 1) for m in range(j, k + 1)}
    rows = [[inverse[0, m]] for m in range(k + 1)], [[sums[m, k]] for m in range(k + 1)]
    for t in range(x.shape[1]):
        for j in range(k + 1):
            for m in range(k, j, -1):
                sums[j, m] += channels[m - 1][t] * sums[j, m - 1]
        for m in range(k + 1):
            for j in range(m - 1, -1, -1):
                inverse[j, m] -= channels[j][t] * inverse[j + 1, m]
        for m in range(k + 1):
            rows[0][m].append(inverse[0, m])
            rows[1][m].append(sums[m, k])
    return sum(filtered(rows[0][m], 0) * filtered(rows[1][m], 1) for m in range(k + 1))


@pytest.mark.parametrize("drift", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["exponential", "box"])
def test_long_series_keep_their_digits_under_decay_and_windows(kind, drift):
    n, word = 10_000, Word.parse("[1][2][1]")
    x = series(n=n) + drift
    filters = draw_filters(kind, 1, 1, 200, np.random.RandomState(1))
    found = interval_values(unscaled([word]), x, n, filters)[0, 0, -1]
    taps = [[mpmath.mpf(float(v)) for v in side[0, 0]] for side in filters.taps(min(filters.length, n + 1))]

    def filtered(row, side):
        return mpmath.fdot(taps[side], row[: -len(taps[side]) - 1 : -1])

    expected = exact(x, word.letters, filtered)
    assert abs(found - expected) <= 1e-6 * abs(expected)


def test_what_is_lost_without_decay_or_windows_is_told():
    X = 1 + 0.01 * np.random.default_rng(0).normal(size=(1, 1, 3000))
    model = IntervalISSTransformer(words=["[1][1][1][1]"], filter="box", n_filters=4, filter_length=8, scale=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X).transform(X)
    short = FiniteFilters(np.zeros((2, 1, 1, 3000)))  # intervals of five steps, under a filter that claims 3000
    short.values[0, ..., 5] = short.values[1, ..., 0] = 1.0
    model = IntervalISSTransformer(words=["[1][1][1][1]"], n_filters=1, pooling="end", scale=None).fit(X)
    model.filters_ = short
    with pytest.warns(RuntimeWarning, match="are correct: large terms cancel with filters of 3000 lags"):
        lossy = model.transform(X)
    digits = -np.log10(abs(lossy[0, 0] / interval_sum(X[0], "[1][1][1][1]", 2995, 3000) - 1))
    assert 1 < digits < 6


# ---------------------------------------------------------------------------------------------- transformers


@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize("windows", ["whole", 3, ("dyadic", 1)])
def test_features_are_pooled_values(kind, windows):
    X = np.random.default_rng(0).normal(size=(3, 2, 40))
    poolings = tuple(POOLINGS)
    model = IntervalISSTransformer(
        words=["[1]", "[2][1]"],
        filter=kind,
        n_filters=2,
        filter_rank=2,
        filter_length=6,
        pooling=poolings,
        windows=windows,
    ).fit(X)
    features = dict(zip(model.get_feature_names_out(), model.transform(X).T, strict=True))
    n_fine, runs = fine_windows(windows)
    for i, x in enumerate(X):
        values = interval_values(model._made[0], x, 40, model.filters_).reshape(4, 40)
        for row, word in enumerate(["[1]", "[1]", "[2][1]", "[2][1]"]):
            for name, run in zip(model._endings[: len(runs)], runs * 40 // n_fine, strict=True):
                for pooling in poolings:
                    value = pooled(values[row], pooling, model.thresholds_[row], *run)
                    full = f"{word}|{kind}{row % 2 + 1}{name.replace('|end', '|' + pooling)}"
                    assert features[full][i] == pytest.approx(value, abs=1e-12), full


def test_developments_are_pooled_values_too():
    X = np.random.default_rng(0).normal(size=(2, 2, 30))
    model = IntervalDevelopmentTransformer(
        "SU", dim=2, n_developments=2, filter="box", n_filters=2, pooling="mean"
    ).fit(X)
    names = list(model.get_feature_names_out())
    assert names[:3] == [
        "dev1[SU(2)](1,1)|box1|re|mean",
        "dev1[SU(2)](1,1)|box1|im|mean",
        "dev1[SU(2)](1,1)|box2|re|mean",
    ]
    features = model.transform(X)
    values = np.stack([interval_values(model._made[1], x, 30, model.filters_) for x in X]).mean(axis=-1)
    place = names.index("dev2[SU(2)](2,1)|box2|im|mean")
    np.testing.assert_allclose(features[:, place], values[:, 2, 1].imag, atol=1e-12)


@pytest.mark.parametrize("kind", ["exponential", "box"])
@pytest.mark.parametrize("transformer", [IntervalISSTransformer, IntervalDevelopmentTransformer])
def test_features_of_a_series_do_not_depend_on_the_others_or_on_threads(transformer, kind):
    lengths = [33, 1, 2, 5, 33, 20, 7]
    X = np.random.default_rng(0).normal(size=(7, 2, 50)).cumsum(axis=2)
    X[np.broadcast_to(np.arange(50) >= np.array(lengths)[:, np.newaxis, np.newaxis], X.shape)] = np.nan
    model = transformer(filter=kind, n_filters=2, windows=("dyadic", 1)).fit(X)
    together = model.transform(X)
    alone = [model.transform(X[i : i + 1, :, :n]) for i, n in enumerate(lengths)]
    np.testing.assert_array_equal(together, np.concatenate(alone))
    np.testing.assert_array_equal(together, model.set_params(n_jobs=2).transform(X))


@pytest.mark.parametrize("kind", FILTERS)
def test_supervised_sums_and_developments_learn(kind):
    X, y = make_coincidence(n_samples=40, length=64, n_shapes=2, random_state=0)
    how = {"filter": kind, "n_filters": 2, "fit_mode": "supervised", "max_epochs": 4, "filter_length": 10}
    for model in (IntervalISSTransformer(**how), IntervalDevelopmentTransformer(**how)):
        drawn = type(model)(filter=kind, n_filters=2, filter_length=10).fit(X, y)
        model.fit(X, y)
        assert model.history_["train_loss"][-1] < model.history_["train_loss"][0]
        assert (model.filters_.taps(10) != drawn.filters_.taps(10)).any()
        assert np.isfinite(model.transform(X)).all()
        if hasattr(model, "algebra_"):
            assert (model.algebra_ != drawn.algebra_).any()


def test_trained_layers_give_what_the_transformer_gives():
    X, lengths = np.random.default_rng(0).normal(size=(3, 2, 30)), np.array([30, 30, 30])
    model = IntervalISSTransformer(words=["[1][2]"], filter="learnt", n_filters=2, scale=None).fit(X)
    layer = IntervalSums(["[1][2]"], build_filter("learnt", 2, 1, 15, 0))
    for filters in (layer.filters.frozen(), model.filters_):
        assert filters.length == 15
    layer.filters.load_state_dict(layer.filters.state_dict())
    model.filters_ = layer.filters.frozen()
    features = PooledIntervals(layer, ("end", "mean", "max", "min"), 1, np.array([[0, 1]]))
    by_layer = features(torch.from_numpy(X.swapaxes(1, 2).copy()), torch.from_numpy(lengths)).detach().numpy()
    np.testing.assert_allclose(by_layer.reshape(3, 4, 2).swapaxes(1, 2).reshape(3, 8), model.transform(X), atol=1e-10)


@pytest.mark.parametrize("kind", ["exponential", "box"])
@pytest.mark.parametrize("pooling", ["max", "end"])
def test_overflow_is_told(kind, pooling):
    X = np.random.default_rng(0).normal(size=(3, 2, 12))
    sums = IntervalISSTransformer(depth=3, filter=kind, pooling=pooling).fit(X)
    developments = IntervalDevelopmentTransformer("GL", filter=kind, pooling=pooling).fit(X)
    for model in (sums, developments):
        with pytest.raises(ValueError, match="overflow float64: scale the series"):
            model.transform(X * 1e150)


def test_scaling_that_overflows_before_training_is_told():
    X = np.array([[[1.7e308]], [[-1.7e308]], [[-1.7e308]]])
    model = IntervalISSTransformer(filter="learnt", n_filters=1, fit_mode="supervised", max_epochs=1)
    with pytest.raises(ValueError, match="X overflows float64 when it is standardised: scale the series"):
        model.fit(X, [0, 1, 0])


def test_elements_of_huge_channels_may_be_denormal():
    X = np.array([[[0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]]]) * [[1.0], [np.finfo(float).max]]
    for cls in (IntervalDevelopmentTransformer, PathDevelopmentTransformer):
        assert np.isfinite(cls("SU", dim=2, step_size=0.1).fit_transform(X)).all()


def test_a_device_that_is_not_there_is_told():
    X, y = np.random.default_rng(0).normal(size=(4, 1, 9)), [0, 1, 0, 1]
    for model in (
        IntervalISSTransformer(fit_mode="supervised", device="abacus"),
        IntervalNetworkClassifier(device="abacus"),
    ):
        with pytest.raises(ValueError, match="device must be one that torch can use, got 'abacus': "):
            model.fit(X, y)
