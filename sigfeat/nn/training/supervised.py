"""Supervised training of features together with a linear head."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from sigfeat.nn.development import LongStepError
from sigfeat.nn.training.loop import Objective, diverged, train
from sigfeat.nn.training.settings import TrainingSettings
from sigfeat.nn.training.targets import split_rows, standardised_numbers

# Both were chosen, as the defaults of the transformer, by cross-validation on training parts of archive data sets.
STRETCHING = 0.2  # standard deviation of the logarithm of the factor
HEAD_RATE = 2.0  # learning rate of the head relative to that of the features


class LinearHead(nn.Module):
    """Standardised features and a linear map of them that starts at zero.

    Parameters
    ----------
    features : torch.nn.Module
        The features, as a function of series and their lengths.
    n_features, n_outputs : int
        Number of features, and of classes or targets.
    dtype : torch.dtype
        Precision of the features.
    """

    def __init__(self, features: nn.Module, n_features: int, n_outputs: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.features = features
        self.norm = nn.BatchNorm1d(n_features, affine=False, dtype=dtype)
        self.weight = nn.Parameter(torch.zeros(n_outputs, n_features, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(n_outputs, dtype=dtype))

    def forward(
        self, series: Float[Tensor, "batch length channels"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch outputs"]:
        """Return scores of the classes, or targets."""
        standard = self.norm(self.features(series, lengths).flatten(1))
        return nn.functional.linear(standard / standard.shape[1] ** 0.5, self.weight, self.bias)


class FeatureSupervision(Objective):
    """Loss of a linear head on features: cross-entropy of classes, or squared error of numbers.

    In training each channel of each series is stretched at random, so that the features do not rely on its exact size.
    The weights are not averaged, since the statistics of the norm belong to the last ones.

    Parameters
    ----------
    network : LinearHead
        Features and head.
    is_classification : bool
        Whether targets are classes, counted from 0, or standardised numbers of shape (batch, n_outputs).
    stretching : float
        Standard deviation of the logarithm of the factor by which a channel is stretched.
    head_rate : float
        Learning rate of the head relative to that of the features.
    """

    is_averaged = False

    def __init__(
        self, network: LinearHead, is_classification: bool, stretching: float | int, head_rate: float | int
    ) -> None:
        super().__init__(network, torch.Generator())
        self.is_classification, self.stretching, self.head_rate = is_classification, stretching, head_rate

    def parameter_groups(self, weight_decay: float | int) -> list[tuple[str, dict[str, float | int]]]:
        """Give the head a learning rate of its own, and let the weights of the features not decay."""
        return [
            ("trained.features*", {"rate": 1.0, "weight_decay": 0.0}),
            ("*", {"rate": self.head_rate, "weight_decay": weight_decay}),
        ]

    def forward(
        self,
        series: Float[Tensor, "batch length channels"],
        lengths: Int[Tensor, " batch"],
        target: Tensor | None = None,
    ) -> Float[Tensor, ""]:
        """Return the loss of a batch."""
        assert target is not None
        if self.training and self.stretching:
            shape = len(series), 1, series.shape[2]
            noise = torch.randn(shape, generator=self.generator, dtype=series.dtype, device=series.device)
            series = series * (self.stretching * noise).exp()
        scores = self.trained(series, lengths)
        if self.is_classification:
            return nn.functional.cross_entropy(scores, target)
        return nn.functional.mse_loss(scores, target)


def train_features(
    features: nn.Module,
    series: NDArray[Any],
    lengths: NDArray[Any],
    target: NDArray[Any],
    settings: TrainingSettings,
    *,
    validation_fraction: float | int = 0.0,
    stretching: float | int = STRETCHING,
    head_rate: float | int = HEAD_RATE,
) -> tuple[dict[str, NDArray[Any]], LinearHead]:
    """Train features in place, together with a linear head.

    Parameters
    ----------
    features : torch.nn.Module
        The features; their parameters are trained.
    series : ndarray of shape (n_samples, n_timepoints, n_channels)
        Series, or increments of paths.
    lengths : integer ndarray of shape (n_samples,)
        Own number of points of each series.
    target : ndarray
        Numbers of the classes, shape (n_samples,), or targets, shape (n_samples, n_targets), which are standardised.
    settings : TrainingSettings
        How to train, with ``passes=True``. The weight decay is that of the head.
    validation_fraction : float, default=0.0
        Fraction of the series in the validation set; 0 for none.
    stretching, head_rate : float
        See `FeatureSupervision`.

    Returns
    -------
    history : dict of ndarray
        "train_loss" and, if there is a validation set, "valid_loss" of each epoch.
    network : LinearHead
        Features and head.

    Raises
    ------
    KeyboardInterrupt
        If the training is interrupted.
    ValueError
        If the training diverges.
    """
    is_classification = target.ndim == 1
    if is_classification:
        n_outputs, goal = int(target.max()) + 1, target.astype(np.int64)
    else:
        n_outputs, goal = target.shape[1], standardised_numbers(target).astype(series.dtype)
    features.eval()  # the statistics of a norm must not be learnt from a single series
    with torch.no_grad():
        example = features(torch.from_numpy(series[:1]), torch.from_numpy(lengths[:1]))
    network = LinearHead(features, example.numel(), n_outputs, example.dtype)
    objective = FeatureSupervision(network, is_classification, stretching, head_rate)
    classes = target if is_classification else None
    _, validation = split_rows(len(target), validation_fraction, settings.seed, classes)
    inputs = {"series": series, "lengths": lengths, "target": goal}
    try:
        history = train(objective, inputs, validation, settings)
    except LongStepError as error:
        raise ValueError(diverged(settings)) from error
    return {name: history[name] for name in ("train_loss", "valid_loss") if name in history}, network
