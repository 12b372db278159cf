"""Hyena in place of attention: a grid search with a frozen teacher, an interrupted training, and a saved model.

Run ``python examples/imitation.py``. It reads BasicMotions, which comes with sktime (motion sensors of people who walk,
run, rest and play badminton), prints the results and draws teacher and student side by side to
examples/output/imitation.png, or to ``--figure FILE``.
"""

import argparse
import contextlib
import tempfile
import time
from pathlib import Path

import matplotlib
import numpy as np
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Checkpoint, LoadInitState
from sktime.datasets import load_basic_motions

from sigfeat import HyenaEmbeddingTransformer, MHAEmbedder, to_panel

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

FIGURE = Path(__file__).parent / "output" / "imitation.png"


class PowerCut(Callback):
    """A callback that interrupts the training after five epochs of 20 steps."""

    def on_batch_begin(self, net, training=False, **kwargs):
        """Interrupt, as Ctrl-C would."""
        if len(net.history) == 6:
            raise KeyboardInterrupt


def main():
    """Train the teacher, search, interrupt and resume a training, save and load, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", type=Path, default=FIGURE, metavar="FILE")
    figure = parser.parse_args().figure
    X, y = load_basic_motions(split="train", return_type="numpy3D")
    X_test, y_test = load_basic_motions(split="test", return_type="numpy3D")
    X, X_test = to_panel(X), to_panel(X_test)

    start = time.perf_counter()
    teacher = MHAEmbedder(fit_mode="supervised").fit(X, y)
    ridge = Pipeline([("scaler", StandardScaler()), ("classifier", RidgeClassifierCV(np.logspace(-3, 3, 10)))])
    accuracy = ridge.fit(teacher.transform(X), y).score(teacher.transform(X_test), y_test)
    print(
        f"teacher: {teacher.n_parameters_} weights, {time.perf_counter() - start:.1f} s, test accuracy {accuracy:.3f}"
    )

    start = time.perf_counter()
    frozen = FrozenEstimator(teacher)
    pipeline = Pipeline([("hyena", HyenaEmbeddingTransformer(frozen, max_epochs=6)), *ridge.steps])
    grid = {"hyena__order": [1, 2], "hyena__d_model": [32, 64]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X, y)
    print(f"grid search with the frozen teacher: {time.perf_counter() - start:.1f} s")
    for setting, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
        print(f"  order {setting['hyena__order']}, d_model {setting['hyena__d_model']}: accuracy {score:.3f}")

    start = time.perf_counter()
    best = HyenaEmbeddingTransformer(frozen).fit(X)
    accuracy = ridge.fit(best.transform(X), y).score(best.transform(X_test), y_test)
    print(f"student: {best.n_parameters_} weights, {time.perf_counter() - start:.1f} s, test accuracy {accuracy:.3f}")
    print("  on test series: " + ", ".join(f"{name} {value:.3f}" for name, value in best.fidelity(X_test).items()))

    with tempfile.TemporaryDirectory() as folder:
        resumed = go_on_after_a_power_cut(best, X, Path(folder) / "checkpoints")
        same = np.array_equal(resumed.transform(X_test), best.transform(X_test))
        print(f"interrupted after 100 steps and resumed from a checkpoint: the same student bit for bit: {same}")
        best.save(Path(folder) / "student")
        loaded = HyenaEmbeddingTransformer.load(Path(folder) / "student")
        same = np.array_equal(loaded.transform(X_test), best.transform(X_test))
        print(f"saved and loaded: the same student bit for bit: {same}")
    draw(teacher, best, X_test, y_test, figure)
    print(f"picture: {figure}")


def go_on_after_a_power_cut(student, X, folder):
    """Student whose training is interrupted and resumed from the checkpoint of the last epoch."""
    checkpoint = Checkpoint(monitor=None, dirname=folder)
    student = HyenaEmbeddingTransformer(**student.get_params(deep=False))
    with contextlib.suppress(KeyboardInterrupt):
        student.set_params(callbacks=[checkpoint, PowerCut()]).fit(X)
    return student.set_params(callbacks=[LoadInitState(checkpoint), checkpoint]).fit(X)


def draw(teacher, student, X, y, path):
    """Embeddings of both in the plane of the teacher's principal components, and a typical series' tokens over time."""
    plane = PCA(2).fit(teacher.transform(X))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    wanted, found = plane.transform(teacher.transform(X)), plane.transform(student.transform(X))
    for k, name in enumerate(np.unique(y)):
        own = y == name
        left.scatter(*wanted[own].T, s=60, facecolors="none", edgecolors=f"C{k}")
        left.scatter(*found[own].T, s=12, color=f"C{k}", label=name)
        left.plot(*np.stack([wanted[own], found[own]]).transpose(2, 0, 1), color=f"C{k}", lw=0.8)
    left.set(title="Test series: attention (rings), Hyena (dots)", xlabel="component 1", ylabel="component 2")
    left.legend(frameon=False)
    wanted, found = teacher.tokens(X).transpose(0, 2, 1), student.tokens(X).transpose(0, 2, 1)
    errors = ((found - wanted) ** 2).mean(axis=(1, 2))
    typical = np.argsort(errors)[len(X) // 2]
    axes = PCA(3).fit(np.concatenate(wanted))
    for k, tokens in enumerate(zip(axes.transform(wanted[typical]).T, axes.transform(found[typical]).T, strict=True)):
        one, other = tokens
        right.plot(one, color=f"C{k}", lw=2.5, alpha=0.4)
        right.plot(other, color=f"C{k}", lw=1, label=f"component {k + 1}")
    right.set(title="Series of median error: attention (broad), Hyena (fine)", xlabel="time")
    right.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
