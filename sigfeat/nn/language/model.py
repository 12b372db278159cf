"""Causal language models: from tokens to the logits of the next token, with any causal mixer."""

import numbers
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load, save
from torch import Tensor, nn

from sigfeat._messages import plain
from sigfeat.nn.encoder import Block
from sigfeat.nn.language.config import LanguageModelConfig
from sigfeat.nn.language.sampling import check_sampling, next_tokens, tokens_of
from sigfeat.nn.layers import Dropout, sinusoids, unset
from sigfeat.nn.mixers.hyena import Hyena, ImplicitFilter
from sigfeat.nn.mixers.incremental import IncrementalState
from sigfeat.nn.mixers.positions import SINUSOIDAL, check_positions
from sigfeat.nn.saved.documents import SavedKind
from sigfeat.nn.saved.specs import check_spec, empty_network, spec_fields

SAVED = SavedKind("language model", 3, "model.json", "config")
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
USUAL_SCALE = 100.0  # up to this time scale, the first taps of implicit filters need no scaling


class HyenaLM(nn.Module):
    """A causal language model with Hyena, or any other mixer, and generation.

    Each token becomes a row of a matrix E, times sqrt(d_model); blocks and a norm follow; logits are products with the
    rows of the same E. The gain of the norm is initialised to 1 / sqrt(d_model), so that the first loss is near
    log(n_tokens). With ``positions="sinusoidal"`` sinusoids of the positions are added to the tokens.

    Parameters
    ----------
    config : LanguageModelConfig
        Shape of the model; `PRESETS` has three examples.
    generator : torch.Generator
        Source of the first weights; torch's global generator is not used.
    dtype : torch.dtype, default=torch.float32
        Of the weights.

    Raises
    ------
    ValueError
        If the config has an unknown mixer, or settings that do not fit it.

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy", 2023, arXiv:2302.10866, section 4.1.
    .. [2] Press, Wolf, "Using the output embedding to improve language models", 2017, arXiv:1608.05859.

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

    Tokens that are appended one by one, or some at a time, give the same logits.

    >>> state = model.incremental()
    >>> logits = torch.cat([state.append(tokens[:, :4]), state.append(tokens[:, 4:])], dim=1)
    >>> torch.allclose(logits, model(tokens), atol=1e-5), state.time
    (True, 5)
    """

    def __init__(
        self, config: LanguageModelConfig, *, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        check_positions(config.positions)
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
                _scale_filters(block.mixer, spec.time_scale)

    @property
    def param_count(self) -> int:
        """Number of weights."""
        return sum(weight.numel() for weight in self.parameters())

    def forward(self, tokens: Tensor, *, n_last: int | None = None) -> Float[Tensor, "batch length tokens"]:
        """Logits of the next token at each position, given the tokens up to it.

        Parameters
        ----------
        tokens : integer tensor of shape (batch, length)
            From 0 to n_tokens - 1; no longer than the context.
        n_last : int or None, default=None
            If given, only the logits at the last `n_last` tokens are computed, which saves memory for a long text.

        Returns
        -------
        logits : tensor of shape (batch, length, n_tokens)
            Or (batch, n_last, n_tokens).

        Raises
        ------
        ValueError
            If the tokens are not integers, have another shape, exceed the context, or are outside [0, n_tokens).
        """
        x = self.first_tokens(tokens)
        for block in self.blocks:
            x = block(x)
        return self.finish(x if n_last is None else x[:, max(0, x.shape[1] - n_last) :])

    def first_tokens(self, tokens: Tensor, mask: Tensor | None = None) -> Float[Tensor, "batch length d_model"]:
        """Tokens before the first block; the mask of an encoder is not needed, since padding comes last."""
        self.check_tokens(tokens)
        first: Tensor = self.dropout(self.embed(tokens.long()))
        return first

    def embed(self, tokens: Tensor, start: int = 0) -> Float[Tensor, "batch length d_model"]:
        """Embed tokens, the first of which is at position `start`."""
        x: Tensor = self.embedding(tokens) * self.config.d_model**0.5
        if self.config.positions == SINUSOIDAL:
            x = x + sinusoids(tokens.shape[1], self.config.d_model, x, start)
        return x

    def save(self, folder: str | Path) -> None:
        """Write the config as JSON and the weights as safetensors; a model in the same folder is replaced as a whole.

        Parameters
        ----------
        folder : str or Path
            Folder to write, created if necessary.

        Raises
        ------
        FileExistsError
            If the folder holds something else than a model.
        ValueError
            If a setting is out of its range, or the weights are not finite or not of one dtype.
        """
        weights = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        content = spec_fields(self.config, "config")
        empty_network(self._empty, self.config, weights, DTYPES, "config")
        SAVED.save(folder, content, save(weights))

    @classmethod
    def load(cls, folder: str | Path, device: torch.device | str = "cpu") -> "HyenaLM":
        """Load a model that `save` wrote, in evaluation mode; no code in the files is executed.

        Checksums, settings, and the names, sizes and values of all weights are checked. If a `save` was killed while it
        replaced the folder, the model that was there before is restored.

        Parameters
        ----------
        folder : str or Path
            Folder that `save` wrote.
        device : torch.device or str, default="cpu"
            Device of the model.

        Returns
        -------
        model : HyenaLM

        Raises
        ------
        ValueError
            If a file was changed or damaged, is of another version of the format, or does not hold a language model.
        FileNotFoundError
            If a file is missing.
        """
        return SAVED.load(folder, load, cls._of_saved).to(device).eval()

    @classmethod
    def _of_saved(cls, content: dict[str, Any], weights: dict[str, Tensor]) -> "HyenaLM":
        """Model of a config and weights from files, after a check of both; the weights are removed from the dict."""
        config = check_spec(content, "config", LanguageModelConfig)
        model = empty_network(cls._empty, config, weights, DTYPES, "config")
        model.load_state_dict(weights, assign=True)
        weights.clear()
        return model

    @classmethod
    def _empty(cls, config: LanguageModelConfig, dtype: torch.dtype) -> "HyenaLM":
        return cls(config, generator=torch.Generator(), dtype=dtype)

    def finish(self, x: Float[Tensor, "batch length d_model"]) -> Float[Tensor, "batch length tokens"]:
        """Logits from the output of the last block."""
        return self.head(self.norm(x))

    def head(self, x: Float[Tensor, "batch length d_model"]) -> Float[Tensor, "batch length tokens"]:
        """Logits from the normalised output of the last block."""
        return nn.functional.linear(x, self.embedding.weight)

    def incremental(self, batch: int = 1, **options: Any) -> "LanguageModelState":
        """The model, in evaluation mode and with the weights as they are now, for tokens that arrive some at a time.

        Parameters
        ----------
        batch : int, default=1
            Number of sequences.
        **options
            Passed to `incremental` of the mixers, such as `convolution` of Hyena.

        Returns
        -------
        state : LanguageModelState
            Its ``append(tokens)`` returns, for new tokens (batch, steps), the logits that `forward` returns for them,
            without gradients. Its ``time`` is the number of tokens so far.
        """
        return LanguageModelState(self, batch, **options)

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
        """Continue a prompt.

        Parameters
        ----------
        prompt : bytes, str, or integer array or tensor of shape (length,) or (batch, length)
            At least one token. A str stands for its UTF-8 bytes.
        max_new_tokens : int
            Number of tokens to generate.
        temperature : float, default=1.0
            Logits are divided by it; 0 takes the most likely token each time.
        top_k : int or None, default=None
            If given, draw from the `top_k` most likely tokens only.
        top_p : float or None, default=None
            If given, draw from the smallest set of most likely tokens that together have this probability, in (0, 1].
        seed : int, default=0
            Seed of the draws, which have a generator of their own.

        Returns
        -------
        tokens : of the type of the prompt
            The prompt followed by the new tokens. For a str, bytes that are not UTF-8 are replaced by U+FFFD.

        Raises
        ------
        ValueError
            If the prompt is empty or has invalid tokens, if prompt and new tokens together exceed the context, or if
            another argument is out of its range.
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
        state, found, seen = self.incremental(len(tokens)), [tokens], tokens
        for _ in range(max_new_tokens):
            logits = state.append(seen, n_last=1)[:, 0]
            seen = next_tokens(logits, temperature, top_k, top_p, generator)[:, None]
            found.append(seen)
        return restore(torch.cat(found, dim=1))

    def check_tokens(
        self, tokens: Tensor, n_before: int = 0, name: str = "tokens", *, of_any_length: bool = False
    ) -> None:
        """Raise if tokens are invalid, or exceed the context after `n_before` earlier ones; see `forward`."""
        config = self.config
        if tokens.is_floating_point() or tokens.is_complex() or tokens.dtype == torch.bool:
            raise ValueError(f"{name} must be integers, got {tokens.dtype}")
        if tokens.ndim != 2:
            raise ValueError(f"{name} must be of shape (batch, length), got {tuple(tokens.shape)}")
        if n_before + tokens.shape[1] > config.context and not of_any_length:
            after = f" after {n_before}" if n_before else ""
            raise ValueError(f"{name} must be at most the context of {config.context}, got {tokens.shape[1]}{after}")
        if tokens.numel():
            low, high = int(tokens.min()), int(tokens.max())
            if low < 0 or high >= config.n_tokens:
                wrong = low if low < 0 else high
                raise ValueError(f"{name} must be from 0 to {config.n_tokens - 1}, got {wrong}")


class LanguageModelState:
    """State of a language model: those of its blocks, and the number of tokens so far; see `HyenaLM.incremental`."""

    def __init__(self, model: HyenaLM, batch: int, **options: Any) -> None:
        self.model, self.batch, self.time = model, batch, 0
        self.blocks: list[IncrementalState] = []
        for block in model.blocks:
            assert isinstance(block, Block)
            self.blocks.append(block.incremental(batch, **options))

    @torch.no_grad()
    def append(self, tokens: Tensor, *, n_last: int | None = None) -> Float[Tensor, "batch steps tokens"]:
        """Logits of the next token at each new position, given all tokens up to it.

        Parameters
        ----------
        tokens : integer tensor of shape (batch, steps)
            The next tokens, at least one step; with the tokens so far, at most the context.
        n_last : int or None, default=None
            If given, only the logits at the last `n_last` tokens are computed.

        Returns
        -------
        logits : tensor of shape (batch, steps, n_tokens)
            Or (batch, n_last, n_tokens).

        Raises
        ------
        ValueError
            If the tokens are invalid, see `HyenaLM.forward`, of another batch size, or none.
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


def _scale_filters(mixer: Any, time_scale: float) -> None:
    """Scale implicit filters so that their squared taps have the same sum for every time scale.

    Otherwise values grow along a long sequence, and in a Fourier transform the small first values are lost in the
    rounding of the large last ones: at 4,096 tokens in float32, logits had an error of 2e-5 of the largest, and have
    1e-6 with this scaling.
    """
    if isinstance(mixer, Hyena) and isinstance(mixer.filters, ImplicitFilter) and time_scale > USUAL_SCALE:
        last: Any = mixer.filters.layers[-1]
        last.weight *= (USUAL_SCALE / time_scale) ** 0.5


def param_count(config: LanguageModelConfig) -> int:
    """Number of weights of a language model, without allocating them.

    Parameters
    ----------
    config : LanguageModelConfig
        Shape of the model.

    Returns
    -------
    count : int

    Examples
    --------
    >>> from sigfeat.nn import PRESETS, param_count
    >>> param_count(PRESETS["tiny"]) < param_count(PRESETS["small"])
    True
    """
    with torch.device("meta"):
        return HyenaLM(config, generator=torch.Generator()).param_count
