"""What is measured, cell by cell: a network, trained on a task of a size."""

import functools
from dataclasses import asdict, dataclass

import numpy as np
import torch

from benchmarks.sequence_tasks.networks import config_of
from benchmarks.sequence_tasks.tasks import TASKS
from benchmarks.sequence_tasks.training import trained
from benchmarks.study import cells
from benchmarks.study.records import Record, Records, rounded
from sigfeat.nn import HyenaLM

N_HELD_OUT, N_TEST = 256, 1000
TRAINING, HELD_OUT, TEST = range(3)  # kinds of draws


@dataclass(frozen=True)
class Cell:
    """A network on a task; everything that its record depends on."""

    task: str
    size: int
    network: str
    lr: float
    seed: int
    n_steps: int
    every: int
    batch: int
    width: int
    n_weights: int

    def __str__(self) -> str:
        return f"{self.task} {TASKS[self.task].size} {self.size} {self.network} rate {self.lr:g} seed {self.seed}"


def measured(cell: Cell, store: Records) -> Record:
    """Record of a cell, which is also kept."""
    return cells.measured(cell, functools.partial(_record, cell), store)


def _record(cell):
    task = TASKS[cell.task]
    held_out = task.draw(N_HELD_OUT, cell.size, _draws(cell, HELD_OUT))
    config = config_of(cell.network, held_out.n_tokens, held_out.tokens.shape[1], cell.width, cell.n_weights)
    model = HyenaLM(config, generator=torch.Generator().manual_seed(cell.seed))
    _warm_up(model)
    draws = _draws(cell, TRAINING)
    found = trained(
        model,
        lambda: task.draw(cell.batch, cell.size, draws, training=True),
        held_out,
        task.draw(N_TEST, cell.size, _draws(cell, TEST)),
        lr=cell.lr,
        n_steps=cell.n_steps,
        every=cell.every,
    )
    found["filters"] = rounded(found["filters"], 3)
    found["curve"] = rounded(found["curve"], 4)
    return asdict(cell) | {"chance": held_out.chance, "n_parameters": model.param_count, "d_ff": config.d_ff} | found


def _draws(cell, kind):
    """Source of the draws of a kind, the same for all networks."""
    return np.random.RandomState([cell.seed, kind])


def _warm_up(model):
    """What libraries load once is no memory of the training."""
    model(torch.zeros(2, 2, dtype=torch.int64)).sum().backward()
    model.zero_grad()
