"""Cells in which a network is trained: a teacher, the same network without mixing, and a student."""

import contextlib
import functools
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from benchmarks.hyena_vs_mha.attention_map import against_error, errors, properties, real_tokens, rows_of
from benchmarks.hyena_vs_mha.series import SeriesModels
from benchmarks.hyena_vs_mha.tasks import SeriesTask, data_of, task_of
from benchmarks.hyena_vs_mha.tokens import TokenModels
from benchmarks.similarity import compare, layer_map
from benchmarks.study.records import Record, Records, file_name, rounded
from sigfeat.nn import layer_tokens

MOMENTS = 60  # of a training, of which loss and norms of gradients are kept
TOKENS = 1000  # that layers are compared by
SERIES = 32  # that they are from


@dataclass(frozen=True)
class Teacher:
    """A network with attention, or the same without mixing; `data` is the checksum of what it is trained on."""

    task: str
    data: str
    objective: str
    seed: int
    max_epochs: int | None
    mixes: bool = True

    def __str__(self):
        return f"{self.task} {self.objective} seed {self.seed} {'attention' if self.mixes else 'without mixing'}"


@dataclass(frozen=True)
class Student:
    """A network with another mixer, which imitates a teacher."""

    teacher: Teacher
    student: str
    max_epochs: int

    def __str__(self):
        return f"{str(self.teacher).removesuffix('attention')}{self.student}"


class Store(Records):
    """Records of finished cells and the teachers, in a folder."""

    def teacher(self, cell: Teacher, models: Any) -> Any:
        """A trained teacher, or None if there is none that can be loaded."""
        with contextlib.suppress(OSError, ValueError):
            return models.load(self._weights(cell))
        return None

    def has_teacher(self, cell: Teacher) -> bool:
        """Whether a trained teacher is kept, and can be loaded."""
        return self.teacher(cell, _kind(cell.task)) is not None

    def keep_teacher(self, cell: Teacher, models: Any, teacher: Any) -> None:
        """Keep a trained teacher."""
        self._weights(cell).parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._weights(cell), ignore_errors=True)  # of a file that is broken
        models.save(teacher, self._weights(cell))

    def _weights(self, cell):
        return self.folder / "teachers" / file_name(cell)


@functools.lru_cache(maxsize=2)
def models_of(task: str, folder: Path | None) -> SeriesModels | TokenModels:
    """How networks are trained and judged on a task."""
    return _kind(task)(task_of(task), data_of(task, folder))


def _kind(task: str) -> Any:
    return SeriesModels if isinstance(task_of(task), SeriesTask) else TokenModels


def teacher_record(cell: Teacher, store: Store, folder: Path | None) -> Record:
    """Train a teacher, and keep it if it has attention."""
    models = models_of(cell.task, folder)
    start = time.process_time()
    teacher = models.teach(cell.objective, cell.seed, cell.mixes, cell.max_epochs)
    seconds = time.process_time() - start
    if cell.mixes:
        store.keep_teacher(cell, models, teacher)
    return {
        "kind": "teacher",
        **_combination(cell),
        "mixes": cell.mixes,
        **models.shape(),
        "seconds": seconds,
        "n_parameters": _n_parameters(models, teacher),
        "transform_seconds": _transform_seconds(models, teacher),
        "score": models.judge(teacher)[0],
    }


def student_record(cell: Student, store: Store, folder: Path | None) -> Record:
    """Distil a student, and compare it with its teacher on the test part."""
    models = models_of(cell.teacher.task, folder)
    teacher = store.teacher(cell.teacher, models)
    if teacher is None:
        raise ValueError(f"there is no {cell.teacher}")
    health = Health(*models.sample(teacher, SERIES))
    start = time.process_time()
    student = models.distil(teacher, cell.student, cell.teacher.seed, cell.max_epochs, [health])
    seconds = time.process_time() - start - health.seconds
    of_teacher, of_student = models.judge(teacher), models.judge(student)
    networks = models.network(teacher), models.network(student)
    return {
        "kind": "student",
        **_combination(cell.teacher),
        "student": cell.student,
        "seconds": seconds,
        "n_parameters": _n_parameters(models, student),
        "transform_seconds": _transform_seconds(models, student),
        "score": of_student[0],
        "agreement": models.agreement(of_student[1], of_teacher[1]),
        "fidelity": models.fidelity(student, teacher),
        "similarity": compare(models.pooled(teacher), models.pooled(student)),
        "layers": layer_map(*(_layers(network, health.inputs, health.mask) for network in networks)),
        "attention": _attention(*networks, models, teacher),
        "health": health.record(),
    }


def _attention(network, student, models, teacher):
    """Error of the student against properties of the weights of attention."""
    n_heads, length = network.blocks[0].mixer.n_heads, models.shape()["n_timepoints"]
    inputs, mask = models.sample(teacher, rows_of(SERIES, length, n_heads))
    found = against_error(properties(network, inputs, mask), errors(student, network, inputs, mask))
    return {name: {key: rounded(value, 4) for key, value in values.items()} for name, values in found.items()}


def _combination(cell):
    return {"data_set": cell.task, "unit": task_of(cell.task).unit, "objective": cell.objective, "seed": cell.seed}


def _n_parameters(models, model):
    return sum(weight.numel() for weight in models.network(model).parameters())


def _transform_seconds(models, model):
    times = []
    for _ in range(3):
        start = time.process_time()
        models.transform(model)
        times.append(time.process_time() - start)
    return statistics.median(times)


def _layers(network, inputs, mask):
    """Some tokens before the first block and after each block, one array (n_tokens, d_model) for each."""
    layers = layer_tokens(network, inputs, mask)
    real = real_tokens(inputs, mask)
    kept = np.random.default_rng(0).permutation(int(real.sum()))[:TOKENS]
    return [layer[real].double().numpy()[kept] for layer in layers]


class Health(Callback):  # type: ignore[misc]  # skorch has no types
    """Size of tokens after each layer before and after training, and of gradients in each block."""

    def __init__(self, inputs, mask):
        self.inputs, self.mask = inputs, mask

    def on_train_begin(self, net, **kwargs):
        self.seconds, self.gradients, self.signal = 0.0, [], []
        self._measure(net.module_.trained)

    def on_train_end(self, net, **kwargs):
        self._measure(net.module_.average)
        batches = [batch for epoch in net.history[:, "batches"] for batch in epoch]
        self.loss, self.norms = (
            np.array([batch[name] for batch in batches if name in batch]) for name in ("train_loss", "gradient_norm")
        )

    def on_grad_computed(self, net, named_parameters, **kwargs):
        blocks = {}
        for name, parameter in named_parameters:
            part, _, within = name.removeprefix("trained.").partition(".")
            if part == "blocks" and parameter.grad is not None:
                blocks.setdefault(within.partition(".")[0], []).append(parameter.grad.norm())
        self.gradients.append([float(torch.stack(norms).norm()) for norms in blocks.values()])

    def record(self):
        """What is kept of a training."""
        n_steps = len(self.loss)
        step = np.unique(np.linspace(0, n_steps - 1, MOMENTS).round().astype(int))
        return {
            "step": step + 1,
            "loss": rounded(self.loss[step], 4),
            "gradient_norm": rounded(self.norms[step], 4),
            "largest_gradient_norm": self.norms.max(),
            "block_gradient_norms": rounded(np.array(self.gradients)[step].T, 4),
            "signal": self.signal,
        }

    def _measure(self, network):
        start = time.process_time()
        layers = layer_tokens(network, self.inputs, self.mask)
        real = real_tokens(self.inputs, self.mask)
        self.signal.append([float(layer[real].square().mean().sqrt()) for layer in layers])
        self.seconds += time.process_time() - start
