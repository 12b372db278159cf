"""Tensors made on the way lie where the input lies, for everything that computes with torch.

The device "meta" holds no values and is not the CPU: what mixes both would fail on a GPU. Gradients go through too.
"""

import contextlib
import itertools
from functools import partial

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sigfeat import IntervalDevelopmentTransformer, IntervalISSTransformer
from sigfeat.filters import FILTERS
from sigfeat.functionals import draw_functionals
from sigfeat.nn import (
    GROUPS,
    Development,
    Encoder,
    EncoderSpec,
    IntervalDevelopment,
    IntervalSums,
    LowRankISS,
    build_filter,
)
from sigfeat.nn.intervals.layers import PooledIntervals
from sigfeat.nn.intervals.networks import PooledSequence, interval_hyena, stacked_intervals
from sigfeat.nn.layers import inside
from sigfeat.nn.low_rank import PooledLowRank
from sigfeat.nn.mixers import MIXERS
from sigfeat.nn.pooled_development import PooledDevelopment
from sigfeat.nn.pooling import pooled_values
from sigfeat.nn.training.distillation import Distillation
from sigfeat.nn.training.loop import Objective
from sigfeat.nn.training.pretraining import Masked, Supervision
from sigfeat.nn.training.supervised import LinearHead
from sigfeat.pooling import POOLINGS

BATCH, LENGTH, CHANNELS = 4, 30, 2
WINDOWS = 2, np.array([[0, 2], [1, 2]])
MAY_MIX = "aten.index.", "aten.index_put", "aten.copy_", "aten._to_copy"  # places may lie on the CPU


class OneDevice(TorchDispatchMode):
    """Refuses operations on tensors of two devices, as a GPU does, but for single numbers and for places."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        devices = {tensor.device.type for tensor in tensors if tensor.ndim or tensor.device.type != "cpu"}
        assert len(devices) <= 1 or str(func).startswith(MAY_MIX), f"{func} of tensors on two devices"
        return func(*args, **(kwargs or {}))


def generator():
    return torch.Generator().manual_seed(0)


def encoder(mixer, **more):
    sizes = {"d_model": 8, "n_layers": 1, "d_ff": 16, "d_out": 8, "n_heads": 2, "d_state": 8, "dropout": 0.5}
    return Encoder(EncoderSpec(mixer, CHANNELS, **sizes, **more), generator=generator())


def functionals(depth):
    how = {"n_lags": 5, "dilations": None, "decay": None, "semirings": ("real", "max_plus", "min_plus")}
    return draw_functionals(12, depth, CHANNELS, LENGTH, random_state=np.random.RandomState(0), **how)


def at_the_end(objective):
    objective.progress = 0.9
    return objective


class OfMaskedSeries(torch.nn.Module):
    def __init__(self, mixer, **more):
        super().__init__()
        self.body = encoder(mixer, **more)

    def forward(self, series, lengths):
        return self.body(series, inside(lengths, series.shape[1])[..., 0])


class OnTheDevice(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.register_buffer("thresholds", torch.zeros(12, 3, 1))

    def forward(self, series, lengths):
        rows = torch.cat([series, series], dim=2).transpose(1, 2)
        return pooled_values(
            self.layer, self.layer.of_rows(rows, lengths), lengths, COLUMNS, self.thresholds, 2, [[0, 2], [1, 2]]
        )


def development(name, *poolings):
    layer = Development(GROUPS[name](3 if name == "SE" else 2), CHANNELS, 2, generator=generator())
    return PooledDevelopment(layer, poolings, *WINDOWS)


def intervals(kind, make=IntervalSums, of=(["[1]", "[1][2]"],), **more):
    return PooledIntervals(make(*of, build_filter(kind, 2, 1, 9, 0), **more), ("end", "mean", "max"), *WINDOWS)


COLUMNS = [(name, 0) for name in POOLINGS]
OF_PATHS = (GROUPS["SU"](2), CHANNELS, 1)
TAPS = {"d_model": 4, "n_filters": 2, "seed": 0}
PARTS = {
    "s4, dplr": lambda: OfMaskedSeries("s4", kind="dplr"),
    "hidden points": lambda: Masked(encoder("attention"), 0.3, generator()),
    "classes": lambda: Supervision(encoder("attention"), 2, True, "max", generator()),
    "distillation of mixers": lambda: Distillation(encoder("hyena"), encoder("attention"), "end", generator()),
    "distillation": lambda: at_the_end(Distillation(encoder("hyena"), encoder("attention"), "end", generator())),
    "low rank": lambda: LowRankISS(functionals(3), CHANNELS),
    "low rank, training": lambda: PooledLowRank(
        LowRankISS(functionals(2), CHANNELS), np.zeros((12, 3, 1)), np.ones((12, 3)), *WINDOWS
    ),
    "low rank, features": lambda: OnTheDevice(LowRankISS(functionals(2), CHANNELS)),
    "development, last value": lambda: development("SO", "end"),
    "developments of intervals": lambda: intervals("learnt", IntervalDevelopment, OF_PATHS, generator=generator()),
    "head": lambda: LinearHead(development("SO", "end"), 16, 2, torch.float32),
    "network of intervals": lambda: PooledSequence(stacked_intervals(CHANNELS, LENGTH, **TAPS)),
    "network of intervals, hyena": lambda: PooledSequence(interval_hyena(CHANNELS, LENGTH, order=2, **TAPS)),
}
for mixer, causal in itertools.product(MIXERS, (False, True)):
    PARTS[f"{mixer}, causal {causal}"] = partial(OfMaskedSeries, mixer, causal=causal)
for name in GROUPS:
    PARTS[f"development, {name}"] = partial(development, name, *POOLINGS)
for kind in FILTERS:
    PARTS[f"sums over intervals, {kind}"] = partial(intervals, kind)


@pytest.fixture
def without_values(monkeypatch):
    """What asks for values gets some: numbers that decide about shapes, and generators, which "meta" has none of."""
    monkeypatch.setattr(torch.Tensor, "__int__", lambda tensor: LENGTH)
    monkeypatch.setattr(torch, "autocast", lambda *kind, **how: contextlib.nullcontext())
    monkeypatch.setattr("sigfeat.nn.training.distillation.augmented", lambda series, real, generator: series * real)
    monkeypatch.setattr("sigfeat.nn.intervals.filters.ExponentialFilter.length", 9)


@pytest.mark.usefixtures("without_values")
@pytest.mark.parametrize("part", PARTS)
def test_tensors_lie_where_the_input_lies(part):
    module = PARTS[part]().to("meta")
    if isinstance(module, Objective):
        module.generator = None
    inputs = [torch.empty(BATCH, LENGTH, CHANNELS, device="meta"), torch.empty(BATCH, dtype=torch.int64, device="meta")]
    if part == "classes":
        inputs.append(torch.empty(BATCH, dtype=torch.int64, device="meta"))
    with OneDevice():
        out = module(*inputs)
        assert out.device.type == "meta"
        if part != "low rank, features":
            out.sum().backward()
            assert {weight.grad.device.type for weight in module.parameters() if weight.grad is not None} == {"meta"}


@pytest.mark.parametrize("transformer", [IntervalISSTransformer, IntervalDevelopmentTransformer])
def test_filters_are_moved_by_the_training_alone(transformer, monkeypatch):
    seen = []

    def train(features, increments, lengths, target, settings):
        seen.append(({weight.device.type for weight in features.parameters()}, settings.device))
        return {}, None

    monkeypatch.setattr("sigfeat.nn.devices.check_device", lambda device: None)
    monkeypatch.setattr("sigfeat.nn.intervals.layers.train_features", train)
    X = np.random.default_rng(0).normal(size=(6, CHANNELS, LENGTH))
    transformer(filter="learnt", n_filters=2, filter_length=9, fit_mode="supervised", device="meta").fit(X, [0, 1] * 3)
    assert seen == [({"cpu"}, "meta")]
