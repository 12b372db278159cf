"""Training of features together with a linear head."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from sigfeat._rounding import within_rounding
from sigfeat.nn.development import LongStepError

# Both were chosen, as the defaults of the transformer, by cross-validation on training parts of archive data sets.
STRETCHING = 0.2  # standard deviation of the logarithm of the factor
HEAD_RATE = 2.0  # learning rate of the head in units of that of the features


@dataclass(frozen=True)
class TrainingSettings:
    """How long, how fast and on what a network is trained.

    Parameters
    ----------
    max_epochs : int
        Passes over the training series.
    lr : float
        Learning rate of the features at its peak.
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
    stretching : float, default=STRETCHING
        Standard deviation of the logarithm of the factor by which each channel is stretched at random.
    head_rate : float, default=HEAD_RATE
        Learning rate of the head in units of that of the features.
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
    stretching: float = STRETCHING
    head_rate: float = HEAD_RATE


class LinearHead(nn.Module):
    """Standardised features and a linear map of them that starts at zero.

    In training each channel of each series is stretched at random, so that the features do not rely on its exact size.

    Parameters
    ----------
    features : torch.nn.Module
        The features, of series and their lengths.
    n_features, n_outputs : int
        Number of features, and of classes or targets.
    stretching : float
        Standard deviation of the logarithm of the factor.
    generator : torch.Generator
        Source of the stretching, on the CPU.
    dtype : torch.dtype
        Of the features.
    """

    def __init__(
        self,
        features: nn.Module,
        n_features: int,
        n_outputs: int,
        stretching: float,
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.features, self.stretching = features, stretching
        self.generator: torch.Generator | None = generator
        self.norm = nn.BatchNorm1d(n_features, affine=False, dtype=dtype)
        self.weight = nn.Parameter(torch.zeros(n_outputs, n_features, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(n_outputs, dtype=dtype))

    def forward(
        self, increments: Float[Tensor, "batch length channels"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch outputs"]:
        """Scores of the classes, or targets."""
        if self.training and self.stretching:
            shape = len(increments), 1, increments.shape[2]
            noise = torch.randn(shape, generator=self.generator, dtype=increments.dtype).to(increments.device)
            increments = increments * (self.stretching * noise).exp()
        standard = self.norm(self.features(increments, lengths).flatten(1))
        return nn.functional.linear(standard / standard.shape[1] ** 0.5, self.weight, self.bias)


def train(
    features: nn.Module,
    increments: NDArray[Any],
    lengths: NDArray[Any],
    target: NDArray[Any],
    settings: TrainingSettings,
) -> tuple[list[dict[str, Any]], LinearHead]:
    """Train features in place, with a linear head.

    Parameters
    ----------
    features : torch.nn.Module
        What is trained: its parameters.
    increments : ndarray of shape (n_samples, n_timepoints, n_channels)
        Series, or steps of paths.
    lengths : integer ndarray of shape (n_samples,)
        Own number of points of each series.
    target : ndarray
        Numbers of the classes, shape (n_samples,), or targets, shape (n_samples, n_targets), which are standardised.
    settings : TrainingSettings
        How to train.

    Returns
    -------
    history : list of dict
        Number, loss and, where series are held out, their loss ("epoch", "train_loss", "valid_loss") of each epoch.
    network : LinearHead
        Features and head.

    Raises
    ------
    ImportError
        If skorch is not installed.
    KeyboardInterrupt
        If the training is interrupted.
    ValueError
        If the training diverges.
    """
    criterion: type[nn.Module]
    if target.ndim == 1:
        n_outputs, criterion, target = int(target.max()) + 1, nn.CrossEntropyLoss, target.astype(np.int64)
    else:
        n_outputs, criterion = target.shape[1], nn.MSELoss
        target = standardised_numbers(target).astype(increments.dtype)
    features.eval()  # what one series has no deviation for is not to be learnt from it
    with torch.no_grad():
        example = features(torch.from_numpy(increments[:1]), torch.from_numpy(lengths[:1]))
    generator = torch.Generator().manual_seed(settings.seed)
    network = LinearHead(features, example.numel(), n_outputs, settings.stretching, generator, example.dtype)
    diverged = f"training diverged: lower lr, now {settings.lr:g}, or scale"
    try:
        history = _fit(network, criterion, increments, lengths, target, settings)
    except LongStepError as error:
        raise ValueError(diverged) from error
    if not all(bool(torch.isfinite(weight).all()) for weight in features.parameters()):
        raise ValueError(diverged)
    network.generator = None  # its state is of no use to those who keep the network
    return history, network


def standardised_numbers(target: NDArray[Any]) -> NDArray[Any]:
    """Targets of a regression, shape (n_samples, n_targets), with mean zero and standard deviation one."""
    size = np.abs(target).max(axis=0)
    target = target / np.where(size > 0, size, 1.0)  # huge numbers have huger squares
    deviation = target.std(axis=0)
    constant = within_rounding(deviation, 1.0, target.dtype)
    standard: NDArray[Any] = (target - target.mean(axis=0)) / np.where(constant, 1.0, deviation)
    return standard


def _fit(
    network: LinearHead,
    criterion: type[nn.Module],
    increments: NDArray[Any],
    lengths: NDArray[Any],
    target: NDArray[Any],
    settings: TrainingSettings,
) -> list[dict[str, Any]]:
    try:
        from skorch import NeuralNet
        from skorch.callbacks import EarlyStopping, GradientNormClipping, LRScheduler
        from skorch.dataset import Dataset
        from skorch.helper import predefined_split
    except ImportError as error:
        raise ImportError("fit_mode='supervised' needs skorch: run `pip install skorch`") from error

    from sigfeat.nn.training.loop import InterruptedTraining, interrupts_raised, one_cycle

    class Network(NeuralNet):  # type: ignore[misc]  # skorch has no types
        """A net that an interrupt stops with an error: skorch takes it for the wish to end early."""

        def run_single_epoch(self, *args: Any, **kwargs: Any) -> None:
            with interrupts_raised():
                super().run_single_epoch(*args, **kwargs)

    def part(rows: NDArray[Any]) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
        return {"increments": increments[rows], "lengths": lengths[rows]}, target[rows]

    classes = target if target.ndim == 1 else None
    training, held_out = split_rows(len(target), settings.validation_fraction, settings.seed, classes)
    inputs, goal = part(training)
    one_left = len(training) % settings.batch_size == 1  # which has no deviation to standardise by
    steps_per_epoch = -(-(len(training) - one_left) // settings.batch_size)
    n_steps = settings.max_epochs * steps_per_epoch
    rates = [settings.lr, settings.head_rate * settings.lr]
    callbacks = [
        LRScheduler(
            torch.optim.lr_scheduler.LambdaLR,
            step_every="batch",
            lr_lambda=functools.partial(one_cycle, n_steps=n_steps),
        ),
        GradientNormClipping(1.0),
        *settings.callbacks,
    ]
    if len(held_out):  # last, since it ends the epoch for those behind it
        callbacks.append(EarlyStopping(patience=settings.patience, load_best=True))
    net = Network(
        network,
        criterion,
        optimizer=torch.optim.AdamW,
        optimizer__param_groups=[
            ("features*", {"lr": rates[0], "weight_decay": 0.0}),
            ("*", {"lr": rates[1], "weight_decay": settings.weight_decay}),
        ],
        max_epochs=settings.max_epochs,
        batch_size=settings.batch_size,
        iterator_train__shuffle=True,
        iterator_train__drop_last=one_left,
        iterator_train__generator=network.generator,
        iterator_valid__generator=network.generator,
        train_split=predefined_split(Dataset(*part(held_out))) if len(held_out) else None,
        callbacks=callbacks,
        device=settings.device,
        verbose=0,
    )
    try:
        net.fit(inputs, goal)
    except InterruptedTraining as interrupted:
        raise KeyboardInterrupt from interrupted
    kept = ("epoch", "train_loss", "valid_loss")
    return [{name: epoch[name] for name in kept if name in epoch} for epoch in net.history]


def split_rows(
    n_series: int, fraction: float, seed: int, classes: NDArray[Any] | None = None, needed: int = 2
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows to train on and rows held out, of each class its share where that is possible."""
    rows = np.arange(n_series)
    if fraction == 0:
        return rows, rows[:0]
    n_held_out = max(1, round(fraction * n_series))
    if n_series - n_held_out < needed:
        raise ValueError(
            f"validation_fraction must leave at least {needed} series to train on, "
            f"got {fraction:g} of n_samples = {n_series} series"
        )
    strata = None
    if classes is not None:
        sizes = np.bincount(classes)
        n_classes = np.count_nonzero(sizes)
        possible = sizes[sizes > 0].min() > 1 and n_classes <= min(n_held_out, n_series - n_held_out)
        strata = classes if possible else None
    training, held_out = train_test_split(rows, test_size=n_held_out, stratify=strata, random_state=seed)
    return training, held_out
