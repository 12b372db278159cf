"""Distorted copies of series, for training on more than there are."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def distorted(
    series: Float[Tensor, "batch length channels"],
    inside: Bool[Tensor, "batch length 1"],
    generator: torch.Generator,
) -> Float[Tensor, "batch length channels"]:
    """Series mixed, scaled, shifted, with noise and random walks added, each with its own random strength.

    Parameters
    ----------
    series : tensor of shape (batch, length, channels)
        Standardised series, zero behind their ends.
    inside : bool tensor of shape (batch, length, 1)
        Where they are not padding.
    generator : torch.Generator
        Source of everything random.

    Returns
    -------
    distorted : tensor of shape (batch, length, channels)
        Zero behind the ends.
    """
    batch, length, channels = series.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=series.dtype, device=series.device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=series.dtype, device=series.device)

    other = series[torch.randperm(batch, generator=generator, device=series.device)]
    mixed = series + uniform(batch, 1, 1) * (other - series)
    scaled = mixed * (0.3 * normal(batch, 1, channels)).exp()
    shifted = scaled + 0.3 * normal(batch, 1, channels)
    noise = 0.3 * uniform(batch, 1, 1).square() * normal(batch, length, channels)
    walk = normal(batch, length, channels).cumsum(dim=1) / length**0.5
    walked: Tensor = shifted + noise + (uniform(batch, 1, 1) < 0.5) * uniform(batch, 1, 1) * walk
    return walked * inside
