"""How well students imitate attention: ``python -m benchmarks.distillation [--data DIR]``.

Teachers and students are trained on the training part, and judged on the test part, which nothing was chosen by.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.data import load
from benchmarks.measure import circumstances, markdown_table, thread_limit
from sigfeat import (
    HyenaEmbeddingTransformer,
    MHAEmbedder,
    RecurrentEmbeddingTransformer,
    S4EmbeddingTransformer,
)

RESULTS = Path(__file__).parent / "results" / "distillation.json"
DATA_SETS = ("BasicMotions", "JapaneseVowels")  # sktime ships them
STUDENTS = {f"Hyena order {order}": (HyenaEmbeddingTransformer, {"order": order}) for order in (1, 2, 3, 4, 8)}
STUDENTS |= {
    "Hyena order 16, 400 steps": (HyenaEmbeddingTransformer, {"order": 16, "max_epochs": 20}),
    "S4D": (S4EmbeddingTransformer, {}),
    "S4": (S4EmbeddingTransformer, {"kind": "dplr"}),
    "GRU": (RecurrentEmbeddingTransformer, {}),
}
SEARCHED = "BasicMotions, supervised teacher"
CONTROL = "Hyena order 2"  # the student that is trained beside a control


def main() -> None:
    """Measure and write, or print what was written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distillation", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of NAME/NAME_TRAIN.ts; default: what sktime ships")
    parser.add_argument("--sets", nargs="+", default=list(DATA_SETS), help="names of data sets")
    parser.add_argument("--objectives", nargs="+", default=["supervised", "masked"])
    parser.add_argument("--students", nargs="+", choices=STUDENTS, default=list(STUDENTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--search", action="store_true", help="time a grid search, in two processes, too")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file; sets not run stay in it")
    parser.add_argument("--table", type=Path, metavar="FILE", help="measure nothing, print the tables of this file")
    options = parser.parse_args()
    if options.table:
        print(_tables(json.loads(options.table.read_text())))
        return
    measured = {}
    with thread_limit(1):
        for name in options.sets:
            for objective in options.objectives:
                parts = [*load(name, "TRAIN", options.data), *load(name, "TEST", options.data)]
                records = [_record(objective, options.students, seed, *parts) for seed in range(options.seeds)]
                title = f"{name}, {objective} teacher"
                measured[title] = circumstances() | {"records": records}
                if title == SEARCHED and options.search:
                    measured[title]["grid_search"] = _grid_search(*parts[:2])
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results | measured, indent=1) + "\n")
    print(f"\n{_tables(measured)}\n\nwritten to {options.out}")


def _record(objective, students, seed, X, y, X_test, y_test):
    """Figures of a teacher and its students, for one seed of both."""
    start = time.process_time()
    teacher = MHAEmbedder(fit_mode=objective, random_state=seed).fit(X, y)
    record = {"seconds": time.process_time() - start, "accuracy": _accuracy(teacher, X, y, X_test, y_test)}
    record["students"] = {}
    for name in students:
        cls, parameters = STUDENTS[name]
        student = cls(FrozenEstimator(teacher), random_state=seed, **parameters)
        start = time.process_time()
        student.fit(X)
        seconds = time.process_time() - start
        if name == CONTROL:
            student.set_params(control=True).fit(X)
        figures = {
            "seconds": seconds,
            "n_parameters": student.n_parameters_,
            "largest_gradient_norm": float(student.history_["gradient_norm"].max()),
            "accuracy": _accuracy(student, X, y, X_test, y_test),
            "test": student.fidelity(X_test),
            "held_out": student.fidelity_,
        }
        record["students"][name] = figures
        line = f"{figures['test']['pooled_r2']:.4f} {figures['test']['token_r2']:.4f} ({figures['seconds']:.1f} s)"
        print(f"{objective}, seed {seed}, {name}: {line}", flush=True)
    return record


def _accuracy(embedder, X, y, X_test, y_test):
    """Test accuracy of a ridge classifier on the embeddings."""
    ridge = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-3, 3, 10)))
    return ridge.fit(embedder.transform(X), y).score(embedder.transform(X_test), y_test)


def _grid_search(X, y):
    """Seconds of a search over order and d_model with a frozen teacher in two processes, and its size."""
    teacher = MHAEmbedder(fit_mode="supervised").fit(X, y)
    chain = make_pipeline(HyenaEmbeddingTransformer(FrozenEstimator(teacher)), StandardScaler(), RidgeClassifierCV())
    grid = {"hyenaembeddingtransformer__order": [1, 2], "hyenaembeddingtransformer__d_model": [32, 64]}
    start = time.perf_counter()
    search = GridSearchCV(chain, grid, cv=3, n_jobs=2, error_score="raise").fit(X, y)
    return {
        "seconds": time.perf_counter() - start,
        "n_fits": 3 * len(search.cv_results_["params"]) + 1,
        "best": search.best_params_,
        "same_teacher": search.best_estimator_[0].teacher_ is teacher,
    }


def _tables(results):
    """Markdown of every teacher in a results file."""
    parts = []
    for title, found in results.items():
        records = found["records"]
        header = ["student", "pooled R2", "token R2", "pooled skill", "token skill", "CKA", "cosine", "accuracy"]
        header += ["weights", "seconds", "largest gradient"]
        rows = []
        for name in records[0]["students"]:
            of_seeds = [record["students"][name] for record in records]

            def mean(figure, of_seeds=of_seeds):
                values = [student["test"].get(figure) for student in of_seeds]
                return "" if None in values else f"{statistics.mean(values):.4f}"

            figures = [mean(figure) for figure in ("pooled_r2", "token_r2", "pooled_skill", "token_skill")]
            rows.append(
                [
                    name,
                    *figures,
                    *(mean(figure) for figure in ("cka", "cosine")),
                    f"{statistics.mean(student['accuracy'] for student in of_seeds):.3f}",
                    str(of_seeds[0]["n_parameters"]),
                    f"{statistics.median(student['seconds'] for student in of_seeds):.1f}",
                    f"{max(student['largest_gradient_norm'] for student in of_seeds):.3g}",
                ]
            )
        versions = ", ".join(f"{package} {version}" for package, version in found["versions"].items())
        note = (
            f"Teacher: test accuracy {statistics.mean(record['accuracy'] for record in records):.3f}, trained in "
            f"{statistics.median(record['seconds'] for record in records):.1f} s. Figures on the test part, means over "
            f"{len(records)} seeds of teacher and student; seconds of processor time on one thread are medians, "
            "without control; largest norm of the gradient before clipping. Accuracy: standardised embeddings and a "
            f"ridge classifier. Commit {found['commit']}, {found['date'][:10]}, {found['cpu']}, one thread, float32, "
            f"{versions}."
        )
        if "grid_search" in found:
            search = found["grid_search"]
            note += (
                f"\n\nA grid search over order and d_model with the frozen teacher, two processes: {search['n_fits']} "
                f"fits in {search['seconds']:.0f} s."
            )
        parts.append(f"### {title}\n\n{markdown_table(header, rows)}\n\n{note}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
