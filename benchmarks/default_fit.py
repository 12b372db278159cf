"""Processor time of a default fit of a student, and its fidelity: ``python -m benchmarks.default_fit``.

Teacher and student are trained on random walks, or on the training parts of data sets, on one thread. The fidelity is
that on the series that the distillation held out.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator

from benchmarks.data import load
from benchmarks.measure import circumstances, markdown_table, thread_limit
from sigfeat import HyenaEmbeddingTransformer, MHAEmbedder

RESULTS = Path(__file__).parent / "results" / "default_fit.json"
WALKS, SHAPE = "random walks", (137, 3, 206)
FIGURES = ("pooled_r2", "token_r2")


def main() -> None:
    """Measure and write, or print what was written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.default_fit", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of NAME/NAME_TRAIN.ts; default: what sktime ships")
    parser.add_argument("--sets", nargs="+", default=[WALKS], help=f"names of data sets, or {WALKS!r}")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--shape", type=int, nargs=3, default=SHAPE, help="series, channels and points of the walks")
    parser.add_argument("--max-epochs", type=int, help="of teacher and student; default: their own")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file; sets not run stay in it")
    parser.add_argument("--table", type=Path, metavar="FILE", help="measure nothing, print the table of this file")
    options = parser.parse_args()
    if options.table:
        print(_table(json.loads(options.table.read_text())))
        return
    measured = {}
    with thread_limit(1):
        for name in options.sets:
            X = _walks(options.shape) if name == WALKS else load(name, "TRAIN", options.data)[0]
            records = [_record(X, seed, options.max_epochs) for seed in range(options.seeds)]
            measured[name] = circumstances() | {"shape": X.shape, "records": records}
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results | measured, indent=1) + "\n")
    print(f"\n{_table(measured)}\n\nwritten to {options.out}")


def _walks(shape):
    return np.random.default_rng(0).standard_normal(shape).cumsum(axis=2)


def _record(X, seed, max_epochs):
    """Seconds of processor time of the fits of teacher and student together, and of the teacher alone."""
    more = {} if max_epochs is None else {"max_epochs": max_epochs}
    start = time.process_time()
    teacher = MHAEmbedder(random_state=seed, **more).fit(X)
    of_teacher = time.process_time() - start
    start = time.process_time()
    student = HyenaEmbeddingTransformer(FrozenEstimator(teacher), random_state=seed, **more).fit(X)
    of_student = time.process_time() - start
    record = {"teacher": of_teacher, "student": of_student} | {name: student.fidelity_[name] for name in FIGURES}
    print({name: round(value, 4) for name, value in record.items()}, flush=True)
    return record


def _table(results):
    """Markdown of a results file: medians of the seconds, means of the figures."""
    header = ["series", "n_samples x n_channels x n_timepoints", "seconds", "of the teacher", "pooled R2", "token R2"]
    rows, notes = [], []
    for name, found in results.items():
        records = found["records"]
        total = statistics.median(record["teacher"] + record["student"] for record in records)
        of_teacher = statistics.median(record["teacher"] for record in records)
        figures = [f"{statistics.mean(record[figure] for record in records):.4f}" for figure in FIGURES]
        shape = " x ".join(map(str, found["shape"]))
        rows.append([name, shape, f"{total:.1f}", f"{of_teacher:.1f}", *figures])
        versions = ", ".join(f"{package} {version}" for package, version in found["versions"].items())
        notes.append(
            f"{name}: {len(records)} seeds, commit {found['commit']}, {found['date'][:10]}, {found['cpu']}, one "
            f"thread, float32, {versions}."
        )
    return markdown_table(header, rows) + "\n\n" + "\n".join(notes)


if __name__ == "__main__":
    main()
