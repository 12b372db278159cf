"""A recording of many activities, embedded in one pass by students that were distilled on crops of it."""

import copy
import functools
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from benchmarks.data import load
from benchmarks.long_series.costs import LONGEST_WAIT, MODULE, STEMS
from benchmarks.long_series.limits import with_endless_filters
from benchmarks.long_series.tokens import ENDLESS_FILTERS, STUDENTS, TEACHER
from benchmarks.ridge import ridge_classifier
from benchmarks.study import apart
from benchmarks.study.records import Record
from sigfeat import HyenaEmbeddingTransformer, MHAEmbedder, S4EmbeddingTransformer

DATA_SET, WINDOW = "BasicMotions", 100  # steps of a series of the data set
CROP = 512
TEST_SEED = 1000  # and more
RAW = "mean and deviation of channels"
CROPS, ONE_PASS = f"crops of {CROP}", "one pass"
Values = NDArray[Any]


class Sizes(NamedTuple):
    """Sizes of a measurement; `lengths` in ascending order, the first also that of the training recording."""

    lengths: tuple[int, ...] = (20_480, 81_920)
    further: tuple[int, ...] = (327_680,)  # lengths of which only time and memory are measured
    teacher_epochs: int = 10
    student_epochs: int = 12
    batch_size: int = 4
    d_model: int = 32
    most_seconds: float = 60.0  # of processor time that a pass may be expected to take
    most_gib: float = 12.0


class Recording(NamedTuple):
    """Values of shape (n_channels, n_timepoints), and the activity of each whole window."""

    values: Values
    activities: Values


def recording_of(part: str, n_timepoints: int, seed: int) -> Recording:
    """Series of a part of the data set one after another, each as often as the others, in random order."""
    X, y = load(DATA_SET, part, None)
    rng = np.random.default_rng(seed)
    n_series = -(-n_timepoints // WINDOW)
    rounds = -(-n_series // len(X))
    rows = np.concatenate([rng.permutation(len(X)) for _ in range(rounds)])[:n_series]
    values = np.concatenate(X[rows], axis=1)[:, :n_timepoints]
    return Recording(values.astype(np.float32), y[rows][: n_timepoints // WINDOW])


def crops(values: Values, step: int = CROP) -> Values:
    """Parts of a recording of `CROP` steps as a panel, one each `step` steps."""
    return np.stack([values[:, start : start + CROP] for start in range(0, values.shape[1] - CROP + 1, step)])


def at_once(embedder: Any, values: Values) -> Values:
    """Tokens (width, n_timepoints) by one pass over the recording."""
    return embedder.tokens(values[np.newaxis])[0]


def in_crops(embedder: Any, values: Values) -> Values:
    """Tokens (width, n_timepoints), of each crop by itself."""
    return np.concatenate(embedder.tokens(crops(values)), axis=1)


def r2(found: Values, wanted: Values) -> float:
    """R2 of tokens, as `sigfeat.nn.fidelity` has it."""
    found, wanted = found.astype(float), wanted.astype(float)
    return 1 - float(np.sum((found - wanted) ** 2) / np.sum((wanted - wanted.mean(axis=1, keepdims=True)) ** 2))


def windows(values: Values) -> Values:
    """Values in whole windows, of shape (width, n_windows, WINDOW)."""
    n_windows = values.shape[1] // WINDOW
    return values[:, : n_windows * WINDOW].reshape(len(values), n_windows, WINDOW)


def means(tokens: Values) -> Values:
    """Mean tokens of the windows, of shape (n_windows, width)."""
    return windows(tokens).mean(axis=2).T


def summary(values: Values) -> Values:
    """Means and standard deviations of the channels in each window."""
    parts = windows(values)
    return np.concatenate([parts.mean(axis=2), parts.std(axis=2)]).T


def recording_records(seed: int, sizes: Sizes, with_costs: bool) -> dict[str, list[Record]]:
    """Train a teacher and its students on crops, and run them on recordings of all lengths."""
    training = recording_of("TRAIN", sizes.lengths[0], seed)
    panel = crops(training.values, CROP // 2)
    how: dict[str, Any] = {"batch_size": sizes.batch_size, "random_state": seed, "verbose": 0}
    teacher = MHAEmbedder(sizes.d_model, fit_mode="masked", max_epochs=sizes.teacher_epochs, **how).fit(panel)
    print("teacher is trained", file=sys.stderr, flush=True)
    how |= {"max_epochs": sizes.student_epochs, "validation_fraction": 0.0}
    frozen = FrozenEstimator(teacher)
    hyena = HyenaEmbeddingTransformer(frozen, **how).fit(panel)
    s4 = S4EmbeddingTransformer(frozen, **how).fit(panel)
    embedders = {TEACHER: teacher, **dict(zip(STUDENTS, (hyena, s4), strict=True))}
    costs = _costs(embedders, sizes) if with_costs else []
    tests = {n: recording_of("TEST", n, TEST_SEED + seed) for n in sizes.lengths}
    endless = copy.deepcopy(hyena)
    endless.encoder_ = with_endless_filters(hyena.encoder_)
    embedders[STUDENTS[0] + ENDLESS_FILTERS] = endless
    uses = _uses(embedders, training, tests)
    return {"uses": [{"seed": seed, **record} for record in uses], "costs": costs}


def _uses(embedders: dict[str, Any], training: Recording, tests: dict[int, Recording]) -> list[Record]:
    """Fidelity, and accuracy of a classifier of the activity that was fitted on the training recording."""
    teacher, shortest = embedders[TEACHER], min(tests)
    goals = {n: in_crops(teacher, test.values) for n, test in tests.items()}
    whole = at_once(teacher, tests[shortest].values)
    # the teacher in one pass and the students in crops are there for comparison, on the shortest recording only
    ways = [(TEACHER, CROPS, list(tests)), (TEACHER, ONE_PASS, [shortest])]
    ways += [(network, CROPS, [shortest]) for network in STUDENTS]
    ways += [(network, ONE_PASS, list(tests)) for network in embedders if network != TEACHER]
    classifier = ridge_classifier().fit(summary(training.values), training.activities)
    records: list[Record] = [
        {
            "network": RAW,
            "way": "",
            "length": n,
            "accuracy": float(classifier.score(summary(test.values), test.activities)),
        }
        for n, test in tests.items()
    ]
    for network, way, lengths in ways:
        embed = functools.partial(in_crops if way == CROPS else at_once, embedders[network])
        tokens = {n: embed(tests[n].values) for n in lengths}
        classifier = ridge_classifier().fit(means(embed(training.values)), training.activities)
        for n, found in tokens.items():
            record = {"network": network, "way": way, "length": n, "r2_of_crops": r2(found, goals[n])}
            record["accuracy"] = float(classifier.score(means(found), tests[n].activities))
            records.append(record | ({"r2_of_one_pass": r2(found, whole)} if n == shortest else {}))
    return records


def _costs(embedders: dict[str, Any], sizes: Sizes) -> list[Record]:
    """Seconds and MiB of a pass of each embedder at each length."""
    records: list[Record] = []
    with tempfile.TemporaryDirectory() as name:
        for network, embedder in embedders.items():
            folder = Path(name) / STEMS[network]
            embedder.save(folder)
            question = {"network": network, "lengths": [*sizes.lengths, *sizes.further], "folder": str(folder)}
            limits = {"most_seconds": sizes.most_seconds, "most_gib": sizes.most_gib}
            records.append({"network": network, **limits, **apart.ask(MODULE, question | limits, LONGEST_WAIT)})
    return records
