"""Time in which a frame with a MultiIndex becomes a panel.

2,000 series of 3 channels and 100 steps, float64, one thread, with the rows in three orders: series after series, all
series at each time, and shuffled. They take turns; the figures are medians.
"""

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import markdown_table, thread_limit
from benchmarks.speed.measure import alternating_times, median_ms
from sigfeat import to_panel

TITLE = "Frames with a MultiIndex to panels"
N_SERIES, N_CHANNELS, N_STEPS = 2000, 3, 100
RUNS = 5  # of each repetition, which take milliseconds


def records(threads: list[int], repeat: int) -> dict[str, Any]:
    """Times of each order of the rows; on one thread, since nothing is done in parallel."""
    results = measure(frames(N_SERIES, N_CHANNELS, N_STEPS), RUNS * repeat)
    return {"dtype": "float64", "threads": 1, "shape": [N_SERIES, N_CHANNELS, N_STEPS], "results": results}


def frames(n_series: int, n_channels: int, n_steps: int) -> dict[str, pd.DataFrame]:
    """The same series, whose names are in no order, with rows in three orders."""
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([rng.permutation(n_series), range(n_steps)])
    frame = pd.DataFrame(rng.standard_normal((n_series * n_steps, n_channels)), index=index)
    return {
        "series after series": frame,
        "interleaved": frame.sort_index(level=1, sort_remaining=False),
        "shuffled": frame.sample(frac=1, random_state=0),
    }


def measure(found: dict[str, pd.DataFrame], repeat: int) -> dict[str, Any]:
    """Median and all times of each order, in milliseconds."""
    runs = {order: (lambda frame=frame: to_panel(frame)) for order, frame in found.items()}
    with thread_limit(1):
        times = alternating_times(runs, repeat)
    return {
        order: {"median ms": median_ms(own), "ms": [1e3 * seconds for seconds in own]} for order, own in times.items()
    }


def table(results: dict[str, Any]) -> str:
    """Markdown of the medians."""
    rows = [[order, f"{figures['median ms']:.1f}", f"{min(figures['ms']):.1f}"] for order, figures in results.items()]
    return markdown_table(["rows", "median ms", "least ms"], rows)
