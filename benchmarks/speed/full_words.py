"""All words up to a length against path signatures with as many features, from the same numbers."""

import importlib
import itertools
import statistics
from typing import Any

import numpy as np

from benchmarks.measure import markdown_table, thread_limit
from benchmarks.speed.measure import alternating_times, matrix_product_flops, median_ms
from sigfeat import ISSTransformer

TITLE = "Full words (ISSTransformer, end values) against path signatures"
SHAPES = ((32, 1000, 10, 4), (32, 1000, 5, 5), (128, 500, 3, 6), (256, 200, 2, 8), (32, 1000, 5, 6))
PEERS = {"pysiglib": "pySigLib", "iisignature": "iisignature"}


def records(threads: list[int], repeat: int) -> list[dict[str, Any]]:
    """One record with all raw times per number of threads, dtype and shape."""
    peers = _installed_peers()
    found = []
    for n_threads in threads:
        for dtype in ("float64", "float32"):
            with thread_limit(n_threads):
                group = [_record(shape, dtype, n_threads, repeat, peers) for shape in SHAPES]
            peak = max(record.pop("peak") for record in group)
            found += [record | {"matrix_product_gflops": peak / 1e9} for record in group]
    return found


def table(found: list[dict[str, Any]]) -> str:
    """Markdown: medians in milliseconds, ratios to sigfeat, fraction of the matrix-product peak."""
    peers = [peer for peer in PEERS if peer in found[0]["seconds"]]
    header = ["threads", "dtype", "series x steps x channels, depth", "sigfeat ms"]
    header += [f"{PEERS[peer]} ms" for peer in peers] + [f"vs {PEERS[peer]}" for peer in peers] + ["of peak"]
    rows = []
    for (n_threads, dtype), group in itertools.groupby(found, key=lambda record: (record["threads"], record["dtype"])):
        figures = []
        for record in group:
            n, steps, channels, depth = record["shape"]
            own, *others = (median_ms(record["seconds"][name]) for name in ("sigfeat", *peers))
            peak = record["matrix_product_gflops"]
            share = record["flops"] / (1e6 * own * peak)
            figures.append([*(other / own for other in others), share])
            times = [f"{own:.2f}", *(f"{other:.1f}" for other in others)]
            sizes = f"{n} x {steps} x {channels}, {depth}"
            rows.append([str(n_threads), dtype, sizes, *times, *_ratios(figures[-1])])
        means = _ratios([statistics.geometric_mean(column) for column in zip(*figures, strict=True)])
        means[-1] += f" of {peak:.0f} GFLOP/s"
        rows.append([str(n_threads), dtype, "**geometric mean**", "", *[""] * len(peers), *means])
    note = (
        "Medians. Signatures are other objects than iterated sums: equal are the data and the number of features. "
        "The peak is NumPy's best product of two 1500 x 1500 matrices with the same dtype and threads; counted are "
        "the operations of the matrix product alone, 2 series steps sum(channels^k, k = depth//2 + 1 .. depth); "
        "above 100% the compiled loops are faster than NumPy's product."
    )
    if "iisignature" in peers:
        note += " iisignature has one thread only."
    return f"{markdown_table(header, rows)}\n\n{note}"


def _ratios(figures: list[float]) -> list[str]:
    *ratios, share = figures
    return [*(f"{ratio:.1f}x" for ratio in ratios), f"{share:.0%}"]


def _record(shape, dtype, n_threads, repeat, peers):
    n_series, n_steps, n_channels, depth = shape
    steps = np.random.default_rng(0).standard_normal((n_series, n_steps, n_channels)) / 30
    time_major = np.ascontiguousarray(steps.cumsum(axis=1), dtype=dtype)
    channel_major = np.ascontiguousarray(time_major.swapaxes(1, 2))
    plain = {"decay": 0, "pooling": "end", "windows": "whole", "scale": None}
    iss = ISSTransformer(depth, words="length", n_jobs=n_threads, **plain)
    iss.fit(channel_major)
    contestants = {"sigfeat": lambda: iss.transform(channel_major)}
    if "pysiglib" in peers:
        contestants["pysiglib"] = lambda: peers["pysiglib"].sig(time_major, depth, n_jobs=n_threads)
    if "iisignature" in peers:
        contestants["iisignature"] = lambda: peers["iisignature"].sig(time_major, depth)
    n_features = {name: run().shape for name, run in contestants.items()}
    if len(set(n_features.values())) > 1:
        raise RuntimeError(f"contestants must give the same number of features, got {n_features}")
    products = sum(n_channels**k for k in range(depth // 2 + 1, depth + 1))
    return {
        "shape": list(shape),
        "dtype": dtype,
        "threads": n_threads,
        "peak": matrix_product_flops(dtype, repeat),
        "flops": 2 * n_series * n_steps * products,
        "seconds": alternating_times(contestants, repeat),
    }


def _installed_peers():
    peers = {}
    for name in PEERS:
        try:
            peers[name] = importlib.import_module(name)
        except ImportError:
            print(f"{name} is not installed: its columns are left out.")
    return peers
