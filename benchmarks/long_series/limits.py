"""Filters of Hyena that do not end at the largest lag of the distillation."""

import copy
from typing import Any

from sigfeat.nn import Hyena

Network = Any  # an encoder or a language model


def with_endless_filters(network: Network) -> Network:
    """A copy of a network, in which the implicit filters of Hyena are as long as the series."""
    longer = copy.deepcopy(network)
    for block in longer.blocks:
        if isinstance(block.mixer, Hyena) and block.mixer.filter_kind == "implicit":
            block.mixer.filters.length = None
    return longer
