"""Which data sets need mixing over time: ``python -m benchmarks.hyena_vs_mha.screening --data DIR``.

Only training parts are used. A teacher is trained on three fifths of the training series, and a ridge classifier of its
embeddings predicts the classes of the others. The same network without mixing, trained in the same way, is the control.
The mixing gap is the difference of the two accuracies. In both, points are embedded one by one, so that only attention
mixes them. In the other settings nine neighbouring points are embedded together, positions are known in another way, or
there is no short filter; the defaults of `MHAEmbedder` were chosen from these.
"""

import argparse
import dataclasses
import json
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

from benchmarks.archive.sets import names
from benchmarks.data import load
from benchmarks.measure import circumstances, markdown_table, thread_limit
from benchmarks.ridge import ridge_classifier
from benchmarks.study.files import write
from sigfeat import MHAEmbedder

RESULTS = Path(__file__).parents[1] / "results" / "hyena_vs_mha" / "screening.json"
HELD_OUT = 0.4  # fraction of the training series
LONG = 400  # steps from which on only the default and the control are trained, with smaller batches
ATTENTION, CONTROL = "attention", "without mixing"
WIDE, WIDE_CONTROL = "neighbours", "neighbours, without mixing"
VARIANTS: dict[str, dict[str, Any]] = {
    ATTENTION: {"positions": "rotary", "embedding_filter": 1, "short_filter": 3},
    CONTROL: {"positions": "rotary", "embedding_filter": 1, "short_filter": 3},
    WIDE: {"positions": "rotary", "embedding_filter": 9, "short_filter": 3},
    WIDE_CONTROL: {"positions": "rotary", "embedding_filter": 9, "short_filter": 3},
    "neighbours, sinusoidal": {"positions": "sinusoidal", "embedding_filter": 9, "short_filter": 3},
    "neighbours, ALiBi": {"positions": "alibi", "embedding_filter": 9, "short_filter": 3},
    "neighbours, no short filter": {"positions": "rotary", "embedding_filter": 9, "short_filter": 1},
    "sinusoidal, no short filter": {"positions": "sinusoidal", "embedding_filter": 1, "short_filter": 1},
}


PAIRS = ((ATTENTION, CONTROL), (WIDE, WIDE_CONTROL))


class WithoutMixing(MHAEmbedder):
    """The network of `MHAEmbedder` in which no token depends on another, except through the embedding of points."""

    def _spec(self, n_channels):
        return dataclasses.replace(super()._spec(n_channels), mixer="pointwise")


def main() -> None:
    """Train what is not in the file yet, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hyena_vs_mha.screening", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of NAME/NAME_TRAIN.ts; default: sktime's sets")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="data sets; default: all of the folder")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="number of splits and trainings (default: 1)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE", help="JSON file; what it has stays in it")
    parser.add_argument("--table", type=Path, metavar="FILE", help="train nothing, print the table of this file")
    options = parser.parse_args()
    if options.table:
        print(table(json.loads(options.table.read_text())["records"]))
        return
    found = json.loads(options.out.read_text()) if options.out.exists() else {"records": []}
    done = {(row["data_set"], row["variant"], row["seed"]) for row in found["records"]}
    with thread_limit(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(options.seeds):
            for name in options.sets or names(options.data):
                X, y = load(name, "TRAIN", options.data)
                for variant in options.variants:
                    if (name, variant, seed) in done or (X.shape[2] > LONG and variant not in (ATTENTION, CONTROL)):
                        continue
                    found["records"].append(measured(name, variant, seed, X, y))
                    found["circumstances"] = circumstances()
                    write(options.out, json.dumps(found, indent=1) + "\n")
    print(table(found["records"]))


def measured(name: str, variant: str, seed: int, X: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Accuracy of one network on the series that it was not trained on."""
    split = StratifiedShuffleSplit(1, test_size=HELD_OUT, random_state=seed)
    training, held_out = next(split.split(X, y))
    sizes = {"batch_size": max(4, 16 * LONG // X.shape[2] // 2)} if X.shape[2] > LONG else {}
    cls = WithoutMixing if variant in (CONTROL, WIDE_CONTROL) else MHAEmbedder
    embedder = cls(**VARIANTS[variant], **sizes, fit_mode="supervised", task="classification", random_state=seed)
    start = time.process_time()
    embedder.fit(X[training], y[training])
    seconds = time.process_time() - start
    classifier = ridge_classifier()
    classifier.fit(embedder.transform(X[training]), y[training])
    accuracy = classifier.score(embedder.transform(X[held_out]), y[held_out])
    shape = {"n_channels": X.shape[1], "n_timepoints": X.shape[2], "n_held_out": len(held_out)}
    return {"data_set": name, "variant": variant, "seed": seed, "accuracy": accuracy, "seconds": seconds} | shape


def table(records: list[dict[str, Any]]) -> str:
    """Markdown: accuracies of all variants, and both mixing gaps; the largest gap with neighbours first."""
    rows = []
    for name in dict.fromkeys(row["data_set"] for row in records):
        own = [row for row in records if row["data_set"] == name]
        means = {
            variant: statistics.mean(row["accuracy"] for row in own if row["variant"] == variant)
            for variant in dict.fromkeys(row["variant"] for row in own)
        }
        gaps = [means.get(one, np.nan) - means.get(other, np.nan) for one, other in PAIRS]
        cells = ["" if np.isnan(gap) else f"{gap:+.3f}" for gap in gaps]
        cells += [f"{means[variant]:.3f}" if variant in means else "" for variant in VARIANTS]
        rows.append((gaps[1], [name, f"{own[0]['n_channels']} x {own[0]['n_timepoints']}", *cells]))
    rows.sort(key=lambda row: -np.nan_to_num(row[0], nan=-1.0))
    header = ["data set", "channels x steps", "gap", "gap, neighbours", *VARIANTS]
    return markdown_table(header, [cells for _, cells in rows])


if __name__ == "__main__":
    main()
