"""Encoders from their definition: from series to tokens, with any mixer over time."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat.reference.attention import multi_head_attention
from sigfeat.reference.hyena import hyena
from sigfeat.reference.layers import gelu, layer_norm, linear, part, sinusoids
from sigfeat.reference.recurrent import recurrent
from sigfeat.reference.s4 import s4


def encoder(series: NDArray[Any], weights: Mapping[str, NDArray[Any]], spec: Any) -> NDArray[Any]:
    """Tokens of one series, in evaluation.

    Each point and its neighbours become a token by a linear map, and with sinusoidal positions the sinusoids of the
    position are added. Blocks follow, then a norm, and a linear map if the output has another width.

    Parameters
    ----------
    series : ndarray of shape (length, n_channels)
        One series without padding.
    weights : mapping of str to ndarray
        As `sigfeat.nn.Encoder` names them: its `state_dict()`, converted to arrays.
    spec : sigfeat.nn.EncoderSpec
        Or any object with the attributes `mixer`, `n_layers`, `d_model`, `positions`, `embedding_filter`, `causal`
        and those that the mixer needs.

    Returns
    -------
    tokens : ndarray of shape (length, d_out)

    Examples
    --------
    The torch module computes the same.

    >>> import torch
    >>> from sigfeat.nn import Encoder, EncoderSpec
    >>> from sigfeat.reference.encoder import encoder
    >>> how = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float64}
    >>> spec = EncoderSpec("attention", n_channels=2, d_model=8, n_layers=2, d_ff=16, d_out=8)
    >>> module = Encoder(spec, **how).eval()
    >>> weights = {name: values.numpy() for name, values in module.state_dict().items()}
    >>> series = torch.randn(9, 2, **how)
    >>> with torch.no_grad():
    ...     by_torch = module(series[None])[0].numpy()
    >>> bool(abs(encoder(series.numpy(), weights, spec) - by_torch).max() < 1e-9)
    True
    """
    x = linear(neighbours(series, spec.embedding_filter, causal=spec.causal), part(weights, "embedding."))
    if spec.positions == "sinusoidal":
        x = x + sinusoids(len(series), spec.d_model)
    for n in range(spec.n_layers):
        x = block(x, part(weights, f"blocks.{n}."), spec)
    tokens = layer_norm(x, part(weights, "norm."))
    if "out_projection.weight" in weights:
        tokens = linear(tokens, part(weights, "out_projection."))
    return tokens


def neighbours(series: NDArray[Any], width: int, *, causal: bool) -> NDArray[Any]:
    """Values at each point and its neighbours, of which `width` are joined in a row.

    Row t holds, for each channel c in turn, the values x_{t - m, c}, ..., x_{t - m + width - 1, c}.

    Parameters
    ----------
    series : ndarray of shape (length, n_channels)
        x; its values are 0 before the first and after the last.
    width : int
        Number of points in a row.
    causal : bool
        Whether the last of them is point t (m = width - 1); otherwise it is the middle one (m = width // 2).

    Returns
    -------
    rows : ndarray of shape (length, n_channels * width)

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.encoder import neighbours
    >>> neighbours(np.array([[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]]), 3, causal=False)
    array([[ 0.,  1.,  2.,  0., -1., -2.],
           [ 1.,  2.,  3., -1., -2., -3.],
           [ 2.,  3.,  0., -2., -3.,  0.]])
    """
    length, n_channels = series.shape
    m = width - 1 if causal else width // 2
    rows = np.zeros((length, n_channels, width))
    for t in range(length):
        for k in range(width):
            if 0 <= t - m + k < length:
                rows[t, :, k] = series[t - m + k]
    return rows.reshape(length, n_channels * width)


def block(x: NDArray[Any], weights: Mapping[str, NDArray[Any]], spec: Any) -> NDArray[Any]:
    """x + mixer(norm(x)), where tokens interact, and then x + feed-forward(norm(x)), for each token by itself.

    Parameters
    ----------
    x : ndarray of shape (length, d_model)
        Tokens.
    weights : mapping of str to ndarray
        As `sigfeat.nn.encoder.Block` names them.
    spec : sigfeat.nn.EncoderSpec
        As for `encoder`.

    Returns
    -------
    x : ndarray of shape (length, d_model)

    References
    ----------
    .. [1] Xiong et al., "On layer normalization in the transformer architecture", 2020, arXiv:2002.04745, figure 1 (b).

    Examples
    --------
    A block whose weights are zero, except those of its norms, changes nothing.

    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from sigfeat.reference.encoder import block
    >>> shapes = {"mixer.in_projection": (6, 2), "mixer.out_projection": (2, 2), "widen": (4, 2), "narrow": (2, 4)}
    >>> weights = {f"{name}.weight": np.zeros(shape) for name, shape in shapes.items()}
    >>> weights |= {f"{norm}_norm.{name}": np.ones(2) for norm in ("mixer", "feed") for name in ("weight", "bias")}
    >>> x = np.array([[1.0, 2.0], [3.0, 5.0]])
    >>> block(x, weights, SimpleNamespace(mixer="attention", n_heads=1, causal=False, positions="none"))
    array([[1., 2.],
           [3., 5.]])
    """
    x = x + mixed(layer_norm(x, part(weights, "mixer_norm.")), part(weights, "mixer."), spec)
    hidden = gelu(linear(layer_norm(x, part(weights, "feed_norm.")), part(weights, "widen.")))
    return x + linear(hidden, part(weights, "narrow."))


def pointwise(x: NDArray[Any], weights: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Tokens (length, d_model), each mapped by itself, without mixing over time."""
    return linear(gelu(linear(x, part(weights, "in_projection."))), part(weights, "out_projection."))


MIXERS: Mapping[str, Callable[[NDArray[Any], Mapping[str, NDArray[Any]], Any], NDArray[Any]]] = {
    "attention": lambda x, weights, spec: multi_head_attention(
        x, weights, n_heads=spec.n_heads, causal=spec.causal, positions=spec.positions
    ),
    "hyena": lambda x, weights, spec: hyena(
        x,
        weights,
        causal=spec.causal,
        time_scale=spec.time_scale,
        gate_norm=spec.gate_norm,
        filter_length=spec.filter_length,
    ),
    "s4": lambda x, weights, spec: s4(x, weights),
    "recurrent": lambda x, weights, spec: recurrent(x, weights, causal=spec.causal),
    "pointwise": lambda x, weights, spec: pointwise(x, weights),
}


def mixed(x: NDArray[Any], weights: Mapping[str, NDArray[Any]], spec: Any) -> NDArray[Any]:
    """Tokens (length, d_model) after the mixer that the spec names."""
    if spec.mixer not in MIXERS:
        raise ValueError(f"mixer must be one of {', '.join(MIXERS)}, got {spec.mixer!r}")
    return MIXERS[spec.mixer](x, weights, spec)
