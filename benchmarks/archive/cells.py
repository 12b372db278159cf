"""Cells of a run: a classifier on a data set with a seed."""

from dataclasses import dataclass

from benchmarks.archive.pipelines import label
from benchmarks.study.records import Record


@dataclass(frozen=True)
class Cell:
    """A classifier on a data set.

    `data` is the checksum of the files and `settings` that of the parameters, so that other data and other parameters
    make other cells. Other code with the same parameters does not: records hold their commit.
    """

    data_set: str
    data: str
    pipeline: str
    settings: str
    seed: int
    jobs: int

    def __str__(self) -> str:
        return f"{self.data_set} {label(self.pipeline)} seed {self.seed}"


def is_finished(record: Record | None, limit: float) -> bool:
    """Whether a cell need not be run: it did not fail, or it failed by taking longer than this limit."""
    return record is not None and ("failure" not in record or record.get("limit", 0) >= limit)
