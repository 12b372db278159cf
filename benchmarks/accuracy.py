"""Cross-validated accuracy of the parts of `iss_classifier`: ``python -m benchmarks.accuracy --data DIR``.

Only training parts are used. Ridge regression sees features through their inner products alone, so each block of
features is made once for all series of a training part, and settings are weighted sums of such matrices: features are
scaled, and thresholds taken, on the whole training part; the classifier is fitted in each fold.

With ``--trained`` all is fitted in each fold: `iss_classifier`, and trained functionals of several weights beside its
random ones.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline, make_union

from benchmarks.data import load
from benchmarks.measure import circumstances, markdown_table, thread_limit
from sigfeat import (
    AddTime,
    FeatureScaler,
    ISSTransformer,
    LeaveOneOutRidgeClassifier,
    LowRankISSTransformer,
    PathDevelopmentTransformer,
)

RESULTS = Path(__file__).parent / "results"
FOLDS, REPEATS = 3, 3
N_TRAINED = 32  # functionals
ROOT, PLAIN = FeatureScaler(power=0.5), FeatureScaler()


def _low_rank(seed, **parameters):
    return LowRankISSTransformer(random_state=seed, **parameters)


BLOCKS = {  # a transformer of a seed, and a scaler
    "level 1": (lambda seed: _low_rank(seed, depth=1, n_functionals=2000), ROOT),
    "levels 1 and 2": (_low_rank, ROOT),
    "levels 1 and 2, no root": (_low_rank, PLAIN),
    "levels 1 to 3": (lambda seed: _low_rank(seed, depth=3, n_functionals=500), ROOT),
    "500 functionals": (lambda seed: _low_rank(seed, n_functionals=500), ROOT),
    "2000 functionals": (lambda seed: _low_rank(seed, n_functionals=2000), ROOT),
    "one threshold, 3000 functionals": (lambda seed: _low_rank(seed, n_functionals=3000, quantiles=1), ROOT),
    "windows of 7": (lambda seed: _low_rank(seed, n_lags=7), ROOT),
    "windows of 11": (lambda seed: _low_rank(seed, n_lags=11), ROOT),
    "max-plus": (lambda seed: _low_rank(seed, semiring="max_plus"), ROOT),
    "real, max-plus and min-plus in turn": (
        lambda seed: _low_rank(seed, semiring=("real", "max_plus", "min_plus")),
        ROOT,
    ),
    "no decay": (lambda seed: _low_rank(seed, decay=0.0), ROOT),
    "ppv over halves": (lambda seed: _low_rank(seed, windows=2, n_functionals=500), ROOT),
    "max": (lambda seed: _low_rank(seed, pooling="max"), PLAIN),
    "mpv": (lambda seed: _low_rank(seed, pooling="mpv"), PLAIN),
    "mipv": (lambda seed: _low_rank(seed, pooling="mipv"), PLAIN),
    "ppv, max, mpv and mipv": (lambda seed: _low_rank(seed, pooling=("ppv", "max", "mpv", "mipv")), PLAIN),
    "exact": (lambda seed: ISSTransformer(), ROOT),
    "development": (
        lambda seed: make_pipeline(AddTime(), PathDevelopmentTransformer(random_state=seed)),
        PLAIN,
    ),
}
BASE = {"levels 1 and 2": 1.0}
SETTINGS = {
    "levels 1 and 2, ppv (base)": BASE,
    **{name: {name: 1.0} for name in BLOCKS if name != "levels 1 and 2"},
    **{
        f"base + {weight:g} {name}": BASE | {name: weight}
        for name in ("exact", "development", "max", "mpv", "mipv")
        for weight in (0.04, 0.16, 0.5)
    },
    "base + 0.01 exact + 0.01 development": BASE | {"exact": 0.01, "development": 0.01},
}
WEIGHTS = {"iss_classifier (base)": 0.0, **{f"trained functionals at {w:g}": w for w in (0.06, 0.12, 0.25, 0.5, 1.0)}}
BY_SQUARED_ERROR = "base, penalty by squared error"


def main() -> None:
    """Measure and write, or print what was written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of NAME/NAME_TRAIN.ts")
    parser.add_argument("--seeds", type=int, default=3, help="draws of the functionals")
    parser.add_argument("--trained", action="store_true", help="fit all in each fold, once")
    parser.add_argument("--out", type=Path, help="JSON file; default: in benchmarks/results")
    parser.add_argument("--table", type=Path, metavar="FILE", help="measure nothing, print the table of this file")
    options = parser.parse_args()
    if options.table:
        print(_table(json.loads(options.table.read_text())))
        return
    if options.data is None:
        parser.error("--data is needed")
    out = options.out or RESULTS / ("accuracy_trained.json" if options.trained else "accuracy.json")
    scores_of = _pipeline_scores if options.trained else _scores
    names = sorted(path.parent.name for path in options.data.glob("*/*_TRAIN.ts"))
    results = circumstances() | {"seeds": options.seeds, "n_channels": {}, "scores": {}}
    warnings.filterwarnings("ignore", "The least populated class", UserWarning)
    with thread_limit(1):
        for name in names:
            start = time.perf_counter()
            X, y = load(name, "TRAIN", options.data)
            results["n_channels"][name] = X.shape[1]
            for setting, score in scores_of(X, y, options.seeds).items():
                results["scores"].setdefault(setting, {})[name] = score
            print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, indent=1) + "\n")
    print(_table(results))


def _scores(X, y, n_seeds):
    """Mean accuracy of each setting over seeds and folds."""
    found = {}
    for seed in range(n_seeds):
        products = {name: _product(make(seed), scaler, X) for name, (make, scaler) in BLOCKS.items()}
        for setting, weights in SETTINGS.items():
            total = sum(weight * products[name] for name, weight in weights.items())
            found.setdefault(setting, []).append(_cross_validate(total, y, LeaveOneOutRidgeClassifier()))
        total = sum(weight * products[name] for name, weight in BASE.items())
        found.setdefault(BY_SQUARED_ERROR, []).append(
            _cross_validate(total, y, RidgeClassifierCV(LeaveOneOutRidgeClassifier().alphas))
        )
    return {setting: round(float(np.mean(scores)), 5) for setting, scores in found.items()}


def _pipeline_scores(X, y, n_seeds):
    """Mean accuracy over seeds and folds of random functionals with trained ones of several weights beside them."""
    found = {name: [] for name in WEIGHTS}
    for seed in range(n_seeds):
        for train, test in _folds(n_repeats=1, random_state=seed).split(X, y):
            trained = _low_rank(seed, n_functionals=N_TRAINED, fit_mode="supervised")
            union = make_union(make_pipeline(_low_rank(seed), ROOT), make_pipeline(trained, FeatureScaler(power=0.5)))
            fitted, others = union.fit_transform(X[train], y[train]), union.transform(X[test])
            n_random = len(union.transformer_list[0][1].get_feature_names_out())
            for name, weight in WEIGHTS.items():
                weights = np.repeat([1.0, weight], [n_random, fitted.shape[1] - n_random]).astype(fitted.dtype)
                classifier = LeaveOneOutRidgeClassifier().fit(fitted * weights, y[train])
                found[name].append(classifier.score(others * weights, y[test]))
    return {name: round(float(np.mean(scores)), 5) for name, scores in found.items()}


def _product(transformer, scaler, X):
    features = scaler.fit_transform(transformer.fit_transform(X)).astype(np.float64)
    return features @ features.T


def _cross_validate(product, y, classifier):
    """Accuracy on n_samples coordinates that have these inner products."""
    squares, vectors = np.linalg.eigh(product)
    coordinates = vectors * np.sqrt(np.maximum(squares, 0))
    folds = _folds(n_repeats=REPEATS, random_state=0)
    return cross_val_score(classifier, coordinates, y, cv=folds, error_score="raise").mean()


def _folds(**parameters):
    return RepeatedStratifiedKFold(n_splits=FOLDS, **parameters)


def _table(results):
    """Means over multivariate and univariate sets, and paired differences from the base with their standard errors."""
    groups = [[name for name, n in results["n_channels"].items() if (n > 1) == many] for many in (True, False)]
    base = next(iter(results["scores"].values()))
    rows = []
    for setting, scores in results["scores"].items():
        row = [setting]
        for group in groups:
            own = np.array([scores[name] for name in group])
            more = own - [base[name] for name in group]
            error = more.std(ddof=1) / np.sqrt(len(group)) if len(group) > 1 else np.nan
            row += [f"{own.mean():.4f}", f"{more.mean():+.4f} ± {error:.4f}"]
        rows.append(row)
    counts = [f"{len(group)} {kind}" for group, kind in zip(groups, ("multivariate", "univariate"), strict=True)]
    return markdown_table(["setting", counts[0], "more than base", counts[1], "more than base"], rows)


if __name__ == "__main__":
    main()
