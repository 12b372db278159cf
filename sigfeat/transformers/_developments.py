"""Features of fitted developments: their values, names and descriptions."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sigfeat import _devices
from sigfeat._devices import Device
from sigfeat._kernels.development.plan import Plan, segments_of
from sigfeat.nn.groups import Group
from sigfeat.nn.pooled_development import PooledDevelopment, developed_on_device, development_of
from sigfeat.panel import Floats
from sigfeat.pooling import threshold_between, threshold_poolings, threshold_series
from sigfeat.transformers._contract.base import FeatureTransformer
from sigfeat.transformers._contract.feature_table import (
    WHOLE,
    Columns,
    FeatureTableMixin,
    combined,
    entry_columns,
    only_where_used,
    selected,
)
from sigfeat.transformers._contract.jobs import granted_threads
from sigfeat.transformers._contract.paths import path_increments


class DevelopmentFeatures(FeatureTableMixin, FeatureTransformer):
    """Features of developments whose elements, group, poolings and windows the subclass sets in `fit`."""

    device: Device
    n_jobs: int | None
    quantile: float
    thresholds_: NDArray[np.float64]
    _group: Group
    _elements: NDArray[Any]
    _sizes: NDArray[np.float64]
    _step_size: float
    _pooling: tuple[str, ...]
    _windows: tuple[int, NDArray[np.int64]]
    _endings: list[str]
    _varying: NDArray[np.int64]
    _compute_dtype: np.dtype[Any] | None

    def _features(self, increments: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
        """Poolings of all entries, (n_samples, n_developments, entries, n_poolings, n_windows)."""
        if not _devices.uses_loops(self.device):
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

    def _features_on_device(self, increments: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
        layer = development_of(self._group, self._elements, increments.dtype, granted_threads(self.n_jobs))
        network = PooledDevelopment(layer, self._pooling, self._windows[0], self._windows[1], self.thresholds_)
        return developed_on_device(network, increments, lengths, torch.device(self.device))

    def _learn_thresholds(self, X: Floats, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """Quantile of each entry's running values over some of the series, (n_developments, entries)."""
        dim, n_parts = self._group.dim, 1 + self._group.is_complex
        thresholds = np.zeros((len(self._elements), dim * dim * n_parts))
        if not threshold_poolings(self._pooling):
            return thresholds
        bytes_of_one = X.shape[2] * thresholds.size * X.itemsize
        chosen = threshold_series(len(X), bytes_of_one)
        increments = self._increments(X[chosen], lengths[chosen])
        path = self._plan(increments.dtype).path(increments)
        known = path[np.arange(X.shape[2]) < lengths[chosen][:, np.newaxis]]
        self._check_overflow(known, *self._overflow())
        of_rows = np.apply_along_axis(threshold_between, 0, known, self.quantile).reshape(-1, dim, n_parts, dim)
        return of_rows.swapaxes(2, 3).reshape(thresholds.shape)

    def _overflow(self) -> tuple[str, str]:
        """Subject and remedy of the error message for an overflow."""
        remedy = f"lower step_size, now {self._step_size:g}, or take a compact group such as SO"
        return f"developments in {self._group.label} overflow", remedy

    def _plan(self, dtype: np.dtype[Any]) -> Plan:
        algebra = self._elements.astype(np.result_type(dtype, np.complex64) if self._group.is_complex else dtype)
        return Plan(algebra, self._group.involution, self._group.is_compact, granted_threads(self.n_jobs))

    def _increments(self, X: Floats, lengths: NDArray[np.int64]) -> Floats:
        """Steps of the paths in units of the algebra elements, in the dtype of the computation."""
        increments: Floats = path_increments(X, lengths)
        with np.errstate(over="ignore"):
            increments *= self._sizes
            increments = increments.astype(self._compute_dtype or X.dtype, copy=False)
        self._check_overflow(increments, "steps of the paths overflow", "scale the series, or lower step_size")
        return increments

    def _feature_names(self) -> list[str]:
        label, dim, n_parts = self._group.label, self._group.dim, 1 + self._group.is_complex
        entries = []
        for k in self._varying.tolist():
            row, column = divmod(k // n_parts, dim)
            part = ("|re", "|im")[k % n_parts] if n_parts > 1 else ""
            entries.append(f"[{label}]({row + 1},{column + 1}){part}")
        endings = [f"|{name}{window}" for name in self._pooling for window in self._endings]
        developments = range(1, len(self._elements) + 1)
        return [f"dev{d}{entry}{ending}" for d in developments for entry in entries for ending in endings]

    def _feature_columns(self) -> Columns:
        sizes = len(self._elements), self._group.dim, 1 + self._group.is_complex
        entries = entry_columns(self._group.label, *sizes, self._channel_labels())
        entries |= {"threshold": self.thresholds_.ravel().tolist()}
        firsts = np.arange(len(self._elements))[:, np.newaxis] * self.thresholds_.shape[1]
        entries = selected(entries, (firsts + self._varying).ravel())
        windows = {"window": [ending.removeprefix("|") or WHOLE for ending in self._endings]}
        return only_where_used(combined(entries, {"pooling": list(self._pooling)}, windows))
