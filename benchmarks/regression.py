"""Regression of a number from time series: ``python -m benchmarks.regression [--data DIR]``.

Two kinds of data sets are measured. `REGRESSION_SETS` ship with sktime and aeon, with targets of their own.
`BUILT_SETS` are made from classification sets of the UCR and UEA archives, without their classes, by one of two rules:

* NAME-future: the input is the first 80% of each series, the target is the mean of channel 1 over the last 10%. The 10%
  between them are used by neither.
* NAME-hidden: the input is all channels except channel 1, the target is the standard deviation of channel 1.

Lengths are those of each series, so that the padding of shorter ones enters neither input nor target. Targets are
divided by the standard deviation of the training targets.

Most archive sets hold series of mean 0 and standard deviation 1. The mean of the first part of such a series reveals
much of the mean of the rest. Where every training series of channel 1 has mean 0, NAME-future therefore standardises
each channel by the mean and the standard deviation of its first 80%, and measures the target in these units too.

Which rule is applied to which set of the folder was chosen by the test R2 of random forests on `three_numbers` and
`summary_statistics`, and of linear regression on `three_numbers`; no other model was looked at for that.

R2 is 1 - sum (y - prediction)^2 / sum (y - m)^2 on the test part, m the mean of the training targets: the model "mean"
has exactly 0. Two controls are among the models: "mean", and "three_numbers", a random forest on the mean, the standard
deviation and the last value of the first channel of the input. In the table, * marks the sets on which no model has an
R2 above `LEAST_R2`, which are left out of ranks and differences, and + the sets on which no model is better than
"three_numbers" by more than `LEAST_R2`.
"""

import argparse
import functools
import importlib
import importlib.util
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks import data
from benchmarks.archive.pipelines import SHORTEST, last_value_padded
from benchmarks.measure import circumstances, made, markdown_table, thread_limit
from sigfeat import to_panel
from sigfeat.classifiers import iss_regressor, sigfeat_regressor
from sigfeat.panel import series_lengths

RESULTS = Path(__file__).parent / "results" / "regression.json"
REGRESSION_SETS = {  # package, and loader
    "Tecator": ("sktime", "load_tecator"),
    "Covid3Month": ("sktime", "load_covid_3month"),
    "CardanoSentiment": ("aeon", "load_cardano_sentiment"),
}
BUILT_SETS = (
    "ArrowHead-future",
    "GunPoint-future",
    "OSULeaf-future",
    "ItalyPowerDemand-future",
    "ACSF1-future",
    "BasicMotions-future",
    "JapaneseVowels-future",
    "JapaneseVowels-hidden",
)
BUILT_SETS_OF_FOLDER = (  # these have at least 100 training series, except Lightning7, which has 70
    "ECG200-future",
    "Ham-future",
    "Lightning7-future",
    "MedicalImages-future",
    "SwedishLeaf-future",
    "SyntheticControl-future",
    "UWaveGestureLibrary-future",
    "Libras-future",
    "FingerMovements-future",
    "NATOPS-hidden",
    "RacketSports-hidden",
)
LEAST_R2 = 0.05
N_TO_WARM = 20  # series
BASE, CONTROL = "iss_regressor", "three_numbers"


def main() -> None:
    """Measure and write, or print what was written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regression", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of NAME/NAME_TRAIN.ts, for more built sets")
    parser.add_argument("--seeds", type=int, default=3, help="random states of each model")
    parser.add_argument("--sets", nargs="+", metavar="SET", help="data sets; default: all that are there")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file; what is not measured stays in it")
    parser.add_argument("--table", type=Path, metavar="FILE", help="measure nothing, print the tables of this file")
    options = parser.parse_args()
    if options.table:
        print(tables(json.loads(options.table.read_text())))
        return
    known = [*REGRESSION_SETS, *BUILT_SETS, *(BUILT_SETS_OF_FOLDER if options.data else ())]
    sets, models = options.sets or known, options.models
    if unknown := [name for name in sets if name not in known]:
        more = "" if options.data else f"; with --data also from {', '.join(BUILT_SETS_OF_FOLDER)}"
        parser.error(f"there is no data set {unknown[0]!r}: choose from {', '.join(known)}{more}")
    if importlib.util.find_spec("aeon") is None:
        print("aeon is not installed: its data set and its model are left out.")
        sets = [name for name in sets if REGRESSION_SETS.get(name, ("",))[0] != "aeon"]
        models = [name for name in models if name != "multirocket"]
    measure(sets, models, options.seeds, options.data, options.out)
    print(f"\n{tables(json.loads(options.out.read_text()))}\n\nwritten to {options.out}")


def measure(sets: list[str], models: list[str], n_seeds: int, folder: Path | None, out: Path) -> None:
    """Measure every model on every set, and write the file after each set; its other records stay."""
    document = json.loads(out.read_text()) if out.exists() else {"sets": {}, "records": []}
    document["circumstances"] = circumstances() | {"n_threads": 1}
    out.parent.mkdir(parents=True, exist_ok=True)
    warm = set()
    for name in sets:
        X, y, X_test, y_test = load(name, folder)
        found = []
        for model in models:
            if (model, len(X[0]) > 1) not in warm:  # what numba compiles, and libraries load, is not timed
                with thread_limit(1):
                    MODELS[model](0).fit(X[:N_TO_WARM], y[:N_TO_WARM]).predict(X_test[:N_TO_WARM])
                warm.add((model, len(X[0]) > 1))
            for seed in range(n_seeds):
                with thread_limit(1):
                    figures = _measured(MODELS[model](seed), X, y, X_test, y_test)
                found.append({"set": name, "model": model, "seed": seed, **figures, **made()})
            of_model = [record for record in found if record["model"] == model]
            r2, seconds = (np.mean([record[key] for record in of_model]) for key in ("r2", "fit_seconds"))
            print(f"{name}, {model}: R2 {r2:.3f}, fitted in {seconds:.1f} s", flush=True)
        document["sets"][name] = {
            "n_train": len(X),
            "n_test": len(X_test),
            "n_channels": X.shape[1],
            "n_timepoints": [int(length) for length in np.unique(series_lengths(X))[[0, -1]]],
        }
        replaced = {_key(record) for record in found}
        document["records"] = [one for one in document["records"] if _key(one) not in replaced] + found
        out.write_text(json.dumps(document, indent=1) + "\n")


def _key(record):
    return record["set"], record["model"], record["seed"]


def _measured(model, X, y, X_test, y_test):
    """Errors on the test part, and seconds."""
    start = time.perf_counter()
    model.fit(X, y)
    fitted = time.perf_counter()
    errors = y_test - np.ravel(model.predict(X_test))
    predicted = time.perf_counter()
    return {
        "r2": float(1 - np.square(errors).sum() / np.square(y_test - y.mean()).sum()),
        "rmse": float(np.sqrt(np.square(errors).mean())),
        "mae": float(np.abs(errors).mean()),
        "fit_seconds": fitted - start,
        "predict_seconds": predicted - fitted,
    }


def load(name: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Series and targets of the training part, then of the test part; shorter series are padded with NaN."""
    if name in REGRESSION_SETS:
        package, loader = REGRESSION_SETS[name]
        read = getattr(importlib.import_module(f"{package}.datasets"), loader)
        (X, y), (X_test, y_test) = read(split="train"), read(split="test")
        return to_panel(X), np.asarray(y, float), to_panel(X_test), np.asarray(y_test, float)
    archive_name, rule = name.rsplit("-", 1)
    folder = folder if name in BUILT_SETS_OF_FOLDER else None
    X, X_test = (data.load(archive_name, part, folder)[0] for part in ("TRAIN", "TEST"))
    if rule == "hidden":
        (X, y), (X_test, y_test) = hidden(X), hidden(X_test)
    else:
        standardise = has_zero_means(X)
        (X, y), (X_test, y_test) = future(X, standardise), future(X_test, standardise)
    return X, y / y.std(), X_test, y_test / y.std()


def future(X: np.ndarray, standardise: bool) -> tuple[np.ndarray, np.ndarray]:
    """First 80% of each series, and the mean of channel 1 over its last 10%, at least one point."""
    inputs, targets = [], []
    for one in _without_padding(X):
        n_timepoints = one.shape[1]
        first = one[:, : 4 * n_timepoints // 5]
        target = one[0, -max(n_timepoints // 10, 1) :].mean()
        if standardise:
            mean, scale = first.mean(axis=1), first.std(axis=1)
            scale[scale < 1e-8] = 1.0  # a constant channel
            first = (first - mean[:, np.newaxis]) / scale[:, np.newaxis]
            target = (target - mean[0]) / scale[0]
        inputs.append(first)
        targets.append(target)
    return to_panel(inputs), np.array(targets)


def hidden(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All channels except the first, and the standard deviation of the first."""
    return X[:, 1:], np.nanstd(X[:, 0], axis=1)


def has_zero_means(X: np.ndarray) -> bool:
    """Whether channel 1 of each series has mean 0, up to the digits that files of the archive have."""
    return bool((np.abs(np.nanmean(X[:, 0], axis=1)) < 0.01).all())


def summary_statistics(X: np.ndarray) -> np.ndarray:
    """Eleven numbers of each channel of each series."""
    rows = []
    for one in _without_padding(X):
        times = np.arange(one.shape[1]) - (one.shape[1] - 1) / 2
        slope = one @ times / np.square(times).sum()
        quartiles = np.quantile(one, (0.25, 0.5, 0.75), axis=1)
        extremes = one.min(axis=1), one.max(axis=1), one[:, 0], one[:, -1]
        change = np.abs(np.diff(one, axis=1)).mean(axis=1)
        rows.append(np.concatenate([one.mean(axis=1), one.std(axis=1), *extremes, *quartiles, slope, change]))
    return np.array(rows)


def three_numbers(X: np.ndarray) -> np.ndarray:
    """Mean, standard deviation and last value of the first channel of each series."""
    return np.array([[one[0].mean(), one[0].std(), one[0, -1]] for one in _without_padding(X)])


def _without_padding(X):
    return [one[:, :length] for one, length in zip(X, series_lengths(X), strict=True)]


class PaddedMultiRocket:
    """aeon's MultiRocket, with series padded with their last values to the longest training series."""

    def __init__(self, seed: int):
        convolution_based = importlib.import_module("aeon.regression.convolution_based")
        self.regressor = convolution_based.MultiRocketRegressor(random_state=seed, n_jobs=1)

    def fit(self, X: np.ndarray, y: np.ndarray) -> "PaddedMultiRocket":
        """Fit to a panel; longer series are cut to its length in prediction."""
        self.n_timepoints_ = max(X.shape[2], SHORTEST)
        self.regressor.fit(last_value_padded(X, self.n_timepoints_), y)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Targets of a panel."""
        return self.regressor.predict(last_value_padded(X, self.n_timepoints_))


def _forest(features, seed):
    return make_pipeline(FunctionTransformer(features), RandomForestRegressor(500, random_state=seed, n_jobs=1))


MODELS = {  # of a seed
    "iss_regressor": lambda seed: iss_regressor(random_state=seed, n_jobs=1),
    "sigfeat_regressor": lambda seed: sigfeat_regressor(random_state=seed, n_jobs=1),
    "multirocket": PaddedMultiRocket,
    "forest": functools.partial(_forest, summary_statistics),
    "three_numbers": functools.partial(_forest, three_numbers),
    "mean": lambda seed: DummyRegressor(),
}


def tables(document: dict) -> str:
    """R2 of every set and model, and ranks and differences over the sets that every model was measured on."""
    cells = defaultdict(list)
    for record in document["records"]:
        cells[record["set"], record["model"]].append(record)
    sets = [name for name in document["sets"] if any(key[0] == name for key in cells)]
    models = [name for name in MODELS if any(key[1] == name for key in cells)]
    r2 = np.array([[_mean(cells[one, model], "r2") for model in models] for one in sets])
    seconds = np.array([[_mean(cells[one, model], "fit_seconds") for model in models] for one in sets])
    says_nothing = np.nanmax(r2, axis=1) <= LEAST_R2
    header = ["data set", "training series", "channels", *models]
    rows = []
    for name, values, nothing in zip(sets, r2, says_nothing, strict=True):
        about, marks = document["sets"][name], "*" if nothing else ""
        if not nothing and CONTROL in models and np.nanmax(values) - values[models.index(CONTROL)] <= LEAST_R2:
            marks = "+"
        rows.append([f"{name} {marks}".strip(), str(about["n_train"]), str(about["n_channels"]), *_texts(values)])
    chosen = ~says_nothing & ~np.isnan(r2).any(axis=1)
    rows_of_models = _comparison(models, r2[chosen], seconds[chosen]) if chosen.any() else []
    text = (
        f"R2 on the test part, mean over seeds. * no model is above {LEAST_R2:g}: the set says nothing. "
        f"+ no model is better than {CONTROL} by more than {LEAST_R2:g}."
    )
    more = f"{chosen.sum()} sets: all that every model was measured on, without those marked *."
    columns = ["model", "mean R2", "mean rank", f"R2 more than {BASE}", "better / worse", "seconds of fit"]
    return f"{text}\n\n{markdown_table(header, rows)}\n\n{more}\n\n{markdown_table(columns, rows_of_models)}"


def _mean(records, key):
    return np.mean([record[key] for record in records]) if records else np.nan


def _texts(values):
    return ["" if np.isnan(value) else f"{value:.3f}" for value in values]


def _comparison(models, r2, seconds):
    """A row for each model: mean R2, mean rank, paired difference from the base with its standard error, time."""
    ranks = rankdata(-r2, axis=1).mean(axis=0)
    base = r2[:, models.index(BASE)] if BASE in models else np.full(len(r2), np.nan)
    rows = []
    for column, model in enumerate(models):
        more = r2[:, column] - base
        error = more.std(ddof=1) / np.sqrt(len(more)) if len(more) > 1 else np.nan
        compared = [] if model == BASE or BASE not in models else [f"{more.mean():+.3f} ± {error:.3f}"]
        compared += [f"{(more > 0).sum()} / {(more < 0).sum()}"] if compared else ["", ""]
        figures = f"{r2[:, column].mean():.3f}", f"{ranks[column]:.2f}"
        rows.append([model, *figures, *compared, f"{seconds[:, column].mean():.1f}"])
    return rows


if __name__ == "__main__":
    main()
