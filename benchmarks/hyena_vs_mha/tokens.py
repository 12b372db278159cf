"""Teachers and students on sequences of tokens, which are language models."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.hyena_vs_mha.attention_map import last_tokens
from benchmarks.hyena_vs_mha.students import expansion, kind_of
from benchmarks.hyena_vs_mha.tasks import DISTILLATION, TRAINING, VALIDATION, Data, TextTask, TokensTask
from benchmarks.sequence_tasks.training import NOT_ASKED, accuracy, train
from sigfeat.datasets import TokenTask
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

SHAPE: dict[str, Any] = {"d_model": 64, "n_layers": 2, "d_ff": 128}
STEPS_PER_EPOCH = 20
SEQUENCES = 128  # that are compared, and windows of the text
HELD_OUT = 256  # sequences by which the training of a teacher is followed
STUDENT_LR = 0.003


class TokenModels:
    """Networks on the sequences of a task, which `trainings` measures; a model is a `HyenaLM`.

    Parameters
    ----------
    task : TokensTask or TextTask
        The task.
    data : Data
        Both parts.
    """

    def __init__(self, task: TokensTask | TextTask, data: Data) -> None:
        self.task, self.data = task, data
        self.is_text = isinstance(task, TextTask)

    def teach(self, objective: str, seed: int, mixes: bool, max_epochs: int | None) -> HyenaLM:
        """A teacher, or the same network without mixing."""
        n_tokens = 256 if self.is_text else self.task.draw(1, 0).n_tokens
        mixer = "attention" if mixes else "pointwise"
        config = LanguageModelConfig(mixer=mixer, n_tokens=n_tokens, context=self.task.length, **SHAPE)
        model = HyenaLM(config, generator=torch.Generator().manual_seed(seed))
        epochs = max_epochs or self.task.max_epochs
        if self.is_text:
            train_language_model(
                model,
                self.data.train,
                max_epochs=epochs,
                batch_size=self.task.batch_size,
                lr=self.task.lr,
                weight_decay=0.1,
                validation_fraction=0.1,
                seed=seed,
            )
            return model.eval()
        source = np.random.RandomState([seed, TRAINING])
        n_steps = epochs * STEPS_PER_EPOCH
        held_out = self.task.draw(HELD_OUT, [seed, VALIDATION])
        train(
            model,
            lambda: self.task.draw(self.task.batch_size, source, training=True),
            held_out,
            lr=self.task.lr,
            n_steps=n_steps,
            every=n_steps,
        )
        return model.eval()

    def save(self, model: HyenaLM, path: Path) -> None:
        """Keep a teacher."""
        model.save(path)

    @staticmethod
    def load(path: Path) -> HyenaLM:
        """A teacher that was kept."""
        return HyenaLM.load(path)

    def distil(self, teacher: HyenaLM, student: str, seed: int, max_epochs: int, callbacks: Sequence[Any]) -> HyenaLM:
        """A student by its name."""
        kind = kind_of(student)

        def config(order, width):
            length = self.task.length
            changed = {"order": order, "expansion": width, "time_scale": float(length), "filter_length": length}
            if kind.mixer != "hyena":
                changed = {}
            return dataclasses.replace(teacher.config, mixer=kind.mixer, **changed)

        width = expansion(kind, lambda *which: param_count(config(*which)), teacher.config.d_model)
        generator = torch.Generator().manual_seed(seed)
        model = HyenaLM(config(kind.order, width) if kind.mixer == "hyena" else config(1, 1.0), generator=generator)
        copy_weights(model, teacher)
        distil_language_model(
            model,
            teacher,
            self.data.train if self.is_text else self._sequences(seed, max_epochs),
            max_epochs=max_epochs,
            batch_size=self.task.student_batch_size,
            lr=STUDENT_LR,
            validation_fraction=0.0,
            seed=seed,
            callbacks=callbacks,
        )
        return model.eval()

    def judge(self, model: HyenaLM) -> tuple[float, np.ndarray]:
        """Bits for each byte of the test part, or accuracy of the answers; and the most likely next tokens."""
        if self.is_text:
            return text_loss(model, self.data.test) / math.log(2), self._answers(model, self._inputs())
        task = TokenTask(self.data.test, self.data.y_test, model.config.n_tokens, 0.0)
        return accuracy(model, task), self._answers(model, self._inputs())[self._asked()]

    def fidelity(self, student: HyenaLM, teacher: HyenaLM) -> dict[str, float]:
        """Figures of `sigfeat.nn.language_fidelity` on the test part."""
        return language_fidelity(student, teacher, self._inputs())

    def agreement(self, found: np.ndarray, of_teacher: np.ndarray) -> float:
        """Fraction of equal answers."""
        return float(np.mean(found == of_teacher))

    def pooled(self, model: HyenaLM) -> np.ndarray:
        """Mean tokens of the test sequences."""
        return last_tokens(model, torch.from_numpy(self._inputs())).mean(1).double().numpy()

    def network(self, model: HyenaLM) -> Any:
        """The torch module."""
        return model

    def sample(self, teacher: HyenaLM, n_series: int) -> tuple[Tensor, Tensor | None]:
        """Some test sequences."""
        return torch.from_numpy(self._inputs()[:n_series]), None

    def shape(self) -> dict[str, int]:
        """Sizes of the data."""
        return {"n_train": 0, "n_test": len(self._inputs()), "n_channels": 1, "n_timepoints": self.task.length}

    def transform(self, model: HyenaLM) -> None:
        """Evaluate the test sequences, to be timed."""
        self._answers(model, self._inputs())

    def _inputs(self) -> np.ndarray:
        """Sequences that are compared: of a text, windows of its test part."""
        if not self.is_text:
            return self.data.test[:SEQUENCES]
        length = self.task.length
        n_windows = min(SEQUENCES, len(self.data.test) // length)
        return self.data.test[: n_windows * length].reshape(n_windows, length)

    def _asked(self) -> np.ndarray:
        return self.data.y_test[:SEQUENCES] != NOT_ASKED

    def _answers(self, model: HyenaLM, tokens: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return torch.cat([model(part).argmax(-1) for part in torch.from_numpy(tokens).split(32)]).numpy()

    def _sequences(self, seed: int, max_epochs: int) -> np.ndarray:
        """As many sequences as the distillation takes, so that none is seen twice."""
        n_sequences = max_epochs * STEPS_PER_EPOCH * self.task.student_batch_size
        return self.task.draw(n_sequences, [seed, DISTILLATION], training=True).tokens
