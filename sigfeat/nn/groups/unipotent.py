"""Upper triangular matrices with ones on the diagonal."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from sigfeat.nn.groups._base import Group, identity_like, largest_entry


@dataclass(frozen=True)
class Unipotent(Group):
    """UT(dim): upper triangular matrices with ones on the diagonal; UT(3) is the Heisenberg group.

    The Lie algebra is the strictly upper triangular matrices. Developments in this group are signatures: with
    A_c = sum over j with w_j = c of E_{j,j+1}, the upper right entry is the signature's coefficient of the word w.

    Parameters
    ----------
    dim : int
        Side of the matrices, at least 2.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.groups import GROUPS
    >>> group = GROUPS["unipotent"](3)
    >>> group.exp(group.to_algebra(torch.ones(3, 3)))
    tensor([[1.0000, 1.0000, 1.5000],
            [0.0000, 1.0000, 1.0000],
            [0.0000, 0.0000, 1.0000]])
    """

    name: ClassVar[str] = "unipotent"

    @property
    def algebra_dimension(self) -> int:
        """Dimension of the Lie algebra, over the real numbers."""
        return self.dim * (self.dim - 1) // 2

    @property
    def n_varying(self) -> int:
        """The entries above the diagonal."""
        return self.dim * (self.dim - 1) // 2

    def varying(self) -> Bool[Tensor, "dim dim"]:
        """The entries above the diagonal."""
        return super().varying().triu(1)

    @property
    def label(self) -> str:
        """Name of the group with its size."""
        return f"UT({self.dim})"

    def to_algebra(self, matrix: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """The part above the diagonal."""
        return matrix.triu(1)

    def exp(self, algebra: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """I + A (I + A/2 (I + A/3 (..))): the series is finite, since A^dim = 0."""
        identity = identity_like(algebra)
        element = identity + algebra / (self.dim - 1)
        for k in range(self.dim - 2, 0, -1):
            element = identity + algebra @ element / k
        return element

    def inverse(self, element: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """Inverse by back substitution."""
        identity = identity_like(element)
        inverse: Tensor = torch.linalg.solve_triangular(element, identity, upper=True, unitriangular=True)
        return inverse

    def _defect(self, element: Shaped[Tensor, "*batch dim dim"]) -> Float[Tensor, "*batch"]:
        return largest_entry((element - identity_like(element)).tril())
