"""Base class of the transformers of intervals: filters, poolings, thresholds, and a warning about rounding errors."""

import math
import warnings
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sigfeat._devices import Device
from sigfeat._kernels.intervals.features import (
    SHORTEST,
    STRETCH,
    Developments,
    Sums,
    WindowPooling,
    interval_values,
    pooled_intervals,
)
from sigfeat._validation import Interval, RandomState, StrOptions, check_is_fitted
from sigfeat.filters import FILTERS, Filters, draw_filters
from sigfeat.panel import Floats
from sigfeat.pooling import (
    POOLINGS,
    Windows,
    check_poolings,
    fine_windows,
    threshold_between,
    threshold_bytes,
    threshold_poolings,
    threshold_series,
    window_endings,
)
from sigfeat.transformers._contract.base import FeatureTransformer
from sigfeat.transformers._contract.feature_table import (
    WHOLE,
    Columns,
    FeatureTableMixin,
    combined,
    only_where_used,
    selected,
)
from sigfeat.transformers._contract.jobs import N_JOBS, granted_threads
from sigfeat.transformers._contract.memory import check_fitted_size, check_output_size
from sigfeat.transformers._contract.targets import TRAINING_CONSTRAINTS, TRAINING_USED_ONLY, check_target
from sigfeat.transformers._contract.unused import TRAINED, OnlyWith

if TYPE_CHECKING:
    from sigfeat.nn.intervals.filters import IntervalFilter
    from sigfeat.nn.intervals.layers import IntervalLayer

WARNED_ERROR = 1e-6  # relative rounding error of a feature above which there is a warning
INTERVAL_CONSTRAINTS: dict[str, Any] = {
    "filter": [StrOptions(set(FILTERS))],
    "n_filters": [Interval(Integral, 1, None, closed="left")],
    "filter_rank": [Interval(Integral, 1, None, closed="left")],
    "filter_length": [Interval(Integral, 2, None, closed="left"), None],
    "pooling": [StrOptions(set(POOLINGS)), tuple, list],
    "windows": [StrOptions({"whole"}), Interval(Integral, 1, None, closed="left"), tuple, list],
    "quantile": [Interval(Real, 0, 1, closed="both")],
    **TRAINING_CONSTRAINTS,
    "device": "no_validation",  # torch checks it
    "random_state": ["random_state"],
    "n_jobs": N_JOBS,
}
INTERVAL_USED_ONLY = {
    "quantile": OnlyWith("pooling", threshold_poolings()),
    **TRAINING_USED_ONLY,
    "device": TRAINED,
}


class IntervalTransformer(FeatureTableMixin, FeatureTransformer):
    """Pooled values of functions of intervals.

    Subclasses implement `_sources`, `_layer`, `_row_names` and `_row_columns`.
    """

    _used_only = INTERVAL_USED_ONLY

    filter: str
    n_filters: int
    filter_rank: int
    filter_length: int | None
    pooling: str | Sequence[str]
    windows: Windows
    quantile: float
    fit_mode: str
    task: str
    max_epochs: int
    batch_size: int
    lr: float
    device: Device
    random_state: RandomState
    n_jobs: int | None

    def _fit_intervals(
        self,
        X: Floats,
        lengths: NDArray[np.int64],
        y: Any,
        n_outputs: int,
        kept: Callable[[], NDArray[np.bool_]] | None = None,
    ) -> None:
        """Draw or train the filters, and prepare the pooling of `n_outputs` real values for each filter and time.

        kept: function that returns which rows of values of all sources become features; None for all rows.
        """
        names, (n_fine, runs) = check_poolings(self.pooling), fine_windows(self.windows)
        n_rows, n_columns = n_outputs * self.n_filters, len(names) * len(runs)
        rows = None if kept is None else kept()
        self._kept = None if rows is None or rows.all() else np.flatnonzero(np.repeat(rows, n_columns))
        random_state = check_random_state(self.random_state)
        longest, target = self._longest(lengths), None
        needs_torch = self.fit_mode == "supervised" or self.filter == "learnt"
        if self.fit_mode == "supervised":
            target = check_target(y, X, self.task)[1]
        self.__dict__.pop("history_", None)
        if needs_torch:
            from sigfeat.nn.devices import check_device  # torch is loaded only if it is used

            check_device(self.device)
            self.filters_ = self._trained(X, lengths, target, longest, random_state)
        else:
            self.filters_ = draw_filters(self.filter, self.n_filters, self.filter_rank, longest, random_state)
        pooling = WindowPooling(names, np.zeros(n_rows), n_fine, runs)
        self._made = self._sources()
        if threshold_poolings(names):
            pooling = WindowPooling(names, self._learn_thresholds(X, lengths, n_rows), n_fine, runs)
        self.thresholds_, self._how = pooling.thresholds, pooling
        self._endings = [f"|{name}{window}" for name in names for window in window_endings(self.windows)]
        self._filter_names = [f"|{self.filter}{j + 1}" for j in range(self.n_filters)]
        self._n_features_out = n_rows * n_columns if self._kept is None else len(self._kept)

    def _longest(self, lengths: NDArray[np.int64]) -> int:
        """Longest lag of the filters."""
        return max(2, int(np.median(lengths)) // 2 if self.filter_length is None else self.filter_length)

    def _check_size(
        self,
        X: Floats,
        lengths: NDArray[np.int64],
        n_outputs: int,
        n_factors: int,
        workspace: int = 0,
        remedy: str = "lower n_filters",
        itemsize: int = 8,
    ) -> None:
        """Raise a ValueError unless features fit into memory: `n_outputs` values per filter, of `n_factors` factors."""
        names, n_windows = check_poolings(self.pooling), len(fine_windows(self.windows)[1])
        n_rows, longest = n_outputs * self.n_filters, X.shape[2]
        n_features = n_rows * len(names) * n_windows
        if threshold_poolings(names):
            workspace += 3 * threshold_bytes(len(X), 8 * longest * n_rows)
        if self.filter != "exponential":
            lags = self._longest(lengths)
            n_fft = min(max(STRETCH * lags, SHORTEST), longest + min(lags, longest))
            each = 4 * self.filter_rank * self.n_filters * n_factors * itemsize * n_fft + 8 * n_rows * n_fft
            workspace += each * min(granted_threads(self.n_jobs), len(X))
            workspace += 64 * lags * self.n_filters * self.filter_rank
        workspace += 8 * len(X) * n_features  # in float64, before it has the dtype of X
        what = f"{type(self).__name__} with n_filters={self.n_filters}"
        check_fitted_size(len(X), n_features, X.dtype, what, workspace, remedy)

    def _learn_thresholds(self, X: Floats, lengths: NDArray[np.int64], n_rows: int) -> NDArray[np.float64]:
        """Quantile of each row of values over some of the series."""
        chosen = threshold_series(len(X), X.shape[2] * n_rows * 8)
        per_series = []
        for i in chosen:
            found = [interval_values(source, X[i], lengths[i], self.filters_) for source in self._made]
            per_series.append(np.concatenate([_real_rows(values) for values in found]))
        known = np.concatenate(per_series, axis=1)
        return np.array([threshold_between(row, self.quantile) for row in known])

    def transform(self, X: Any) -> NDArray[Any]:
        """Pooled values of the intervals.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), dtype of X
            For each function of an interval all filters; for each filter all poolings; for each pooling all windows.

        Warns
        -----
        RuntimeWarning
            If rounding errors may exceed a millionth of a feature: finite filters over long stretches add numbers that
            are far larger than their sum.
        """
        check_is_fitted(self)
        X, lengths = self._check_panel(X, reset=False)
        check_output_size(len(X), self._n_features_out, np.float64, f"the output of {type(self).__name__}")
        n_rows = len(self.thresholds_) // len(self._made)
        n_of_each = n_rows * len(self._endings)
        out, lost, first = np.empty((len(X), n_of_each * len(self._made)), X.dtype), 0.0, 0
        for k, source in enumerate(self._made):
            own = WindowPooling(
                self._how.names, self.thresholds_[k * n_rows : (k + 1) * n_rows], self._how.n_fine, self._how.runs
            )
            found = np.empty((len(X), n_of_each))
            n_threads = granted_threads(self.n_jobs)
            lost = max(lost, pooled_intervals(source, X, lengths, self.filters_, own, n_threads=n_threads, out=found))
            with np.errstate(over="ignore"):  # `_check_overflow` reports it
                out[:, first : first + n_of_each] = found
            first += n_of_each
        out = out if self._kept is None else out[:, self._kept]
        self._check_overflow(out, "sums over intervals overflow", "scale the series, or take a smaller filter_length")
        if lost > WARNED_ERROR:
            digits = max(0, math.floor(-math.log10(lost)))
            warnings.warn(
                f"only {digits} digits of the least accurate feature of {type(self).__name__} are correct: large terms "
                f"cancel with filters of {self.filters_.length} lags; take a smaller filter_length, "
                "or filter='exponential'",
                RuntimeWarning,
                stacklevel=2,
            )
        return out

    def _feature_names(self) -> list[str]:
        names = [f"{row}{ending}" for row in self._row_names() for ending in self._endings]
        return names if self._kept is None else [names[k] for k in self._kept]

    def _feature_columns(self) -> Columns:
        endings = [ending.split("|")[1:] for ending in self._endings]
        pooled = {"pooling": [ending[0] for ending in endings], "window": [(*ending, WHOLE)[1] for ending in endings]}
        rows = self._row_columns() | {"threshold": self.thresholds_.tolist()}
        columns = only_where_used(combined(rows, pooled))
        return columns if self._kept is None else selected(columns, self._kept)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.fit_mode == "supervised"
        return tags

    def _sources(self) -> Sequence[Sums | Developments]:
        """Return the sources of the values; see `interval_features`."""
        raise NotImplementedError

    def _trained(
        self,
        X: Floats,
        lengths: NDArray[np.int64],
        target: NDArray[Any] | None,
        length: int,
        random_state: np.random.RandomState,
    ) -> Filters:
        """Return filters of torch, trained on a target unless that is None."""
        from sigfeat.nn.intervals.filters import build_filter
        from sigfeat.nn.intervals.layers import train_intervals

        seed = int(random_state.randint(2**31))
        built = build_filter(self.filter, self.n_filters, self.filter_rank, length, seed)
        if target is not None:
            layer, series = self._layer(X, lengths, built)
            self.history_ = train_intervals(
                layer,
                series,
                lengths,
                target,
                check_poolings(self.pooling),
                fine_windows(self.windows),
                max_epochs=self.max_epochs,
                lr=self.lr,
                batch_size=self.batch_size,
                device=self.device,
                seed=seed,
                n_threads=granted_threads(self.n_jobs),
            )
            self._keep(layer)
        return built.frozen()

    def _layer(
        self, X: Floats, lengths: NDArray[np.int64], filters: "IntervalFilter"
    ) -> tuple["IntervalLayer", NDArray[Any]]:
        """Return the layer to train, and its input."""
        raise NotImplementedError

    def _keep(self, layer: "IntervalLayer") -> None:
        """Store trained weights other than those of the filters."""

    def _row_names(self) -> list[str]:
        """Return the names of the rows of values."""
        raise NotImplementedError

    def _row_columns(self) -> Columns:
        """Return columns of the table of features for the rows of values, in the order of `_row_names`."""
        raise NotImplementedError


def _real_rows(values: NDArray[Any]) -> NDArray[np.float64]:
    """Rows of values (n_outputs, n_filters, n); complex values become real and imaginary parts."""
    rows = values.reshape(-1, values.shape[-1])
    return np.stack([rows.real, rows.imag], axis=1).reshape(-1, rows.shape[-1]) if np.iscomplexobj(rows) else rows
