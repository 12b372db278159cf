"""Language models of as many weights, trained on one text for as long: ``python -m benchmarks.language_model``.

All are trained on the bytes of Python's own help. The first eight tenths are the training set; the ninth is the
validation set, which selects the learning rate in trainings of a third of the time; the last is the test set. Time is
that of one processor: steps of all models are timed in turn, which determines their numbers of steps.
"""

import argparse
import dataclasses
import hashlib
import json
import math
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.measure import circumstances, markdown_table, thread_limit
from sigfeat.datasets import load_python_help
from sigfeat.nn import HyenaLM, LanguageModelConfig, param_count, text_loss, train_language_model

RESULTS = Path(__file__).parent / "results" / "language_model.json"
MODELS = {
    "Hyena": {"mixer": "hyena"},
    "Hyena, modal filters": {"mixer": "hyena", "filter": "modal"},
    "S4D": {"mixer": "s4"},
    "GRU": {"mixer": "recurrent"},
    "attention": {"mixer": "attention"},
}
WIDTHS = range(16, 1025, 8)
STEPS_PER_EPOCH = 20
TIMED = 7  # steps of each model
NATS = math.log(2)  # of a bit
PROMPT = 'The "yield" expression is '


def main() -> None:
    """Train and write, or print what was written."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.language_model", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--weights", type=int, default=300_000, help="of each model, as near as its width allows")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=100.0, help="of one processor, for each training")
    parser.add_argument("--lr", type=float, nargs="+", default=[0.003, 0.01, 0.02], help="those tried")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file; models that are not run stay in it")
    parser.add_argument("--table", type=Path, metavar="FILE", help="train nothing, print the table of this file")
    options = parser.parse_args()
    if options.table:
        print(table(json.loads(options.table.read_text())))
        return
    text = load_python_help()
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with thread_limit(1):
        configs = {name: config_of(name, options) for name in options.models}
        per_step = seconds_per_step(configs, text, options.batch)
        for name, config in configs.items():
            record = train_one(config, text, per_step[name], options)
            results[name] = record | {"text": checksum(text), "threads": 1} | circumstances()
            options.out.write_text(json.dumps(results, indent=1) + "\n")
            print(f"{name}: {record['bits']}", flush=True)
    print(f"\n{table(results)}\n\nwritten to {options.out}")


def config_of(name: str, options: Any) -> LanguageModelConfig:
    """The model with the number of weights nearest to the given one; feed-forward parts are twice as wide."""
    shape = {"context": options.context, "n_layers": options.layers} | MODELS[name]
    found = [LanguageModelConfig(d_model=width, d_ff=2 * width, **shape) for width in WIDTHS]
    return min(found, key=lambda config: abs(param_count(config) - options.weights))


def parts(text: bytes) -> tuple[bytes, bytes, bytes]:
    """Training set, validation set and test set."""
    first, second = 8 * len(text) // 10, 9 * len(text) // 10
    return text[:first], text[first:second], text[second:]


def seconds_per_step(configs: dict[str, LanguageModelConfig], text: bytes, batch: int) -> dict[str, float]:
    """Median processor seconds of a step of each model, the models taking turns."""
    steps = {name: _step(config, text, batch) for name, config in configs.items()}
    times: dict[str, list[float]] = {name: [] for name in configs}
    for _ in range(TIMED + 2):
        for name, step in steps.items():
            start = time.process_time()
            step()
            times[name].append(time.process_time() - start)
    return {name: statistics.median(found[2:]) for name, found in times.items()}


def _step(config, text, batch):
    """A step of training by itself."""
    model = HyenaLM(config, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    tokens = torch.frombuffer(bytearray(text), dtype=torch.uint8)[: batch * (config.context + 1)].long().view(batch, -1)

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def train_one(config: LanguageModelConfig, text: bytes, per_step: float, options: Any) -> dict[str, Any]:
    """Results of one model: its learning rate, test losses, validation curves and samples."""
    training, choosing, judging = parts(text)
    n_steps = whole(options.seconds / per_step)
    tried = {}
    for lr in options.lr if len(options.lr) > 1 else []:
        model, _, _ = _trained(config, training, whole(n_steps / 3), lr, 0, options.batch)
        tried[lr] = text_loss(model, choosing) / NATS
    lr = min(tried, key=lambda rate: tried[rate]) if tried else options.lr[0]
    found: dict[str, Any] = {"bits": [], "seconds": [], "curves": [], "samples": []}
    for seed in range(options.seeds):
        model, history, seconds = _trained(config, training + choosing, n_steps, lr, seed, options.batch, 1 / 9)
        found["bits"].append(text_loss(model, judging) / NATS)
        found["seconds"].append(seconds)
        found["curves"].append([loss / NATS for loss in history["valid_loss"].tolist()])
        found["samples"].append(model.generate(PROMPT, 120, temperature=0.7, seed=seed))
    return found | {
        "config": dataclasses.asdict(config),
        "weights": param_count(config),
        "dtype": "float32",
        "batch": options.batch,
        "steps": n_steps,
        "seconds_per_step": per_step,
        "budget": options.seconds,
        "lr": lr,
        "bits_by_lr": {str(rate): bits for rate, bits in tried.items()},
    }


def _trained(config, text, n_steps, lr, seed, batch, validation_fraction=0.0):
    model = HyenaLM(config, generator=torch.Generator().manual_seed(seed))
    start = time.process_time()
    history = train_language_model(
        model,
        text,
        max_epochs=n_steps // STEPS_PER_EPOCH,
        batch_size=batch,
        lr=lr,
        validation_fraction=validation_fraction,
        weight_decay=0.1,
        seed=seed,
    )
    return model, history, time.process_time() - start


def whole(n_steps: float) -> int:
    """Number of steps as whole epochs."""
    return max(1, round(n_steps / STEPS_PER_EPOCH)) * STEPS_PER_EPOCH


def checksum(text: bytes) -> dict[str, Any]:
    """Size and checksum of the text, which depends on the version of Python."""
    return {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}


def table(results: dict[str, Any]) -> str:
    """Markdown: bits per byte of the test set."""
    rows = [
        [
            name,
            f"{record['weights']:,}",
            f"{statistics.mean(record['bits']):.3f}",
            f"{record['steps']:,}",
            f"{1e3 * record['seconds_per_step']:.0f}",
            f"{statistics.mean(record['seconds']):.0f}",
            f"{record['lr']:g}",
        ]
        for name, record in sorted(results.items(), key=lambda item: statistics.mean(item[1]["bits"]))
    ]
    header = ["model", "weights", "bits for each byte", "steps", "ms a step", "seconds of training", "learning rate"]
    first = next(iter(results.values()))
    config = first["config"]
    note = (
        f"{config['n_layers']} layers, context {config['context']}, batches of {first['batch']}, {first['dtype']}, "
        f"{first['threads']} thread, {len(first['bits'])} seed(s); {first['text']['bytes']:,} bytes of text."
    )
    return f"{markdown_table(header, rows)}\n\n{note}"


if __name__ == "__main__":
    main()
