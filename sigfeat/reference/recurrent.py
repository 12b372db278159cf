"""Gated recurrent units from their recursion."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat.reference.layers import linear, part, sigmoid


def gru(x: NDArray[Any], weights: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """States of a gated recurrent unit after each token; the state before the first is 0.

    The reset gate r, the update gate z, the proposal n and the state h_t are::

        r = sigmoid(W_r x_t + b_r + U_r h_{t-1} + c_r)
        z = sigmoid(W_z x_t + b_z + U_z h_{t-1} + c_z)
        n = tanh(W_n x_t + b_n + r . (U_n h_{t-1} + c_n))
        h_t = (1 - z) . n + z . h_{t-1}

    Parameters
    ----------
    x : ndarray of shape (length, d_model)
        Tokens.
    weights : mapping of str to ndarray
        As `torch.nn.GRU` names them: "weight_ih_l0" has W_r, W_z and W_n stacked, "bias_ih_l0" the b, "weight_hh_l0"
        the U and "bias_hh_l0" the c.

    Returns
    -------
    states : ndarray of shape (length, d_model)

    References
    ----------
    .. [1] Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, arXiv:1406.1078; with the
       reset gate r after the matrix product, and z and 1 - z exchanged, as in cuDNN and torch.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.recurrent import gru
    >>> weights = {name: np.zeros((3, 1)) for name in ("weight_ih_l0", "weight_hh_l0")}
    >>> weights |= {"bias_ih_l0": np.array([0.0, 0.0, 9.0]), "bias_hh_l0": np.zeros(3)}
    >>> gru(np.zeros((3, 1)), weights)[:, 0].round(3)  # half of the last state, and half of a proposal near 1
    array([0.5  , 0.75 , 0.875])
    """
    from_tokens = x @ weights["weight_ih_l0"].T + weights["bias_ih_l0"]
    h = np.zeros(weights["weight_hh_l0"].shape[1])
    states = np.empty((len(x), len(h)))
    for t in range(len(x)):
        from_state = weights["weight_hh_l0"] @ h + weights["bias_hh_l0"]
        (r_x, z_x, n_x), (r_h, z_h, n_h) = np.split(from_tokens[t], 3), np.split(from_state, 3)
        r, z = sigmoid(r_x + r_h), sigmoid(z_x + z_h)
        n = np.tanh(n_x + r * n_h)
        h = (1 - z) * n + z * h
        states[t] = h
    return states


def recurrent(x: NDArray[Any], weights: Mapping[str, NDArray[Any]], *, causal: bool) -> NDArray[Any]:
    """Tokens of one series, mixed over time by a gated recurrent unit.

    Unless causal, a second unit runs from the end to the start. A linear map joins the states of both.

    Parameters
    ----------
    x : ndarray of shape (length, d_model)
        Tokens, without padding.
    weights : mapping of str to ndarray
        As `sigfeat.nn.Recurrent` names them.
    causal : bool
        Whether there is no second unit.

    Returns
    -------
    mixed : ndarray of shape (length, d_model)

    Examples
    --------
    The torch module computes the same.

    >>> import torch
    >>> from sigfeat.nn import Recurrent
    >>> from sigfeat.reference.recurrent import recurrent
    >>> how = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float64}
    >>> layer = Recurrent(8, **how).eval()
    >>> weights = {name: values.numpy() for name, values in layer.state_dict().items()}
    >>> x = torch.randn(9, 8, **how)
    >>> with torch.no_grad():
    ...     by_torch = layer(x[None])[0].numpy()
    >>> bool(abs(recurrent(x.numpy(), weights, causal=False) - by_torch).max() < 1e-9)
    True
    """
    states = gru(x, part(weights, "ahead."))
    if not causal:
        states_back = gru(x[::-1], part(weights, "back."))[::-1]
        states = np.concatenate([states, states_back], axis=1)
    return linear(states, part(weights, "out_projection."))
