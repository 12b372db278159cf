"""Language models of as many weights, trained on one text for as long: ``python -m benchmarks.language_model``.

All are trained on the bytes of Python's own help. The first eight tenths are the training set; the ninth is the
validation set, which selects the learning rate in trainings of a third of the time; the last is the test set. Time is
that of one processor: steps of all models are timed in turn, which determines their numbers of steps.

One model is distilled from attention, and has the steps and the shape of another one that is trained directly. Its
learning rate is that of the smallest divergence from attention.
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
from sigfeat.nn import (
    HyenaLM,
    LanguageModelConfig,
    copy_weights,
    distil_language_model,
    language_fidelity,
    param_count,
    text_loss,
    train_language_model,
)

RESULTS = Path(__file__).parent / "results" / "language_model.json"
MODELS = {
    "Hyena": {"mixer": "hyena"},
    "Hyena, modal filters": {"mixer": "hyena", "filter": "modal"},
    "S4D": {"mixer": "s4"},
    "GRU": {"mixer": "recurrent"},
    "attention": {"mixer": "attention"},
    "Hyena, width of attention": {"mixer": "hyena"},
    "Hyena, distilled from attention": {"mixer": "hyena"},
}
LIKE = {  # models that have the widths of another one, with which they are compared
    "Hyena, width of attention": "attention",
    "Hyena, distilled from attention": "attention",
}
DISTILLED = {"Hyena, distilled from attention"}  # from the model whose widths they have
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
    names = [name for name in MODELS if name in options.models or name in {LIKE.get(other) for other in options.models}]
    models: dict[str, list[HyenaLM]] = {}
    with thread_limit(1):
        configs = {name: config_of(name, options) for name in names}
        per_step = seconds_per_step(configs, text, options.batch)
        for name, config in configs.items():
            others = models.get(LIKE.get(name, ""), [])
            record, models[name] = train_one(config, text, per_step[name], options, others, name in DISTILLED)
            compared = {"compared_with": LIKE[name]} if name in LIKE else {}
            results[name] = record | compared | {"text": checksum(text), "threads": 1} | circumstances()
            options.out.write_text(json.dumps(results, indent=1) + "\n")
            print(f"{name}: {record['bits']}", flush=True)
    print(f"\n{table(results)}\n\nwritten to {options.out}")


def config_of(name: str, options: Any) -> LanguageModelConfig:
    """The model with the number of weights nearest to the given one; feed-forward parts are twice as wide."""
    if name in LIKE:
        return dataclasses.replace(config_of(LIKE[name], options), **MODELS[name])
    shape = {"context": options.context, "n_layers": options.layers} | MODELS[name]
    found = [LanguageModelConfig(d_model=width, d_ff=2 * width, **shape) for width in WIDTHS]
    return min(found, key=lambda config: abs(param_count(config) - options.weights))


def parts(text: bytes) -> tuple[bytes, bytes, bytes]:
    """Training set, validation set and test set."""
    first, second = 8 * len(text) // 10, 9 * len(text) // 10
    return text[:first], text[first:second], text[second:]


def seconds_per_step(configs: dict[str, LanguageModelConfig], text: bytes, batch: int) -> dict[str, float]:
    """Median processor seconds of a step of each model, the models taking turns; equal models have the same."""
    steps = {config: _step(config, text, batch) for config in configs.values()}
    times: dict[LanguageModelConfig, list[float]] = {config: [] for config in steps}
    for _ in range(TIMED + 2):
        for config, step in steps.items():
            start = time.process_time()
            step()
            times[config].append(time.process_time() - start)
    return {name: statistics.median(times[config][2:]) for name, config in configs.items()}


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


def train_one(
    config: LanguageModelConfig,
    text: bytes,
    per_step: float,
    options: Any,
    others: list[HyenaLM],
    is_distilled: bool,
) -> tuple[dict[str, Any], list[HyenaLM]]:
    """Results of one model, and the model of each seed.

    Results are its learning rate, test losses, validation curves and samples, and, if there are others to compare with,
    one for each seed, its fidelity to them on the test set. A model that is distilled has them as its teachers.
    """
    training, choosing, judging = parts(text)
    n_steps = whole(options.seconds / per_step)
    teachers: list[HyenaLM] | list[None] = others if is_distilled else [None] * options.seeds
    tried, divergences = {}, {}
    for lr in options.lr if len(options.lr) > 1 else []:
        model, _, _ = _trained(config, training, whole(n_steps / 3), lr, 0, options.batch, teacher=teachers[0])
        tried[lr] = text_loss(model, choosing) / NATS
        if teachers[0] is not None:
            divergences[lr] = language_fidelity(model, teachers[0], choosing)["kl"]
    judged = divergences or tried
    lr = min(judged, key=lambda rate: judged[rate]) if judged else options.lr[0]
    curves = "divergence_curves" if is_distilled else "curves"
    found: dict[str, Any] = {"bits": [], "seconds": [], curves: [], "samples": []}
    models = []
    for seed in range(options.seeds):
        model, history, seconds = _trained(
            config, training + choosing, n_steps, lr, seed, options.batch, 1 / 9, teacher=teachers[seed]
        )
        models.append(model)
        found["bits"].append(text_loss(model, judging) / NATS)
        found["seconds"].append(seconds)
        found[curves].append([loss / NATS for loss in history["valid_loss"].tolist()])
        found["samples"].append(model.generate(PROMPT, 120, temperature=0.7, seed=seed))
    if divergences:
        found["divergence_by_lr"] = {str(rate): bits for rate, bits in divergences.items()}
    if others:
        pairs = zip(models, others, strict=True)
        found["fidelity"] = [language_fidelity(model, other, judging) for model, other in pairs]
    return found | {
        "config": dataclasses.asdict(config),
        "weights": param_count(config),
        "dtype": "float32",
        "batch": options.batch,
        "steps": n_steps,
        "seconds_per_step": statistics.mean(found["seconds"]) / n_steps if is_distilled else per_step,
        "budget": options.seconds,
        "lr": lr,
        "bits_by_lr": {str(rate): bits for rate, bits in tried.items()},
    }, models


def _trained(config, text, n_steps, lr, seed, batch, validation_fraction=0.0, teacher=None):
    model = HyenaLM(config, generator=torch.Generator().manual_seed(seed))
    start = time.process_time()
    how = {
        "max_epochs": n_steps // STEPS_PER_EPOCH,
        "batch_size": batch,
        "lr": lr,
        "validation_fraction": validation_fraction,
        "weight_decay": 0.1,
        "seed": seed,
    }
    if teacher is None:
        history = train_language_model(model, text, **how)
    else:
        copy_weights(model, teacher)
        history = distil_language_model(model, teacher, text, **how)
    return model, history, time.process_time() - start


def whole(n_steps: float) -> int:
    """Number of steps as whole epochs."""
    return max(1, round(n_steps / STEPS_PER_EPOCH)) * STEPS_PER_EPOCH


def checksum(text: bytes) -> dict[str, Any]:
    """Size and checksum of the text, which depends on the version of Python."""
    return {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}


def table(results: dict[str, Any]) -> str:
    """Markdown: bits per byte of the test set, and the divergence of models from those that they are compared with."""
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
    compared = [
        [
            name,
            record["compared_with"],
            f"{statistics.mean(record['bits']):.3f}",
            *(f"{statistics.mean(one[figure] for one in record['fidelity']):.3f}" for figure in ("kl", "agreement")),
            f"{record['steps']:,}",
        ]
        for name, record in results.items()
        if "fidelity" in record
    ]
    text = f"{markdown_table(header, rows)}\n\n{note}"
    if not compared:
        return text
    header = ["model", "compared with", "bits for each byte", "divergence in bits", "same prediction", "steps"]
    return f"{text}\n\n{markdown_table(header, compared)}"


if __name__ == "__main__":
    main()
