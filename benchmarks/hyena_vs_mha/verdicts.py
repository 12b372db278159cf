"""Published claims about Hyena, held against the records of a study."""

import itertools
import math
from collections.abc import Sequence

from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED
from benchmarks.hyena_vs_mha.summary import Record, as_memory, as_time, cost_table, judged, ratios_of, spoken
from benchmarks.study.pages import FAILS, HOLDS, PARTLY, UNKNOWN, Verdict

LONG = 8192  # steps from which on a sequence counts as long
FASTER, LESS_MEMORY = 5.0, 0.8  # of the claims
NEARLY_LINEAR, NEARLY_QUADRATIC = 1.25, 1.75  # exponents: L log(L) has about 1.1 at such lengths


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Three published claims, held against fused and against explicit attention, forward and training.

    Judged is Hyena of order 2, or of the lowest order there is, at lengths from 8192 on that both were measured at.
    "5 to 10 times faster": at least 5 times. "80% less memory": at most a fifth of the peak. Each holds if it does at
    all these lengths, in part if at some. "Linear complexity": the exponent of the time over the longer half of the
    lengths is at most 1.25 (holds) or less than 1.75 (in part). Without such lengths, "not measured".

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    verdicts : list of Verdict
    """
    rows = {(row["name"], row["task"]): row for row in cost_table(records)}
    found = []
    for task, reference in itertools.product(("forward", "training"), (FUSED, EXPLICIT)):
        own, other = judged(rows, task), rows.get((reference, task))
        if own is not None and other is not None:
            against = f"{reference}, {task}"
            times, peaks = ratios_of(own, other, "seconds"), ratios_of(own, other, "peak_bytes")
            verdict, where = _at_long(times, lambda ratio: ratio >= FASTER)
            figures = ", ".join(f"{as_time(times[length])} at {length:,} steps" for length in where)
            sentence = f"{own['name']} takes {figures}." if where else "No length was measured with both."
            sentence += _stopped(other)
            found.append(Verdict("5 to 10 times faster on long sequences", against, verdict, sentence))
            verdict, where = _at_long(peaks, lambda ratio: 1 / ratio <= 1 - LESS_MEMORY + 1e-12)
            figures = ", ".join(f"{as_memory(peaks[length])} at {length:,} steps" for length in where)
            sentence = f"{own['name']} needs {figures}." if where else "No length was measured with both."
            sentence += _stopped(other)
            found.append(Verdict("80% less memory", against, verdict, sentence))
    for task in ("forward", "training"):
        own = judged(rows, task)
        if own is not None:
            found.append(_verdict_of_growth(own, rows.get((FUSED, task)), task))
    return sorted(found, key=lambda verdict: verdict.claim)


def _at_long(ratios, agrees):
    """Verdict, and the lengths that it is for; the longest there is if none is long."""
    long = [length for length in ratios if length >= LONG]
    if not long:
        return UNKNOWN, list(ratios)[-1:]
    n_agree = sum(agrees(ratios[length]) for length in long)
    return (HOLDS if n_agree == len(long) else PARTLY if n_agree else FAILS), long


def _stopped(row):
    """From where on a mixer could not be measured."""
    long = {length: why for length, why in row["failures"].items() if length >= LONG}
    if not long:
        return ""
    why = {"memory": "runs out of memory", "time": "takes too long"}[long[min(long)]]
    return f" {spoken(row['name']).capitalize()} {why} at {min(long):,} steps."


def _verdict_of_growth(own, fused, task):
    exponent = own["exponent"]
    if math.isnan(exponent):
        return Verdict("linear complexity", task, UNKNOWN, "Fewer than three lengths were measured.")
    verdict = HOLDS if exponent <= NEARLY_LINEAR else PARTLY if exponent < NEARLY_QUADRATIC else FAILS
    sentence = f"The time of {own['name']} grows as length^{exponent:.2f} over the longer lengths"
    if fused is not None and not math.isnan(fused["exponent"]):
        sentence += f", that of fused attention as length^{fused['exponent']:.2f}"
    sentence += "; L log(L), its true order, cannot be distinguished from linear here." if verdict == HOLDS else "."
    return Verdict("linear complexity", task, verdict, sentence)
