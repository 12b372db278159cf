"""Filters of Hyena that are cut at the largest lag of the distillation."""

import copy
from typing import Any

from torch import nn

from sigfeat.nn import Hyena

Network = Any  # an encoder or a language model


def with_short_filters(network: Network, n_lags: int) -> Network:
    """A copy of a network, in which the long filters of Hyena are 0 from a lag on.

    Parameters
    ----------
    network : Encoder or HyenaLM
        Not changed.
    n_lags : int
        Taps at smaller lags, forwards and backwards in time, stay as they are.
    """

    def cut(filters: nn.Module, inputs: tuple[Any, ...], taps: Any) -> Any:
        return taps * (inputs[0].abs() < n_lags)

    shorter = copy.deepcopy(network)
    for block in shorter.blocks:
        if isinstance(block.mixer, Hyena):
            block.mixer.filters.register_forward_hook(cut)
    return shorter
