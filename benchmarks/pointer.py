"""Networks with equal numbers of weights on tasks in which one event determines which other event matters.

Run it with ``python -m benchmarks.pointer``.

All read the same series, end in mean, largest and last value and a linear head, and are trained by the same steps of
AdamW: each with the learning rate, of those given, that is best on a fifth of the training series; then on all of them.
Test series are drawn with another seed.
"""

import argparse
import json
import math
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.measure import circumstances, markdown_table, thread_limit
from sigfeat.datasets import make_coincidence, make_pointer
from sigfeat.nn import Encoder, EncoderSpec, interval_hyena, stacked_intervals

RESULTS = Path(__file__).parent / "results" / "pointer.json"
TASKS = {"pointer": make_pointer, "coincidence": make_coincidence}
N_WEIGHTS = 10_000
SEEDS = {"train": 0, "test": 1}
BATCH, CLIP = 32, 1.0  # series of a step, norm of the gradient
WARM_UP = 0.1  # fraction of the steps in which the learning rate rises
HEAD_RATE = 14.0  # learning rate of the head in units of that of the layers


class Pooled(nn.Module):
    """Mean, largest and last value of each channel, standardised over the batch, and a linear head."""

    def __init__(self, body: nn.Module, width: int, n_classes: int) -> None:
        super().__init__()
        self.body = body
        self.norm = nn.BatchNorm1d(3 * width, affine=False)
        self.head = nn.Linear(3 * width, n_classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        values = self.body(series, torch.ones(series.shape[:2], dtype=torch.bool))
        pooled = torch.cat([values.mean(dim=1), values.amax(dim=1), values[:, -1]], dim=1)
        return self.head(self.norm(pooled) / pooled.shape[1] ** 0.5)


class Convolutional(nn.Module):
    """Dilated convolutions of width 9, each standardised and bent: the last sees the whole series."""

    def __init__(self, n_channels: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for dilation in (1, 4, 16, 48):
            layers += [
                nn.Conv1d(n_channels, width, 9, padding="same", dilation=dilation),
                nn.BatchNorm1d(width),
                nn.GELU(),
            ]
            n_channels = width
        self.layers = nn.Sequential(*layers)

    def forward(self, series: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.layers(series.transpose(1, 2)).transpose(1, 2)


def _encoder(mixer):
    def build(n_channels: int, length: int, width: int, seed: int) -> nn.Module:
        spec = EncoderSpec(
            mixer,
            n_channels,
            d_model=width,
            d_ff=2 * width,
            d_out=width,
            filter_width=32,
            n_heads=1,
            time_scale=float(length),
        )
        return Encoder(spec, generator=torch.Generator().manual_seed(seed))

    return build


def _convolutional(n_channels: int, length: int, width: int, seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Convolutional(n_channels, width)


NETWORKS = {
    "interval layer, interval layer": lambda c, n, width, seed: stacked_intervals(
        c, n, d_model=width, n_filters=4, seed=seed
    ),
    "interval layer, Hyena": lambda c, n, width, seed: interval_hyena(
        c, n, d_model=width, n_filters=4, order=2, seed=seed
    ),
    "Hyena": _encoder("hyena"),
    "attention": _encoder("attention"),
    "S4": _encoder("s4"),
    "GRU": _encoder("recurrent"),
    "CNN": _convolutional,
}


def main() -> None:
    """Train and write, or print what was written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pointer", description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=TASKS, default="pointer")
    parser.add_argument("--jumps", type=int, default=1, help="of the pointer task")
    parser.add_argument("--length", type=int, default=500)
    parser.add_argument("--series", type=int, default=1000, help="to train on, and as many to test on")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, nargs="+", default=[0.003, 0.01])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file; tasks and networks not run stay in it")
    parser.add_argument("--table", type=Path, metavar="FILE", help="train nothing, print the tables of this file")
    options = parser.parse_args()
    if options.table:
        print(_tables(json.loads(options.table.read_text())))
        return
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    title = f"{options.task}, {options.jumps} jump" if options.task == "pointer" else options.task
    task = results.setdefault(title, {})
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with thread_limit(1):
        for name in options.networks:
            task[name] = _record(name, options)
            task[name]["circumstances"] = circumstances()
            options.out.write_text(json.dumps(results, indent=1) + "\n")
            print(f"{title}, {name}: {task[name]['accuracy']}", flush=True)
    print(f"\n{_tables({title: task})}\n\nwritten to {options.out}")


def _record(name, options) -> dict[str, Any]:
    parameters: dict[str, Any] = {"n_samples": options.series, "length": options.length}
    parameters |= {"n_jumps": options.jumps} if options.task == "pointer" else {}
    (X, y), (X_test, y_test) = (TASKS[options.task](**parameters, random_state=seed) for seed in SEEDS.values())
    width = _width(name, X.shape[1], options.length)
    mean, deviation = X.mean(axis=(0, 2), keepdims=True), X.std(axis=(0, 2), keepdims=True)
    data = [np.ascontiguousarray(((part - mean) / deviation).swapaxes(1, 2)) for part in (X, X_test)]
    fifth = len(y) // 5
    accuracy, seconds, chosen, held_out = [], [], [], []
    for seed in range(options.seeds):
        tried = {}
        if len(options.lr) > 1:
            for lr in options.lr:
                network, _ = _trained(name, width, data[0][fifth:], y[fifth:], lr, options.epochs, seed)
                tried[lr] = _accuracy(network, data[0][:fifth], y[:fifth])
        lr = max(tried, key=tried.get) if tried else options.lr[0]
        start = time.perf_counter()
        network, history = _trained(name, width, data[0], y, lr, options.epochs, seed)
        seconds.append(time.perf_counter() - start)
        accuracy.append(_accuracy(network, data[1], y_test))
        chosen.append(lr)
        held_out.append({str(rate): score for rate, score in tried.items()})
    n_weights = sum(weight.numel() for weight in network.body.parameters())
    return {
        "accuracy": accuracy,
        "seconds": seconds,
        "lr": chosen,
        "held_out": held_out,
        "weights": n_weights,
        "width": width,
        "epochs": options.epochs,
        "loss": history,
    }


def _width(name, n_channels, length):
    """Width whose number of weights is nearest to that of all."""

    def off(width):
        return abs(sum(p.numel() for p in NETWORKS[name](n_channels, length, width, 0).parameters()) - N_WEIGHTS)

    return min(range(2, 65), key=off)


def _trained(name, width, series, y, lr, epochs, seed):
    """Network after so many passes of AdamW over the series, and the mean loss of each."""
    series, target = torch.from_numpy(series).float(), torch.from_numpy(y)
    body = NETWORKS[name](series.shape[2], series.shape[1], width, seed)
    network = Pooled(
        body, body(series[:2], torch.ones(2, series.shape[1], dtype=torch.bool)).shape[2], int(y.max()) + 1
    )
    n_steps, generator = epochs * -(-len(y) // BATCH), torch.Generator().manual_seed(seed)
    groups = [{"params": body.parameters(), "lr": lr}, {"params": network.head.parameters(), "lr": HEAD_RATE * lr}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1.0, (step + 1) / (WARM_UP * n_steps + 1)) * (1 + math.cos(math.pi * step / n_steps)) / 2,
    )
    history = []
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(y), generator=generator).split(BATCH):
            loss = nn.functional.cross_entropy(network(series[rows]), target[rows])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(rows)
        history.append(total / len(y))
    return network.eval(), history


def _accuracy(network, series, y):
    with torch.no_grad():
        parts = torch.from_numpy(series).float().split(64)
        scores = [network(part) for part in parts]
    return float((torch.cat(scores).argmax(dim=1).numpy() == y).mean())


def _tables(results) -> str:
    parts = []
    for title, task in results.items():
        rows = [
            [
                name,
                f"{record['weights']:,}",
                f"{statistics.mean(record['accuracy']):.3f}",
                f"{statistics.mean(record['seconds']):.0f}",
                ", ".join(f"{lr:g}" for lr in sorted(set(record["lr"]))),
            ]
            for name, record in task.items()
        ]
        header = ["network", "weights", "test accuracy", "seconds of training", "learning rate"]
        first = next(iter(task.values()))
        note = f"{first['epochs']} epochs, {len(first['accuracy'])} seed(s), one thread; chance is 0.25."
        parts.append(f"### {title[0].upper()}{title[1:]}\n\n{markdown_table(header, rows)}\n\n{note}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
