"""Low-rank iterated sums against MultiRocket at the same number of features, and how their time grows.

aeon's MultiRocket is measured where aeon is installed; it asks for an older numba than our development versions, so
give it an environment of its own: ``pip install -e ".[aeon]"``.
"""

import importlib.util
import itertools
import statistics
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.measure import markdown_table, thread_limit
from benchmarks.speed.growth import growth_figure, slope
from benchmarks.speed.measure import alternating_times, median_ms, peak_mib
from sigfeat import LowRankISSTransformer

TITLE = "Low-rank iterated sums against MultiRocket"
N_FEATURES = 49_728  # MultiRocket's default
OURS, PEER = "sigfeat", "MultiRocket"
CASES = ((100, 1, 100), (100, 1, 1000), (100, 6, 100), (100, 6, 1000), (1000, 1, 150), (20, 1, 10_000))
STEPS = (100, 1000, 10_000, 100_000)
SERIES = (100, 1000, 10_000, 100_000)
FUNCTIONALS = (100, 300, 1000, 3000)
DEPTHS = (1, 2, 4, 8)


def records(threads: list[int], repeat: int) -> list[dict[str, Any]]:
    """One record per case, number of threads, and point of a scaling curve."""
    found = []
    for n_threads, shape in itertools.product(threads, CASES):
        with thread_limit(n_threads):
            times = alternating_times(contestants(shape, n_threads), repeat)
        small = (20, *shape[1:])
        memory = {name: peak_mib(__name__, name, (small, n_threads), (shape, n_threads)) for name in times}
        found.append({"kind": "peer", "threads": n_threads, "shape": shape, "seconds": times, "MiB": memory})
    with thread_limit(1):
        for what, size, run in _scaling():
            times = alternating_times({OURS: run}, repeat)
            found.append({"kind": "scaling", "threads": 1, "of": what, "size": size, "seconds": times})
    return found


def table(found: list[dict[str, Any]]) -> str:
    """Markdown: medians, ratios, memory; and exponents of the growth of time."""
    header = ["threads", "series x channels x steps", "sigfeat ms", "MultiRocket ms", "ratio", "MiB", "MiB", "ratio"]
    rows = []
    for record in (record for record in found if record["kind"] == "peer"):
        ours, peer = (record["seconds"].get(name) for name in (OURS, PEER))
        cells = [str(record["threads"]), " x ".join(map(str, record["shape"])), f"{median_ms(ours):.0f}"]
        memory = record["MiB"]
        if peer:
            cells += [f"{median_ms(peer):.0f}", f"{median_ms(peer) / median_ms(ours):.1f}x"]
            cells += [f"{memory[OURS]:.0f}", f"{memory[PEER]:.0f}", f"{memory[OURS] / memory[PEER]:.2f}x"]
        else:
            cells += ["", "", f"{memory[OURS]:.0f}", "", ""]
        rows.append(cells)
    note = (
        f"Fit and transform of the same series to {N_FEATURES:,} features (a few less for sigfeat), float32; medians, "
        "how many times as fast sigfeat is, peak memory beyond what was there before, features included."
    )
    curves = _curves(found)
    growth = [
        [what, *(f"{size:,}: {seconds:.3g}" for size, seconds in points), f"{slope(points[-2:]):.2f}"]
        for what, points in curves.items()
    ]
    sizes = max(map(len, curves.values()), default=0)
    grown = markdown_table(["time against", *[""] * sizes, "exponent"], growth) if growth else ""
    last = (
        "Sizes with seconds, one thread; the exponent is that of the last two. A chain of k letters is k (k + 1) / 2 "
        "functionals: time for each of them falls with the number of levels."
    )
    return f"{markdown_table(header, rows)}\n\n{note}\n\n{grown}\n\n{last}"


def picture(found: list[dict[str, Any]]) -> Figure:
    """Time against steps, series, functionals and levels."""
    curves = _curves(found)
    return growth_figure({what: {OURS: points} for what, points in curves.items()})


def _curves(found):
    """Sizes with median seconds, by what is varied."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for record in found:
        if record["kind"] == "scaling":
            curves.setdefault(record["of"], []).append((record["size"], statistics.median(record["seconds"][OURS])))
    return curves


def contestants(shape, n_threads):
    """Fit and transform of each, by name."""
    X = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    own = LowRankISSTransformer(N_FEATURES // 9, n_jobs=n_threads)
    found = {OURS: lambda: own.fit_transform(X)}
    if importlib.util.find_spec("aeon"):
        from aeon.transformations.collection.convolution_based import MultiRocket

        found[PEER] = lambda: MultiRocket(n_jobs=n_threads, random_state=0).fit_transform(X)
    return found


def _scaling():
    """What is varied, its size, and the transform to be timed."""
    for n in STEPS:
        yield "steps of 16 series, 200 functionals", n, _transform((16, 1, n), n_functionals=200)
    for n in SERIES:
        yield "series of 50 steps, 20 functionals", n, _transform((n, 1, 50), n_functionals=20)
    for n in FUNCTIONALS:
        yield "functionals, 100 series of 500 steps", n, _transform((100, 1, 500), n_functionals=n)
    for depth in DEPTHS:
        yield "levels of 300 functionals, 100 series", depth, _transform((100, 1, 500), n_functionals=300, depth=depth)


def _transform(shape, **parameters):
    X = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    fitted = LowRankISSTransformer(**parameters).fit(X)
    return lambda: fitted.transform(X)
