"""A hundred thousand tokens at once: time and memory of a Hyena language model, against the length.

Run ``python examples/long_sequence.py``, or with ``--tokens N``. The model evaluates the text at once, as in training,
and incrementally, as in generation, with the same result. Attention of the same size takes less memory, but time that
grows with the square of the length.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
import torch

from sigfeat.datasets import load_python_help
from sigfeat.nn import HyenaLM, LanguageModelConfig

SHAPE = {"context": 1 << 20, "time_scale": 1024.0, "d_model": 64, "n_layers": 2, "d_ff": 128}
PART = 4096  # tokens that a stream reads at once
MIBIBYTE = 1 << 20


def run_one(mixer, way, n_tokens):
    """Seconds, additional MiB and the last logits, measured in a process of its own."""
    torch.set_num_threads(1)
    model = HyenaLM(LanguageModelConfig(mixer=mixer, **SHAPE), generator=torch.Generator().manual_seed(0)).eval()
    text = np.frombuffer(load_python_help(), np.uint8)
    tokens = torch.from_numpy(np.resize(text, n_tokens).astype(np.int64))[None]
    with torch.no_grad():
        model(tokens[:, :64])
        before, start = peak(), time.perf_counter()
        if way == "at once":
            logits = model(tokens, n_last=1)
        else:
            state = model.incremental()
            for part in tokens.split(PART, dim=1):
                logits = state.append(part)[:, -1:]
        seconds = time.perf_counter() - start
    return seconds, peak() - before, logits.abs().max().item(), logits.sum().item()


def peak():
    """Peak memory of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIBIBYTE


def main():
    """Measure each case in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        mixer, way, n_tokens = arguments.one
        print(*run_one(mixer, way, int(n_tokens)))
        return
    cases = [
        ("hyena", "at once", 1),
        ("hyena", "part by part", 1),
        ("attention", "at once", 4),
    ]  # and by how much the longest is shortened
    print(f"{'mixer':12} {'way':14} {'tokens':>8} {'seconds':>8} {'MiB':>7}   last logits")
    for mixer, way, shorter in cases:
        for part in (4, 2, 1):
            n_tokens = arguments.tokens // shorter // part
            command = [sys.executable, __file__, "--one", mixer, way, str(n_tokens)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, memory, size, total = map(float, output.split())
            print(f"{mixer:12} {way:14} {n_tokens:8,} {seconds:8.2f} {memory:7.0f}   {size:.5f} {total:.4f}")


if __name__ == "__main__":
    main()
