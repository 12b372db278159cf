"""Quantiles over dyadic intervals against aeon's QUANT transform, which has the same features."""

import importlib.util
from typing import Any

import numpy as np

from benchmarks.measure import markdown_table, thread_limit
from benchmarks.speed.measure import alternating_times, median_ms
from sigfeat import IntervalQuantileTransformer

TITLE = "Quantiles over dyadic intervals (IntervalQuantileTransformer) against QUANT"
SHAPES = ((500, 1, 128), (200, 1, 1000), (100, 6, 200), (20, 1, 10000))


def records(threads: list[int], repeat: int) -> list[dict[str, Any]]:
    """One record with all raw times per number of threads and shape."""
    found = []
    for n_threads in threads:
        for shape in SHAPES:
            X = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
            how = {"words": None, "max_features": None, "n_jobs": n_threads}
            ours = IntervalQuantileTransformer(**how).fit(X)
            runs = {"sigfeat": lambda ours=ours, X=X: ours.transform(X)}
            if importlib.util.find_spec("aeon") and importlib.util.find_spec("torch"):
                from aeon.transformations.collection.interval_based import QUANTTransformer

                quant = QUANTTransformer().fit(X)
                runs["QUANT"] = lambda quant=quant, X=X: quant.transform(X)
            with thread_limit(n_threads):
                times = alternating_times(runs, repeat)
                n_features = len(ours.get_feature_names_out())
            found.append({"threads": n_threads, "shape": list(shape), "n_features": n_features, "seconds": times})
    return found


def table(found: list[dict[str, Any]]) -> str:
    """Markdown: milliseconds, and how many times the time QUANT takes."""
    header = ["threads", "series x channels x steps", "features", "sigfeat ms", "QUANT ms", "QUANT / sigfeat"]
    rows = []
    for record in found:
        ours = median_ms(record["seconds"]["sigfeat"])
        row = [
            str(record["threads"]),
            " x ".join(map(str, record["shape"])),
            f"{record['n_features']:,}",
            f"{ours:.1f}",
        ]
        if "QUANT" in record["seconds"]:
            theirs = median_ms(record["seconds"]["QUANT"])
            row += [f"{theirs:.1f}", f"{theirs / ours:.1f}x"]
        else:
            row += ["", ""]
        rows.append(row)
    note = (
        "Medians, float32, random series. Both take quantiles of the series, its differences, its second differences "
        "and its spectrum; the intervals of QUANT are rounded in another way."
    )
    return f"{markdown_table(header, rows)}\n\n{note}"
