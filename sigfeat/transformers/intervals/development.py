"""Developments over all intervals as a scikit-learn transformer."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sigfeat._devices import Device
from sigfeat._kernels.development.plan import Plan
from sigfeat._kernels.intervals.features import Developments
from sigfeat._validation import Interval, RandomState, StrOptions, _fit_context
from sigfeat.nn.development import random_algebra
from sigfeat.nn.groups import GROUPS, Group
from sigfeat.nn.intervals.filters import IntervalFilter
from sigfeat.nn.intervals.layers import IntervalDevelopment, IntervalLayer
from sigfeat.panel import Floats
from sigfeat.pooling import Windows
from sigfeat.transformers._contract.feature_table import Columns, entry_columns
from sigfeat.transformers._contract.jobs import granted_threads
from sigfeat.transformers._contract.paths import path_increments, path_units
from sigfeat.transformers.intervals._base import INTERVAL_CONSTRAINTS, IntervalTransformer

STEP_FACTOR = 3.0  # intervals are shorter than series, and so may turn by more


class IntervalDevelopmentTransformer(IntervalTransformer):
    """Developments over all intervals up to now, weighted by filters, pooled over time.

    Let X(s, s') = X_s^-1 X_s' be the development of the path from point s to point s' in a matrix Lie group, and let h
    be a filter, h(a, b) = sum over i <= `filter_rank` of f_i(a) g_i(b). The values are
    O(t) = sum over s, s' <= t of h(t - s, t - s') X(s, s').
    The sum runs over the full square; for an interval that runs backwards, s' < s, X is the inverse.

    Parameters
    ----------
    group : {"SO", "SE", "Sp", "U", "SU", "SO(n,1)", "GL", "unipotent"}, default="SO"
        Rotations, rigid motions, symplectic, unitary (of determinant one: "SU"), Lorentz (hyperbolic), invertible
        with positive determinant, upper triangular with ones on the diagonal. Complex groups give real and imaginary
        parts.
    dim : int, default=3
        Side of the matrices: from 2 on, from 1 on for "U" and "GL", even for "Sp".
    n_developments : int, default=3
        Number of independent developments of each path.
    step_size : float or None, default=None
        Size of the elements A_c, > 0: the path of a typical training series turns by about `step_size` radians. None
        for 3, and for 1 in "Sp", "SO(n,1)" and "GL", where entries grow exponentially; intervals are shorter than
        series.
    filter : {"exponential", "box", "random", "learnt"}, default="exponential"
        See `IntervalISSTransformer`.
    n_filters : int, default=4
        Number of filters h; each entry of each development has values for each of them.
    filter_rank : int, default=1
        Number of products whose sum is a filter.
    filter_length : int or None, default=None
        Longest half-life of "exponential" in steps; number of lags of the others. None for half of the median length.
    pooling : str or tuple of str, default=("end", "mean", "max", "min")
        Any of "end" (last value), "mean", "max", "min", "ppv" (proportion of time above a threshold), "mpv" (mean
        excess over the threshold while above it), "mipv" (mean position while above it, as a fraction of the window,
        and -1 / length if never above it), "argmax" (position of the first maximum, 0 at the start of the window and 1
        at its end).
    windows : "whole", int or ("dyadic", int), default="whole"
        Whole series; this many equal parts; or all dyadic parts down to a depth: 1, 2, 4, ... parts.
    quantile : float, default=0.5
        The thresholds of "ppv", "mpv" and "mipv" are this quantile of the values on the training series. Only used
        with these poolings.
    fit_mode : {"random", "supervised"}, default="random"
        "random": filters and elements are drawn. "supervised": both are then trained together with a linear head that
        predicts y, and the head is discarded. The parameters of the training are only used with "supervised".
    task : {"auto", "classification", "regression"}, default="auto"
        Task of the training. "auto": regression if y contains numbers with a fractional part, and classification
        otherwise.
    max_epochs : int, default=30
        Number of passes over the training series.
    batch_size : int, default=32
        Number of series per step, at least 2.
    lr : float, default=0.01
        Learning rate at its peak.
    device : str or torch.device, default="cpu"
        Device of the training; features are computed on the CPU. Used only with ``fit_mode="supervised"``.
    random_state : int, RandomState instance or None, default=0
        Seed of the elements and the filters, and of everything random in training.
    n_jobs : int or None, default=None
        Number of threads over series, in joblib's convention, at most the number of CPUs. The features do not depend
        on it.

    Attributes
    ----------
    algebra_ : ndarray of shape (n_developments, n_channels, dim, dim)
        The elements A_c, float64 or complex128.
    filters_ : ExponentialFilters or FiniteFilters
        The filters, see `sigfeat.filters`.
    units_ : ndarray of shape (n_channels,)
        Unit of each channel of the training series, which `step_size` is relative to.
    thresholds_ : ndarray of shape (n_rows,)
        Thresholds of "ppv", "mpv" and "mipv"; zeros if `pooling` has none of them.
    history_ : dict of ndarray
        "train_loss" of each epoch; only with ``fit_mode="supervised"``.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        If torch or skorch is not installed.
    ValueError
        If the group has no matrices of side `dim`, the device cannot be used, values are NaN or infinite, y is missing
        with ``fit_mode="supervised"``, developments overflow, or the output would not fit into memory.

    See Also
    --------
    PathDevelopmentTransformer : Developments from the start of the series or of windows.
    sigfeat.nn.IntervalDevelopment : The same as a torch layer.

    Notes
    -----
    X(s, s') is a product of matrices, and so O(t) = sum over i of (f_i * X^-1)(t) (g_i * X)(t), with the group's
    inverse in closed form; by real FFTs in O(T log T), over stretches of four filters' length, or by a recurrence in
    O(T) for exponential filters, see `IntervalISSTransformer`. All computations are in float64. Entries that are the
    same in all elements of a group, such as the last row of "SE", are omitted.

    References
    ----------
    .. [1] Lou, Li, Ni, "Path development network with finite-dimensional Lie group representation", 2022,
       arXiv:2204.00740.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import IntervalDevelopmentTransformer
    >>> X = np.random.default_rng(0).standard_normal((10, 2, 50)).cumsum(axis=2)
    >>> intervals = IntervalDevelopmentTransformer("SE", dim=3, n_filters=2, pooling="mean").fit(X)
    >>> intervals.transform(X).shape
    (10, 36)
    >>> intervals.get_feature_names_out()[-1]
    'dev3[SE(2)](2,3)|exponential2|mean'
    """

    _parameter_constraints: dict[str, Any] = INTERVAL_CONSTRAINTS | {
        "group": [StrOptions(set(GROUPS))],
        "dim": [Interval(Integral, 1, None, closed="left")],
        "n_developments": [Interval(Integral, 1, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        group: str = "SO",
        *,
        dim: int = 3,
        n_developments: int = 3,
        step_size: float | None = None,
        filter: str = "exponential",
        n_filters: int = 4,
        filter_rank: int = 1,
        filter_length: int | None = None,
        pooling: str | Sequence[str] = ("end", "mean", "max", "min"),
        windows: Windows = "whole",
        quantile: float = 0.5,
        fit_mode: str = "random",
        task: str = "auto",
        max_epochs: int = 30,
        batch_size: int = 32,
        lr: float = 0.01,
        device: Device = "cpu",
        random_state: RandomState = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.group = group
        self.dim = dim
        self.n_developments = n_developments
        self.step_size = step_size
        self.filter = filter
        self.n_filters = n_filters
        self.filter_rank = filter_rank
        self.filter_length = filter_length
        self.pooling = pooling
        self.windows = windows
        self.quantile = quantile
        self.fit_mode = fit_mode
        self.task = task
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.device = device
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the elements of the Lie algebra and the filters, and train them with ``fit_mode="supervised"``.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Classes or numbers; only used with ``fit_mode="supervised"``.

        Returns
        -------
        self : IntervalDevelopmentTransformer
        """
        X, lengths = self._check_panel(X, y, reset=True)
        group = GROUPS[self.group](int(self.dim))
        n_outputs = self.n_developments * group.dim**2 * (1 + group.is_complex)
        workspace = 4 * self.n_developments * X.shape[1] * group.dim**2 * 16 + 4 * X.shape[2] * group.dim**2 * 16
        remedy = "take a smaller dim or lower n_filters"
        self._check_size(X, lengths, n_outputs, group.dim**2, workspace, remedy, itemsize=8 * (1 + group.is_complex))
        step_size = STEP_FACTOR * group.usual_scale if self.step_size is None else self.step_size
        generator = torch.Generator().manual_seed(int(check_random_state(self.random_state).randint(2**31)))
        drawn = random_algebra(group, 1, self.n_developments * X.shape[1], generator=generator, dtype=torch.float64)
        elements: NDArray[Any] = drawn.reshape(self.n_developments, X.shape[1], group.dim, group.dim).numpy()
        self.units_ = path_units(X, lengths)
        self._group, self._n_parts = group, 1 + group.is_complex
        self._sizes = step_size / X.shape[1] ** 0.5 / self.units_
        self.algebra_ = elements * self._sizes[:, np.newaxis, np.newaxis]
        varying = group.varying().numpy().reshape(-1, 1, 1)  # entries, filters, parts
        repeats = self.n_developments, self.n_filters, self._n_parts
        self._fit_intervals(X, lengths, y, n_outputs, lambda: np.tile(varying, repeats).ravel())
        return self

    def _sources(self) -> list[Developments]:
        return [
            Developments(StepsOf(self._group, elements), self._group.dim, self._group.is_complex)
            for elements in self.algebra_
        ]

    def _layer(
        self, X: Floats, lengths: NDArray[np.int64], filters: IntervalFilter
    ) -> tuple[IntervalDevelopment, NDArray[np.float64]]:
        layer = IntervalDevelopment(
            self._group,
            X.shape[1],
            self.n_developments,
            filters,
            n_threads=granted_threads(self.n_jobs),
            generator=torch.Generator(),  # the global generator of torch must not be used
        )
        layer.development.weight.data = torch.from_numpy(self.algebra_ / self._sizes[:, np.newaxis, np.newaxis])
        return layer, path_increments(X.astype(np.float64), lengths) * self._sizes

    def _keep(self, layer: IntervalLayer) -> None:
        assert isinstance(layer, IntervalDevelopment)  # as `_layer` returned it
        elements = layer.development.algebra.detach().cpu().numpy()
        self.algebra_ = elements * self._sizes[:, np.newaxis, np.newaxis]

    def _row_names(self) -> list[str]:
        label, dim = self._group.label, self._group.dim
        parts = ("|re", "|im") if self._n_parts > 1 else ("",)
        return [
            f"dev{d}[{label}]({row},{column}){name}{part}"
            for d in range(1, len(self.algebra_) + 1)
            for row in range(1, dim + 1)
            for column in range(1, dim + 1)
            for name in self._filter_names
            for part in parts
        ]

    def _row_columns(self) -> Columns:
        filters = {"filter": [name.removeprefix("|") for name in self._filter_names]}
        sizes = len(self.algebra_), self._group.dim, self._n_parts
        return entry_columns(self._group.label, *sizes, self._channel_labels(), filters)


class StepsOf:
    """Steps exp(sum over c of A_c dx_c(t)) of series, and their inverses."""

    def __init__(self, group: Group, elements: NDArray[Any]) -> None:
        self.group, self.elements = group, elements

    def __call__(self, series: Floats, lengths: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Matrices of shape (n_samples, n_timepoints, dim, dim), float64 or complex128, the first I."""
        plan = Plan(self.elements[np.newaxis], self.group.involution, self.group.is_compact)
        increments = path_increments(series.astype(np.float64), lengths)
        n_samples, n_steps, n_channels = increments.shape
        # rounding depends on the lanes of a vector, so each series is padded to whole vectors
        filled = np.zeros((n_samples, -(-n_steps // plan.shape[2]) * plan.shape[2], n_channels))
        filled[:, :n_steps] = increments
        matrices = plan.matrices(plan.path(filled.reshape(-1, 1, n_channels)))
        matrices = matrices.reshape(*filled.shape[:2], self.group.dim, self.group.dim)
        steps = np.ascontiguousarray(matrices[:, :n_steps])
        if not np.isfinite(steps).all():
            raise ValueError(
                f"developments in {self.group.label} overflow float64: scale the series, or lower step_size"
            )
        return steps, np.ascontiguousarray(self.group.inverse(torch.from_numpy(steps)).numpy())
