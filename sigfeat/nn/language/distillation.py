"""Distillation of language models: a student learns the tokens and the distributions of its teacher."""

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from sigfeat.nn.fidelity import fidelity, layer_tokens
from sigfeat.nn.language.model import HyenaLM
from sigfeat.nn.language.windows import (
    Windows,
    checked_settings,
    checked_tokens,
    sequence_windows,
    text_windows,
    train_on_windows,
)
from sigfeat.nn.layers import evaluated
from sigfeat.nn.training.distillation import Distillation, DistillationWeights

NATS = math.log(2)  # of a bit


class LanguageDistillation(Distillation):
    """Distance between the tokens, and the distributions of the next token, of a student and its teacher.

    The terms of `Distillation`, for tokens after the last norm that are pooled by their mean, and the Kullback-Leibler
    divergence. If student and teacher differ in width, only the latter is left. In evaluation the loss is the
    divergence alone, of the averaged weights and without its weight.

    Parameters
    ----------
    student : HyenaLM
        The model that is trained.
    teacher : HyenaLM
        The model that it learns from; not changed, except that it requires no gradients.
    windows : Windows
        The inputs.
    weights : DistillationWeights
        Weights of the terms.
    """

    def __init__(self, student: HyenaLM, teacher: HyenaLM, windows: Windows, weights: DistillationWeights) -> None:
        super().__init__(student, teacher, "mean", torch.Generator(), weights)
        self.windows = windows

    def forward(
        self, series: Tensor, lengths: Int[Tensor, " batch"], target: Tensor | None = None
    ) -> Float[Tensor, ""]:
        """Return the loss of windows, whose first positions are `series`."""
        own = self.sharing().own
        inputs = self.windows(own(self.windows.starts(series, self.generator if self.training else None)))
        if self.training:
            return self._distance(inputs, own(lengths), None, len(series) > 1)
        return _divergence(self.average(inputs), self.teacher(inputs))

    def _finish(self, network: Any, x: Tensor) -> Tensor:
        tokens: Tensor = network.norm(x)
        return tokens

    def _output_distance(self, found: Tensor, goal: Tensor) -> Tensor:
        if not self.weights.logits:
            return goal.new_zeros(())
        student, teacher = self.trained, self.teacher
        assert isinstance(student, HyenaLM)
        assert isinstance(teacher, HyenaLM)
        return self.weights.logits * _divergence(student.head(found), teacher.head(goal))


def distil_language_model(
    student: HyenaLM,
    teacher: HyenaLM,
    tokens: Any,
    *,
    weights: DistillationWeights = DistillationWeights(),  # noqa: B008  # frozen
    max_epochs: int | None = None,
    seconds: float | int | None = None,
    batch_size: int = 16,
    lr: float | int = 3e-3,
    validation_fraction: float | int = 0.1,
    weight_decay: float | int = 0.0,
    seed: int = 0,
    callbacks: Sequence[Any] = (),
    device: torch.device | str = "cpu",
    verbose: bool | None = None,
) -> dict[str, NDArray[Any]]:
    """Train a language model in place to reproduce a teacher.

    The student first learns the outputs of the mixers of the teacher, and then its tokens after the last norm and its
    distributions of the next token, as `DistillationWeights` describes. The optimizer is AdamW with orthogonal steps
    for the matrices inside the blocks. The student gets the running average
    of its weights, from the epoch with the lowest validation loss. It starts from the weights that it has: with
    `copy_weights`, from those of the teacher.

    Parameters
    ----------
    student : HyenaLM
        The model that is trained, with any mixer. After training it is on the same device as before.
    teacher : HyenaLM
        The model that it learns from, with any mixer and as many tokens; not changed.
    tokens : bytes, str, or integer array or tensor of shape (n_tokens,) or (n_sequences, length)
        One long text, from which windows of the length of the smaller context are drawn at random, or separate
        sequences, which are not cut.
    weights : DistillationWeights, default=DistillationWeights()
        Weights of the terms of the loss. There is no first part of the training for the mixers if student and teacher
        differ in width, depth, or `d_ff`; if they differ in width, only the term of the logits is left.
    max_epochs : int or None, default=None
        Number of epochs; an epoch is 20 steps of `batch_size` windows or sequences.
    seconds : float or None, default=None
        Time after which training ends, at the end of the nearest epoch; the learning rate has then decreased to 0. At
        least one of `max_epochs` and `seconds` is required; training ends when the first of them is reached.
    batch_size : int, default=16
        Number of windows or sequences per step.
    lr : float, default=3e-3
        Maximum of the learning rate, which rises over a tenth of the training and then falls as a cosine.
    validation_fraction : float, default=0.1
        Fraction of the text at its end, or of the sequences, the last ones, that is not trained on and is the
        validation set; 0 for none.
    weight_decay : float, default=0.0
        Decoupled weight decay of all weights except the matrices inside the blocks.
    seed : int, default=0
        Seed of the windows and of dropout.
    callbacks : sequence of skorch.callbacks.Callback, default=()
        Further callbacks.
    device : torch.device or str, default="cpu"
        Device of the training; "accelerate" for the device of this process, which may share each batch with other
        processes.
    verbose : bool or None, default=None
        Whether to show a progress bar on standard error. None for one if standard error is a terminal and the training
        takes more than about ten seconds.

    Returns
    -------
    history : dict of ndarray
        "loss" and "gradient_norm" of each step, "train_loss" of each epoch and, with a validation set, "valid_loss" of
        each epoch: the Kullback-Leibler divergence, in nats per token, of the averaged weights from the teacher on some
        windows of the validation set.

    Raises
    ------
    KeyboardInterrupt
        If the training is interrupted.
    ValueError
        If student and teacher differ in `n_tokens`, no term of the loss is left, tokens are invalid or too few, an
        argument is out of its range, or the training diverges.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import HyenaLM, LanguageModelConfig, distil_language_model
    >>> shape = {"context": 16, "d_model": 16, "n_layers": 1, "d_ff": 32}
    >>> generator = torch.Generator().manual_seed(0)
    >>> teacher = HyenaLM(LanguageModelConfig(mixer="attention", **shape), generator=generator)
    >>> student = HyenaLM(LanguageModelConfig(mixer="hyena", **shape), generator=generator)
    >>> history = distil_language_model(student, teacher, "round and round we go, " * 20, max_epochs=2)
    >>> bool(history["valid_loss"][-1] < history["valid_loss"][0])
    True
    """
    _check_pair(student, teacher)
    terms = (weights.tokens, weights.pooled, weights.logits)
    if not any(terms[2 * (student.config.d_model != teacher.config.d_model) :]):
        raise ValueError("weights must have a term that applies to student and teacher, got none")
    found = checked_tokens(tokens, student, teacher)
    settings = checked_settings(
        max_epochs=max_epochs,
        seconds=seconds,
        batch_size=batch_size,
        lr=lr,
        weight_decay=weight_decay,
        seed=seed,
        callbacks=callbacks,
        device=device,
        title=f"{student.config.mixer} language model",
        verbose=verbose,
        validation_fraction=validation_fraction,
    )
    if found.ndim == 1:
        context = min(student.config.context, teacher.config.context)
        windows = text_windows(found, context, context, validation_fraction, batch_size)
    else:
        windows = sequence_windows(found, validation_fraction, batch_size)
    example = copy.deepcopy(teacher).to(student.embedding.weight)
    return train_on_windows(student, LanguageDistillation(student, example, windows, weights), windows, settings)


def language_fidelity(
    student: HyenaLM, teacher: HyenaLM, tokens: Any, *, pooling: str = "mean", batch_size: int = 16
) -> dict[str, float]:
    """Figures of how close the tokens and the distributions of a student are to those of its teacher.

    A text is cut into windows of the length of the smaller context, as for `text_loss`. Both models are evaluated in
    evaluation mode.

    Parameters
    ----------
    student, teacher : HyenaLM
        The models, with as many tokens.
    tokens : bytes, str, or integer array or tensor of shape (n_tokens,) or (n_sequences, length)
        One text of at least 2 tokens, or separate sequences.
    pooling : {"mean", "max", "min", "end"}, default="mean"
        How the tokens of a window are pooled.
    batch_size : int, default=16
        Number of windows or sequences that are evaluated together.

    Returns
    -------
    figures : dict of float
        "pooled_r2", "token_r2", "cka" and "cosine": those of `fidelity`, for tokens after the last norm; NaN if student
        and teacher differ in width. "kl": mean Kullback-Leibler divergence, in bits per token, of the distribution of
        the next token from that of the teacher. "agreement": fraction of the positions where both models have the same
        most likely next token. Only for a text, "bits" and "teacher_bits": mean cross-entropy of each next token of
        student and teacher, in bits.

    Raises
    ------
    ValueError
        If student and teacher differ in `n_tokens`, or tokens are invalid or too few.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import HyenaLM, LanguageModelConfig, language_fidelity
    >>> config = LanguageModelConfig(context=16, d_model=16, n_layers=1, d_ff=32)
    >>> model = HyenaLM(config, generator=torch.Generator().manual_seed(0))
    >>> figures = language_fidelity(model, model, "round and round we go, " * 20)
    >>> {name: round(figures[name], 3) for name in ("pooled_r2", "token_r2", "cosine", "kl", "agreement")}
    {'pooled_r2': 1.0, 'token_r2': 1.0, 'cosine': 1.0, 'kl': 0.0, 'agreement': 1.0}
    """
    _check_pair(student, teacher)
    found = checked_tokens(tokens, student, teacher)
    is_text = found.ndim == 1
    if found.shape[-1] < 1 + is_text or not len(found):
        raise ValueError(f"tokens must be at least {1 + is_text}, got shape {tuple(found.shape)}")
    if is_text:
        length = min(student.config.context, teacher.config.context, len(found) - 1)
        found = found.unfold(0, length + 1, length)
    sums = dict.fromkeys(("kl", "agreement", *(("bits", "teacher_bits") if is_text else ())), 0.0)

    def pairs() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for part in torch.split(found, batch_size):
            inputs, targets = (part[:, :-1], part[:, 1:].flatten()) if is_text else (part, None)
            (reached, logits), (goal, wanted) = (_evaluated(model, inputs) for model in (student, teacher))
            goal, wanted = goal.to(reached), wanted.to(logits)
            sums["kl"] += float(_divergence(logits, wanted)) * len(part) / NATS
            sums["agreement"] += float((logits.argmax(-1) == wanted.argmax(-1)).double().mean()) * len(part)
            if targets is not None:
                for name, scores in (("bits", logits), ("teacher_bits", wanted)):
                    nats = nn.functional.cross_entropy(scores.flatten(0, 1), targets.to(scores.device))
                    sums[name] += float(nats) * len(part) / NATS
            yield goal, reached, torch.full((len(part),), goal.shape[1], device=goal.device)

    with evaluated(student, teacher):
        if student.config.d_model == teacher.config.d_model:
            figures = fidelity(pairs(), pooling)
        else:
            figures = dict.fromkeys(("pooled_r2", "token_r2", "cka", "cosine"), np.nan)
            for _ in pairs():
                pass
    return figures | {name: total / len(found) for name, total in sums.items()}


def _evaluated(model: HyenaLM, tokens: Int[Tensor, "batch length"]) -> tuple[Tensor, Tensor]:
    """Tokens after the last norm, and logits."""
    last = model.norm(layer_tokens(model, tokens.to(model.embedding.weight.device))[-1])
    return last, model.head(last)


def _divergence(
    found: Float[Tensor, "batch length tokens"], goal: Float[Tensor, "batch length tokens"]
) -> Float[Tensor, ""]:
    """Mean Kullback-Leibler divergence, in nats per token, of distributions from those that they are to reproduce."""
    logs, goals = found.flatten(0, 1).log_softmax(-1), goal.flatten(0, 1).log_softmax(-1)
    return nn.functional.kl_div(logs, goals, reduction="batchmean", log_target=True)


def _check_pair(student: Any, teacher: Any) -> None:
    """Raise a ValueError unless the models are language models with as many tokens."""
    for name, model in (("student", student), ("teacher", teacher)):
        if not isinstance(model, HyenaLM):
            raise ValueError(f"{name} must be a language model, HyenaLM, got {type(model).__name__}")
    ours, theirs = student.config.n_tokens, teacher.config.n_tokens
    if ours != theirs:
        raise ValueError(f"student must have as many tokens as the teacher, n_tokens={theirs}, got {ours}")
