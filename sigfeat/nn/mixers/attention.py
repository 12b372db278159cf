"""Multi-head attention."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sigfeat.nn.layers import linear
from sigfeat.nn.mixers.incremental import IncrementalState, ShortConvolution, check_causal
from sigfeat.nn.mixers.positions import ALIBI, ROTARY, check_positions, distance_penalty, rotated
from sigfeat.nn.mixers.projection import check_width, first_taps, short_projection
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
    positions : {"rotary", "alibi", "sinusoidal", "none"}, default="rotary"
        How attention knows the positions of tokens. "rotary": pairs of entries of queries and keys rotate with time
        [2]_. "alibi": scores are lower the more distant two tokens are, in each head at another rate [3]_; the scores
        of all pairs are then in memory. "sinusoidal" and "none": not by itself; encoders and language models add
        sinusoids to the tokens for the former.
    short_filter : int, default=3
        Width of a short convolution of queries, keys and values, as that of `Hyena`; odd unless `causal`. 1 for none.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype, default=torch.float32
        Of the weights.

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762, eq. (1) and section 3.2.2.
    .. [2] Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021, arXiv:2104.09864.
    .. [3] Press et al., "Train short, test long: attention with linear biases enables input length extrapolation",
       2021, arXiv:2108.12409.
    .. [4] So et al., "Primer: searching for efficient transformers for language modeling", 2021, arXiv:2109.08668:
       short convolutions of queries, keys and values.

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
        positions: str = ROTARY,
        short_filter: int = 3,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model must be a multiple of n_heads, got d_model={d_model} and n_heads={n_heads}")
        check_positions(positions)
        check_width("short_filter", short_filter, causal)
        self.n_heads, self.causal, self.positions = n_heads, causal, positions
        self.in_projection = linear(d_model, 3 * d_model, bias=short_filter == 1, generator=generator, dtype=dtype)
        self.short_taps: Tensor | None = None
        self.short_bias: Tensor | None = None
        if short_filter > 1:
            taps = first_taps(3 * d_model, short_filter, causal=causal, generator=generator, dtype=dtype)
            self.short_taps = nn.Parameter(taps)
            self.short_bias = nn.Parameter(torch.zeros(3 * d_model, dtype=dtype))
        self.out_projection = linear(d_model, d_model, generator=generator, dtype=dtype)

    @classmethod
    def from_spec(
        cls, spec: BlockSpec, *, causal: bool, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> "Attention":
        """The mixer of the blocks of a network."""
        return cls(
            spec.d_model,
            n_heads=spec.n_heads,
            causal=causal,
            positions=spec.positions,
            short_filter=spec.short_filter,
            generator=generator,
            dtype=dtype,
        )

    def forward(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Mix the tokens; `mask` is True at real points, which come first and do not attend to the others."""
        q, k, v = self.queries_keys_values(x, mask)
        # padding comes last, so that causal attention of a real point never reaches it
        allowed = None if mask is None or self.causal else mask[:, None, None, :]
        if self.positions == ALIBI:
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, self.added_to_scores(q, k, allowed))
        else:
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, allowed, is_causal=self.causal)
        out: Tensor = self.out_projection(mixed.transpose(1, 2).flatten(2))
        return out

    def weights(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch heads length length"]:
        """Weights with which tokens average the values of all tokens.

        Parameters
        ----------
        x : tensor of shape (batch, length, d_model)
            Tokens.
        mask : bool tensor of shape (batch, length) or None, default=None
            As for `forward`.

        Returns
        -------
        weights : tensor of shape (batch, n_heads, length, length)
            The sum of each row, over the last axis, is 1.
        """
        q, k, _ = self.queries_keys_values(x, mask)
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        allowed = None if mask is None or self.causal else mask[:, None, None, :]
        weights: Tensor = (scores + self.added_to_scores(q, k, allowed)).softmax(dim=-1)
        return weights

    def queries_keys_values(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (batch, heads, length, width), the first two with their positions."""
        if self.short_taps is None or self.short_bias is None:
            projected = self.in_projection(x)
        else:
            x = x if mask is None else x * mask[..., None]
            weights = self.in_projection.weight, self.short_taps, self.short_bias
            projected = short_projection(x, *weights, self.causal)
        return self.split(projected)

    def split(
        self, projected: Float[Tensor, "batch length projected"], start: int = 0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values from joint projections, the first of which is at position `start`."""
        batch, length, _ = projected.shape
        # (batch, length, 3 heads, width) -> (batch, 3 heads, length, width)
        heads = projected.view(batch, length, 3 * self.n_heads, -1).transpose(1, 2)
        queries_keys, v = torch.split(heads, [2 * self.n_heads, self.n_heads], dim=1)
        if self.positions == ROTARY:
            queries_keys = rotated(queries_keys, start)
        q, k = queries_keys.chunk(2, dim=1)
        return q, k, v

    def added_to_scores(
        self, q: Tensor, k: Tensor, allowed: Bool[Tensor, "batch 1 1 keys"] | None = None
    ) -> Float[Tensor, "batch heads queries keys"]:
        """What is added to the scores: -inf where a token must not be attended to, and the penalty of distance."""
        n_queries, n_keys = q.shape[2], k.shape[2]
        added = q.new_zeros(1, 1, n_queries, n_keys)
        if self.positions == ALIBI:
            added = distance_penalty(self.n_heads, n_queries, n_keys, q)
        if self.causal:
            later = torch.ones(n_queries, n_keys, dtype=torch.bool, device=q.device).triu(1 + n_keys - n_queries)
            added = added.masked_fill(later, -torch.inf)
        return added if allowed is None else added.masked_fill(~allowed, -torch.inf)

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
        weight, taps, bias = mixer.out_projection.weight, mixer.short_taps, mixer.short_bias
        # keys, values: (2, batch, heads, capacity, width)
        self.kept = weight.new_empty(2, batch, mixer.n_heads, 0, len(weight) // mixer.n_heads)
        self.short = None if taps is None or bias is None else ShortConvolution(taps.detach(), bias.detach(), batch)

    @torch.no_grad()
    def append(self, x: Float[Tensor, "batch steps d_model"]) -> Float[Tensor, "batch steps d_model"]:
        """Mix the new tokens."""
        mixer, n = self.mixer, x.shape[1]
        projected = nn.functional.linear(x, mixer.in_projection.weight, mixer.in_projection.bias)
        if self.short is not None:
            projected = self.short.append(projected.transpose(0, 1)).transpose(0, 1)
        start, self.time = self.time, self.time + n
        q, *parts = mixer.split(projected, start)
        self._grow(self.time)
        self.kept[..., start : self.time, :] = torch.stack(parts)
        keys, values = self.kept[..., : self.time, :]
        added = None  # a single new token attends to all
        if mixer.positions == ALIBI or (n > 1 and start):
            added = mixer.added_to_scores(q, keys)
        is_causal = added is None and n > 1
        mixed = nn.functional.scaled_dot_product_attention(q, keys, values, added, is_causal=is_causal)
        out: Tensor = mixer.out_projection(mixed.transpose(1, 2).flatten(2))
        return out

    def _grow(self, n: int) -> None:
        capacity = self.kept.shape[3]
        if n > capacity:
            grown = self.kept.new_empty(*self.kept.shape[:3], max(n, 2 * capacity, 64), self.kept.shape[4])
            grown[..., :capacity, :] = self.kept
            self.kept = grown
