"""The Hyena operator from its definition, convolutions as sums over time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat.reference.layers import linear, part

FLOOR = 0.05  # smallest value of the window


def implicit_filter(
    lags: NDArray[Any], weights: Mapping[str, NDArray[Any]], *, time_scale: float, length: int | None = None
) -> NDArray[Any]:
    """Taps of filters that are a neural network of the lag, times a window that decays.

    With t = lag / time_scale:  h(t) = (exp(-a |t|) + FLOOR) MLP(t, cos(pi t), ..., cos(pi b t), sin(pi t), ...,
    sin(pi b t)), where each filter has its own a > 0 and its own output of the network. From |lag| = length on, h is 0.

    Parameters
    ----------
    lags : ndarray of shape (n_lags,)
        Lags in steps; a negative lag lets a value act on earlier ones.
    weights : mapping of str to ndarray
        As `sigfeat.nn.mixers.hyena.ImplicitFilter` names them.
    time_scale : float
        Lag, in steps, that corresponds to t = 1.
    length : int or None, default=None
        Number of lags of the filters; None for no end.

    Returns
    -------
    taps : ndarray of shape (n_lags, n_filters)

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy", 2023, arXiv:2302.10866, section 3.3.

    Examples
    --------
    If the network is 1 everywhere, the taps are the window.

    >>> import numpy as np
    >>> from sigfeat.reference.hyena import implicit_filter
    >>> weights = {f"layers.{k}.weight": np.zeros(shape) for k, shape in enumerate(((2, 3), (2, 2), (1, 2)))}
    >>> weights |= {"layers.2.bias": np.ones(1), "log_decay": np.zeros(1)}
    >>> implicit_filter(np.array([-100, 0, 100, 1000]), weights, time_scale=100.0)[:, 0].round(3)
    array([0.418, 1.05 , 0.418, 0.05 ])
    """
    t = lags[:, np.newaxis] / time_scale
    n_bands = (weights["layers.0.weight"].shape[1] - 1) // 2
    angles = np.pi * t * np.arange(1, n_bands + 1)
    hidden = np.concatenate([t, np.cos(angles), np.sin(angles)], axis=1)
    hidden = np.sin(linear(hidden, part(weights, "layers.0.")))
    hidden = np.sin(linear(hidden, part(weights, "layers.1.")))
    window = np.exp(-np.exp(weights["log_decay"]) * np.abs(t)) + FLOOR
    taps = window * linear(hidden, part(weights, "layers.2."))
    return taps if length is None else np.where(np.abs(lags)[:, np.newaxis] < length, taps, 0.0)


def modal_filter(lags: NDArray[Any], weights: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Taps of filters that are sums of damped oscillations.

    h(l) = Re sum over n of R_n exp(c (-exp(a_n) + i b_n) l) at lag l >= 0, with its own c, a, b and R for each filter.

    Parameters
    ----------
    lags : ndarray of shape (n_lags,)
        Lags in steps, at least 0.
    weights : mapping of str to ndarray
        As `sigfeat.nn.mixers.modal.ModalFilter` names them: "log_rate" log(c), "log_decay" a, "frequency" b, and
        "residue" R as pairs of real numbers.

    Returns
    -------
    taps : ndarray of shape (n_lags, n_filters)

    References
    ----------
    .. [1] Massaroli et al., "Laughing hyena distillery", 2023, arXiv:2310.18780, section 3.

    Examples
    --------
    One mode that does not oscillate, and halves at each step.

    >>> import numpy as np
    >>> from sigfeat.reference.hyena import modal_filter
    >>> weights = {"log_rate": np.zeros(1), "log_decay": np.log([[np.log(2)]]), "frequency": np.zeros((1, 1))}
    >>> weights["residue"] = np.array([[[3.0, 0.0]]])
    >>> modal_filter(np.arange(3), weights)[:, 0].round(4)
    array([3.  , 1.5 , 0.75])
    """
    rates = np.exp(weights["log_rate"])[:, np.newaxis]
    exponents = rates * (-np.exp(weights["log_decay"]) + 1j * weights["frequency"])
    residues = weights["residue"][..., 0] + 1j * weights["residue"][..., 1]
    return np.stack([np.sum(residues * np.exp(exponents * lag), axis=1).real for lag in lags])


def short_convolution(u: NDArray[Any], taps: NDArray[Any], bias: NDArray[Any], *, causal: bool) -> NDArray[Any]:
    """Sums of each value and its neighbours, in every channel: y_t = b + sum over k of w_k u_{t + k - m}.

    Parameters
    ----------
    u : ndarray of shape (length, n_channels)
        Values; they are 0 before the first and after the last.
    taps : ndarray of shape (n_channels, width)
        w, in the order of time.
    bias : ndarray of shape (n_channels,)
        b.
    causal : bool
        Whether the last tap has lag 0 (m = width - 1); otherwise the middle one has (m = width // 2).

    Returns
    -------
    y : ndarray of shape (length, n_channels)

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.hyena import short_convolution
    >>> u = np.array([[1.0], [10.0], [100.0]])
    >>> short_convolution(u, np.array([[1.0, 2.0]]), np.zeros(1), causal=True)[:, 0]  # twice each value, plus the last
    array([  2.,  21., 210.])
    """
    length, width = len(u), taps.shape[1]
    m = width - 1 if causal else width // 2
    y = np.tile(bias, (length, 1))
    for t in range(length):
        for k in range(width):
            if 0 <= t + k - m < length:
                y[t] += taps[:, k] * u[t + k - m]
    return y


def long_convolution(z: NDArray[Any], h: NDArray[Any]) -> NDArray[Any]:
    """Sums over all time, in every channel: y_t = sum over s of h_{t-s} z_s.

    Parameters
    ----------
    z : ndarray of shape (length, n_channels)
        Values.
    h : ndarray of shape (2 length - 1, n_channels)
        Taps at lags 0, 1, ..., length - 1, followed by those at lags 1 - length, ..., -2, -1. As Python counts from the
        end, h[-1] is the tap at lag -1, by which a value acts on the one before it.

    Returns
    -------
    y : ndarray of shape (length, n_channels)

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.hyena import long_convolution
    >>> z = np.array([[1.0], [10.0], [100.0]])
    >>> long_convolution(z, np.array([[1.0], [2.0], [0.0], [0.0], [0.0]]))[:, 0]  # each value and twice the one before
    array([  1.,  12., 120.])
    """
    y = np.zeros_like(z)
    for t in range(len(z)):
        for s in range(len(z)):
            y[t] += h[t - s] * z[s]
    return y


def hyena(
    x: NDArray[Any],
    weights: Mapping[str, NDArray[Any]],
    *,
    causal: bool,
    time_scale: float,
    gate_norm: bool,
    filter_length: int | None = None,
) -> NDArray[Any]:
    """Tokens of one series, mixed over time by long convolutions with gates between them.

    v, x_1, ..., x_N are linear maps of the tokens, each followed by a short convolution. From z_1 = v on,
    z_{n+1} = (1 + x_n / N) . (h_n * z_n / N + s_n z_n) for n = 1, ..., N: a convolution (*) transports values through
    time, and the product with a gate (.) selects among them at each token. The result is a linear map of z_{N+1}. The
    width of z_n, that of the skip weights, need not be that of the tokens.

    Parameters
    ----------
    x : ndarray of shape (length, d_model)
        Tokens, without padding.
    weights : mapping of str to ndarray
        As `sigfeat.nn.Hyena` names them; the order N is the number of skip weights s_n. If "filters.residue" is among
        them, the filters are modal, otherwise implicit.
    causal : bool
        Whether the filters h_n have no taps at negative lags.
    time_scale : float
        Lag, in steps, that the filters see as 1.
    gate_norm : bool
        Whether each z_{n+1} is divided by sqrt(mean of its squares over the width + 1e-6).
    filter_length : int or None, default=None
        Number of lags of implicit filters; None for no end.

    Returns
    -------
    mixed : ndarray of shape (length, d_model)

    Notes
    -----
    Time O(order d_model length^2) by these sums, O(order d_model length log(length)) by fast Fourier transforms.

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy", 2023, arXiv:2302.10866, definition 3.1. Order N has N convolutions as there;
       the published code leaves out the first. Where the paper has x_n and h_n, here are 1 + x_n / N and h_n / N:
       the functions are the same, in other coordinates. These coordinates, two-sided filters and `gate_norm` are not
       in the paper.

    Examples
    --------
    The torch module computes the same.

    >>> import torch
    >>> from sigfeat.nn import Hyena, HyenaFilter
    >>> from sigfeat.reference.hyena import hyena
    >>> how = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float64}
    >>> layer = Hyena(8, order=2, filter=HyenaFilter(width=16, n_bands=4), **how).eval()
    >>> weights = {name: values.numpy() for name, values in layer.state_dict().items()}
    >>> x = torch.randn(9, 8, **how)
    >>> with torch.no_grad():
    ...     by_torch = layer(x[None])[0].numpy()
    >>> bool(abs(hyena(x.numpy(), weights, causal=False, time_scale=100.0, gate_norm=False) - by_torch).max() < 1e-9)
    True
    """
    length, order = len(x), len(weights["skip"])
    projected = linear(x, part(weights, "in_projection."))
    projected = short_convolution(projected, weights["short_taps"], weights["short_bias"], causal=causal)
    z, *gates = np.split(projected, order + 1, axis=1)

    lags = np.concatenate([np.arange(length), np.arange(1 - length, 0)])
    if "filters.residue" in weights:
        taps = modal_filter(np.maximum(lags, 0), part(weights, "filters."))
    else:
        taps = implicit_filter(lags, part(weights, "filters."), time_scale=time_scale, length=filter_length)
    if causal:
        taps[lags < 0] = 0
    filters = np.split(taps, order, axis=1)

    for gate, h, skip in zip(gates, filters, weights["skip"], strict=True):
        z = (1 + gate / order) * (long_convolution(z, h) / order + skip * z)
        if gate_norm:
            z = z / np.sqrt(np.mean(z**2, axis=1, keepdims=True) + 1e-6)
    return linear(z, part(weights, "out_projection."))
