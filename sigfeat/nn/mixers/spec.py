"""What decides the shape of blocks of mixers, the same for encoders and language models."""

from dataclasses import dataclass

LARGEST_EXPANSION = 2.0**16


@dataclass(frozen=True, kw_only=True)
class BlockSpec:
    """Settings of the blocks of a network: of the mixer over time, and of the feed-forward part.

    `EncoderSpec` and `LanguageModelConfig` derive from it and have defaults of their own.

    Parameters
    ----------
    mixer : str
        Name of the mixer, one of `sigfeat.nn.mixers.MIXERS`.
    d_model, n_layers, d_ff : int, default=64, 2, 128
        Width of the tokens, number of blocks, hidden width of their feed-forward parts.
    dropout : float, default=0.0
        Fraction of values that are dropped in training.
    n_heads : int, default=4
        Number of heads of attention.
    positions : {"rotary", "alibi", "sinusoidal", "none"}, default="rotary"
        How attention knows the positions of tokens: pairs of entries of queries and keys that rotate with time, or a
        penalty of distance, both relative; or absolute, by sinusoids that are added to the tokens before the first
        block, whatever the mixer.
    order : int, default=2
        Number of long convolutions and gates of Hyena.
    short_filter : int, default=3
        Width of the short convolution of the projections of Hyena and of attention; 1 for none in attention.
    filter_width, filter_bands : int, default=64, 8
        Hidden width, and number of frequencies, of the network of Hyena's implicit filters.
    filter_length : int or None, default=None
        Number of lags, forwards and backwards, from which on Hyena's implicit filters are 0; None for no end.
    time_scale : float or None, default=100.0
        Lag, in steps, that Hyena's filters see as 1. A language model replaces None by a value for its context.
    gate_norm : bool, default=False
        Whether Hyena normalises the output of each gate.
    expansion : float, default=1.0
        Width of Hyena's convolutions and gates as a multiple of `d_model`.
    filter : str, default="implicit"
        Filters of Hyena, one of `sigfeat.nn.mixers.hyena.FILTERS`.
    n_modes : int, default=16
        Number of damped oscillations in each modal filter of Hyena.
    d_state : int, default=64
        Number of states of each channel of S4.
    kind : str, default="diagonal"
        State matrix of S4, one of `sigfeat.nn.mixers.s4.KINDS`.
    """

    mixer: str
    d_model: int = 64
    n_layers: int = 2
    d_ff: int = 128
    dropout: float = 0.0
    n_heads: int = 4
    positions: str = "rotary"
    order: int = 2
    short_filter: int = 3
    filter_width: int = 64
    filter_bands: int = 8
    filter_length: int | None = None
    time_scale: float | None = 100.0
    gate_norm: bool = False
    expansion: float = 1.0
    filter: str = "implicit"
    n_modes: int = 16
    d_state: int = 64
    kind: str = "diagonal"
