"""A language model: tokens in, logits of the next token out, with any causal mixer between."""

import dataclasses
import numbers
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sigfeat._messages import plain
from sigfeat.nn.encoder import Block, EncoderSpec
from sigfeat.nn.folders import load_model, save_model
from sigfeat.nn.language.sampling import check_sampling, next_tokens, tokens_of
from sigfeat.nn.layers import Dropout, sinusoids, unset
from sigfeat.nn.mixers.hyena import Hyena, ImplicitFilter
from sigfeat.nn.mixers.incremental import Stream

USUAL_SCALE = 100.0  # time scale for which the first taps of implicit filters have the right size


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
    order, short_filter, filter_width, filter_bands, gate_norm, filter, n_modes
        Of Hyena; see `sigfeat.nn.Hyena`.
    time_scale : float or None, default=None
        Lag, in tokens, that counts as 1 for Hyena's filters. None for `filter_bands`, with which the fastest band of
        implicit filters alternates from token to token, so that they can tell neighbours apart; and for `context`
        where filters are modal, since these begin with memories of all lengths up to it.
    d_state, kind
        Of S4; see `sigfeat.nn.S4`.

    Raises
    ------
    ValueError
        If `n_tokens` or `context` is less than 1.

    Examples
    --------
    A preset with one thing changed.

    >>> import dataclasses
    >>> from sigfeat.nn import PRESETS
    >>> sorted(PRESETS)
    ['medium', 'small', 'tiny']
    >>> config = dataclasses.replace(PRESETS["tiny"], filter="modal")
    >>> config.context, config.d_model, config.n_layers, config.filter
    (256, 64, 2, 'modal')
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
    filter: str = "implicit"
    n_modes: int = 16
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
            time_scale=self._time_scale,
            gate_norm=self.gate_norm,
            filter=self.filter,
            n_modes=self.n_modes,
            d_state=self.d_state,
            kind=self.kind,
        )

    @property
    def _time_scale(self) -> float:
        if self.time_scale is not None:
            return float(self.time_scale)
        return float(max(1, self.filter_bands) if self.filter == "implicit" else self.context)


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
    >>> tokens = torch.tensor([[72, 101, 108, 108, 111]])
    >>> model(tokens).shape
    torch.Size([1, 5, 256])
    >>> len(model.generate(b"Hello", max_new_tokens=3))
    8

    Tokens that come one by one, or some at a time, give the same logits.

    >>> stream = model.stream()
    >>> logits = torch.cat([stream.append(tokens[:, :4]), stream.append(tokens[:, 4:])], dim=1)
    >>> torch.allclose(logits, model(tokens), atol=1e-5), stream.time
    (True, 5)
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
            for block in self.blocks:
                _temper(block.mixer, spec.time_scale)

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
        self.check_tokens(tokens)
        x = self.dropout(self.embed(tokens.long()))
        for block in self.blocks:
            x = block(x)
        return self.finish(x if n_last is None else x[:, max(0, x.shape[1] - n_last) :])

    def embed(self, tokens: Tensor, start: int = 0) -> Float[Tensor, "batch length d_model"]:
        """Tokens before the first block; the first of them is at position `start`."""
        x: Tensor = self.embedding(tokens) * self.config.d_model**0.5
        if self.config.mixer == "attention":
            x = x + sinusoids(tokens.shape[1], self.config.d_model, x, start)
        return x

    def save(self, folder: str | Path) -> None:
        """Write the config as JSON and the weights as safetensors; a model saved there before is replaced as a whole.

        Parameters
        ----------
        folder : str or Path
            Where to; it is made.

        Raises
        ------
        FileExistsError
            If something else is there.
        """
        weights = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        save_model(Path(folder), dataclasses.asdict(self.config), weights)

    @classmethod
    def load(cls, folder: str | Path, device: torch.device | str = "cpu") -> "HyenaLM":
        """The model that `save` wrote, in evaluation mode; nothing that is read is run.

        Parameters
        ----------
        folder : str or Path
            Where it is.
        device : torch.device or str, default="cpu"
            Where it is put.

        Returns
        -------
        model : HyenaLM

        Raises
        ------
        ValueError
            If the files are damaged, or of something else.
        FileNotFoundError
            If one is missing.
        """
        return load_model(Path(folder), cls._empty).to(device).eval()

    @classmethod
    def _empty(cls, config: dict[str, Any], dtype: torch.dtype) -> "HyenaLM":
        with torch.device("meta"):
            return cls(LanguageModelConfig(**config), generator=torch.Generator(), dtype=dtype)

    def finish(self, x: Float[Tensor, "batch length d_model"]) -> Float[Tensor, "batch length tokens"]:
        """Logits of tokens after the last block."""
        return nn.functional.linear(self.norm(x), self.embedding.weight)

    def stream(self, batch: int = 1, **options: Any) -> "LanguageModelStream":
        """The model on sequences that are not over, as in evaluation and with the weights as they are now.

        Parameters
        ----------
        batch : int, default=1
            Number of sequences.
        **options
            For the mixers' own `stream`, such as `convolution` of Hyena.

        Returns
        -------
        stream : LanguageModelStream
            Its ``append(tokens)`` gives for new tokens (batch, steps) the logits that `forward` gives for them, without
            gradients, and its ``time`` is the number of tokens so far.
        """
        return LanguageModelStream(self, batch, **options)

    @torch.no_grad()
    def generate(
        self,
        prompt: Any,
        max_new_tokens: Any,
        temperature: Any = 1.0,
        top_k: Any = None,
        top_p: Any = None,
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
        tokens, restore = tokens_of(prompt, self.config.n_tokens)
        check_sampling(temperature, top_k, top_p)
        if not (isinstance(max_new_tokens, numbers.Integral) and int(max_new_tokens) >= 0):
            raise ValueError(f"max_new_tokens must be a whole number from 0 up, got {plain(max_new_tokens)!r}")
        max_new_tokens, length, context = int(max_new_tokens), tokens.shape[1], self.config.context
        if length == 0:
            raise ValueError("prompt must have at least 1 token, got none")
        if length + max_new_tokens > context:
            raise ValueError(
                f"prompt and max_new_tokens must be at most the context of {context} tokens together, "
                f"got {length} and {max_new_tokens}"
            )
        device = self.embedding.weight.device
        self.check_tokens(tokens, name="prompt")
        tokens = tokens.to(device).long()
        generator = torch.Generator(device).manual_seed(seed)
        stream, found, seen = self.stream(len(tokens)), [tokens], tokens
        for _ in range(max_new_tokens):
            logits = stream.append(seen, n_last=1)[:, 0]
            seen = next_tokens(logits, temperature, top_k, top_p, generator)[:, None]
            found.append(seen)
        return restore(torch.cat(found, dim=1))

    def check_tokens(
        self, tokens: Tensor, n_before: int = 0, name: str = "tokens", *, of_any_length: bool = False
    ) -> None:
        """Refuse tokens that cannot be read behind so many others; see `forward`."""
        config = self.config
        if tokens.is_floating_point() or tokens.is_complex() or tokens.dtype == torch.bool:
            raise ValueError(f"{name} must be integers, got {tokens.dtype}")
        if tokens.ndim != 2:
            raise ValueError(f"{name} must be of shape (batch, length), got {tuple(tokens.shape)}")
        if n_before + tokens.shape[1] > config.context and not of_any_length:
            behind = f" behind {n_before}" if n_before else ""
            raise ValueError(f"{name} must be at most the context of {config.context}, got {tokens.shape[1]}{behind}")
        if tokens.numel():
            low, high = int(tokens.min()), int(tokens.max())
            if low < 0 or high >= config.n_tokens:
                wrong = low if low < 0 else high
                raise ValueError(f"{name} must be from 0 to {config.n_tokens - 1}, got {wrong}")


class LanguageModelStream:
    """A language model on sequences that are not over; see `HyenaLM.stream`."""

    def __init__(self, model: HyenaLM, batch: int, **options: Any) -> None:
        self.model, self.batch, self.time = model, batch, 0
        self.blocks: list[Stream] = []
        for block in model.blocks:
            assert isinstance(block, Block)
            self.blocks.append(block.stream(batch, **options))

    @torch.no_grad()
    def append(self, tokens: Tensor, *, n_last: int | None = None) -> Float[Tensor, "batch steps tokens"]:
        """Logits of each next token, given all up to here.

        Parameters
        ----------
        tokens : integer tensor of shape (batch, steps)
            What follows on the tokens so far: at least one step, and with them no more than the context.
        n_last : int or None, default=None
            If given, only the logits at so many last tokens are made.

        Returns
        -------
        logits : tensor of shape (batch, steps, n_tokens)
            Or (batch, n_last, n_tokens).

        Raises
        ------
        ValueError
            If the tokens are wrong, as for `HyenaLM.forward`, of another batch, or none.
        """
        model = self.model
        model.check_tokens(tokens, self.time)
        if tokens.shape[0] != self.batch or tokens.shape[1] == 0:
            raise ValueError(f"tokens must be of shape ({self.batch}, at least 1), got {tuple(tokens.shape)}")
        x = model.embed(tokens.long(), self.time)
        for block in self.blocks:
            x = block.append(x)
        self.time += tokens.shape[1]
        return model.finish(x if n_last is None else x[:, max(0, x.shape[1] - n_last) :])


def _temper(mixer: Any, time_scale: float) -> None:
    """Let the squared taps of implicit filters sum to the same whatever the time scale.

    Else values grow along a long sequence, and transforms lose the small first ones in the rounding of the last: in
    float32 logits erred by 2e-5 of the largest at 4,096 tokens, and by 1e-6 with this.
    """
    if isinstance(mixer, Hyena) and isinstance(mixer.filters, ImplicitFilter) and time_scale > USUAL_SCALE:
        last: Any = mixer.filters.layers[-1]
        last.weight *= (USUAL_SCALE / time_scale) ** 0.5


def param_count(config: LanguageModelConfig) -> int:
    """Number of weights of a language model, without making them.

    Examples
    --------
    >>> from sigfeat.nn import PRESETS, param_count
    >>> param_count(PRESETS["tiny"]) < param_count(PRESETS["small"])
    True
    """
    with torch.device("meta"):
        return HyenaLM(config, generator=torch.Generator()).param_count
