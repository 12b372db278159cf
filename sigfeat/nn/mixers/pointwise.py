"""Two linear maps of each token, without any mixing over time."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sigfeat.nn.layers import linear
from sigfeat.nn.mixers.incremental import IncrementalState
from sigfeat.nn.mixers.spec import BlockSpec


class Pointwise(nn.Module):
    """A linear map, GELU and a linear map of each token by itself, without mixing over time.

    A student with this mixer is a baseline: it shows how much of a teacher can be imitated without any mixing.

    Parameters
    ----------
    d_model : int
        Width of the tokens.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype, default=torch.float32
        Of the weights.
    """

    def __init__(self, d_model: int, *, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.in_projection = linear(d_model, 2 * d_model, generator=generator, dtype=dtype)
        self.out_projection = linear(2 * d_model, d_model, generator=generator, dtype=dtype)

    @classmethod
    def from_spec(cls, spec: BlockSpec, *, causal: bool, generator: torch.Generator, dtype: torch.dtype) -> "Pointwise":
        """The mixer of the blocks of a network; it is causal in any case."""
        return cls(spec.d_model, generator=generator, dtype=dtype)

    def forward(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Map each token by itself."""
        mapped: Tensor = self.out_projection(nn.functional.gelu(self.in_projection(x)))
        return mapped

    def incremental(self, batch: int = 1) -> IncrementalState:
        """The map for tokens that arrive some at a time; there is nothing to keep between them."""
        return _PointwiseState(self)


class _PointwiseState:
    """A map of tokens that needs no memory."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    @torch.no_grad()
    def append(self, x: Float[Tensor, "batch steps d_model"]) -> Float[Tensor, "batch steps d_model"]:
        """Map the new tokens."""
        return self.function(x)
