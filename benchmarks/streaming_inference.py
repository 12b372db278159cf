"""Cost of generation from token to token, and of one forward pass over a very long text.

    python -m benchmarks.streaming_inference                    all of it, some minutes
    python -m benchmarks.streaming_inference --tokens 2048      a shorter look

One thread, float32, batch 1, untrained language models of two blocks. Costs are seconds of processor time, and beside
them of the clock: the first do not count what else the machine does. Long passes run in processes of their own, so that
the peak of memory is theirs.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.measure import circumstances, markdown_table, thread_limit
from sigfeat.nn import Hyena, HyenaLM, LanguageModelConfig
from sigfeat.nn.mixers.incremental import DirectConvolution, ModalConvolution, TiledConvolution

RESULTS = Path(__file__).parent / "results" / "streaming_inference.json"
LENGTHS = [1024, 2048, 4096, 8192]
LAST = 1024  # tokens whose mean is the cost at the end
WIDTHS = [64, 256]
CONTESTANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Hyena, tiles": ({}, {"convolution": "tiled"}),
    "Hyena, dot products": ({}, {"convolution": "direct"}),
    "Hyena, modal filters": ({"filter": "modal"}, {}),
    "S4D": ({"mixer": "s4"}, {}),
    "attention, KV cache": ({"mixer": "attention"}, {}),
    "GRU": ({"mixer": "recurrent"}, {}),
    "no mixing": ({"mixer": "pointwise"}, {}),
}
LONG = [25_000, 50_000, 100_000]
PASSES = ("forward, all logits", "forward, last logits", "stream of 4,096 at a time")


def model_of(width: int, context: int, **changed: Any) -> HyenaLM:
    """An untrained language model of two blocks."""
    config = LanguageModelConfig(context=context, d_model=width, n_layers=2, d_ff=2 * width, **changed)
    return HyenaLM(config, generator=torch.Generator().manual_seed(0))


def seconds_per_step(step: Callable[[], Any], n_steps: int) -> dict[str, float]:
    """Seconds per step, as means over the first steps of each of `LENGTHS` and over the last."""
    marks = np.empty((n_steps + 1, 2))
    for t in range(n_steps):
        marks[t] = time.thread_time(), time.perf_counter()
        step()
    marks[n_steps] = time.thread_time(), time.perf_counter()
    found = {}
    for column, clock in enumerate(("processor", "clock")):
        spent = np.diff(marks[:, column])
        found |= {f"{clock} first {n}": float(spent[:n].mean()) for n in LENGTHS if n <= n_steps}
        found[f"{clock} last"] = float(spent[-LAST:].mean())
    return found


def generation(width: int, n_tokens: int, changed: dict[str, Any], options: dict[str, Any]) -> dict[str, float]:
    """Seconds per token of greedy generation by a whole model."""
    model = model_of(width, n_tokens, **changed)
    state, token = model.incremental(1, **options), torch.zeros(1, 1, dtype=torch.long)

    def step() -> None:
        nonlocal token
        token = state.append(token)[:, -1].argmax(dim=-1, keepdim=True)

    return {"parameters": model.param_count, **seconds_per_step(step, n_tokens)}


def convolution_alone(width: int, n_tokens: int, name: str) -> dict[str, float]:
    """Seconds per value of one long convolution of `width` channels, with the filters of a model."""
    mixer = model_of(width, n_tokens, order=1, filter="modal" if name == "modal" else "implicit").blocks[0].mixer
    assert isinstance(mixer, Hyena)
    values = iter(torch.randn(n_tokens, 1, width))
    with torch.no_grad():
        if name == "modal":
            convolution: Any = ModalConvolution(*mixer.filters.modes(), mixer.skip[0], 1)
        else:
            kind = TiledConvolution if name == "tiled" else DirectConvolution
            convolution = kind(lambda n: mixer.taps(0, n)[0], 1)
        return seconds_per_step(lambda: convolution.step(next(values)), n_tokens)


def long_pass(n_tokens: int, how: str) -> dict[str, float]:
    """Seconds and peak memory of one pass over many tokens, in this process."""
    model = model_of(64, n_tokens)
    tokens = torch.randint(0, 256, (1, n_tokens), generator=torch.Generator().manual_seed(0))
    before = _peak_kib(anew=True)
    processor, clock = time.thread_time(), time.perf_counter()
    with torch.no_grad():
        logits = _long_logits(model, tokens, how)
    assert bool(torch.isfinite(logits).all())
    return {
        "processor": time.thread_time() - processor,
        "clock": time.perf_counter() - clock,
        "mib": (_peak_kib() - before) / 1024,
    }


def _peak_kib(anew: bool = False) -> int:
    """Largest resident memory of this process; if anew, from now on (Linux): imports have peaks of their own."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def _long_logits(model: HyenaLM, tokens: Tensor, how: str) -> Tensor:
    if how == PASSES[0]:
        return model(tokens)
    if how == PASSES[1]:
        return model(tokens, n_last=1)
    state = model.incremental(1)
    return [state.append(part, n_last=1) for part in torch.split(tokens, 4096, dim=1)][-1]


def slopes(passes: dict[str, dict[str, float]]) -> dict[str, float]:
    """Exponent of time, and MiB for each 1,000 tokens, by least squares over the lengths."""
    lengths = np.array([float(n) for n in passes])
    seconds, memory = (np.array([one[name] for one in passes.values()]) for name in ("processor", "mib"))
    return {
        "exponent of time": float(np.polyfit(np.log(lengths), np.log(seconds), 1)[0]),
        "MiB per 1,000 tokens": float(1000 * np.polyfit(lengths, memory, 1)[0]),
    }


def measure(widths: list[int], n_tokens: int, long: list[int]) -> dict[str, Any]:
    """All figures."""
    found: dict[str, Any] = {"generation": {}, "convolution": {}, "long": {}}
    for width in widths:
        found["generation"][width], found["convolution"][width] = {}, {}
        for name, (changed, options) in CONTESTANTS.items():
            print(f"width {width}: {name}", file=sys.stderr)
            found["generation"][width][name] = generation(width, n_tokens, changed, options)
        for name in ("tiled", "direct", "modal"):
            found["convolution"][width][name] = convolution_alone(width, n_tokens, name)
    for how in PASSES if long else ():
        print(how, file=sys.stderr)
        passes = {str(n): _in_own_process(n, how) for n in long}
        found["long"][how] = {"passes": passes, **(slopes(passes) if len(passes) > 1 else {})}
    return found


def verdicts(found: dict[str, Any]) -> list[str]:
    """Sentences about tiles against dot products, by processor time."""
    sentences = []
    for kind, tiles, products in (
        ("generation", "Hyena, tiles", "Hyena, dot products"),
        ("convolution", "tiled", "direct"),
    ):
        for width, costs in found[kind].items():
            tiled, direct = costs[tiles], costs[products]
            shortest, longest = _lengths(tiled)[0], _lengths(tiled)[-1]
            whole, first = f"processor first {longest}", f"processor first {shortest}"
            sentences.append(
                f"{kind}, width {width}: tiles are {direct[whole] / tiled[whole]:.1f} times as fast as dot products "
                f"over {longest:,} tokens and {direct['processor last'] / tiled['processor last']:.1f} times at the "
                f"last {LAST:,}; {longest:,} tokens cost {tiled[whole] / tiled[first]:.2f} times as much "
                f"each as the first {shortest:,}"
            )
    return sentences


def table(found: dict[str, Any]) -> str:
    """Markdown of all figures."""
    parts = []
    for kind, title in (("generation", "Generation"), ("convolution", "One long convolution")):
        for width, costs in found[kind].items():
            columns = [f"first {n}" for n in _lengths(next(iter(costs.values())))] + ["last"]
            rows = [[name, *(f"{1e6 * cost[f'processor {c}']:.0f}" for c in columns)] for name, cost in costs.items()]
            header = [f"{title}, width {width}", *(c if c != "last" else f"last {LAST}" for c in columns)]
            parts.append("Microseconds of processor time per token\n\n" + markdown_table(header, rows))
    parts.append("\n".join(f"* {sentence}." for sentence in verdicts(found)))
    rows = []
    for how, one in found["long"].items():
        for n, cost in one["passes"].items():
            rows.append([how, f"{int(n):,}", f"{cost['processor']:.2f}", f"{cost['mib']:.0f}"])
        if "exponent of time" in one:
            rows.append(
                [how, "slope", f"L^{one['exponent of time']:.2f}", f"{one['MiB per 1,000 tokens']:.2f} per 1,000"]
            )
    parts.append("One pass, width 64\n\n" + markdown_table(["pass", "tokens", "seconds", "MiB"], rows))
    return "\n\n".join(parts)


def _lengths(cost: dict[str, float]) -> list[int]:
    return [n for n in LENGTHS if f"processor first {n}" in cost]


def _in_own_process(n_tokens: int, how: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.streaming_inference", "--one", str(n_tokens), how]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    record: dict[str, float] = json.loads(done.stdout)
    return record


def main() -> None:
    """Measure, print tables, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=LENGTHS[-1], help="tokens to generate")
    parser.add_argument("--widths", type=int, nargs="*", default=WIDTHS)
    parser.add_argument("--long", type=int, nargs="*", default=LONG, help="lengths of single passes")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file")
    parser.add_argument("--table", type=Path, metavar="FILE", help="measure nothing, print the tables of this file")
    parser.add_argument("--one", nargs=2, metavar=("TOKENS", "PASS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.table:
        print(table(json.loads(arguments.table.read_text())["results"]))
        return
    with thread_limit(1):
        if arguments.one:
            print(json.dumps(long_pass(int(arguments.one[0]), arguments.one[1])))
            return
        found = measure(arguments.widths, arguments.tokens, arguments.long)
    settings = {"dtype": "float32", "threads": 1, "batch": 1, "n_layers": 2, "d_ff": "2 d_model", "order": 2}
    record = circumstances() | settings | {"results": found}
    arguments.out.write_text(json.dumps(record, indent=1) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
