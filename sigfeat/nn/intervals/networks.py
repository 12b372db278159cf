"""Networks of interval layers: two of them stacked, or one followed by Hyena."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.nn.intervals.filters import build_filter
from sigfeat.nn.intervals.layers import IntervalSums
from sigfeat.nn.layers import linear
from sigfeat.nn.pooling import pooled
from sigfeat.words import words_of_length

SHORT = 6  # the filters of the first layer have a sixth of the length of the series
HEAD_RATE = 14.0  # learning rate of the head of a network, divided by that of its layers
POOLED = ("mean", "max", "end")


class IntervalBlock(nn.Module):
    """Interval layer of all words up to a length, batch normalisation, a linear map and GELU.

    Parameters
    ----------
    n_channels, width : int
        Number of channels of the input and of the output.
    depth : int
        Maximum length of the words.
    n_filters, length : int
        Number of learnt filters, and of lags of each.
    seed : int
        Seed of the first weights.
    dtype : torch.dtype, default=torch.float32
        Precision of the convolutions and the projection.
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
        """Series of the same length; values depend neither on later ones nor on the mask."""
        values = self.norm(self.intervals(series).transpose(1, 2)).transpose(1, 2)
        bent: Tensor = nn.functional.gelu(self.projection(values))
        return bent


class Chain(nn.Module):
    """Sequence of modules that take series and mask.

    Parameters
    ----------
    *parts : torch.nn.Module
        Maps series and mask to series of the same length.
    """

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(
        self, series: Float[Tensor, "batch length channels"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length width"]:
        """Output of the last part."""
        for part in self.parts:
            series = part(series, mask)
        return series


class PooledSequence(nn.Module):
    """Mean, maximum and last value of each channel of the output of a module.

    Parameters
    ----------
    body : torch.nn.Module
        Maps series and mask to series of the same length.
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

    The first layer has words of one letter and short filters, and detects local shapes; the second has words of up to
    two letters and long filters, and detects pairs of such shapes at any distance.

    Parameters
    ----------
    n_channels, length : int
        Number of channels, and of points, of the series.
    d_model : int
        Number of channels between the layers; the output has twice as many.
    n_filters : int
        Number of filters of the second layer; the first has three times as many.
    seed : int
        Seed of the first weights.
    dtype : torch.dtype, default=torch.float32
        Precision of the convolutions and of all later layers.

    Returns
    -------
    body : Chain

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import stacked_intervals
    >>> body = stacked_intervals(2, 30, d_model=4, n_filters=2, seed=0)
    >>> body(torch.zeros(3, 30, 2)).shape
    torch.Size([3, 30, 8])
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
        Number of channels, and of points, of the series.
    d_model : int
        Number of channels of the projection, and width of the tokens.
    n_filters : int
        Number of filters of the interval layer.
    order : int
        Order of Hyena.
    seed : int
        Seed of the first weights.
    dtype : torch.dtype, default=torch.float32
        Precision of the convolutions and of all later layers.

    Returns
    -------
    body : Chain

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import interval_hyena
    >>> body = interval_hyena(2, 30, d_model=4, n_filters=2, order=2, seed=0)
    >>> body(torch.zeros(3, 30, 2)).shape
    torch.Size([3, 30, 4])
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
