"""Matrix exponentials of every size."""

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from sigfeat._kernels.development.exponential import LARGEST_NORMS
from sigfeat.nn import development
from sigfeat.nn.groups.exponential import matrix_exponential
from tests.test_development import check_close, every_dtype


@every_dtype
@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
def test_exponentials_of_every_size(dtype, is_complex):
    dtype, itemsize = dtype.to_complex() if is_complex else dtype, dtype.itemsize
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(40, 5, 5, generator=generator, dtype=dtype)
    norms = torch.logspace(-5.3, np.log10(50), 40, dtype=dtype.to_real())
    matrices *= (norms / torch.linalg.matrix_norm(matrices, 2))[:, None, None]
    kinds = np.searchsorted(LARGEST_NORMS[itemsize], norms.numpy())
    assert set(kinds.tolist()) == set(range(6))  # all degrees, and squaring
    one_step, eps = torch.ones(1, 1, 1, dtype=dtype.to_real()), torch.finfo(dtype).eps
    for norm, matrix in zip(norms.tolist(), matrices, strict=True):
        expected = expm(matrix.numpy().astype(complex if is_complex else float))
        # torch.matrix_exp 2.13 errs by 1e-10 between norms 3e-4 and 0.05, scipy's expm by 60 eps norm at norm 22
        allowed = 6 * eps if norm < 1 else 100 * norm * eps
        check_close(matrix_exponential(matrix), expected, allowed)
        check_close(development(one_step, matrix[None, None])[0, 0], expected, allowed)
    together = matrix_exponential(matrices[:-1])  # of the degree and the halvings of the largest
    check_close(together[:30], torch.stack([matrix_exponential(matrix) for matrix in matrices[:30]]), 200 * eps)


def test_exponentials_of_huge_matrices_raise_nothing():
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    for factor in (1e10, 1e19, 1e30, torch.inf, torch.nan):
        found = matrix_exponential(factor * turn)
        assert found.isnan().all() if factor != factor or factor == torch.inf else found.shape == (2, 2)
