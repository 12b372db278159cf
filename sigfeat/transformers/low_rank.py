"""Iterated sums of low rank as a scikit-learn transformer."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sigfeat import _devices
from sigfeat._devices import Device
from sigfeat._kernels.low_rank import LOW_RANK_SEMIRINGS, pooled_low_rank
from sigfeat._validation import Interval, RandomState, StrOptions, _fit_context, check_is_fitted
from sigfeat.functionals import Functionals, draw_functionals, n_parts
from sigfeat.panel import Floats
from sigfeat.pooling import POOLINGS, Windows, check_poolings, fine_windows, threshold_poolings, whole_series
from sigfeat.transformers._contract.base import FeatureTransformer
from sigfeat.transformers._contract.feature_table import Columns, FeatureTableMixin, functional_columns
from sigfeat.transformers._contract.jobs import N_JOBS, granted_threads
from sigfeat.transformers._contract.memory import check_fitted_size, check_output_size
from sigfeat.transformers._contract.moments import channel_scaling, difference_deviations
from sigfeat.transformers._contract.targets import TRAINING_CONSTRAINTS, TRAINING_USED_ONLY, check_target
from sigfeat.transformers._contract.unused import OnlyWith
from sigfeat.transformers._functionals import (
    checked_dilations,
    checked_quantiles,
    checked_semirings,
    functional_names,
    functionals_workspace,
    learnt_thresholds,
)
from sigfeat.transformers._streams import LowRankStream


class LowRankISSTransformer(FeatureTableMixin, FeatureTransformer):
    """Iterated sums of a series along functionals of rank one, random or trained, pooled over time.

    A functional is a chain of letters a_1, ..., a_k, each a linear form of a window around a time:
    a(t) = sum over c, l of p[c, l] x_c(t + l dilation). The values of the functional are
    z(t) = sum over i_1 < ... < i_k = t of a_1(i_1) ... a_k(i_k) exp(-decay (t - i_1)), with the sum and the product of
    a semiring: the terms of the iterated sum whose last letter is at t. Their cost does not grow like n_channels^k, as
    that of all words of length k does. The values are pooled over the whole series or over windows of it. Every run of
    neighbouring letters of a chain is used as a functional too.

    Parameters
    ----------
    n_functionals : int, default=1000
        Number of chains of `depth` letters.
    depth : int, default=2
        Number of letters of a chain.
    n_lags : int, default=9
        Number of points of the window of a letter; fewer if the series are shorter.
    dilations : tuple of int or None, default=None
        Steps between the points of a window, drawn from these. None: log-uniform between 1 and the largest with which
        the window fits into the series. Used only with ``n_lags > 1``.
    semiring : {"real", "max_plus", "min_plus"} or tuple of str, default="real"
        Sum and product. The chains use the semirings of a tuple in turn.
    decay : float or None, default=None
        Decay rate per time step, >= 0. In "real" a term is halved every 0.7 / decay steps; in the tropical semirings
        `decay` is subtracted (added for "min_plus") at each step. None: random, with half-lives that are log-uniform
        between one step and the length of the series.
    pooling : str or tuple of str, default="ppv"
        How the values of a window become one number. Any of "ppv" (the proportion of time above a threshold), "mpv"
        (the mean excess over the threshold while above it), "mipv" (the mean position while above the threshold, as a
        fraction of the window, and -1 / length if the values are never above it), "max", "min", "mean", "argmax" (the
        position of the first maximum, from 0 to 1) and "end" (the last value of the iterated sum itself).
    windows : "whole", int or ("dyadic", int), default="whole"
        The whole series; this many equal parts; or all dyadic parts down to a depth: 1, 2, 4, ... parts. The sums
        always start at the start of the series.
    scale : {"standard", "std", None}, default="standard"
        How each channel is scaled, with the mean and the standard deviation of the training series: subtract the mean
        and divide by the standard deviation; divide only, which keeps zeros and is meant for increments; do nothing.
    quantiles : int, float or tuple of float, default=3
        Thresholds of "ppv", "mpv" and "mipv", as quantiles of the values on one random training series for each chain;
        at most 4. An int n: n random quantiles, one from each of n equal parts of the distribution. A float from 0 to
        1, or a tuple of floats: these quantiles. "ppv" gives one feature for each threshold; "mpv" and "mipv" use the
        first threshold. Used only with these poolings.
    fit_mode : {"random", "supervised"}, default="random"
        "random": the weights p are Gaussian. "supervised": they are drawn in the same way and then trained on y,
        together with a linear head that is not kept. Needs y and torch.
    task : {"auto", "classification", "regression"}, default="auto"
        The kind of y in supervised training. "auto": regression if y holds numbers with a fractional part, and
        classification otherwise. Used only with ``fit_mode="supervised"``.
    max_epochs : int, default=30
        Passes over the training series in supervised training. Used only with ``fit_mode="supervised"``.
    batch_size : int, default=32
        Number of series in a step of supervised training, at least 2. Used only with ``fit_mode="supervised"``.
    lr : float, default=0.01
        Largest learning rate of supervised training. Used only with ``fit_mode="supervised"``.
    device : str or torch.device, default="cpu"
        Where functionals are trained and features are computed. "cpu": compiled loops. Any other device: operations of
        torch, also in float32. The features then agree up to rounding, and "ppv", "mpv" and "mipv" up to single times
        at which a value equals its threshold up to rounding.
    random_state : int, RandomState instance or None, default=0
        Seed of the functionals, their thresholds, and their training.
    n_jobs : int or None, default=None
        Number of threads over series, in joblib's convention, at most the number of CPUs. The features do not depend
        on it.

    Attributes
    ----------
    functionals_ : sigfeat.functionals.Functionals
        The letters of the chains, their decay rates and semirings.
    mean_, scale_ : ndarray of shape (n_channels_,)
        A channel is used as (x - mean_) / scale_.
    difference_scale_ : ndarray of shape (n_channels_,)
        Some chains use the differences (x(t + 1) - x(t)) / difference_scale_ of the series. Infinite for a channel
        whose differences are all the same up to rounding, so that its differences are used as 0.
    thresholds_ : float32 ndarray of shape (n_functionals, n_parts, n_thresholds)
        Thresholds of "ppv", "mpv" and "mipv" for each run of letters of each chain; zeros if none of them is used. A
        chain of k letters has n_parts = k (k + 1) / 2 runs.
    history_ : dict of ndarray
        "train_loss": the mean loss of each epoch. Only with ``fit_mode="supervised"``.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        If torch or skorch, for supervised training, is not installed.
    ValueError
        If a series is shorter than `depth`, values are NaN or infinite, sums overflow float32, y is missing in
        supervised mode, or the output would not fit into memory.

    See Also
    --------
    ISSTransformer : Iterated sums along words, whose letters are monomials in the channels.

    Notes
    -----
    With one letter and "ppv" this is the ROCKET transform [2]_.

    Features are named after the letters of the functional, chain by chain: ``<7.1><7.2>|real|ppv`` uses both letters of
    the seventh chain. `feature_table` lists what each feature depends on.

    The cost is O(n_timepoints n_functionals depth (n_lags n_channels + depth)) per series, in one pass that keeps one
    block of time in memory. Features are computed in float32. A letter depends on a random subset of the channels, at
    most nine. Its window extends beyond the ends of a series, where the series is taken as zero. Of eight chains two
    use differences of the series, and one depends on the level of the series: the weights of the others have mean zero
    over each window.

    References
    ----------
    .. [1] Toth, Bonnier, Oberhauser, "Seq2Tens: an efficient representation of sequences by low-rank tensor
       projections", 2020, arXiv:2006.07027.
    .. [2] Dempster, Petitjean, Webb, "ROCKET: exceptionally fast and accurate time series classification using random
       convolutional kernels", 2020, arXiv:1910.13051.
    .. [3] Tan, Dempster, Bergmeir, Webb, "MultiRocket: multiple pooling operators and transformations for fast and
       effective time series classification", 2022, arXiv:2102.00457: "mpv", "mipv", differences.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import LowRankISSTransformer
    >>> X = np.random.default_rng(0).standard_normal((10, 3, 50))
    >>> low_rank = LowRankISSTransformer(100, quantiles=1).fit(X)
    >>> low_rank.transform(X).shape
    (10, 300)
    >>> low_rank.get_feature_names_out()[[0, 299]]
    array(['<1.1>|real|ppv', '<100.1><100.2>|real|ppv'], dtype=object)
    """

    _parameter_constraints = {
        "n_functionals": [Interval(Integral, 1, None, closed="left")],
        "depth": [Interval(Integral, 1, None, closed="left")],
        "n_lags": [Interval(Integral, 1, None, closed="left")],
        "dilations": [tuple, list, None],
        "semiring": [StrOptions(set(LOW_RANK_SEMIRINGS)), tuple, list],
        "decay": [Interval(Real, 0, None, closed="left"), None],
        "pooling": [StrOptions(set(POOLINGS)), tuple, list],
        "windows": [StrOptions({"whole"}), Interval(Integral, 1, None, closed="left"), tuple, list],
        "scale": [StrOptions({"standard", "std"}), None],
        "quantiles": [Integral, Interval(Real, 0, 1, closed="both"), tuple, list],
        **TRAINING_CONSTRAINTS,
        "device": "no_validation",  # checked by torch
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
    }
    _used_only = {
        "quantiles": OnlyWith("pooling", threshold_poolings()),
        "dilations": OnlyWith("n_lags", above=1),
        **TRAINING_USED_ONLY,
    }

    def __init__(
        self,
        n_functionals: int = 1000,
        *,
        depth: int = 2,
        n_lags: int = 9,
        dilations: Sequence[int] | None = None,
        semiring: str | Sequence[str] = "real",
        decay: float | None = None,
        pooling: str | Sequence[str] = "ppv",
        windows: Windows = "whole",
        scale: str | None = "standard",
        quantiles: float | Sequence[float] = 3,
        fit_mode: str = "random",
        task: str = "auto",
        max_epochs: int = 30,
        batch_size: int = 32,
        lr: float = 0.01,
        device: Device = "cpu",
        random_state: RandomState = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.n_functionals = n_functionals
        self.depth = depth
        self.n_lags = n_lags
        self.dilations = dilations
        self.semiring = semiring
        self.decay = decay
        self.pooling = pooling
        self.windows = windows
        self.scale = scale
        self.quantiles = quantiles
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
        """Draw or train the functionals, and learn the scaling of the channels and the thresholds.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Classes or numbers; used in supervised mode only.

        Returns
        -------
        self : LowRankISSTransformer
        """
        X, lengths = self._check_panel(X, y, reset=True)
        self.__dict__.pop("history_", None)
        semirings, pooling = checked_semirings(self.semiring), check_poolings(self.pooling)
        dilations, quantiles = checked_dilations(self.dilations), checked_quantiles(self.quantiles)
        target = check_target(y, X, self.task) if self.fit_mode == "supervised" else None
        _check_device(self.device)
        n_thresholds = len(quantiles) if isinstance(quantiles, tuple) else quantiles
        # From here on `transform` uses these copies of the parameters: the kernels rely on the size of the output.
        self._pooling_columns = [(name, q) for name in pooling for q in range(n_thresholds if name == "ppv" else 1)]
        self._n_fine, self._runs = fine_windows(self.windows)
        self._windows = self.windows
        n_features = self.n_functionals * n_parts(self.depth) * len(self._pooling_columns) * len(self._runs)
        what = f"LowRankISSTransformer with n_functionals={self.n_functionals}, depth={self.depth}"
        sizes = self.n_functionals, self.depth, self.n_lags, n_thresholds
        workspace = functionals_workspace(*sizes, X.shape[1], X.shape[2])
        check_fitted_size(len(X), n_features, X.dtype, what, workspace, remedy="lower n_functionals or depth")
        self._require_timepoints(lengths, self.depth, f"functionals of {self.depth} letters")
        random_state, n_timepoints = check_random_state(self.random_state), int(np.median(lengths))
        size = self.n_functionals, self.depth, X.shape[1], n_timepoints
        decay = None if self.decay is None else float(self.decay)
        functionals = draw_functionals(
            *size,
            n_lags=min(self.n_lags, n_timepoints),
            dilations=dilations,
            decay=decay,
            semirings=semirings,
            random_state=random_state,
        )
        self._learn_scale(X, lengths)
        if target is not None:
            functionals = self._trained(functionals, X, lengths, target[1], random_state)
        self.functionals_ = functionals
        self.thresholds_ = learnt_thresholds(
            functionals, X, lengths, pooling, quantiles, random_state, shift=self.mean_, scale=self._factors()
        )
        self._n_features_out = n_features
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Pooled values of the functionals.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length from `depth` on, with as many channels as at fit.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), dtype of X
        """
        check_is_fitted(self)
        X, lengths = self._check_panel(X, reset=False)
        n_threads, depth = granted_threads(self.n_jobs), self.functionals_.depth
        _check_device(self.device)
        self._require_timepoints(lengths, depth, f"functionals of {depth} letters")
        check_output_size(len(X), self._n_features_out, X.dtype, "the output of LowRankISSTransformer")
        out = np.empty((len(X), self._n_features_out), X.dtype)
        how = {"shift": self.mean_, "scale": self._factors(), "out": out}
        pooling = self._pooling_columns, self.thresholds_, self._n_fine, self._runs
        if _devices.uses_loops(self.device):
            fits = pooled_low_rank(X, lengths, self.functionals_, pooling, n_threads=n_threads, **how)
        else:
            from sigfeat.nn.pooling import pooled_on_device

            fits = pooled_on_device(X, lengths, self.functionals_, pooling, device=self.device, **how)
        if not fits:
            raise ValueError("low-rank iterated sums overflow float32: scale the series, lower depth or raise decay")
        self._check_overflow(out, "low-rank iterated sums overflow", "scale the series, or raise decay")
        return out

    def stream(self) -> LowRankStream:
        """Empty stream: a series that grows, and its features after each point.

        Returns
        -------
        stream : Stream
            Its methods are `append(points)` and `features()`. The time of both does not depend on the number of points
            so far.

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.
        ValueError
            If `windows` is not "whole": the parts of a series that grows are only known at its end.

        Examples
        --------
        >>> import numpy as np
        >>> from sigfeat import LowRankISSTransformer
        >>> X = np.random.default_rng(0).standard_normal((10, 3, 50))
        >>> low_rank = LowRankISSTransformer(5).fit(X)
        >>> stream = low_rank.stream().append(X[0, :, :40]).append(X[0, :, 40:])
        >>> np.allclose(stream.features(), low_rank.transform(X[:1])[0], rtol=1e-5)
        True
        """
        check_is_fitted(self)
        whole_series(self._windows)
        how = {"shift": self.mean_, "scale": self._factors()}
        return LowRankStream(self.functionals_, self._pooling_columns, self.thresholds_, **how)

    def _feature_names(self) -> list[str]:
        return functional_names(self.functionals_, self._pooling_columns, self._windows)

    def _feature_columns(self) -> Columns:
        labels = self._channel_labels()
        return functional_columns(self.functionals_, self.thresholds_, self._pooling_columns, self._windows, labels)

    def _learn_scale(self, X: Floats, lengths: NDArray[np.int64]) -> None:
        """Set `mean_`, `scale_` and `difference_scale_`."""
        self.mean_, self.scale_ = channel_scaling(X, lengths, self.scale)
        self.difference_scale_, long_enough = np.ones(X.shape[1]), lengths > 1
        if self.scale is not None and long_enough.any():
            self.difference_scale_ = difference_deviations(X[long_enough], lengths[long_enough])

    def _factors(self) -> NDArray[np.float64]:
        """Factors of the channels and of their differences, shape (2, n_channels)."""
        divisors: NDArray[np.float64] = np.stack([self.scale_, self.difference_scale_])
        return 1.0 / divisors

    def _trained(
        self,
        functionals: Functionals,
        X: Floats,
        lengths: NDArray[np.int64],
        target: NDArray[Any],
        random_state: np.random.RandomState,
    ) -> Functionals:
        """Functionals whose weights are trained on the target."""
        from sigfeat.nn.low_rank import train_functionals

        training: dict[str, Any] = {name: getattr(self, name) for name in ("max_epochs", "lr", "batch_size", "device")}
        training |= {"seed": int(random_state.randint(2**31)), "n_threads": granted_threads(self.n_jobs)}
        factors = self._factors()
        functionals, self.history_ = train_functionals(functionals, X, lengths, target, self.mean_, factors, **training)
        return functionals

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.fit_mode == "supervised"
        return tags


def _check_device(device: Device) -> None:
    """Raise a ValueError if low-rank sums cannot be computed on the device; the CPU does not need torch."""
    if not _devices.uses_loops(device):
        from sigfeat.nn.devices import check_device

        check_device(device)
