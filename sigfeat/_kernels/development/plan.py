"""Plans for the compiled loops of developments: which steps in which lane, and matrices as the loops take them.

Increments are (n_series, n_steps, n_channels) and C-contiguous; algebra elements (n_developments, n_channels, dim,
dim), real or complex, of the same precision. `involution` = (order, signs) describes the form that the group keeps, so
that star(X)[i, j] = signs[i] signs[j] conj(X[order[j], order[i]]) is the inverse of a group element X, and minus X for
an algebra element; None where there is no such form.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sigfeat._kernels.development.exponential import LARGEST_NORMS
from sigfeat._kernels.development.gradients import Gradients, end_momenta, running_gradients, segment_gradients
from sigfeat._kernels.development.matrices import Shape, Star
from sigfeat._kernels.development.products import (
    Algebra,
    Runs,
    chain,
    pooled_products,
    running_products,
    segment_products,
)
from sigfeat._kernels.pooling import chosen_poolings
from sigfeat._kernels.simd.emitter import LANE_BYTES
from sigfeat._kernels.threads import over_series

LONGEST_SEGMENT = 128  # steps multiplied in the working dtype; from segment to segment in float64
SHORTEST_SEGMENT = 8
LARGEST_TURN = 2.0  # of a segment along which gradients are carried, in a group that is not compact: see `cut`
RUNS_PER_TASK = 64  # of a gradient, whose sum is to be the same for any number of threads

Array = np.ndarray[Any, Any]
Involution = tuple[tuple[int, ...], tuple[int, ...]] | None
Segments = tuple[Runs, Array, Array, Array]


@dataclass(frozen=True)
class Plan:
    """What the loops need to know of a group, of algebra elements, and of the threads."""

    algebra: Array
    involution: Involution
    compact: bool
    n_threads: int = 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Real dtype in which the loops work."""
        return self.algebra.real.dtype

    @property
    def shape(self) -> Shape:
        """Rows and columns of a matrix, and lanes."""
        dim = self.algebra.shape[-1]
        columns = dim * (2 if np.iscomplexobj(self.algebra) else 1)
        return Shape(dim, columns, LANE_BYTES // self.dtype.itemsize)

    @property
    def star(self) -> Star:
        """Places and signs that write star(X); empty without a form."""
        if self.involution is None:
            return self._no_star()
        return self._star(*self.involution)

    @property
    def polishing_star(self) -> Star:
        """The star by which rounding errors are taken out of matrices; empty unless the group is compact."""
        return self.star if self.compact else self._no_star()

    @property
    def adjoint(self) -> Star:
        """Places and signs that write the conjugate transpose."""
        dim = self.shape[0]
        return self._star(range(dim), [1] * dim)

    def _no_star(self) -> Star:
        return Star(np.empty(0, np.int64), np.empty(0, self.dtype))

    def _star(self, order: Sequence[int], signs: Sequence[int]) -> Star:
        rows, columns, _ = self.shape
        place = np.asarray(order)
        places, sign = place[np.newaxis, :] * columns + place[:, np.newaxis], np.outer(signs, signs)
        if rows < columns:
            places, sign = np.hstack([places, places + rows]), np.hstack([sign, -sign])
        return Star(places.ravel(), sign.ravel().astype(self.dtype))

    def weights(self) -> Algebra:
        """Weights and norms of the channels, see `development`."""
        entries = self.entries(self.algebra)
        return Algebra(np.ascontiguousarray(entries.swapaxes(1, 2)), self._norms)

    def back_weights(self) -> Array:
        """Weights of the entries of D that make Re tr(D A_c)."""
        return self.entries(self.algebra.conj().swapaxes(-1, -2))

    def entries(self, matrices: Array) -> Array:
        """Matrices as rows of real numbers, complex ones as [Re, Im]."""
        if np.iscomplexobj(matrices):
            matrices = np.concatenate([matrices.real, matrices.imag], axis=-1)
        rows, columns, _ = self.shape
        return np.ascontiguousarray(matrices.reshape(*matrices.shape[:-2], rows * columns))

    def matrices(self, entries: Array) -> Array:
        """Matrices, in the precision of the algebra elements, from rows of real numbers."""
        rows, columns, _ = self.shape
        matrices = entries.reshape(*entries.shape[:-1], rows, columns)
        if rows < columns:
            matrices = matrices[..., :rows] + 1j * matrices[..., rows:]
        with np.errstate(over="ignore"):  # infinities tell
            return matrices.astype(self.algebra.dtype, copy=False)

    @functools.cached_property
    def _norms(self) -> Array:
        """Upper bounds of the spectral norms: (tr (A* A)^4)^(1/8), within a few percent for random matrices."""
        size = np.abs(self.algebra).max(axis=(-1, -2), keepdims=True).astype(np.float64)
        parts = np.ascontiguousarray(self.algebra).view(self.algebra.real.dtype)  # complex quotients overflow earlier
        relative = np.divide(parts, size, out=np.zeros_like(parts), where=size > 0).view(self.algebra.dtype)
        square = relative.conj().swapaxes(-1, -2) @ relative
        fourth = np.linalg.norm(square @ square, axis=(-1, -2))
        return size[..., 0, 0] * fourth**0.25

    def cut(self, increments: Array) -> tuple[Runs, Array, Array]:
        """Whole series in runs along which a gradient can be carried: (runs, first and stop of each series).

        Matrices of a group that is not compact grow, and rounding errors of a conjugated gradient with their square.
        """
        n_series, n_steps = increments.shape[:2]
        series = np.arange(n_series)
        if self.compact or n_series * n_steps == 0:
            return segments_of(Runs(series, np.zeros_like(series), np.full_like(series, n_steps)), self.shape.lanes)
        with np.errstate(over="ignore", invalid="ignore"):
            turns = self.largest_turns(increments).cumsum(axis=1) // LARGEST_TURN
        begins = np.ones((n_series, n_steps), bool)
        begins[:, 1:] = turns[:, 1:] != turns[:, :-1]
        begins[:, :: _longest(n_series * n_steps, self.shape.lanes)] = True
        of_run, starts = np.nonzero(begins)
        n_runs = begins.sum(axis=1)
        stop = n_runs.cumsum()
        stops = np.append(starts[1:], n_steps)
        stops[stop - 1] = n_steps
        return Runs(of_run, starts, stops), stop - n_runs, stop

    def largest_turns(self, increments: Array) -> Array:
        """Bound of the norm of each step in any development, (n_series, n_steps)."""
        with np.errstate(over="ignore", invalid="ignore"):
            turns: Array = (np.abs(increments) @ self._norms.T).max(axis=-1)
        return turns

    def segments(self, increments: Array, runs: Runs, first: Array, stop: Array) -> Segments:
        """Products over runs: (runs, first and stop of each part, products of runs).

        The products (n_runs, n_developments, entries) are in float64.
        """
        rows, columns, lanes = self.shape
        products = np.empty((len(runs.series), len(self.algebra), rows * columns))
        limits, weights = LARGEST_NORMS[self.dtype.itemsize], self.weights()

        def work(chosen):
            segment_products(increments, chosen, runs, weights, self.shape, limits, products)

        over_series(work, runs.stops - runs.starts, lanes, self.n_threads)
        return runs, first, stop, products

    def chained(self, products: Array, first: Array, stop: Array) -> Array:
        """Products of products[first[i] : stop[i]], (n, n_developments, entries)."""
        rows, columns, _ = self.shape
        out = np.empty((len(first), *products.shape[1:]))
        chain(products, first, stop, rows, columns, self._float64(self.polishing_star), out)
        return out

    def gradients(
        self, increments: Array, segments: Segments, grad: Array, wants_increments: bool
    ) -> tuple[Array, Array | None]:
        """Gradients of algebra and increments from that of the products, `grad` (n_parts, n_developments, dim, dim)."""
        runs, first, stop, of_runs = segments
        rows, columns, _ = self.shape
        adjoint = self.entries(grad.conj().swapaxes(-1, -2)).astype(np.float64)
        momenta = np.empty_like(of_runs)
        end_momenta(of_runs, first, stop, rows, columns, self._float64(self.star), adjoint, momenta)
        weights, back, star, tolerance = self.weights(), self.back_weights(), self.star, self._tolerance()

        def add_gradients(chosen, gradients):
            segment_gradients(increments, chosen, runs, weights, self.shape, star, tolerance, momenta, back, gradients)

        return self._gather(add_gradients, increments, runs.stops - runs.starts, wants_increments)

    def path(self, increments: Array) -> Array:
        """X_t after every step, (n_series, n_steps, n_developments, entries)."""
        rows, columns, lanes = self.shape
        out = np.empty((*increments.shape[:2], len(self.algebra), rows * columns), self.dtype)
        limits, weights, star = LARGEST_NORMS[self.dtype.itemsize], self.weights(), self.polishing_star

        def work(chosen):
            running_products(increments, chosen, weights, self.shape, star, limits, out)

        over_series(work, np.full(len(increments), increments.shape[1]), lanes, self.n_threads)
        return out

    def pooled(
        self, increments: Array, runs: tuple[Array, Array, Array], names: Sequence[str], thresholds: Array
    ) -> Array:
        """Poolings `names` of the entries of X_t over each run, (n_runs, n_developments, entries, n_poolings).

        runs = (series, starts, stops); each starts anew at I. thresholds (n_developments, entries).
        """
        runs = Runs(*runs)
        rows, columns, lanes = self.shape
        out = np.empty((len(runs.series), len(self.algebra), rows * columns, len(names)), self.dtype)
        limits, weights, star = LARGEST_NORMS[self.dtype.itemsize], self.weights(), self.polishing_star
        how = chosen_poolings(names), np.ascontiguousarray(thresholds, np.float64)

        def work(chosen):
            pooled_products(increments, chosen, runs, weights, self.shape, star, limits, how, out)

        over_series(work, runs.stops - runs.starts, lanes, self.n_threads)
        return out

    def path_gradients(
        self, increments: Array, path: Array, grad: Array, wants_increments: bool
    ) -> tuple[Array, Array | None]:
        """As `gradients`, from those of all X_t, given `path` of method `path`."""
        grad = self.entries(grad)
        limits, weights, back = LARGEST_NORMS[self.dtype.itemsize], self.weights(), self.back_weights()
        star, adjoint, tolerance = self.star, self.adjoint, self._tolerance()

        def add_gradients(chosen, gradients):
            running_gradients(
                increments, chosen, weights, self.shape, star, tolerance, limits, path, grad, adjoint, back, gradients
            )

        lengths = np.full(len(increments), increments.shape[1])
        return self._gather(add_gradients, increments, lengths, wants_increments)

    def _gather(
        self, add_gradients: Callable[..., None], increments: Array, lengths: Array, wants_increments: bool
    ) -> tuple[Array, Array | None]:
        n_developments, n_channels = self.algebra.shape[:2]
        rows, columns, lanes = self.shape
        grad_increments = np.zeros(increments.shape if wants_increments else (0, 0, 0), self.dtype)

        def work(chosen):
            grad_algebra = np.zeros((n_developments, n_channels, rows * columns))
            add_gradients(chosen, Gradients(grad_algebra, grad_increments))
            return grad_algebra

        none = np.zeros((n_developments, n_channels, rows * columns))
        total = sum(over_series(work, lengths, lanes, self.n_threads, RUNS_PER_TASK // lanes), none)
        grad_algebra = self.matrices(total).conj().swapaxes(-1, -2)
        return np.ascontiguousarray(grad_algebra), grad_increments if wants_increments else None

    def _tolerance(self) -> float:
        return float(np.finfo(self.dtype).eps)

    def _float64(self, star: Star) -> Star:
        return Star(star.places, star.signs.astype(np.float64))


def _longest(n_steps: int, lanes: int) -> int:
    """Length of segments that fill the lanes."""
    return min(LONGEST_SEGMENT, max(SHORTEST_SEGMENT, -(-n_steps // lanes)))


def segments_of(parts: tuple[Array, Array, Array], lanes: int) -> tuple[Runs, Array, Array]:
    """Parts cut into runs of nearly equal length, many enough to fill the lanes; the first and stop of each part."""
    series, starts, stops = parts
    lengths = stops - starts
    n_segments = -(-lengths // _longest(int(lengths.sum()), lanes))
    stop = n_segments.cumsum()
    first = stop - n_segments
    part = np.repeat(np.arange(len(lengths)), n_segments)
    k = np.arange(len(part)) - first[part]
    begin = starts[part] + k * lengths[part] // n_segments[part]
    end = starts[part] + (k + 1) * lengths[part] // n_segments[part]
    return Runs(series[part], begin, end), first, stop
