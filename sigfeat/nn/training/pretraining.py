"""Objectives by which a teacher learns: classes or numbers, or the parts of series that are hidden from it."""

from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sigfeat.nn.encoder import Encoder
from sigfeat.nn.layers import Dropout, inside, linear, real_points
from sigfeat.nn.pooling import pool_whole
from sigfeat.nn.training.loop import Objective


class Supervision(Objective):
    """Loss of a linear head on pooled tokens: cross-entropy of classes, or squared error of numbers.

    In training on classes each series comes in slightly other units and with noise; numbers may depend on the units.

    Parameters
    ----------
    encoder : Encoder
        What is trained.
    n_outputs : int
        Number of classes, or of numbers for each series.
    is_classification : bool
        Whether targets are classes, counted from 0, or standardised numbers of shape (batch, n_outputs).
    pooling : str
        What the head sees of the tokens of a series.
    generator : torch.Generator
        Source of the first weights, and of what is changed in training.
    """

    SPREAD = 0.1  # of units (their logarithm), offsets and noise, of series of unit variance

    def __init__(
        self, encoder: Encoder, n_outputs: int, is_classification: bool, pooling: str, generator: torch.Generator
    ) -> None:
        super().__init__(encoder, generator)
        dtype = encoder.embedding.weight.dtype
        self.head = linear(encoder.spec.d_out, n_outputs, gain=0.1, generator=generator, dtype=dtype)
        self.dropout = Dropout(encoder.spec.dropout)
        self.pooling, self.is_classification = pooling, is_classification

    def forward(
        self,
        series: Float[Tensor, "batch length channels"],
        lengths: Int[Tensor, " batch"],
        target: Tensor | None = None,
    ) -> Float[Tensor, ""]:
        """Loss of a batch."""
        assert target is not None
        series = series[:, : int(lengths.max())]
        mask = real_points(lengths, series.shape[1])
        if self.training and self.is_classification:
            series = self._varied(series, mask)
        own = self.sharing().own
        series, lengths, target, mask = own(series), own(lengths), own(target), None if mask is None else own(mask)
        encoder = self.trained if self.training else self.average
        pooled = pool_whole(encoder(series, mask), lengths, self.pooling)
        scores = self.head(self.dropout(pooled))
        if self.is_classification:
            return nn.functional.cross_entropy(scores, target, label_smoothing=0.1)
        return nn.functional.mse_loss(scores, target)

    def _varied(
        self, series: Float[Tensor, "batch length channels"], mask: Bool[Tensor, "batch length"] | None
    ) -> Float[Tensor, "batch length channels"]:
        """Series of which each channel has other units, with noise of another strength in each series."""
        batch, length, channels = series.shape
        normal = partial(torch.randn, generator=self.generator, dtype=series.dtype, device=series.device)
        scaled = (self.SPREAD * normal(batch, 1, channels)).exp() * series
        noise = normal(batch, 1, channels) + normal(batch, 1, 1) * normal(batch, length, channels)
        varied = scaled + self.SPREAD * noise
        return varied if mask is None else varied * mask[..., None]


class Masked(Objective):
    """Mean squared error at hidden points, told from the others by a linear map of the tokens.

    In each channel of each series runs of points are hidden, that is set to zero, the mean.

    Parameters
    ----------
    encoder : Encoder
        What is trained.
    masked_ratio : float
        Share of the points that is hidden.
    generator : torch.Generator
        Source of the first weights and of the runs.

    References
    ----------
    .. [1] Zerveas et al., "A transformer-based framework for multivariate time series representation learning", 2021,
       arXiv:2010.02803, section 3.3: runs of mean length 3, each channel by itself.
    """

    MEAN_RUN = 3

    def __init__(self, encoder: Encoder, masked_ratio: float, generator: torch.Generator) -> None:
        super().__init__(encoder, generator)
        spec, dtype = encoder.spec, encoder.embedding.weight.dtype
        self.head = linear(spec.d_out, spec.n_channels, generator=generator, dtype=dtype)
        self.masked_ratio = masked_ratio

    def forward(
        self,
        series: Float[Tensor, "batch length channels"],
        lengths: Int[Tensor, " batch"],
        target: Tensor | None = None,
    ) -> Float[Tensor, ""]:
        """Loss of a batch; there are no targets but the series."""
        series = series[:, : int(lengths.max())]
        hidden, sharing = self._runs(series) & inside(lengths, series.shape[1]), self.sharing()
        n_hidden = hidden.sum()
        series, lengths, hidden = sharing.own(series), sharing.own(lengths), sharing.own(hidden)
        encoder = self.trained if self.training else self.average
        told = self.head(encoder(series.masked_fill(hidden, 0.0), real_points(lengths, series.shape[1])))
        loss: Tensor = sharing.count * ((told - series).square() * hidden).sum() / n_hidden.clamp(min=1)
        return loss

    def _runs(self, series: Float[Tensor, "batch length channels"]) -> Bool[Tensor, "batch length channels"]:
        """Runs of geometric length: at random times each channel draws anew whether it is hidden from there on."""
        # held-out series are hidden alike at each look, so that their losses can be compared
        generator = self.generator if self.training else torch.Generator(series.device).manual_seed(0)
        draws = torch.rand(2, *series.shape, generator=generator, device=series.device, dtype=torch.float32)
        anew = draws[0] < 1 / (self.MEAN_RUN * (1 - self.masked_ratio))
        t = torch.arange(series.shape[1], device=series.device)[:, None]
        last = (anew * t).cummax(dim=1).values
        return (draws[1] < self.masked_ratio).gather(1, last)
