"""Training of features together with a linear head."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from sigfeat.nn.pooled_development import PooledDevelopment


@dataclass(frozen=True)
class TrainingSettings:
    """How long, how fast and on what a network is trained.

    Parameters
    ----------
    max_epochs : int
        Passes over the training series.
    lr : float
        Learning rate at its peak.
    weight_decay : float
        Decoupled weight decay of the head.
    batch_size : int
        Series per step.
    validation_fraction : float
        Share of the series held out for early stopping; 0 for none.
    patience : int
        Epochs without improvement on them, after which training stops.
    callbacks : sequence of skorch.callbacks.Callback
        Further callbacks.
    device : torch.device or str
        Where the network is trained.
    seed : int
        Of the order of the series and of the split.
    """

    max_epochs: int
    lr: float
    weight_decay: float
    batch_size: int
    validation_fraction: float
    patience: int
    callbacks: Sequence[Any]
    device: torch.device | str
    seed: int


class LinearHead(nn.Module):
    """Standardised features and a linear map of them.

    Parameters
    ----------
    features : PooledDevelopment
        The features.
    n_features, n_outputs : int
        Number of features, and of classes or targets.
    """

    def __init__(self, features: PooledDevelopment, n_features: int, n_outputs: int) -> None:
        super().__init__()
        self.features = features
        self.norm = nn.BatchNorm1d(n_features, affine=False)
        self.linear = nn.Linear(n_features, n_outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(
        self, increments: Float[Tensor, "batch length channels"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch outputs"]:
        """Scores of the classes, or targets."""
        outputs: Tensor = self.linear(self.norm(self.features(increments, lengths).flatten(1)))
        return outputs


def train(
    features: PooledDevelopment,
    increments: NDArray[Any],
    lengths: NDArray[Any],
    target: NDArray[Any],
    settings: TrainingSettings,
) -> None:
    """Train features in place, with a linear head that is thrown away.

    Parameters
    ----------
    features : PooledDevelopment
        What is trained.
    increments : ndarray of shape (n_samples, n_timepoints, n_channels)
        Steps of the paths; the first is zero.
    lengths : integer ndarray of shape (n_samples,)
        Own number of points of each series.
    target : ndarray
        Numbers of the classes, shape (n_samples,), or targets, shape (n_samples, n_targets), which are standardised.
    settings : TrainingSettings
        How to train.

    Raises
    ------
    ImportError
        If skorch is not installed.
    ValueError
        If the training diverges.
    """
    criterion: type[nn.Module]
    if target.ndim == 1:
        n_outputs, criterion, target = int(target.max()) + 1, nn.CrossEntropyLoss, target.astype(np.int64)
    else:
        n_outputs, criterion = target.shape[1], nn.MSELoss
        deviation = target.std(axis=0)
        target = (target - target.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
        target = target.astype(increments.dtype)
    layer = features.layer
    with torch.no_grad():
        n_features = features(torch.from_numpy(increments[:1]), torch.from_numpy(lengths[:1])).numel()
    network = LinearHead(features, n_features, n_outputs)
    network.linear.to(layer.weight.dtype.to_real())
    network.norm.to(layer.weight.dtype.to_real())
    _fit(network, criterion, increments, lengths, target, settings)
    if not bool(torch.isfinite(layer.weight).all()):
        raise ValueError(f"training diverged: lower lr (now {settings.lr:g}) or scale")


def _fit(
    network: LinearHead,
    criterion: type[nn.Module],
    increments: NDArray[Any],
    lengths: NDArray[Any],
    target: NDArray[Any],
    settings: TrainingSettings,
) -> None:
    try:
        from skorch import NeuralNet
        from skorch.callbacks import EarlyStopping, GradientNormClipping, LRScheduler
        from skorch.dataset import Dataset
        from skorch.helper import predefined_split
    except ImportError as error:
        raise ImportError("fit_mode='supervised' needs skorch: run `pip install skorch`") from error

    def part(rows: NDArray[Any]) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
        return {"increments": increments[rows], "lengths": lengths[rows]}, target[rows]

    training, held_out = _split(target, settings)
    inputs, goal = part(training)
    steps_per_epoch = -(-len(training) // settings.batch_size)
    callbacks = [
        LRScheduler(
            torch.optim.lr_scheduler.OneCycleLR,
            step_every="batch",
            max_lr=settings.lr,
            total_steps=settings.max_epochs * steps_per_epoch,
            pct_start=0.1,
        ),
        GradientNormClipping(1.0),
    ]
    if len(held_out):
        callbacks.append(EarlyStopping(patience=settings.patience, load_best=True))
    generator = torch.Generator().manual_seed(settings.seed)
    NeuralNet(
        network,
        criterion,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=settings.weight_decay,
        lr=settings.lr,
        max_epochs=settings.max_epochs,
        batch_size=settings.batch_size,
        iterator_train__shuffle=True,
        iterator_train__generator=generator,
        iterator_valid__generator=generator,
        train_split=predefined_split(Dataset(*part(held_out))) if len(held_out) else None,
        callbacks=[*callbacks, *settings.callbacks],
        device=settings.device,
        verbose=0,
    ).fit(inputs, goal)


def _split(target: NDArray[Any], settings: TrainingSettings) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows to train on and rows held out, of each class its share where that is possible."""
    rows = np.arange(len(target))
    n_held_out = round(settings.validation_fraction * len(target))
    if n_held_out == 0:
        return rows, rows[:0]
    strata = None
    if target.ndim == 1:
        sizes = np.bincount(target)
        n_classes = np.count_nonzero(sizes)
        possible = sizes[sizes > 0].min() > 1 and n_classes <= min(n_held_out, len(target) - n_held_out)
        strata = target if possible else None
    training, held_out = train_test_split(rows, test_size=n_held_out, stratify=strata, random_state=settings.seed)
    return training, held_out
