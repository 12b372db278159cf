"""Developments of paths in matrix groups, differentiable."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sigfeat import _devices
from sigfeat._kernels.development.plan import Plan
from sigfeat.nn.groups import Group
from sigfeat.nn.groups.exponential import matrix_exponential

MAX_STEP_NORM = 1000.0
STEPS_PER_CHUNK = 64  # multiplied together, and recomputed for the gradient, on devices without compiled kernels


def development(
    increments: Float[Tensor, "batch length channels"],
    algebra: Shaped[Tensor, "developments channels dim dim"],
    group: Group | None = None,
    *,
    whole_path: bool = False,
    n_threads: int = 1,
) -> Shaped[Tensor, "batch developments dim dim"] | Shaped[Tensor, "batch length developments dim dim"]:
    """Development of paths in a matrix group.

    X_0 = I, X_t = X_{t-1} exp(sum over c of A_c dx_c(t)), which is eq. (2) of [1]_ for a piecewise-linear path.

    Parameters
    ----------
    increments : tensor of shape (batch, length, channels), float32 or float64
        Increments dx of the paths. Zero increments change nothing, so that shorter paths are padded with zeros.
    algebra : tensor of shape (developments, channels, dim, dim)
        Elements A_c of the group's Lie algebra, real or complex, of the precision of the increments.
    group : Group or None, default=None
        Group of the elements, see `GROUPS`; None for any matrices. A group makes gradients cheaper, and rounding errors
        are removed if it is compact. If the group preserves a form, gradients of `algebra` are projected to its Lie
        algebra (for SU, to that of U).
    whole_path : bool, default=False
        Whether to return X_t after every step, and not only the last.
    n_threads : int, default=1
        Number of threads over paths, on the CPU.

    Returns
    -------
    matrices : tensor of shape (batch, developments, dim, dim) or (batch, length, developments, dim, dim)
        Final values, or the whole path, of the dtype of `algebra`.

    Raises
    ------
    ValueError
        If dtypes, devices or sizes do not match, elements lie outside the Lie algebra, or a gradient is required
        although the matrix of a step has a norm above 1000.

    Notes
    -----
    On the CPU the kernels are compiled. They take time O(batch length developments dim^3), and for final values their
    memory is that of one matrix per 8 to 128 steps. The gradient is exact, from
    d exp(M) = exp(M) integral of exp(-s M) dM exp(s M) over 0 <= s <= 1, and cannot be differentiated again. Other
    devices use torch's products in chunks of 64 steps, which are recomputed for the gradient. On the CPU, products of
    float32 matrices across segments are computed in float64.

    References
    ----------
    .. [1] Lou, Li, Ni, "Path development network with finite-dimensional Lie group representation", 2022,
       arXiv:2204.00740.

    Examples
    --------
    A full rotation in the plane, in four steps.

    >>> import torch
    >>> from sigfeat.nn import GROUPS, development
    >>> quarter = torch.full((1, 4, 1), torch.pi / 2)
    >>> turn = torch.tensor([[[[0.0, -1.0], [1.0, 0.0]]]])
    >>> development(quarter, turn, GROUPS["SO"](2), whole_path=True)[0, :, 0].round().int().tolist()
    [[[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]], [[1, 0], [0, 1]]]
    """
    _check(increments, algebra, group)
    if not _devices.uses_loops(increments.device):
        return _by_torch(increments, algebra, group, whole_path)
    involution, compact = (None, False) if group is None else (group.involution, group.is_compact)
    function = _WholePath if whole_path else _Final
    developed: Tensor = function.apply(  # type: ignore[no-untyped-call]  # not in torch's types
        increments, algebra, involution, compact, n_threads
    )
    return developed


class Development(nn.Module):
    """Trainable development of paths in a matrix group.

    Parameters
    ----------
    group : Group
        Group of the development, one of `GROUPS` with its size.
    n_channels : int
        Number of channels of the paths.
    n_developments : int, default=1
        Number of independent developments of each path.
    whole_path : bool, default=False
        Whether to return X_t after every step, and not only the last.
    n_threads : int, default=1
        Number of threads over paths, on the CPU.
    generator : torch.Generator or None, default=None
        Source of the first algebra elements, see `random_algebra`; None for torch's global generator.
    dtype : torch.dtype or None, default=None
        Real dtype of the increments, None for torch's default.
    device : torch.device, str or None, default=None
        Device of the elements, None for torch's default.

    Attributes
    ----------
    weight : Parameter of shape (n_developments, n_channels, dim, dim)
        Any matrices; their projections to the Lie algebra are used.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import GROUPS, Development
    >>> layer = Development(GROUPS["SO"](4), n_channels=3, n_developments=2)
    >>> layer(torch.randn(8, 100, 3)).shape
    torch.Size([8, 2, 4, 4])
    """

    def __init__(
        self,
        group: Group,
        n_channels: int,
        n_developments: int = 1,
        *,
        whole_path: bool = False,
        n_threads: int = 1,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.group, self.whole_path, self.n_threads = group, whole_path, n_threads
        elements = random_algebra(group, n_channels, n_developments, generator=generator, dtype=dtype, device=device)
        self.weight = nn.Parameter(elements)

    @property
    def algebra(self) -> Shaped[Tensor, "developments channels dim dim"]:
        """Elements of the Lie algebra."""
        return self.group.to_algebra(self.weight)

    def forward(
        self, increments: Float[Tensor, "batch length channels"]
    ) -> Shaped[Tensor, "batch developments dim dim"] | Shaped[Tensor, "batch length developments dim dim"]:
        """Developments of paths.

        Parameters
        ----------
        increments : tensor of shape (batch, length, n_channels)
            Increments of the paths, zero after the end of shorter ones.

        Returns
        -------
        matrices : tensor of shape (batch, n_developments, dim, dim), or (batch, length, n_developments, dim, dim)
            Final values, or the whole path.
        """
        return development(increments, self.algebra, self.group, whole_path=self.whole_path, n_threads=self.n_threads)


def random_algebra(
    group: Group,
    n_channels: int,
    n_developments: int = 1,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Shaped[Tensor, "developments channels dim dim"]:
    """Gaussian elements of a Lie algebra, with mean squared Frobenius norm dim / n_channels.

    A step of independent channels with variance one then turns by about one radian, for any group, `dim` and number of
    channels.

    Parameters
    ----------
    group : Group
        The group, with its size.
    n_channels, n_developments : int
        Number of elements.
    generator : torch.Generator or None, default=None
        Source of randomness; None for torch's global generator.
    dtype : torch.dtype or None, default=None
        Precision, None for torch's default; complex groups have complex elements of this precision.
    device : torch.device, str or None, default=None
        Device of the elements, None for torch's default. The numbers are drawn on the generator's device.

    Returns
    -------
    algebra : tensor of shape (n_developments, n_channels, dim, dim)
        Elements of the Lie algebra.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import GROUPS, random_algebra
    >>> rotations = random_algebra(GROUPS["SO"](3), n_channels=2, generator=torch.Generator().manual_seed(0))
    >>> rotations.shape
    torch.Size([1, 2, 3, 3])
    >>> torch.equal(rotations, -rotations.mT)
    True
    """
    dtype = torch.get_default_dtype() if dtype is None else dtype
    dtype = dtype.to_complex() if group.is_complex else dtype.to_real()
    shape = (n_developments, n_channels, group.dim, group.dim)
    where = None if generator is None else generator.device
    matrices = torch.randn(shape, generator=generator, dtype=dtype, device=where).to(device)
    # The mean squared norm of a projected Gaussian is the dimension of the algebra, or half of it if the real and
    # imaginary parts of the Gaussian have variance 1/2.
    mean_square = group.algebra_dimension / (2 if group.is_complex else 1)
    size: float = (group.dim / (mean_square * n_channels)) ** 0.5
    return group.to_algebra(matrices) * size


def _check(increments: Tensor, algebra: Tensor, group: Group | None) -> None:
    if increments.ndim != 3 or increments.shape[2] == 0:
        raise ValueError(f"increments must have shape (batch, length, channels), got {tuple(increments.shape)}")
    if algebra.ndim != 4 or algebra.shape[2] != algebra.shape[3] or 0 in algebra.shape:
        raise ValueError(f"algebra must have shape (developments, channels, dim, dim), got {tuple(algebra.shape)}")
    if increments.dtype not in (torch.float32, torch.float64) or algebra.dtype.to_real() != increments.dtype:
        raise ValueError(
            "increments and algebra must be of one precision, float32 or float64, "
            f"got {increments.dtype} and {algebra.dtype}"
        )
    if increments.device != algebra.device:
        raise ValueError(f"increments and algebra must be on one device, got {increments.device} and {algebra.device}")
    if increments.shape[2] != algebra.shape[1]:
        raise ValueError(f"increments have {increments.shape[2]} channels, but algebra has {algebra.shape[1]}")
    if group is not None and (group.dim, group.is_complex) != (algebra.shape[-1], algebra.is_complex()):
        kind = "complex" if algebra.is_complex() else "real"
        raise ValueError(f"algebra must have matrices of {group.label}, got {kind} ones of side {algebra.shape[-1]}")
    if group is not None and algebra.device.type == "cpu":
        with torch.no_grad():
            outside, size = float((group.to_algebra(algebra) - algebra).abs().max()), float(algebra.abs().max())
        if outside > 1e-4 * size:
            raise ValueError(
                f"algebra must lie in the Lie algebra of {group.label}, got elements {outside:.3g} away from it: "
                "take group.to_algebra(algebra)"
            )


class LongStepError(ValueError):
    """A gradient is required of a step whose matrix is too large."""


class _Final(torch.autograd.Function):
    """Final values by the compiled kernels."""

    @staticmethod
    def forward(
        ctx: Any, increments: Tensor, algebra: Tensor, involution: Any, compact: bool, n_threads: int
    ) -> Tensor:
        plan, steps = Plan(_array(algebra), involution, compact, n_threads), _array(increments)
        _check_turns(ctx, plan, steps)
        ctx.segments = plan.segments(steps, *plan.cut(steps))
        ctx.save_for_backward(increments, algebra)
        ctx.options = involution, compact, n_threads
        _, first, stop, products = ctx.segments
        return torch.from_numpy(plan.matrices(plan.chained(products, first, stop)))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None, None, None]:
        wanted = ctx.needs_input_grad[0]
        increments, algebra = ctx.saved_tensors
        plan = Plan(_array(algebra), *ctx.options)
        of_algebra, of_steps = plan.gradients(_array(increments), ctx.segments, _array(grad), wanted)
        return torch.from_numpy(of_steps) if wanted else None, torch.from_numpy(of_algebra), None, None, None


class _WholePath(torch.autograd.Function):
    """Whole paths by the compiled kernels."""

    @staticmethod
    def forward(
        ctx: Any, increments: Tensor, algebra: Tensor, involution: Any, compact: bool, n_threads: int
    ) -> Tensor:
        plan, steps = Plan(_array(algebra), involution, compact, n_threads), _array(increments)
        _check_turns(ctx, plan, steps)
        ctx.path = plan.path(steps)
        ctx.save_for_backward(increments, algebra)
        ctx.options = involution, compact, n_threads
        return torch.from_numpy(plan.matrices(ctx.path).copy())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None, None, None]:
        wanted = ctx.needs_input_grad[0]
        increments, algebra = ctx.saved_tensors
        plan = Plan(_array(algebra), *ctx.options)
        of_algebra, of_steps = plan.path_gradients(_array(increments), ctx.path, _array(grad), wanted)
        return torch.from_numpy(of_steps) if wanted else None, torch.from_numpy(of_algebra), None, None, None


def _check_turns(ctx: Any, plan: Plan, steps: NDArray[Any]) -> None:
    """Raise if steps are so long that derivatives of their exponentials would take too much time."""
    if any(ctx.needs_input_grad[:2]):
        turns = plan.largest_turns(steps)
        largest = float(turns[np.isfinite(turns)].max(initial=0.0))
        if largest > MAX_STEP_NORM:
            raise LongStepError(
                f"gradients need steps whose matrices have norm at most {MAX_STEP_NORM:g}, got up to {largest:.3g}: "
                "scale the increments"
            )


def _array(tensor: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(tensor.detach().resolve_conj().resolve_neg().numpy())


def _by_torch(increments: Tensor, algebra: Tensor, group: Group | None, whole_path: bool) -> Tensor:
    """Multiply chunks of steps in log2(chunk) rounds; intermediate values are recomputed for the gradient."""
    dim = algebra.shape[-1]
    identity = torch.eye(dim, dtype=algebra.dtype, device=algebra.device)
    last = identity.expand(len(increments), len(algebra), dim, dim)
    paths = []
    if increments.shape[1] == 0:
        return last.unsqueeze(1)[:, :0] if whole_path else last
    for chunk in torch.split(increments, STEPS_PER_CHUNK, dim=1):
        advance = _advance_path if whole_path else _advance
        values = checkpoint(advance, last, chunk, algebra, use_reentrant=False)
        if group is not None and group.is_compact:
            values = values @ (3 * identity - group.inverse(values) @ values) / 2  # removes rounding errors
        last = values[:, -1] if whole_path else values
        paths.append(values)
    return torch.cat(paths, dim=1) if whole_path else last


def _exponentials(increments: Tensor, algebra: Tensor) -> Tensor:
    steps = torch.einsum("btc,dcij->btdij", increments.to(algebra.dtype), algebra)
    return matrix_exponential(steps)


def _advance(last: Tensor, increments: Tensor, algebra: Tensor) -> Tensor:
    factors = _exponentials(increments, algebra)
    while factors.shape[1] > 1:
        rest = factors[:, factors.shape[1] // 2 * 2 :]
        factors = torch.cat([factors[:, : factors.shape[1] // 2 * 2 : 2] @ factors[:, 1::2], rest], dim=1)
    return last @ factors[:, 0]


def _advance_path(last: Tensor, increments: Tensor, algebra: Tensor) -> Tensor:
    products, shift = _exponentials(increments, algebra), 1
    while shift < products.shape[1]:
        products = torch.cat([products[:, :shift], products[:, :-shift] @ products[:, shift:]], dim=1)
        shift *= 2
    return last.unsqueeze(1) @ products
