"""Records of costs as a study keeps them, without a measurement."""

import itertools

from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED, TASKS

LENGTHS = (256, 1024, 4096, 16384, 65536)
SPREAD = (0.98, 1.03, 1.0)  # of the runs, relative to the median


def cost(name, length, task, seconds, peak, spread=SPREAD, failure="memory"):
    found = {"kind": "cost", "name": name, "length": length, "task": task, "batch": 1, "n_parameters": 17000}
    found["flops"] = 1e3 * length
    if seconds is None:
        return found | {"seconds": [], "peak_bytes": None, "failure": failure}
    return found | {"seconds": [seconds * one for one in spread], "peak_bytes": peak}


def costs(ratio_of_time=10.0, ratio_of_memory=0.5, exponent=1.0):
    """Hyena of order 2, and fused attention that takes so many times its time and memory at 16384 steps."""
    found = []
    for length, task in itertools.product(LENGTHS, TASKS):
        own = 1e-3 * (length / 16384) ** exponent
        found.append(cost("Hyena order 2", length, task, own, 1e3 * length))
        fused = 1e-3 * ratio_of_time * (length / 16384) ** 2
        found.append(cost(FUSED, length, task, fused, 1e3 * ratio_of_memory * length))
        found.append(cost(EXPLICIT, length, task, 2 * fused if length <= 4096 else None, 100 * length**2))
    return found
