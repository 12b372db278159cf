"""Path developments in matrix groups as a scikit-learn transformer."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state

from sigfeat._kernels.development.plan import Plan, segments_of
from sigfeat._kernels.pooling import POOLINGS
from sigfeat._validation import Interval, StrOptions, _fit_context, check_is_fitted
from sigfeat.nn.development import Development, random_algebra
from sigfeat.nn.devices import check_device, thread_limit
from sigfeat.nn.groups import GROUPS
from sigfeat.nn.pooled_development import TRAINABLE_POOLINGS, PooledDevelopment
from sigfeat.nn.training.supervised import TrainingSettings, train
from sigfeat.transformers._contract.base import FeatureTransformer
from sigfeat.transformers._contract.callbacks import NONE_HELD_OUT, check_callbacks
from sigfeat.transformers._contract.feature_table import (
    WHOLE,
    FeatureTableMixin,
    combined,
    entry_columns,
    only_where_used,
    selected,
)
from sigfeat.transformers._contract.jobs import N_JOBS, granted_threads
from sigfeat.transformers._contract.memory import check_fitted_size, check_output_size
from sigfeat.transformers._contract.paths import path_increments, path_units
from sigfeat.transformers._contract.targets import check_target
from sigfeat.transformers._development_stream import DevelopmentStream
from sigfeat.transformers._poolings import check_poolings, threshold_between, threshold_bytes, threshold_series
from sigfeat.transformers._windows import fine_windows, whole_series, window_names

BATCH_BYTES = 1 << 28
SMALLER = "take a smaller dim, fewer developments or windows"


class PathDevelopmentTransformer(FeatureTableMixin, FeatureTransformer):
    """Developments of a path in a matrix Lie group, random or trained.

    For the path through the points of a series, X_0 = I and X_t = X_{t-1} exp(sum over c of A_c dx_c(t)) with
    increments dx and elements A_c of the group's Lie algebra. The entries of the matrices are the features: their
    final values, or statistics of their running values, over the whole series or windows of it.

    Parameters
    ----------
    group : {"SO", "SE", "Sp", "U", "SU", "SO(n,1)", "GL", "unipotent"}, default="SO"
        Rotations, rigid motions, symplectic, unitary (of determinant one: "SU"), Lorentz (hyperbolic), invertible
        with positive determinant, upper triangular with ones on the diagonal. Complex groups give real and imaginary
        parts.
    dim : int, default=6
        Side of the matrices: from 2 on, from 1 on for "U" and "GL", even for "Sp".
    n_developments : int, default=6
        Independent developments of each path.
    fit_mode : {"random", "supervised"}, default="random"
        "random": Gaussian elements A_c. "supervised": the same, then trained with a linear head on y, which is
        thrown away. Needs y.
    scale : float or None, default=None
        Size of the first elements A_c, > 0: the path of a typical training series turns by about `scale` radians. None
        is 1, and 0.3 in "Sp", "SO(n,1)" and "GL", where entries grow exponentially.
    pooling : "final", str or tuple of str, default=("end", "mean", "max", "min")
        "final": the last value, without a word of it in the names. Or any of "end" (last value), "mean", "max", "min",
        "ppv" (share of time above a threshold), "mpv" (mean excess over the threshold while above it), "argmax" (place
        of the first maximum, 0 at the start of the window and 1 at its end).
    windows : "whole", int or ("dyadic", int), default=("dyadic", 2)
        Whole series; this many equal parts; or all dyadic parts down to a depth: 1, 2, 4, ... parts. The development
        starts anew in each window. A window that does not start the series begins with the step from the point before
        it, so that every increment is in exactly one of the parts.
    quantile : float, default=0.5
        The thresholds of "ppv" and "mpv" are, for each entry, this quantile of its running values on the training
        series.
    task : {"auto", "classification", "regression"}, default="auto"
        What supervised training takes y for. "auto": numbers with a fractional part are targets of a regression,
        anything else is classes.
    max_epochs : int, default=30
        Passes over the training series in supervised training.
    lr : float, default=0.05
        Its learning rate at the peak, in units of the first elements; that of the head is twice as high.
    weight_decay : float, default=0.0
        Decoupled weight decay of the head.
    batch_size : int, default=32
        Series per step, at least 2.
    validation_fraction : float, default=0.0
        Share of the series that is held out to stop training early, and to keep the best epoch; 0 for none.
    patience : int, default=10
        Epochs without a better loss on the held-out series, after which training stops.
    callbacks : list of skorch.callbacks.Callback or None, default=None
        Given to skorch: progress, checkpoints, loggers.
    device : str or torch.device, default="cpu"
        Where to compute. "cpu" has compiled loops.
    dtype : {"float32", "float64"} or None, default=None
        Precision to compute in; None for that of X. The features have the dtype of X.
    random_state : int, RandomState instance or None, default=0
        Of the elements, and of the order of the series in training.
    n_jobs : int or None, default=None
        Threads, in joblib's convention, no more than CPUs. The features of given elements do not depend on it.

    Attributes
    ----------
    algebra_ : ndarray of shape (n_developments, n_channels, dim, dim)
        The elements A_c, float64 or complex128.
    units_ : ndarray of shape (n_channels,)
        Unit of each channel, by which `scale` is relative to the training data.
    history_ : list of dict
        "epoch", "train_loss" and, where series are held out, "valid_loss" of each epoch; in supervised mode only.
    thresholds_ : ndarray of shape (n_developments, n_entries)
        Thresholds of "ppv" and "mpv"; zeros where neither is asked for.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        If torch, or skorch for supervised training, is not installed.
    ValueError
        If the group has no matrices of side `dim`, the device cannot be used, y is missing or has one class only in
        supervised mode, values are NaN or infinite, developments overflow, or the output would not fit into memory.

    See Also
    --------
    SignatureTransformer : All iterated integrals up to a depth; the developments in "unipotent" are some of them.
    sigfeat.nn.Development : The same as a torch layer.

    Notes
    -----
    Developments do not change when the path is run through at another speed, or moved by a constant; put `AddTime` or
    `AddBasepoint` in front where these matter. In a compact group ("SO", "U", "SU") entries are bounded by one; in the
    others they grow with the path, up to an overflow, and a smaller `scale` helps. Entries that are the same for all
    paths, such as the last row of "SE", are left out.

    The unit of a channel is the geometric mean of two sizes, its standard deviation and the root of the mean over the
    series of the sum of squared increments: the first fits smooth paths and the second noise. A_c is a Gaussian
    element of mean squared Frobenius norm dim / n_channels, times scale / unit.

    The defaults were chosen by cross-validation on training data (`benchmarks/settings.py`). Training on y pays for few
    final values (`benchmarks/trained.py`); many statistics of dyadic windows are nearly as good with random elements.

    Features are named ``dev3[SO(5)](2,4)``: third development, row 2, column 4; with statistics and windows
    ``dev3[SO(5)](2,4)|mean|1/2-2/2``, and ``|re`` or ``|im`` behind the place in complex groups. Labels count the
    dimensions as usual, "SE(4)" and "SO(4,1)" for matrices of side 5.

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
    >>> development = PathDevelopmentTransformer("SO", dim=5, n_developments=3, pooling="final", windows="whole").fit(X)
    >>> development.transform(X).shape
    (10, 75)
    >>> development.get_feature_names_out()[[0, 58]]
    array(['dev1[SO(5)](1,1)', 'dev3[SO(5)](2,4)'], dtype=object)
    """

    _parameter_constraints = {
        "group": [StrOptions(set(GROUPS))],
        "dim": [Interval(Integral, 1, None, closed="left")],
        "n_developments": [Interval(Integral, 1, None, closed="left")],
        "fit_mode": [StrOptions({"random", "supervised"})],
        "scale": [Interval(Real, 0, None, closed="neither"), None],
        "pooling": [StrOptions({"final", *POOLINGS}), tuple, list],
        "windows": [StrOptions({"whole"}), Interval(Integral, 1, None, closed="left"), tuple, list],
        "quantile": [Interval(Real, 0, 1, closed="both")],
        "task": [StrOptions({"auto", "classification", "regression"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device],
        "dtype": [StrOptions({"float32", "float64"}), None],
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        group="SO",
        dim=6,
        n_developments=6,
        fit_mode="random",
        scale=None,
        pooling=("end", "mean", "max", "min"),
        windows=("dyadic", 2),
        quantile=0.5,
        task="auto",
        max_epochs=30,
        lr=0.05,
        weight_decay=0.0,
        batch_size=32,
        validation_fraction=0.0,
        patience=10,
        callbacks=None,
        device="cpu",
        dtype=None,
        random_state=0,
        n_jobs=None,
    ):
        self.group = group
        self.dim = dim
        self.n_developments = n_developments
        self.fit_mode = fit_mode
        self.scale = scale
        self.pooling = pooling
        self.windows = windows
        self.quantile = quantile
        self.task = task
        self.max_epochs = max_epochs
        self.lr = lr
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.callbacks = callbacks
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Draw the elements of the Lie algebra, and train them in supervised mode.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Classes or numbers; used in supervised mode only.

        Returns
        -------
        self : PathDevelopmentTransformer
        """
        X, lengths = self._check_panel(X, y, reset=True)
        vars(self).pop("history_", None)
        group, windows = GROUPS[self.group](int(self.dim)), fine_windows(self.windows)
        pooling = ("end",) if self.pooling == "final" else check_poolings(self.pooling, otherwise='be "final" or ')
        target = check_target(y, X, self.task) if self.fit_mode == "supervised" else None
        check_device(self.device)
        held_out = target is None or self.validation_fraction > 0
        check_callbacks(self.callbacks, None if held_out else NONE_HELD_OUT)
        n_columns = self.n_developments * group.n_varying * len(pooling) * len(windows[1])
        what = f"PathDevelopmentTransformer with {self.n_developments} developments in {group.label}"
        workspace = 2 * len(X) * n_columns * X.itemsize + 2 * self.n_developments * X.shape[1] * group.dim**2 * 16
        if target is not None and pooling != ("end",):  # whole paths and their gradients, of a batch
            of_path = X.shape[2] * self.n_developments * group.dim**2 * (1 + group.is_complex) * X.itemsize
            workspace += 10 * min(self.batch_size, len(X)) * of_path
        if {"ppv", "mpv"} & set(pooling):
            n_entries = self.n_developments * group.dim**2 * (1 + group.is_complex)
            workspace += 3 * threshold_bytes(len(X), X.shape[2] * n_entries * 8)
        check_fitted_size(len(X), n_columns, X.dtype, what, workspace, SMALLER)
        seed = int(check_random_state(self.random_state).randint(2**31))
        generator = torch.Generator().manual_seed(seed)
        elements = random_algebra(group, 1, self.n_developments * X.shape[1], generator=generator, dtype=torch.float64)
        elements = elements.reshape(self.n_developments, X.shape[1], group.dim, group.dim).numpy()
        self.units_ = path_units(X, lengths)
        self._scale = group.usual_scale if self.scale is None else self.scale
        self._sizes = self._scale / X.shape[1] ** 0.5 / self.units_
        # From here on `transform` knows the parameters by these: the sizes of the output depend on them.
        self._group, self._pooling, self._windows = group, pooling, windows
        self._varying = np.flatnonzero(group.varying().numpy().ravel().repeat(1 + group.is_complex))
        self._compute_dtype = None if self.dtype is None else np.dtype(self.dtype)
        self._named_final = self.pooling == "final"
        self._endings = [f"|{name}" if name else "" for name in window_names(self.windows)]
        if target is not None:
            elements = self._train(self._increments(X, lengths), lengths, target[1], elements, seed)
        self._elements = elements
        self.algebra_ = elements * self._sizes[:, np.newaxis, np.newaxis]
        self.thresholds_ = self._learn_thresholds(X, lengths)
        self._n_features_out = n_columns
        return self

    def transform(self, X):
        """Entries of the developments, pooled.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), dtype of X
            Of each development each entry, row by row; of each entry all poolings; of each pooling all windows.
        """
        check_is_fitted(self)
        X, lengths = self._check_panel(X, reset=False)
        check_device(self.device)
        size = len(X) * self._n_features_out * X.itemsize
        what = "the output of PathDevelopmentTransformer"
        check_output_size(len(X), self._n_features_out, X.dtype, what, 2 * size, SMALLER)
        features = self._features(self._increments(X, lengths), lengths)
        with np.errstate(over="ignore"):  # told in one sentence
            features = features[:, :, self._varying].reshape(len(X), -1).astype(X.dtype, copy=False)
        self._check_overflow(features, *self._overflow())
        return features

    def stream(self):
        """A series that grows, and its features after each point.

        Returns
        -------
        stream : Stream
            With methods `append(points)` and `features()`; empty. The time to append a point, and to read the features,
            does not depend on how many points there were.

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.
        ValueError
            Unless ``windows="whole"``: parts of a series that grows are not known before its end.

        Notes
        -----
        Computed on the CPU, in float64 unless `dtype` is given.

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

    def _features(self, increments, lengths):
        """Poolings of all entries, (n_samples, n_developments, entries, n_poolings, n_windows)."""
        if torch.device(self.device).type != "cpu":
            return self._features_on_device(increments, lengths)
        plan, (n_fine, windows) = self._plan(increments.dtype), self._windows
        n_samples, n_windows = len(increments), len(windows)
        dim, n_parts = self._group.dim, 1 + self._group.is_complex
        if self._pooling == ("end",):
            bounds = np.arange(n_fine + 1) * lengths[:, np.newaxis] // n_fine
            series = np.repeat(np.arange(n_samples), n_fine)
            parts = series, bounds[:, :-1].ravel(), bounds[:, 1:].ravel()
            _, first, stop, products = plan.segments(increments, *segments_of(parts, plan.shape[2]))
            of_series = np.arange(n_samples)[:, np.newaxis] * n_fine
            begin, end = first[of_series + windows[:, 0]].ravel(), stop[of_series + windows[:, 1] - 1].ravel()
            values = plan.chained(products, begin, end)[..., np.newaxis]
        else:
            bounds = windows * lengths[:, np.newaxis, np.newaxis] // n_fine
            runs = np.repeat(np.arange(n_samples), n_windows), bounds[..., 0].ravel(), bounds[..., 1].ravel()
            thresholds = self.thresholds_.reshape(-1, dim, dim, n_parts).swapaxes(2, 3).reshape(self.thresholds_.shape)
            values = plan.pooled(increments, runs, self._pooling, thresholds)
        values = values.reshape(n_samples, n_windows, len(self._elements), dim, n_parts, dim, -1)
        values = values.transpose(0, 2, 3, 5, 4, 6, 1)  # series, development, row, column, part, pooling, window
        return values.reshape(*values.shape[:2], dim * dim * n_parts, -1, n_windows)

    def _features_on_device(self, increments, lengths):
        device = torch.device(self.device)
        layer = self._layer(self._elements, increments.dtype)
        network = PooledDevelopment(layer, self._pooling, *self._windows, self.thresholds_).to(device)
        path_bytes = (
            increments.shape[1] * layer.weight[:, 0].numel() * layer.weight.element_size() * len(self._windows[1])
        )
        per_batch = max(1, BATCH_BYTES // path_bytes)
        steps, counts = torch.from_numpy(increments).split(per_batch), torch.from_numpy(lengths).split(per_batch)
        with torch.no_grad():
            found = [
                network(part.to(device), own.to(device)).cpu().numpy() for part, own in zip(steps, counts, strict=True)
            ]
        return np.concatenate(found)

    def _layer(self, elements, dtype):
        """The development of given elements as a torch layer, in the precision of a NumPy dtype."""
        precision = torch.float32 if dtype == np.float32 else torch.float64
        layer = Development(
            self._group,
            elements.shape[1],
            len(elements),
            n_threads=granted_threads(self.n_jobs),
            generator=torch.Generator(),  # replaced at once, but torch's own must not be drawn from
            dtype=precision,
        )
        layer.weight.data = torch.tensor(elements, dtype=layer.weight.dtype)
        return layer

    def _train(self, increments, lengths, target, elements, seed):
        """Algebra elements after training, float64."""
        layer = self._layer(elements, increments.dtype)
        poolings = [name for name in self._pooling if name in TRAINABLE_POOLINGS] or ["end"]
        settings = TrainingSettings(
            max_epochs=self.max_epochs,
            lr=self.lr,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            validation_fraction=self.validation_fraction,
            patience=self.patience,
            callbacks=self.callbacks or (),
            device=self.device,
            seed=seed,
        )
        with thread_limit(granted_threads(self.n_jobs)):
            features = PooledDevelopment(layer, poolings, *self._windows)
            self.history_, _ = train(features, increments, lengths, target, settings)
        return layer.algebra.detach().cpu().numpy().astype(elements.dtype)

    def _learn_thresholds(self, X, lengths):
        """Quantile of each entry's running values over some of the series, (n_developments, entries)."""
        dim, n_parts = self._group.dim, 1 + self._group.is_complex
        thresholds = np.zeros((len(self._elements), dim * dim * n_parts))
        if not {"ppv", "mpv"} & set(self._pooling):
            return thresholds
        bytes_of_one = X.shape[2] * thresholds.size * X.itemsize
        chosen = threshold_series(len(X), bytes_of_one)
        increments = self._increments(X[chosen], lengths[chosen])
        path = self._plan(increments.dtype).path(increments)
        known = path[np.arange(X.shape[2]) < lengths[chosen][:, np.newaxis]]
        self._check_overflow(known, *self._overflow())
        of_rows = np.apply_along_axis(threshold_between, 0, known, self.quantile).reshape(-1, dim, n_parts, dim)
        return of_rows.swapaxes(2, 3).reshape(thresholds.shape)

    def _overflow(self):
        """What overflows, and what helps."""
        remedy = f"lower scale, now {self._scale:g}, or take a compact group such as SO"
        return f"developments in {self._group.label} overflow", remedy

    def _plan(self, dtype):
        algebra = self._elements.astype(np.result_type(dtype, np.complex64) if self._group.is_complex else dtype)
        return Plan(algebra, self._group.involution, self._group.is_compact, granted_threads(self.n_jobs))

    def _increments(self, X, lengths):
        """Steps of the paths in units of the algebra elements, in the precision to compute in."""
        increments = path_increments(X, lengths)
        with np.errstate(over="ignore"):
            increments *= self._sizes
            increments = increments.astype(self._compute_dtype or X.dtype, copy=False)
        self._check_overflow(increments, "steps of the paths overflow", "scale the series, or lower scale")
        return increments

    def _feature_names(self):
        label, dim, n_parts = self._group.label, self._group.dim, 1 + self._group.is_complex
        entries = []
        for k in self._varying.tolist():
            row, column = divmod(k // n_parts, dim)
            part = ("|re", "|im")[k % n_parts] if n_parts > 1 else ""
            entries.append(f"[{label}]({row + 1},{column + 1}){part}")
        statistics = [""] if self._named_final else [f"|{name}" for name in self._pooling]
        endings = [statistic + window for statistic in statistics for window in self._endings]
        developments = range(1, len(self._elements) + 1)
        return [f"dev{d}{entry}{ending}" for d in developments for entry in entries for ending in endings]

    def _feature_columns(self):
        sizes = len(self._elements), self._group.dim, 1 + self._group.is_complex
        entries = entry_columns(self._group.label, *sizes, self._channel_labels())
        entries |= {"threshold": self.thresholds_.ravel().tolist()}
        firsts = np.arange(len(self._elements))[:, np.newaxis] * self.thresholds_.shape[1]
        entries = selected(entries, (firsts + self._varying).ravel())
        windows = {"window": [ending.removeprefix("|") or WHOLE for ending in self._endings]}
        return only_where_used(combined(entries, {"pooling": list(self._pooling)}, windows))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.fit_mode == "supervised"
        return tags
