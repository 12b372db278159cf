"""Whether students were trained for long enough: one of them with several numbers of epochs.

    python -m benchmarks.hyena_vs_mha.budgets --data DIR --out DIR      those of the study, of which it takes teachers
    python -m benchmarks.hyena_vs_mha.budgets --table FILE              measure nothing, print the table of a file

A limit of a student that goes away with more steps is not a limit of its mixer. Hyena of order 2 is distilled from the
first teacher of each task with a quarter, half and all of the epochs of the study, one seed. Teachers must have been
trained by `python -m benchmarks.hyena_vs_mha` with the same `--out`.
"""

import argparse
import json
from pathlib import Path

from benchmarks.hyena_vs_mha import config
from benchmarks.hyena_vs_mha.cells import Store, Student, measured
from benchmarks.hyena_vs_mha.runner import phases
from benchmarks.hyena_vs_mha.students import HYENA, USUAL_ORDER
from benchmarks.hyena_vs_mha.tasks import task_of
from benchmarks.measure import circumstances, markdown_table
from benchmarks.study import runner
from benchmarks.study.files import write
from benchmarks.study.records import Record

RESULTS = Path(__file__).parents[1] / "results" / "hyena_vs_mha" / "budgets.json"
FACTORS = (0.25, 0.5, 1)
STUDENT = f"{HYENA} {USUAL_ORDER}"


def cells_of(study: config.Config, factors: tuple[float, ...]) -> dict[Student, float]:
    """Students of the teachers with the first seed, and their epochs relative to those of the study."""
    teachers = [teacher for teacher in phases(study)[0] if teacher.mixes and teacher.seed == 0]
    epochs = {teacher: task_of(teacher.task).student_epochs for teacher in teachers}
    return {
        Student(teacher, STUDENT, max(1, round(factor * epochs[teacher]))): factor
        for factor in factors
        for teacher in teachers
    }


def main() -> None:
    """Measure what is not there yet, write the records and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of NAME/NAME_TRAIN.ts, as for the study")
    parser.add_argument("--out", type=Path, metavar="DIR", default=Path("hyena_vs_mha"), help="folder of the study")
    parser.add_argument("--tasks", nargs="+", metavar="NAME", help="default: those of the study")
    parser.add_argument("--factors", nargs="+", type=float, default=FACTORS, metavar="F", help="default: %(default)s")
    parser.add_argument("--n_jobs", type=int, default=2, metavar="N", help="trainings at once (default: 2)")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="JSON file to write")
    parser.add_argument("--table", type=Path, metavar="FILE", help="measure nothing, print the table of this file")
    options = parser.parse_args()
    if options.table:
        print(table(json.loads(options.table.read_text())["records"]))
        return
    chosen = ["--tasks", *options.tasks] if options.tasks else []
    folder = ["--data", str(options.data)] if options.data else []
    study = config.from_arguments(["--full", *folder, *chosen, "--out", str(options.out)])
    store, cells = Store(options.out), cells_of(study, tuple(options.factors))
    left = [cell for cell in cells if store.read(cell) is None]
    runner.run_cells(len(cells), [(left, options.n_jobs)], lambda cell: measured(cell, store, options.data))
    records = [_kept(record, cell, cells[cell]) for cell, record in store.found(cells).items()]
    write(options.results, json.dumps({"circumstances": circumstances(), "records": records}, indent=1) + "\n")
    print(table(records))


def table(records: list[Record]) -> str:
    """Markdown: R2 of the tokens and score for each factor, one line for each task."""
    factors = sorted({record["factor"] for record in records})
    rows = []
    for name in dict.fromkeys(record["data_set"] for record in records):
        own = {record["factor"]: record for record in records if record["data_set"] == name}
        epochs = round(own[max(own)]["max_epochs"] / max(own))
        shown = [
            f"{own[factor][figure]:.{digits}f}" if factor in own else ""
            for figure, digits in (("token_r2", 2), ("score", 3))
            for factor in factors
        ]
        rows.append([name, str(epochs), *shown])
    header = [f"{figure} x{factor:g}" for figure in ("R2", "score") for factor in factors]
    return markdown_table(["task", "epochs x1", *header], rows)


def _kept(record: Record, cell: Student, factor: float) -> Record:
    shared = {name: record[name] for name in ("data_set", "unit", "seed", "student", "seconds", "score", "commit")}
    return shared | {"factor": factor, "max_epochs": cell.max_epochs, "token_r2": record["fidelity"]["token_r2"]}


if __name__ == "__main__":
    main()
