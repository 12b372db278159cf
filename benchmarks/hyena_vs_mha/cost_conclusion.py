"""What a study finds about costs, in sentences, from the comparisons that the verdicts are made of."""

from collections.abc import Sequence

from benchmarks.hyena_vs_mha.cost import FUSED, GRU, S4D, TASKS
from benchmarks.hyena_vs_mha.cost_table import (
    LONG,
    Comparison,
    as_memory,
    as_range,
    as_time,
    comparisons,
    judged,
    ratios,
    rounded,
    spoken,
)
from benchmarks.study.records import Record


def speed(rows: Sequence[Record]) -> list[str]:
    """From which length on Hyena is faster than attention, and by how much at the longest.

    Parameters
    ----------
    rows : sequence of dict
        As `cost_table` gives.

    Returns
    -------
    sentences : list of str
    """
    sentences = []
    for found in comparisons(rows):
        if found.times:
            length = max(found.times)
            ratio = found.times[length]
            sentences.append(
                f"{found.task.capitalize()}, {found.own['name']} is {_faster_when(found)}. At {length:,} steps, the "
                f"longest length measured with both, it takes {as_time(ratio.median, spoken(found.reference))} "
                f"({as_range(ratio)}){_short(length)}."
            )
    return sentences


def losses(rows: Sequence[Record]) -> list[str]:
    """Where Hyena is slower or needs more memory than fused attention, and where other students are faster.

    Slower means slower at both ends of the spread of the runs.

    Parameters
    ----------
    rows : sequence of dict
        As `cost_table` gives.

    Returns
    -------
    sentences : list of str
    """
    by_name = {(row["name"], row["task"]): row for row in rows}
    against = {found.task: found for found in comparisons(rows) if found.reference == FUSED}
    sentences = []
    for task in TASKS:
        own = judged(rows, task)
        if task in against:
            sentences += _slower(against[task]) + _heavier(against[task])
        for rival in (S4D, GRU):
            if own is not None and (rival, task) in by_name:
                sentences += _quicker(by_name[rival, task], own)
    return sentences


def _short(length):
    return "" if length >= LONG else "; this is not a long sequence, and the claims about long ones are not judged here"


def _faster_when(found: Comparison):
    start = found.own["crossover"][found.reference]
    other, first = spoken(found.reference), min(found.times)
    if start is None and any(ratio.median > 1 for ratio in found.times.values()):
        return f"faster than {other} at some lengths, but not at the longest"
    if start is None:
        return f"faster than {other} at no length measured"
    if start <= first:
        return f"faster than {other} at all lengths measured, from {first:,} steps on"
    return f"faster than {other} from about {rounded(start):,} steps on"


def _slower(found: Comparison):
    slower = {length: ratio for length, ratio in found.times.items() if ratio.high < 1}
    if not slower:
        return []
    length = min(slower, key=lambda length: slower[length].median)
    where = "in time" if max(found.times) in slower else "on short sequences"
    return [
        f"Hyena loses {where}: {found.task}, {found.own['name']} takes {as_time(slower[length].median, spoken(FUSED))} "
        f"at {length:,} steps ({as_range(slower[length])})."
    ]


def _heavier(found: Comparison):
    heavier = [length for length, ratio in found.peaks.items() if ratio < 1]
    if not heavier:
        return []
    length = max(heavier)
    return [
        f"Hyena loses in memory: {found.task}, {found.own['name']} needs "
        f"{as_memory(found.peaks[length], spoken(FUSED))} at {length:,} steps."
    ]


def _quicker(rival, own):
    found = ratios(rival, own)
    if not found or found[max(found)].low <= 1:
        return []
    length = max(found)
    return [
        f"Hyena loses to {rival['name']} in time: {own['task']}, {rival['name']} takes "
        f"{as_time(found[length].median, own['name'])} at {length:,} steps ({as_range(found[length])})."
    ]
