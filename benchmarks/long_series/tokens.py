"""Language models of synthetic tasks, on sequences that are longer than those of the training."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.hyena_vs_mha.attention_map import last_tokens
from benchmarks.hyena_vs_mha.tasks import NEXT_TOKEN, SYNTHETIC, TokensTask
from benchmarks.hyena_vs_mha.tokens import TokenModels
from benchmarks.long_series.limits import with_endless_filters
from benchmarks.sequence_tasks.training import NOT_ASKED
from benchmarks.study.records import Record
from sigfeat.datasets import TokenTask
from sigfeat.nn import HyenaLM, fidelity

TEACHER, STUDENTS = "attention", ("Hyena order 2", "S4D")
ENDLESS_FILTERS = ", endless filters"  # longer than in training
TEST = 9  # kind of draws
TOKENS_AT_ONCE = 1 << 14


def of_longer_context(model: HyenaLM, context: int) -> HyenaLM:
    """The same weights in a model for longer sequences."""
    config = dataclasses.replace(model.config, context=context)
    longer = HyenaLM(config, generator=torch.Generator().manual_seed(0))
    longer.load_state_dict(model.state_dict())
    return longer.eval()


def token_records(
    name: str, seed: int, factors: Sequence[int], n_sequences: int, epochs: tuple[int, int] | None = None
) -> list[Record]:
    """Train a teacher and its students, and compare them on sequences of several lengths.

    Parameters
    ----------
    name : str
        Of a task of tokens in `SYNTHETIC`.
    seed : int
        Of teacher, students and sequences.
    factors : sequence of int
        Lengths, relative to that of the training.
    n_sequences : int
        That are judged, of each length.
    epochs : tuple of int or None, default=None
        Of teacher and students; None for those of the task.
    """
    task = SYNTHETIC[name]
    assert isinstance(task, TokensTask)
    models = TokenModels(task, task.data(None))
    of_teacher, of_student = epochs or (task.max_epochs, task.student_epochs)
    teacher = models.teach(NEXT_TOKEN, seed, True, of_teacher)
    students = {student: models.distil(teacher, student, seed, of_student, []) for student in STUDENTS}
    records = []
    for factor in factors:
        length = factor * task.length
        test = task.draw(n_sequences, [seed, TEST], length=length)
        networks = {TEACHER: teacher, **students}
        networks = {network: of_longer_context(model, length) for network, model in networks.items()}
        networks[STUDENTS[0] + ENDLESS_FILTERS] = with_endless_filters(networks[STUDENTS[0]])
        cell = {"task": name, "seed": seed, "factor": factor, "length": length, "chance": test.chance}
        outputs = {network: _outputs(model, test) for network, model in networks.items()}
        records += [{**cell, "network": network, **_compared(outputs, network, test)} for network in networks]
    return records


def _outputs(model: HyenaLM, test: TokenTask) -> tuple[Tensor, NDArray[np.int64]]:
    """Tokens after the last norm, and the most likely answers."""
    tokens, asked = torch.from_numpy(test.tokens), torch.from_numpy(test.targets != NOT_ASKED)
    n_together = max(1, TOKENS_AT_ONCE // tokens.shape[1])
    with torch.no_grad():
        last = torch.cat([last_tokens(model, part) for part in tokens.split(n_together)])
        return last, model.head(last[asked][None])[0].argmax(-1).numpy()


def _compared(outputs: dict[str, tuple[Tensor, NDArray[np.int64]]], network: str, test: TokenTask) -> Record:
    """Accuracy of a network and, for a student, its fidelity."""
    (wanted, of_teacher), (found, answers) = outputs[TEACHER], outputs[network]
    figures = {"accuracy": float(np.mean(answers == test.targets[test.targets != NOT_ASKED]))}
    if network == TEACHER:
        return figures
    lengths = torch.full((len(found),), found.shape[1])
    figures["token_r2"] = fidelity([(wanted, found, lengths)], "mean")["token_r2"]
    return figures | {"agreement": float(np.mean(answers == of_teacher))}
