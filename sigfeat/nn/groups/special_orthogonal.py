"""Rotations."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Bool, Shaped
from torch import Tensor

from sigfeat.nn.groups._quadratic import QuadraticGroup


@dataclass(frozen=True)
class SpecialOrthogonal(QuadraticGroup):
    """SO(dim): g^T g = I and det g = 1. The Lie algebra is the skew-symmetric matrices.

    Parameters
    ----------
    dim : int
        Side of the matrices, at least 2.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.groups import GROUPS
    >>> group = GROUPS["SO"](2)
    >>> group.to_algebra(torch.tensor([[1.0, -3.0], [1.0, 5.0]]))
    tensor([[ 0., -2.],
            [ 2.,  0.]])
    >>> group.contains(group.sample(3))
    tensor([True, True, True])
    """

    name: ClassVar[str] = "SO"
    is_compact: ClassVar[bool] = True

    @property
    def algebra_dimension(self) -> int:
        """Dimension of the Lie algebra, over the real numbers."""
        return self.dim * (self.dim - 1) // 2

    def _is_connected(self, element: Shaped[Tensor, "*batch dim dim"]) -> Bool[Tensor, "*batch"]:
        return element.det() > 0
