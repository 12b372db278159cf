"""Cross-validated accuracy of settings of a transformer: ``python -m benchmarks.settings [iss | development]``.

Only the training parts of the data sets are used: those that sktime ships, or with ``--data DIR`` every
NAME/NAME_TRAIN.ts of a folder. This is what the defaults were chosen by.
"""

import argparse
import itertools
import json
import statistics
import time
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from benchmarks.data import load
from benchmarks.measure import circumstances, markdown_table, thread_limit
from benchmarks.ridge import ridge_classifier
from sigfeat import AddTime, ISSTransformer, PathDevelopmentTransformer

RESULTS = Path(__file__).parent / "results"
BUNDLED = ("BasicMotions", "JapaneseVowels", "ArrowHead", "GunPoint", "OSULeaf", "ItalyPowerDemand", "ACSF1")
MAX_FEATURES = 50_000  # a setting that gives more is left out for this data set, and for its mean
ALL = ("end", "mean", "max", "min", "ppv")


def _spell(windows):
    return windows if isinstance(windows, str) else f"dyadic {windows[1]}"


ISS_SETTINGS = {
    f"{words} {depth}, {label}, {_spell(windows)}, decay {decay}": {
        "words": words,
        "depth": depth,
        "pooling": pooling,
        "windows": windows,
        "decay": decay,
    }
    for (words, depth), (label, pooling), windows, decay in itertools.product(
        (("length", 1), ("length", 2), ("weight", 2), ("weight", 3)),
        (("end", "end"), ("end mean max min", ALL[:4]), ("with ppv", ALL)),
        ("whole", ("dyadic", 2)),
        (0.0, 0.1),
    )
}
DEVELOPMENT_SETTINGS = {
    f"{group} {dim} x {number}, step size {step_size}, {label}, {_spell(windows)}": {
        "group": group,
        "dim": dim,
        "n_developments": number,
        "step_size": step_size,
        "pooling": pooling,
        "windows": windows,
    }
    for (group, dim, number, step_size), (label, pooling), windows in itertools.product(
        (
            ("SO", 4, 12, 1.0),
            ("SO", 5, 8, 0.5),
            ("SO", 5, 8, 1.0),
            ("SO", 5, 8, 2.0),
            ("SO", 6, 6, 1.0),
            ("SO", 8, 3, 1.0),
            ("SU", 4, 6, 1.0),
            ("SE", 5, 8, 1.0),
            ("Sp", 6, 6, 0.3),
            ("Sp", 6, 6, 1.0),
            ("GL", 5, 8, 0.3),
            ("GL", 5, 8, 1.0),
        ),
        (("end", "end"), ("end mean max min", ALL[:4])),
        ("whole", ("dyadic", 2), ("dyadic", 3)),
    )
}


def main() -> None:
    """Measure and write, or print what was written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.settings", description=__doc__.splitlines()[0])
    parser.add_argument("of", nargs="?", choices=MODELS, default="iss", help="transformer")
    parser.add_argument("--data", type=Path, help="folder of NAME/NAME_TRAIN.ts; default: what sktime ships")
    parser.add_argument("--out", type=Path, help="JSON file; default: in benchmarks/results")
    parser.add_argument("--table", type=Path, metavar="FILE", help="measure nothing, print the table of this file")
    options = parser.parse_args()
    if options.table:
        print(_table(json.loads(options.table.read_text())))
        return
    settings, model = MODELS[options.of]
    out = options.out or RESULTS / ("settings.json" if options.of == "iss" else f"settings_{options.of}.json")
    scores: dict[str, dict[str, float]] = {label: {} for label in settings}
    with thread_limit(1):
        for name, X, y in _training_sets(options.data):
            start = time.perf_counter()
            for label, setting in settings.items():
                score = _cross_validate(X, y, model(setting, X.shape[1]))
                if score is not None:
                    scores[label][name] = score
            print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    results = circumstances() | {"scores": scores}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, indent=1) + "\n")
    print(_table(results))


def _training_sets(folder):
    names = BUNDLED if folder is None else sorted(path.parent.name for path in folder.glob("*/*_TRAIN.ts"))
    for name in names:
        yield name, *load(name, "TRAIN", folder)


def _iss(setting, n_channels):
    return make_pipeline(ISSTransformer(**setting))


def _development(setting, n_channels):
    """A path in one dimension has a development that knows its ends only: time joins it."""
    time_too = [AddTime()] if n_channels == 1 else []
    return make_pipeline(*time_too, PathDevelopmentTransformer(**setting))


MODELS = {"iss": (ISS_SETTINGS, _iss), "development": (DEVELOPMENT_SETTINGS, _development)}


def _cross_validate(X, y, features):
    if features.fit(X[:2]).get_feature_names_out().size > MAX_FEATURES:
        return None
    model = ridge_classifier(features)
    smallest_class = min(np.unique(y, return_counts=True)[1])
    folds = StratifiedKFold(min(3, int(smallest_class)), shuffle=True, random_state=0)
    return round(float(cross_val_score(model, X, y, cv=folds).mean()), 4)


def _table(results):
    """Settings by mean accuracy over the data sets that every setting could do."""
    shared = set.intersection(*(set(by_set) for by_set in results["scores"].values()))
    means = {label: statistics.mean(by_set[name] for name in shared) for label, by_set in results["scores"].items()}
    rows = [[label, f"{mean:.3f}"] for label, mean in sorted(means.items(), key=lambda item: -item[1])]
    header = ["setting", f"mean accuracy on {len(shared)} training sets"]
    return f"{markdown_table(header, rows)}\n\nLeft out: {sorted(set(results['scores'][next(iter(means))]) - shared)}"


if __name__ == "__main__":
    main()
