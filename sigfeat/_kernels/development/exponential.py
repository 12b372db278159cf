"""Exponentials of matrices and their derivatives, one matrix per SIMD lane.

All lanes take the degree that the largest of them needs. A bound of the norm is the caller's, since the caller knows
the matrices as sums whose norms are cheap.
"""

import math

import numpy as np

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.development.matrices import add_identity, add_star, copy, mix, multiply, scale

# Degree p is taken up to this norm: where norm^(p + 1) / (p + 1)! reaches the rounding error of the dtype.
DEGREES = (2, 4, 8, 12, 18)
LARGEST_NORMS = {
    itemsize: np.array([(math.factorial(p + 1) * np.finfo(dtype).eps / 2) ** (1 / (p + 1)) for p in DEGREES])
    for itemsize, dtype in ((4, np.float32), (8, np.float64))
}
MOST_TERMS = 40  # of norm at most two, far below any rounding error
N_SCRATCH = 8  # matrices that an exponential or a derivative needs to work in

# Polynomials of [1]_ in `exponential`: weights of I, A, A^2 and A^4 or A^3 and A^6, a row for each bracket.
_ROOT = math.sqrt(177)
DEGREE_8 = (
    (0.0, (1 + _ROOT) / 132, (1 + _ROOT) / 528),
    (0.0, 0.0, 2 / 3, 1.0),
    ((-271 + 29 * _ROOT) / 210, (-11 + 11 * _ROOT) / 840, (-99 + 11 * _ROOT) / 3360, (89 - _ROOT) / 2240),
    (1.0, 1.0, (857 - 58 * _ROOT) / 630),
)
DEGREE_12 = (
    (9.0198e-16, 0.46932117595418237389, -0.20099424927047284052, -0.04623946134063071740),
    (5.31597895759871264183, 1.19926790417132231573, 0.01179296240992997031, 0.01108844528519167989),
    (0.18188869982170434744, 0.05502798439925399070, 0.09351590770535414968, 0.00610700528898058230),
    (-2.0861320e-13, -0.13181061013830184015, -0.02027855540589259079, -0.00675951846863086359),
)
DEGREE_18 = (
    (0.0, -1.00365581030144618291e-01, -8.02924648241156932449e-03, -8.92138498045729985177e-04, 0.0),
    (
        0.0, 3.97849749499645077844e-01, 1.36783778460411720168e00, 4.98289622525382669416e-01,
        -6.37898194594723280150e-04,
    ),
    (
        -1.09676396052962061844e01, 1.68015813878906206114e00, 5.71779846478865511061e-02,
        -6.98210122488052056106e-03, 3.34975017086070470649e-05,
    ),
    (
        -9.04316832390810593223e-02, -6.76404519071381882256e-02, 6.75961301770459654925e-02,
        2.95552570429315521194e-02, -1.39180257516060693404e-05,
    ),
    (0.0, 0.0, -9.23364619367118555360e-02, -1.69364939002081722752e-02, -1.40086798182036094347e-05),
)  # fmt: skip


@compiled
def exponential(work, m, out, scratch, shape, norm, largest_norms):
    """Write exp(M) of the matrices at place m, of norm at most `norm`, to place `out`; M is lost where it is large.

    Taylor polynomials in as few products as are known [1]_, of degree 2, 4, 8, 12, 18 in 1, 2, 3, 4, 5 products. Larger
    matrices are halved first, and F = exp(M) - I is doubled as 2 F + F^2: a small matrix beside a large one keeps all
    its digits. `scratch`: place of N_SCRATCH matrices.

    .. [1] Bader, Blanes, Casas, "Computing the matrix exponential with an optimized Taylor polynomial
       approximation", 2019, Mathematics 7, 1174: (10)-(13), table 3.
    """
    size = shape.columns * shape.columns
    a2, a3, a6, t1, t2 = scratch, scratch + size, scratch + 2 * size, scratch + 3 * size, scratch + 4 * size
    halvings = 0
    if norm > largest_norms[4] and norm < np.inf:
        ratio = np.log2(np.float64(norm)) - np.log2(np.float64(largest_norms[2]))  # which itself may overflow
        halvings = int(np.ceil(ratio))
        scale(work, m, shape, 0.5**halvings)
        norm = largest_norms[2]
    if norm <= largest_norms[0]:
        mix(work, t1, shape, (m,), (0.5,))
        copy(work, m, out, shape)
        add_identity(work, out, shape, 1.0)
        multiply(work, m, t1, out, shape, True)
        return
    multiply(work, m, m, a2, shape)
    if norm <= largest_norms[1]:  # I + A + A^2 (I / 2 + A / 6 + A^2 / 24)
        _polynomial(work, t1, shape, (m, a2), (0.5, 1 / 6, 1 / 24))
        copy(work, m, out, shape)
        add_identity(work, out, shape, 1.0)
        multiply(work, a2, t1, out, shape, True)
    elif norm <= largest_norms[2]:
        a4 = a6
        _polynomial(work, t1, shape, (m, a2), DEGREE_8[0])
        multiply(work, a2, t1, a4, shape)
        mix(work, t1, shape, (a2, a4), DEGREE_8[1][2:])
        _polynomial(work, t2, shape, (m, a2, a4), DEGREE_8[2])
        mix(work, out, shape, (m, a2), DEGREE_8[3][1:])
        multiply(work, t1, t2, out, shape, True)
        for _ in range(halvings):
            copy(work, out, t1, shape)
            scale(work, out, shape, 2.0)
            multiply(work, t1, t1, out, shape, True)
        add_identity(work, out, shape, 1.0)
    elif norm <= largest_norms[3]:
        multiply(work, m, a2, a3, shape)
        powers = (m, a2, a3)
        _polynomial(work, t1, shape, powers, DEGREE_12[3])
        _polynomial(work, a6, shape, powers, DEGREE_12[2])
        multiply(work, t1, t1, a6, shape, True)
        _polynomial(work, t1, shape, powers, DEGREE_12[1])
        mix(work, t1, shape, (t1, a6), (1.0, 1.0))
        _polynomial(work, out, shape, powers, DEGREE_12[0])
        multiply(work, t1, a6, out, shape, True)
    else:
        t3 = t2 + size
        multiply(work, m, a2, a3, shape)
        multiply(work, a3, a3, a6, shape)
        powers = (m, a2, a3, a6)
        _polynomial(work, t1, shape, powers, DEGREE_18[0])
        _polynomial(work, t2, shape, powers, DEGREE_18[4])
        _polynomial(work, t3, shape, powers, DEGREE_18[3])
        multiply(work, t1, t2, t3, shape, True)
        _polynomial(work, t1, shape, powers, DEGREE_18[2])
        mix(work, t1, shape, (t1, t3), (1.0, 1.0))
        _polynomial(work, out, shape, powers, DEGREE_18[1])
        multiply(work, t1, t3, out, shape, True)


@compiled
def _polynomial(work, out, shape, powers, weights):
    """out = weights[0] I + sum of weights[i] times the i-th of `powers`."""
    mix(work, out, shape, powers, weights[1:])
    if weights[0] != 0.0:
        add_identity(work, out, shape, weights[0])


@compiled
def integrated_conjugation(work, m, w, out, scratch, shape, norm, star, tolerance):
    """Write D = integral of exp(s M) W exp(-s M) over 0 <= s <= 1 to `out`, and exp(M) W exp(-M) to place w.

    tr(D V) = tr(W exp(-M) dexp_M(V)) for any V: what a change V of M does to a function whose change by X -> X exp(U)
    is tr(W U). With ad(W) = M W - W M this is the sum of ad^k(W) / (k + 1)!, and exp(M) W exp(-M) = W + ad(D); a long
    M is cut into parts of norm one. In the algebra of a bilinear form, which has a star with (M W)* = W M, one product
    makes a commutator. M is lost where it is long.
    """
    size = shape.columns * shape.columns
    negative, product, term, part = scratch, scratch + size, scratch + 2 * size, scratch + 3 * size
    n_parts = int(np.ceil(norm)) if 1.0 < norm < np.inf else 1
    if n_parts > 1:
        scale(work, m, shape, 1.0 / n_parts)
    mix(work, negative, shape, (m,), (-1.0,))
    copy(work, w, out, shape)
    scale(work, out, shape, 0.0)
    for _ in range(n_parts):
        copy(work, w, term, shape)
        copy(work, w, part, shape)
        k, size_of_term = 1, 1.0
        while size_of_term > tolerance and k < MOST_TERMS:
            _commutator(work, m, negative, term, product, shape, star, 1.0 / (k + 1))
            mix(work, part, shape, (part, term), (1.0, 1.0))
            k += 1
            size_of_term *= 2 * norm / n_parts / k
        mix(work, out, shape, (out, part), (1.0, 1.0 / n_parts))
        _commutator(work, m, negative, part, product, shape, star, 1.0)
        mix(work, w, shape, (w, part), (1.0, 1.0))


@compiled
def _commutator(work, m, negative, x, product, shape, star, factor):
    """X = factor (M X - X M)."""
    multiply(work, m, x, product, shape)
    if star.places.shape[0]:
        add_star(work, product, x, shape, star, factor, -factor)
    else:
        multiply(work, x, negative, product, shape, True)
        mix(work, x, shape, (product,), (factor,))
