"""Conversion of prompts to tokens, and sampling of the next token from its logits."""

import math
import numbers
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sigfeat._messages import plain


def check_sampling(temperature: Any, top_k: Any, top_p: Any) -> None:
    """Raise if an argument of `next_tokens` is out of its range.

    Raises
    ------
    ValueError
        If the temperature is negative, infinite or nan, `top_k` is not an integer from 1 up, or `top_p` is outside
        (0, 1].
    """
    if not (isinstance(temperature, numbers.Real) and 0 <= float(temperature) < math.inf):
        raise ValueError(f"temperature must be a finite number from 0 up, got {plain(temperature)!r}")
    if top_k is not None and not (isinstance(top_k, numbers.Integral) and int(top_k) >= 1):
        raise ValueError(f"top_k must be a whole number from 1 up, or None, got {plain(top_k)!r}")
    if top_p is not None and not (isinstance(top_p, numbers.Real) and 0 < float(top_p) <= 1):
        raise ValueError(f"top_p must be in (0, 1], or None, got {plain(top_p)!r}")


def next_tokens(
    logits: Float[Tensor, "batch tokens"],
    temperature: float | int,
    top_k: int | None,
    top_p: float | int | None,
    generator: torch.Generator,
) -> Int[Tensor, " batch"]:
    """Tokens drawn with probability softmax(logits / temperature), optionally from the most likely ones only.

    Parameters
    ----------
    logits : tensor of shape (batch, n_tokens)
        Logits of the next token.
    temperature : float
        0 for the most likely token, the first one if there are several.
    top_k : int or None
        Number of most likely tokens from which one is drawn; None for all.
    top_p : float or None
        Probability in (0, 1]: one of the smallest set of most likely tokens, among the `top_k`, that together have this
        probability is drawn. None for no such limit.
    generator : torch.Generator
        Source of the draws, on the device of the logits.

    Returns
    -------
    tokens : int64 tensor of shape (batch,)

    References
    ----------
    .. [1] Holtzman et al., "The curious case of neural text degeneration", 2020, arXiv:1904.09751, section 3.1, on
       `top_p`.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.language.sampling import next_tokens
    >>> logits = torch.tensor([[0.0, 2.0, 1.0]])
    >>> next_tokens(logits, 0.0, None, None, torch.Generator())
    tensor([1])
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    # the maximum is subtracted first, so that a tiny temperature does not lead to differences of infinities
    likely, order = ((logits - logits.amax(dim=-1, keepdim=True)).double() / temperature).sort(
        dim=-1, descending=True, stable=True
    )
    probabilities = likely[:, :top_k].softmax(dim=-1)
    if top_p is not None:
        before = probabilities.cumsum(dim=-1) - probabilities
        probabilities = probabilities.masked_fill(before >= top_p, 0.0)
    drawn = torch.multinomial(probabilities, 1, generator=generator)
    return order.gather(-1, drawn)[:, 0]


def tokens_of(prompt: Any, n_tokens: int, name: str = "prompt") -> tuple[Tensor, Any]:
    """Tokens (batch, length) of a prompt, and a function that converts tokens to the type of the prompt."""
    if isinstance(prompt, str | bytes):
        if n_tokens > 256:
            raise ValueError(f"{name} must be an array of integers where n_tokens is over 256, got {n_tokens} tokens")
        data = prompt.encode() if isinstance(prompt, str) else prompt
        tokens = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)

        def as_bytes(found: Tensor) -> str | bytes:
            joined = bytes(found[0].tolist())
            return joined.decode(errors="replace") if isinstance(prompt, str) else joined

        return tokens[None], as_bytes
    tokens = prompt if isinstance(prompt, Tensor) else torch.from_numpy(_integers(prompt, name))
    if tokens.ndim not in (1, 2):
        raise ValueError(f"{name} must be of shape (length,) or (batch, length), got {tuple(tokens.shape)}")

    def as_array(found: Tensor) -> Any:
        found = found.reshape(*prompt_shape, -1)
        if isinstance(prompt, Tensor):  # a narrow dtype of the prompt may not hold all tokens
            return found.to(prompt.device, prompt.dtype if torch.iinfo(prompt.dtype).max >= n_tokens - 1 else None)
        dtype = np.asarray(prompt).dtype
        return found.cpu().numpy().astype(dtype if np.iinfo(dtype).max >= n_tokens - 1 else np.int64)

    prompt_shape = tokens.shape[:-1]
    return tokens if tokens.ndim == 2 else tokens[None], as_array


def _integers(prompt: Any, name: str) -> Any:
    array = np.asarray(prompt)
    if array.dtype.kind not in "iu" and array.size:
        raise ValueError(f"{name} must be bytes, str, or integers, got {array.dtype}")
    return array.astype(np.int64)
