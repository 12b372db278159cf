"""Small parts of encoders: linear maps, positions, padding."""

import contextlib
import math
from collections.abc import Iterator
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

Layer = TypeVar("Layer", bound=nn.Module)


def linear(
    n_in: int, n_out: int, *, bias: bool = True, gain: float = 1.0, generator: torch.Generator, dtype: torch.dtype
) -> nn.Linear:
    """Linear map whose weights are uniform of variance gain^2 / n_in, drawn from the generator alone."""
    layer = unset(nn.Linear(n_in, n_out, bias=bias, dtype=dtype, device="meta"))
    bound = gain * (3 / n_in) ** 0.5
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        if bias:
            layer.bias.zero_()
    return layer


def unset(layer: Layer) -> Layer:
    """A layer made on the device "meta", which draws no random numbers, with memory but no values."""
    return layer.to_empty(device=torch.get_default_device())


class Dropout(nn.Module):
    """Dropout with a generator of its own, if there is one, which torch's layer cannot have."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate, self.generator = rate, None

    generator: torch.Generator | None

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return x with some values set to zero; the others are scaled up so that the mean stays the same."""
        if not self.training or self.rate == 0:
            return x
        return x * _kept(x, self.rate, self.generator)


def _kept(x: Float[Tensor, "*shape"], rate: float, generator: torch.Generator | None) -> Float[Tensor, "*shape"]:
    """Zero with probability `rate`, rounded to a multiple of 2^-16 on the CPU, and otherwise a factor of mean one."""
    if x.device.type != "cpu":
        return torch.empty_like(x).bernoulli_(1 - rate, generator=generator) / (1 - rate)
    # four numbers from each random word, which takes a quarter of the time of `bernoulli_`
    words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    numbers = words.view(torch.int16)[: x.numel()].view(x.shape)
    n_dropped = min(round(rate * 2**16), 2**16 - 1)
    kept = numbers >= n_dropped - 2**15
    return kept.to(x.dtype).mul_(2**16 / (2**16 - n_dropped))


@contextlib.contextmanager
def evaluated(*networks: nn.Module) -> Iterator[None]:
    """Networks in evaluation mode and without gradients, until the end of the context."""
    modes = [network.training for network in networks]
    try:
        for network in networks:
            network.eval()
        with torch.no_grad():
            yield
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)


def sinusoids(length: int, d_model: int, like: Tensor, start: int = 0) -> Float[Tensor, "{length} d_model"]:
    """Sines and cosines of positions from `start` on, at geometric frequencies, for any length.

    Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762, section 3.5; cosines behind the sines.
    """
    n_frequencies = (d_model + 1) // 2
    exponents = torch.arange(n_frequencies, dtype=torch.float64, device=like.device) / n_frequencies
    positions = torch.arange(start, start + length, dtype=torch.float64, device=like.device)
    angles = positions[:, None] * torch.exp(-math.log(10_000.0) * exponents)
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :d_model].to(like.dtype)


def real_points(lengths: Int[Tensor, " batch"], length: int) -> Bool[Tensor, "batch length"] | None:
    """Which points are not padding; None if none is."""
    return None if int(lengths.min()) >= length else inside(lengths, length)[..., 0]


def inside(lengths: Int[Tensor, " batch"], length: int) -> Bool[Tensor, "batch length 1"]:
    """Which points are not padding, to multiply values of any width by."""
    return (torch.arange(length, device=lengths.device) < lengths[:, None])[..., None]
