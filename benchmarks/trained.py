"""Trained against random developments: ``python -m benchmarks.trained [--data DIR]``.

Everything is chosen by cross-validation on the training parts: those that sktime ships, or every NAME/NAME_TRAIN.ts of
a folder that has more than one channel. The test parts serve once, for the settings chosen.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedKFold

from benchmarks.data import load
from benchmarks.measure import circumstances, markdown_table, thread_limit
from benchmarks.ridge import ridge_classifier
from sigfeat import PathDevelopmentTransformer

RESULTS = Path(__file__).parent / "results" / "trained.json"
BUNDLED = ("BasicMotions", "JapaneseVowels")
GROUPS, MODES = ("SO", "Sp"), ("random", "supervised")
SIZES = {
    "4 developments of side 4, final values": {
        "dim": 4,
        "n_developments": 4,
        "pooling": "end",
        "windows": "whole",
    },
    "6 developments of side 6, statistics of dyadic windows (the defaults)": {},
}


def main() -> None:
    """Measure and write, or print what was written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trained", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of NAME/NAME_TRAIN.ts; default: what sktime ships")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--seeds", type=int, default=3, help="seeds, and foldings, to take the mean over")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file; sizes not run stay in it")
    parser.add_argument("--table", type=Path, metavar="FILE", help="measure nothing, print the tables of this file")
    options = parser.parse_args()
    if options.table:
        print(_tables(json.loads(options.table.read_text())))
        return
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    measured = {}
    with thread_limit(1):
        for size in options.sizes:
            records = [_record(size, *data_set, options.seeds) for data_set in _data_sets(options.data)]
            measured[size] = circumstances() | {"seeds": options.seeds, "records": records}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results | measured, indent=1) + "\n")
    print(f"\n{_tables(measured)}\n\nwritten to {options.out}")


def _data_sets(folder):
    """Name, training part and test part, each (X, y)."""
    names = BUNDLED if folder is None else sorted(path.name for path in folder.iterdir() if path.is_dir())
    for name in names:
        parts = []
        for part in ("TRAIN", "TEST"):
            X, y = load(name, part, folder)
            parts.append((X.astype(np.float32), y))
        if parts[0][0].shape[1] > 1:
            yield name, *parts


def _record(size, name, train, test, n_seeds):
    """Accuracies of both modes: cross-validated for each group, tested for the group that was better there."""
    start, record = time.perf_counter(), {"name": name}
    for mode in MODES:
        validated = {
            group: statistics.mean(
                _cross_validate(_model(size, group, mode, seed), *train, seed) for seed in range(n_seeds)
            )
            for group in GROUPS
        }
        chosen = max(GROUPS, key=lambda group: validated[group])
        tested = [_model(size, chosen, mode, seed).fit(*train).score(*test) for seed in range(n_seeds)]
        record[mode] = {"cross_validated": validated, "group": chosen, "tested": tested}
    line = ", ".join(
        f"{mode} {record[mode]['group']} {max(record[mode]['cross_validated'].values()):.3f} "
        f"{statistics.mean(record[mode]['tested']):.3f}"
        for mode in MODES
    )
    print(f"{size}, {name}: {line} ({time.perf_counter() - start:.0f} s)", flush=True)
    return record


def _model(size, group, mode, seed):
    development = PathDevelopmentTransformer(group, fit_mode=mode, random_state=seed, **SIZES[size])
    return ridge_classifier(development)


def _cross_validate(model, X, y, seed):
    n_folds = min(3, int(np.unique(y, return_counts=True)[1].min()))
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(X, y)
    right = [model.fit(X[fit], y[fit]).predict(X[rest]) == y[rest] for fit, rest in folds]
    return float(np.concatenate(right).mean())


def _tables(results):
    parts = []
    for size, found in results.items():
        header = ["data set", "random, cross-validated", "trained", "random, test", "trained"]
        rows, verdicts = [], {"cross-validation": [], "test": []}
        figures = []
        for record in found["records"]:
            best = [max(record[mode]["cross_validated"].values()) for mode in MODES]
            tested = [statistics.mean(record[mode]["tested"]) for mode in MODES]
            groups = [record[mode]["group"] for mode in MODES]
            for verdict, (random, trained) in zip(verdicts.values(), (best, tested), strict=True):
                verdict.append((trained > random) - (trained < random))
            figures.append([*best, *tested])
            cells = [f"{value:.3f} {group}" for value, group in zip(best, groups, strict=True)]
            rows.append([record["name"], *cells, *(f"{value:.3f}" for value in tested)])
        rows.append(["**mean**", *(f"{statistics.mean(column):.3f}" for column in zip(*figures, strict=True))])
        counts = "; ".join(
            f"in {name} better on {verdict.count(1)}, equal on {verdict.count(0)}, worse on {verdict.count(-1)}"
            for name, verdict in verdicts.items()
        )
        note = (
            f"Trained developments are {counts} of {len(rows) - 1} data sets. Means over {found['seeds']} seeds; "
            f"commit {found['commit']}, {found['date'][:10]}."
        )
        parts.append(f"### {size[0].upper()}{size[1:]}\n\n{markdown_table(header, rows)}\n\n{note}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
