"""Costs of mixers: operations by formula, times and memory as measured, and what is read from them."""

import math
import platform
import sys

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.hyena_vs_mha import cost
from benchmarks.hyena_vs_mha.cost import crossover, flops, measure, measure_apart, operations, slope
from benchmarks.measure import new_peak, peak
from sigfeat.nn import Attention

NAMES = (cost.FUSED, cost.EXPLICIT, "Hyena order 1", "Hyena order 3", cost.S4D, cost.GRU)
LENGTH = 50
MIB = 2**20


def counted(run):
    """Operations of matrix products, by torch; the fused attention in the steps it is made of."""
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:
        run()
    return counter.get_total_flops()


def mixer(name):
    return cost._mixer(name, LENGTH, 64, 4)


def tokens():
    return torch.randn(4, LENGTH, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def child(tmp_path, monkeypatch):
    """A shell script in place of Python in the processes that measure."""

    def stand_in(script):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(path))

    return stand_in


def test_explicit_attention_is_the_fused_one():
    how = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float32}
    fused, explicit = (kind(12, n_heads=3, positions="rotary", **how) for kind in (Attention, cost.ExplicitAttention))
    explicit.load_state_dict(fused.state_dict())
    x = torch.randn(2, 9, 12, generator=how["generator"])
    torch.testing.assert_close(explicit(x), fused(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_products_of_a_forward_run_are_as_torch_counts_them(name):
    module, x = mixer(name), tokens()
    cost._forward(module, x, None)  # spectra are kept from here on
    assert operations(name, LENGTH)["matrix"] == counted(lambda: cost._forward(module, x, None))


@pytest.mark.parametrize("name", NAMES)
def test_training_makes_the_filters_anew(name):
    module, x = mixer(name), tokens()
    with_filters = operations(name, LENGTH, "training")["matrix"] / 3
    assert with_filters == counted(lambda: module(x))
    assert (with_filters > operations(name, LENGTH)["matrix"]) == ("Hyena" in name or name == cost.S4D)


@pytest.mark.parametrize("name", NAMES)
def test_training_takes_three_times_the_products(name):
    module, x = mixer(name), tokens().requires_grad_()
    by_torch = counted(lambda: module(x).sum().backward())
    # but for the gradients of the lags, and of the first state of a GRU, which nobody asks for
    assert by_torch == pytest.approx(operations(name, LENGTH, "training")["matrix"], rel=0.01)


def test_operations_by_hand():
    assert operations(cost.FUSED, 2, batch=1, width=4, heads=2) == {
        "matrix": 8 * 2 * 16 + 4 * 2 * 2 * 4,
        "transform": 0,
        "elementwise": 5 * 2 * 4 + 5 * 2 * 2 * 2,
    }
    # 8 points are padded to 16, whose transform takes 2.5 16 log2(16) = 160 and has 9 frequencies
    hyena = operations("Hyena order 3", 8, batch=1, width=2)
    assert hyena["transform"] == 3 * 2 * 2 * 160
    assert hyena["elementwise"] == 14 * 8 * 2 + 6 * 3 * 2 * 9
    trained = operations("Hyena order 3", 8, "training", batch=1, width=2)
    assert trained["transform"] == 3 * (3 * 2 * 2 + 3 * 2) * 160
    assert flops(cost.S4D, 8) == sum(operations(cost.S4D, 8).values())


@pytest.mark.parametrize("task", cost.TASKS)
def test_what_doubling_the_length_does(task):
    def growth(name, length):
        return flops(name, 2 * length, task) / flops(name, length, task)

    assert growth(cost.EXPLICIT, 2**18) == pytest.approx(4, rel=0.01)
    assert growth(cost.EXPLICIT, 16) < 2.5
    assert growth(cost.GRU, 1000) == 2
    for name in ("Hyena order 1", "Hyena order 16", cost.S4D):
        assert 2 < growth(name, 2**18) < 2.1


@pytest.mark.parametrize("task", cost.TASKS)
@pytest.mark.parametrize("name", NAMES)
def test_every_mixer_is_measured(name, task):
    record = measure(name, 20, task, repeat=2, batch=2, width=8, heads=2)
    assert list(record) == ["name", "length", "task", "seconds", "peak_bytes", "n_parameters", "flops"]
    assert len(record["seconds"]) == 2
    assert min(record["seconds"]) > 0
    assert record["flops"] == flops(name, 20, task, 2, 8, 2)


def test_weights_are_counted():
    assert measure(cost.EXPLICIT, 5, "forward", 1)["n_parameters"] == 4 * 64**2 + 4 * 64


def test_a_process_of_its_own_and_its_memory():
    explicit, fused = (measure_apart(name, 1024, "forward", 1, timeout=100) for name in (cost.EXPLICIT, cost.FUSED))
    of_a_matrix = 4 * 4 * 4 * 1024**2  # bytes, batch, heads, entries
    assert of_a_matrix == 64 * MIB
    assert of_a_matrix < explicit["peak_bytes"] < 4 * of_a_matrix
    assert MIB < fused["peak_bytes"] < of_a_matrix / 2  # its output alone is one MiB
    assert [len(record["seconds"]) for record in (explicit, fused)] == [1, 1]
    assert "failure" not in explicit | fused


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory is returned to the system by glibc")
def test_memory_that_is_used_again_counts():
    def blocks():
        return [bytearray(100_000) for _ in range(500)]

    freed = blocks()
    on_top = bytearray(100_000)
    del freed
    level = new_peak()
    again = blocks()
    assert peak() - level > 40e6
    del again, on_top
    assert peak() - level > 40e6


def test_a_process_that_fails_is_quoted(child):
    child("echo first >&2; echo 'OSError: no room' >&2; exit 3")
    with pytest.raises(RuntimeError) as found:
        measure_apart(cost.GRU, 64, "forward", 1, timeout=60)
    assert str(found.value) == "the cost of GRU at length 64, forward, could not be measured: OSError: no room"
    child("exit 3")
    with pytest.raises(RuntimeError, match="measured: exit status 3"):
        measure_apart(cost.GRU, 64, "forward", 1, timeout=60)


@pytest.mark.parametrize(
    ("script", "timeout", "failure"),
    [
        ("kill -9 $$", 60, "memory"),
        ("echo MemoryError >&2; exit 1", 60, "memory"),
        ('echo "RuntimeError: DefaultCPUAllocator: can\'t allocate memory" >&2; exit 1', 60, "memory"),
        ("exec sleep 60", 0.1, "time"),
    ],
)
def test_a_record_of_what_could_not_be_measured(child, script, timeout, failure):
    child(script)
    record = measure_apart(cost.GRU, 64, "training", 2, timeout)
    assert record == {
        "name": cost.GRU,
        "length": 64,
        "task": "training",
        "seconds": [],
        "peak_bytes": None,
        "n_parameters": 2 * (6 * 64**2 + 6 * 64) + 2 * 64**2 + 64,
        "flops": flops(cost.GRU, 64, "training"),
        "failure": failure,
    }


def test_matrices_that_do_not_fit_are_not_tried(child, monkeypatch):
    child("echo tried >&2; exit 1")
    monkeypatch.setattr(cost, "available_memory", lambda: 2**30)
    # in a forward run two matrices of 16 length^2 numbers of 4 bytes: 3/4 GiB at 2508 tokens
    assert measure_apart(cost.EXPLICIT, 2509, "forward", 1, timeout=60)["failure"] == "memory"
    assert measure_apart(cost.EXPLICIT, 2508, "training", 1, timeout=60)["failure"] == "memory"
    with pytest.raises(RuntimeError, match="tried"):
        measure_apart(cost.EXPLICIT, 2508, "forward", 1, timeout=60)
    with pytest.raises(RuntimeError, match="tried"):
        measure_apart(cost.FUSED, 10**6, "training", 1, timeout=60)


@pytest.mark.parametrize("name", ["attention", "Hyena order 0", "Hyena order", "GRU "])
def test_names_that_nobody_has(name):
    said = 'name must be one of "attention, fused", "attention, explicit", "Hyena order N", "S4D", "GRU", got '
    for call in (measure, measure_apart):
        with pytest.raises(ValueError, match=r"^name must") as found:
            call(name, 64, "forward", 1, 4)
        assert str(found.value) == f"{said}{name!r}"


@pytest.mark.parametrize(
    ("length", "task", "repeat", "said"),
    [
        (0, "forward", 1, "length must be at least 1, got 0"),
        (8, "backward", 1, "task must be one of forward, training, got 'backward'"),
        (8, "forward", 0, "repeat must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_measured(length, task, repeat, said):
    for call in (measure, measure_apart):
        with pytest.raises(ValueError, match=f"^{said}$"):
            call(cost.GRU, length, task, repeat, 4)


def test_crossover_by_hand():
    # twice as slow at 100, half as slow at 400: equal halfway between the logarithms
    assert crossover([100, 400], [2, 3], [1, 6]) == pytest.approx(200)
    assert crossover([100, 400], [1, 6], [2, 3]) is None
    assert crossover([10, 20, 40], [1, 1, 1], [2, 2, 2]) == 10
    assert crossover([10, 20, 40], [2, 2, 2], [2, 2, 2]) is None
    assert crossover([10, 20, 40], [2, 2, 1], [2, 2, 2]) == pytest.approx(20)
    # the last crossing counts: eight times, then half as slow
    assert crossover([1, 2, 4, 64], [1, 1, 8, 1], [2, 2, 1, 2]) == pytest.approx(4 * 16 ** (3 / 4))
    assert crossover([7], [1], [2]) == 7
    assert crossover([], [], []) is None


def test_crossover_where_something_is_missing():
    nan = math.nan
    assert crossover([10, 100, 400, 800], [1, 2, 3, 1], [nan, 1, 6, nan]) == pytest.approx(200)
    assert crossover([10, 20, 40], [1, nan, 1], [nan, 1, 2]) == 40
    assert crossover([10, 20], [nan, 1], [1, nan]) is None


def test_slope_by_hand():
    lengths = np.array([1, 2, 4, 8, 16, 32])
    assert slope(lengths, 3.0 * lengths**2) == pytest.approx(2)
    bent = np.where(lengths < 8, 1.0, lengths / 8)
    assert slope(lengths, bent) == pytest.approx(1)
    assert slope(lengths, bent, from_length=1) < 0.9
    assert slope(lengths, bent, from_length=2) > slope(lengths, bent, from_length=1)
    # least squares through (0, 0), (1, 1), (2, 1) has the slope 1/2
    assert slope([1, 10, 100], [1, 10, 10], from_length=1) == pytest.approx(0.5)
    assert slope([1, 2, 4, 8, 16], [9, 9, 1, 2, 4]) == pytest.approx(1)  # the middle one belongs to the longer half
    assert slope([1, 2, 4, 8], [9, 2, 4, 8]) == pytest.approx(1)  # of four the last three


def test_slope_of_too_few_points():
    assert math.isnan(slope([1, 2], [1, 2]))
    assert math.isnan(slope([1, 2, 4], [1, 2, 3], from_length=2))
    assert math.isnan(slope([1, 2, 4], [1, math.nan, 3], from_length=1))
    assert math.isnan(slope([1, 2, 4], [0, 2, 3], from_length=1))
    assert math.isnan(slope([], []))
    assert slope([1, 2, 4, 8], [1, math.nan, 4, 8], from_length=1) == pytest.approx(1)
