"""Cross-validated accuracy of the views of `sigfeat_classifier`: ``python -m benchmarks.views --data DIR``.

Only training parts are used. Each member is fitted once in each fold, and ensembles of members share these fits. There
are more folds the fewer series there are, so that members are fitted to nearly as many series as in use: 8 folds up to
150 series, 4 up to 320, and 3 for more.

Beside the data sets there are controls with many noisy channels: to six sets, 12 or 20 channels are added that are
channels of other series of the same set, drawn at random, with noise. They look like the others and say nothing of the
class.
"""

import argparse
import json
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer

from benchmarks.data import load
from benchmarks.measure import circumstances, markdown_table, thread_limit
from sigfeat import (
    FeatureScaler,
    Increments,
    IntervalQuantileTransformer,
    LeaveOneOutRidgeClassifier,
    LowRankISSTransformer,
)
from sigfeat.classifiers import iss_classifier
from sigfeat.ensemble import CrossFittedClassifier, MultiViewClassifier
from sigfeat.panel import series_lengths

RESULTS = Path(__file__).parent / "results" / "views.json"
CONTROLS = {
    "RacketSports": 12,
    "ERing": 12,
    "Libras": 12,
    "UWaveGestureLibrary": 12,
    "GunPoint": 12,
    "BasicMotions": 20,
}
NOISE = 0.3  # of the standard deviation of the channels that are added
LEAST_PROBABILITY = 1e-3  # in the log loss
EQUAL = 1e9  # shrinkage with which all weights are equal
GROUPS = ("multivariate", "univariate", "with noisy channels")


def _ridge(features, power=0.5):
    return make_pipeline(features, FeatureScaler(power=power), LeaveOneOutRidgeClassifier())


def reverse(X: np.ndarray) -> np.ndarray:
    """Series backwards, each at its own length."""
    turned = np.full_like(X, np.nan)
    for series, backwards, n in zip(X, turned, series_lengths(X), strict=True):
        backwards[:, :n] = series[:, :n][:, ::-1]
    return turned


def _beside(seed, change):
    """Half of the sums, and as many of the changed series."""
    changed = make_pipeline(change, LowRankISSTransformer(500, random_state=seed + 500))
    return make_union(LowRankISSTransformer(500, random_state=seed), changed)


def _forest(seed):
    return CrossFittedClassifier(ExtraTreesClassifier(25, criterion="entropy", max_features=0.1), random_state=seed)


def _trees(seed, forest=None, **parameters):
    quantiles = IntervalQuantileTransformer(random_state=seed, **parameters)
    return make_pipeline(quantiles, _forest(seed) if forest is None else forest)


class OutOfBag(ClassifierMixin, BaseEstimator):
    """Bootstrap samples and out-of-bag votes in place of folds."""

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "OutOfBag":
        """Fit the trees."""
        how = {"bootstrap": True, "oob_score": True, "random_state": self.random_state}
        self.trees_ = ExtraTreesClassifier(200, criterion="entropy", max_features=0.1, **how).fit(X, y)
        self.classes_, votes = self.trees_.classes_, self.trees_.oob_decision_function_
        self.left_out_probabilities_ = np.nan_to_num(votes, nan=1 / len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Votes of the trees."""
        return self.trees_.predict_proba(X)


class Known(ClassifierMixin, BaseEstimator):
    """Probabilities of a member that was fitted before: those of the series left out, and those of the others."""

    def __init__(self, left_out: Any, others: Any) -> None:
        self.left_out, self.others = left_out, others

    def fit(self, X: Any, y: Any) -> "Known":
        """Take the probabilities."""
        self.classes_, self.left_out_probabilities_ = np.unique(y), self.left_out
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probabilities of the others."""
        return self.others


MEMBERS = {
    "sums": lambda seed: iss_classifier(random_state=seed),
    "semirings": lambda seed: _ridge(
        LowRankISSTransformer(semiring=("real", "max_plus", "min_plus"), random_state=seed + 200)
    ),
    "quantiles": lambda seed: _trees(seed),
    "sums, another draw": lambda seed: iss_classifier(random_state=seed + 100),
    "quantiles without iterated sums": lambda seed: _trees(seed, words=None),
    "quantiles, words of one letter": lambda seed: _trees(seed, depth=1, decay=0.0),
    "quantiles, out-of-bag votes": lambda seed: _trees(seed, OutOfBag(seed)),
}
MORE = {  # with one seed in the committed figures
    "sums, three levels": lambda seed: _ridge(LowRankISSTransformer(500, depth=3, random_state=seed + 300)),
    "sums, half of them of reversed series": lambda seed: _ridge(_beside(seed, FunctionTransformer(reverse))),
    "sums, half of them of second differences": lambda seed: _ridge(
        _beside(seed, make_pipeline(Increments(basepoint=True), Increments(basepoint=True)))
    ),
    "sums, windows of 17": lambda seed: _ridge(LowRankISSTransformer(n_lags=17, random_state=seed)),
    "sums, balanced classes": lambda seed: iss_classifier(
        classifier=LeaveOneOutRidgeClassifier(class_weight="balanced"), random_state=seed
    ),
    "quantiles without spectrum": lambda seed: _trees(
        seed, representations=("series", "differences", "second_differences")
    ),
    "quantiles, at most 2,500 features": lambda seed: _trees(seed, max_features=2500),
    "quantiles and a ridge": lambda seed: _ridge(IntervalQuantileTransformer(random_state=seed), power=1.0),
}
BASE = ("sums", "semirings", "quantiles")
ENSEMBLES = {  # members, and parameters of `MultiViewClassifier`, or None for the mean of the probabilities
    "sums + semirings + quantiles (base)": (BASE, {}),
    "base, mean of the probabilities": (BASE, None),
    "base, equal weights": (BASE, {"shrinkage": EQUAL, "tolerance": None}),
    "base, no member is left out": (BASE, {"tolerance": None}),
    "base, members within 1 standard error": (BASE, {"tolerance": 1.0}),
    "base, members within 3 standard errors": (BASE, {"tolerance": 3.0}),
    **{f"base, shrinkage {shrinkage:g}": (BASE, {"shrinkage": shrinkage}) for shrinkage in (0.0, 2.0, 10.0)},
    "sums + quantiles": (("sums", "quantiles"), {}),
    "sums + semirings": (("sums", "semirings"), {}),
    **{
        f"sums + semirings + {name}": (("sums", "semirings", name), {})
        for name in (*MEMBERS, *MORE)
        if name.startswith("quantiles") and name != "quantiles"
    },
    **{f"base + {name}": ((*BASE, name), {}) for name in (*MEMBERS, *MORE) if name.startswith("sums,")},
}


def main() -> None:
    """Measure and write, or print what was written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.views", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of NAME/NAME_TRAIN.ts")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="data sets and controls; default: all")
    parser.add_argument("--more", action="store_true", help="also the members that are in no ready classifier")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="folds and random draws; default: 0 1 2"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file; what it holds already is not repeated")
    parser.add_argument("--table", action="store_true", help="measure nothing, print the table of the JSON file")
    options = parser.parse_args()
    if options.table:
        print(table(json.loads(options.out.read_text())))
        return
    if options.data is None:
        parser.error("--data is needed")
    names = sorted(path.parent.name for path in options.data.glob("*/*_TRAIN.ts"))
    names += [f"{name} + {n} noisy channels" for name, n in CONTROLS.items() if name in names]
    warnings.filterwarnings("ignore", "The least populated class", UserWarning)
    members = MEMBERS | MORE if options.more else MEMBERS
    found = json.loads(options.out.read_text()) if options.out.exists() else circumstances() | {"cells": {}}
    with thread_limit(1):
        for seed in options.seeds:
            for name in options.sets or names:
                if f"{name}, seed {seed}" in found["cells"]:
                    continue
                start = time.perf_counter()
                found["cells"][f"{name}, seed {seed}"] = measured(name, options.data, members, seed)
                options.out.parent.mkdir(parents=True, exist_ok=True)
                options.out.write_text(json.dumps(found, indent=1) + "\n")
                print(f"{name}, seed {seed}: {time.perf_counter() - start:.0f} s", flush=True)
    print(table(found))


def measured(name: str, folder: Path, members: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Accuracy and log loss of all members and ensembles, means over the folds of a data set."""
    X, y = series_of(name, folder)
    classes, labels = np.unique(y, return_inverse=True)
    n_folds = 8 if len(y) <= 150 else 4 if len(y) <= 320 else 3
    n_folds = min(n_folds, max(3, np.bincount(labels).min()))
    scores: dict[str, list[tuple[float, float]]] = {}
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for train, test in folds.split(X, y):
        known = {member: _fitted(make(seed), X, labels, train, test) for member, make in members.items()}
        present = np.unique(labels[train])
        for member, one in known.items():
            scores.setdefault(member, []).append(_scores(one.others, present, labels[test]))
        for ensemble, (parts, how) in ENSEMBLES.items():
            if set(parts) <= set(known):
                pooled = _pooled([known[part] for part in parts], how, labels[train])
                scores.setdefault(ensemble, []).append(_scores(pooled, present, labels[test]))
    means = {setting: np.mean(values, axis=0).round(5).tolist() for setting, values in scores.items()}
    kind = GROUPS[2] if "+" in name else GROUPS[0] if X.shape[1] > 1 else GROUPS[1]
    return {"kind": kind, "n_samples": len(X), "n_classes": len(classes), "scores": means}


def series_of(name: str, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Training part of a data set, or of a control."""
    base, _, more = name.partition(" + ")
    X, y = load(base, "TRAIN", folder)
    if not more:
        return X, y
    rng, added = np.random.default_rng(0), []
    for _ in range(int(more.split()[0])):
        channel = X[rng.permutation(len(X)), rng.integers(X.shape[1])]
        added.append(channel + NOISE * np.nanstd(channel) * rng.standard_normal(channel.shape))
    return np.concatenate([X, np.stack(added, axis=1)], axis=1), y


def _fitted(model, X, labels, train, test):
    model.fit(X[train], labels[train])
    return Known(model[-1].left_out_probabilities_, model.predict_proba(X[test]))


def _pooled(known, how, labels):
    if how is None:
        return np.mean([one.others for one in known], axis=0)
    pool = MultiViewClassifier([(f"view {k}", one) for k, one in enumerate(known)], **how)
    return pool.fit(labels[:, np.newaxis], labels).predict_proba(None)


def _scores(probabilities, present, labels):
    """Accuracy and log loss."""
    right = present[probabilities.argmax(axis=1)] == labels
    own = (probabilities * (labels[:, np.newaxis] == present)).sum(axis=1)
    return right.mean(), -np.log(np.maximum(own, LEAST_PROBABILITY)).mean()


def table(found: dict[str, Any]) -> str:
    """Means over seeds and sets of each group, and paired differences from the base with their standard errors.

    The differences are those on the seeds and the sets with which a setting was measured.
    """
    base, groups = next(iter(ENSEMBLES)), {}
    for cell, record in found["cells"].items():
        groups.setdefault(record["kind"], {}).setdefault(cell.rsplit(", seed ", 1)[0], []).append(record["scores"])
    rows = []
    for setting in (*MEMBERS, *MORE, *ENSEMBLES):
        row = [setting]
        for kind in GROUPS:
            found_in = [[one for one in seeds if setting in one] for seeds in groups.get(kind, {}).values()]
            sets = [seeds for seeds in found_in if seeds]
            if not sets:
                row += ["", "", ""]
                continue
            own = np.array([np.mean([one[setting] for one in seeds], axis=0) for seeds in sets])
            others = np.array([np.mean([one[base] for one in seeds], axis=0) for seeds in sets])
            more = (own - others)[:, 0]
            error = more.std(ddof=1) / np.sqrt(len(more)) if len(more) > 1 else np.nan
            row += [f"{own[:, 0].mean():.4f}", f"{more.mean():+.4f} ± {error:.4f}", f"{own[:, 1].mean():.3f}"]
        rows.append(row)
    headers = [f"{len(groups.get(kind, {}))} {kind}" for kind in GROUPS]
    return markdown_table(["setting", *[h for one in headers for h in (one, "more than base", "log loss")]], rows)


if __name__ == "__main__":
    main()
