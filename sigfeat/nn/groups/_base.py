"""Interface of the matrix groups."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from sigfeat._messages import plain
from sigfeat.nn.groups.exponential import matrix_exponential

Involution = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Group(ABC):
    """A Lie group of square matrices and its Lie algebra.

    Matrices are the last two axes of a tensor, real or complex as the group is; batch shape, dtype and device of
    the input are kept. All methods except `contains` are differentiable.

    Parameters
    ----------
    dim : int
        Side of the matrices.

    Attributes
    ----------
    name : str
        Parameter value that selects the group.
    is_complex, is_compact : bool
        Whether the matrices are complex, and whether the group is bounded.
    usual_scale : float
        Angle, in radians, by which a typical path should turn; smaller if entries grow exponentially with the path.

    Raises
    ------
    ValueError
        If the group has no matrices of side `dim`.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import GROUPS, Group
    >>> group = GROUPS["SO"](3)
    >>> isinstance(group, Group), group.label, group.algebra_dimension
    (True, 'SO(3)', 3)
    >>> element = group.sample(generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> torch.allclose(group.inverse(element) @ element, torch.eye(3, dtype=torch.float64))
    True
    """

    dim: int

    name: ClassVar[str]
    is_complex: ClassVar[bool] = False
    is_compact: ClassVar[bool] = False
    usual_scale: ClassVar[float] = 1.0
    _least_dim: ClassVar[int] = 2
    _even_dim: ClassVar[bool] = False

    def __post_init__(self) -> None:
        whole = isinstance(self.dim, Integral) and not isinstance(self.dim, bool)
        if not whole or self.dim < self._least_dim or (self._even_dim and self.dim % 2):
            kind = "an even number of " if self._even_dim else "" if whole else "an integer of "
            raise ValueError(
                f"dim must be {kind}at least {self._least_dim} for group={self.name!r}, got {plain(self.dim)!r}"
            )
        object.__setattr__(self, "dim", int(self.dim))  # a NumPy integer would appear in labels and fail isinstance

    @property
    def label(self) -> str:
        """Name of the group with its size."""
        return f"{self.name}({self.dim})"

    @property
    def involution(self) -> Involution | None:
        """`order` and `signs` of the inverse in closed form, or None if there is none.

        inverse(g)[i, j] = signs[i] signs[j] conj(g[order[j], order[i]])
        """
        return None

    @property
    @abstractmethod
    def algebra_dimension(self) -> int:
        """Dimension of the Lie algebra, over the real numbers."""

    @property
    def n_varying(self) -> int:
        """Number of entries that differ between elements; real and imaginary parts are counted separately."""
        return self.dim**2 * (1 + self.is_complex)

    def varying(self) -> Bool[Tensor, "dim dim"]:
        """Mask of the entries that differ between elements."""
        return torch.ones(self.dim, self.dim, dtype=torch.bool)

    @abstractmethod
    def to_algebra(self, matrix: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """Nearest element of the Lie algebra, in the Frobenius norm.

        Parameters
        ----------
        matrix : tensor of shape (..., dim, dim)
            Any matrices.

        Returns
        -------
        algebra : tensor of shape (..., dim, dim)
            Their orthogonal projections.
        """

    def exp(self, algebra: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """Group element of an element of the Lie algebra.

        Parameters
        ----------
        algebra : tensor of shape (..., dim, dim)
            Elements of the Lie algebra; this is not checked.

        Returns
        -------
        element : tensor of shape (..., dim, dim)
            Their matrix exponentials.
        """
        return matrix_exponential(algebra)

    @abstractmethod
    def inverse(self, element: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "*batch dim dim"]:
        """Inverse of a group element.

        Parameters
        ----------
        element : tensor of shape (..., dim, dim)
            Elements of the group; this is not checked.

        Returns
        -------
        inverse : tensor of shape (..., dim, dim)
            Their inverses, in closed form where the group has one.
        """

    def contains(
        self, element: Shaped[Tensor, "*batch dim dim"], tolerance: float | None = None
    ) -> Bool[Tensor, "*batch"]:
        """Whether matrices lie in the group's identity component.

        Parameters
        ----------
        element : tensor of shape (..., dim, dim)
            Any matrices.
        tolerance : float or None, default=None
            Largest allowed error of an entry of the group's equations. In the unbounded groups that preserve a form
            (Sp, SO(n,1)), it is relative to the squared Frobenius norm of the matrix. None means 1e-9 in double and
            1e-4 in single precision.

        Returns
        -------
        contained : bool tensor of shape (...)
            False for matrices that are not finite.
        """
        if tolerance is None:
            tolerance = 1e-9 if torch.finfo(element.dtype).bits == 64 else 1e-4
        finite = element.isfinite().all(dim=-1).all(dim=-1)
        return finite & (self._defect(element) <= tolerance) & self._is_connected(element)

    def sample(
        self,
        *shape: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Shaped[Tensor, "*batch dim dim"]:
        """Random elements: exponentials of Gaussian elements of the Lie algebra with a norm near one.

        Parameters
        ----------
        *shape : int
            Batch shape.
        generator : torch.Generator or None, default=None
            Source of randomness; None for torch's global generator.
        dtype : torch.dtype or None, default=None
            Precision, None for torch's default; the group determines whether elements are real or complex.
        device : torch.device, str or None, default=None
            Device, None for torch's default.

        Returns
        -------
        element : tensor of shape (*shape, dim, dim)
            Elements of the group. Their distribution is not the Haar measure.
        """
        dtype = torch.get_default_dtype() if dtype is None else dtype
        dtype = dtype.to_complex() if self.is_complex else dtype.to_real()
        where = device if generator is None else generator.device
        matrix = torch.randn(*shape, self.dim, self.dim, generator=generator, dtype=dtype, device=where).to(device)
        return self.exp(self.to_algebra(matrix / self.dim**0.5))

    @abstractmethod
    def _defect(self, element: Shaped[Tensor, "*batch dim dim"]) -> Float[Tensor, "*batch"]:
        """Largest error of an entry of the group's equations."""

    def _is_connected(self, element: Shaped[Tensor, "*batch dim dim"]) -> Bool[Tensor, "*batch"]:
        """Whether a matrix that satisfies the equations lies in the identity component."""
        return torch.ones(element.shape[:-2], dtype=torch.bool, device=element.device)


def identity_like(matrix: Shaped[Tensor, "*batch dim dim"]) -> Shaped[Tensor, "dim dim"]:
    """The identity with side, dtype and device of a matrix."""
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)


def largest_entry(matrix: Shaped[Tensor, "*batch rows columns"]) -> Float[Tensor, "*batch"]:
    """Largest absolute value of a matrix."""
    return matrix.abs().amax(dim=(-2, -1))
