"""What is measured, cell by cell: a teacher, a student, the cost of a mixer at a length."""

import contextlib
import functools
import hashlib
import shutil
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from benchmarks.data import load
from benchmarks.hyena_vs_mha.cost import measure_apart
from benchmarks.similarity import compare, layer_map
from benchmarks.study import cells
from benchmarks.study.records import Record, Records, file_name, rounded
from sigfeat import (
    HyenaEmbeddingTransformer,
    MHAEmbedder,
    RecurrentEmbeddingTransformer,
    S4EmbeddingTransformer,
    to_panel,
)

MOMENTS = 60  # of a training, of which loss and norms of gradients are kept
TOKENS = 1000  # that layers are compared by
SERIES_AT_ONCE = 64
CLASSIFIERS = {
    "ridge": lambda: make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-3, 3, 10))),
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
}


class Control(RecurrentEmbeddingTransformer):
    """A student that does not mix over time."""

    _mixer = replace(RecurrentEmbeddingTransformer._mixer, name="pointwise")


@dataclass(frozen=True)
class Teacher:
    """An `MHAEmbedder`; `data` is the checksum of its series."""

    data_set: str
    data: str
    objective: str
    seed: int
    max_epochs: int

    def __str__(self):
        return f"{self.data_set} {self.objective} seed {self.seed} attention"


@dataclass(frozen=True)
class Student:
    """One that imitates a teacher."""

    teacher: Teacher
    student: str

    def __str__(self):
        return f"{str(self.teacher).removesuffix('attention')}{self.student}"


@dataclass(frozen=True)
class Cost:
    """A mixer on sequences of a length; `limit` in seconds."""

    mixer: str
    length: int
    task: str
    repeat: int
    limit: float

    def __str__(self):
        return f"{self.mixer} {self.task} {self.length} steps"


class Store(Records):
    """Records of finished cells and the teachers, in a folder."""

    def teacher(self, cell: Teacher) -> MHAEmbedder | None:
        """A trained teacher, or None."""
        with contextlib.suppress(OSError, ValueError):
            return MHAEmbedder.load(self._weights(cell))

    def keep_teacher(self, cell: Teacher, embedder: MHAEmbedder) -> None:
        """Keep a trained teacher."""
        self._weights(cell).parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._weights(cell), ignore_errors=True)  # of a file that is broken
        embedder.save(self._weights(cell))

    def _weights(self, cell):
        return self.folder / "teachers" / file_name(cell)


@functools.lru_cache(maxsize=2)
def data(name: str, folder: Path | None):
    """Series and classes of both parts, series all as long as the longest, and the checksum of them all."""
    parts = [*load(name, "TRAIN", folder), *load(name, "TEST", folder)]
    checksum = hashlib.sha256()
    for part in parts:
        checksum.update(repr(part.shape).encode() + np.ascontiguousarray(part.astype(part.dtype.str)).tobytes())
    return *parts, checksum.hexdigest()[:12]


def measured(cell: Teacher | Student | Cost, store: Store, folder: Path | None) -> Record:
    """Record of a cell, which is also kept."""

    def measure() -> Record:
        if isinstance(cell, Teacher):
            return _teacher(cell, store, folder)
        if isinstance(cell, Student):
            return _student(cell, store, folder)
        return {"kind": "cost"} | measure_apart(cell.mixer, cell.length, cell.task, cell.repeat, cell.limit)

    return cells.measured(cell, measure, store)


def _teacher(cell, store, folder):
    X, y, X_test, y_test, _ = data(cell.data_set, folder)
    start = time.process_time()
    trained = {} if cell.objective == "random" else {"max_epochs": cell.max_epochs}
    teacher = MHAEmbedder(fit_mode=cell.objective, random_state=cell.seed, **trained).fit(X, y)
    seconds = time.process_time() - start
    store.keep_teacher(cell, teacher)
    return {
        "kind": "teacher",
        **_combination(cell),
        "n_train": len(X),
        "n_test": len(X_test),
        "n_channels": X.shape[1],
        "n_timepoints": X.shape[2],
        "seconds": seconds,
        "n_parameters": teacher.n_parameters_,
        "transform_seconds": _transform_seconds(teacher, X_test),
        "accuracy": {name: np.mean(found == y_test) for name, found in _predictions(teacher, X, y, X_test).items()},
    }


def _student(cell, store, folder):
    X, y, X_test, y_test, _ = data(cell.teacher.data_set, folder)
    teacher = store.teacher(cell.teacher)
    if teacher is None:
        raise ValueError(f"there is no {cell.teacher}")
    series, mask = _standardised(teacher, X_test)
    health = Health(series, mask)
    student = _unfitted(cell, teacher, health)
    start = time.process_time()
    student.fit(X)
    seconds = time.process_time() - start - health.seconds
    of_teacher = _predictions(teacher, X, y, X_test)
    of_student = _predictions(student, X, y, X_test)
    fidelity = student.fidelity(X_test)
    return {
        "kind": "student",
        **_combination(cell.teacher),
        "student": cell.student,
        "seconds": seconds,
        "n_parameters": student.n_parameters_,
        "transform_seconds": _transform_seconds(student, X_test),
        "accuracy": {name: np.mean(found == y_test) for name, found in of_student.items()},
        "agreement": {name: np.mean(found == of_teacher[name]) for name, found in of_student.items()},
        "fidelity": {name: fidelity[name] for name in ("pooled_r2", "token_r2", "cosine")},
        "similarity": compare(teacher.transform(X_test).astype(float), student.transform(X_test).astype(float)),
        "layers": layer_map(_layers(teacher.encoder_, series, mask), _layers(student.encoder_, series, mask)),
        "health": health.record(student.history_),
    }


def _combination(cell):
    return {"data_set": cell.data_set, "objective": cell.objective, "seed": cell.seed}


def _unfitted(cell, teacher, health):
    cls, parameters = {
        "S4D": (S4EmbeddingTransformer, {}),
        "GRU": (RecurrentEmbeddingTransformer, {}),
        "control": (Control, {}),
    }.get(cell.student) or (HyenaEmbeddingTransformer, {"order": int(cell.student.split()[-1])})
    return cls(
        FrozenEstimator(teacher),
        max_epochs=cell.teacher.max_epochs,
        random_state=cell.teacher.seed,
        callbacks=[health],
        **parameters,
    )


def _predictions(embedder, X, y, X_test):
    train, test = embedder.transform(X), embedder.transform(X_test)
    return {name: make().fit(train, y).predict(test) for name, make in CLASSIFIERS.items()}


def _transform_seconds(embedder, X):
    times = []
    for _ in range(4):
        start = time.process_time()
        embedder.transform(X)
        times.append(time.process_time() - start)
    return statistics.median(times[1:])


def _standardised(embedder, X):
    """Series (n_samples, n_timepoints, n_channels) as the encoder sees them, and which points are real."""
    panel = to_panel(X)
    lengths = panel.shape[2] - np.isnan(panel).all(axis=1)[:, ::-1].argmin(axis=1)
    standard = (panel - embedder.mean_[:, np.newaxis]) / embedder.scale_[:, np.newaxis]
    series = torch.from_numpy(np.nan_to_num(standard).transpose(0, 2, 1).astype(np.float32))
    return series, torch.from_numpy(np.arange(series.shape[1]) < lengths[:, np.newaxis])


def _layers(encoder, series, mask):
    """Some tokens after the embedding and after each block, one array (n_tokens, d_model) for each."""
    found = []
    with torch.no_grad():
        for start in range(0, len(series), SERIES_AT_ONCE):
            rows = slice(start, start + SERIES_AT_ONCE)
            x = encoder.embed(series[rows], mask[rows])
            layers = [x[mask[rows]]]
            for block in encoder.blocks:
                x = block(x, mask[rows])
                layers.append(x[mask[rows]])
            found.append(layers)
    tokens = [torch.cat(parts).double().numpy() for parts in zip(*found, strict=True)]
    kept = np.random.default_rng(0).permutation(len(tokens[0]))[:TOKENS]
    return [layer[kept] for layer in tokens]


class Health(Callback):  # type: ignore[misc]  # skorch has no types
    """Size of tokens after each layer before and after training, and of gradients in each block."""

    def __init__(self, series, mask):
        self.series, self.mask = series, mask

    def on_train_begin(self, net, **kwargs):
        self.seconds, self.gradients, self.signal = 0.0, [], []
        self._measure(net.module_.trained)

    def on_train_end(self, net, **kwargs):
        self._measure(net.module_.average)

    def on_grad_computed(self, net, named_parameters, **kwargs):
        blocks = {}
        for name, parameter in named_parameters:
            part, _, within = name.removeprefix("trained.").partition(".")
            if part == "blocks" and parameter.grad is not None:
                blocks.setdefault(within.partition(".")[0], []).append(parameter.grad.norm())
        self.gradients.append([float(torch.stack(norms).norm()) for norms in blocks.values()])

    def record(self, history):
        """What is kept of a training."""
        n_steps = len(history["loss"])
        step = np.unique(np.linspace(0, n_steps - 1, MOMENTS).round().astype(int))
        return {
            "step": step + 1,
            "loss": rounded(history["loss"][step], 4),
            "gradient_norm": rounded(history["gradient_norm"][step], 4),
            "largest_gradient_norm": history["gradient_norm"].max(),
            "block_gradient_norms": rounded(np.array(self.gradients)[step].T, 4),
            "signal": self.signal,
        }

    def _measure(self, encoder):
        start = time.process_time()
        was = encoder.training
        layers = _layers(encoder.eval(), self.series, self.mask)
        encoder.train(was)
        self.signal.append([np.sqrt(np.mean(layer**2)) for layer in layers])
        self.seconds += time.process_time() - start
