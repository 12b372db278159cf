"""Tables of the records."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.long_series.recording import CROP, RAW
from benchmarks.measure import markdown_table
from benchmarks.study.records import Record


def table(results: dict[str, Any]) -> str:
    """Markdown of all figures; results may be of a measurement that is not finished."""
    parts = {name: part["records"] for name, part in results.items()}
    recordings = [part for name, part in parts.items() if name.startswith("recording ")]
    uses = [record for part in recordings for record in part["uses"]]
    costs = [record for part in recordings for record in part["costs"]]
    tokens = [record for part in parts.values() if isinstance(part, list) for record in part if "task" in record]
    shown = []
    if tokens:
        shown += ["### Language models", _token_table(tokens)]
    if "token costs" in parts:
        shown += [
            "Processor time and additional memory of one forward pass of one sequence.",
            _costs(parts["token costs"]),
        ]
    if uses:
        shown += ["### A long recording", _use_table(uses)]
    if costs:
        shown += ["Processor time and additional memory of `tokens` for one recording.", _costs(costs)]
    commits = sorted({part["commit"] for part in results.values() if part["commit"]})
    return "\n\n".join([*shown, f"Commit {', '.join(commits)}."])


def _means(records: Iterable[Record], keys: Sequence[str]) -> dict[tuple[Any, ...], dict[str, float]]:
    """Means of the figures over the seeds."""
    groups = defaultdict(list)
    for record in records:
        groups[tuple(record[key] for key in keys)].append(record)
    return {
        group: {
            name: float(np.mean([one[name] for one in found]))
            for name, value in found[0].items()
            if isinstance(value, float) and all(one[name] is not None for one in found)
        }
        for group, found in groups.items()
    }


def _shown(figures: Record, name: str, digits: int = 3) -> str:
    value = figures.get(name)
    return "" if value is None else f"{value:.{digits}f}"


def _token_table(records: list[Record]) -> str:
    rows = []
    for (task, length, network), found in _means(records, ("task", "length", "network")).items():
        figures = [_shown(found, name) for name in ("accuracy", "token_r2", "agreement")]
        rows.append([task, f"{length:,}", network, *figures])
    header = ["task", "length", "network", "accuracy", "token R2", "same answer"]
    chances = {record["task"]: record["chance"] for record in records}
    told = ", ".join(f"{task} {chance:.3f}" for task, chance in chances.items())
    n_seeds = len({record["seed"] for record in records})
    shortest = min(record["length"] for record in records)
    note = f"Trained on sequences of {shortest} tokens. Accuracy by chance: {told}. {_seeds(n_seeds)}"
    return markdown_table(header, rows) + f"\n\n{note}"


def _costs(records: list[Record]) -> str:
    rows = []
    for record in records:
        for length, cost in record.get("passes", {}).items():
            measured = [f"{cost['processor']:.3f}", f"{cost['mib']:.0f}"] if "mib" in cost else [_expected(cost), ""]
            rows.append([record["network"], f"{int(length):,}", *measured])
        if "failure" in record:
            rows.append([record["network"], "", record["failure"], ""])
    return markdown_table(["network", "length", "seconds", "MiB"], rows)


def _expected(cost: dict[str, float]) -> str:
    return f"not run, about {cost['expected']:.0f} expected"


def _use_table(records: list[Record]) -> str:
    rows = []
    for (network, way, length), found in _means(records, ("network", "way", "length")).items():
        figures = [_shown(found, name) for name in ("r2_of_crops", "r2_of_one_pass", "accuracy")]
        rows.append([network, way, f"{length:,}", *figures])
    header = ["network", "way", "length", "R2, teacher in crops", "R2, teacher in one pass", "accuracy"]
    note = (
        f"Trained on crops of {CROP} steps. R2 is that of the tokens. Accuracy of the activity in windows "
        f"of 100 steps; {RAW} are the control. "
        f"{_seeds(len({record['seed'] for record in records}))}"
    )
    return markdown_table(header, rows) + f"\n\n{note}"


def _seeds(n_seeds: int) -> str:
    return "One seed." if n_seeds == 1 else f"Means over {n_seeds} seeds."
