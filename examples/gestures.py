"""Which matrix group suits gestures: a grid over groups and sides of the matrices, with random developments.

Run ``python examples/gestures.py``. It reads BasicMotions, which comes with sktime (motion sensors of people who walk,
run, rest and play badminton); ``--data DIR`` reads DIR/NAME_TRAIN.ts and DIR/NAME_TEST.ts of another set of the
archive, such as UWaveGestureLibrary, where DIR ends in NAME. It prints a table, and trains developments of the best
group on the classes.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sktime.datasets import load_basic_motions, load_from_tsfile

from sigfeat import PathDevelopmentTransformer, to_panel

GROUPS = ("SO", "SE", "Sp", "SU")
DIMS = (2, 4, 6)


def load(folder):
    """Training and test series as arrays (series, channels, time), and their classes."""
    data = []
    for split in ("TRAIN", "TEST"):
        if folder is None:
            series, y = load_basic_motions(split=split.lower(), return_type="df-list")
        else:
            series, y = load_from_tsfile(str(folder / f"{folder.name}_{split}.ts"), return_data_type="nested_univ")
        data += [to_panel(series), y]
    return data


def main():
    """Search, print the results, and train the best group."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of NAME_TRAIN.ts and NAME_TEST.ts")
    folder = parser.parse_args().data
    X_train, y_train, X_test, y_test = load(folder)
    print(f"{len(X_train)} training and {len(X_test)} test series of {X_train.shape[1]} channels\n")
    pipeline = Pipeline(
        [
            ("development", PathDevelopmentTransformer(n_developments=4, pooling="end", windows="whole")),
            ("scaler", StandardScaler()),
            ("classifier", RidgeClassifierCV(alphas=np.logspace(-3, 3, 10))),
        ]
    )
    grid = {"development__group": GROUPS, "development__dim": DIMS}
    start = time.perf_counter()
    search = GridSearchCV(pipeline, grid, cv=5, n_jobs=2).fit(X_train, y_train)
    print(f"cross-validated accuracy, {time.perf_counter() - start:.1f} s\n")
    print("group" + "".join(f"{f'dim {dim}':>8}" for dim in DIMS))
    scores = search.cv_results_["mean_test_score"]
    settings = [tuple(parameters.values()) for parameters in search.cv_results_["params"]]
    for group in GROUPS:
        row = [scores[settings.index((dim, group))] for dim in DIMS]
        print(f"{group:5}" + "".join(f"{score:8.3f}" for score in row))
    print(f"\nbest: {search.best_params_}, test accuracy {search.score(X_test, y_test):.3f}")
    start = time.perf_counter()
    trained = search.best_estimator_.set_params(development__fit_mode="supervised").fit(X_train, y_train)
    seconds = time.perf_counter() - start
    print(f"the same trained on the classes in {seconds:.1f} s: test accuracy {trained.score(X_test, y_test):.3f}")
    usual = Pipeline([("development", PathDevelopmentTransformer()), *pipeline.steps[1:]]).fit(X_train, y_train)
    print(f"by default, with statistics of dyadic windows: test accuracy {usual.score(X_test, y_test):.3f}")


if __name__ == "__main__":
    main()
