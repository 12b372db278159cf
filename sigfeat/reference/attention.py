"""Multi-head attention from its definition."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat.reference.hyena import short_convolution
from sigfeat.reference.layers import linear, part, softmax


def attention(q: NDArray[Any], k: NDArray[Any], v: NDArray[Any], *, causal: bool, slope: float = 0.0) -> NDArray[Any]:
    """Mean of the values of all tokens, weighted for each token by the similarity of its query to their keys.

    y_t = sum over s of p_ts v_s,  p_ts = exp(a_ts) / sum over r of exp(a_tr),  a_ts = q_t . k_s / sqrt(d) - m |t - s|.

    Parameters
    ----------
    q, k, v : ndarrays of shape (length, d)
        Queries, keys and values of the tokens.
    causal : bool
        Whether the sums run over s, r <= t only.
    slope : float, default=0.0
        m, by which distance lowers the scores.

    Returns
    -------
    y : ndarray of shape (length, d)

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762, eq. (1).
    .. [2] Press et al., "Train short, test long: attention with linear biases enables input length extrapolation",
       2021, arXiv:2108.12409, section 3. The absolute value, for attention to both sides, is not in the paper.

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
    lags = np.arange(length)[:, np.newaxis] - np.arange(length)
    scores = q @ k.T / np.sqrt(d) - slope * np.abs(lags)
    if causal:
        scores[lags < 0] = -np.inf
    return softmax(scores) @ v


def rotated(x: NDArray[Any]) -> NDArray[Any]:
    """Queries or keys, pairs of whose entries are rotated by angles proportional to the time t.

    Of the first 2 n entries, with n = floor(d / 2), entries i and i + n are a pair that is rotated by the angle t w_i,
    w_i = 10000^(-i / n). The last entry of an odd number d is not rotated. The inner product of a rotated query and a
    rotated key depends on their times only by the difference.

    Parameters
    ----------
    x : ndarray of shape (length, d)
        Queries or keys at the times t = 0, 1, ...

    Returns
    -------
    rotated : ndarray of shape (length, d)

    References
    ----------
    .. [1] Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021, arXiv:2104.09864, eq. (34);
       there the entries of a pair are neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.attention import rotated
    >>> rotated(np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])).round(2)
    array([[ 1.  ,  0.  ],
           [ 0.54,  0.84],
           [-0.42,  0.91]])
    """
    n = x.shape[1] // 2
    turned = x.copy()
    for t in range(len(x)):
        for i in range(n):
            angle = t * 10_000.0 ** (-i / n)
            turned[t, i] = np.cos(angle) * x[t, i] - np.sin(angle) * x[t, i + n]
            turned[t, i + n] = np.sin(angle) * x[t, i] + np.cos(angle) * x[t, i + n]
    return turned


def multi_head_attention(
    x: NDArray[Any], weights: Mapping[str, NDArray[Any]], *, n_heads: int, causal: bool, positions: str
) -> NDArray[Any]:
    """Tokens of one series, mixed over time by attention.

    Queries, keys and values are linear maps of the tokens, followed by a short convolution if there is one. Each head
    uses its own columns of the three, and a linear map joins the outputs of the heads.

    Parameters
    ----------
    x : ndarray of shape (length, d_model)
        Tokens, without padding.
    weights : mapping of str to ndarray
        As `sigfeat.nn.Attention` names them. With "short_taps" and "short_bias" among them there is a short
        convolution.
    n_heads : int
        Number of heads, each d_model / n_heads wide.
    causal : bool
        Whether a token attends to earlier ones and itself only.
    positions : {"rotary", "alibi", "sinusoidal", "none"}
        For "rotary", queries and keys are rotated. For "alibi", head h = 1, ..., n_heads has the slope
        2^(-8 h / n_heads). Otherwise attention does not depend on the order of the tokens.

    Returns
    -------
    mixed : ndarray of shape (length, d_model)

    Notes
    -----
    Time O(length^2 d_model), compared with O(length log(length) d_model) of long convolutions.

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762, section 3.2.2.
    .. [2] Press et al., "Train short, test long: attention with linear biases enables input length extrapolation",
       2021, arXiv:2108.12409, section 3: slopes.
    .. [3] So et al., "Primer: searching for efficient transformers for language modeling", 2021, arXiv:2109.08668:
       short convolutions.

    Examples
    --------
    The torch module computes the same.

    >>> import torch
    >>> from sigfeat.nn import Attention
    >>> from sigfeat.reference.attention import multi_head_attention
    >>> how = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float64}
    >>> layer = Attention(8, n_heads=2, positions="rotary", short_filter=3, **how).eval()
    >>> weights = {name: values.numpy() for name, values in layer.state_dict().items()}
    >>> x = torch.randn(9, 8, **how)
    >>> with torch.no_grad():
    ...     by_torch = layer(x[None])[0].numpy()
    >>> mixed = multi_head_attention(x.numpy(), weights, n_heads=2, causal=False, positions="rotary")
    >>> bool(abs(mixed - by_torch).max() < 1e-9)
    True
    """
    projected = linear(x, part(weights, "in_projection."))
    if "short_taps" in weights:
        projected = short_convolution(projected, weights["short_taps"], weights["short_bias"], causal=causal)
    by_head = [np.split(columns, n_heads, axis=1) for columns in np.split(projected, 3, axis=1)]
    heads = []
    for h, (q, k, v) in enumerate(zip(*by_head, strict=True), start=1):
        if positions == "rotary":
            q, k = rotated(q), rotated(k)
        slope = 2.0 ** (-8 * h / n_heads) if positions == "alibi" else 0.0
        heads.append(attention(q, k, v, causal=causal, slope=slope))
    return linear(np.concatenate(heads, axis=1), part(weights, "out_projection."))
