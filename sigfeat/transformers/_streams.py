"""Features of series that grow point by point."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sigfeat._kernels.development.plan import Plan
from sigfeat._kernels.low_rank import LANES, chain_arrays, chosen_columns
from sigfeat._kernels.low_rank_sums import LARGEST_VALUE
from sigfeat._kernels.pooling import chosen_poolings, feature_rows
from sigfeat._kernels.simd.emitter import block_steps
from sigfeat._kernels.simd.semirings import semiring_code
from sigfeat._kernels.simd.statistics import END, fold_rows, no_statistics
from sigfeat._kernels.streams import (
    StreamPooling,
    StreamWords,
    advance_functionals,
    advance_words,
    functional_features,
    nothing_kept,
)
from sigfeat._kernels.words.iterated_sums import PrefixTrees
from sigfeat._kernels.words.tree import Recursion
from sigfeat.functionals import Functionals, n_parts
from sigfeat.semirings import Semiring
from sigfeat.words import Word

POINTS_AT_ONCE = 512  # points whose developments are in memory at the same time


class Stream:
    """A series that grows, and its features so far; made by the `stream` method of a fitted transformer.

    A stream can be copied (`copy.deepcopy`) and pickled at any time. It is independent of its transformer: fitting the
    transformer again does not change the stream.

    Attributes
    ----------
    n_timepoints : int
        Number of points so far.
    """

    def __init__(self, n_channels: int, needed: int, what: str) -> None:
        self.n_timepoints = 0
        self._n_channels, self._needed, self._what = n_channels, needed, what

    def append(self, points: Any) -> Self:
        """Add points at the end of the series.

        Parameters
        ----------
        points : array-like of shape (n_channels,) or (n_channels, n_timepoints)
            One point, or several in the order of time.

        Returns
        -------
        self : Stream

        Raises
        ------
        ValueError
            If there are other channels than at fit, or a value is NaN, infinite, or one that the transformer refuses.
            Nothing is added then.

        Notes
        -----
        The time per point does not depend on the number of points so far. Appending many points in one call is much
        faster than appending them one by one.
        """
        # a copy, so that changes of the caller's array do not change the stream
        points = np.array(points, dtype=np.float64)
        points = points[:, np.newaxis] if points.ndim == 1 else points
        if points.ndim != 2 or len(points) != self._n_channels:
            raise ValueError(
                f"points must have shape ({self._n_channels},) or ({self._n_channels}, n_timepoints), "
                f"got {points.shape if points.ndim != 2 or points.shape[1] != 1 else (len(points),)}"
            )
        if not np.isfinite(points).all():
            c, t = np.argwhere(~np.isfinite(points))[0]
            raise ValueError(
                f"points must be finite, got {points[c, t]} in channel {c + 1} (from 1), time {t} (from 0)"
            )
        if points.shape[1]:
            self._append(points)
            self.n_timepoints += points.shape[1]
        return self

    def features(self) -> NDArray[np.float64]:
        """Features of the series so far.

        Returns
        -------
        features : ndarray of shape (n_features_out,), float64
            Those of `transform` for the same series, up to rounding.

        Raises
        ------
        ValueError
            If there are too few points yet, or the features overflow.
        """
        if self.n_timepoints < self._needed:
            raise ValueError(
                f"n_timepoints must be at least {self._needed} for {self._what}, got {self.n_timepoints} so far"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            features = self._features()
        if not np.isfinite(features).all():
            raise ValueError(f"features of {self._what} overflow after {self.n_timepoints} points: scale the series")
        return features

    def _append(self, points: NDArray[np.float64]) -> None:
        raise NotImplementedError

    def _features(self) -> NDArray[np.float64]:
        raise NotImplementedError


class WordStream(Stream):
    """Iterated sums along words of a series that grows."""

    def __init__(
        self,
        words: Sequence[Word],
        semiring: Semiring,
        pooling: Sequence[str],
        thresholds: NDArray[np.float64],
        *,
        strict: bool,
        decay_factor: float,
        shift: NDArray[np.float64],
        scale: NDArray[np.float64],
        needed: int,
    ) -> None:
        longest = max(word.length for word in words)
        super().__init__(len(shift), needed, f"words of {longest} letters")
        self._poolings = chosen_poolings(pooling)
        self._strict, self._shift, self._scale = strict, shift[:, np.newaxis], scale[:, np.newaxis]
        code = semiring_code(semiring)
        self._non_negative = semiring.name if semiring.non_negative else None
        self._trees = [
            (Recursion(tree, code, strict, decay_factor), StreamWords(nodes, n_letters, thresholds[places]), places)
            for tree, nodes, places, n_letters in PrefixTrees(words, len(shift)).trees
        ]
        self._arguments = [_plain((recursion, words)) for recursion, words, _ in self._trees]
        self._state = [np.full(len(recursion.tree.parent), semiring.zero) for recursion, _, _ in self._trees]
        self._statistics = [no_statistics(len(places)) for _, _, places in self._trees]
        self._n_words = len(words)

    def _append(self, points: NDArray[np.float64]) -> None:
        if self._non_negative and points.min() < 0:
            c, t = np.argwhere(points < 0)[0]
            place = f"in channel {c + 1} (from 1), time {t} (from 0)"
            raise ValueError(
                f'Negative values in points: semiring="{self._non_negative}" needs values >= 0, '
                f"got {points[c, t]:.6g} {place}"
            )
        values = np.ascontiguousarray(((points - self._shift) * self._scale).T)
        for (recursion, words), state, kept in zip(self._arguments, self._state, self._statistics, strict=True):
            advance_words(values, self.n_timepoints, recursion, words, self._poolings.wanted, state, kept)

    def _features(self) -> NDArray[np.float64]:
        codes = self._poolings.codes
        features = np.empty((self._n_words, len(codes)))
        for (_, words, places), kept in zip(self._trees, self._statistics, strict=True):
            own = np.empty((len(places), len(codes)))
            n_undefined = (words.n_letters - 1) * self._strict
            feature_rows(kept, codes, n_undefined, self.n_timepoints, own)
            features[places] = own
        return features.ravel()


def _plain(value: Any) -> Any:
    """Nested NamedTuples as tuples: finding the type of a NamedTuple takes longer than the loop over one point."""
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


class LowRankStream(Stream):
    """Low-rank iterated sums of a series that grows.

    A letter depends on points before and after its time. The stored statistics therefore cover only whole blocks of
    time that later points cannot change; the remaining times are computed when the features are read.
    """

    def __init__(
        self,
        functionals: Functionals,
        columns: Sequence[tuple[str, int]],
        thresholds: NDArray[np.float32],
        *,
        shift: NDArray[np.float64],
        scale: NDArray[np.float64],
    ) -> None:
        depth = functionals.depth
        super().__init__(len(shift), depth, f"functionals of {depth} letters")
        self._chains, self._depth = chain_arrays(functionals, len(shift)), depth
        self._shift, self._scale = shift[:, np.newaxis], scale[:, :, np.newaxis]
        self._padding, self._block = int(functionals.reach.max()), int(block_steps.py_func(LANES))
        self._begin, self._recent = 0, [np.zeros((len(shift), 0))]  # values from time begin - padding on
        self._pooling = StreamPooling(thresholds, *chosen_columns(columns))
        self._kept = nothing_kept(functionals.n_chains, n_parts(depth), thresholds.shape[2], self._chains.zero)

    def _append(self, points: NDArray[np.float64]) -> None:
        scaled = np.abs((points - self._shift) * self._scale[0]).max()
        last = self._recent[-1][:, -1:]
        steps = np.diff(points, axis=1, prepend=last if last.size else points[:, :1])
        if not max(scaled, np.abs(steps * self._scale[1]).max()) <= LARGEST_VALUE:
            raise ValueError("low-rank iterated sums overflow float32: scale the series")
        self._recent.append(points)
        n_timepoints = self.n_timepoints + points.shape[1]
        n_blocks = (n_timepoints - 1 - self._padding - self._begin) // self._block
        if n_blocks <= 0:
            return
        recent = np.concatenate(self._recent, axis=1)
        stop = self._begin + n_blocks * self._block
        self._advance(recent, stop, (stop, stop), self._kept)
        kept_from = max(0, stop - self._padding) - max(0, self._begin - self._padding)
        self._begin, self._recent = stop, [recent[:, kept_from:].copy()]

    def _advance(
        self, recent: NDArray[np.float64], stop: int, stops: tuple[int, int], kept: tuple[NDArray[Any], ...]
    ) -> bool:
        """Accumulate the times from `begin` to `stops` in `kept`; the series is zero outside its own times."""
        n_channels = len(recent)
        first = max(0, self._begin - self._padding)
        history = np.zeros((2 * n_channels, stop - self._begin + 2 * self._padding), np.float32)
        place = first - (self._begin - self._padding)
        values, steps = (recent - self._shift) * self._scale[0], np.diff(recent, axis=1) * self._scale[1]
        for rows, own in ((history[:n_channels], values), (history[n_channels:], steps)):
            n = min(own.shape[1], rows.shape[1] - place)
            rows[:, place : place + n] = own[:, :n]
        chains, pooling = self._chains, self._pooling
        return bool(advance_functionals(history, self._begin, stops, self._depth, chains, pooling, LANES, *kept))

    def _features(self) -> NDArray[np.float64]:
        kept = tuple(values.copy() for values in self._kept)
        recent = np.concatenate(self._recent, axis=1)
        if len(self._recent) > 1:
            self._recent = [recent]
        n = self.n_timepoints
        if not self._advance(recent, n, (n, n - 1), kept):
            raise ValueError("low-rank iterated sums overflow float32: scale the series, lower depth or raise decay")
        differenced = self._chains.differenced
        _, statistics, ends = kept
        features = np.empty(statistics.shape[0] * statistics.shape[1] * len(self._pooling.of_columns))
        functional_features(statistics, ends, self._depth, self._pooling, differenced, n, features)
        return features


class DevelopmentStream(Stream):
    """Developments of a series that grows: X_t = X_{t-1} exp(sum_c A_c (x_c(t) - x_c(t-1))), and their statistics."""

    def __init__(
        self,
        plan: Plan,
        sizes: NDArray[np.float64],
        pooling: Sequence[str],
        thresholds: NDArray[np.float64],
        varying: NDArray[np.int64],
        label: str,
    ) -> None:
        super().__init__(len(sizes), 1, f"developments in {label}")
        self._plan, self._sizes, self._varying, self._poolings = plan, sizes, varying, chosen_poolings(pooling)
        self._only_end = tuple(pooling) == ("end",)
        n_developments, dim = len(plan.algebra), plan.shape[0]
        self._matrices = np.tile(np.eye(dim, dtype=plan.algebra.dtype), (n_developments, 1, 1))
        self._thresholds, self._statistics = thresholds.ravel(), no_statistics(thresholds.size)
        self._last: NDArray[np.float64] | None = None

    def _append(self, points: NDArray[np.float64]) -> None:
        last = points[:, :1] if self._last is None else self._last
        with np.errstate(over="ignore"):
            steps = np.diff(points, axis=1, prepend=last)
            if not np.isfinite(steps).all():
                raise ValueError("differences of neighbouring points overflow float64: scale the series")
        self._last = points[:, -1:].copy()
        steps = (steps.T * self._sizes).astype(self._plan.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # reported by `features`
            for first in range(0, len(steps), POINTS_AT_ONCE):
                self._advance(steps[first : first + POINTS_AT_ONCE], self.n_timepoints + first)

    def _advance(self, steps: NDArray[Any], time: int) -> None:
        products = self._plan.matrices(self._plan.path(np.ascontiguousarray(steps)[np.newaxis])[0])
        if self._only_end:
            products = products[-1:]
        path = self._matrices @ products
        self._matrices = self._polished(path[-1])
        values = self._entries(path).reshape(len(path), -1).astype(np.float64)
        bounds = np.array([0, time + len(path)])
        fold_rows(values, time, bounds, self._thresholds, self._poolings.wanted, self._statistics[np.newaxis])
        self._statistics[END] = self._entries(self._matrices).ravel()

    def _polished(self, matrices: NDArray[Any]) -> NDArray[Any]:
        """Matrices of a compact group without the rounding errors that leave it, by a Newton-Schulz step."""
        if not self._plan.compact:
            return matrices
        polished: NDArray[Any] = 1.5 * matrices - 0.5 * matrices @ (matrices.conj().swapaxes(-1, -2) @ matrices)
        return polished

    def _entries(self, matrices: NDArray[Any]) -> NDArray[Any]:
        """Rows of real numbers, complex ones as real and imaginary part."""
        n_axes = 2 + np.iscomplexobj(matrices)
        if np.iscomplexobj(matrices):
            matrices = np.stack([matrices.real, matrices.imag], axis=-1)
        return matrices.reshape(*matrices.shape[: matrices.ndim - n_axes], -1)

    def _features(self) -> NDArray[np.float64]:
        values = np.empty((len(self._thresholds), len(self._poolings.codes)))
        n_undefined = np.zeros(len(values), int)
        feature_rows(self._statistics, self._poolings.codes, n_undefined, self.n_timepoints, values)
        return values.reshape(len(self._matrices), -1, values.shape[1])[:, self._varying].ravel()
