"""Developments in SO(n) against torch: the exponentials alone, and the published way, with and without gradient."""

import itertools
import statistics
from typing import Any

import torch

from benchmarks.measure import markdown_table, thread_limit
from benchmarks.speed.measure import alternating_times, median_ms
from sigfeat.nn import GROUPS, development, random_algebra

TITLE = "Developments in SO(n) against torch.matrix_exp"
N_SERIES, N_CHANNELS, STEP_SIZE = 32, 5, 0.1
DIMS, LENGTHS = (4, 10, 20), {"float32": (200, 2000), "float64": (200,)}  # the published way takes minutes beyond
CONTESTANTS = {
    "sigfeat": "forward",
    "exponentials": "forward",
    "published": "forward",
    "sigfeat training": "training",
    "published training": "training",
}


def records(threads: list[int], repeat: int) -> list[dict[str, Any]]:
    """One record with all raw times per number of threads, dtype, side of the matrices and length."""
    found = []
    for n_threads in threads:
        for dtype, lengths in LENGTHS.items():
            for dim, length in itertools.product(DIMS, lengths):
                with thread_limit(n_threads):
                    times = alternating_times(_contestants(dim, length, dtype, n_threads), repeat)
                found.append({"threads": n_threads, "dtype": dtype, "dim": dim, "length": length, "seconds": times})
    return found


def table(found: list[dict[str, Any]]) -> str:
    """Markdown: medians in milliseconds and ratios to sigfeat."""
    header = ["threads", "dtype", "n", "steps", "forward ms", "exponentials", "published way", "training ms"]
    header.append("published way")
    rows = []
    for (n_threads, dtype), group in itertools.groupby(found, key=lambda record: (record["threads"], record["dtype"])):
        figures = []
        for record in group:
            own, exponentials, published, own_training, published_training = (
                median_ms(record["seconds"][name]) for name in CONTESTANTS
            )
            figures.append((exponentials / own, published / own, published_training / own_training))
            ratios = [f"{ratio:.1f}x" for ratio in figures[-1]]
            case = [str(n_threads), dtype, str(record["dim"]), str(record["length"])]
            rows.append([*case, f"{own:.2f}", *ratios[:2], f"{own_training:.2f}", ratios[2]])
        means = [f"{statistics.geometric_mean(column):.1f}x" for column in zip(*figures, strict=True)]
        rows.append([str(n_threads), dtype, "**mean**", "", "", *means[:2], "", means[2]])
    note = (
        f"Medians; times of the others in units of sigfeat's, means geometric. {N_SERIES} series of {N_CHANNELS} "
        f"channels, increments of standard deviation {STEP_SIZE}, one development. Exponentials: torch.matrix_exp of "
        "the given matrices, without making or multiplying them. Published way: make the matrices, matrix_exp, and "
        "multiply neighbours until one is left, by autograd. Training: final values, and the gradient of their "
        "weighted sum for the matrices before their projection to the Lie algebra."
    )
    return f"{markdown_table(header, rows)}\n\n{note}"


def _contestants(dim, length, dtype, n_threads):
    generator, precision = torch.Generator().manual_seed(0), getattr(torch, dtype)
    group = GROUPS["SO"](dim)
    steps = STEP_SIZE * torch.randn(N_SERIES, length, N_CHANNELS, generator=generator, dtype=precision)
    weights = torch.randn(N_SERIES, 1, dim, dim, generator=generator, dtype=precision)
    parameter = random_algebra(group, N_CHANNELS, generator=generator, dtype=precision).requires_grad_()
    given = _matrices(steps, parameter.detach())

    def compiled(elements):
        return development(steps, elements, group, n_threads=n_threads)

    def published(elements):
        return _product(torch.matrix_exp(_matrices(steps, elements)))

    def training(develop):
        def run():
            loss = (develop(group.to_algebra(parameter)) * weights).sum()
            return torch.autograd.grad(loss, parameter)[0]

        return run

    def forward(develop):
        def run():
            with torch.no_grad():
                return develop(group.to_algebra(parameter))

        return run

    contestants = {
        "sigfeat": forward(compiled),
        "exponentials": lambda: torch.matrix_exp(given),
        "published": forward(published),
        "sigfeat training": training(compiled),
        "published training": training(published),
    }
    _check_equal(contestants["sigfeat"](), contestants["published"](), "developments")
    _check_equal(contestants["sigfeat training"](), contestants["published training"](), "gradients")
    return contestants


def _matrices(steps, elements):
    return torch.einsum("btc,dcij->btdij", steps, elements).contiguous()


def _product(factors):
    while factors.shape[1] > 1:
        even = factors.shape[1] // 2 * 2
        factors = torch.cat([factors[:, 0:even:2] @ factors[:, 1:even:2], factors[:, even:]], dim=1)
    return factors[:, 0]


def _check_equal(own, other, what):
    difference = float((own - other).abs().max() / other.abs().max())
    if difference > 1e-3:  # float32 over thousands of steps
        raise RuntimeError(f"contestants must give the same {what}, they differ by {difference:.1e}")
