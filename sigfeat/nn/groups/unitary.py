"""Unitary matrices."""

from dataclasses import dataclass
from typing import ClassVar

from sigfeat.nn.groups._quadratic import QuadraticGroup


@dataclass(frozen=True)
class Unitary(QuadraticGroup):
    """U(dim): g^H g = I. The Lie algebra is the skew-Hermitian matrices.

    Parameters
    ----------
    dim : int
        Side of the matrices, at least 1.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.groups import GROUPS
    >>> GROUPS["U"](1).to_algebra(torch.tensor([[3.0 + 2.0j]]))
    tensor([[0.+2.j]])
    """

    name: ClassVar[str] = "U"
    is_complex: ClassVar[bool] = True
    is_compact: ClassVar[bool] = True
    _least_dim: ClassVar[int] = 1

    @property
    def algebra_dimension(self) -> int:
        """Dimension of the Lie algebra, over the real numbers."""
        return self.dim**2
