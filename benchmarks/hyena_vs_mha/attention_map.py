"""Properties of the weights of attention at each token, and the error of a student there."""

from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from sigfeat.nn import layer_tokens

MOST_WEIGHTS = 2e7  # numbers of the weights that are computed together
MOST_SERIES = 32
GROUPS = 5  # of tokens, by each property
PROPERTIES = ("entropy", "distance", "dependence")


def rows_of(n_series: int, length: int, n_heads: int) -> int:
    """Number of series whose weights are computed, at least 2 and at most `MOST_SERIES`."""
    return int(np.clip(MOST_WEIGHTS / (n_heads * length**2), 2, max(2, min(MOST_SERIES, n_series))))


@torch.no_grad()
def properties(network: Any, inputs: Tensor, mask: Tensor | None) -> dict[str, np.ndarray]:
    """Three properties of the weights with which each real token attends, means over heads and layers.

    Parameters
    ----------
    network : Encoder or HyenaLM
        A network with attention.
    inputs, mask : tensor
        As for `sigfeat.nn.layer_tokens`.

    Returns
    -------
    properties : dict of ndarray of shape (n_tokens,)
        "entropy" of the weights in bits; "distance": mean distance, in steps, to the tokens that are attended to;
        "dependence" on the input: total variation distance, in [0, 1], of the weights to their mean over all series at
        the same position. It is 0 for weights that a filter can have.
    """
    real = real_tokens(inputs, mask)
    steps = torch.arange(inputs.shape[1])
    lags = (steps[:, None] - steps).abs().float()
    found: dict[str, list[Tensor]] = {name: [] for name in PROPERTIES}
    for block, x in zip(network.blocks, layer_tokens(network, inputs, mask), strict=False):
        weights = block.mixer.weights(block.mixer_norm(x), mask)
        mean = weights.mean(dim=0, keepdim=True)
        found["entropy"].append(-(weights * weights.clamp_min(1e-30).log2()).sum(-1).mean(1))
        found["distance"].append((weights * lags).sum(-1).mean(1))
        found["dependence"].append((weights - mean).abs().sum(-1).mean(1) / 2)
    return {name: torch.stack(values).mean(0)[real].numpy() for name, values in found.items()}


@torch.no_grad()
def errors(student: nn.Module, teacher: nn.Module, inputs: Tensor, mask: Tensor | None) -> np.ndarray:
    """Squared error of each real token after the last norm, divided by the mean variance of the teacher's."""
    wanted, found = (last_tokens(network, inputs, mask).double() for network in (teacher, student))
    real = real_tokens(inputs, mask)
    wanted, found = wanted[real], found[real]
    error = (wanted - found).square().sum(-1) / (wanted - wanted.mean(0)).square().sum(-1).mean()
    return error.numpy()


@torch.no_grad()
def last_tokens(network: Any, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
    """Tokens of a network after its last norm."""
    tokens: Tensor = network.norm(layer_tokens(network, inputs, mask)[-1])
    return tokens


def real_tokens(inputs: Tensor, mask: Tensor | None) -> Tensor:
    """Which tokens (batch, length) are not padding."""
    return torch.ones(inputs.shape[:2], dtype=torch.bool) if mask is None else mask


def against_error(found: dict[str, np.ndarray], error: np.ndarray) -> dict[str, dict[str, Any]]:
    """Of each property: its rank correlation with the error, and means of both over groups of equally many tokens."""
    result = {}
    for name, values in found.items():
        order = np.argsort(values, kind="stable")
        groups = np.array_split(order, GROUPS)
        varies = np.ptp(values) > 0 and np.ptp(error) > 0
        result[name] = {
            "rank_correlation": spearmanr(values, error).statistic if varies else None,
            "property": [values[group].mean() for group in groups],
            "error": [error[group].mean() for group in groups],
        }
    return result
