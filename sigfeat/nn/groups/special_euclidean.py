"""Rigid motions."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from sigfeat.nn.groups._base import Group, identity_like, largest_entry


@dataclass(frozen=True)
class SpecialEuclidean(Group):
    """SE(dim - 1): the matrices [[R, p], [0, 1]] of rotations R in SO(dim - 1) followed by translations p.

    The Lie algebra is the matrices [[W, v], [0, 0]] with W skew-symmetric.

    Parameters
    ----------
    dim : int
        Side of the matrices, at least 2: one more than the dimension of the space.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.groups import GROUPS
    >>> group = GROUPS["SE"](3)
    >>> group.label
    'SE(2)'
    >>> group.inverse(torch.tensor([[0.0, -1.0, 3.0], [1.0, 0.0, 4.0], [0.0, 0.0, 1.0]]))
    tensor([[ 0.,  1., -4.],
            [-1.,  0.,  3.],
            [ 0.,  0.,  1.]])
    """

    name: ClassVar[str] = "SE"

    @property
    def algebra_dimension(self) -> int:
        """Dimension of the Lie algebra, over the real numbers."""
        return self.dim * (self.dim - 1) // 2

    @property
    def n_varying(self) -> int:
        """All entries except the last row."""
        return self.dim * (self.dim - 1)

    def varying(self) -> Bool[Tensor, "dim dim"]:
        """All entries except the last row."""
        varying = super().varying()
        varying[-1] = False
        return varying

    @property
    def label(self) -> str:
        """Name of the group with the dimension of the space."""
        return f"SE({self.dim - 1})"

    def to_algebra(self, matrix: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """Skew-symmetric part of the block of the rotation, the translation, and zeros in the last row."""
        block = matrix[..., :-1, :-1]
        return _join((block - block.mT) / 2, matrix[..., :-1, -1:], corner=0)

    def inverse(self, element: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """[[R^T, -R^T p], [0, 1]]."""
        back = element[..., :-1, :-1].mT
        return _join(back, -back @ element[..., :-1, -1:], corner=1)

    def _defect(self, element: Shaped[Tensor, "*batch dim dim"]) -> Float[Tensor, "*batch"]:
        rotation = element[..., :-1, :-1]
        last_row = element[..., -1:, :] - identity_like(element)[-1:]
        return torch.maximum(largest_entry(rotation.mT @ rotation - identity_like(rotation)), largest_entry(last_row))

    def _is_connected(self, element: Shaped[Tensor, "*batch dim dim"]) -> Bool[Tensor, "*batch"]:
        return element[..., :-1, :-1].det() > 0


def _join(
    block: Shaped[Tensor, "*batch n n"], column: Shaped[Tensor, "*batch n 1"], corner: int
) -> Shaped[Tensor, "*batch dim dim"]:
    """[[block, column], [0, corner]]."""
    last_row = torch.nn.functional.pad(torch.full_like(column[..., :1, :], corner), (block.shape[-1], 0))
    return torch.cat([torch.cat([block, column], dim=-1), last_row], dim=-2)
