"""The training loop: modules that return their own loss, trained by AdamW with skorch."""

import copy
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from torch import Tensor, nn

from sigfeat.nn.layers import Dropout
from sigfeat.nn.training.network import InterruptedTraining, Network, SharedNetwork
from sigfeat.nn.training.optimizer import Muon
from sigfeat.nn.training.processes import ACCELERATE, Processes, accelerator, processes, same_weights
from sigfeat.nn.training.progress import Progress
from sigfeat.nn.training.settings import TrainingSettings

WARM_UP = 0.1  # fraction of the steps in which the learning rate rises


class Objective(nn.Module):
    """A module whose `forward` returns a loss.

    Where several processes train together, each receives whole batches, draws all random numbers for them, and selects
    its own rows. The mean of their losses is the loss of the batch, so its gradient is that of a single process.

    Parameters
    ----------
    trained : torch.nn.Module
        The module that is trained.
    generator : torch.Generator
        Source of all random numbers; replaced and seeded by `train`.

    Attributes
    ----------
    average : torch.nn.Module
        Running average of the weights of `trained`; `trained` itself if ``is_averaged`` is False.
    """

    is_averaged = True
    progress = 0.0  # fraction of the training that is done
    together = Processes()  # set by `train`

    def __init__(self, trained: nn.Module, generator: torch.Generator) -> None:
        super().__init__()
        self.trained, self.generator = trained, generator
        self.average = copy.deepcopy(trained).requires_grad_(False) if self.is_averaged else trained

    def forward(self, series: Tensor, lengths: Tensor, target: Tensor | None = None) -> Tensor:
        """Return the loss of a batch of series (batch, length, channels)."""
        raise NotImplementedError

    def parameter_groups(self, weight_decay: float | int) -> list[tuple[str, dict[str, float | int]]]:
        """Patterns of names of parameters, each with its "weight_decay" and a "rate": a factor of the learning rate.

        With ``"orthogonal": True`` these are matrices for `Muon`.
        """
        return [("*", {"rate": 1.0, "weight_decay": weight_decay})]

    def sharing(self) -> Processes:
        """Return the processes that share a batch: all of them in training, and this one alone in evaluation."""
        return self.together if self.training else Processes()


def train(
    objective: Objective,
    inputs: Mapping[str, NDArray[Any]],
    validation: NDArray[Any],
    settings: TrainingSettings,
) -> dict[str, NDArray[Any]]:
    """Train an objective in place; its `average` then holds the trained weights.

    Parameters
    ----------
    objective : Objective
        The module to train, and its loss.
    inputs : dict of ndarray
        Arguments of the objective, each with a row per series.
    validation : integer ndarray
        Rows of the validation set, which only serves for early stopping.
    settings : TrainingSettings
        How to train.

    Returns
    -------
    history : dict of ndarray
        "train_loss" and, if there is a validation set, "valid_loss" of each epoch; "loss" and "gradient_norm" (before
        clipping) of each step.

    Raises
    ------
    KeyboardInterrupt
        If the training is interrupted.
    ValueError
        If the training diverges, or if several processes are to stop after a time, on which they would not agree.
    """
    together = _together(settings)
    training = np.setdiff1d(np.arange(len(inputs["lengths"])), validation)
    sampler = _Batches(len(training), settings)
    objective.together, objective.generator = together, torch.Generator(together.device)
    # dropout is drawn for own rows only, so each process needs random numbers of its own
    dropping = objective.generator if together.count == 1 else torch.Generator(together.device)
    steps = _Steps(objective, dropping, sampler, settings)
    callbacks: list[Any] = [*settings.callbacks, ("steps", steps)]
    if len(validation):  # after the steps, since it may end the epoch for the callbacks after it
        callbacks.append(EarlyStopping(patience=settings.patience, load_best=True))
    callbacks.append(("stop", _Stop(steps)))  # last, so that the last epoch too may be the best one
    kind, more = Network, {}
    if settings.device == ACCELERATE:
        kind, more = SharedNetwork, {"accelerator": accelerator(), "unwrap_after_train": False}
    net = kind(
        objective,
        nn.Identity,
        optimizer=Muon,
        lr=settings.lr,
        optimizer__param_groups=objective.parameter_groups(settings.weight_decay),
        optimizer__fused=all(weight.is_floating_point() for weight in objective.parameters()),
        max_epochs=settings.max_epochs,
        batch_size=settings.batch_size,
        iterator_train__sampler=sampler,
        iterator_train__generator=torch.Generator(),
        iterator_valid__generator=torch.Generator(),
        train_split=predefined_split(Dataset(_rows(inputs, validation), None)) if len(validation) else None,
        callbacks=callbacks,
        device=together.device,
        callbacks__print_log__sink=print,  # accelerate's would print whatever verbose says
        verbose=0,
        **more,
    )
    _set_dropout_generator(objective, dropping)
    try:
        net.fit(_rows(inputs, training), None)
    except InterruptedTraining as interrupted:
        raise KeyboardInterrupt from interrupted
    finally:
        steps.close()
        _set_dropout_generator(objective, None)
    same_weights(objective.average, together)
    if not all(bool(torch.isfinite(value).all()) for value in objective.average.state_dict().values()):
        raise ValueError(diverged(settings))
    return _history(net, bool(len(validation)))


def diverged(settings: TrainingSettings) -> str:
    """Message for a training whose weights are not finite any more."""
    return f"training diverged: lower lr, now {settings.lr:g}"


def one_cycle(step: float | int, n_steps: int) -> float:
    """Factor of the learning rate: it rises over a tenth of the steps and then falls as a cosine."""
    return min(1.0, (step + 1) / (WARM_UP * n_steps + 1)) * (1 + math.cos(math.pi * step / n_steps)) / 2


class _Batches(torch.utils.data.Sampler[int]):
    """Rows of the batches of an epoch: a pass over the series, or one random order of all series after the other."""

    def __init__(self, n_series: int, settings: TrainingSettings) -> None:
        self.n_series, self.settings, self.epoch = n_series, settings, 0
        self.n_rows = settings.n_rows(n_series)

    @property
    def n_steps(self) -> int:
        """Number of steps of an epoch."""
        return -(-self.n_rows // self.settings.batch_size)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.settings.seed + self.epoch)
        orders = -(-self.n_rows // self.n_series)
        rows = [torch.randperm(self.n_series, generator=generator) for _ in range(orders)]
        yield from torch.cat(rows)[: self.n_rows].tolist()

    def __len__(self) -> int:
        return self.n_rows


class _Steps(Callback):  # type: ignore[misc]  # skorch has no types
    """Seeds, learning rates, clipping, averaging and progress, all by the history, so that a training can continue."""

    bar: Progress | None = None
    is_last = False  # whether training stops after this epoch

    def __init__(
        self, objective: Objective, dropping: torch.Generator, sampler: _Batches, settings: TrainingSettings
    ) -> None:
        self.objective, self.dropping = objective, dropping
        self.sampler, self.settings = sampler, settings
        self.n_steps = settings.max_epochs * sampler.n_steps

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        done = sum(len(epoch) for epoch in net.history[:, "batches"]) if net.history else 0
        settings, is_first = self.settings, self.objective.together.number == 0
        total = self.n_steps if settings.seconds == math.inf else None
        self.bar = Progress(settings.title if is_first else "", settings.verbose, total, done, settings.seconds)
        self.begun = self.epoch_begun = time.monotonic()

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.settings.epochs.begin()
        self.sampler.epoch = len(net.history) - 1
        self.step = self.sampler.epoch * self.sampler.n_steps
        seed, number = self.settings.seed + self.sampler.epoch, self.objective.together.number
        if self.dropping is not self.objective.generator:
            self.dropping.manual_seed(int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
        self.objective.generator.manual_seed(seed)

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if training:
            step = max(self.step, min(1.0, self._elapsed() / self.settings.seconds) * self.n_steps)
            self.objective.progress = step / self.n_steps
            for group in net.optimizer_.param_groups:
                group["lr"] = self.settings.lr * one_cycle(step, self.n_steps) * group["rate"]

    def on_grad_computed(self, net: Any, named_parameters: Any, training: bool = False, **kwargs: Any) -> None:
        norm = nn.utils.clip_grad_norm_([parameter for _, parameter in named_parameters], 1.0)
        net.history.record_batch("gradient_norm", float(norm))

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if not training:
            return
        self.step += 1
        if self.objective.is_averaged:
            weight = 1 - min(self.settings.averaging, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                both = self.objective.average, self.objective.trained
                averages, trained = (list[Tensor](part.parameters()) for part in both)
                torch._foreach_lerp_(averages, trained, weight)
        if self.bar is not None:
            self.bar.step()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if self.bar is not None:
            self.bar.epoch(net.history[-1, "train_loss"])
        now, begun = time.monotonic(), self.epoch_begun
        self.epoch_begun = now
        is_over = self._elapsed() + (now - begun) / 2 >= self.settings.seconds
        self.is_last = self.objective.together.any(self.settings.epochs.end() or is_over)

    def _elapsed(self) -> float:
        return time.monotonic() - self.begun

    def close(self) -> None:
        """Close the progress bar."""
        if self.bar is not None:
            self.bar.close()


class _Stop(Callback):  # type: ignore[misc]  # skorch has no types
    """The end of a training whose time is over, or that the callbacks of scikit-learn stop."""

    def __init__(self, steps: _Steps) -> None:
        self.steps = steps

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if self.steps.is_last:
            raise KeyboardInterrupt  # which makes skorch stop


def _history(net: Network, is_validated: bool) -> dict[str, NDArray[Any]]:
    """Losses of the epochs, and losses and gradient norms of the steps."""
    history = {name: np.array(net.history[:, name]) for name in ("train_loss", "valid_loss")[: 1 + is_validated]}
    batches = [batch for epoch in net.history[:, "batches"] for batch in epoch]
    for name, key in {"loss": "train_loss", "gradient_norm": "gradient_norm"}.items():
        history[name] = np.array([batch[key] for batch in batches if key in batch])
    return history


def _set_dropout_generator(module: nn.Module, generator: torch.Generator | None) -> None:
    for part in module.modules():
        if isinstance(part, Dropout):
            part.generator = generator


def _together(settings: TrainingSettings) -> Processes:
    together = processes(settings.device)
    if together.count > 1 and settings.seconds < math.inf:
        raise ValueError(f"seconds must be inf where {together.count} processes train, got {settings.seconds:g}")
    return together


def _rows(inputs: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {name: values[rows] for name, values in inputs.items()}
