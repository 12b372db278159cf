"""Tables of the records of a study."""

import math
import statistics
from collections.abc import Sequence

from benchmarks.sequence_tasks.networks import settings_of
from benchmarks.sequence_tasks.training import SOLVED
from benchmarks.study.records import Record


def chosen_rates(records: Sequence[Record]) -> dict[tuple[str, int, str], float]:
    """Learning rate of each task, size and network, by held-out sequences.

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    rates : dict
        (task, size, network) -> rate: the one with which most seeds solve it; among equal ones, that with the higher
        held-out accuracy, up to .99; then, that which needs fewer steps; then the lower one.
    """
    return {
        place: min((_badness(own, rate), rate) for rate in {record["lr"] for record in own})[1]
        for place, own in _groups(records).items()
    }


def table(records: Sequence[Record]) -> list[Record]:
    """A row for each task, size and network, at the rate that was chosen; means over seeds.

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    rows : list of dict
        "task", "size", "network", "lr", "n_seeds", "chance", "n_parameters"; "accuracy" (mean, lowest, highest) on
        test sequences; "solved", number of seeds; "steps_to_solve", the median, or None unless all seeds solve it;
        "steps", mean of those that were taken; "step_ms", processor time of one; "seconds"; "peak_bytes", the largest;
        "others", accuracy by other rates. Sorted by task, size, network.
    """
    rates = chosen_rates(records)
    rows = []
    for (task, size, network), group in _groups(records).items():
        lr = rates[task, size, network]
        own = [record for record in group if record["lr"] == lr]
        others = {record["lr"]: record["accuracy"] for record in group if record["lr"] != lr}
        rows.append({"task": task, "size": size, "network": network, "lr": lr, **_figures(own), "others": others})
    order = list(dict.fromkeys(record["task"] for record in records))
    return sorted(rows, key=lambda row: (order.index(row["task"]), row["size"], place_of(row["network"])))


def place_of(network: str) -> tuple[int, str]:
    """Hyenas by their order first, attention last."""
    order = settings_of(network).get("order")
    if order is not None:
        return int(str(order)), network
    return 1000 + ("S4D", "S4 DPLR", "GRU", "attention").index(network), network


def is_solved(row: Record) -> bool:
    """Whether the mean accuracy on test sequences is .99."""
    return bool(row["accuracy"][0] >= SOLVED)


def _groups(records):
    groups: dict[tuple[str, int, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record["task"], record["size"], record["network"]), []).append(record)
    return groups


def _figures(own):
    accuracy = [record["accuracy"] for record in own]
    steps = [record["steps_to_solve"] for record in own]
    return {
        "n_seeds": len(own),
        "chance": own[0]["chance"],
        "n_parameters": own[0]["n_parameters"],
        "accuracy": (statistics.fmean(accuracy), min(accuracy), max(accuracy)),
        "solved": sum(step is not None for step in steps),
        "steps_to_solve": None if None in steps else statistics.median(steps),
        "steps": statistics.fmean(record["steps"] for record in own),
        "step_ms": 1e3 * statistics.fmean(record["seconds"] / record["steps"] for record in own),
        "seconds": statistics.fmean(record["seconds"] for record in own),
        "peak_bytes": max(record["peak_bytes"] for record in own),
    }


def _badness(records, rate):
    own = [record for record in records if record["lr"] == rate]
    n_unsolved = sum(record["steps_to_solve"] is None for record in own)
    accuracy = statistics.fmean(min(record["held_out"], SOLVED) for record in own)
    steps = [record["steps_to_solve"] for record in own if record["steps_to_solve"] is not None]
    return n_unsolved, -accuracy, statistics.fmean(steps) if steps else math.inf
