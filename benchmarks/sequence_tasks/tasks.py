"""The tasks, each at several sizes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sigfeat.datasets import (
    TokenTask,
    make_associative_recall,
    make_induction,
    make_memory,
    make_previous_bit,
    make_selective_copying,
)

LENGTH, LAG = "length", "lag"


@dataclass(frozen=True)
class Task:
    """How sequences of a size are made.

    Parameters
    ----------
    make : callable
        From `sigfeat.datasets`.
    size : {"length", "lag"}
        What the size of the task says; sequences are twice as long as a lag.
    parameters : dict
        All else.
    in_training : dict
        What is other when networks are trained.
    budget : int
        Steps of training, in units of those that are asked for.
    """

    make: Callable[..., TokenTask]
    size: str
    parameters: dict[str, Any]
    in_training: dict[str, Any] = field(default_factory=dict)
    budget: int = 1

    def draw(self, n_samples: int, size: int, random_state: Any, training: bool = False) -> TokenTask:
        """Sequences, to train on or to be judged by."""
        length = 2 * size if self.size == LAG else size
        parameters = {self.size: size, "length": length} | self.parameters | (self.in_training if training else {})
        return self.make(n_samples=n_samples, **parameters, random_state=random_state)


TASKS = {
    "memory": Task(make_memory, LENGTH, {"n_values": 8, "n_distractors": 8}),
    "previous bit": Task(make_previous_bit, LAG, {}),
    "associative recall": Task(
        make_associative_recall, LENGTH, {"n_keys": 10, "n_values": 10}, {"dense": True}, budget=6
    ),
    "induction": Task(make_induction, LENGTH, {"n_values": 16}),
    "selective copying": Task(make_selective_copying, LENGTH, {"n_copied": 4, "n_values": 8}),
}
