"""How a module is trained: one set of settings for every objective."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch

STEPS_PER_EPOCH = 20  # where series are masked or augmented at random, so that none is ever seen twice


@runtime_checkable
class Epochs(Protocol):
    """An observer of the epochs, such as the callbacks of scikit-learn."""

    def begin(self) -> None:
        """Note that an epoch begins."""

    def end(self) -> bool:
        """Note that an epoch ends; True stops the training."""
        return False


class Unobserved:
    """Epochs that nothing observes and nothing stops."""

    def begin(self) -> None:
        """Do nothing."""

    def end(self) -> bool:
        """Let the training go on."""
        return False


@dataclass(frozen=True)
class TrainingSettings:
    """How long, how fast and on what device a module is trained.

    Parameters
    ----------
    max_epochs : int
        Number of epochs.
    lr : float
        Learning rate at its peak.
    batch_size : int
        Series per step.
    seed : int
        Seed of the order of the series and of everything random in training.
    passes : bool, default=False
        Whether an epoch is a pass over the training series; otherwise it is `STEPS_PER_EPOCH` steps.
    weight_decay : float, default=0.0
        Decoupled weight decay.
    averaging : float, default=0.99
        Decay rate of the running average of the weights, for objectives that keep one.
    patience : int, default=1
        Number of epochs without improvement on the validation set, if there is one, after which training stops.
    callbacks : sequence of skorch.callbacks.Callback, default=()
        Further callbacks.
    device : torch.device or str, default="cpu"
        Device of the training; "accelerate" for the device of this process, which may be one of several that share
        each batch.
    title : str, default=""
        Title of the progress bar; empty for none.
    verbose : int, bool or None, default=None
        Whether to show a progress bar on standard error. None for one if that is a terminal and the training takes more
        than ten seconds, by an estimate after each epoch.
    epochs : Epochs, default=Unobserved()
        Observer of the epochs.
    seconds : float, default=inf
        Training also ends after this time, at the end of the nearest epoch. The learning rate then follows the steps or
        the time, whichever is further advanced.
    """

    max_epochs: int
    lr: float | int
    batch_size: int
    seed: int
    passes: bool = False
    weight_decay: float | int = 0.0
    averaging: float = 0.99
    patience: int = 1
    callbacks: Sequence[Any] = ()
    device: torch.device | str = "cpu"
    title: str = ""
    verbose: int | None = None
    epochs: Epochs = Unobserved()
    seconds: float | int = math.inf

    def n_rows(self, n_series: int) -> int:
        """Return the number of series that an epoch takes, counted as often as they occur."""
        if not self.passes:
            return STEPS_PER_EPOCH * self.batch_size
        # a last batch of one series is omitted: it has no standard deviation for a norm to divide by
        return n_series - (n_series % self.batch_size == 1 and n_series > 1)
