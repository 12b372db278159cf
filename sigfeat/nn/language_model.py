"""A language model: tokens in, logits of the next token out, with any causal mixer between."""

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sigfeat.nn.encoder import Block, EncoderSpec
from sigfeat.nn.layers import Dropout, sinusoids, unset
from sigfeat.nn.sampling import check_sampling, next_tokens


@dataclass(frozen=True)
class LanguageModelConfig:
    """Everything that decides the shape of a language model.

    Parameters
    ----------
    mixer : {"hyena", "attention", "s4", "recurrent", "pointwise"}, default="hyena"
        What mixes tokens over time; always causal.
    n_tokens : int, default=256
        Number of different tokens. The default is that of bytes, which need no tokenizer.
    context : int, default=1024
        Longest sequence.
    d_model, n_layers, d_ff : int, default=128, 4, 512
        Width of the tokens, number of blocks, hidden width of their feed-forward part.
    dropout : float, default=0.0
        Share of values dropped in training.
    n_heads : int, default=4
        Of attention.
    order, short_filter, filter_width, filter_bands, gate_norm
        Of Hyena; see `sigfeat.nn.Hyena`.
    time_scale : float or None, default=None
        Lag, in tokens, that counts as 1 for Hyena's filters; None for `context`.
    d_state, kind
        Of S4; see `sigfeat.nn.S4`.

    Raises
    ------
    ValueError
        If `n_tokens` or `context` is less than 1.
    """

    mixer: str = "hyena"
    n_tokens: int = 256
    context: int = 1024
    d_model: int = 128
    n_layers: int = 4
    d_ff: int = 512
    dropout: float = 0.0
    n_heads: int = 4
    order: int = 2
    short_filter: int = 3
    filter_width: int = 64
    filter_bands: int = 16
    time_scale: float | None = None
    gate_norm: bool = False
    d_state: int = 64
    kind: str = "diagonal"

    def __post_init__(self) -> None:
        for name in ("n_tokens", "context"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def encoder(self) -> EncoderSpec:
        """What the blocks are made of."""
        return EncoderSpec(
            self.mixer,
            n_channels=self.d_model,
            d_model=self.d_model,
            n_layers=self.n_layers,
            d_ff=self.d_ff,
            d_out=self.d_model,
            causal=True,
            dropout=self.dropout,
            n_heads=self.n_heads,
            order=self.order,
            short_filter=self.short_filter,
            filter_width=self.filter_width,
            filter_bands=self.filter_bands,
            time_scale=float(self.context if self.time_scale is None else self.time_scale),
            gate_norm=self.gate_norm,
            d_state=self.d_state,
            kind=self.kind,
        )


PRESETS = {
    "tiny": LanguageModelConfig(context=256, d_model=64, n_layers=2, d_ff=256),
    "small": LanguageModelConfig(context=1024, d_model=128, n_layers=4, d_ff=512),
    "medium": LanguageModelConfig(context=2048, d_model=256, n_layers=6, d_ff=1024, n_heads=8),
}


class HyenaLM(nn.Module):
    """A causal language model of Hyena, or of any other mixer, with generation.

    Tokens become rows of a matrix E, times sqrt(d_model); blocks and a norm follow; logits are products with the rows
    of E again. At first the norm has the gain 1 / sqrt(d_model), so that the first loss is near log(n_tokens).
    Attention, which sees no order by itself, is given the sinusoids of the positions.

    Parameters
    ----------
    config : LanguageModelConfig
        Its shape; `PRESETS` has some.
    generator : torch.Generator
        Source of the first weights; the global one is not touched.
    dtype : torch.dtype, default=torch.float32
        Of the weights.

    Raises
    ------
    ValueError
        If the config is of no possible model.

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy", 2023, arXiv:2302.10866, section 4.1.
    .. [2] Press, Wolf, "Using the output embedding to improve language models", 2017, arXiv:1608.05859: one E for both.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import PRESETS, HyenaLM
    >>> model = HyenaLM(PRESETS["tiny"], generator=torch.Generator().manual_seed(0))
    >>> model(torch.tensor([[72, 101, 108, 108, 111]])).shape
    torch.Size([1, 5, 256])
    >>> len(model.generate(b"Hello", max_new_tokens=3))
    8
    """

    def __init__(
        self, config: LanguageModelConfig, *, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.config = config
        spec = config.encoder
        self.embedding = unset(nn.Embedding(config.n_tokens, config.d_model, dtype=dtype, device="meta"))
        self.blocks = nn.ModuleList([Block(spec, generator=generator, dtype=dtype) for _ in range(config.n_layers)])
        self.norm = nn.LayerNorm(config.d_model, dtype=dtype)
        self.dropout = Dropout(config.dropout)
        with torch.no_grad():
            self.embedding.weight.normal_(std=config.d_model**-0.5, generator=generator)
            self.norm.weight.fill_(config.d_model**-0.5)

    @property
    def param_count(self) -> int:
        """Number of weights."""
        return sum(weight.numel() for weight in self.parameters())

    def forward(self, tokens: Tensor, *, n_last: int | None = None) -> Float[Tensor, "batch length tokens"]:
        """Logits of each next token, given those up to here.

        Parameters
        ----------
        tokens : integer tensor of shape (batch, length)
            From 0 to n_tokens - 1; no longer than the context.
        n_last : int or None, default=None
            If given, only the logits at so many last tokens are made: those of a long text take much memory.

        Returns
        -------
        logits : tensor of shape (batch, length, n_tokens)
            Or (batch, n_last, n_tokens).

        Raises
        ------
        ValueError
            If the tokens are no integers, of another shape, too many, or outside [0, n_tokens).
        """
        tokens = self._checked(tokens, 0)
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.finish(x if n_last is None else x[:, max(0, x.shape[1] - n_last) :])

    def embed(self, tokens: Tensor, start: int = 0) -> Float[Tensor, "batch length d_model"]:
        """Tokens before the first block; the first of them is at position `start`."""
        x = self.embedding(tokens) * self.config.d_model**0.5
        if self.config.mixer == "attention":
            x = x + sinusoids(start + tokens.shape[1], self.config.d_model, x)[start:]
        embedded: Tensor = self.dropout(x)
        return embedded

    def finish(self, x: Float[Tensor, "batch length d_model"]) -> Float[Tensor, "batch length tokens"]:
        """Logits of tokens after the last block."""
        return nn.functional.linear(self.norm(x), self.embedding.weight)

    @torch.no_grad()
    def generate(
        self,
        prompt: Any,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> Any:
        """The prompt, and tokens that go on from it.

        Parameters
        ----------
        prompt : bytes, str, or integer array or tensor of shape (length,) or (batch, length)
            What comes first, at least one token. A str stands for its UTF-8 bytes.
        max_new_tokens : int
            How many tokens follow.
        temperature : float, default=1.0
            Logits are divided by it; 0 takes the likeliest token each time.
        top_k : int or None, default=None
            If given, draw from so many likeliest tokens.
        top_p : float or None, default=None
            If given, draw from the fewest likeliest tokens that together have this probability, in (0, 1].
        seed : int, default=0
            Of the draws, which have a generator of their own.

        Returns
        -------
        tokens : as the prompt
            The prompt and the new tokens in one. Of a str, bytes that are no UTF-8 are replaced by U+FFFD.

        Raises
        ------
        ValueError
            If the prompt is empty, has wrong tokens, or is with the new tokens longer than the context; or if another
            argument is out of its range.
        """
        tokens, restore = _tokens_of(prompt, self.config.n_tokens)
        check_sampling(temperature, top_k, top_p)
        if not (isinstance(max_new_tokens, numbers.Integral) and int(max_new_tokens) >= 0):
            raise ValueError(f"max_new_tokens must be a whole number from 0 up, got {max_new_tokens!r}")
        length, context = tokens.shape[1], self.config.context
        if length == 0:
            raise ValueError("prompt must have at least 1 token, got none")
        if length + max_new_tokens > context:
            raise ValueError(
                f"prompt and max_new_tokens must be at most the context of {context} tokens together, "
                f"got {length} and {max_new_tokens}"
            )
        device = self.embedding.weight.device
        tokens = self._checked(tokens.to(device), 0, "prompt")
        generator = torch.Generator(device).manual_seed(seed)
        was_training = self.training
        self.eval()
        try:
            for _ in range(max_new_tokens):
                new = next_tokens(self(tokens, n_last=1)[:, 0], temperature, top_k, top_p, generator)
                tokens = torch.cat([tokens, new[:, None]], dim=1)
        finally:
            self.train(was_training)
        return restore(tokens)

    def _checked(self, tokens: Tensor, n_before: int, name: str = "tokens") -> Tensor:
        """Tokens as int64, if they can be read behind so many others."""
        if tokens.is_floating_point() or tokens.is_complex() or tokens.dtype == torch.bool:
            raise ValueError(f"{name} must be integers, got {tokens.dtype}")
        if tokens.ndim != 2:
            raise ValueError(f"{name} must be of shape (batch, length), got {tuple(tokens.shape)}")
        if n_before + tokens.shape[1] > self.config.context:
            behind = f" behind {n_before}" if n_before else ""
            raise ValueError(
                f"{name} must be at most the context of {self.config.context}, got {tokens.shape[1]}{behind}"
            )
        tokens = tokens.long()
        if tokens.numel():
            low, high = (int(end) for end in tokens.aminmax())
            if low < 0 or high >= self.config.n_tokens:
                wrong = low if low < 0 else high
                raise ValueError(f"{name} must be from 0 to {self.config.n_tokens - 1}, got {wrong}")
        return tokens


def param_count(config: LanguageModelConfig) -> int:
    """Number of weights of a language model, without making them.

    Examples
    --------
    >>> from sigfeat.nn import PRESETS
    >>> from sigfeat.nn.language_model import param_count
    >>> param_count(PRESETS["tiny"]) < param_count(PRESETS["small"])
    True
    """
    with torch.device("meta"):
        return HyenaLM(config, generator=torch.Generator()).param_count


def _tokens_of(prompt: Any, n_tokens: int) -> tuple[Tensor, Any]:
    """Tokens (batch, length) of a prompt, and what turns such tokens into what the prompt was."""
    if isinstance(prompt, str | bytes):
        if n_tokens > 256:
            raise ValueError(f"prompt must be an array of integers where n_tokens is over 256, got {n_tokens} tokens")
        data = prompt.encode() if isinstance(prompt, str) else prompt
        tokens = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)

        def as_bytes(found: Tensor) -> str | bytes:
            joined = bytes(found[0].tolist())
            return joined.decode(errors="replace") if isinstance(prompt, str) else joined

        return tokens[None], as_bytes
    tokens = prompt if isinstance(prompt, Tensor) else torch.from_numpy(_integers(prompt))
    if tokens.ndim not in (1, 2):
        raise ValueError(f"prompt must be of shape (length,) or (batch, length), got {tuple(tokens.shape)}")

    def as_array(found: Tensor) -> Any:
        found = found.reshape(*prompt_shape, -1)
        if isinstance(prompt, Tensor):
            return found.to(prompt.device, prompt.dtype)
        return found.cpu().numpy().astype(np.asarray(prompt).dtype)

    prompt_shape = tokens.shape[:-1]
    return tokens.reshape(-1, tokens.shape[-1]), as_array


def _integers(prompt: Any) -> Any:
    array = np.asarray(prompt)
    if array.dtype.kind not in "iu" and array.size:
        raise ValueError(f"prompt must be bytes, str, or integers, got {array.dtype}")
    return array.astype(np.int64)
