"""Students of attention on longer series than those that they were distilled on.

    python -m benchmarks.long_series                 all of it, some minutes
    python -m benchmarks.long_series --quick         a small part, about a minute
    python -m benchmarks.long_series --table FILE    measure nothing, print the tables of a file

One thread, float32. The first part distils language models on sequences of synthetic tasks, and evaluates teacher and
students on sequences of up to 16 times the length. The second part distils embedders on crops of a recording of several
activities, and embeds long recordings of other series in one pass. Time and memory of a pass are measured in processes
of their own. A network with endless filters is the student of Hyena whose filters go on at lags that the distillation
has not seen; it is not trained again.
"""

import argparse
import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.long_series.costs import token_costs
from benchmarks.long_series.recording import Sizes, recording_records
from benchmarks.long_series.report import table
from benchmarks.long_series.tokens import token_records
from benchmarks.measure import circumstances, made, thread_limit
from benchmarks.study.files import write
from benchmarks.study.records import rounded

RESULTS = Path(__file__).parents[1] / "results" / "long_series.json"
TASKS = ("memory", "induction", "copying")
FACTORS, LENGTH = (1, 4, 16), 128
N_SEQUENCES, SEEDS = 128, (0, 1)
QUICK_SIZES = Sizes((2048, 4096), (), teacher_epochs=3, student_epochs=3)


def parts_of(quick: bool) -> dict[str, Callable[[], Any]]:
    """What is measured, by name, the most important part first."""
    sizes = QUICK_SIZES if quick else Sizes()
    n_sequences = N_SEQUENCES // 8 if quick else N_SEQUENCES
    parts: dict[str, Callable[[], Any]] = {}
    for seed in SEEDS[:1] if quick else SEEDS:
        parts[f"recording {seed}"] = functools.partial(recording_records, seed, sizes, with_costs=seed == 0)
        for task in TASKS[:1] if quick else TASKS:
            parts[f"{task} {seed}"] = functools.partial(token_records, task, seed, FACTORS, n_sequences)
        parts.setdefault("token costs", functools.partial(token_costs, [factor * LENGTH for factor in FACTORS]))
    return parts


def main() -> None:
    """Measure, print tables, and write the records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one task, one seed, short recordings")
    parser.add_argument("--resume", action="store_true", help="measure only what is not in the JSON file yet")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file")
    parser.add_argument("--table", type=Path, metavar="FILE", help="measure nothing, print the tables of this file")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(json.loads(arguments.table.read_text())["results"]))
        return
    before = json.loads(arguments.out.read_text())["results"] if arguments.resume else {}
    record = circumstances() | {"dtype": "float32", "threads": 1, "results": before}
    with thread_limit(1):
        for name, part in parts_of(arguments.quick).items():
            if name not in before:
                print(name, file=sys.stderr)
                record["results"][name] = rounded({**made(), "records": part()})
                write(arguments.out, json.dumps(record, indent=1) + "\n")
    print(table(record["results"]))


if __name__ == "__main__":
    main()
