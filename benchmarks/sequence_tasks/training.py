"""One network, trained on one task."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.measure import new_peak, peak
from benchmarks.sequence_tasks.networks import filters_of
from sigfeat.datasets import TokenTask
from sigfeat.nn import HyenaLM

NOT_ASKED = -100  # target where no answer is asked for, as torch's cross entropy has it
SOLVED, IN_A_ROW = 0.99, 3  # accuracy, and evaluations that reach it, after which a training ends
WARM_UP, CLIP = 0.1, 1.0  # fraction of the steps in which the rate rises, norm of the gradient
AT_ONCE = 128  # sequences that are judged together
KEPT_FILTERS = 4  # of each network


def train(
    model: HyenaLM, draw: Callable[[], TokenTask], held_out: TokenTask, *, lr: float, n_steps: int, every: int
) -> dict[str, Any]:
    """Train by AdamW on a fresh batch at each step, until solved.

    Parameters
    ----------
    model : HyenaLM
        Is changed.
    draw : callable
        Gives the next batch.
    held_out : TokenTask
        Sequences by which the network is judged every `every` steps.
    lr : float
        The highest rate, reached after a tenth of the steps; from there it falls to 0 like a cosine.
    n_steps : int
        Most steps. The training ends before, when the last three evaluations were at .99 or above.
    every : int
        Steps from one evaluation to the next.

    Returns
    -------
    record : dict
        "steps" that were taken; "steps_to_solve" at the first evaluation at .99 or above, None if there was none;
        "held_out" accuracy at the last evaluation; "curve" with "step", "accuracy" and "loss", the mean since the
        evaluation before; "seconds" of processor time for the steps, with drawing the batches, without evaluations;
        "peak_bytes" of memory that they took beyond the weights.
    """
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=n_steps + 1, pct_start=WARM_UP)
    curve: dict[str, list[float]] = {"step": [], "accuracy": [], "loss": []}
    losses, seconds, highest, n_solved = [], 0.0, 0, 0
    level = new_peak()
    start = time.process_time()
    for step in range(1, n_steps + 1):
        losses.append(_step(model, optimiser, draw()))
        schedule.step()
        if step % every and step < n_steps:
            continue
        seconds += time.process_time() - start
        highest = max(highest, peak() - level)
        curve["step"].append(step)
        curve["accuracy"].append(accuracy(model, held_out))
        curve["loss"].append(float(np.mean(losses)))
        losses = []
        n_solved = n_solved + 1 if curve["accuracy"][-1] >= SOLVED else 0
        if n_solved == IN_A_ROW:
            break
        start = time.process_time()
    solved = (step for step, found in zip(curve["step"], curve["accuracy"], strict=True) if found >= SOLVED)
    return {
        "steps": curve["step"][-1],
        "steps_to_solve": next(solved, None),
        "held_out": curve["accuracy"][-1],
        "seconds": seconds,
        "peak_bytes": highest,
        "curve": curve,
    }


def accuracy(model: HyenaLM, task: TokenTask) -> float:
    """Fraction of right answers among those that are asked for."""
    right = asked = 0
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for start in range(0, len(task.tokens), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            found = model(torch.from_numpy(task.tokens[rows])).argmax(dim=-1).numpy()
            is_asked = task.targets[rows] != NOT_ASKED
            right += int((found == task.targets[rows])[is_asked].sum())
            asked += int(is_asked.sum())
    model.train(was_training)
    return right / asked


def trained(
    model: HyenaLM, draw: Callable[[], TokenTask], held_out: TokenTask, test: TokenTask, **how: Any
) -> dict[str, Any]:
    """As `train`, with the "accuracy" on test sequences, and "filters" before and after: those that changed most."""
    before = filters_of(model)
    record = train(model, draw, held_out, **how)
    after = filters_of(model)
    filters = None
    if before is not None and after is not None:
        kept = np.argsort(-np.linalg.norm(after - before, axis=1), kind="stable")[:KEPT_FILTERS]
        filters = {"before": before[kept], "after": after[kept]}
    return record | {"accuracy": accuracy(model, test), "filters": filters}


def _step(model, optimiser, batch) -> float:
    tokens, targets = torch.from_numpy(batch.tokens), torch.from_numpy(batch.targets)
    asked = targets != NOT_ASKED
    loss = nn.functional.cross_entropy(model(tokens)[asked], targets[asked])
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimiser.step()
    return loss.item()
