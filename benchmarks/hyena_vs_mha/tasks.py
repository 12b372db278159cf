"""Tasks that teachers are trained on: series, sequences of tokens, and a text."""

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from benchmarks.data import load
from sigfeat.datasets import (
    TokenTask,
    load_python_help,
    make_associative_recall,
    make_induction,
    make_memory,
    make_pointer,
    make_selective_copying,
)

ACCURACY, BITS = "accuracy", "bits"  # units of scores; bits per byte, of which fewer are better
NEXT_TOKEN = "next token"  # objective of all teachers on tokens
LEAST_GAP = {ACCURACY: 0.10, BITS: 0.10}  # smallest mixing gap from which orders are compared
EASY_EPOCHS, STUDENT_EPOCHS = 15, 15  # as the transformers' defaults
TOKEN_EPOCHS = 12  # of students on tokens
USUAL_FILTER = 9  # points that are embedded together, as by default
TRAINING, TEST, VALIDATION, DISTILLATION = range(4)  # kinds of draws


class Data(NamedTuple):
    """Inputs and targets of both parts, and a checksum of them all.

    Series and classes; or sequences of tokens and the tokens to predict; or bytes of a text, without targets.
    """

    train: Any
    y: Any
    test: Any
    y_test: Any
    checksum: str


@dataclass(frozen=True)
class SeriesTask:
    """Classes of series.

    Parameters
    ----------
    draw : callable
        From a folder of data sets to series and classes of the training part, then of the test part.
    max_epochs : int
        Of the training of teachers, of 20 steps.
    batch_size : int, default=16
        Series of a step.
    embedding_filter : int, default=1
        Neighbouring points that teachers embed together. With 1, only the mixers mix over time.
    student_epochs : int, default=15
        Of the training of students.
    unit : {"accuracy", "bits"}, default="accuracy"
        Of scores.
    """

    draw: Callable[[Path | None], tuple[Any, Any, Any, Any]]
    max_epochs: int = EASY_EPOCHS
    batch_size: int = 16
    embedding_filter: int = 1
    student_epochs: int = STUDENT_EPOCHS
    unit: str = ACCURACY

    def data(self, folder: Path | None) -> Data:
        """Both parts."""
        parts = self.draw(folder)
        return Data(*parts, checksum=_checksum(parts, self.embedding_filter))


@dataclass(frozen=True)
class TokensTask:
    """Questions about earlier tokens of a sequence.

    Parameters
    ----------
    make : callable
        From `sigfeat.datasets`.
    parameters, in_training : dict
        Of `make`, and those that differ in training.
    max_epochs : int
        Of the training of teachers, of 20 steps.
    length : int, default=128
        Tokens of a sequence.
    batch_size, student_batch_size : int, default=16
        Sequences of a step of teachers and of students.
    lr : float, default=0.005
        Learning rate of teachers.
    student_epochs : int, default=12
        Of the training of students.
    unit : {"accuracy", "bits"}, default="accuracy"
        Of scores.
    n_test : int, default=512
        Test sequences.
    """

    make: Callable[..., TokenTask]
    parameters: Mapping[str, Any]
    max_epochs: int
    in_training: Mapping[str, Any] = field(default_factory=dict)
    length: int = 128
    batch_size: int = 16
    student_batch_size: int = 16
    lr: float = 0.005
    student_epochs: int = TOKEN_EPOCHS
    unit: str = ACCURACY
    n_test: int = 512

    def draw(self, n_samples: int, seed: Any, training: bool = False, length: int | None = None) -> TokenTask:
        """Sequences, to train on or to be judged by."""
        parameters = {**self.parameters, **(self.in_training if training else {})}
        source = seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)
        return self.make(n_samples=n_samples, length=length or self.length, **parameters, random_state=source)

    def data(self, folder: Path | None) -> Data:
        """Test sequences; those of training are drawn anew at each step."""
        test = self.draw(self.n_test, [0, TEST])
        return Data(None, None, test.tokens, test.targets, _checksum((test.tokens, test.targets)))


@dataclass(frozen=True)
class TextTask:
    """The next byte of a text, of which the last tenth is the test part; see `TokensTask` for the parameters."""

    max_epochs: int
    length: int = 256
    batch_size: int = 8
    student_batch_size: int = 8
    lr: float = 0.01
    student_epochs: int = 15
    unit: str = BITS

    def data(self, folder: Path | None) -> Data:
        """Both parts."""
        text = np.frombuffer(load_python_help(), np.uint8).astype(np.int64)
        start = 9 * len(text) // 10
        return Data(text[:start], None, text[start:], None, _checksum((text,)))


Task = SeriesTask | TokensTask | TextTask


def _pointer(length: int, n_train: int, n_jumps: int = 1) -> Callable[[Path | None], tuple[Any, Any, Any, Any]]:
    def draw(folder):
        X, y = make_pointer(n_samples=n_train + 400, length=length, n_jumps=n_jumps, random_state=0)
        return X[:n_train], y[:n_train], X[n_train:], y[n_train:]

    return draw


# Epochs are those after which the validation accuracy of attention no longer increases.
SYNTHETIC: Mapping[str, Task] = MappingProxyType(
    {
        "pointer": SeriesTask(_pointer(100, 1000), max_epochs=50, embedding_filter=9, student_epochs=30),
        "pointer-500": SeriesTask(_pointer(500, 1000), max_epochs=50, embedding_filter=33),
        "recall": TokensTask(
            make_associative_recall,
            {"n_keys": 10, "n_values": 10},
            max_epochs=25,
            in_training={"dense": True},
            student_epochs=100,
        ),
        "induction": TokensTask(make_induction, {"n_values": 16}, max_epochs=65, batch_size=32, student_epochs=100),
        "copying": TokensTask(make_selective_copying, {"n_copied": 4, "n_values": 8}, max_epochs=125),
        "memory": TokensTask(make_memory, {"n_values": 8, "n_distractors": 8}, max_epochs=15),
        "text": TextTask(max_epochs=40, student_epochs=60),
    }
)
LONG_SERIES = 400  # steps from which on batches are smaller
EPOCHS = {"Handwriting": 40, "UWaveGestureLibrary": 30}  # of data sets whose teachers need more


def task_of(name: str) -> Task:
    """A synthetic task, or a data set of the archive."""
    if name in SYNTHETIC:
        return SYNTHETIC[name]

    def draw(folder):
        return *load(name, "TRAIN", folder), *load(name, "TEST", folder)

    return SeriesTask(draw, max_epochs=EPOCHS.get(name, EASY_EPOCHS))


@functools.lru_cache(maxsize=3)
def data_of(name: str, folder: Path | None) -> Data:
    """Both parts of a task, which are kept for the next call."""
    return task_of(name).data(folder)


def _checksum(parts, embedding_filter=USUAL_FILTER):
    total = hashlib.sha256()
    for part in parts:
        total.update(repr(part.shape).encode() + np.ascontiguousarray(part.astype(part.dtype.str)).tobytes())
    if embedding_filter != USUAL_FILTER:
        total.update(str(embedding_filter).encode())
    return total.hexdigest()[:12]
