"""How networks know the positions of tokens."""

import torch
from jaxtyping import Float
from torch import Tensor

ROTARY, ALIBI, SINUSOIDAL, NONE = "rotary", "alibi", "sinusoidal", "none"
POSITIONS = (ROTARY, ALIBI, SINUSOIDAL, NONE)
BASE = 10_000.0  # ratio of the fastest to the slowest rotation


def check_positions(positions: str) -> None:
    """Raise a ValueError for an unknown name."""
    if positions not in POSITIONS:
        raise ValueError(f"positions must be one of {', '.join(POSITIONS)}, got {positions!r}")


def rotated(x: Float[Tensor, "*batch length width"], start: int = 0) -> Float[Tensor, "*batch length width"]:
    """Queries or keys in which each pair of entries is rotated by an angle that grows with the position.

    The inner product of a rotated query and a rotated key depends on their positions only by the difference.

    Parameters
    ----------
    x : tensor of shape (..., length, width)
        Queries or keys. Entries j and j + width // 2 form a pair; the last entry of an odd width is not rotated.
    start : int, default=0
        Position of the first one.

    Returns
    -------
    rotated : tensor of shape (..., length, width)

    References
    ----------
    .. [1] Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021, arXiv:2104.09864, eq. (34).
    """
    length, n_pairs = x.shape[-2], x.shape[-1] // 2
    exponents = torch.arange(n_pairs, dtype=torch.float64, device=x.device) / max(n_pairs, 1)
    positions = torch.arange(start, start + length, dtype=torch.float64, device=x.device)
    angles = positions[:, None] * BASE**-exponents
    cosines, sines = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    odd = x[..., 2 * n_pairs :]
    pairs = (x[..., : 2 * n_pairs] if odd.shape[-1] else x).reshape(*x.shape[:-1], 2, n_pairs)
    # exchanged pairs, since slices and sums of the two halves take twice as long with gradients
    turned = torch.addcmul(pairs * cosines[:, None], pairs.flip(-2), torch.stack([-sines, sines], dim=1)).flatten(-2)
    return torch.cat([turned, odd], dim=-1) if odd.shape[-1] else turned


def distance_penalty(n_heads: int, n_queries: int, n_keys: int, like: Tensor) -> Float[Tensor, "1 heads queries keys"]:
    """Penalty of distance that is added to the scores of attention; the queries are the last of the keys.

    Head h = 1, ..., n_heads subtracts 2^(-8 h / n_heads) |t - s| from the score of query t and key s.

    Parameters
    ----------
    n_heads, n_queries, n_keys : int
        Numbers of heads, of queries and of keys.
    like : tensor
        Gives the dtype and the device.

    Returns
    -------
    penalty : tensor of shape (1, n_heads, n_queries, n_keys)

    References
    ----------
    .. [1] Press et al., "Train short, test long: attention with linear biases enables input length extrapolation",
       2021, arXiv:2108.12409, section 3. The absolute value, for attention to both sides, is not in the paper.
    """
    heads = torch.arange(1, n_heads + 1, dtype=torch.float64, device=like.device)
    slopes = torch.exp2(-8.0 * heads / n_heads).to(like.dtype)
    keys = torch.arange(n_keys, device=like.device, dtype=like.dtype)
    # with an axis of the batch, without which torch does not use its fast attention
    return -slopes[None, :, None, None] * (keys[n_keys - n_queries :, None] - keys).abs()
