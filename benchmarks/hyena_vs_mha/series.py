"""Teachers and students on series, by the transformers."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from torch import Tensor

from benchmarks.hyena_vs_mha.screening import WithoutMixing
from benchmarks.hyena_vs_mha.students import expansion, kind_of
from benchmarks.hyena_vs_mha.tasks import LONG_SERIES, Data, SeriesTask
from benchmarks.ridge import ridge_classifier
from sigfeat import (
    HyenaEmbeddingTransformer,
    MHAEmbedder,
    RecurrentEmbeddingTransformer,
    S4EmbeddingTransformer,
)
from sigfeat.panel import series_lengths

STUDENT_LR = 0.002


class Control(RecurrentEmbeddingTransformer):
    """A student that does not mix over time."""

    _mixer = dataclasses.replace(RecurrentEmbeddingTransformer._mixer, name="pointwise")


OTHERS = {"s4": S4EmbeddingTransformer, "recurrent": RecurrentEmbeddingTransformer, "pointwise": Control}


class SeriesModels:
    """Networks on the series of a task, which `trainings` measures; a model is a fitted embedder.

    Parameters
    ----------
    task : SeriesTask
        The task.
    data : Data
        Both parts.
    """

    def __init__(self, task: SeriesTask, data: Data) -> None:
        self.task, self.data = task, data

    def teach(self, objective: str, seed: int, mixes: bool, max_epochs: int | None) -> MHAEmbedder:
        """A teacher, or the same network without mixing."""
        cls = MHAEmbedder if mixes else WithoutMixing
        trained: dict[str, Any] = {"embedding_filter": self.task.embedding_filter}
        if objective != "random":
            trained |= {"max_epochs": max_epochs or self.task.max_epochs, "batch_size": self._batch_size()}
        if objective == "supervised":
            trained["task"] = "classification"
        return cls(fit_mode=objective, random_state=seed, **trained).fit(self.data.train, self.data.y)

    def save(self, model: MHAEmbedder, path: Path) -> None:
        """Keep a teacher."""
        model.save(path)

    @staticmethod
    def load(path: Path) -> MHAEmbedder:
        """A teacher that was kept."""
        return MHAEmbedder.load(path)

    def distil(
        self, teacher: MHAEmbedder, student: str, seed: int, max_epochs: int, callbacks: Sequence[Any]
    ) -> MHAEmbedder:
        """A student by its name."""
        kind, frozen, n_channels = kind_of(student), FrozenEstimator(teacher), self.data.train.shape[1]
        how = {"max_epochs": max_epochs, "batch_size": self._batch_size(), "lr": STUDENT_LR, "random_state": seed}
        how |= {"validation_fraction": 0.0, "callbacks": list(callbacks)}  # the test part is the validation set
        if kind.mixer in OTHERS:
            return OTHERS[kind.mixer](frozen, **how).fit(self.data.train)

        def count(order, width):
            return HyenaEmbeddingTransformer(frozen, order=order, expansion=width).param_count(n_channels)

        width = expansion(kind, count, teacher.d_model)
        return HyenaEmbeddingTransformer(frozen, order=kind.order, expansion=width, **how).fit(self.data.train)

    def judge(self, model: MHAEmbedder) -> tuple[float, np.ndarray]:
        """Accuracy of a ridge classifier on the embeddings, and its predictions for the test part."""
        classifier = ridge_classifier()
        found = classifier.fit(model.transform(self.data.train), self.data.y).predict(model.transform(self.data.test))
        return float(np.mean(found == self.data.y_test)), found

    def fidelity(self, student: Any, teacher: Any) -> dict[str, float]:
        """Figures of `sigfeat.nn.fidelity` on the test part."""
        return student.fidelity(self.data.test)

    def agreement(self, found: np.ndarray, of_teacher: np.ndarray) -> float:
        """Fraction of equal predictions."""
        return float(np.mean(found == of_teacher))

    def pooled(self, model: MHAEmbedder) -> np.ndarray:
        """Embeddings of the test part."""
        return model.transform(self.data.test).astype(float)

    def network(self, model: MHAEmbedder) -> Any:
        """The torch module."""
        return model.encoder_

    def sample(self, teacher: MHAEmbedder, n_series: int) -> tuple[Tensor, Tensor | None]:
        """Some test series as the network sees them, and which points are real."""
        X = self.data.test
        rows = np.random.default_rng(0).permutation(len(X))[:n_series]
        lengths = series_lengths(X[rows])
        X = X[rows, :, : lengths.max()]
        standard = (X - teacher.mean_[:, np.newaxis]) / teacher.scale_[:, np.newaxis]
        series = torch.from_numpy(np.nan_to_num(standard).transpose(0, 2, 1).astype(np.float32))
        mask = torch.arange(series.shape[1]) < torch.from_numpy(lengths)[:, None]
        return series, None if bool(mask.all()) else mask

    def shape(self) -> dict[str, int]:
        """Sizes of the data."""
        n, n_channels, n_timepoints = self.data.train.shape
        return {"n_train": n, "n_test": len(self.data.test), "n_channels": n_channels, "n_timepoints": n_timepoints}

    def transform(self, model: MHAEmbedder) -> None:
        """Embed the test part, to be timed."""
        model.transform(self.data.test)

    def _batch_size(self) -> int:
        n_timepoints = self.data.train.shape[2]
        if n_timepoints <= LONG_SERIES:
            return self.task.batch_size
        return max(4, self.task.batch_size * LONG_SERIES // n_timepoints)
