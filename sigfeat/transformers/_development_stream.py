"""Developments of a series whose points come one after another."""

import numpy as np

from sigfeat._kernels.path_development import Plan
from sigfeat._kernels.pooling import chosen_poolings, feature_rows
from sigfeat._kernels.statistics import END, fold_rows, no_statistics
from sigfeat.transformers._streams import Stream

POINTS_AT_ONCE = 512  # whose developments are in memory together


class DevelopmentStream(Stream):
    """Developments of a series that grows: X_t = X_{t-1} exp(sum_c A_c (x_c(t) - x_c(t-1))), and their statistics."""

    def __init__(self, plan: Plan, sizes, pooling, thresholds, varying, label):
        super().__init__(len(sizes), 1, f"developments in {label}")
        self._plan, self._sizes, self._varying, self._poolings = plan, sizes, varying, chosen_poolings(pooling)
        self._only_end = tuple(pooling) == ("end",)
        n_developments, dim = len(plan.algebra), plan.shape[0]
        self._matrices = np.tile(np.eye(dim, dtype=plan.algebra.dtype), (n_developments, 1, 1))
        self._thresholds, self._statistics = thresholds.ravel(), no_statistics(thresholds.size)
        self._last = None

    def _append(self, points):
        last = points[:, :1] if self._last is None else self._last
        with np.errstate(over="ignore"):
            steps = np.diff(points, axis=1, prepend=last)
            if not np.isfinite(steps).all():
                raise ValueError("differences of neighbouring points overflow float64: scale the series")
        self._last = points[:, -1:].copy()
        steps = (steps.T * self._sizes).astype(self._plan.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # told by `features`
            for first in range(0, len(steps), POINTS_AT_ONCE):
                self._advance(steps[first : first + POINTS_AT_ONCE], self.n_timepoints + first)

    def _advance(self, steps, time):
        products = self._plan.matrices(self._plan.path(np.ascontiguousarray(steps)[np.newaxis])[0])
        if self._only_end:
            products = products[-1:]
        path = self._matrices @ products
        self._matrices = self._polished(path[-1])
        values = self._entries(path).reshape(len(path), -1).astype(np.float64)
        bounds = np.array([0, time + len(path)])
        fold_rows(values, time, bounds, self._thresholds, self._poolings.wanted, self._statistics[np.newaxis])
        self._statistics[END] = self._entries(self._matrices).ravel()

    def _polished(self, matrices):
        """Matrices without the rounding errors that leave a compact group, by a step of Newton and Schulz."""
        if not self._plan.compact:
            return matrices
        return 1.5 * matrices - 0.5 * matrices @ (matrices.conj().swapaxes(-1, -2) @ matrices)

    def _entries(self, matrices):
        """Rows of real numbers, complex ones as real and imaginary part."""
        n_axes = 2 + np.iscomplexobj(matrices)
        if np.iscomplexobj(matrices):
            matrices = np.stack([matrices.real, matrices.imag], axis=-1)
        return matrices.reshape(*matrices.shape[: matrices.ndim - n_axes], -1)

    def _features(self):
        values = np.empty((len(self._thresholds), len(self._poolings.codes)))
        n_undefined = np.zeros(len(values), int)
        feature_rows(self._statistics, self._poolings.codes, n_undefined, self.n_timepoints, values)
        return values.reshape(len(self._matrices), -1, values.shape[1])[:, self._varying].ravel()
