"""Groups that preserve a bilinear or sesquilinear form, which is given as data."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from sigfeat.nn.groups._base import Group, Involution, identity_like, largest_entry


@dataclass(frozen=True)
class QuadraticGroup(Group):
    """Matrices g with star(g) g = I for an involution star.

    For a permutation `order` of the indices and signs:  star(X)[i, j] = signs[i] signs[j] conj(X[order[j], order[i]]),
    the adjoint of X for the form that the group preserves. On the group star is the inverse, and on the Lie algebra
    it is the negative.

    Parameters
    ----------
    dim : int
        Side of the matrices.
    """

    @property
    def involution(self) -> Involution:
        """`order` and `signs` of star: here those of the conjugate transpose."""
        return tuple(range(self.dim)), (1,) * self.dim

    def to_algebra(self, matrix: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """Anti-adjoint part (A - star(A)) / 2."""
        return (matrix - self.inverse(matrix)) / 2

    def inverse(self, element: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """star(g)."""
        order, signs = self.involution
        star = element.mH.resolve_conj()  # NumPy does not accept a tensor with a lazy conjugation
        if order != tuple(range(self.dim)):
            index = torch.tensor(order, device=element.device)
            star = star.index_select(-2, index).index_select(-1, index)
        if -1 in signs:
            sign = torch.tensor(signs, dtype=element.dtype, device=element.device)
            star = sign[:, None] * star * sign
        return star

    def _defect(self, element: Shaped[Tensor, "*batch dim dim"]) -> Float[Tensor, "*batch"]:
        defect = largest_entry(self.inverse(element) @ element - identity_like(element))
        if self.is_compact:
            return defect
        return defect / element.abs().square().sum(dim=(-2, -1)).clamp(
            min=1
        )  # large entries have larger rounding errors
