"""Invertible matrices."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from sigfeat.nn.groups._base import Group, identity_like


@dataclass(frozen=True)
class GeneralLinear(Group):
    """GL(dim), real, its identity component: det g > 0. The Lie algebra is all matrices.

    Parameters
    ----------
    dim : int
        Side of the matrices, at least 1.

    Notes
    -----
    The group has no equation: `contains` checks for full rank in the working precision and ignores its tolerance.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.groups import GROUPS
    >>> GROUPS["GL"](2).contains(torch.tensor([[[2.0, 1.0], [0.0, 3.0]], [[0.0, 1.0], [1.0, 0.0]]]))
    tensor([ True, False])
    """

    name: ClassVar[str] = "GL"
    usual_scale: ClassVar[float] = 0.3
    _least_dim: ClassVar[int] = 1

    @property
    def algebra_dimension(self) -> int:
        """Dimension of the Lie algebra, over the real numbers."""
        return self.dim**2

    def to_algebra(self, matrix: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """The matrix itself."""
        return matrix

    def inverse(self, element: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """Solution of g x = I, since this group has no inverse in closed form."""
        # expanded, since solve reads (dim, dim) as a batch of vectors if there are dim matrices
        inverse: Tensor = torch.linalg.solve(element, identity_like(element).expand_as(element))
        return inverse

    def _defect(self, element: Shaped[Tensor, "*batch dim dim"]) -> Float[Tensor, "*batch"]:
        return element.new_zeros(element.shape[:-2])

    def _is_connected(self, element: Shaped[Tensor, "*batch dim dim"]) -> Bool[Tensor, "*batch"]:
        finite = element.nan_to_num(
            nan=0.0, posinf=0.0, neginf=0.0
        )  # singular values raise on values that are not finite
        full_rank: Tensor = torch.linalg.matrix_rank(finite) == self.dim
        return full_rank & (finite.slogdet().sign > 0)
