"""Figures of how close the tokens of a student are to those of its teacher."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sigfeat.nn.layers import evaluated, inside
from sigfeat.nn.pooling import pool_whole

ROUNDING = 1e-12  # fraction of the squares that rounding in float32 alone may cause


def fidelity(pairs: Iterable[tuple[Tensor, Tensor, Tensor]], pooling: str) -> dict[str, float]:
    """Figures of how close the tokens of a student are to those of its teacher.

    Parameters
    ----------
    pairs : iterable of (wanted, found, lengths)
        Tokens (batch, length, width) of teacher and student for the same series, and the own number of points of each
        series (batch,).
    pooling : {"mean", "max", "min", "end"}
        How tokens are pooled.

    Returns
    -------
    figures : dict of float
        "pooled_r2" and "token_r2": 1 - squared error / squared deviation from the mean, summed over all components, of
        pooled tokens and of tokens; "cka": linear centred kernel alignment of pooled tokens [1]_; "cosine": mean cosine
        of pooled tokens. NaN if there is no deviation, as for a single series; "cka" also for less than 3 series, since
        two are always aligned.

    References
    ----------
    .. [1] Kornblith et al., "Similarity of neural network representations revisited", 2019, arXiv:1905.00414, eq. (5).

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import fidelity
    >>> wanted, lengths = torch.arange(24.0).reshape(4, 3, 2), torch.tensor([3, 3, 2, 1])
    >>> figures = fidelity([(wanted, wanted, lengths)], pooling="mean")
    >>> {name: round(figure, 3) for name, figure in figures.items()}
    {'pooled_r2': 1.0, 'token_r2': 1.0, 'cka': 1.0, 'cosine': 1.0}
    """
    count, error, squares, total = 0, 0.0, 0.0, torch.zeros(1, dtype=torch.float64)
    pooled: list[tuple[Tensor, Tensor]] = []
    for wanted, found, lengths in pairs:
        wanted, found = wanted.double(), found.double()
        real = inside(lengths, wanted.shape[1])
        count += int(real.sum())
        error += float(((found - wanted).square() * real).sum())
        total = total + (wanted * real).sum(dim=(0, 1)).cpu()
        squares += float((wanted.square() * real).sum())
        pooled.append((pool_whole(wanted, lengths, pooling).cpu(), pool_whole(found, lengths, pooling).cpu()))
    goal, reached = (torch.cat(parts) for parts in zip(*pooled, strict=True))
    deviation = squares - float((total.square() / count).sum())
    return {
        "pooled_r2": _r2(
            float((reached - goal).square().sum()),
            float((goal - goal.mean(dim=0)).square().sum()),
            float(goal.square().sum()),
        ),
        "token_r2": _r2(error, deviation, squares),
        "cka": _cka(goal, reached),
        "cosine": float(torch.nn.functional.cosine_similarity(goal, reached).mean()),
    }


def skill(r2: float, r2_of_control: float) -> float:
    """Fraction of the variance unexplained by a control that is explained: 1 - (1 - R2) / (1 - R2 of the control).

    Parameters
    ----------
    r2, r2_of_control : float
        R2 of the student and of the control.

    Returns
    -------
    skill : float
        1 for a perfect student, 0 for one that is as good as the control; NaN if the control is perfect.

    Examples
    --------
    >>> from sigfeat.nn import skill
    >>> round(skill(0.98, 0.94), 3)
    0.667
    """
    return 1 - (1 - r2) / (1 - r2_of_control) if r2_of_control < 1 else np.nan


def layer_tokens(
    network: nn.Module, inputs: Tensor, mask: Bool[Tensor, "batch length"] | None = None
) -> list[Float[Tensor, "batch length d_model"]]:
    """Tokens before the first block of a network and after each of its blocks, to compare networks layer by layer.

    The network is evaluated in evaluation mode and without gradients.

    Parameters
    ----------
    network : Encoder or HyenaLM
        The network.
    inputs : tensor of shape (batch, length, channels), or integer tensor of shape (batch, length)
        Series of an encoder, or tokens of a language model.
    mask : bool tensor of shape (batch, length) or None, default=None
        True at real points, which come first; None if there is no padding.

    Returns
    -------
    layers : list of tensor of shape (batch, length, d_model)
        One more than the network has blocks. The last norm is not applied. Where there is padding, tokens have no
        meaning.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import PRESETS, HyenaLM, layer_tokens
    >>> model = HyenaLM(PRESETS["tiny"], generator=torch.Generator().manual_seed(0))
    >>> layers = layer_tokens(model, torch.tensor([[72, 101, 108, 108, 111]]))
    >>> len(layers), layers[0].shape
    (3, torch.Size([1, 5, 64]))
    """
    body: Any = network
    with evaluated(network):
        layers = [body.first_tokens(inputs, mask)]
        for block in body.blocks:
            layers.append(block(layers[-1], mask))
    return layers


def _r2(error: float, deviation: float, squares: float) -> float:
    return 1 - error / deviation if deviation > ROUNDING * squares else np.nan


def _cka(x: Float[Tensor, "series width"], y: Float[Tensor, "series width"]) -> float:
    if len(x) < 3:
        return np.nan
    squares = float(torch.linalg.norm(x.T @ x) * torch.linalg.norm(y.T @ y))
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    sizes = float(torch.linalg.norm(x.T @ x) * torch.linalg.norm(y.T @ y))
    return float(torch.linalg.norm(x.T @ y) ** 2) / sizes if sizes > ROUNDING * squares else np.nan
