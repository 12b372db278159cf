"""Hyena and its kin against attention: forward passes of single mixers, and their steps of training."""

import itertools
from typing import Any

import torch

from benchmarks.measure import markdown_table, thread_limit
from benchmarks.speed.measure import alternating_times, median_ms
from sigfeat.nn import S4, Attention, Hyena, HyenaFilter, Recurrent

TITLE = "Mixers of sequences: Hyena, S4 and GRU against attention"
BATCH, WIDTH, HEADS = 4, 64, 4
LENGTHS = (128, 256, 512, 1024, 2048, 4096, 16384)
LONGEST_TRAINED = 4096  # beyond, a step of attention takes minutes
ATTENTION = "attention"
ORDERS = (1, 2, 4)


def records(threads: list[int], repeat: int) -> list[dict[str, Any]]:
    """One record with all raw times per number of threads and length."""
    found = []
    for n_threads, length in itertools.product(threads, LENGTHS):
        with thread_limit(n_threads):
            times = alternating_times(_contestants(length), repeat)
        found.append({"threads": n_threads, "dtype": "float32", "length": length, "seconds": times})
    return found


def table(found: list[dict[str, Any]]) -> str:
    """Markdown: medians of attention in milliseconds and ratios to them."""
    names = [name for name in _mixers(8) if name != ATTENTION]
    header = ["threads", "steps", "attention ms", *names, "training: attention ms", *names]
    rows = []
    for record in found:
        cells = [str(record["threads"]), str(record["length"])]
        for task in ("forward", "training"):
            times = {name: record["seconds"].get(f"{name} {task}") for name in (ATTENTION, *names)}
            if times[ATTENTION] is None:
                cells += [""] * (1 + len(names))
                continue
            own = median_ms(times[ATTENTION])
            cells.append(f"{own:.2f}")
            cells += [f"{own / median_ms(times[name]):.2f}x" for name in names]
        rows.append(cells)
    note = (
        f"Medians; times of attention, and how many times as fast the others are. {BATCH} sequences of width {WIDTH}, "
        f"float32, {HEADS} heads, two-sided, with the projections in and out. Attention is torch's fused one "
        "(scaled_dot_product_attention). Forward: evaluation without gradients, where spectra of filters are kept from "
        "call to call. Training: forward and backward."
    )
    return f"{markdown_table(header, rows)}\n\n{note}"


def _contestants(length):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, length, WIDTH, generator=generator)
    contestants = {}
    for name, mixer in _mixers(length).items():
        contestants[f"{name} forward"] = _forward(mixer.eval(), x)
        if length <= LONGEST_TRAINED:
            contestants[f"{name} training"] = _training(mixer, x)
    return contestants


def _mixers(length):
    """Mixers by name."""
    how = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float32}
    hyenas = {
        f"Hyena order {order}": Hyena(WIDTH, order=order, filter=HyenaFilter(time_scale=float(length)), **how)
        for order in ORDERS
    }
    return {
        ATTENTION: Attention(WIDTH, n_heads=HEADS, positions="none", short_filter=1, **how),
        **hyenas,
        "S4D": S4(WIDTH, d_state=64, **how),
        "GRU": Recurrent(WIDTH, **how),
    }


def _forward(mixer, x):
    def run():
        with torch.no_grad():
            return mixer(x)

    return run


def _training(mixer, x):
    def run():
        return torch.autograd.grad(mixer(x).square().sum(), list(mixer.parameters()))

    return run
