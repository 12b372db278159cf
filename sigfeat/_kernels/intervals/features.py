"""Pooled sums over all pairs of intervals: recurrences for exponential filters, real FFTs for all others.

Everything is computed in float64. Of filters of n lags only stretches of some n points are transformed at a time, each
with factors anchored at its own first point: time O(T log n), and factors that do not grow with the series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from sigfeat._kernels.intervals.loops import (
    FilterLanes,
    Nodes,
    Terms,
    advance_developments,
    development_factors,
    exponential_sum_values,
    fold_terms,
    letters_of,
    pool,
    pooled_exponential_developments,
    pooled_exponential_sums,
    start_developments,
    sum_factors,
)
from sigfeat._kernels.pooling import ChosenPoolings, chosen_poolings
from sigfeat._kernels.simd.rows import Data
from sigfeat._kernels.simd.statistics import N_STATISTICS, fold_rows, reset_rows
from sigfeat._kernels.threads import over_series
from sigfeat.filters import ExponentialFilters, Filters
from sigfeat.words import Word

CHUNK_BYTES = 1 << 24  # of filtered factors, or of steps of developments, at a time
EPS, TINY = np.finfo(np.float64).eps, np.finfo(np.float64).tiny
WORTH_A_LOOK = 1e-8  # relative rounding errors that are possible at all
STRETCH, SHORTEST = 4, 128  # a transform is as long as so many filters, and has at least so many points

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class WindowPooling:
    """Which statistics over which windows; see `fine_windows`. One threshold for each row of values."""

    names: tuple[str, ...]
    thresholds: Array
    n_fine: int
    runs: Array

    @property
    def arguments(self) -> tuple[ChosenPoolings, Array, int, Array]:
        """As the loops take it."""
        return chosen_poolings(self.names), self.thresholds, self.n_fine, self.runs


class Sums:
    """Iterated sums along words over intervals of series.

    Parameters
    ----------
    words : sequence of Word
        Words.
    shift, scale : ndarray of shape (n_channels,)
        Channels are used as (x - shift) * scale.
    """

    first_boundary = 0  # the one before the first point, which has no value itself
    dtype = np.float64

    def __init__(self, words: Sequence[Word], shift: Array, scale: Array) -> None:
        runs = {word.letters[i:j] for word in words for i in range(word.length) for j in range(i, word.length + 1)}
        ordered = sorted(runs, key=lambda run: (len(run), run))
        number = {run: place for place, run in enumerate(ordered)}
        letters = sorted({letter for word in words for letter in word.letters})
        degree, row = max(map(len, letters)), {letter: place for place, letter in enumerate(letters)}
        self.monomials = np.array([[*letter, *[-1] * (degree - len(letter))] for letter in letters])
        self.nodes = Nodes(
            np.array([number[run[:-1]] for run in ordered]),
            np.array([row[run[-1]] if run else -1 for run in ordered]),
            np.array([number[run[1:]] for run in ordered]),
            np.array([row[run[0]] if run else -1 for run in ordered]),
        )
        splits = [[(word.letters[:k], word.letters[k:]) for k in range(word.length + 1)] for word in words]
        first = np.cumsum([0, *map(len, splits)])
        of_p = np.array([number[u] for split in splits for u, _ in split])
        of_q = np.array([number[v] for split in splits for _, v in split])
        self.terms = Terms(first, of_p, of_q)
        self.prefixes, self.suffixes = np.unique(of_p), np.unique(of_q)
        self.shift, self.scale = np.asarray(shift, np.float64), np.asarray(scale, np.float64)
        self.n_outputs = len(words)
        self.letters_of_words = np.array([word.length for word in words])

    def pooled_by_recurrence(self, series, lengths, rows, filters, pooling, out):
        """Write the features of some series under exponential filters."""
        data = Data(series, lengths, self.shift, self.scale)
        words = self.monomials, self.nodes, self.prefixes, self.suffixes
        pooled_exponential_sums(data, rows, *words, filters, self.terms, pooling, out)

    def values_by_recurrence(self, x, n, filters):
        """Values of one series under exponential filters, (n, n_outputs * n_filters)."""
        values = np.empty((n, self.n_outputs * filters.n_filters))
        words = self.monomials, self.nodes, self.prefixes, self.suffixes
        exponential_sum_values(x, n, self.shift, self.scale, *words, filters, self.terms, values)
        return values

    def prepared(self, x, n):
        """What the factors of one series are made of."""
        letters = np.empty((len(self.monomials), n))
        letters_of(x, n, self.shift, self.scale, self.monomials, letters)
        return letters

    def factors(self, letters, begin, n, p, q):
        """Write all factors at n boundaries."""
        sum_factors(letters, begin, n, self.nodes, p, q)

    def lost(self, terms, total, n_points):
        """Bound of the rounding error of the worst output, relative to the mean size of its values.

        Factors grow with a stretch by a power, the number of letters, against those of an interval of one step.
        """
        possible = EPS * float(n_points) ** self.letters_of_words > WORTH_A_LOOK
        return float((EPS * terms[possible] / np.maximum(total[possible], TINY)).max(initial=0.0))

    @property
    def n_factors(self) -> int:
        """Number of factors of each side."""
        return len(self.nodes.parent)


class Developments:
    """Developments over intervals of paths, given by their steps.

    Parameters
    ----------
    steps_of : callable
        (n_samples, n_timepoints, dim, dim) steps exp(sum_c A_c dx_c(t)), the first of them I, and their inverses, from
        series and lengths.
    dim : int
        Side of the matrices.
    is_complex : bool
        Whether they are complex.
    """

    first_boundary = 1  # the first point: a step leads to each later one

    def __init__(self, steps_of, dim: int, is_complex: bool) -> None:
        self.steps_of, self.dim = steps_of, dim
        self.dtype = np.complex128 if is_complex else np.float64
        entries = np.arange(dim * dim).reshape(dim, dim)
        rows, columns = entries, entries.T
        self.terms = Terms(
            np.arange(dim * dim + 1) * dim,
            np.repeat(rows, dim, axis=0).ravel(),
            np.tile(columns, (dim, 1)).ravel(),
        )
        self.prefixes = self.suffixes = np.arange(dim * dim)
        self.n_outputs = self.n_factors = dim * dim

    def pooled_by_recurrence(self, series, lengths, rows, filters, pooling, out):
        """Write the features of some series under exponential filters."""
        per_chunk = max(1, CHUNK_BYTES // (series.shape[2] * self.dim**2 * 32))
        for first in range(0, len(rows), per_chunk):
            chosen = rows[first : first + per_chunk]
            steps, inverses = self.steps_of(series[chosen], lengths[chosen])
            found = np.empty((len(chosen), out.shape[1]))
            pooled_exponential_developments(steps, inverses, lengths[chosen], filters, self.terms, pooling, found)
            out[chosen] = found

    def values_by_recurrence(self, x, n, filters):
        """Values of one series under exponential filters, (n, n_outputs * n_filters)."""
        steps, inverses = self.prepared(x, n)
        state = start_developments(steps[np.newaxis], filters)
        values = np.empty((n, self.n_outputs * filters.n_filters), self.dtype)
        advance_developments(steps, inverses, 0, n, filters, state, self.terms, values)
        return values

    def prepared(self, x, n):
        """What the factors of one series are made of."""
        steps, inverses = self.steps_of(x[np.newaxis, :, :n], np.array([n]))
        return steps[0], inverses[0]

    def factors(self, steps, begin, n, p, q):
        """Write all factors at n points."""
        development_factors(*steps, begin, n, p, q)

    def lost(self, terms, total, n_points):
        """Bound of the rounding error of the worst entry, relative to the mean size of the largest.

        Matrices of short intervals are near the identity, and so nothing is lost where factors are of size one.
        """
        bound = EPS * terms.max(axis=0) / np.maximum(total.max(axis=0), TINY)
        return float(np.where(EPS * terms.max(axis=0) > WORTH_A_LOOK, bound, 0.0).max(initial=0.0))


def pooled_intervals(source, series, lengths, filters: Filters, pooling: WindowPooling, *, n_threads: int, out: Array):
    """Fill `out`, (n_samples, n_outputs * n_filters * n_poolings * n_windows), or twice as much for complex values.

    Returns
    -------
    lost : float
        Bound of the rounding error of the worst output, relative to the mean size of its values; 0 for recurrences.
    """
    series = np.ascontiguousarray(series)
    if isinstance(filters, ExponentialFilters):
        how = lanes_of(filters)

        def recur(rows):
            source.pooled_by_recurrence(series, lengths, rows, how, pooling.arguments, out)

        over_series(recur, lengths, 1, n_threads)
        return 0.0

    spectra: dict[tuple[int, int], Array] = {}  # by lags and length of the transform: most series are as long

    def work(rows):
        lost = 0.0
        poolings, thresholds, n_fine, runs = pooling.arguments
        for row in rows:
            bounds = np.arange(n_fine + 1) * lengths[row] // n_fine
            statistics, sizes = None, None
            for begin, values, sizes in _stretches(source, series[row], int(lengths[row]), filters, spectra):  # noqa: B007
                real = values.view(np.float64)
                if statistics is None:
                    statistics = np.empty((n_fine, N_STATISTICS, real.shape[1]))
                    reset_rows(statistics)
                fold_rows(real, begin, bounds, thresholds, poolings.wanted, statistics)
            pool(statistics, bounds, poolings.codes, runs, out[row])
            if not np.isfinite(sizes[1]).all():
                out[row] = np.nan
            n_points = min(max(STRETCH * filters.length, SHORTEST), lengths[row])
            lost = max(lost, source.lost(sizes[0], sizes[1] / lengths[row], n_points))
        return lost

    return max(over_series(work, lengths, 1, n_threads))


def interval_values(source, x: Array, n: int, filters: Filters) -> Array:
    """Values of one series at its own times, (n_outputs, n_filters, n)."""
    x = np.ascontiguousarray(x)
    if isinstance(filters, ExponentialFilters):
        values = source.values_by_recurrence(x, n, lanes_of(filters))
    else:
        values = np.concatenate([values.copy() for _, values, _ in _stretches(source, x, n, filters, {})])
    return np.moveaxis(values.reshape(n, source.n_outputs, filters.n_filters), 0, 2)


def lanes_of(filters: ExponentialFilters) -> FilterLanes:
    """Exponential filters as the loops take them."""
    lanes = filters.n_filters * filters.rank
    factors = np.exp(-filters.rates).transpose(0, 2, 1).reshape(2, lanes)
    weights = np.ascontiguousarray(filters.weights.T).ravel()
    return FilterLanes(np.ascontiguousarray(factors), weights, filters.n_filters)


def _stretches(source, x, n, filters, spectra):
    """Values over consecutive stretches of one series, their first times, and what bounds their rounding errors."""
    n_points = n + 1 - source.first_boundary  # the boundaries, of which the last n have values
    n_lags = min(filters.length, n_points)
    n_fft = int(next_fast_len(min(max(STRETCH * n_lags, SHORTEST), n_points + n_lags - 1), real=True))
    per_stretch = min(n_fft - n_lags + 1, n_points)
    if (n_lags, n_fft) not in spectra:
        spectra[n_lags, n_fft] = rfft(filters.taps(n_lags).transpose(0, 2, 1, 3), n_fft)[..., np.newaxis, :]
    own_spectra = spectra[n_lags, n_fft]
    made_of = source.prepared(x, n)
    p, q = np.empty((2, source.n_factors, n_fft), source.dtype)
    sizes = np.zeros((2, source.n_outputs, filters.n_filters))
    values = np.empty((per_stretch, source.n_outputs * filters.n_filters), source.dtype)
    for start in range(0, n_points, per_stretch):
        stop, anchor = min(start + per_stretch, n_points), max(start - n_lags + 1, 0)
        source.factors(made_of, anchor, stop - anchor, p, q)
        p[:, stop - anchor :], q[:, stop - anchor :] = 0.0, 0.0
        filtered = [_filtered(factors, spectrum, n_fft) for factors, spectrum in zip((p, q), own_spectra, strict=True)]
        own = values[: stop - start]
        fold_terms(*filtered, start - anchor, stop - start, source.terms, own, sizes)
        if start == 0 and source.first_boundary == 0:
            yield 0, own[1:], sizes
        else:
            yield start - 1 + source.first_boundary, own, sizes


def _filtered(factors, spectrum, n_fft):
    """Factors under each filter, (rank, n_filters, n_factors, n_fft); what overflows is told by the features."""
    with np.errstate(over="ignore", invalid="ignore"):
        return _convolved(factors, spectrum, n_fft)


def _convolved(factors, spectrum, n_fft):
    if np.iscomplexobj(factors):
        parts = [irfft(rfft(part) * spectrum, n_fft) for part in (factors.real, factors.imag)]
        return parts[0] + 1j * parts[1]
    return irfft(rfft(factors) * spectrum, n_fft)
