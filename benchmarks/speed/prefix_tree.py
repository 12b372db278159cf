"""Time per word and step of the prefix tree that serves any words, semirings and poolings."""

from typing import Any

import numpy as np

from benchmarks.measure import markdown_table, thread_limit
from benchmarks.speed.measure import alternating_times, median_ms
from sigfeat import ISSTransformer

TITLE = "Prefix tree (ISSTransformer, words of weight 1 to 3 on 3 channels)"
N_SERIES, N_CHANNELS, N_STEPS, DEPTH = 100, 3, 1000, 3
POOLINGS = {"end": ("end",), "all": ("end", "mean", "max", "min", "ppv", "mpv", "argmax")}
SEMIRINGS = ("real", "max_plus")


def records(threads: list[int], repeat: int) -> list[dict[str, Any]]:
    """One record with all raw times per number of threads, dtype, semiring and pooling."""
    found = []
    panel = np.random.default_rng(0).standard_normal((N_SERIES, N_CHANNELS, N_STEPS))
    for n_threads in threads:
        for dtype in ("float64", "float32"):
            X = panel.astype(dtype)
            cases = {
                (semiring, pooling): ISSTransformer(
                    DEPTH,
                    words="weight",
                    semiring=semiring,
                    decay=0,
                    pooling=names,
                    windows="whole",
                    scale=None,
                    n_jobs=n_threads,
                ).fit(X)
                for semiring in SEMIRINGS
                for pooling, names in POOLINGS.items()
            }
            with thread_limit(n_threads):
                runs = {case: (lambda iss=iss, X=X: iss.transform(X)) for case, iss in cases.items()}
                times = alternating_times(runs, repeat)
            found += [
                {
                    "dtype": dtype,
                    "threads": n_threads,
                    "semiring": semiring,
                    "pooling": pooling,
                    "n_words": len(iss.words_),
                    "shape": list(X.shape),
                    "seconds": {"sigfeat": times[semiring, pooling]},
                }
                for (semiring, pooling), iss in cases.items()
            ]
    return found


def table(found: list[dict[str, Any]]) -> str:
    """Markdown: nanoseconds per word and step of time."""
    header = ["threads", "dtype", "semiring", "poolings", "ms", "ns per word and step"]
    rows = []
    for record in found:
        milliseconds = median_ms(record["seconds"]["sigfeat"])
        n_series, _, n_steps = record["shape"]
        each = 1e6 * milliseconds / (record["n_words"] * n_series * n_steps)
        kind = [str(record["threads"]), record["dtype"], record["semiring"], record["pooling"]]
        rows.append([*kind, f"{milliseconds:.2f}", f"{each:.2f}"])
    n_series, n_channels, n_steps = found[0]["shape"]
    note = (
        f"Medians. {n_series} series of {n_channels} channels and {n_steps} steps, {found[0]['n_words']} words. "
        f"All poolings: {', '.join(POOLINGS['all'])}."
    )
    return f"{markdown_table(header, rows)}\n\n{note}"
