"""What is measured, cell by cell: a teacher, a student, the costs of all mixers at a length."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.hyena_vs_mha.trainings import Store, Student, Teacher, student_record, teacher_record
from benchmarks.hyena_vs_mha.turns import left_out, measure_apart
from benchmarks.study import cells
from benchmarks.study.records import Record

__all__ = ["Cost", "Store", "Student", "Teacher", "measured", "rows"]


@dataclass(frozen=True)
class Cost:
    """Mixers that take turns on sequences of a length; `left_out` are not measured; `limit` in seconds."""

    mixers: tuple[str, ...]
    left_out: tuple[str, ...]
    length: int
    task: str
    batch: int
    repeat: int
    limit: float

    def __str__(self):
        return f"costs {self.task} {self.length} steps"


def measured(cell: Teacher | Student | Cost, store: Store, folder: Path | None) -> Record:
    """Record of a cell, which is also kept."""

    def measure() -> Record:
        if isinstance(cell, Teacher):
            return teacher_record(cell, store, folder)
        if isinstance(cell, Student):
            return student_record(cell, store, folder)
        return _costs(cell)

    return cells.measured(cell, measure, store)


def rows(record: Record) -> list[Record]:
    """Records of single mixers from one of costs; another one as it is."""
    if record["kind"] != "cost":
        return [record]
    shared = {name: value for name, value in record.items() if name != "mixers"}
    return [shared | of_mixer for of_mixer in record["mixers"]]


def _costs(cell):
    shared = {"length": cell.length, "task": cell.task, "batch": cell.batch}
    found = measure_apart(cell.mixers, **shared, repeat=cell.repeat, limit=cell.limit)
    missing = [left_out(name, **shared) for name in cell.left_out]
    return {"kind": "cost"} | shared | {"mixers": [*found, *missing]}
