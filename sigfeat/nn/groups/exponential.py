"""Matrix exponential.

`torch.matrix_exp` (2.13) has a wrong coefficient in its polynomial of degree 8: in float64 its error is up to 2e-10 for
norms between 3e-4 and 0.05, which are typical for the steps of a development.
"""

import math

import torch
from jaxtyping import Shaped
from torch import Tensor

from sigfeat._kernels.development.exponential import DEGREE_8, DEGREE_18

_LARGEST_NORM = {8: {32: 0.58, 64: 0.05}, 18: {32: 3.0, 64: 1.1}}  # by degree and bits of the real numbers


def matrix_exponential(matrix: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
    """Exponentials of matrices, by a Taylor polynomial of degree 8 or 18, and by squaring for large matrices.

    Parameters
    ----------
    matrix : tensor of shape (..., dim, dim)
        Real or complex matrices.

    Returns
    -------
    exponential : tensor of shape (..., dim, dim)
        Exponentials, up to the rounding error of the dtype times the norm. The largest matrix determines the degree.

    References
    ----------
    .. [1] Bader, Blanes, Casas, "Computing the matrix exponential with an optimized Taylor polynomial approximation",
       2019, Mathematics 7, 1174: (10)-(13), table 3.
    """
    with torch.no_grad():
        norms = matrix.abs().sum(dim=-1)
        norm = 0.0 if matrix.is_meta or not matrix.numel() else float(norms.amax())
    bits = torch.finfo(matrix.dtype).bits
    ratio = norm / _LARGEST_NORM[8][bits]
    if ratio > 1.0 and norm <= _LARGEST_NORM[18][bits]:
        return _degree_18(matrix)
    n_halvings = math.ceil(math.log2(ratio)) if 1.0 < ratio < math.inf else 0
    less_identity = _degree_8(matrix * 0.5**n_halvings)
    for _ in range(n_halvings):  # of exp - I, so that small matrices in a batch with large ones keep all their digits
        less_identity = 2 * less_identity + less_identity @ less_identity
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device) + less_identity


def _degree_8(a: Tensor) -> Tensor:
    """exp(A) - I by three products."""
    a2 = a @ a
    a4 = a2 @ _polynomial(DEGREE_8[0], a, a2)
    square = _polynomial(DEGREE_8[1], a, a2, a4) @ _polynomial(DEGREE_8[2], a, a2, a4)
    return _polynomial((0.0, *DEGREE_8[3][1:]), a, a2) + square


def _degree_18(a: Tensor) -> Tensor:
    """exp(A) by five products."""
    a2 = a @ a
    a3 = a @ a2
    a6 = a3 @ a3
    b1, b2, b3, b4, b5 = (_polynomial(weights, a, a2, a3, a6) for weights in DEGREE_18)
    a9 = b1 @ b5 + b4
    return b2 + (b3 + a9) @ a9


def _polynomial(weights: tuple[float, ...], *powers: Tensor) -> Tensor:
    """weights[0] I + sum of weights[i] times the i-th of `powers`."""
    identity = torch.eye(powers[0].shape[-1], dtype=powers[0].dtype, device=powers[0].device)
    total = weights[0] * identity.expand_as(powers[0])
    for weight, power in zip(weights[1:], powers, strict=True):
        total = total + weight * power
    return total
