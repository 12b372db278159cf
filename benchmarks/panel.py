"""Time in which a frame with a MultiIndex becomes a panel: ``python -m benchmarks.panel``.

2,000 series of 3 channels and 100 steps, float64, one thread, with the rows in three orders: series after series, all
series at each time, and shuffled. They take turns; medians count.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import alternating_times, circumstances, markdown_table, median_ms, thread_limit
from sigfeat import to_panel

N_SERIES, N_CHANNELS, N_STEPS = 2000, 3, 100


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


def main() -> None:
    """Measure, print, and write if there is a place for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=N_SERIES, help="number of series")
    parser.add_argument("--repeat", type=int, default=25, help="measured runs of each order")
    parser.add_argument("--output", type=Path, help="JSON file for the results")
    arguments = parser.parse_args()
    results = measure(frames(arguments.series, N_CHANNELS, N_STEPS), arguments.repeat)
    print(table(results))
    if arguments.output:
        shape = [arguments.series, N_CHANNELS, N_STEPS]
        document = circumstances() | {"dtype": "float64", "threads": 1, "repeat": arguments.repeat, "shape": shape}
        arguments.output.write_text(json.dumps(document | {"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
