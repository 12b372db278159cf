"""Grid search over iterated-sums features of two data sets that come with sktime.

Run ``make demo``, or ``python examples/demo.py``. It prints a table and draws examples/output/demo.png.
"""

import time
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from sklearn.callback import ProgressBar
from sklearn.linear_model import RidgeClassifierCV
from sklearn.manifold import TSNE
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sktime.datasets import load_basic_motions, load_japanese_vowels

from sigfeat import AddTime, Increments, ISSTransformer, LeadLag, to_panel

# 6 channels of motion sensors, and 12 channels of speech in series of 7 to 29 points
LOADERS = {"BasicMotions": load_basic_motions, "JapaneseVowels": load_japanese_vowels}
AUGMENTATIONS = {
    "none": "passthrough",
    "time": AddTime(),
    "lead-lag": LeadLag(),
    "increments": Increments(basepoint=True),
    "increments, time": make_pipeline(AddTime(), Increments(basepoint=True)),
}
SEMIRINGS = {"real": "#1f5a92", "max_plus": "#d1603d", "min_plus": "#e0a526"}  # and their colours
DEPTHS = {1: "o", 2: "D"}  # and their markers
CLASS_COLOURS = mpl.color_sequences["tab10"]
PICTURE = Path(__file__).parent / "output" / "demo.png"


def load(loader):
    """Training and test series as arrays (series, channels, time), padded with NaN, and their classes."""
    data = []
    for split in ("train", "test"):
        series, y = loader(split=split, return_type="df-list")
        data += [to_panel(series), y]
    return data


def grid_search():
    """Every combination of augmentation, semiring and depth, by cross-validation on the training series."""
    pipeline = Pipeline(
        [
            ("augmentation", "passthrough"),
            ("features", ISSTransformer()),
            ("scaler", StandardScaler()),
            ("classifier", RidgeClassifierCV(alphas=np.logspace(-3, 5, 9))),
        ]
    )
    grid = {
        "augmentation": list(AUGMENTATIONS.values()),
        "features__semiring": list(SEMIRINGS),
        "features__depth": list(DEPTHS),
    }
    search = GridSearchCV(pipeline, grid, cv=5, n_jobs=-1)
    return search.set_callbacks(ProgressBar(max_propagation_depth=0))


def setting(parameters):
    """Names of the augmentation, the semiring and the depth of one setting of the grid."""
    augmentation = next(name for name, step in AUGMENTATIONS.items() if step is parameters["augmentation"])
    return augmentation, parameters["features__semiring"], parameters["features__depth"]


def draw_series(axes, name, X, y):
    """Draw the first channel of one series of each class, one above the other."""
    labels = np.unique(y)
    for place, label in enumerate(labels):
        series = X[y == label][0, 0]
        height = np.nanmax(series) - np.nanmin(series)
        axes.plot((series - np.nanmean(series)) / height - place, color=CLASS_COLOURS[place])
    axes.set_yticks(-np.arange(len(labels)), labels)
    axes.set_xlabel("time step")
    axes.set_title(f"{name}, one of each class", loc="left")


def draw_settings(axes, search):
    """Draw the accuracy of each setting as a dot, and a circle around the best one."""
    results = search.cv_results_
    for parameters, accuracy in zip(results["params"], results["mean_test_score"], strict=True):
        augmentation, semiring, depth = setting(parameters)
        place = list(AUGMENTATIONS).index(augmentation)
        place += 0.25 * (list(SEMIRINGS).index(semiring) - 1) + 0.1 * (list(DEPTHS).index(depth) - 0.5)
        axes.plot(accuracy, place, DEPTHS[depth], color=SEMIRINGS[semiring], markersize=6)
        if parameters == search.best_params_:
            axes.plot(accuracy, place, "o", markersize=15, fillstyle="none", color="black")
    axes.set_yticks(range(len(AUGMENTATIONS)), AUGMENTATIONS)
    axes.set_yticks(np.arange(1, len(AUGMENTATIONS)) - 0.5, minor=True)
    axes.grid(axis="x", color="0.9")
    axes.grid(axis="y", which="minor", color="0.9")
    axes.invert_yaxis()
    axes.set_xlabel("cross-validated accuracy")
    axes.set_title(f"{len(results['params'])} settings", loc="left")


def draw_test_series(axes, search, X, y):
    """Draw the test series by their predicted classes, with a cross on wrong predictions."""
    points = TSNE(perplexity=min(30, len(y) / 4), random_state=0).fit_transform(search.decision_function(X))
    for place, label in enumerate(np.unique(y)):
        axes.plot(*points[y == label].T, "o", markersize=4, color=CLASS_COLOURS[place])
    wrong = search.predict(X) != y
    axes.plot(*points[wrong].T, "x", markersize=9, markeredgewidth=1.5, color="black")
    axes.set(xticks=[], yticks=[], xlabel="t-SNE of the classifier's scores")
    axes.set_title(f"test series, {wrong.sum()} of {len(y)} wrong", loc="left")


def draw_legend(figure):
    """Draw the legend of the colours and markers of the settings."""
    colours = [Line2D([], [], color=colour, marker="s", linestyle="") for colour in SEMIRINGS.values()]
    markers = [Line2D([], [], color="0.4", marker=marker, linestyle="") for marker in DEPTHS.values()]
    ring = Line2D([], [], color="black", marker="o", markersize=11, fillstyle="none", linestyle="")
    names = [*SEMIRINGS, *(f"depth {depth}" for depth in DEPTHS), "best setting"]
    figure.legend([*colours, *markers, ring], names, loc="outside lower center", ncols=len(names), frameon=False)


def main():
    """Search, print the results, and draw them."""
    plt.rcParams.update({"ytick.left": False, "ytick.minor.left": False, "axes.axisbelow": True})
    figure, rows = plt.subplots(len(LOADERS), 3, figsize=(12, 7), width_ratios=[1, 1.3, 1], layout="constrained")
    table = [f"{'data set':15} {'best setting':34} {'cross-validation':>16} {'test':>7} {'seconds':>8}"]
    for (name, loader), (left, middle, right) in zip(LOADERS.items(), rows, strict=True):
        X_train, y_train, X_test, y_test = load(loader)
        print(f"{name}: {len(X_train)} training and {len(X_test)} test series of {X_train.shape[1]} channels")
        start = time.perf_counter()
        search = grid_search().fit(X_train, y_train)
        seconds = time.perf_counter() - start
        augmentation, semiring, depth = setting(search.best_params_)
        best = f"{augmentation}; {semiring}; depth {depth}"
        accuracy = search.score(X_test, y_test)
        table.append(f"{name:15} {best:34} {search.best_score_:16.3f} {accuracy:7.3f} {seconds:8.1f}")
        draw_series(left, name, X_test, y_test)
        draw_settings(middle, search)
        draw_test_series(right, search, X_test, y_test)
    print("\n" + "\n".join(table))
    draw_legend(figure)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=150)
    print(f"\npicture: {PICTURE}")


if __name__ == "__main__":
    mpl.use("agg")
    main()
