"""Costs of mixers: operations by formula, time and memory of a run."""

import platform

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.hyena_vs_mha import cost
from benchmarks.hyena_vs_mha.cost import flops, known, measure, operations
from benchmarks.measure import new_peak, peak
from sigfeat.nn import Attention

NAMES = (cost.FUSED, cost.EXPLICIT, "Hyena order 1", "Hyena order 3", cost.S4D, cost.GRU)
LENGTH = 50


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
    assert by_torch == pytest.approx(operations(name, LENGTH, "training")["matrix"], rel=0.015)


def test_operations_by_hand():
    assert operations(cost.FUSED, 2, batch=1, width=4, heads=2) == {
        "matrix": 8 * 2 * 16 + 4 * 2 * 2 * 4,
        "transform": 0,
        "elementwise": 5 * 2 * 4 + 5 * 2 * 2 * 2,
    }
    # 8 points are padded to 16, whose transform takes 2.5 16 log2(16) = 160 and has 9 frequencies
    hyena = operations("Hyena order 3", 8, batch=1, width=2)
    assert hyena["transform"] == 3 * 2 * 2 * 160
    assert hyena["elementwise"] == 28 * 8 * 2 + 6 * 3 * 2 * 9
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
    record = measure(name, 20, task, batch=2, width=8, heads=2)
    assert list(record) == ["first_seconds", "peak_bytes"]
    assert record["first_seconds"] > 0
    assert known(name, 20, task, 2, 8, 2)["flops"] == flops(name, 20, task, 2, 8, 2)


def test_weights_are_counted():
    assert known(cost.EXPLICIT, 5, "forward")["n_parameters"] == 4 * 64**2 + 4 * 64


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


@pytest.mark.parametrize("name", ["attention", "Hyena order 0", "Hyena order", "GRU "])
def test_names_that_nobody_has(name):
    said = 'name must be one of "attention, fused", "attention, explicit", "Hyena order N", "S4D", "GRU", got '
    for call in (measure, known):
        with pytest.raises(ValueError, match=r"^name must") as found:
            call(name, 64, "forward")
        assert str(found.value) == f"{said}{name!r}"


@pytest.mark.parametrize(
    ("length", "task", "batch", "said"),
    [
        (0, "forward", 1, "length must be at least 1, got 0"),
        (8, "backward", 1, "task must be one of forward, training, got 'backward'"),
        (8, "forward", 0, "batch must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_measured(length, task, batch, said):
    for call in (measure, flops):
        with pytest.raises(ValueError, match=f"^{said}$"):
            call(cost.GRU, length, task, batch)
