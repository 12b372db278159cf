"""The part of the report that is about costs."""

import math
from collections.abc import Mapping, Sequence

from benchmarks.hyena_vs_mha.cost import BATCH, EXPLICIT, FUSED, WIDTH
from benchmarks.hyena_vs_mha.cost_table import as_exponent, cost_table
from benchmarks.study.pages import Section, Table
from benchmarks.study.records import Record

FAILURES = {"memory": "no memory", "time": "too long"}


def cost_section(records: Sequence[Record], pictures: list[dict[str, str]]) -> Section:
    """How costs were measured, and tables of time, memory and operations by length."""
    rows = cost_table(records)
    tables = [
        table
        for task in dict.fromkeys(row["task"] for row in rows)
        for table in _tables(task, [row for row in rows if row["task"] == task])
    ]
    costs = [record for record in records if record["kind"] == "cost"]
    return Section("cost", "Cost", _how(costs) if costs else [], pictures=pictures, tables=tables)


def _how(costs):
    batches = sorted({record.get("batch", BATCH) for record in costs})
    n_runs = sorted({len(record["seconds"]) for record in costs if record["seconds"]})
    words = f"{' or '.join(map(str, batches))} sequence{'s' if batches != [1] else ''} of width {WIDTH}"
    paragraphs = [
        f"Costs are those of one mixer on {words}. At each length, all mixers take turns, so that a slow moment of the "
        f"machine affects all of them alike. A time is the median of {_ends(n_runs)} runs, with its range in brackets: "
        "quartiles of 5 or more runs, the lowest and the highest of fewer. The exponent is that of the growth between "
        "the two longest lengths that were measured; below 1, fixed costs dominate."
    ]
    missing = [record for record in costs if record.get("failure") == "left out"]
    if missing:
        names = ", ".join(dict.fromkeys(f"\u201c{record['name']}\u201d" for record in missing))
        start = min(record["length"] for record in missing)
        paragraphs.append(f"To save time, {names} were left out at {start:,} steps and longer lengths.")
    return paragraphs


def _ends(values):
    return " to ".join(dict.fromkeys(map(str, [values[0], values[-1]]))) if values else "no"


def _tables(task: str, rows: Sequence[Record]) -> list[Table]:
    lengths = [f"{length:,}" for length in rows[0]["lengths"]]
    header = ["mixer", *lengths, "exponent", "faster than fused from", "faster than explicit from"]
    times = [
        [
            row["name"],
            *[_time(row, k) for k in range(len(lengths))],
            _exponent(row["growth"]),
            *[_from(row, reference) for reference in (FUSED, EXPLICIT)],
        ]
        for row in rows
    ]
    peaks = [
        [
            row["name"],
            *[_peak(row, k) for k in range(len(lengths))],
            _exponent(row["memory_growth"]),
        ]
        for row in rows
    ]
    operations = [
        [row["name"], f"{row['n_parameters']:,}", *[f"{flops / 1e9:.3g}" for flops in row["flops"]]] for row in rows
    ]
    title = task.capitalize()
    return [
        Table(f"{title}: milliseconds by number of steps", header, times),
        Table(f"{title}: peak memory in MiB, beyond weights and input", ["mixer", *lengths, "exponent"], peaks),
        Table(
            f"{title}: floating point operations in units of 10^9, by formula",
            ["mixer", "weights", *lengths],
            operations,
        ),
    ]


def _time(row, k):
    if math.isnan(row["seconds"][k]):
        return _failure(row, k)
    middle, low, high = (_shown(1e3 * row[name][k]) for name in ("seconds", "low", "high"))
    return middle if len(row["runs"][row["lengths"][k]]) == 1 else f"{middle} ({low} to {high})"


def _peak(row, k):
    peak = row["peak_bytes"][k]
    return _failure(row, k) if math.isnan(peak) else _shown(peak / 2**20)


def _failure(row: Mapping, k: int) -> str:
    failure = row["failures"].get(row["lengths"][k], "")
    return FAILURES.get(failure, failure)


def _shown(value):
    return f"{float(f'{value:.3g}'):,g}"


def _exponent(growth):
    return "" if growth is None else as_exponent(growth)


def _from(row, reference):
    if row["name"] == reference or reference not in row["crossover"]:
        return ""
    start = row["crossover"][reference]
    return "never" if start is None else f"{start:,.0f}"
