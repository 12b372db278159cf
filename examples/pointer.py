"""The pointer task: a shape points to the position of the next shape. Two interval layers solve it.

Run ``python examples/pointer.py``. It draws series of the pointer task with one jump, prints the accuracy of ridge
classifiers on pooled intervals and on convolutions, trains an interval layer followed by Hyena and two interval layers,
and draws some series and the training losses to examples/output/pointer.png, or to ``--figure FILE``.
"""

import argparse
import time
from pathlib import Path

import matplotlib
import numpy as np

from sigfeat import IntervalISSTransformer
from sigfeat.classifiers import interval_hyena_classifier, interval_stack_classifier, iss_classifier
from sigfeat.datasets import make_pointer
from sigfeat.linear_model import LeaveOneOutRidgeClassifier

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

FIGURE = Path(__file__).parent / "output" / "pointer.png"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


def main():
    """Draw series, fit the models, and print their accuracy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", type=Path, default=FIGURE, metavar="FILE")
    parser.add_argument("--series", type=int, default=1000, help="to train on, and as many to test on")
    parser.add_argument("--length", type=int, default=500)
    options = parser.parse_args()
    X, y = make_pointer(options.series, options.length, random_state=0)
    X_test, y_test = make_pointer(options.series, options.length, random_state=1)
    networks = {
        "interval layer, Hyena": interval_hyena_classifier(),
        "interval layer, interval layer": interval_stack_classifier(),
    }
    models = {
        "one layer of intervals, ridge": IntervalISSTransformer(filter="random", n_filters=30),
        "low-rank iterated sums, ridge": iss_classifier(),
        **networks,
    }
    print(f"test accuracy on the pointer task, {len(y)} series of {options.length} steps (chance 0.25)")
    for name, model in models.items():
        start = time.perf_counter()
        if hasattr(model, "transform") and not hasattr(model, "predict"):
            ridge = LeaveOneOutRidgeClassifier().fit(model.fit_transform(X, y), y)
            accuracy = ridge.score(model.transform(X_test), y_test)
        else:
            accuracy = model.fit(X, y).score(X_test, y_test)
        print(f"{name:32} {accuracy:.3f}   {time.perf_counter() - start:.0f} s", flush=True)
    draw(X, y, {name: model[-1].history_ for name, model in networks.items()}, options.figure)
    print(f"drawn into {options.figure}")


def draw(X, y, histories, figure):
    """One series of each class, and the loss while the networks were trained."""
    canvas, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), width_ratios=(2, 1), layout="constrained")
    for label, colour in enumerate(COLOURS):
        left.plot(X[np.flatnonzero(y == label)[0], 0] - 2.5 * label, color=colour, lw=1)
        left.text(X.shape[2] * 1.01, -2.5 * label, f"class {label}", color=colour, va="center")
    left.set(title="The first shape points to the relevant one", xlabel="time", yticks=[])
    for (name, history), colour in zip(histories.items(), COLOURS, strict=False):
        right.plot([epoch["train_loss"] for epoch in history], color=colour, label=name)
    right.set(title="Training loss", xlabel="epoch", ylim=(0, None))
    right.legend(frameon=False)
    for place in (left, right):
        place.spines[["top", "right"]].set_visible(False)
    figure.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(figure, dpi=120)


if __name__ == "__main__":
    main()
