"""Windows of a text, or separate sequences of tokens, and the training of a model on them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor, nn

from sigfeat.nn.language.model import HyenaLM
from sigfeat.nn.language.sampling import tokens_of
from sigfeat.nn.training.loop import Objective, train
from sigfeat.nn.training.settings import TrainingSettings

ENDLESS = 1_000_000_000  # number of epochs if only the time is limited
VALIDATION_BATCHES = 4  # number of batches of the validation set that are evaluated after each epoch


class Windows(nn.Module):
    """Windows of equal length: parts of one text, which are shifted at random in training, or separate sequences.

    Parameters
    ----------
    tokens : int64 tensor of shape (n_tokens,)
        The text, or the sequences one after the other.
    length : int
        Number of tokens of a window.
    training, validation : integer ndarray
        Where the windows of the training set and of the validation set start.
    n_shifts : int
        Number of consecutive places where a training window may start; 1 for no shift.
    last : int
        The last place where a training window may start.
    """

    tokens: Tensor

    def __init__(
        self,
        tokens: Int[Tensor, " n_tokens"],
        length: int,
        training: NDArray[Any],
        validation: NDArray[Any],
        n_shifts: int,
        last: int,
    ) -> None:
        super().__init__()
        self.register_buffer("tokens", tokens, persistent=False)
        self.length, self.n_shifts, self.last = length, n_shifts, last
        rows = np.concatenate([training, validation])
        self.inputs = {"series": rows, "lengths": np.full(len(rows), length)}
        self.validation = np.arange(len(training), len(rows))

    def starts(self, rows: Int[Tensor, " batch"], generator: torch.Generator | None) -> Int[Tensor, " batch"]:
        """Where windows start: up to `n_shifts` - 1 tokens later than their rows say, unless the generator is None."""
        if generator is None:
            return rows
        shifts = torch.randint(self.n_shifts, rows.shape, generator=generator, device=rows.device)
        return (rows + shifts).clamp(max=self.last)

    def forward(self, starts: Int[Tensor, " batch"]) -> Int[Tensor, "batch length"]:
        """The tokens of windows."""
        return self.tokens[starts[:, None] + torch.arange(self.length, device=starts.device)]


def text_windows(
    text: Int[Tensor, " n_tokens"], length: int, stride: int, validation_fraction: float | int, batch_size: int
) -> Windows:
    """Windows of a text, whose last part is the validation set.

    Raises
    ------
    ValueError
        If the training part or the validation part is shorter than a window.
    """
    n_training = len(text) - int(validation_fraction * len(text))
    if n_training < length:
        raise ValueError(f"tokens must have at least {length} to train on, got {n_training}")
    if validation_fraction and len(text) - n_training < length:
        raise ValueError(f"tokens must have at least {length} in the validation set, got {len(text) - n_training}")
    starts = np.arange(0, n_training - length + 1, stride)
    validation = _some(np.arange(n_training, len(text) - length + 1, stride), batch_size)
    return Windows(text, length, starts, validation, stride, n_training - length)


def sequence_windows(
    sequences: Int[Tensor, "n_sequences length"], validation_fraction: float | int, batch_size: int
) -> Windows:
    """Whole sequences, the last of which are the validation set.

    Raises
    ------
    ValueError
        If there is no sequence to train on, or none in a validation set.
    """
    n_sequences, length = sequences.shape
    n_training = n_sequences - int(validation_fraction * n_sequences)
    if n_training < 1 or length < 1:
        raise ValueError(f"tokens must be at least 1 sequence of at least 1 token, got shape {tuple(sequences.shape)}")
    if validation_fraction and n_training == n_sequences:
        raise ValueError("tokens must have at least 1 sequence in the validation set, got 0")
    starts = length * np.arange(n_sequences)
    validation = _some(starts[n_training:], batch_size)
    return Windows(sequences.flatten(), length, starts[:n_training], validation, 1, int(starts[n_training - 1]))


def checked_tokens(tokens: Any, *models: HyenaLM) -> Int[Tensor, " n_tokens"] | Int[Tensor, "n_sequences length"]:
    """Tokens of a text, in one dimension, or of separate sequences, in two.

    Raises
    ------
    ValueError
        If the tokens are invalid for one of the models, or sequences are longer than its context.
    """
    found, _ = tokens_of(tokens, models[0].config.n_tokens, name="tokens")
    is_text = isinstance(tokens, str | bytes) or np.ndim(tokens) == 1
    for model in models:
        model.check_tokens(found, name="tokens", of_any_length=is_text)
    return found[0].long() if is_text else found.long()


def checked_settings(
    *,
    max_epochs: int | None,
    seconds: float | int | None,
    batch_size: int,
    lr: float | int,
    weight_decay: float | int,
    seed: int,
    callbacks: Sequence[Any],
    device: torch.device | str,
    title: str,
    verbose: bool | None,
    validation_fraction: float | int,
) -> TrainingSettings:
    """How to train a language model.

    Raises
    ------
    ValueError
        If a setting is out of its range.
    """
    if max_epochs is None and seconds is None:
        raise ValueError("max_epochs or seconds must be given, got neither")
    if max_epochs is not None and max_epochs < 1:
        raise ValueError(f"max_epochs must be at least 1, got {max_epochs}")
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds must be more than 0, got {seconds}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if not 0 <= validation_fraction < 1:
        raise ValueError(f"validation_fraction must be in [0, 1), got {validation_fraction}")
    return TrainingSettings(
        max_epochs=ENDLESS if max_epochs is None else max_epochs,
        lr=lr,
        batch_size=batch_size,
        seed=seed,
        weight_decay=weight_decay,
        patience=ENDLESS,  # the best epoch is kept, and learning rates fall towards the end
        callbacks=callbacks,
        device=device,
        title=title,
        verbose=verbose,
        seconds=math.inf if seconds is None else seconds,
    )


def train_on_windows(
    model: HyenaLM, objective: Objective, windows: Windows, settings: TrainingSettings
) -> dict[str, NDArray[Any]]:
    """Train a model in place by an objective, and return the history; its device and mode stay as they are."""
    was_training, where = model.training, model.embedding.weight.device
    try:
        history = train(objective, windows.inputs, windows.validation, settings)
        with torch.no_grad():
            for weight, average in zip(model.parameters(), objective.average.parameters(), strict=True):
                weight.copy_(average)
    finally:
        model.to(where).train(was_training)
    return history


def _some(starts: NDArray[Any], batch_size: int) -> NDArray[Any]:
    """At most as many windows as are evaluated after an epoch, spread over all of them."""
    kept = np.linspace(0, len(starts) - 1, min(len(starts), VALIDATION_BATCHES * batch_size))
    some: NDArray[Any] = starts[kept.astype(int)]
    return some
