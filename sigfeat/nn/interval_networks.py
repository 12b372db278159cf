"""Networks of interval layers: stacked, or in front of Hyena, with a classifier on top."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sigfeat.nn.filters import build_filter
from sigfeat.nn.hyena import Hyena
from sigfeat.nn.intervals import IntervalSums, pooled
from sigfeat.nn.layers import linear
from sigfeat.words import words_of_length

POOLED = ("mean", "max", "end")


class IntervalBlock(nn.Module):
    """Interval layer and projection: sums along words of up to two letters, standardised, mixed, and bent.

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
    """

    def __init__(self, n_channels: int, width: int, *, depth: int, n_filters: int, length: int, seed: int) -> None:
        super().__init__()
        words = [word for k in range(1, depth + 1) for word in words_of_length(n_channels, k)]
        self.intervals = IntervalSums(words, build_filter("learnt", n_filters, 1, length, seed))
        self.norm = nn.BatchNorm1d(len(words) * n_filters)
        generator = torch.Generator().manual_seed(seed)
        self.projection = linear(len(words) * n_filters, width, gain=1.0, generator=generator, dtype=torch.float32)

    def forward(self, series: Float[Tensor, "batch length channels"]) -> Float[Tensor, "batch length width"]:
        """Series of as many steps."""
        values = self.norm(self.intervals(series).transpose(1, 2)).transpose(1, 2)
        bent: Tensor = nn.functional.gelu(self.projection(values))
        return bent


class PooledClassifier(nn.Module):
    """Mean, largest and last value of each channel, standardised, and a linear map of them.

    Parameters
    ----------
    body : torch.nn.Module
        Series to series.
    width, n_outputs : int
        Channels of the body, and scores.
    """

    def __init__(self, body: nn.Module, width: int, n_outputs: int) -> None:
        super().__init__()
        self.body, self.norm = body, nn.BatchNorm1d(len(POOLED) * width)
        self.head = nn.Linear(len(POOLED) * width, n_outputs)
        nn.init.zeros_(self.head.weight)

    def forward(
        self, series: Float[Tensor, "batch length channels"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch outputs"]:
        """Scores of the classes."""
        values = self.body(series)
        first = torch.zeros_like(lengths)
        features = torch.cat([pooled(values, first, lengths, name) for name in POOLED], dim=1)
        scores: Tensor = self.head(self.norm(features))
        return scores
