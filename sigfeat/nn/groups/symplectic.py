"""Linear canonical transformations."""

from dataclasses import dataclass
from typing import ClassVar

from sigfeat.nn.groups._base import Involution
from sigfeat.nn.groups._quadratic import QuadraticGroup


@dataclass(frozen=True)
class Symplectic(QuadraticGroup):
    """Sp(dim), real: g^T J g = J with J = [[0, I], [-I, 0]].

    The Lie algebra is the matrices [[A, B], [C, -A^T]] with B and C symmetric.

    Parameters
    ----------
    dim : int
        Side of the matrices, an even number of at least 2.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.groups import GROUPS
    >>> group = GROUPS["Sp"](2)
    >>> group.inverse(torch.tensor([[2.0, 3.0], [1.0, 2.0]]))
    tensor([[ 2., -3.],
            [-1.,  2.]])
    """

    name: ClassVar[str] = "Sp"
    usual_scale: ClassVar[float] = 0.3
    _even_dim: ClassVar[bool] = True

    @property
    def algebra_dimension(self) -> int:
        """Dimension of the Lie algebra, over the real numbers."""
        return self.dim * (self.dim + 1) // 2

    @property
    def involution(self) -> Involution:
        """`order` swaps the halves and `signs` differ between them: star(X) = J^-1 X^T J."""
        half = self.dim // 2
        return (*range(half, self.dim), *range(half)), (1,) * half + (-1,) * half
