"""Objectives that train a teacher: prediction of classes or numbers, or reconstruction of masked points."""

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

    In training on classes each series is scaled and shifted a little and noise is added; numbers may depend on the
    scale, so series with numbers stay as they are.

    Parameters
    ----------
    encoder : Encoder
        What is trained.
    n_outputs : int
        Number of classes, or of numbers for each series.
    is_classification : bool
        Whether targets are classes, counted from 0, or standardised numbers of shape (batch, n_outputs).
    pooling : {"mean", "max", "min", "end"}
        How the tokens of a series are pooled for the head.
    generator : torch.Generator
        Source of the first weights of the head, and of the augmentation.
    """

    SPREAD = 0.1  # standard deviation of offsets, noise and the logarithm of the factor, for series of unit variance

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
        """Return the loss of a batch."""
        assert target is not None
        series = series[:, : int(lengths.max())]
        mask = real_points(lengths, series.shape[1])
        if self.training and self.is_classification:
            series = self._augmented(series, mask)
        own = self.sharing().own
        series, lengths, target, mask = own(series), own(lengths), own(target), None if mask is None else own(mask)
        encoder = self.trained if self.training else self.average
        pooled = pool_whole(encoder(series, mask), lengths, self.pooling)
        scores = self.head(self.dropout(pooled))
        if self.is_classification:
            return nn.functional.cross_entropy(scores, target, label_smoothing=0.1)
        return nn.functional.mse_loss(scores, target)

    def _augmented(
        self, series: Float[Tensor, "batch length channels"], mask: Bool[Tensor, "batch length"] | None
    ) -> Float[Tensor, "batch length channels"]:
        """Series with each channel scaled and shifted, and with noise whose strength differs between series."""
        batch, length, channels = series.shape
        normal = partial(torch.randn, generator=self.generator, dtype=series.dtype, device=series.device)
        scaled = (self.SPREAD * normal(batch, 1, channels)).exp() * series
        noise = normal(batch, 1, channels) + normal(batch, 1, 1) * normal(batch, length, channels)
        augmented = scaled + self.SPREAD * noise
        return augmented if mask is None else augmented * mask[..., None]


class Masked(Objective):
    """Mean squared error of masked points, which a linear head reconstructs from the tokens of the masked series.

    In each channel of each series runs of points are masked, that is set to zero, the mean of a channel.

    Parameters
    ----------
    encoder : Encoder
        What is trained.
    masked_ratio : float
        Fraction of the points that is masked.
    generator : torch.Generator
        Source of the first weights of the head, and of the runs.

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
        """Return the loss of a batch; the targets are the series themselves."""
        series = series[:, : int(lengths.max())]
        masked, sharing = self._runs(series) & inside(lengths, series.shape[1]), self.sharing()
        n_masked = masked.sum()
        series, lengths, masked = sharing.own(series), sharing.own(lengths), sharing.own(masked)
        encoder = self.trained if self.training else self.average
        found = self.head(encoder(series.masked_fill(masked, 0.0), real_points(lengths, series.shape[1])))
        loss: Tensor = sharing.count * ((found - series).square() * masked).sum() / n_masked.clamp(min=1)
        return loss

    def _runs(self, series: Float[Tensor, "batch length channels"]) -> Bool[Tensor, "batch length channels"]:
        """Runs of geometric length: at random times each channel draws anew whether it is masked from then on."""
        # the validation set is masked alike in all epochs, so that its losses can be compared
        generator = self.generator if self.training else torch.Generator(series.device).manual_seed(0)
        draws = torch.rand(2, *series.shape, generator=generator, device=series.device, dtype=torch.float32)
        anew = draws[0] < 1 / (self.MEAN_RUN * (1 - self.masked_ratio))
        t = torch.arange(series.shape[1], device=series.device)[:, None]
        last = (anew * t).cummax(dim=1).values
        return (draws[1] < self.masked_ratio).gather(1, last)
