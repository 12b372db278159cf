"""Multi-head attention."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sigfeat.nn.layers import linear


class Attention(nn.Module):
    """Multi-head scaled dot-product attention of a sequence to itself.

    Parameters
    ----------
    d_model : int
        Width of the tokens, a multiple of `n_heads`.
    n_heads : int
        Number of heads.
    causal : bool
        Whether a token attends to earlier ones and itself only.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype
        Of the weights.

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762, eq. (1) and section 3.2.2.
    """

    def __init__(
        self, d_model: int, n_heads: int, causal: bool, *, generator: torch.Generator, dtype: torch.dtype
    ) -> None:
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model must be a multiple of n_heads, got d_model={d_model} and n_heads={n_heads}")
        self.n_heads, self.causal = n_heads, causal
        self.in_projection = linear(d_model, 3 * d_model, generator=generator, dtype=dtype)
        self.out_projection = linear(d_model, d_model, generator=generator, dtype=dtype)

    def forward(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Mixed tokens; `mask` is True at real points, which do not attend to the others."""
        batch, length, d_model = x.shape
        # (batch, length, 3, heads, width) -> 3 of (batch, heads, length, width)
        q, k, v = self.in_projection(x).view(batch, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        # padding comes last, so that no real point attends to it if all attend to the past only
        allowed = None if mask is None or self.causal else mask[:, None, None, :]
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, allowed, is_causal=self.causal)
        out: Tensor = self.out_projection(mixed.transpose(1, 2).reshape(batch, length, d_model))
        return out
