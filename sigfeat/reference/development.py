"""Path developments from their definition."""

import numpy as np
from scipy.linalg import expm


def development(path: np.ndarray, algebra: np.ndarray) -> np.ndarray:
    """Development of a path in a matrix group, at every time.

    For one matrix A_c per channel:  X_0 = I,  X_t = X_{t-1} exp(sum over c of A_c (x_c(t) - x_c(t-1))), the solution
    of dX = X sum over c of A_c dx_c along the piecewise linear path through the points x.

    Parameters
    ----------
    path : ndarray of shape (n_timepoints, n_channels)
        Points of the path, joined by straight lines.
    algebra : ndarray of shape (n_channels, dim, dim)
        Elements of a Lie algebra, real or complex.

    Returns
    -------
    developed : ndarray of shape (n_timepoints, dim, dim)
        Elements of the group, float64 or complex128; the first is the identity.

    Notes
    -----
    Time O(n_timepoints * dim^2 * (n_channels + dim)).

    References
    ----------
    .. [1] Lou, Li, Ni, "Path development network with finite-dimensional Lie group representation", 2022,
       arXiv:2204.00740.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.reference.development import development
    >>> corner = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 3.0]])  # first along channel 1, then along channel 2
    >>> heisenberg = np.array([[[0, 1, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1], [0, 0, 0]]])
    >>> development(corner, heisenberg)[-1]  # its signature: increments 2 and 3, integral of dx_1 dx_2 = 2 * 3
    array([[1., 2., 6.],
           [0., 1., 3.],
           [0., 0., 1.]])
    """
    n_timepoints, dim = len(path), algebra.shape[-1]
    developed = np.empty((n_timepoints, dim, dim), dtype=np.result_type(path, algebra, np.float64))
    developed[0] = np.eye(dim)
    for t in range(1, n_timepoints):
        step = np.tensordot(path[t] - path[t - 1], algebra, axes=1)
        developed[t] = developed[t - 1] @ expm(step)
    return developed
