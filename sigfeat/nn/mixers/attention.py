"""Multi-head attention."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sigfeat.nn.layers import linear
from sigfeat.nn.mixers.incremental import IncrementalState, check_causal
from sigfeat.nn.mixers.spec import BlockSpec


class Attention(nn.Module):
    """Multi-head scaled dot-product self-attention.

    Parameters
    ----------
    d_model : int
        Width of the tokens, a multiple of `n_heads`.
    n_heads : int, default=4
        Number of heads.
    causal : bool, default=False
        Whether a token attends to earlier ones and itself only.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype, default=torch.float32
        Of the weights.

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762, eq. (1) and section 3.2.2.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import Attention
    >>> mixer = Attention(8, n_heads=2, causal=True, generator=torch.Generator().manual_seed(0))
    >>> tokens = torch.ones(2, 10, 8)
    >>> mixed, state = mixer(tokens), mixer.incremental(batch=2)
    >>> torch.allclose(torch.cat([state.append(tokens[:, :7]), state.append(tokens[:, 7:])], dim=1), mixed, atol=1e-6)
    True
    """

    def __init__(
        self,
        d_model: int,
        *,
        n_heads: int = 4,
        causal: bool = False,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model must be a multiple of n_heads, got d_model={d_model} and n_heads={n_heads}")
        self.n_heads, self.causal = n_heads, causal
        self.in_projection = linear(d_model, 3 * d_model, generator=generator, dtype=dtype)
        self.out_projection = linear(d_model, d_model, generator=generator, dtype=dtype)

    @classmethod
    def from_spec(
        cls, spec: BlockSpec, *, causal: bool, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> "Attention":
        """The mixer of the blocks of a network."""
        return cls(spec.d_model, n_heads=spec.n_heads, causal=causal, generator=generator, dtype=dtype)

    def forward(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Mix the tokens; `mask` is True at real points, which come first and do not attend to the others."""
        batch, length, d_model = x.shape
        # (batch, length, 3, heads, width) -> 3 of (batch, heads, length, width)
        q, k, v = self.in_projection(x).view(batch, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        # padding comes last, so that causal attention of a real point never reaches it
        allowed = None if mask is None or self.causal else mask[:, None, None, :]
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, allowed, is_causal=self.causal)
        out: Tensor = self.out_projection(mixed.transpose(1, 2).reshape(batch, length, d_model))
        return out

    def incremental(self, batch: int = 1) -> IncrementalState:
        """Attention for tokens that arrive some at a time, with a cache of the keys and values of the past.

        Parameters
        ----------
        batch : int, default=1
            Number of sequences.

        Returns
        -------
        state : IncrementalState
            Its ``append(x)`` returns, for new tokens (batch, steps, d_model), what `forward` returns for them.

        Raises
        ------
        ValueError
            If tokens attend to later ones.
        """
        check_causal(self.causal, "attention")
        return _AttentionState(self, batch)


class _AttentionState:
    """State of attention: the keys and values of all tokens so far, in memory that doubles when it is full."""

    def __init__(self, mixer: Attention, batch: int) -> None:
        self.mixer, self.time = mixer, 0
        weight = mixer.out_projection.weight
        # keys, values: (2, batch, heads, capacity, width)
        self.kept = weight.new_empty(2, batch, mixer.n_heads, 0, len(weight) // mixer.n_heads)

    @torch.no_grad()
    def append(self, x: Float[Tensor, "batch steps d_model"]) -> Float[Tensor, "batch steps d_model"]:
        """Mix the new tokens."""
        mixer, (batch, n, d_model) = self.mixer, x.shape
        parts = nn.functional.linear(x, mixer.in_projection.weight, mixer.in_projection.bias)
        parts = parts.view(batch, n, 3, mixer.n_heads, -1).permute(2, 0, 3, 1, 4)
        start, self.time = self.time, self.time + n
        self._grow(self.time)
        self.kept[..., start : self.time, :] = parts[1:]
        keys, values = self.kept[..., : self.time, :]
        allowed = None  # a single new token attends to all
        if n > 1 and start:
            allowed = torch.ones(n, self.time, dtype=torch.bool, device=x.device).tril(start)
        mixed = nn.functional.scaled_dot_product_attention(
            parts[0], keys, values, allowed, is_causal=n > 1 and start == 0
        )
        out: Tensor = mixer.out_projection(mixed.transpose(1, 2).reshape(batch, n, d_model))
        return out

    def _grow(self, n: int) -> None:
        capacity = self.kept.shape[3]
        if n > capacity:
            grown = self.kept.new_empty(*self.kept.shape[:3], max(n, 2 * capacity, 64), self.kept.shape[4])
            grown[..., :capacity, :] = self.kept
            self.kept = grown
