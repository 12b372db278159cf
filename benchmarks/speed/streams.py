"""Time of a point that is appended to a stream, and of reading the features, after few points and after many.

Series of 3 channels, float64, one thread. Points come one by one, or 1000 at once; the figures are medians.
"""

import statistics
import time
from typing import Any

import numpy as np

from benchmarks.measure import markdown_table, thread_limit
from sigfeat import ISSTransformer, LowRankISSTransformer, PathDevelopmentTransformer

TITLE = "Streams: points that are appended to a series"
TRANSFORMERS = {
    "words, weight 2": ISSTransformer(windows="whole"),
    "words, length 4, end": ISSTransformer(4, words="length", pooling="end", windows="whole"),
    "100 functionals": LowRankISSTransformer(100),
    "1,000 functionals": LowRankISSTransformer(),
    "developments": PathDevelopmentTransformer(windows="whole"),
}
N_ONE_BY_ONE, AT_ONCE = 500, 1000
BEFORE = (1000, 1_000_000)  # points before the measured ones
RUNS = 5  # of each repetition, which take microseconds


def records(threads: list[int], repeat: int) -> dict[str, Any]:
    """Medians by transformer and number of points before; on one thread, since there is one series."""
    with thread_limit(1):
        results = {name: measure(transformer, BEFORE, RUNS * repeat) for name, transformer in TRANSFORMERS.items()}
    return {"dtype": "float64", "threads": 1, "results": results}


def microseconds(run, per=1):
    """Time of one of `per` things that a call does."""
    start = time.perf_counter()
    run()
    return 1e6 * (time.perf_counter() - start) / per


def measure(transformer, numbers_before, repeat):
    """Medians of microseconds for a point alone, a point among many, and reading, of streams that take turns."""
    rng = np.random.default_rng(0)
    transformer.fit(rng.standard_normal((20, 3, 200)))
    streams = {n: transformer.stream().append(rng.standard_normal((3, n))) for n in numbers_before}
    found = {n: {"one by one": [], "at once": [], "reading": []} for n in streams}
    for _ in range(repeat):
        points = rng.standard_normal((N_ONE_BY_ONE, 3))
        many = rng.standard_normal((3, AT_ONCE))
        for n, stream in streams.items():
            one_by_one = microseconds(lambda points=points, to=stream: [to.append(x) for x in points], N_ONE_BY_ONE)
            found[n]["one by one"].append(one_by_one)
            found[n]["at once"].append(microseconds(lambda many=many, to=stream: to.append(many), AT_ONCE))
            found[n]["reading"].append(microseconds(stream.features))
    return {n: {name: statistics.median(times) for name, times in own.items()} for n, own in found.items()}


def table(results: dict[str, Any]) -> str:
    """Markdown of the medians in microseconds."""
    rows = [
        [name, f"{int(n):,}", *(f"{value:.1f}" for value in times.values())]
        for name, found in results.items()
        for n, times in found.items()
    ]
    return markdown_table(["features", "points before", "us a point alone", "us a point of 1000", "us to read"], rows)
