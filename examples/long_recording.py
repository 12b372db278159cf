"""A recording of many activities, embedded in one pass by a student of attention that was distilled on crops of it.

Run ``python examples/long_recording.py``, or with ``--steps N``. The recording is made of series of BasicMotions, which
ship with sktime: the accelerometer and gyroscope of a watch during four activities of 100 steps each, in random order.
Filters of the student end at the length of the crops, since they are not known at larger lags.
"""

import argparse
import time

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sktime.datasets import load_UCR_UEA_dataset

from sigfeat import HyenaEmbeddingTransformer, MHAEmbedder, to_panel

ACTIVITY, CROP = 100, 500  # steps


def recording(part, n_steps, seed):
    """Values (channels, n_steps), and the activity of each 100 steps."""
    X, y = load_UCR_UEA_dataset("BasicMotions", split=part)
    rows = np.random.default_rng(seed).integers(len(X), size=n_steps // ACTIVITY)
    return np.concatenate(to_panel(X)[rows], axis=1).astype(np.float32), np.asarray(y)[rows]


def crops(values):
    """Parts of 500 steps as a panel."""
    return np.stack(np.split(values, values.shape[1] // CROP, axis=1))


def in_crops(embedder, values):
    """Tokens (width, n_steps), of each crop by itself."""
    return np.concatenate(embedder.tokens(crops(values)), axis=1)


def at_once(embedder, values):
    """Tokens (width, n_steps), of the whole recording in one pass."""
    return embedder.tokens(values[np.newaxis])[0]


def means(tokens):
    """Mean token of each activity."""
    return tokens.reshape(len(tokens), -1, ACTIVITY).mean(axis=2).T


def main():
    """Fit teacher and student on crops, then embed another recording."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10_000, help="of each recording, a multiple of 500")
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    (train, y_train), (test, y_test) = (recording(part, options.steps, 0) for part in ("train", "test"))
    small = {"max_epochs": options.epochs, "batch_size": 4}
    teacher = MHAEmbedder(32, fit_mode="masked", **small).fit(crops(train))
    student = HyenaEmbeddingTransformer(FrozenEstimator(teacher), **small).fit(crops(train))
    goal = in_crops(teacher, test)

    def report(name, embed, embedder):
        classifier = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-3, 3, 10)))
        classifier.fit(means(embed(embedder, train)), y_train)
        start = time.perf_counter()
        tokens = embed(embedder, test)
        seconds = time.perf_counter() - start
        r2 = 1 - np.mean((tokens - goal) ** 2) / np.mean((goal - goal.mean(axis=1, keepdims=True)) ** 2)
        accuracy = classifier.score(means(tokens), y_test)
        print(f"{name:18} {seconds:8.2f} {r2:10.3f} {accuracy:10.3f}")

    print(f"{options.steps:,} steps{'seconds':>16} {'R2':>10} {'accuracy':>10}")
    report("teacher, crops", in_crops, teacher)
    report("student, crops", in_crops, student)
    report("teacher, one pass", at_once, teacher)
    report("student, one pass", at_once, student)


if __name__ == "__main__":
    main()
