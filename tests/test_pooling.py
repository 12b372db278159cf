"""Poolings: each of the table goes through every place that pools, and gives what its definition gives."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sigfeat import ISSTransformer, LowRankISSTransformer, PathDevelopmentTransformer
from sigfeat._kernels.development.plan import Plan
from sigfeat._kernels.intervals.features import Sums, WindowPooling, interval_values, pooled_intervals
from sigfeat._kernels.low_rank import low_rank_values, pooled_low_rank
from sigfeat._kernels.words.iterated_sums import PrefixTrees, pooled_values, running_values
from sigfeat.filters import ExponentialFilters
from sigfeat.functionals import draw_functionals
from sigfeat.nn import GROUPS, Development, IntervalSums, build_filter
from sigfeat.nn.intervals.layers import PooledIntervals
from sigfeat.nn.pooled_development import PooledDevelopment
from sigfeat.nn.pooling import ACCUMULATED, pool_tokens, pooled_on_device
from sigfeat.nn.pooling import pooled as pooled_tensor
from sigfeat.pooling import POOLINGS, STATISTICS, check_poolings, fine_windows, threshold_poolings, trainable_poolings
from sigfeat.reference.pooling import pooled
from sigfeat.semirings import SEMIRINGS
from sigfeat.words import Word

LENGTHS = np.array([80, 37, 12, 5])
N_FINE, RUNS = fine_windows(("dyadic", 2))
WORDS = [Word.parse(text) for text in ("[1]", "[1][2]", "[2][1][1,2]")]
X = np.random.default_rng(0).normal(size=(4, 2, 80))
X[np.broadcast_to(np.arange(80) >= LENGTHS[:, np.newaxis, np.newaxis], X.shape)] = np.nan
SCALING = {"shift": np.zeros(2), "scale": np.ones(2)}
CLOSE = {"rtol": 1e-9, "atol": 1e-10}


def expected(values, name, threshold, n_undefined=0):
    """The pooling of values (n_timepoints,) over all windows."""
    bounds = RUNS * len(values) // N_FINE
    return [pooled(values, name, threshold, start, stop, n_undefined) for start, stop in bounds]


def words(name):
    out, thresholds, ring = np.empty((4, 3, 1, len(RUNS))), np.array([0.1, -0.2, 0.3]), SEMIRINGS["real"]
    trees, how = PrefixTrees(WORDS, 2, N_FINE), {"strict": True, "decay_factor": 0.9, **SCALING}
    pooling = (name,), thresholds, N_FINE, RUNS
    pooled_values(X, LENGTHS, trees, ring, pooling, n_threads=1, out=out.reshape(4, -1), **how)
    running = running_values(X, LENGTHS, trees.trees[0], ring, **how)
    for i, n in enumerate(LENGTHS):
        for place, w in enumerate(trees.trees[0][2]):
            of_word = expected(running[i, place, :n], name, thresholds[w], WORDS[w].length - 1)
            np.testing.assert_allclose(out[i, w, 0], of_word, **CLOSE)


def drawn_functionals(name):
    how = {"n_lags": 5, "dilations": None, "decay": 0.1, "semirings": ("real",)}
    functionals = draw_functionals(3, 2, 2, 80, random_state=np.random.RandomState(0), **how)
    pooling = [(name, 0)], np.full((3, 3, 1), 0.2, np.float32), N_FINE, RUNS
    return functionals, pooling, {"shift": np.zeros(2), "scale": np.ones((2, 2)), "out": np.empty((4, 9 * len(RUNS)))}


def low_rank(name):
    functionals, pooling, how = drawn_functionals(name)
    assert pooled_low_rank(X, LENGTHS, functionals, pooling, n_threads=1, **how)
    out = how.pop("out").reshape(4, 9, len(RUNS))
    values = low_rank_values(X, LENGTHS, functionals, **how).astype(np.float64)
    order = [(chain, part) for chain in range(3) for part in (0, 1)] + [(chain, 2) for chain in range(3)]
    for i, n in enumerate(LENGTHS):
        for place, (chain, part) in enumerate(order):
            own = values[i, chain, part, : n - functionals.differenced[chain]]
            if POOLINGS[name].needs == ("end",):  # the iterated sum over the window, whose terms the values are
                bounds = RUNS * len(own) // N_FINE
                of_chain = [sum(own[t] * np.exp(-0.1 * (stop - 1 - t)) for t in range(max(start, part // 2), stop))
                            for start, stop in bounds]  # fmt: skip
            else:
                of_chain = expected(own, name, np.float32(0.2), part // 2)
            np.testing.assert_allclose(out[i, place], of_chain, rtol=1e-4, atol=1e-5)


def low_rank_in_torch(name):
    functionals, pooling, how = drawn_functionals(name)
    in_torch = how | {"out": np.empty_like(how["out"])}
    assert pooled_on_device(X, LENGTHS, functionals, pooling, device="cpu", **in_torch)
    assert pooled_low_rank(X, LENGTHS, functionals, pooling, n_threads=1, **how)
    np.testing.assert_allclose(in_torch["out"], how["out"], rtol=1e-4, atol=1e-5)


def drawn_developments():
    increments = np.random.default_rng(1).normal(scale=0.4, size=(4, 80, 2))
    increments[np.arange(80) >= LENGTHS[:, np.newaxis]] = 0.0
    increments[:, 0] = 0.0
    layer = Development(GROUPS["SO"](3), 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return increments, layer, np.full((2, 9), 0.1)


def developments(name):
    increments, layer, thresholds = drawn_developments()
    plan = Plan(layer.algebra.detach().numpy(), layer.group.involution, layer.group.is_compact)
    found = plan.pooled(increments, (np.arange(4), np.zeros(4, int), LENGTHS), (name,), thresholds)
    path = plan.path(increments)
    for i, n in enumerate(LENGTHS):
        for place in np.ndindex(2, 9):
            of_entry = pooled(path[i, :n, *place], name, 0.1, 0, n)
            np.testing.assert_allclose(found[i, *place, 0], of_entry, **CLOSE)


def developments_in_torch(name):
    increments, layer, thresholds = drawn_developments()
    network = PooledDevelopment(layer, (name,), N_FINE, RUNS, thresholds)
    with torch.no_grad():
        found = network(torch.from_numpy(increments), torch.from_numpy(LENGTHS)).numpy()
    plan = Plan(layer.algebra.detach().numpy(), layer.group.involution, layer.group.is_compact)
    bounds = RUNS * LENGTHS[:, np.newaxis, np.newaxis] // N_FINE
    runs = np.repeat(np.arange(4), len(RUNS)), bounds[..., 0].ravel(), bounds[..., 1].ravel()
    of_loops = plan.pooled(increments, runs, (name,), thresholds).reshape(4, len(RUNS), 2, 9, 1)
    np.testing.assert_allclose(found, np.moveaxis(of_loops, 1, -1), **CLOSE)


def intervals(name):
    filters = ExponentialFilters(rates=np.array([[[0.1], [0.3]], [[0.2], [0.4]]]), weights=np.ones((2, 1)))
    source, thresholds = Sums(WORDS[:2], **SCALING), np.full(4, 0.3)
    out = np.empty((4, 4, 1, len(RUNS)))
    pooling = WindowPooling((name,), thresholds, N_FINE, RUNS)
    pooled_intervals(source, X, LENGTHS, filters, pooling, n_threads=1, out=out.reshape(4, -1))
    for i, n in enumerate(LENGTHS):
        values = interval_values(source, X[i], n, filters).reshape(4, n)
        np.testing.assert_allclose(out[i, :, 0], [expected(row, name, 0.3) for row in values], **CLOSE)


def intervals_in_torch(name):
    layer = IntervalSums(["[1]", "[1][2]"], build_filter("learnt", 2, 1, 9, 0))
    series, lengths = torch.from_numpy(np.nan_to_num(X)).transpose(1, 2), torch.from_numpy(LENGTHS)
    network = PooledIntervals(layer, (name,), N_FINE, RUNS)
    if POOLINGS[name].needs_threshold:
        with pytest.raises(ValueError, match=f"threshold must be given for pooling='{name}'"):
            network(series, lengths)
        return
    found = network(series, lengths).detach().numpy().reshape(4, len(RUNS), 4)
    values = layer(series).detach().numpy()
    for i, n in enumerate(LENGTHS):
        np.testing.assert_allclose(found[i], np.array([expected(row, name, 0.0) for row in values[i, :n].T]).T, **CLOSE)


def tokens(name):
    values, bounds = torch.from_numpy(np.nan_to_num(X)).transpose(1, 2), torch.from_numpy(RUNS * 80 // N_FINE)
    bounds = bounds.expand(4, -1, -1)
    if name in threshold_poolings():
        with pytest.raises(ValueError, match=f"threshold must be given for pooling='{name}'"):
            pool_tokens(values, bounds, name)
        return
    found = pool_tokens(values, bounds, name).numpy()
    for i in range(4):
        np.testing.assert_allclose(found[i], np.array([expected(row, name, 0.0) for row in values[i].T]).T, **CLOSE)


def streams(name):
    iss = ISSTransformer(pooling=name, windows="whole")
    functionals = LowRankISSTransformer(n_functionals=4, pooling=name)
    path = PathDevelopmentTransformer(dim=3, n_developments=2, pooling=name, windows="whole", random_state=0)
    for transformer in (iss, functionals, path):
        transformer.fit(X)
        names = transformer.get_feature_names_out()
        assert all(f"|{name}" in feature for feature in names), names
        for i, n in enumerate(LENGTHS):
            found = transformer.stream().append(X[i, :, : n // 2]).append(X[i, :, n // 2 : n]).features()
            np.testing.assert_allclose(found, transformer.transform(X[i : i + 1, :, :n])[0], rtol=1e-8, atol=1e-9)


PATHS = {
    path.__name__: path
    for path in (words, low_rank, developments, intervals, streams)
    + (low_rank_in_torch, developments_in_torch, intervals_in_torch, tokens)
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", POOLINGS)
def test_each_pooling_is_that_of_its_definition_in_each_place(name, path):
    PATHS[path](name)


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_pooling_is_refused_in_each_place(path):
    with pytest.raises(ValueError, match="pooling.*median"):
        PATHS[path]("median")


# Values 4, 1, 4, 2 at times 3, ..., 6 of a window that starts at time 2: above 1.5 lie 4, 4 and 2 at places 0, 2, 3.
BY_HAND = {"end": 2, "mean": 2.75, "max": 4, "min": 1, "ppv": 0.75, "mpv": 5.5 / 3, "argmax": 1 / 4, "mipv": 5 / 12}


@pytest.mark.parametrize("name", POOLINGS)
def test_values_by_hand(name):
    running = np.array([np.nan, np.nan, np.nan, 4.0, 1.0, 4.0, 2.0, np.inf])
    assert pooled(running, name, 1.5, 2, 7, n_undefined=3) == pytest.approx(BY_HAND[name])
    assert pooled(running, name, 1.5, 2, 3, n_undefined=3) == 0
    value = pooled_tensor(
        torch.from_numpy(running), name, *torch.tensor([3, 7]), start=torch.tensor(2), threshold=torch.tensor(1.5)
    )
    assert float(value) == pytest.approx(BY_HAND[name])


@pytest.mark.parametrize("name", POOLINGS)
def test_nothing_above_the_threshold(name):
    values, far = np.array([1.0, 3.0, 2.0]), torch.tensor(10.0)
    found = pooled_tensor(torch.from_numpy(values), name, *torch.tensor([0, 3]), threshold=far)
    assert float(found) == pytest.approx(float(pooled(values, name, 10.0, 0, 3)))


@pytest.mark.parametrize("name", POOLINGS)
def test_what_is_accumulated_is_known(name):
    assert set(POOLINGS[name].needs) <= set(STATISTICS) == set(ACCUMULATED)
    assert (name in threshold_poolings()) == POOLINGS[name].needs_threshold


@pytest.mark.parametrize("name", trainable_poolings())
def test_gradients_are_finite_also_for_empty_windows(name):
    values = torch.randn(3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    bounds = torch.tensor([0, 2, 4]), torch.tensor([7, 5, 4])
    assert torch.autograd.gradcheck(lambda x: pooled_tensor(x, name, *bounds), values)


@pytest.mark.parametrize("names", [(), ("mean", "mean"), ("mean", "median"), ("mean", 1)])
def test_wrong_names_give_one_sentence(names):
    with pytest.raises(ValueError, match="pooling must name different ones of end, mean"):
        check_poolings(names)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_one_entry_of_the_table_makes_a_pooling_everywhere(tmp_path):
    script = """
import numpy as np
import sigfeat.pooling

sigfeat.pooling.POOLINGS["range"] = sigfeat.pooling.Pooling(
    ("maximum", "minimum"), lambda s: s.maximum - s.minimum, lambda x, threshold, skipped: np.ptp(x)
)
from tests.test_pooling import PATHS

for path in PATHS.values():
    path("range")
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}  # the loops are compiled anew, with the longer table
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, cwd=Path(__file__).parents[1])


@pytest.mark.parametrize("pooling", trainable_poolings())
def test_the_work_for_tokens_does_not_grow_with_the_number_of_windows(pooling, monkeypatch):
    looked_at = []

    def counted(values, *args, **options):
        looked_at.append(values.shape[-1])
        return pooled_tensor(values, *args, **options)

    monkeypatch.setattr("sigfeat.nn.pooling.pooled", counted)
    tokens = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 1000, 3)))
    bounds = torch.tensor([[10 * k, 10 * k + 10] for k in range(100)]).expand(2, 100, 2)
    found = pool_tokens(tokens, bounds, pooling)
    assert sum(looked_at) == 1000
    np.testing.assert_array_equal(found[:, 7:8], pool_tokens(tokens[:, 70:80], torch.tensor([[[0, 10]]] * 2), pooling))
