"""Multi-head attention from its definition."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat.reference.layers import linear, part, softmax


def attention(q: NDArray[Any], k: NDArray[Any], v: NDArray[Any], *, causal: bool) -> NDArray[Any]:
    """Mean of the values of all tokens, weighted for each token by the similarity of its query to their keys.

    y_t = sum over s of p_ts v_s,  p_ts = exp(q_t . k_s / sqrt(d)) / sum over r of exp(q_t . k_r / sqrt(d)).

    Parameters
    ----------
    q, k, v : ndarrays of shape (length, d)
        Queries, keys and values of the tokens.
    causal : bool
        Whether the sums run over s, r <= t only.

    Returns
    -------
    y : ndarray of shape (length, d)

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762, eq. (1).

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.attention import attention
    >>> q, k, v = np.array([[0.0], [1.0]]), np.array([[0.0], [np.log(3)]]), np.array([[4.0], [8.0]])
    >>> attention(q, k, v, causal=False)  # weights 1/2, 1/2 and 1/4, 3/4
    array([[6.],
           [7.]])
    """
    length, d = q.shape
    scores = q @ k.T / np.sqrt(d)
    if causal:
        later = np.arange(length) > np.arange(length)[:, np.newaxis]
        scores[later] = -np.inf
    return softmax(scores) @ v


def multi_head_attention(
    x: NDArray[Any], weights: Mapping[str, NDArray[Any]], *, n_heads: int, causal: bool
) -> NDArray[Any]:
    """Tokens of one series, mixed over time by attention.

    Queries, keys and values are linear maps of the tokens. Each head uses its own columns of the three, and a linear
    map joins the outputs of the heads.

    Parameters
    ----------
    x : ndarray of shape (length, d_model)
        Tokens, without padding.
    weights : mapping of str to ndarray
        As `sigfeat.nn.Attention` names them.
    n_heads : int
        Number of heads, each d_model / n_heads wide.
    causal : bool
        Whether a token attends to earlier ones and itself only.

    Returns
    -------
    mixed : ndarray of shape (length, d_model)

    Notes
    -----
    Time O(length^2 d_model), compared with O(length log(length) d_model) of long convolutions.

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762, section 3.2.2.

    Examples
    --------
    The torch module computes the same.

    >>> import torch
    >>> from sigfeat.nn import Attention
    >>> from sigfeat.reference.attention import multi_head_attention
    >>> how = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float64}
    >>> layer = Attention(8, n_heads=2, **how).eval()
    >>> weights = {name: values.numpy() for name, values in layer.state_dict().items()}
    >>> x = torch.randn(9, 8, **how)
    >>> with torch.no_grad():
    ...     by_torch = layer(x[None])[0].numpy()
    >>> bool(abs(multi_head_attention(x.numpy(), weights, n_heads=2, causal=False) - by_torch).max() < 1e-9)
    True
    """
    q, k, v = np.split(linear(x, part(weights, "in_projection.")), 3, axis=1)
    width = x.shape[1] // n_heads
    heads = []
    for first in range(0, x.shape[1], width):
        own = slice(first, first + width)
        heads.append(attention(q[:, own], k[:, own], v[:, own], causal=causal))
    return linear(np.concatenate(heads, axis=1), part(weights, "out_projection."))
