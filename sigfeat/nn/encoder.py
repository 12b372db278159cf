"""Encoders: series to tokens, by any of several ways to mix them over time."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sigfeat.nn.layers import Dropout, linear, sinusoids
from sigfeat.nn.mixers.attention import Attention
from sigfeat.nn.mixers.hyena import Hyena
from sigfeat.nn.mixers.incremental import PointwiseStream, Stream
from sigfeat.nn.mixers.recurrent import Recurrent
from sigfeat.nn.mixers.s4 import S4

MIXERS = ("attention", "hyena", "s4", "recurrent", "pointwise")


@dataclass(frozen=True)
class EncoderSpec:
    """Everything that decides the shape of an encoder.

    Parameters
    ----------
    mixer : {"attention", "hyena", "s4", "recurrent", "pointwise"}
        What mixes tokens over time; "pointwise" does not.
    n_channels : int
        Channels of the series.
    d_model, n_layers, d_ff : int
        Width of the tokens, number of blocks, hidden width of their feed-forward part.
    d_out : int
        Width of what comes out; where it is not `d_model`, a linear map follows the last norm.
    causal : bool
        Whether no token depends on later ones.
    dropout : float
        Share of values dropped in training.
    n_heads : int
        Of attention.
    order, short_filter, filter_width, filter_bands, time_scale, gate_norm, filter, n_modes
        Of Hyena; see `sigfeat.nn.mixers.hyena.Hyena`.
    d_state : int
        States of each channel of S4.
    kind : {"diagonal", "dplr"}
        Of S4's state matrix.

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
    d_model: int = 64
    n_layers: int = 2
    d_ff: int = 128
    d_out: int = 64
    causal: bool = False
    dropout: float = 0.0
    n_heads: int = 4
    order: int = 2
    short_filter: int = 3
    filter_width: int = 64
    filter_bands: int = 8
    time_scale: float = 100.0
    gate_norm: bool = False
    filter: str = "implicit"
    n_modes: int = 16
    d_state: int = 64
    kind: str = "diagonal"


class Block(nn.Module):
    """x + mixer(norm(x)), and then x + feed-forward(norm(x))."""

    def __init__(self, spec: EncoderSpec, *, generator: torch.Generator, dtype: torch.dtype) -> None:
        super().__init__()
        self.mixer_norm = nn.LayerNorm(spec.d_model, dtype=dtype)
        self.mixer = _mixer(spec, generator, dtype)
        self.feed_norm = nn.LayerNorm(spec.d_model, dtype=dtype)
        self.widen = linear(spec.d_model, spec.d_ff, generator=generator, dtype=dtype)
        self.narrow = linear(spec.d_ff, spec.d_model, generator=generator, dtype=dtype)
        self.dropout = Dropout(spec.dropout)

    def mix(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None
    ) -> Float[Tensor, "batch length d_model"]:
        """What the mixer adds to the tokens."""
        mixed: Tensor = self.mixer(self.mixer_norm(x), mask)
        return mixed

    def feed(self, x: Float[Tensor, "batch length d_model"]) -> Float[Tensor, "batch length d_model"]:
        """What the feed-forward part adds to the tokens."""
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

    def stream(self, batch: int = 1, **options: Any) -> Stream:
        """The block on sequences that are not over, as in evaluation; options go to the mixer."""
        mixer: Any = self.mixer
        return _BlockStream(self, mixer.stream(batch, **options))


class Encoder(nn.Module):
    """Series to tokens: an embedding of each point and its position, blocks, and a norm.

    Parameters
    ----------
    spec : EncoderSpec
        Its shape.
    generator : torch.Generator
        Source of the first weights; the global one is not touched.
    dtype : torch.dtype, default=torch.float32
        Of the weights.

    Examples
    --------
    Padding behind the end of a series does not change its tokens.

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
        self.spec = spec
        self.embedding = linear(spec.n_channels, spec.d_model, generator=generator, dtype=dtype)
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
            Standardised series; anything behind the end of a shorter one.
        mask : bool tensor of shape (batch, length) or None, default=None
            True at the real points, which come first; None if there is no padding.

        Returns
        -------
        tokens : tensor of shape (batch, length, d_out)
            Those of real points do not depend on padding; those behind it mean nothing.
        """
        if mask is not None:
            series = series.masked_fill(~mask[..., None], 0.0)
        x = self.embed(series)
        for block in self.blocks:
            x = block(x, mask)
        return self.finish(x)

    def embed(self, series: Float[Tensor, "batch length channels"]) -> Float[Tensor, "batch length d_model"]:
        """Tokens before the first block."""
        embedded = self.embedding(series)
        tokens: Tensor = self.dropout(embedded + sinusoids(series.shape[1], self.spec.d_model, embedded))
        return tokens

    def finish(self, x: Float[Tensor, "batch length d_model"]) -> Float[Tensor, "batch length d_out"]:
        """Tokens after the last block, normalised and brought to the width that is asked for."""
        tokens: Tensor = self.norm(x)
        return tokens if self.out_projection is None else self.out_projection(tokens)


class Pointwise(nn.Module):
    """No mixing at all: two linear maps of each token by itself. A student of these shows how easy the goal is."""

    def __init__(self, d_model: int, *, generator: torch.Generator, dtype: torch.dtype) -> None:
        super().__init__()
        self.in_projection = linear(d_model, 2 * d_model, generator=generator, dtype=dtype)
        self.out_projection = linear(2 * d_model, d_model, generator=generator, dtype=dtype)

    def forward(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Tokens, each by itself."""
        mapped: Tensor = self.out_projection(nn.functional.gelu(self.in_projection(x)))
        return mapped

    def stream(self, batch: int = 1) -> Stream:
        """The map of sequences that are not over."""
        return PointwiseStream(self)


class _BlockStream:
    """A block without dropout, whose mixer is a stream."""

    def __init__(self, block: Block, mixer: Stream) -> None:
        self.mixer = mixer
        # weights at hand: a module looks up each of its parts, which takes as long as a small product
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
    """Number of weights of an encoder, without making them."""
    with torch.device("meta"):
        encoder = Encoder(spec, generator=torch.Generator())
    return sum(parameter.numel() for parameter in encoder.parameters())


def _mixer(spec: EncoderSpec, generator: torch.Generator, dtype: torch.dtype) -> nn.Module:
    if spec.mixer == "attention":
        return Attention(spec.d_model, spec.n_heads, spec.causal, generator=generator, dtype=dtype)
    if spec.mixer == "hyena":
        return Hyena(
            spec.d_model,
            spec.order,
            spec.causal,
            spec.short_filter,
            spec.filter_width,
            spec.filter_bands,
            spec.time_scale,
            spec.gate_norm,
            spec.filter,
            spec.n_modes,
            generator=generator,
            dtype=dtype,
        )
    if spec.mixer == "s4":
        return S4(spec.d_model, spec.d_state, spec.kind, spec.causal, generator=generator, dtype=dtype)
    if spec.mixer == "recurrent":
        return Recurrent(spec.d_model, spec.causal, generator=generator, dtype=dtype)
    if spec.mixer == "pointwise":
        return Pointwise(spec.d_model, generator=generator, dtype=dtype)
    raise ValueError(f"mixer must be one of {', '.join(MIXERS)}, got {spec.mixer!r}")
