"""Small parts of encoders: linear maps, norms, positions, pooling over time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from sigfeat.pooling import pooling_named


def part(weights: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Weights whose names begin with a prefix, named without it.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Weights of a module by their names in torch, "mixer.skip" for example.
    prefix : str
        "mixer." for example.

    Returns
    -------
    weights : dict of str to ndarray
        Weights of the part.
    """
    return {name.removeprefix(prefix): values for name, values in weights.items() if name.startswith(prefix)}


def linear(x: NDArray[Any], weights: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """y = W x + b of each token.

    Parameters
    ----------
    x : ndarray of shape (length, n_in)
        Tokens.
    weights : mapping of str to ndarray
        "weight" W of shape (n_out, n_in), and optionally "bias" b of shape (n_out,).

    Returns
    -------
    y : ndarray of shape (length, n_out)

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.layers import linear
    >>> linear(np.array([[1.0, 2.0]]), {"weight": np.array([[3.0, 4.0]]), "bias": np.array([5.0])})
    array([[16.]])
    """
    return x @ weights["weight"].T + weights.get("bias", 0.0)


def layer_norm(x: NDArray[Any], weights: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """y = w (x - mean) / sqrt(variance + 1e-5) + b, with the mean and variance of each token over its width.

    Parameters
    ----------
    x : ndarray of shape (length, d_model)
        Tokens.
    weights : mapping of str to ndarray
        "weight" w and "bias" b, both of shape (d_model,).

    Returns
    -------
    y : ndarray of shape (length, d_model)

    References
    ----------
    .. [1] Ba, Kiros, Hinton, "Layer normalization", 2016, arXiv:1607.06450.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.layers import layer_norm
    >>> layer_norm(np.array([[1.0, 3.0], [10.0, 30.0]]), {"weight": np.ones(2), "bias": np.zeros(2)}).round(3)
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return weights["weight"] * (x - mean) / np.sqrt(variance + 1e-5) + weights["bias"]


def gelu(x: NDArray[Any]) -> NDArray[Any]:
    """x times the probability that a standard normal variable is below x.

    Parameters
    ----------
    x : ndarray
        Of any shape.

    Returns
    -------
    y : ndarray of the shape of x

    References
    ----------
    .. [1] Hendrycks, Gimpel, "Gaussian error linear units", 2016, arXiv:1606.08415.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.layers import gelu
    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(3)
    array([-0.159,  0.   ,  0.841])
    """
    return x * (1 + erf(x / np.sqrt(2))) / 2


def sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    """1 / (1 + exp(-x)), computed by tanh, which does not overflow.

    Parameters
    ----------
    x : ndarray
        Of any shape.

    Returns
    -------
    y : ndarray of the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.layers import sigmoid
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return (1 + np.tanh(x / 2)) / 2


def softmax(x: NDArray[Any]) -> NDArray[Any]:
    """exp(x_i) / sum over j of exp(x_j), along the last axis; the largest x is subtracted so that nothing overflows.

    Parameters
    ----------
    x : ndarray
        Of any shape.

    Returns
    -------
    probabilities : ndarray of the shape of x

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.layers import softmax
    >>> softmax(np.log([1.0, 3.0]))
    array([0.25, 0.75])
    """
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sinusoids(length: int, d_model: int) -> NDArray[Any]:
    """Sines and cosines of each position t, at frequencies that fall from 1 towards 1/10000.

    With m = ceil(d_model / 2):  sin(t w_0), ..., sin(t w_{m-1}), cos(t w_0), ..., cos(t w_{m-1}),  w_i = 10000^(-i/m);
    the last is left out where `d_model` is odd.

    Parameters
    ----------
    length : int
        Number of positions t = 0, 1, ...
    d_model : int
        Width of the tokens.

    Returns
    -------
    positions : ndarray of shape (length, d_model)

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762, section 3.5; here the cosines
       follow all sines, there they alternate.

    Examples
    --------
    >>> from sigfeat.reference.layers import sinusoids
    >>> sinusoids(3, 4).round(2)
    array([[ 0.  ,  0.  ,  1.  ,  1.  ],
           [ 0.84,  0.01,  0.54,  1.  ],
           [ 0.91,  0.02, -0.42,  1.  ]])
    """
    m = (d_model + 1) // 2
    angles = np.outer(np.arange(length), 10_000.0 ** (-np.arange(m) / m))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)[:, :d_model]


def pool_tokens(tokens: NDArray[Any], bounds: NDArray[Any], pooling: str) -> NDArray[Any]:
    """Pooling of the tokens in each window of time.

    Parameters
    ----------
    tokens : ndarray of shape (length, d_model)
        Tokens of one series.
    bounds : ndarray of shape (n_windows, 2)
        Each window's first time, and the time behind its last. A window without a time takes one.
    pooling : str
        A name in `sigfeat.pooling.POOLINGS` that needs no threshold.
        What is taken, of each component by itself.

    Returns
    -------
    pooled : ndarray of shape (n_windows, d_model)

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.layers import pool_tokens
    >>> pool_tokens(np.array([[1.0], [5.0], [3.0]]), np.array([[0, 3], [1, 3]]), "mean")
    array([[3.],
           [4.]])
    """
    pooled, definition = [], pooling_named(pooling).definition
    for start, stop in bounds:
        start = min(start, len(tokens) - 1)
        window = tokens[start : max(stop, start + 1)]
        pooled.append([definition(channel, 0.0, 0) for channel in window.T])
    return np.array(pooled)
