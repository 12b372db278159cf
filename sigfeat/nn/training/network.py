"""Nets of skorch for modules that return their own loss, in one process or in several."""

import contextlib
from collections.abc import Iterator
from typing import Any

from skorch import NeuralNet
from skorch.hf import AccelerateMixin
from torch import Tensor


class InterruptedTraining(BaseException):
    """An interrupt within an epoch, of a class that skorch does not catch."""


class Network(NeuralNet):  # type: ignore[misc]  # skorch has no types
    """A net of an objective, whose output is the loss.

    Training that is loaded from a checkpoint continues where it stopped. An interrupt raises an error: skorch would
    take it for a wish to end early.
    """

    def get_loss(self, y_pred: Tensor, *_: Any, **__: Any) -> Tensor:
        """Return the output of the module."""
        return y_pred

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **kwargs: Any) -> Any:
        """Run the remaining epochs."""
        left = max(0, self.max_epochs - len(self.history)) if epochs is None else epochs
        return super().fit_loop(X, y, epochs=left, **kwargs)

    def run_single_epoch(self, *args: Any, **kwargs: Any) -> None:
        """Run an epoch, and raise interrupts."""
        with _interrupts_raised():
            super().run_single_epoch(*args, **kwargs)


class SharedNetwork(AccelerateMixin, Network):  # type: ignore[misc]  # skorch has no types
    """A net that several processes train, each on its own rows of every batch.

    accelerate averages the gradients. Its data loaders are not used: the objective selects the rows.
    """

    _criteria: list[str]

    def _initialize_accelerator(self) -> Any:
        """Prepare the module but not the criterion, which has no weights; accelerate refuses such a module on CPUs."""
        criteria, self._criteria = self._criteria, []
        try:
            return super()._initialize_accelerator()
        finally:
            self._criteria = criteria

    def get_iterator(self, *args: Any, **kwargs: Any) -> Any:
        """Return whole batches."""
        return super(AccelerateMixin, self).get_iterator(*args, **kwargs)

    def train_step_single(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run a step, and return the loss of the whole batch."""
        return self._averaged(super().train_step_single(*args, **kwargs))

    def validation_step(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return a loss that is bit-identical in all processes, so that they stop after the same epoch."""
        return self._averaged(super().validation_step(*args, **kwargs))

    def _averaged(self, step: dict[str, Any]) -> dict[str, Any]:
        return step | {"loss": self.accelerator.reduce(step["loss"].detach(), "mean")}


@contextlib.contextmanager
def _interrupts_raised() -> Iterator[None]:
    """Turn an interrupt into an error that skorch does not catch."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise InterruptedTraining from interrupt
