"""Encoders: from series to tokens, with any mixer over time."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sigfeat.nn.layers import Dropout, linear, sinusoids
from sigfeat.nn.mixers import BlockSpec, build_mixer
from sigfeat.nn.mixers.incremental import IncrementalState
from sigfeat.nn.mixers.positions import SINUSOIDAL, check_positions
from sigfeat.nn.mixers.projection import check_width, padding


@dataclass(frozen=True)
class EncoderSpec(BlockSpec):
    """Settings that determine the shape of an encoder.

    All parameters after `n_channels` are keyword-only.

    Parameters
    ----------
    mixer : {"attention", "hyena", "s4", "recurrent", "pointwise"}
        Layer that mixes tokens over time; "pointwise" maps each token by itself.
    n_channels : int
        Number of channels of the series.
    d_out : int, default=64
        Width of the output. If it differs from `d_model`, a linear map follows the last norm.
    causal : bool, default=False
        Whether no token depends on later ones.
    d_model, n_layers, d_ff : int, default=64, 2, 128
        Width of the tokens, number of blocks, hidden width of their feed-forward parts.
    dropout : float, default=0.0
        Fraction of values that are dropped in training.
    embedding_filter : int, default=1
        Number of neighbouring points that are embedded together as a token; odd unless `causal`.
    n_heads : int, default=4
        Number of heads of attention.
    positions : {"rotary", "alibi", "sinusoidal", "none"}, default="rotary"
        How attention knows the positions of tokens; see `sigfeat.nn.Attention`. "sinusoidal" adds sinusoids to the
        embedded points, whatever the mixer.
    short_filter : int, default=3
        Width of the short convolution of the projections of attention and of Hyena.
    order, filter_width, filter_bands, filter_length, time_scale, gate_norm, expansion, filter, n_modes
        Settings of Hyena; see `sigfeat.nn.Hyena`.
    d_state, kind
        Settings of S4; see `sigfeat.nn.S4`.

    Examples
    --------
    The same encoder with another mixer.

    >>> import dataclasses
    >>> from sigfeat.nn import EncoderSpec
    >>> teacher = EncoderSpec("attention", n_channels=3, d_model=16, d_out=16)
    >>> dataclasses.replace(teacher, mixer="hyena", order=3).d_model
    16
    """

    mixer: str
    n_channels: int
    _: KW_ONLY
    d_out: int = 64
    causal: bool = False
    time_scale: float = 100.0
    embedding_filter: int = 1


class Block(nn.Module):
    """x + mixer(norm(x)), followed by x + feed-forward(norm(x))."""

    def __init__(self, spec: EncoderSpec, *, generator: torch.Generator, dtype: torch.dtype) -> None:
        super().__init__()
        self.mixer_norm = nn.LayerNorm(spec.d_model, dtype=dtype)
        self.mixer = build_mixer(spec, causal=spec.causal, generator=generator, dtype=dtype)
        self.feed_norm = nn.LayerNorm(spec.d_model, dtype=dtype)
        self.widen = linear(spec.d_model, spec.d_ff, generator=generator, dtype=dtype)
        self.narrow = linear(spec.d_ff, spec.d_model, generator=generator, dtype=dtype)
        self.dropout = Dropout(spec.dropout)

    def mix(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None
    ) -> Float[Tensor, "batch length d_model"]:
        """Output of the mixer, which is added to the tokens."""
        mixed: Tensor = self.mixer(self.mixer_norm(x), mask)
        return mixed

    def feed(self, x: Float[Tensor, "batch length d_model"]) -> Float[Tensor, "batch length d_model"]:
        """Output of the feed-forward part, which is added to the tokens."""
        hidden = self.dropout(nn.functional.gelu(self.widen(self.feed_norm(x))))
        fed: Tensor = self.narrow(hidden)
        return fed

    def forward(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Tokens after the block."""
        x = x + self.dropout(self.mix(x, mask))
        fed: Tensor = x + self.dropout(self.feed(x))
        return fed

    def incremental(self, batch: int = 1, **options: Any) -> IncrementalState:
        """The block, in evaluation mode, for tokens that arrive some at a time; options go to the mixer."""
        mixer: Any = self.mixer
        return _BlockState(self, mixer.incremental(batch, **options))


class Encoder(nn.Module):
    """From series to tokens: an embedding of each point, blocks, and a norm.

    Parameters
    ----------
    spec : EncoderSpec
        Shape of the encoder.
    generator : torch.Generator
        Source of the first weights; torch's global generator is not used.
    dtype : torch.dtype, default=torch.float32
        Of the weights.

    Examples
    --------
    Padding after the end of a series does not change its tokens.

    >>> import torch
    >>> from sigfeat.nn import Encoder, EncoderSpec
    >>> spec = EncoderSpec("hyena", n_channels=3, d_model=16, n_layers=1, d_ff=32, d_out=8)
    >>> encoder = Encoder(spec, generator=torch.Generator().manual_seed(0)).eval()
    >>> series = torch.ones(1, 20, 3)
    >>> tokens = encoder(series, torch.arange(20)[None] < 15)
    >>> tokens.shape
    torch.Size([1, 20, 8])
    >>> torch.allclose(tokens[:, :15], encoder(series[:, :15]), atol=1e-5)
    True
    """

    def __init__(self, spec: EncoderSpec, *, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        check_positions(spec.positions)
        check_width("embedding_filter", spec.embedding_filter, spec.causal)
        self.spec = spec
        n_values = spec.n_channels * spec.embedding_filter
        self.embedding = linear(n_values, spec.d_model, generator=generator, dtype=dtype)
        self.blocks = nn.ModuleList([Block(spec, generator=generator, dtype=dtype) for _ in range(spec.n_layers)])
        self.norm = nn.LayerNorm(spec.d_model, dtype=dtype)
        self.out_projection = (
            None if spec.d_out == spec.d_model else linear(spec.d_model, spec.d_out, generator=generator, dtype=dtype)
        )
        self.dropout = Dropout(spec.dropout)

    def forward(
        self, series: Float[Tensor, "batch length channels"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_out"]:
        """Tokens.

        Parameters
        ----------
        series : tensor of shape (batch, length, channels)
            Standardised series; values after the end of a shorter series are ignored.
        mask : bool tensor of shape (batch, length) or None, default=None
            True at real points, which come first; None if there is no padding.

        Returns
        -------
        tokens : tensor of shape (batch, length, d_out)
            Tokens of real points do not depend on padding; the others have no meaning.
        """
        x = self.first_tokens(series, mask)
        for block in self.blocks:
            x = block(x, mask)
        return self.finish(x)

    def first_tokens(
        self, series: Float[Tensor, "batch length channels"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Tokens before the first block, where padding is replaced by zeros."""
        spec = self.spec
        if mask is not None:
            series = series.masked_fill(~mask[..., None], 0.0)
        if spec.embedding_filter > 1:
            padded = nn.functional.pad(series, (0, 0, *padding(spec.embedding_filter, spec.causal)))
            # (batch, length, channels, width) -> (batch, length, channels width)
            series = padded.unfold(1, spec.embedding_filter, 1).flatten(2)
        x = self.embedding(series)
        if spec.positions == SINUSOIDAL:
            x = x + sinusoids(series.shape[1], spec.d_model, x)
        tokens: Tensor = self.dropout(x)
        return tokens

    def finish(self, x: Float[Tensor, "batch length d_model"]) -> Float[Tensor, "batch length d_out"]:
        """Tokens after the last block, normalised and mapped to the width of the output."""
        tokens: Tensor = self.norm(x)
        return tokens if self.out_projection is None else self.out_projection(tokens)


class _BlockState:
    """State of a block: that of its mixer. There is no dropout."""

    def __init__(self, block: Block, mixer: IncrementalState) -> None:
        self.mixer = mixer
        # kept as tensors: looking up the parts of a module takes as long as a small matrix product
        self.norms, self.maps = (
            [(part.weight, part.bias) for part in parts]
            for parts in ((block.mixer_norm, block.feed_norm), (block.widen, block.narrow))
        )

    @torch.no_grad()
    def append(self, x: Float[Tensor, "batch steps d_model"]) -> Float[Tensor, "batch steps d_model"]:
        """Tokens after the block."""
        (mixer_norm, feed_norm), (widen, narrow) = self.norms, self.maps
        x = x + self.mixer.append(nn.functional.layer_norm(x, x.shape[-1:], *mixer_norm))
        hidden = nn.functional.linear(nn.functional.layer_norm(x, x.shape[-1:], *feed_norm), *widen)
        return x + nn.functional.linear(nn.functional.gelu(hidden), *narrow)


def n_parameters(spec: EncoderSpec) -> int:
    """Number of weights of an encoder, without allocating them."""
    with torch.device("meta"):
        encoder = Encoder(spec, generator=torch.Generator())
    return sum(parameter.numel() for parameter in encoder.parameters())
