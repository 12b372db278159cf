"""Path developments in matrix groups as a scikit-learn transformer."""

from numbers import Integral, Real

import numpy as np
import torch
from joblib import effective_n_jobs
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from sigfeat._kernels.path_development import Plan
from sigfeat._kernels.pooling import POOLINGS
from sigfeat._validation import Interval, StrOptions, _fit_context, check_is_fitted
from sigfeat.nn.development import Development, random_algebra
from sigfeat.nn.groups import GROUPS
from sigfeat.nn.pooled_development import TRAINABLE_POOLINGS, PooledDevelopment
from sigfeat.nn.supervised import TrainingSettings, train
from sigfeat.transformers._base import FeatureTransformer
from sigfeat.transformers._memory import check_output_size
from sigfeat.transformers._moments import channel_moments
from sigfeat.transformers._targets import check_target
from sigfeat.transformers._windows import fine_windows, window_names

THRESHOLD_SERIES = 64  # at most, and fewer where their paths would take more than the bytes
BATCH_BYTES = 1 << 28


class PathDevelopmentTransformer(FeatureTransformer):
    """Developments of a path in a matrix Lie group, random or trained.

    For the path through the points of a series, X_0 = I and X_t = X_{t-1} exp(sum over c of A_c dx_c(t)) with
    increments dx and elements A_c of the group's Lie algebra. The entries of the matrices are the features: their
    final values, or statistics of their running values, over the whole series or windows of it.
    """

    _parameter_constraints = {
        "group": [StrOptions(set(GROUPS))],
        "dim": [Interval(Integral, 1, None, closed="left")],
        "n_developments": [Interval(Integral, 1, None, closed="left")],
        "fit_mode": [StrOptions({"random", "supervised"})],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "pooling": [StrOptions({"final", *POOLINGS}), tuple, list],
        "windows": [StrOptions({"whole"}), Interval(Integral, 1, None, closed="left"), tuple],
        "quantile": [Interval(Real, 0, 1, closed="both")],
        "task": [StrOptions({"auto", "classification", "regression"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device],
        "dtype": [StrOptions({"float32", "float64"}), None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        group="SO",
        dim=6,
        n_developments=8,
        fit_mode="random",
        scale=1.0,
        pooling=("end", "mean", "max", "min"),
        windows=("dyadic", 2),
        quantile=0.5,
        task="auto",
        max_epochs=40,
        lr=0.01,
        weight_decay=0.01,
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
        X, lengths = self._check_panel(X, reset=True)
        group, pooling, windows = GROUPS[self.group](int(self.dim)), self._poolings(), fine_windows(self.windows)
        target = check_target(y, X, self.task) if self.fit_mode == "supervised" else None
        self._check_device()
        varying = _varying_entries(group)
        n_columns = self.n_developments * len(varying) * len(pooling) * len(windows[1])
        what = f"PathDevelopmentTransformer with {self.n_developments} developments in {group.label}"
        check_output_size(len(X), n_columns, X.dtype, what, 2 * len(X) * n_columns * X.itemsize)
        seed = int(check_random_state(self.random_state).randint(2**31))
        generator = torch.Generator().manual_seed(seed)
        algebra = random_algebra(
            group, X.shape[1], self.n_developments, generator=generator, dtype=torch.float64
        ).numpy()
        self.units_ = _units(X, lengths)
        algebra *= (self.scale / self.units_)[:, np.newaxis, np.newaxis]
        # From here on `transform` knows the parameters by these: the sizes of the output depend on them.
        self._group, self._pooling, self._windows, self._varying = group, pooling, windows, varying
        self._compute_dtype = None if self.dtype is None else np.dtype(self.dtype)
        self._named_final = self.pooling == "final"
        self._endings = [f"|{name}" if name else "" for name in window_names(self.windows)]
        if target is not None:
            algebra = self._train(X, lengths, target[1], algebra, seed)
        self.algebra_ = algebra
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
        size = len(X) * self._n_features_out * X.itemsize
        check_output_size(len(X), self._n_features_out, X.dtype, "the output of PathDevelopmentTransformer", 2 * size)
        features = self._features(_increments(X, lengths, self._compute_dtype), lengths)
        with np.errstate(over="ignore"):  # told in one sentence
            features = features[:, :, self._varying].reshape(len(X), -1).astype(X.dtype, copy=False)
        what = f"developments in {self._group.label} overflow"
        self._check_overflow(features, what, f"lower scale, now {self.scale:g}, or take a compact group such as SO")
        return features

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
            _, first, stop, products = plan.segments(
                increments, (series, bounds[:, :-1].ravel(), bounds[:, 1:].ravel())
            )
            of_series = np.arange(n_samples)[:, np.newaxis] * n_fine
            begin, end = first[of_series + windows[:, 0]].ravel(), stop[of_series + windows[:, 1] - 1].ravel()
            values = plan.chained(products, begin, end)[..., np.newaxis]
        else:
            bounds = windows * lengths[:, np.newaxis, np.newaxis] // n_fine
            runs = np.repeat(np.arange(n_samples), n_windows), bounds[..., 0].ravel(), bounds[..., 1].ravel()
            thresholds = self.thresholds_.reshape(-1, dim, dim, n_parts).swapaxes(2, 3).reshape(self.thresholds_.shape)
            values = plan.pooled(increments, runs, self._pooling, thresholds)
        values = values.reshape(n_samples, n_windows, len(self.algebra_), dim, n_parts, dim, -1)
        values = values.transpose(0, 2, 3, 5, 4, 6, 1)  # series, development, row, column, part, pooling, window
        return values.reshape(*values.shape[:2], dim * dim * n_parts, -1, n_windows)

    def _features_on_device(self, increments, lengths):
        device = torch.device(self.device)
        layer = Development(self._group, self.n_channels_, len(self.algebra_), dtype=_torch_dtype(increments.dtype))
        layer.weight.data = self._elements(increments.dtype)
        network = PooledDevelopment(layer, self._pooling, *self._windows, self.thresholds_).to(device)
        path_bytes = (
            increments.shape[1] * layer.weight[:, 0].numel() * layer.weight.element_size() * len(self._windows[1])
        )
        per_batch = max(1, BATCH_BYTES // path_bytes)
        with torch.no_grad():
            found = [
                network(torch.from_numpy(increments[i : i + per_batch]).to(device), own.to(device)).cpu().numpy()
                for i, own in zip(
                    range(0, len(increments), per_batch), torch.from_numpy(lengths).split(per_batch), strict=True
                )
            ]
        return np.concatenate(found)

    def _train(self, X, lengths, target, algebra, seed):
        """Algebra elements after training, float64."""
        increments = _increments(X, lengths, self._compute_dtype)
        n_threads = effective_n_jobs(self.n_jobs)
        layer = Development(
            self._group, X.shape[1], len(algebra), n_threads=n_threads, dtype=_torch_dtype(increments.dtype)
        )
        layer.weight.data = torch.from_numpy(algebra).to(layer.weight.dtype)
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
        with threadpool_limits(n_threads):
            train(PooledDevelopment(layer, poolings, *self._windows), increments, lengths, target, settings)
        return layer.algebra.detach().cpu().to(_torch_dtype(np.float64, self._group.is_complex)).numpy()

    def _learn_thresholds(self, X, lengths):
        """Quantile of each entry's running values over some of the series, (n_developments, entries)."""
        dim, n_parts = self._group.dim, 1 + self._group.is_complex
        thresholds = np.zeros((len(self.algebra_), dim * dim * n_parts))
        if not {"ppv", "mpv"} & set(self._pooling):
            return thresholds
        bytes_of_one = X.shape[2] * thresholds.size * X.itemsize
        n_chosen = max(1, min(THRESHOLD_SERIES, BATCH_BYTES // bytes_of_one))
        chosen = np.unique(np.linspace(0, len(X) - 1, n_chosen).round().astype(int))
        increments = _increments(X[chosen], lengths[chosen], self._compute_dtype)
        path = self._plan(increments.dtype).path(increments)
        known = path[np.arange(X.shape[2]) < lengths[chosen][:, np.newaxis]]
        of_rows = np.quantile(known, self.quantile, axis=0).reshape(-1, dim, n_parts, dim)
        return of_rows.swapaxes(2, 3).reshape(thresholds.shape)

    def _plan(self, dtype):
        algebra = self._elements(dtype).numpy()
        return Plan(algebra, self._group.involution, self._group.is_compact, effective_n_jobs(self.n_jobs))

    def _elements(self, dtype):
        """Algebra elements in the precision of the increments."""
        return torch.from_numpy(self.algebra_).to(_torch_dtype(dtype, self._group.is_complex))

    def _poolings(self):
        if self.pooling == "final":
            return ("end",)
        pooling = (self.pooling,) if isinstance(self.pooling, str) else tuple(self.pooling)
        unknown = [name for name in pooling if name not in POOLINGS]
        if unknown or not pooling or len(set(pooling)) < len(pooling):
            names = ", ".join(POOLINGS)
            raise ValueError(f'pooling must be "final" or name different ones of {names}, got {self.pooling!r}')
        return pooling

    def _check_device(self):
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:  # the latter from a torch without that device
            reason = str(error).splitlines()[0]
            raise ValueError(f"device must be one that torch can use, got {self.device!r}: {reason}") from error

    def _feature_names(self):
        label, dim, n_parts = self._group.label, self._group.dim, 1 + self._group.is_complex
        entries = []
        for k in self._varying.tolist():
            row, column = divmod(k // n_parts, dim)
            part = ("|re", "|im")[k % n_parts] if n_parts > 1 else ""
            entries.append(f"[{label}]({row + 1},{column + 1}){part}")
        statistics = [""] if self._named_final else [f"|{name}" for name in self._pooling]
        endings = [statistic + window for statistic in statistics for window in self._endings]
        developments = range(1, len(self.algebra_) + 1)
        return [f"dev{d}{entry}{ending}" for d in developments for entry in entries for ending in endings]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.fit_mode == "supervised"
        return tags


def _increments(X, lengths, dtype):
    """Steps of the paths, (n_samples, n_timepoints, n_channels): step t leads to point t, and is 0 behind the end."""
    increments = np.zeros((len(X), X.shape[2], X.shape[1]), X.dtype)
    np.subtract(X[:, :, 1:].swapaxes(1, 2), X[:, :, :-1].swapaxes(1, 2), out=increments[:, 1:])
    if lengths.min() < X.shape[2]:
        increments[np.arange(X.shape[2]) >= lengths[:, np.newaxis]] = 0.0
    return increments.astype(dtype or X.dtype, copy=False)


def _units(X, lengths):
    """Unit of each channel: between its standard deviation and the size of the increments of a whole series.

    The latter is the root of the mean over the series of the sum of squared increments. For noise both are about the
    same but for a factor root T; for a smooth path the sum of squares goes to zero with the step.
    """
    increments = _increments(X, lengths, np.float64)
    largest = np.abs(increments).max(axis=(0, 1))
    largest[largest == 0] = 1.0
    variation = np.sqrt(np.square(increments / largest).sum(axis=1).mean(axis=0)) * largest
    deviation = channel_moments(X, lengths)[1]
    return np.where(variation > 0, np.sqrt(variation) * np.sqrt(deviation), 1.0)


def _varying_entries(group):
    """Places of the entries that are not the same in all elements, in row-major order, re and im of each."""
    elements = group.sample(8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    if group.is_complex:
        elements = torch.view_as_real(elements)
    spread = elements.amax(dim=0) - elements.amin(dim=0)
    return np.flatnonzero(spread.numpy().ravel() > 1e-6)


def _torch_dtype(dtype, is_complex=False):
    """The torch dtype of a NumPy one, or its complex twin."""
    own = torch.float32 if np.dtype(dtype) == np.float32 else torch.float64
    return own.to_complex() if is_complex else own
