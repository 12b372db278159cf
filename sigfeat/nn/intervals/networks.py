"""Networks of interval layers: stacked, or in front of Hyena."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.nn.intervals.filters import build_filter
from sigfeat.nn.intervals.layers import IntervalSums
from sigfeat.nn.layers import linear
from sigfeat.nn.pooling import pooled
from sigfeat.words import words_of_length

SHORT = 6  # filters of a first layer reach over a sixth of the series
HEAD_RATE = 14.0  # learning rate of the head of a network in units of that of its layers
POOLED = ("mean", "max", "end")


class IntervalBlock(nn.Module):
    """Interval layer and projection: iterated sums along all words up to a length, standardised, mixed, and bent.

    Parameters
    ----------
    n_channels, width : int
        Channels in and out.
    depth : int
        Largest length of the words.
    n_filters, length : int
        Learnt filters, and their number of lags.
    seed : int
        Of the first weights.
    dtype : torch.dtype, default=torch.float32
        Of the convolutions and the projection.
    """

    def __init__(
        self,
        n_channels: int,
        width: int,
        *,
        depth: int,
        n_filters: int,
        length: int,
        seed: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        words = [word for k in range(1, depth + 1) for word in words_of_length(n_channels, k)]
        n_values = len(words) * n_filters
        self.intervals = IntervalSums(words, build_filter("learnt", n_filters, 1, length, seed), precision=dtype)
        self.norm = nn.BatchNorm1d(n_values, dtype=dtype)
        generator = torch.Generator().manual_seed(seed)
        self.projection = linear(n_values, width, generator=generator, dtype=dtype)

    def forward(
        self, series: Float[Tensor, "batch length channels"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length width"]:
        """Series of as many steps; what they hold at a time depends on nothing behind it, and not on the mask."""
        values = self.norm(self.intervals(series).transpose(1, 2)).transpose(1, 2)
        bent: Tensor = nn.functional.gelu(self.projection(values))
        return bent


class Chain(nn.Module):
    """Modules that take series and mask, one after the other.

    Parameters
    ----------
    *parts : torch.nn.Module
        Series and mask to series of as many steps.
    """

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(
        self, series: Float[Tensor, "batch length channels"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length width"]:
        """What the last part gives."""
        for part in self.parts:
            series = part(series, mask)
        return series


class PooledSequence(nn.Module):
    """Mean, largest and last value of each channel that a module gives.

    Parameters
    ----------
    body : torch.nn.Module
        Series and mask to series of as many steps.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(
        self, series: Float[Tensor, "batch length channels"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch features"]:
        """Pooled values of series of their own lengths."""
        mask = torch.arange(series.shape[1], device=series.device) < lengths[:, None]
        values, stop = self.body(series, mask).transpose(1, 2), lengths[:, None]
        return torch.cat([pooled(values, name, torch.zeros_like(stop), stop) for name in POOLED], dim=1)


def stacked_intervals(
    n_channels: int, length: int, *, d_model: int, n_filters: int, seed: int, dtype: torch.dtype = torch.float32
) -> Chain:
    """Interval layer, projection, interval layer, projection.

    The first layer sees single letters under short filters, and so finds shapes; the second sees pairs of what was
    found, at any distance.

    Parameters
    ----------
    n_channels, length : int
        Of the series.
    d_model : int
        Channels between the layers; twice as many come out.
    n_filters : int
        Filters of the second layer; the first has three times as many.
    seed : int
        Of the first weights.
    dtype : torch.dtype, default=torch.float32
        Of the convolutions and all that follows them.

    Returns
    -------
    body : Chain
    """
    short = max(2, length // SHORT)
    return Chain(
        IntervalBlock(n_channels, d_model, depth=1, n_filters=3 * n_filters, length=short, seed=seed, dtype=dtype),
        IntervalBlock(d_model, 2 * d_model, depth=2, n_filters=n_filters, length=length, seed=seed + 1, dtype=dtype),
    )


def interval_hyena(
    n_channels: int,
    length: int,
    *,
    d_model: int,
    n_filters: int,
    order: int,
    seed: int,
    dtype: torch.dtype = torch.float32,
) -> Chain:
    """Interval layer, projection, and an encoder of Hyena.

    Parameters
    ----------
    n_channels, length : int
        Of the series.
    d_model : int
        Channels of the projection, and width of the tokens.
    n_filters : int
        Filters of the interval layer.
    order : int
        Of Hyena.
    seed : int
        Of the first weights.
    dtype : torch.dtype, default=torch.float32
        Of the convolutions and all that follows them.

    Returns
    -------
    body : Chain
    """
    spec = EncoderSpec(
        "hyena", d_model, d_model=d_model, n_layers=2, d_ff=2 * d_model, d_out=d_model, order=order, filter_width=32,
        time_scale=float(length),
    )  # fmt: skip
    generator, short = torch.Generator().manual_seed(seed + 1), max(2, length // SHORT)
    return Chain(
        IntervalBlock(n_channels, d_model, depth=2, n_filters=n_filters, length=short, seed=seed, dtype=dtype),
        Encoder(spec, generator=generator, dtype=dtype),
    )
