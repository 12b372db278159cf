"""State space models and the S4 mixer from their definitions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from sigfeat.reference.layers import gelu, linear, part, sigmoid


def hippo_legs(n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """State matrix A and input B of HiPPO-LegS, whose states are Legendre coefficients of the whole past.

    A_ij = -sqrt((2i + 1) (2j + 1)) below the diagonal, -(i + 1) on it, and 0 above;  B_i = sqrt(2i + 1).
    [1]_, eq. (2).

    Parameters
    ----------
    n : int
        Number of states.

    Returns
    -------
    a : ndarray of shape (n, n)
    b : ndarray of shape (n,)

    References
    ----------
    .. [1] Gu, Goel, Ré, "Efficiently modeling long sequences with structured state spaces", 2021, arXiv:2111.00396.

    Examples
    --------
    >>> from sigfeat.reference.s4 import hippo_legs
    >>> hippo_legs(2)[0]
    array([[-1.        ,  0.        ],
           [-1.73205081, -2.        ]])
    """
    b = np.sqrt(2.0 * np.arange(n) + 1)
    return np.tril(-np.outer(b, b), -1) - np.diag(np.arange(n) + 1.0), b


def nplr(n: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Eigenvalues, rank-one part, input and basis of HiPPO-LegS, A = V (diag(Lambda) - P P^*) V^*.

    Adding p p^T with p_i = sqrt(i + 1/2) to A leaves -1/2 I plus a skew-symmetric matrix, which a unitary V
    diagonalises; [1]_, theorem 1 and appendix C.1.

    Parameters
    ----------
    n : int
        Number of states.

    Returns
    -------
    eigenvalues : ndarray of shape (n,)
        Lambda, in increasing order of the imaginary parts, which are pairs of opposite sign.
    low_rank : ndarray of shape (n,)
        P = V^* p.
    b : ndarray of shape (n,)
        V^* B.
    basis : ndarray of shape (n, n)
        V.

    References
    ----------
    .. [1] Gu, Goel, Ré, "Efficiently modeling long sequences with structured state spaces", 2021, arXiv:2111.00396.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.s4 import hippo_legs, nplr
    >>> eigenvalues, p, b, basis = nplr(4)
    >>> a = basis @ (np.diag(eigenvalues) - np.outer(p, p.conj())) @ basis.conj().T
    >>> bool(np.allclose(a, hippo_legs(4)[0]))
    True
    """
    a, b = hippo_legs(n)
    p = np.sqrt(np.arange(n) + 0.5)
    skew = a + np.outer(p, p) + 0.5 * np.eye(n)
    imaginary, basis = np.linalg.eigh(-1j * skew)  # eigh, since i times a skew-symmetric matrix is Hermitian
    return -0.5 + 1j * imaginary, basis.conj().T @ p, basis.conj().T @ b, basis


def zero_order_hold(a: NDArray[Any], b: NDArray[Any], dt: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Discretisation of x' = A x + B u for an input that is constant in each step.

    Abar = exp(dt A) and Bbar = A^{-1} (exp(dt A) - I) B.

    Parameters
    ----------
    a : ndarray of shape (n, n)
        A.
    b : ndarray of shape (n,)
        B.
    dt : float
        Length of a time step.

    Returns
    -------
    a_bar : ndarray of shape (n, n)
    b_bar : ndarray of shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.s4 import zero_order_hold
    >>> a_bar, b_bar = zero_order_hold(np.array([[-1.0]]), np.array([1.0]), 0.1)
    >>> a_bar.round(4), b_bar.round(4)
    (array([[0.9048]]), array([0.0952]))
    """
    a_bar = expm(dt * a)
    return a_bar, np.linalg.solve(a, (a_bar - np.eye(len(a))) @ b)


def bilinear(a: NDArray[Any], b: NDArray[Any], dt: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Discretisation of x' = A x + B u by the trapezoidal rule.

    Abar = (I - dt/2 A)^{-1} (I + dt/2 A) and Bbar = (I - dt/2 A)^{-1} dt B.

    Parameters
    ----------
    a : ndarray of shape (n, n)
        A.
    b : ndarray of shape (n,)
        B.
    dt : float
        Length of a time step.

    Returns
    -------
    a_bar : ndarray of shape (n, n)
    b_bar : ndarray of shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.s4 import bilinear
    >>> a_bar, b_bar = bilinear(np.array([[-1.0]]), np.array([1.0]), 0.1)
    >>> a_bar.round(4), b_bar.round(4)
    (array([[0.9048]]), array([0.0952]))
    """
    before, after = np.eye(len(a)) - dt / 2 * a, np.eye(len(a)) + dt / 2 * a
    return np.linalg.solve(before, after), np.linalg.solve(before, dt * b)


def s4_recurrence(a_bar: NDArray[Any], b_bar: NDArray[Any], c: NDArray[Any], u: NDArray[Any]) -> NDArray[Any]:
    """Outputs y_k = Re(C x_k) of the states x_k = Abar x_{k-1} + Bbar u_k, for one channel u.

    Parameters
    ----------
    a_bar : ndarray of shape (n, n)
        Abar.
    b_bar, c : ndarray of shape (n,)
        Bbar and C.
    u : ndarray of shape (n_timepoints,)
        Input.

    Returns
    -------
    y : ndarray of shape (n_timepoints,)

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.s4 import s4_recurrence
    >>> s4_recurrence(np.array([[0.5]]), np.array([1.0]), np.array([1.0]), np.array([1.0, 0.0, 0.0]))
    array([1.  , 0.5 , 0.25])
    """
    x, y = np.zeros_like(b_bar), np.empty(len(u), dtype=b_bar.real.dtype)
    for k in range(len(u)):
        x = a_bar @ x + b_bar * u[k]
        y[k] = (c @ x).real
    return y


def s4(x: NDArray[Any], weights: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Tokens of one series, mixed over time by S4.

    Each channel is the input of a state space model of its own. The outputs, plus a multiple of the channel itself,
    pass GELU and a gated linear unit. If there is a second output matrix C, it is applied to the states of the
    reversed series.

    Parameters
    ----------
    x : ndarray of shape (n_timepoints, d_model)
        Tokens, without padding.
    weights : mapping of str to ndarray
        As `sigfeat.nn.mixers.s4.S4` names them. With a "low_rank" part, the state matrix is diagonal plus low-rank and
        the discretisation bilinear; without it, the model is S4D, B is 1 and the input is held between the points.

    Returns
    -------
    mixed : ndarray of shape (n_timepoints, d_model)

    References
    ----------
    .. [1] Gu, Goel, Ré, "Efficiently modeling long sequences with structured state spaces", 2021, arXiv:2111.00396.
    .. [2] Gu, Gupta, Goel, Ré, "On the parameterization and initialization of diagonal state space models", 2022,
       arXiv:2206.11893.

    Examples
    --------
    The torch module computes the same.

    >>> import torch
    >>> from sigfeat.nn import S4
    >>> from sigfeat.reference.s4 import s4
    >>> how = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float64}
    >>> layer = S4(8, d_state=4, **how).eval()
    >>> weights = {name: values.numpy() for name, values in layer.state_dict().items()}
    >>> x = torch.randn(9, 8, **how)
    >>> with torch.no_grad():
    ...     by_torch = layer(x[None])[0].numpy()
    >>> bool(abs(s4(x.numpy(), weights) - by_torch).max() < 1e-9)
    True
    """
    eigenvalues = -np.exp(weights["log_minus_real"]) + 1j * weights["imaginary"]
    mixed = weights["skip"] * x
    for h in range(x.shape[1]):
        a, b = np.diag(_pairs(eigenvalues[h])), np.ones(2 * eigenvalues.shape[1], dtype=complex)
        dt, discretised = np.exp(weights["log_dt"][h]), zero_order_hold
        if "low_rank" in weights:
            p, b = _pairs(_complex(weights["low_rank"][h])), _pairs(_complex(weights["input"][h]))
            a, discretised = a - np.outer(p, p.conj()), bilinear
        a_bar, b_bar = discretised(a, b, dt)
        outputs = [_pairs(_complex(c)) for c in weights["output"][:, h]]
        mixed[:, h] += s4_recurrence(a_bar, b_bar, outputs[0], x[:, h])
        if len(outputs) == 2:  # the first one includes lag 0
            mixed[:-1, h] += s4_recurrence(a_bar, b_bar, outputs[1], x[:0:-1, h])[::-1]
    values, gates = np.split(linear(gelu(mixed), part(weights, "out_projection.")), 2, axis=1)
    return values * sigmoid(gates)


def _pairs(half: NDArray[Any]) -> NDArray[Any]:
    """Both elements of each conjugate pair, of which one is given."""
    return np.concatenate([half, half.conj()])


def _complex(parts: NDArray[Any]) -> NDArray[Any]:
    return parts[..., 0] + 1j * parts[..., 1]
