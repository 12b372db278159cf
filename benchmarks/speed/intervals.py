"""Sums over all intervals by real FFTs and by recurrences, against direct convolutions and the definition."""

import statistics
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.measure import markdown_table, thread_limit
from benchmarks.speed.growth import growth_figure, slope
from benchmarks.speed.measure import alternating_times, peak_mib
from sigfeat import IntervalISSTransformer

TITLE = "Sums over all intervals: the word [1][2] of one series under four filters"
STEPS = (128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536)
LONGEST = {"definition": 512, "direct": 16_384}
NAMES = {
    "definition": "definition",
    "direct": "direct convolution",
    "fft": "FFT, filters as long as the series",
    "stretches": "FFT, filters of 256 lags",
    "recurrence": "recurrence",
}
N_FILTERS = 4
SETTINGS: dict[str, dict[str, Any]] = {
    "fft": {"filter": "random"},
    "stretches": {"filter": "random", "filter_length": 256},
    "recurrence": {"filter": "exponential"},
}
FROM = 2048  # slopes are taken from here on


def records(threads: list[int], repeat: int) -> list[dict[str, Any]]:
    """One record per length; on one thread, since there is one series."""
    found = []
    with thread_limit(1):
        for n in STEPS:
            times = alternating_times(contestants(n), repeat)
            found.append(
                {"steps": n, "seconds": times, "MiB": {name: peak_mib(__name__, name, (128,), (n,)) for name in times}}
            )
    return found


def table(found: list[dict[str, Any]]) -> str:
    """Markdown: medians, memory, and exponents of both for long series."""
    header = ["steps", *(f"{name} ms" for name in NAMES.values()), *(f"{name} MiB" for name in NAMES.values())]
    rows = []
    for record in found:
        times, memory = record["seconds"], record["MiB"]
        cells = [f"{1e3 * statistics.median(times[name]):.3g}" if name in times else "" for name in NAMES]
        rows.append(
            [f"{record['steps']:,}", *cells, *(f"{memory[name]:.1f}" if name in memory else "" for name in NAMES)]
        )
    exponents = ["**exponent**"]
    for curves in (_curves(found, "seconds"), _curves(found, "MiB")):
        for name in NAMES.values():
            points = [point for point in curves.get(name, []) if point[0] >= FROM and point[1] > 0]
            exponents.append(f"**{slope(points):.2f}**" if len(points) > 1 else "")
    note = (
        f"Medians, one thread, float64; memory beyond what was there before. Exponents from {FROM:,} steps on. The "
        "definition sums over all pairs of boundaries at each time, in NumPy; direct convolutions of the factors are "
        "NumPy's. Filters as long as the series reach over half of it."
    )
    return f"{markdown_table(header, [*rows, exponents])}\n\n{note}"


def picture(found: list[dict[str, Any]]) -> Figure:
    """Time and memory against the number of steps."""
    panels = {"time against steps": _curves(found, "seconds"), "memory against steps": _curves(found, "MiB")}
    return growth_figure(panels, ("seconds", "MiB"))


def _curves(found, of):
    """Number of steps with the median cost, by contestant."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for record in found:
        for name, cost in record[of].items():
            value = statistics.median(cost) if isinstance(cost, list) else max(cost, 0.1)
            curves.setdefault(NAMES[name], []).append((record["steps"], value))
    return curves


def contestants(n):
    """The mean of the values over time by each way, by name."""
    X = np.random.default_rng(0).standard_normal((1, 2, n))
    how: dict[str, Any] = {"words": ["[1][2]"], "n_filters": N_FILTERS, "pooling": "mean", "scale": None, "n_jobs": 1}
    models = {name: IntervalISSTransformer(**how, **own).fit(X) for name, own in SETTINGS.items()}
    found = {name: lambda model=model: model.transform(X) for name, model in models.items()}
    filters = models["fft"].filters_
    if n <= LONGEST["direct"]:
        found["direct"] = lambda: _by_convolution(X[0], filters.taps(n + 1)[:, :, 0])
    if n <= LONGEST["definition"]:
        found["definition"] = lambda: _by_definition(X[0], filters.taps(n + 1)[:, :, 0])
    return found


def _factors(x):
    """Sums [1][2], [1], [2] from the start, and the coefficients of their inverse, at all boundaries."""
    one, two = np.concatenate([np.zeros((2, 1)), x.cumsum(axis=1)], axis=1)
    both = np.concatenate([[0.0], (x[1] * one[:-1]).cumsum()])
    weak = np.concatenate([[0.0], (x[0] * two[1:]).cumsum()])
    return one, two, both, weak


def _by_convolution(x, taps):
    one, two, both, weak = _factors(x)
    ones = np.ones_like(one)
    values = []
    for f, g in zip(*taps, strict=True):
        terms = ((ones, both), (-one, two), (weak, ones))
        filtered = ((np.convolve(f, p)[: len(p)], np.convolve(g, q)[: len(q)]) for p, q in terms)
        values.append(sum(left * right for left, right in filtered)[1:].mean())
    return np.array(values)


def _by_definition(x, taps):
    one, two, both, weak = _factors(x)
    between = both + weak[:, np.newaxis] - np.outer(one, two)
    n = x.shape[1]
    return np.array(
        [
            np.mean([f[t::-1] @ between[: t + 1, : t + 1] @ g[t::-1] for t in range(1, n + 1)])
            for f, g in zip(*taps, strict=True)
        ]
    )
