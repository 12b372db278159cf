"""Lorentz transformations: the isometries of hyperbolic space."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Bool, Shaped
from torch import Tensor

from sigfeat.nn.groups._base import Involution
from sigfeat.nn.groups._quadratic import QuadraticGroup


@dataclass(frozen=True)
class Hyperbolic(QuadraticGroup):
    """SO(dim - 1, 1), its identity component: g^T D g = D with D = diag(1, .., 1, -1), det g = 1, last entry >= 1.

    The Lie algebra is the matrices [[W, v], [v^T, 0]] with W skew-symmetric.

    Parameters
    ----------
    dim : int
        Side of the matrices, at least 2: one more than the dimension of the hyperbolic space.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.groups import GROUPS
    >>> group = GROUPS["SO(n,1)"](2)
    >>> group.label
    'SO(1,1)'
    >>> group.exp(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))  # cosh 1 and sinh 1
    tensor([[1.5431, 1.1752],
            [1.1752, 1.5431]])
    """

    name: ClassVar[str] = "SO(n,1)"
    usual_scale: ClassVar[float] = 0.3

    @property
    def algebra_dimension(self) -> int:
        """Dimension of the Lie algebra, over the real numbers."""
        return self.dim * (self.dim - 1) // 2

    @property
    def label(self) -> str:
        """Name of the group with the signature of its form."""
        return f"SO({self.dim - 1},1)"

    @property
    def involution(self) -> Involution:
        """`order` of the transpose and the `signs` of D: star(X) = D X^T D."""
        return tuple(range(self.dim)), (1,) * (self.dim - 1) + (-1,)

    def _is_connected(self, element: Shaped[Tensor, "*batch dim dim"]) -> Bool[Tensor, "*batch"]:
        """Whether time and space keep their orientation."""
        # The form bounds both away from zero. For a large boost det g suffers from cancellation, but not the block.
        return (element[..., -1, -1] > 0) & (element[..., :-1, :-1].det() > 0)
