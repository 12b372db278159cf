"""Data augmentation: random variants of series, so that no two batches are alike."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

UNCHANGED = 0.5  # fraction of the series; chosen by the fidelity on held-out parts of training sets


def augmented(
    series: Float[Tensor, "batch length channels"],
    inside: Bool[Tensor, "batch length 1"],
    generator: torch.Generator,
) -> Float[Tensor, "batch length channels"]:
    """Series that are mixed, scaled and shifted, with noise and random walks added, each with a random strength.

    Half of the series, drawn at random, stay as they are: a student that only sees augmented series learns less about
    those that it is used for.

    Parameters
    ----------
    series : tensor of shape (batch, length, channels)
        Standardised series, padded with zeros.
    inside : bool tensor of shape (batch, length, 1)
        True where the series are not padding.
    generator : torch.Generator
        Source of all random numbers.

    Returns
    -------
    augmented : tensor of shape (batch, length, channels)
        Padded with zeros.
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
    walked = shifted + noise + (uniform(batch, 1, 1) < 0.5) * uniform(batch, 1, 1) * walk
    augmented: Tensor = torch.where(uniform(batch, 1, 1) < UNCHANGED, series, walked) * inside
    return augmented
