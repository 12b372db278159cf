"""Networks of equal width, depth and number of weights, which differ in how they mix tokens over time."""

import functools
import re

import numpy as np
import torch

from sigfeat.nn import S4, Hyena, HyenaLM, LanguageModelConfig, param_count

OTHERS = {
    "S4D": {"mixer": "s4", "kind": "diagonal"},
    "S4 DPLR": {"mixer": "s4", "kind": "dplr"},
    "GRU": {"mixer": "recurrent"},
    "attention": {"mixer": "attention"},
}
N_LAYERS, FILTER_WIDTH, FILTER_BANDS, STATE = 2, 32, 16, 32


@functools.cache
def config_of(network: str, n_tokens: int, context: int, width: int, n_weights: int) -> LanguageModelConfig:
    """Language model of a width whose number of weights is as near to that of all as can be.

    Parameters
    ----------
    network : str
        "S4D", "S4 DPLR", "GRU", "attention", or "Hyena order N" with a number N.
    n_tokens, context : int
        Number of different tokens, and length of the sequences.
    width : int
        Of the tokens.
    n_weights : int
        Of the whole network. What the mixer leaves of them goes to the feed-forward part.

    Returns
    -------
    config : LanguageModelConfig

    Raises
    ------
    ValueError
        If there is no such network, or the mixer alone has more weights.
    """

    def config(d_ff):
        return LanguageModelConfig(
            n_tokens=n_tokens,
            context=context,
            time_scale=float(context),  # filters may need a tap at any lag
            d_model=width,
            n_layers=N_LAYERS,
            d_ff=d_ff,
            filter_width=FILTER_WIDTH,
            filter_bands=FILTER_BANDS,
            d_state=STATE,
            **settings,
        )

    settings = settings_of(network)
    least, more = param_count(config(1)), param_count(config(2))
    d_ff = 1 + round((n_weights - least) / (more - least))
    if d_ff < 1:
        raise ValueError(f"n_weights must be at least {least:,} for {network} of width {width}, got {n_weights:,}")
    return config(d_ff)


def settings_of(network: str) -> dict[str, object]:
    """Settings of the config that only this network has."""
    if network in OTHERS:
        return OTHERS[network]
    found = re.fullmatch(r"Hyena order ([1-9]\d*)", network)
    if not found:
        names = ", ".join([*OTHERS, "Hyena order N"])
        raise ValueError(f"network must be one of {names}, got {network!r}")
    return {"mixer": "hyena", "order": int(found[1])}


def filters_of(model: HyenaLM) -> np.ndarray | None:
    """Taps (channels, length) of all layers, of Hyena those of the last convolution of each; None without filters.

    The skip connection beside a filter, a tap at lag 0, is not in them.
    """
    found = []
    with torch.no_grad():
        for block in model.blocks:
            mixer, length = block.mixer, model.config.context
            if isinstance(mixer, S4):
                found.append(mixer.taps(length)[0])
            elif isinstance(mixer, Hyena):
                lags = torch.arange(length, dtype=mixer.skip.dtype)
                found.append(mixer.filters(lags).unflatten(0, mixer.skip.shape)[-1] / mixer.order)
    return torch.cat(found).double().numpy() if found else None
