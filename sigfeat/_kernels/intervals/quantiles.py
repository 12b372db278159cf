"""Quantiles over dyadic intervals: cells of a row are sorted once, and intervals merge the cells below them."""

from typing import NamedTuple

import numpy as np

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.threads import over_series

GIVEN, DIFFERENCES, SECOND_DIFFERENCES = range(3)  # how values are made of a row: the number of points that are lost
SMOOTHED = 2  # neighbours on both sides of a difference whose mean is used
RUN = 16  # values that are sorted by insertion


class Layout(NamedTuple):
    """Columns of one row: of each level the number of quantiles of an interval, and whether there are shifted ones.

    Level l has 2^l intervals, and 2^l - 1 shifted ones, which begin in the middle of an interval.
    """

    n_quantiles: np.ndarray
    shifted: np.ndarray
    n_columns: int


def dyadic_layout(n_timepoints, n_levels, points_per_quantile):
    """Layout for values of this many points: intervals have at least one point, and shifted ones more than one."""
    n_intervals = 2 ** np.arange(min(n_levels, int(n_timepoints).bit_length()))
    n_quantiles = 1 + (n_timepoints // n_intervals - 1) // points_per_quantile
    shifted = (n_intervals > 1) & (n_timepoints > n_intervals)
    n_columns = int(n_quantiles @ (n_intervals + shifted * (n_intervals - 1)))
    return Layout(n_quantiles, shifted, n_columns)


class KeptColumns(NamedTuple):
    """Which quantiles of which rows are written: those `kept`[first[j]:first[j + 1]] of row `rows`[j].

    The quantiles of the j-th row begin at column first[j] of the output. Row r has its first value at time start[r].
    """

    rows: np.ndarray
    start: np.ndarray
    first: np.ndarray
    kept: np.ndarray


def interval_quantiles(values, lengths, kind, layout, columns, *, n_threads, out):
    """Fill columns of `out`, (n_samples, n_features), with quantiles over intervals.

    values: (n_samples, n_rows, n_timepoints), of which the first lengths[i] of series i are used. All quantiles of a
    row are NaN if one of the values that are made of it is not finite.
    """

    def work(chosen):
        _quantiles_of_series(values, lengths, chosen, kind, layout, columns, out)

    over_series(work, lengths, 1, n_threads)


@compiled
def _quantiles_of_series(series, lengths, chosen, kind, layout, columns, out):
    size = series.shape[2]
    values, merged, other = np.empty(size), np.empty(size), np.empty(size)
    quantiles = np.empty(layout.n_columns)
    n_cells = 2 ** len(layout.n_quantiles)
    bounds = np.empty(n_cells + 1, np.int64)
    for i in chosen:
        for j in range(len(columns.rows)):
            first, stop = columns.first[j], columns.first[j + 1]
            if first == stop:
                continue
            n = _write_values(series[i, columns.rows[j]], columns.start[j], lengths[i], kind, values)
            if not np.isfinite(values[:n]).all():  # NaN has no place in an order
                out[i, first:stop] = np.nan
                continue
            for cell in range(n_cells + 1):
                bounds[cell] = cell * n // n_cells
            for cell in range(n_cells):
                _sort(values, bounds[cell], bounds[cell + 1], other)
            _write_levels(values, other, merged, bounds, layout, quantiles)
            for place in range(first, stop):
                out[i, place] = quantiles[columns.kept[place - columns.first[0]]]


@compiled
def _write_values(row, start, length, kind, values):
    """Write the values of a row from its time `start` on, at least one, and return their number."""
    n = length - start - kind
    if n < 1:
        values[0] = 0.0
        return 1
    if kind == DIFFERENCES:
        for t in range(n):
            total = 0.0
            for k in range(t - SMOOTHED, t + SMOOTHED + 1):
                s = min(max(k, 0), n - 1)
                total += np.float64(row[start + s + 1]) - row[start + s]
            values[t] = total / (2 * SMOOTHED + 1)
    elif kind == SECOND_DIFFERENCES:
        for t in range(n):
            values[t] = np.float64(row[start + t + 2]) - 2.0 * row[start + t + 1] + row[start + t]
    else:
        for t in range(n):
            values[t] = row[start + t]
    return n


@compiled
def _write_levels(cells, higher, merged, bounds, layout, out):
    """Write the quantiles of all levels; `cells` are sorted between two bounds, and the deepest level has two each."""
    n_columns = len(out)
    for level in range(len(layout.n_quantiles) - 1, -1, -1):
        n_intervals, n_quantiles = 2**level, layout.n_quantiles[level]
        step = (len(bounds) - 1) // (2 * n_intervals)
        first = n_columns - _n_intervals(n_intervals, layout.shifted[level]) * n_quantiles
        for j in range(n_intervals):
            a, b, c = bounds[2 * j * step], bounds[(2 * j + 1) * step], bounds[(2 * j + 2) * step]
            _merge(cells, a, b, c, higher, a)
            place = first + j * n_quantiles
            _write_quantiles(higher, a, c - a, cells[a], out[place : place + n_quantiles])
        if layout.shifted[level]:
            for j in range(n_intervals - 1):
                a, b, c = bounds[(2 * j + 1) * step], bounds[(2 * j + 2) * step], bounds[(2 * j + 3) * step]
                _merge(cells, a, b, c, merged, 0)
                place = first + (n_intervals + j) * n_quantiles
                _write_quantiles(merged, 0, c - a, cells[a], out[place : place + n_quantiles])
        cells, higher = higher, cells
        n_columns = first


@compiled
def _n_intervals(n_intervals, shifted):
    return 2 * n_intervals - 1 if shifted else n_intervals


@compiled
def _sort(values, first, stop, other):
    """Sort the values between two places: short runs by insertion, which are then merged."""
    for begin in range(first, stop, RUN):
        for t in range(begin + 1, min(begin + RUN, stop)):
            value, s = values[t], t
            while s > begin and values[s - 1] > value:
                values[s] = values[s - 1]
                s -= 1
            values[s] = value
    width = RUN
    while width < stop - first:
        for begin in range(first, stop, 2 * width):
            middle, end = min(begin + width, stop), min(begin + 2 * width, stop)
            _merge(values, begin, middle, end, other, begin)
        values[first:stop] = other[first:stop]
        width *= 2


@compiled
def _merge(values, first, middle, stop, out, at):
    """Write the sorted values of two sorted neighbours to `out`, from place `at` on."""
    s, t = first, middle
    for k in range(at, at + stop - first):
        if t >= stop or (s < middle and values[s] <= values[t]):
            out[k] = values[s]
            s += 1
        else:
            out[k] = values[t]
            t += 1


@compiled
def _write_quantiles(ordered, first, n, following, out):
    """Write equally spaced quantiles, the median if only one, and subtract the mean from every second one.

    An interval without a value has the `following` one: the last interval of a level always has a value.
    """
    n_quantiles = len(out)
    if n == 0:
        for q in range(n_quantiles):
            out[q] = 0.0 if q % 2 else following
        return
    total = 0.0
    for k in range(first, first + n):
        total += ordered[k]
    mean = min(max(total / n, ordered[first]), ordered[first + n - 1])  # exactly the value, if all are the same
    for q in range(n_quantiles):
        place = (n - 1) * (q / (n_quantiles - 1) if n_quantiles > 1 else 0.5)
        below = int(place)
        above, part = min(below + 1, n - 1), place - below
        value = ordered[first + below] * (1.0 - part) + ordered[first + above] * part
        out[q] = value - mean if q % 2 else value
