"""Short convolutions of projections of tokens."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sigfeat.nn.mixers.convolution import short_convolve


def check_width(name: str, width: int, causal: bool) -> None:
    """Raise a ValueError unless a short filter of this width exists."""
    if width < 1:
        raise ValueError(f"{name} must be at least 1, got {width}")
    if not causal and width % 2 == 0:
        raise ValueError(f"{name} must be odd unless causal, got {width}")


def first_taps(
    n_channels: int, width: int, *, causal: bool, generator: torch.Generator, dtype: torch.dtype
) -> Float[Tensor, "channels width"]:
    """Taps of short convolutions that nearly keep their input, in the order of time."""
    taps = torch.empty(n_channels, width, dtype=dtype).normal_(std=0.02, generator=generator)
    taps[:, -1 if causal else width // 2] += 1.0
    return taps


def padding(width: int, causal: bool) -> tuple[int, int]:
    """Numbers of zeros before the first and after the last value that a convolution of this width needs."""
    before = width - 1 if causal else width // 2
    return before, width - 1 - before


def short_projection(
    x: Float[Tensor, "batch length d_model"],
    weight: Float[Tensor, "projected d_model"],
    taps: Float[Tensor, "projected width"],
    bias: Float[Tensor, " projected"],
    causal: bool,
) -> Float[Tensor, "batch length projected"]:
    """Projections, each followed by its short convolution; those of a token are contiguous in memory."""
    before, _ = padding(taps.shape[1], causal)
    # steps of the convolution keep the order of the axes in memory
    projected = nn.functional.linear(x, weight).transpose(1, 2)
    return short_convolve(projected, taps, bias, before).transpose(1, 2)
