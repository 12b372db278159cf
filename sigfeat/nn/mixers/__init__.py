"""Layers that mix tokens over time, by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import nn

from sigfeat.nn.mixers.attention import Attention
from sigfeat.nn.mixers.hyena import Hyena
from sigfeat.nn.mixers.pointwise import Pointwise
from sigfeat.nn.mixers.recurrent import Recurrent
from sigfeat.nn.mixers.s4 import S4
from sigfeat.nn.mixers.spec import BlockSpec

MIXERS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {
        "attention": Attention.from_spec,
        "hyena": Hyena.from_spec,
        "s4": S4.from_spec,
        "recurrent": Recurrent.from_spec,
        "pointwise": Pointwise.from_spec,
    }
)


def build_mixer(
    spec: BlockSpec, *, causal: bool, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> nn.Module:
    """Mixer that a spec names.

    Parameters
    ----------
    spec : BlockSpec
        Its name and settings.
    causal : bool
        Whether no token may depend on later ones.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype, default=torch.float32
        Of the weights.

    Returns
    -------
    mixer : torch.nn.Module
        Its ``forward(x, mask)`` maps tokens of shape (batch, length, d_model) to tokens of the same shape. A causal
        mixer also has ``incremental(batch)``, see `sigfeat.nn.mixers.incremental.IncrementalState`.

    Raises
    ------
    ValueError
        If `MIXERS` has no mixer of this name, or the settings do not fit the mixer.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.mixers import BlockSpec, build_mixer
    >>> spec = BlockSpec(mixer="recurrent", d_model=8)
    >>> mixer = build_mixer(spec, causal=True, generator=torch.Generator().manual_seed(0))
    >>> mixer(torch.ones(2, 10, 8)).shape
    torch.Size([2, 10, 8])
    """
    if spec.mixer not in MIXERS:
        raise ValueError(f"mixer must be one of {', '.join(MIXERS)}, got {spec.mixer!r}")
    return MIXERS[spec.mixer](spec, causal=causal, generator=generator, dtype=dtype)


__all__ = ["MIXERS", "BlockSpec", "build_mixer"]
