"""Path developments in matrix groups as a scikit-learn transformer."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sigfeat._devices import Device
from sigfeat._validation import Interval, RandomState, StrOptions, _fit_context, check_is_fitted
from sigfeat.nn.development import random_algebra
from sigfeat.nn.devices import check_device
from sigfeat.nn.groups import GROUPS
from sigfeat.nn.pooled_development import development_of, train_development
from sigfeat.nn.training.settings import TrainingSettings
from sigfeat.pooling import (
    POOLINGS,
    Windows,
    check_poolings,
    fine_windows,
    threshold_bytes,
    threshold_poolings,
    whole_series,
    window_endings,
)
from sigfeat.transformers._contract.callbacks import NO_VALIDATION_SET, check_callbacks
from sigfeat.transformers._contract.jobs import N_JOBS, granted_threads
from sigfeat.transformers._contract.memory import check_fitted_size, check_output_size
from sigfeat.transformers._contract.paths import path_units
from sigfeat.transformers._contract.targets import TRAINING_CONSTRAINTS, TRAINING_USED_ONLY, check_target
from sigfeat.transformers._contract.unused import TRAINED, OnlyWith
from sigfeat.transformers._developments import DevelopmentFeatures
from sigfeat.transformers._streams import DevelopmentStream

REMEDY = "take a smaller dim, fewer developments or windows"


class PathDevelopmentTransformer(DevelopmentFeatures):
    """Developments of a path in a matrix Lie group, random or trained.

    The development of the path through the points of a series is X_0 = I, X_t = X_{t-1} exp(sum over c of
    A_c dx_c(t)), with increments dx and elements A_c of the Lie algebra of the group. The features are the entries of
    the matrices, pooled over the whole series or windows of it.

    Parameters
    ----------
    group : {"SO", "SE", "Sp", "U", "SU", "SO(n,1)", "GL", "unipotent"}, default="SO"
        Rotations, rigid motions, symplectic, unitary (of determinant one: "SU"), Lorentz (hyperbolic), invertible
        with positive determinant, upper triangular with ones on the diagonal. Complex groups give real and imaginary
        parts.
    dim : int, default=6
        Side of the matrices: from 2 on, from 1 on for "U" and "GL", even for "Sp".
    n_developments : int, default=6
        Number of independent developments of each path.
    step_size : float or None, default=None
        Size of the first elements A_c, > 0: the path of a typical training series turns by about `step_size` radians.
        None for 1, and for 0.3 in "Sp", "SO(n,1)" and "GL", where entries grow exponentially.
    pooling : str or tuple of str, default=("end", "mean", "max", "min")
        Any of "end" (last value), "mean", "max", "min", "ppv" (proportion of time above a threshold), "mpv" (mean
        excess over the threshold while above it), "mipv" (mean position while above it, as a fraction of the window,
        and -1 / length if never above it), "argmax" (position of the first maximum, 0 at the start of the window and 1
        at its end).
    windows : "whole", int or ("dyadic", int), default=("dyadic", 2)
        Whole series; this many equal parts; or all dyadic parts down to a depth: 1, 2, 4, ... parts. The development
        starts anew in each window. A window that does not start the series begins with the step from the point before
        it, so that every increment is in exactly one of the parts.
    quantile : float, default=0.5
        The thresholds of "ppv", "mpv" and "mipv" are, for each entry, this quantile of its running values on the
        training series. Only used with these poolings.
    fit_mode : {"random", "supervised"}, default="random"
        "random": Gaussian elements A_c. "supervised": these are then trained together with a linear head that predicts
        y, and the head is discarded. The parameters of the training are only used with "supervised".
    task : {"auto", "classification", "regression"}, default="auto"
        Task of the training. "auto": regression if y contains numbers with a fractional part, and classification
        otherwise.
    max_epochs : int, default=30
        Number of passes over the training series.
    batch_size : int, default=32
        Number of series per step, at least 2.
    lr : float, default=0.05
        Learning rate at its peak, relative to the size of the first elements; that of the head is twice as high.
    weight_decay : float, default=0.0
        Decoupled weight decay of the head.
    validation_fraction : float, default=0.0
        Fraction of the series in a validation set for early stopping, which also selects the best epoch; 0 for none.
    patience : int, default=10
        Number of epochs without a better loss on the validation set after which training stops. Only used with a
        positive `validation_fraction`.
    callbacks : list of skorch.callbacks.Callback or None, default=None
        Callbacks of skorch for the training: checkpoints, loggers.
    device : str or torch.device, default="cpu"
        Device to compute on. "cpu" has compiled loops.
    dtype : {"float32", "float64"} or None, default=None
        Precision of the computation; None for that of X. The features have the dtype of X.
    random_state : int, RandomState instance or None, default=0
        Seed of the elements, and of everything random in training.
    n_jobs : int or None, default=None
        Number of threads, in joblib's convention, at most the number of CPUs. The features of given elements do not
        depend on it.

    Attributes
    ----------
    algebra_ : ndarray of shape (n_developments, n_channels, dim, dim)
        The elements A_c, float64 or complex128.
    units_ : ndarray of shape (n_channels,)
        Unit of each channel of the training series, which `step_size` is relative to.
    history_ : dict of ndarray
        "train_loss" and, with a validation set, "valid_loss" of each epoch; only with ``fit_mode="supervised"``.
    thresholds_ : ndarray of shape (n_developments, n_entries)
        Thresholds of "ppv", "mpv" and "mipv"; zeros if `pooling` has none of them.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        If torch or skorch is not installed.
    ValueError
        If the group has no matrices of side `dim`, the device cannot be used, y is missing or has a single class with
        ``fit_mode="supervised"``, values are NaN or infinite, developments overflow, or the output would not fit into
        memory.

    See Also
    --------
    SignatureTransformer : All iterated integrals up to a depth; the developments in "unipotent" are some of them.
    sigfeat.nn.Development : The same as a torch layer.

    Notes
    -----
    Developments do not change if the path is traversed at another speed or shifted by a constant; put `AddTime` or
    `AddBasepoint` in front if these matter. In a compact group ("SO", "U", "SU") entries are bounded by one; in the
    others they grow with the path, up to an overflow, and a smaller `step_size` helps. Entries that are the same for
    all paths, such as the last row of "SE", are omitted.

    The unit of a channel is the geometric mean of two scales: its standard deviation, which suits smooth paths, and the
    root of the mean over the series of the sum of squared increments, which suits noise. A_c is a Gaussian
    element of mean squared Frobenius norm dim / n_channels, times step_size / unit.

    The defaults were chosen by cross-validation on training data (`benchmarks/settings.py`). Training on y helps if
    there are few features (`benchmarks/trained.py`); with many statistics of dyadic windows, random elements are
    nearly as good.

    Features are named ``dev3[SO(5)](2,4)|mean``: third development, row 2, column 4; with windows
    ``dev3[SO(5)](2,4)|mean|1/2-2/2``, and in complex groups with ``|re`` or ``|im`` after the position. Labels use
    the usual dimensions: "SE(4)" and "SO(4,1)" have matrices of side 5.

    Time O(n_timepoints n_developments dim^3) per series and level of windows, in compiled loops with one series per
    SIMD lane. On other devices than the CPU, torch's operations do the same.

    References
    ----------
    .. [1] Lou, Li, Ni, "Path development network with finite-dimensional Lie group representation", 2022,
       arXiv:2204.00740.
    .. [2] Cass, Turner, "Free probability, path developments and signature kernels as universal scaling limits", 2024,
       arXiv:2402.12311: random developments.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import PathDevelopmentTransformer
    >>> X = np.random.default_rng(0).standard_normal((10, 3, 50)).cumsum(axis=2)
    >>> development = PathDevelopmentTransformer("SO", dim=5, n_developments=3, pooling="end", windows="whole").fit(X)
    >>> development.transform(X).shape
    (10, 75)
    >>> development.get_feature_names_out()[[0, 58]]
    array(['dev1[SO(5)](1,1)|end', 'dev3[SO(5)](2,4)|end'], dtype=object)
    """

    _parameter_constraints = {
        "group": [StrOptions(set(GROUPS))],
        "dim": [Interval(Integral, 1, None, closed="left")],
        "n_developments": [Interval(Integral, 1, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="neither"), None],
        "pooling": [StrOptions(set(POOLINGS)), tuple, list],
        "windows": [StrOptions({"whole"}), Interval(Integral, 1, None, closed="left"), tuple, list],
        "quantile": [Interval(Real, 0, 1, closed="both")],
        **TRAINING_CONSTRAINTS,
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device],
        "dtype": [StrOptions({"float32", "float64"}), None],
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
    }
    _used_only = {
        "quantile": OnlyWith("pooling", threshold_poolings()),
        "patience": OnlyWith("validation_fraction"),
        **TRAINING_USED_ONLY,
        **dict.fromkeys(("weight_decay", "validation_fraction", "callbacks"), TRAINED),
    }

    def __init__(
        self,
        group: str = "SO",
        *,
        dim: int = 6,
        n_developments: int = 6,
        step_size: float | None = None,
        pooling: str | Sequence[str] = ("end", "mean", "max", "min"),
        windows: Windows = ("dyadic", 2),
        quantile: float = 0.5,
        fit_mode: str = "random",
        task: str = "auto",
        max_epochs: int = 30,
        batch_size: int = 32,
        lr: float = 0.05,
        weight_decay: float = 0.0,
        validation_fraction: float = 0.0,
        patience: int = 10,
        callbacks: Sequence[Any] | None = None,
        device: Device = "cpu",
        dtype: str | None = None,
        random_state: RandomState = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.group = group
        self.dim = dim
        self.n_developments = n_developments
        self.step_size = step_size
        self.pooling = pooling
        self.windows = windows
        self.quantile = quantile
        self.fit_mode = fit_mode
        self.task = task
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.callbacks = callbacks
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the elements of the Lie algebra, and train them with ``fit_mode="supervised"``.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Classes or numbers; only used with ``fit_mode="supervised"``.

        Returns
        -------
        self : PathDevelopmentTransformer
        """
        X, lengths = self._check_panel(X, y, reset=True)
        self.__dict__.pop("history_", None)
        group, windows = GROUPS[self.group](int(self.dim)), fine_windows(self.windows)
        pooling = check_poolings(self.pooling)
        target = check_target(y, X, self.task) if self.fit_mode == "supervised" else None
        check_device(self.device)
        check_callbacks(self.callbacks, None if self.validation_fraction > 0 else NO_VALIDATION_SET)
        n_columns = self.n_developments * group.n_varying * len(pooling) * len(windows[1])
        what = f"PathDevelopmentTransformer with {self.n_developments} developments in {group.label}"
        workspace = 2 * len(X) * n_columns * X.itemsize + 2 * self.n_developments * X.shape[1] * group.dim**2 * 16
        if target is not None and pooling != ("end",):  # whole paths of a batch and their gradients
            of_path = X.shape[2] * self.n_developments * group.dim**2 * (1 + group.is_complex) * X.itemsize
            workspace += 10 * min(self.batch_size, len(X)) * of_path
        if threshold_poolings(pooling):
            n_entries = self.n_developments * group.dim**2 * (1 + group.is_complex)
            workspace += 3 * threshold_bytes(len(X), X.shape[2] * n_entries * 8)
        check_fitted_size(len(X), n_columns, X.dtype, what, workspace, REMEDY)
        seed = int(check_random_state(self.random_state).randint(2**31))
        generator = torch.Generator().manual_seed(seed)
        drawn = random_algebra(group, 1, self.n_developments * X.shape[1], generator=generator, dtype=torch.float64)
        elements: NDArray[Any] = drawn.reshape(self.n_developments, X.shape[1], group.dim, group.dim).numpy()
        self.units_ = path_units(X, lengths)
        self._step_size = group.usual_scale if self.step_size is None else self.step_size
        self._sizes = self._step_size / X.shape[1] ** 0.5 / self.units_
        # `transform` uses these and not the parameters, which may change later.
        self._group, self._pooling, self._windows = group, pooling, windows
        self._varying = np.flatnonzero(group.varying().numpy().ravel().repeat(1 + group.is_complex))
        self._compute_dtype = None if self.dtype is None else np.dtype(self.dtype)
        self._endings = window_endings(self.windows)
        if target is not None:
            elements = self._train(self._increments(X, lengths), lengths, target[1], elements, seed)
        self._elements = elements
        self.algebra_ = elements * self._sizes[:, np.newaxis, np.newaxis]
        self.thresholds_ = self._learn_thresholds(X, lengths)
        self._n_features_out = n_columns
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Entries of the developments, pooled.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), dtype of X
            For each development its entries, row by row; for each entry all poolings; for each pooling all windows.
        """
        check_is_fitted(self)
        X, lengths = self._check_panel(X, reset=False)
        check_device(self.device)
        size = len(X) * self._n_features_out * X.itemsize
        what = "the output of PathDevelopmentTransformer"
        check_output_size(len(X), self._n_features_out, X.dtype, what, 2 * size, REMEDY)
        features = self._features(self._increments(X, lengths), lengths)
        with np.errstate(over="ignore"):  # `_check_overflow` reports it
            features = features[:, :, self._varying].reshape(len(X), -1).astype(X.dtype, copy=False)
        self._check_overflow(features, *self._overflow())
        return features

    def stream(self) -> DevelopmentStream:
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

        Notes
        -----
        Streams are computed on the CPU, in float64 unless `dtype` is given.

        Examples
        --------
        >>> import numpy as np
        >>> from sigfeat import PathDevelopmentTransformer
        >>> X = np.random.default_rng(0).standard_normal((10, 3, 50))
        >>> development = PathDevelopmentTransformer(windows="whole").fit(X)
        >>> stream = development.stream()
        >>> for point in X[0].T:
        ...     features = stream.append(point).features()
        >>> np.allclose(features, development.transform(X[:1])[0], rtol=1e-12)
        True
        """
        check_is_fitted(self)
        whole_series("whole" if len(self._windows[1]) == 1 else self.windows)
        plan = self._plan(self._compute_dtype or np.dtype(np.float64))
        group = self._group
        return DevelopmentStream(plan, self._sizes, self._pooling, self.thresholds_, self._varying, group.label)

    def _train(
        self,
        increments: NDArray[Any],
        lengths: NDArray[np.int64],
        target: NDArray[Any],
        elements: NDArray[Any],
        seed: int,
    ) -> NDArray[Any]:
        """Set `history_`, and return the trained elements, float64."""
        n_threads = granted_threads(self.n_jobs)
        layer = development_of(self._group, elements, increments.dtype, n_threads)
        settings = TrainingSettings(
            max_epochs=self.max_epochs,
            lr=self.lr,
            batch_size=self.batch_size,
            seed=seed,
            passes=True,
            weight_decay=self.weight_decay,
            patience=self.patience,
            callbacks=self.callbacks or (),
            device=self.device,
            title=type(self).__name__,
        )
        self.history_ = train_development(
            layer,
            increments,
            lengths,
            target,
            self._pooling,
            self._windows,
            settings,
            validation_fraction=self.validation_fraction,
            n_threads=n_threads,
        )
        trained: NDArray[Any] = layer.algebra.detach().cpu().numpy()
        return trained.astype(elements.dtype)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.fit_mode == "supervised"
        return tags
