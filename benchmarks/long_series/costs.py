"""Time and memory of one forward pass, in a process of its own; a network need not be trained for this."""

import resource
import time
from typing import Any

import numpy as np
import torch

from benchmarks.hyena_vs_mha.tokens import SHAPE
from benchmarks.measure import new_peak, peak, thread_limit
from benchmarks.study.apart import answer, ask
from benchmarks.study.records import Record
from sigfeat import HyenaEmbeddingTransformer, MHAEmbedder, S4EmbeddingTransformer
from sigfeat.nn import HyenaLM, LanguageModelConfig

MODULE = "benchmarks.long_series.costs"
EMBEDDERS: dict[str, Any] = {
    "attention": MHAEmbedder,
    "Hyena order 2": HyenaEmbeddingTransformer,
    "S4D": S4EmbeddingTransformer,
}
LONGEST_WAIT = 1800.0  # seconds for a process
STEMS = {"attention": "attention", "Hyena order 2": "hyena", "S4D": "s4"}  # mixers of language models


def measure(network: str, lengths: list[int], folder: str | None, most_seconds: float, most_gib: float) -> Record:
    """Seconds and MiB of one pass at each length.

    Parameters
    ----------
    network : str
        Key of `EMBEDDERS`.
    lengths : list of int
        In ascending order.
    folder : str or None
        Of a saved embedder, whose `tokens` are measured; None for an untrained language model.
    most_seconds : float
        A pass that is expected to take more processor time, from the one before, is not run.
    most_gib : float
        Most memory that the process may have.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (int(most_gib * 2**30), resource.RLIM_INFINITY))
    passes: dict[str, dict[str, float]] = {}
    n_before, seconds = 1, 0.0
    with thread_limit(1):
        for length in lengths:
            expected = seconds * (length / n_before) ** (2 if network == "attention" else 1)
            if expected > most_seconds:
                passes[str(length)] = {"expected": expected}
                continue
            passes[str(length)] = _cost(network, length, folder)
            n_before, seconds = length, passes[str(length)]["processor"]
    return {"passes": passes}


def _cost(network: str, length: int, folder: str | None) -> dict[str, float]:
    run = _language_model(network, length) if folder is None else _embedder(network, length, folder)
    level = new_peak()
    processor, clock = time.process_time(), time.perf_counter()
    run()
    seconds = {"processor": time.process_time() - processor, "clock": time.perf_counter() - clock}
    return seconds | {"mib": (peak() - level) / 2**20}


def _language_model(network: str, length: int) -> Any:
    config = LanguageModelConfig(mixer=STEMS[network], n_tokens=17, context=length, time_scale=128.0, **SHAPE)
    model = HyenaLM(config, generator=torch.Generator().manual_seed(0)).eval()
    tokens = torch.from_numpy(np.random.default_rng(0).integers(0, 17, (1, length)))

    def run() -> None:
        with torch.no_grad():
            model(tokens)

    return run


def _embedder(network: str, length: int, folder: str) -> Any:
    embedder = EMBEDDERS[network].load(folder)
    series = np.random.default_rng(0).standard_normal((1, embedder.n_channels_, length), np.float32)
    return lambda: embedder.tokens(series)


def token_costs(lengths: list[int]) -> list[Record]:
    """Costs of language models with each mixer."""
    limits = {"most_seconds": 60.0, "most_gib": 12.0}
    questions = [{"network": network, "lengths": lengths, "folder": None, **limits} for network in STEMS]
    return [{"network": one["network"], **ask(MODULE, one, LONGEST_WAIT)} for one in questions]


if __name__ == "__main__":
    answer(measure)
