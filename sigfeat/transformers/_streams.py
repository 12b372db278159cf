"""Features of a series whose points come one after another."""

import numpy as np

from sigfeat._kernels.low_rank import LANES, LOW_RANK_POOLINGS, chain_arrays
from sigfeat._kernels.low_rank_sums import LARGEST_VALUE
from sigfeat._kernels.pooling import POOLINGS
from sigfeat._kernels.simd.emitter import block_steps
from sigfeat._kernels.streams import (
    advance_competing,
    advance_functionals,
    advance_words,
    functional_features,
    no_statistics,
    nothing_kept,
    word_features,
)
from sigfeat._kernels.words.iterated_sums import PrefixTrees
from sigfeat.functionals import n_parts
from sigfeat.semirings import SEMIRINGS


class Stream:
    """A series that grows, and its features so far; made by the `stream` method of a fitted transformer.

    A stream may be copied (`copy.deepcopy`) and pickled at any time. It does not know its transformer any more: to fit
    that again changes nothing here.

    Attributes
    ----------
    n_timepoints : int
        Number of points so far.
    """

    def __init__(self, n_channels, needed, what):
        self.n_timepoints = 0
        self._n_channels, self._needed, self._what = n_channels, needed, what

    def append(self, points):
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
        The time for a point does not depend on how many there were. Many points at once are much faster than one by
        one.
        """
        points = np.array(points, dtype=np.float64)  # a copy: what is kept must not change with the caller's array
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

    def features(self):
        """Features of the series so far.

        Returns
        -------
        features : ndarray of shape (n_features_out,), float64
            What the transformer gives for the same series, up to rounding.

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

    def _append(self, points):
        raise NotImplementedError

    def _features(self):
        raise NotImplementedError


class WordStream(Stream):
    """Iterated sums along words of a series that grows."""

    def __init__(self, words, ring, pooling, thresholds, *, strict, fade, shift, scale, needed):
        longest = max(word.length for word in words)
        super().__init__(len(shift), needed, f"words of {longest} letters")
        self._codes = np.array([POOLINGS.index(name) for name in pooling])
        self._strict, self._fade, self._shift, self._scale = strict, fade, shift[:, np.newaxis], scale[:, np.newaxis]
        self._ring = list(SEMIRINGS).index(ring.name), ring.zero, ring.one
        self._non_negative = ring.name if ring.non_negative else None
        self._trees = [
            ((tree, self._ring, strict, fade), (nodes, n_letters, thresholds[places]), places)
            for tree, nodes, places, n_letters in PrefixTrees(words, len(shift)).trees
        ]
        self._state = [np.full(len(sums[0][0]), ring.zero) for sums, _, _ in self._trees]
        self._statistics = [no_statistics(len(places)) for _, _, places in self._trees]
        self._n_words = len(words)

    def _append(self, points):
        if self._non_negative and points.min() < 0:
            c, t = np.argwhere(points < 0)[0]
            place = f"in channel {c + 1} (from 1), time {t} (from 0)"
            raise ValueError(
                f'Negative values in points: semiring="{self._non_negative}" needs values >= 0, '
                f"got {points[c, t]:.6g} {place}"
            )
        values = np.ascontiguousarray(((points - self._shift) * self._scale).T)
        for (sums, words, _), state, kept in zip(self._trees, self._state, self._statistics, strict=True):
            advance_words(values, self.n_timepoints, sums, words, state, kept)

    def _features(self):
        features = np.empty((self._n_words, len(self._codes)))
        for (_, (_, n_letters, _), places), kept in zip(self._trees, self._statistics, strict=True):
            own = np.empty((len(places), len(self._codes)))
            word_features(kept, n_letters, self._strict, self._codes, self.n_timepoints, own)
            features[places] = own
        return features.ravel()


class FunctionalStream(Stream):
    """Iterated sums of low rank, or competing letters, of a series that grows.

    A letter looks at points on both sides of its time, so what is kept lags behind: whole blocks of time that no later
    point can reach. The rest is computed when features are read.
    """

    def __init__(self, functionals, columns, thresholds, *, competing, shift, scale):
        depth = functionals.depth
        n_letters = 1 if competing else depth
        super().__init__(len(shift), n_letters, f"functionals of {n_letters} letters")
        self._chains, self._depth, self._competing = chain_arrays(functionals, len(shift)), depth, competing
        self._shift, self._scale = shift[:, np.newaxis], scale[:, :, np.newaxis]
        self._padding, self._block = int(functionals.reach.max()), int(block_steps.py_func(LANES))
        self._begin, self._recent = 0, [np.zeros((len(shift), 0))]  # values from time begin - padding on, if there are
        if competing:
            self._kept = (np.zeros((functionals.n_chains, 2 * depth)),)
        else:
            self._pooling = thresholds, np.array([(LOW_RANK_POOLINGS.index(name), q) for name, q in columns])
            self._kept = nothing_kept(functionals.n_chains, n_parts(depth), thresholds.shape[2], self._chains[6])

    def _append(self, points):
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

    def _advance(self, recent, stop, stops, kept):
        """Fold times from `begin` to those stops into what is kept; zero is around the series."""
        n_channels = len(recent)
        first = max(0, self._begin - self._padding)
        history = np.zeros((2 * n_channels, stop - self._begin + 2 * self._padding), np.float32)
        place = first - (self._begin - self._padding)
        values, steps = (recent - self._shift) * self._scale[0], np.diff(recent, axis=1) * self._scale[1]
        for rows, own in ((history[:n_channels], values), (history[n_channels:], steps)):
            n = min(own.shape[1], rows.shape[1] - place)
            rows[:, place : place + n] = own[:, :n]
        if self._competing:
            advance_competing(history, self._begin, stops, self._depth, self._chains, LANES, *kept)
            return True
        return advance_functionals(history, self._begin, stops, self._depth, self._chains, self._pooling, LANES, *kept)

    def _features(self):
        kept = tuple(values.copy() for values in self._kept)
        recent = np.concatenate(self._recent, axis=1)
        if len(self._recent) > 1:
            self._recent = [recent]
        n = self.n_timepoints
        if not self._advance(recent, n, (n, n - 1), kept):
            raise ValueError("low-rank iterated sums overflow float32: scale the series, lower depth or raise decay")
        differenced = self._chains[5]
        if self._competing:
            return (kept[0] / np.maximum(n - differenced, 1)[:, np.newaxis]).ravel()
        _, statistics, ends = kept
        columns = self._pooling[1]
        features = np.empty(statistics.shape[0] * statistics.shape[1] * len(columns))
        functional_features(statistics, ends, self._depth, columns, differenced, n, features)
        return features
