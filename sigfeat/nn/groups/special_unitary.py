"""Unitary matrices of determinant one."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from sigfeat.nn.groups._base import identity_like
from sigfeat.nn.groups._quadratic import QuadraticGroup


@dataclass(frozen=True)
class SpecialUnitary(QuadraticGroup):
    """SU(dim): g^H g = I and det g = 1. The Lie algebra is the skew-Hermitian matrices of trace zero.

    Parameters
    ----------
    dim : int
        Side of the matrices, at least 2.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.groups import GROUPS
    >>> GROUPS["SU"](2).to_algebra(torch.tensor([[1.0j, 2.0], [0.0, 5.0j]]))
    tensor([[ 0.-2.j,  1.+0.j],
            [-1.+0.j,  0.+2.j]])
    """

    name: ClassVar[str] = "SU"
    is_complex: ClassVar[bool] = True
    is_compact: ClassVar[bool] = True

    @property
    def algebra_dimension(self) -> int:
        """Dimension of the Lie algebra, over the real numbers."""
        return self.dim**2 - 1

    def to_algebra(self, matrix: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """Skew-Hermitian part without its trace."""
        algebra = super().to_algebra(matrix)
        trace = algebra.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
        return algebra - trace[..., None, None] / self.dim * identity_like(matrix)

    def _defect(self, element: Shaped[Tensor, "*batch dim dim"]) -> Float[Tensor, "*batch"]:
        return torch.maximum(super()._defect(element), (element.det() - 1).abs())
