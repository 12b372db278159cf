"""Training of modules that give their own loss, for a fixed number of steps, with skorch."""

import contextlib
import copy
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from skorch.hf import AccelerateMixin
from torch import Tensor, nn
from tqdm import tqdm

from sigfeat.nn.layers import Dropout
from sigfeat.nn.training.processes import ACCELERATE, Processes, accelerator, processes, same_weights

STEPS_PER_EPOCH = 20
WARM_UP = 0.1  # share of the steps in which the learning rate rises


@runtime_checkable
class Epochs(Protocol):
    """Who is told when an epoch begins and ends."""

    def begin(self) -> None:
        """Note that an epoch begins."""

    def end(self) -> bool:
        """Note that it ends; True stops the training."""
        return False


@dataclass(frozen=True)
class StepSettings:
    """How long, how fast and on what a module is trained.

    Parameters
    ----------
    n_steps : int
        Number of steps, of `batch_size` series each.
    lr : float
        Learning rate at its peak.
    weight_decay : float
        Decoupled weight decay.
    batch_size : int
        Series per step.
    averaging : float
        Decay of the running average of the weights.
    patience : int
        Epochs without improvement on held-out series, where there are some, after which training stops.
    callbacks : sequence of skorch.callbacks.Callback
        Further callbacks. An epoch is of 20 steps.
    device : torch.device or str
        Where the module is trained; "accelerate" for the device of this process, which may be one of several that
        share each batch.
    seed : int
        Of the order of the series and of everything random in training.
    bar : str
        Title of a progress bar; empty for none.
    epochs : Epochs
        Told of each epoch.
    seconds : float, default=inf
        Training also ends when so much time is over, at the end of the epoch that is nearest; learning rates then fall
        by whichever of steps and time is further on.
    """

    n_steps: int
    lr: float
    weight_decay: float
    batch_size: int
    averaging: float
    patience: int
    callbacks: Sequence[Any]
    device: torch.device | str
    seed: int
    bar: str
    epochs: Epochs
    seconds: float | int = math.inf


class Objective(nn.Module):
    """A module whose `forward` gives a loss.

    Where several processes train together, each sees whole batches, draws all that is random for them, and takes its
    own rows. The mean of their losses is the loss of the batch, so its gradient is that of one process.

    Parameters
    ----------
    trained : Encoder
        What is trained; `average` holds the running average of its weights.
    generator : torch.Generator
        Source of everything random; replaced and seeded by `train`.
    """

    progress = 0.0  # share of the steps that are done
    together = Processes()  # set by `train`

    def __init__(self, trained: nn.Module, generator: torch.Generator) -> None:
        super().__init__()
        self.trained, self.generator = trained, generator
        self.average = copy.deepcopy(trained).requires_grad_(False)

    def forward(self, series: Tensor, lengths: Tensor, target: Tensor | None = None) -> Tensor:
        """Loss of a batch of series (batch, length, channels)."""
        raise NotImplementedError

    def sharing(self) -> Processes:
        """Who shares a batch: all processes in training, and none in evaluation."""
        return self.together if self.training else Processes()


def train(
    objective: Objective,
    inputs: Mapping[str, NDArray[Any]],
    held_out: NDArray[Any],
    settings: StepSettings,
) -> dict[str, NDArray[Any]]:
    """Train an objective in place; its `average` then holds the weights to be used.

    Parameters
    ----------
    objective : Objective
        What is trained.
    inputs : dict of ndarray
        Arguments of the objective, each with a row per series.
    held_out : integer ndarray
        Rows that only serve to stop early.
    settings : StepSettings
        How to train.

    Returns
    -------
    history : dict of ndarray
        "loss" and "gradient_norm" (before clipping) of each step, "valid_loss" of each epoch where series are held out.

    Raises
    ------
    KeyboardInterrupt
        If the training is interrupted.
    ValueError
        If the training diverges, or several processes train for a time, on which they would not agree.
    """
    together = _together(settings)
    training = np.setdiff1d(np.arange(len(inputs["lengths"])), held_out)
    sampler = _Batches(len(training), settings)
    objective.together, objective.generator = together, torch.Generator(together.device)
    # what is dropped is drawn for own rows only, so each process needs draws of its own
    dropping = objective.generator if together.count == 1 else torch.Generator(together.device)
    steps = _Steps(objective, dropping, sampler, settings)
    callbacks: list[Any] = [*settings.callbacks, ("steps", steps)]
    if len(held_out):  # last, since it ends the epoch for those behind it
        callbacks.append(EarlyStopping(patience=settings.patience, load_best=True))
    kind, more = Network, {}
    if settings.device == ACCELERATE:
        kind, more = SharedNetwork, {"accelerator": accelerator(), "unwrap_after_train": False}
    net = kind(
        objective,
        nn.Identity,
        optimizer=torch.optim.AdamW,
        lr=settings.lr,
        optimizer__weight_decay=settings.weight_decay,
        optimizer__fused=True,
        max_epochs=n_epochs(settings.n_steps),
        batch_size=settings.batch_size,
        iterator_train__sampler=sampler,
        iterator_train__generator=torch.Generator(),
        iterator_valid__generator=torch.Generator(),
        train_split=predefined_split(Dataset(_rows(inputs, held_out), None)) if len(held_out) else None,
        callbacks=callbacks,
        device=together.device,
        callbacks__print_log__sink=print,  # accelerate's would print whatever verbose says
        verbose=0,
        **more,
    )
    for module in objective.modules():
        if isinstance(module, Dropout):
            module.generator = dropping
    try:
        net.fit(_rows(inputs, training), None)
    except InterruptedTraining as interrupted:
        raise KeyboardInterrupt from interrupted
    finally:
        steps.close()
        for module in objective.modules():
            if isinstance(module, Dropout):
                module.generator = None
    same_weights(objective.average, together)
    if not all(bool(torch.isfinite(value).all()) for value in objective.average.state_dict().values()):
        raise ValueError(f"training diverged: lower lr, now {settings.lr:g}")
    batches = [batch for epoch in net.history[:, "batches"] for batch in epoch]
    names = {"loss": "train_loss", "gradient_norm": "gradient_norm"}
    history = {name: np.array([batch[key] for batch in batches if key in batch]) for name, key in names.items()}
    if len(held_out):
        history["valid_loss"] = np.array(net.history[:, "valid_loss"])
    return history


class Network(NeuralNet):  # type: ignore[misc]  # skorch has no types
    """A net of an objective: what the module gives is the loss.

    A training that was loaded from a checkpoint goes on where it stopped. An interrupt stops with an error: skorch
    takes it for the wish to end early.
    """

    def get_loss(self, y_pred: Tensor, *_: Any, **__: Any) -> Tensor:
        """What the module gives."""
        return y_pred

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **kwargs: Any) -> Any:
        """Run the epochs that are left."""
        left = max(0, self.max_epochs - len(self.history)) if epochs is None else epochs
        return super().fit_loop(X, y, epochs=left, **kwargs)

    def run_single_epoch(self, *args: Any, **kwargs: Any) -> None:
        """Run an epoch, and let interrupts pass."""
        with interrupts_raised():
            super().run_single_epoch(*args, **kwargs)


class SharedNetwork(AccelerateMixin, Network):  # type: ignore[misc]  # skorch has no types
    """A net that several processes train, each on its own rows of every batch.

    Their gradients are averaged by accelerate. Its loaders are not used: the objective takes the rows.
    """

    _criteria: list[str]

    def _initialize_accelerator(self) -> Any:
        """Prepare the module and not the criterion: it has no weights, which accelerate refuses on the CPU."""
        criteria, self._criteria = self._criteria, []
        try:
            return super()._initialize_accelerator()
        finally:
            self._criteria = criteria

    def get_iterator(self, *args: Any, **kwargs: Any) -> Any:
        """Whole batches."""
        return super(AccelerateMixin, self).get_iterator(*args, **kwargs)

    def train_step_single(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """A step, with the loss of the whole batch."""
        return self._averaged(super().train_step_single(*args, **kwargs))

    def validation_step(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """A loss on which all processes agree to the last bit, so that they stop at the same epoch."""
        return self._averaged(super().validation_step(*args, **kwargs))

    def _averaged(self, step: dict[str, Any]) -> dict[str, Any]:
        return step | {"loss": self.accelerator.reduce(step["loss"].detach(), "mean")}


class InterruptedTraining(BaseException):
    """An interrupt within an epoch, which skorch does not know."""


@contextlib.contextmanager
def interrupts_raised() -> Iterator[None]:
    """Turn an interrupt into an error that skorch lets pass."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise InterruptedTraining from interrupt


class _Batches(torch.utils.data.Sampler[int]):
    """Rows of the batches of an epoch: random orders of all series, one behind the other."""

    def __init__(self, n_series: int, settings: StepSettings) -> None:
        self.n_series, self.settings, self.epoch = n_series, settings, 0

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.settings.seed + self.epoch)
        orders = -(-len(self) // self.n_series)
        rows = [torch.randperm(self.n_series, generator=generator) for _ in range(orders)]
        yield from torch.cat(rows)[: len(self)].tolist()

    def __len__(self) -> int:
        n_steps = min(STEPS_PER_EPOCH, self.settings.n_steps - self.epoch * STEPS_PER_EPOCH)
        return n_steps * self.settings.batch_size


class _Steps(Callback):  # type: ignore[misc]  # skorch has no types
    """Seeds, learning rates, clipping, averaging and progress. All go by the history, so that a training can go on."""

    bar: Any

    def __init__(
        self, objective: Objective, dropping: torch.Generator, sampler: _Batches, settings: StepSettings
    ) -> None:
        self.objective, self.dropping = objective, dropping
        self.sampler, self.settings, self.bar = sampler, settings, None

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        done = sum(len(epoch) for epoch in net.history[:, "batches"]) if net.history else 0
        bar = self.settings.bar if self.objective.together.number == 0 else ""
        total = self.settings.n_steps if self.settings.seconds == math.inf else None
        self.bar = tqdm(total=total, initial=done, desc=bar, unit="step") if bar else None
        self.begun = self.epoch_begun = time.monotonic()

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.settings.epochs.begin()
        self.sampler.epoch = len(net.history) - 1
        self.step = self.sampler.epoch * STEPS_PER_EPOCH
        seed, number = self.settings.seed + self.sampler.epoch, self.objective.together.number
        if self.dropping is not self.objective.generator:
            self.dropping.manual_seed(int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
        self.objective.generator.manual_seed(seed)

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if training:
            n_steps = self.settings.n_steps
            step = max(self.step, min(1.0, self._elapsed() / self.settings.seconds) * n_steps)
            self.objective.progress = step / n_steps
            for group in net.optimizer_.param_groups:
                group["lr"] = self.settings.lr * one_cycle(step, n_steps)

    def on_grad_computed(self, net: Any, named_parameters: Any, training: bool = False, **kwargs: Any) -> None:
        norm = nn.utils.clip_grad_norm_([parameter for _, parameter in named_parameters], 1.0)
        net.history.record_batch("gradient_norm", float(norm))

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if not training:
            return
        self.step += 1
        share = 1 - min(self.settings.averaging, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            weights = zip(self.objective.average.parameters(), self.objective.trained.parameters(), strict=True)
            for average, trained in weights:
                average.lerp_(trained, share)
        if self.bar is not None:
            self.bar.update()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if self.bar is not None:
            self.bar.set_postfix(loss=f"{net.history[-1, 'train_loss']:.3g}")
        now, begun = time.monotonic(), self.epoch_begun
        self.epoch_begun = now
        is_over = self._elapsed() + (now - begun) / 2 >= self.settings.seconds
        if self.objective.together.any(self.settings.epochs.end() or is_over):
            raise KeyboardInterrupt  # how skorch is told to stop

    def _elapsed(self) -> float:
        return time.monotonic() - self.begun

    def close(self) -> None:
        """Leave the progress bar as it is."""
        if self.bar is not None:
            self.bar.close()


def n_epochs(n_steps: int) -> int:
    """Number of epochs of so many steps."""
    return -(-n_steps // STEPS_PER_EPOCH)


def one_cycle(step: float | int, n_steps: int) -> float:
    """Share of the learning rate: it rises over a tenth of the steps and falls as a cosine."""
    return min(1.0, (step + 1) / (WARM_UP * n_steps + 1)) * (1 + math.cos(math.pi * step / n_steps)) / 2


def _together(settings: StepSettings) -> Processes:
    together = processes(settings.device)
    if together.count > 1 and settings.seconds < math.inf:
        raise ValueError(f"seconds must be inf where {together.count} processes train, got {settings.seconds:g}")
    return together


def _rows(inputs: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {name: values[rows] for name, values in inputs.items()}
