"""The transforms that take a device: features and times on the device and on the CPU."""

import copy
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.device import TIME, failure, full_precision
from benchmarks.speed.measure import alternating_times

N_CHANNELS, N_FITTED, REPEAT = 3, 16, 3
SHAPE = (256, 512)  # series, steps
TOLERANCES = {"float64": 1e-8, "float32": 1e-3}  # of a feature, relative to the largest value in its column
EPOCHS = {"max_epochs": 1, "batch_size": 8}


def _low_rank(dtype, n_jobs):
    from sigfeat import LowRankISSTransformer

    # without thresholds: a proportion of time above one jumps where a value equals it up to rounding
    pooling = ("end", "mean", "max", "min")
    semiring = ("real", "max_plus", "min_plus")
    return LowRankISSTransformer(500, semiring=semiring, pooling=pooling, n_jobs=n_jobs)


def _development(dtype, n_jobs):
    from sigfeat import PathDevelopmentTransformer

    return PathDevelopmentTransformer(dim=5, n_developments=50, dtype=dtype, n_jobs=n_jobs)


def _attention(dtype, n_jobs):
    from sigfeat import MHAEmbedder

    return MHAEmbedder(d_model=64, n_heads=4, n_layers=2, fit_mode="random", dtype=dtype, n_jobs=n_jobs)


def _hyena(dtype, n_jobs):
    from sigfeat import HyenaEmbeddingTransformer

    return HyenaEmbeddingTransformer(_attention(dtype, n_jobs), dtype=dtype, n_jobs=n_jobs, **EPOCHS)


def _s4(dtype, n_jobs):
    from sigfeat import S4EmbeddingTransformer

    return S4EmbeddingTransformer(_attention(dtype, n_jobs), dtype=dtype, n_jobs=n_jobs, **EPOCHS)


def _recurrent(dtype, n_jobs):
    from sigfeat import RecurrentEmbeddingTransformer

    return RecurrentEmbeddingTransformer(_attention(dtype, n_jobs), dtype=dtype, n_jobs=n_jobs, **EPOCHS)


def _intervals(layers):
    def build(dtype, n_jobs):
        from sigfeat import IntervalNetworkClassifier

        return IntervalNetworkClassifier(layers=layers, dtype=dtype, n_jobs=n_jobs, **EPOCHS)

    return build


BOTH, SINGLE = ("float64", "float32"), ("float32",)
CASES: dict[str, tuple[Callable[..., Any], Sequence[str]]] = {  # a function of dtype and threads, and its dtypes
    "LowRankISSTransformer": (_low_rank, SINGLE),  # computes in float32 always
    "MHAEmbedder": (_attention, BOTH),
    "HyenaEmbeddingTransformer": (_hyena, BOTH),
    "S4EmbeddingTransformer": (_s4, BOTH),
    "RecurrentEmbeddingTransformer": (_recurrent, BOTH),
    "IntervalNetworkClassifier, stack": (_intervals("stack"), BOTH),
    "IntervalNetworkClassifier, hyena": (_intervals("hyena"), BOTH),
    "PathDevelopmentTransformer": (_development, BOTH),  # last, since its loops take longest to compile
}


def records(
    device: torch.device, remaining: Callable[[], float], shape: tuple[int, int] = SHAPE, repeat: int = REPEAT
) -> Iterator[dict[str, Any]]:
    """One record for each transform and precision.

    Parameters
    ----------
    device : torch.device
        That is compared with the CPU.
    remaining : callable
        Seconds that are left; with none, a transform is not measured.
    shape : (int, int)
        Numbers of series and of steps.
    repeat : int
        Timed transforms on both, which take turns after one that is not timed.

    Yields
    ------
    record : dict
        "cpu_seconds", "device_seconds": times of the transform alone, of arrays in the memory of the CPU; "difference":
        the largest one of a feature relative to the largest absolute value in its column; "tolerance"; "equal":
        whether the difference is within it. All are fitted on the CPU. Without a measurement "failure" is "memory",
        "time" or the sentence of an error.
    """
    with full_precision():
        for name, (build, dtypes) in CASES.items():
            for dtype in dtypes:
                start = time.perf_counter()
                about = {"name": name, "dtype": dtype, "series": shape[0], "steps": shape[1], "channels": N_CHANNELS}
                try:
                    measured = _measured(build, dtype, device, shape, repeat) if remaining() > 0 else {"failure": TIME}
                except Exception as error:  # of whatever kind an estimator raises
                    measured = {"failure": failure(error)}
                yield about | measured | {"wall_seconds": time.perf_counter() - start}


def _measured(build, dtype, device, shape, repeat):
    n_series, n_steps = shape
    X = np.random.default_rng(0).standard_normal((n_series, N_CHANNELS, n_steps)).astype(dtype)
    here = build(dtype, os.cpu_count()).fit(X[:N_FITTED], np.arange(min(n_series, N_FITTED)) % 2)
    there = copy.deepcopy(here).set_params(device=str(device))
    features: dict[str, Any] = {}

    def run(place, estimator):
        transform = getattr(estimator, "transform", None) or estimator.decision_function
        features[place] = np.asarray(transform(X)).reshape(n_series, -1)

    times = alternating_times({"cpu": lambda: run("cpu", here), "device": lambda: run("device", there)}, repeat)
    difference = relative_difference(features["device"], features["cpu"])
    return {
        "cpu_seconds": times["cpu"],
        "device_seconds": times["device"],
        "difference": difference,
        "tolerance": TOLERANCES[dtype],
        "equal": bool(difference <= TOLERANCES[dtype]),
    }


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference of two matrices relative to the largest absolute value in the column, infinite with NaN."""
    size = np.abs(expected).max(axis=0)
    floor = 1e-6 * size.max() if size.max() > 0 else 1.0  # of columns that are zero up to rounding
    difference = float((np.abs(found - expected) / np.maximum(size, floor)).max())
    return difference if np.isfinite(difference) else float("inf")
