"""Developments of a series whose points come one after another."""

import numpy as np

from sigfeat._kernels.development.plan import Plan
from sigfeat.transformers._streams import Stream

POINTS_AT_ONCE = 512  # whose developments are in memory together


class DevelopmentStream(Stream):
    """Developments of a series that grows: X_t = X_{t-1} exp(sum_c A_c (x_c(t) - x_c(t-1))), and their statistics."""

    def __init__(self, plan: Plan, sizes, pooling, thresholds, varying, label):
        super().__init__(len(sizes), 1, f"developments in {label}")
        self._plan, self._sizes, self._pooling, self._varying = plan, sizes, pooling, varying
        n_developments, dim = len(plan.algebra), plan.shape[0]
        self._matrices = np.tile(np.eye(dim, dtype=plan.algebra.dtype), (n_developments, 1, 1))
        shape = n_developments, thresholds.shape[1]
        self._thresholds = thresholds
        self._sum, self._excess, self._n_above = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self._maximum, self._minimum, self._place = np.full(shape, -np.inf), np.full(shape, np.inf), np.zeros(shape)
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
        if self._pooling == ("end",):
            products = products[-1:]
        path = self._matrices @ products
        self._matrices = self._polished(path[-1])
        if self._pooling == ("end",):
            return
        values = self._entries(path)
        above = values > self._thresholds
        self._sum += values.sum(axis=0)
        self._n_above += above.sum(axis=0)
        self._excess += np.where(above, values - self._thresholds, 0.0).sum(axis=0)
        place = values.argmax(axis=0)
        largest = np.take_along_axis(values, place[np.newaxis], axis=0)[0]
        self._place = np.where(largest > self._maximum, time + place, self._place)
        self._maximum = np.maximum(self._maximum, largest)
        self._minimum = np.minimum(self._minimum, values.min(axis=0))

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
        n = self.n_timepoints
        found = {
            "end": self._entries(self._matrices),
            "mean": self._sum / n,
            "max": self._maximum,
            "min": self._minimum,
            "ppv": self._n_above / n,
            "mpv": self._excess / np.maximum(self._n_above, 1),
            "argmax": self._place / max(n - 1, 1),
        }
        values = np.stack([found[name] for name in self._pooling], axis=-1)
        return values[:, self._varying].ravel()
