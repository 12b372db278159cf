"""Settings of language models, and presets."""

import dataclasses
from dataclasses import dataclass

from sigfeat.nn.encoder import EncoderSpec
from sigfeat.nn.mixers import BlockSpec


@dataclass(frozen=True, kw_only=True)
class LanguageModelConfig(BlockSpec):
    """Settings that determine the shape of a language model; all are keyword-only.

    Parameters
    ----------
    mixer : {"hyena", "attention", "s4", "recurrent", "pointwise"}, default="hyena"
        Layer that mixes tokens over time; it is always causal.
    n_tokens : int, default=256
        Number of different tokens. The default suits bytes, which need no tokenizer.
    context : int, default=1024
        Largest length of a sequence.
    d_model, n_layers, d_ff : int, default=128, 4, 512
        Width of the tokens, number of blocks, hidden width of their feed-forward parts.
    dropout : float, default=0.0
        Fraction of values that are dropped in training.
    n_heads : int, default=4
        Number of heads of attention.
    positions : {"rotary", "alibi", "sinusoidal", "none"}, default="rotary"
        How attention knows the positions of tokens; see `sigfeat.nn.Attention`. "sinusoidal" adds sinusoids to the
        embedded tokens, whatever the mixer.
    short_filter : int, default=3
        Width of the short convolution of the projections of attention and of Hyena.
    order, filter_width, filter_bands, filter_length, gate_norm, expansion, filter, n_modes
        Settings of Hyena; see `sigfeat.nn.Hyena`. The default of `filter_bands` is 16.
    time_scale : float or None, default=None
        Lag, in tokens, that Hyena's filters see as 1. For implicit filters None means `filter_bands`, so that the
        highest frequency alternates from token to token and the filters can distinguish neighbouring lags. For modal
        filters None means `context`, since these start with memories of all lengths up to it.
    d_state, kind
        Settings of S4; see `sigfeat.nn.S4`.

    Raises
    ------
    ValueError
        If `n_tokens` or `context` is less than 1.

    Examples
    --------
    A preset with one change.

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
    filter_bands: int = 16
    time_scale: float | None = None

    def __post_init__(self) -> None:
        for name in ("n_tokens", "context"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def encoder(self) -> EncoderSpec:
        """Settings of the blocks."""
        shared = {field.name: getattr(self, field.name) for field in dataclasses.fields(BlockSpec)}
        shared["time_scale"] = self._time_scale
        return EncoderSpec(n_channels=self.d_model, d_out=self.d_model, causal=True, **shared)

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
