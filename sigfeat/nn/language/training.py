"""Training of language models on one long text."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from sigfeat.nn.language.model import HyenaLM
from sigfeat.nn.language.sampling import tokens_of
from sigfeat.nn.language.windows import Windows, checked_settings, text_windows, train_on_windows
from sigfeat.nn.layers import evaluated
from sigfeat.nn.training.loop import Objective


class NextToken(Objective):
    """Mean cross-entropy of each next token, in windows of one text.

    Parameters
    ----------
    model : HyenaLM
        Model to train.
    windows : Windows
        Windows of the text, one token longer than the inputs of the model.
    generator : torch.Generator
        Source of the random shifts of the windows in training.
    """

    def __init__(self, model: HyenaLM, windows: Windows, generator: torch.Generator) -> None:
        super().__init__(model, generator)
        self.windows = windows

    def forward(
        self, series: Tensor, lengths: Int[Tensor, " batch"], target: Tensor | None = None
    ) -> Float[Tensor, ""]:
        """Loss of windows, whose first positions are `series`."""
        starts = self.windows.starts(series, self.generator if self.training else None)
        windows = self.windows(self.sharing().own(starts))
        model = self.trained if self.training else self.average
        return _loss(model(windows[:, :-1]), windows[:, 1:])


def train_language_model(
    model: HyenaLM,
    tokens: Any,
    *,
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
    """Train a language model in place to predict each next token of a text, by AdamW.

    The model gets the running average of its weights, from the epoch with the lowest validation loss.

    Parameters
    ----------
    model : HyenaLM
        The model. After training it is on the same device as before.
    tokens : bytes, str, or integer array or tensor of shape (n_tokens,)
        One long text.
    max_epochs : int or None, default=None
        Number of epochs; an epoch is 20 steps of `batch_size` windows of the length of the model's context, which start
        at random places of the text.
    seconds : float or None, default=None
        Time after which training ends, at the end of the nearest epoch; the learning rate has then decreased to 0. At
        least one of `max_epochs` and `seconds` is required; training ends when the first of them is reached.
    batch_size : int, default=16
        Number of windows per step.
    lr : float, default=3e-3
        Maximum of the learning rate, which rises over a tenth of the training and then falls as a cosine.
    validation_fraction : float, default=0.1
        Fraction of the text, at its end, that is not trained on and is the validation set; 0 for none.
    weight_decay : float, default=0.0
        Decoupled weight decay.
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
        "loss" (nats per token) and "gradient_norm" of each step, "train_loss" of each epoch and, with a validation set,
        "valid_loss" of each epoch: the loss of the averaged weights on some windows of the validation set.

    Raises
    ------
    KeyboardInterrupt
        If the training is interrupted.
    ValueError
        If tokens are invalid, the training or validation part of the text is shorter than a window, an argument is out
        of its range, or the training diverges.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import HyenaLM, LanguageModelConfig, train_language_model
    >>> config = LanguageModelConfig(context=16, d_model=16, n_layers=1, d_ff=32)
    >>> model = HyenaLM(config, generator=torch.Generator().manual_seed(0))
    >>> history = train_language_model(model, "round and round we go, " * 20, max_epochs=2)
    >>> bool(history["valid_loss"][-1] < history["loss"][0])
    True
    """
    text, context = _checked_text(model, tokens), model.config.context
    settings = checked_settings(
        max_epochs=max_epochs,
        seconds=seconds,
        batch_size=batch_size,
        lr=lr,
        weight_decay=weight_decay,
        seed=seed,
        callbacks=callbacks,
        device=device,
        title=f"{model.config.mixer} language model",
        verbose=verbose,
        validation_fraction=validation_fraction,
    )
    windows = text_windows(text, context + 1, context, validation_fraction, batch_size)
    return train_on_windows(model, NextToken(model, windows, torch.Generator()), windows, settings)


@torch.no_grad()
def text_loss(model: HyenaLM, tokens: Any, *, length: int | None = None, batch_size: int = 16) -> float:
    """Mean cross-entropy of each next token of a text, in nats, which is the logarithm of the perplexity.

    The text is cut into windows that overlap in one token, so that each token except the first is predicted once, from
    the tokens before it in its window. Tokens at the end that do not fill a window are ignored, unless the text is
    shorter than a window.

    Parameters
    ----------
    model : HyenaLM
        The model, evaluated in evaluation mode.
    tokens : bytes, str, or integer array or tensor of shape (n_tokens,)
        A text of at least 2 tokens.
    length : int or None, default=None
        Number of tokens in a window; None for the model's context.
    batch_size : int, default=16
        Number of windows that are evaluated together.

    Returns
    -------
    loss : float

    Raises
    ------
    ValueError
        If tokens are invalid, or fewer than 2.

    Examples
    --------
    >>> import math
    >>> import torch
    >>> from sigfeat.nn import PRESETS, HyenaLM, text_loss
    >>> model = HyenaLM(PRESETS["tiny"], generator=torch.Generator().manual_seed(0))
    >>> abs(text_loss(model, b"any text that it has not seen") - math.log(256)) < 0.2
    True
    """
    text = _checked_text(model, tokens)
    if len(text) < 2:
        raise ValueError(f"tokens must be at least 2, got {len(text)}")
    length = min(model.config.context if length is None else length, len(text) - 1)
    windows = text.unfold(0, length + 1, length)
    with evaluated(model):
        parts = [part.to(model.embedding.weight.device) for part in torch.split(windows, batch_size)]
        losses = [_loss(model(part[:, :-1]), part[:, 1:]).double() * len(part) for part in parts]
    return float(sum(losses)) / len(windows)


def _loss(logits: Float[Tensor, "batch length tokens"], targets: Int[Tensor, "batch length"]) -> Float[Tensor, ""]:
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def _checked_text(model: HyenaLM, tokens: Any) -> Int[Tensor, " length"]:
    text = tokens_of(tokens, model.config.n_tokens, name="tokens")[0]
    if len(text) != 1:
        raise ValueError(f"tokens must be one text, of shape (n_tokens,), got {len(text)}")
    model.check_tokens(text, name="tokens", of_any_length=True)
    return text[0].long()
