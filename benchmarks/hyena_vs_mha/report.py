"""The report of a study: one page that needs nothing else, and the same as Markdown."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.hyena_vs_mha.conclusion import conclusion
from benchmarks.hyena_vs_mha.cost_report import cost_section
from benchmarks.hyena_vs_mha.figures import PICTURES, all_figures
from benchmarks.hyena_vs_mha.order_tables import order_tables
from benchmarks.hyena_vs_mha.orders import title
from benchmarks.hyena_vs_mha.summary import (
    Record,
    in_seeds,
    mean_of_known,
    place_of,
    shown,
    student_table,
    teacher_table,
)
from benchmarks.hyena_vs_mha.tasks import ACCURACY, BITS, LEAST_GAP
from benchmarks.hyena_vs_mha.verdicts import RULES, verdicts
from benchmarks.similarity import MEASURES
from benchmarks.study.pages import Section, Table, chosen, run_facts, when, write_pages, write_pictures


def write_report(records: Sequence[Record], circumstances: Mapping[str, Any], folder: Path) -> None:
    """Write report.html, report.md, and each picture as figures/NAME.svg.

    Parameters
    ----------
    records : sequence of dict
        Of a study, or of a part of it: what is missing is left out.
    circumstances : mapping
        As `benchmarks.measure.circumstances` gives, with the settings as "config".
    folder : Path
        Where the files go.
    """
    pictures = write_pictures(PICTURES, all_figures(records), folder)
    sections = _sections(records, circumstances, pictures)
    write_pages("Hyena against multi-head attention", _facts(records, circumstances), sections, folder)


def _sections(records, circumstances, pictures):
    return [
        Section("conclusion", "Conclusion", sentences=conclusion(records) or ["Nothing was measured yet."]),
        Section(
            "claims",
            "Published claims",
            RULES,
            verdicts=verdicts(records),
        ),
        Section(
            "orders",
            "Orders",
            [
                "The mixing gap of a teacher is by how much it is better than the same network without mixing, trained "
                f"in the same way. Orders are compared where it is at least {LEAST_GAP[ACCURACY]:g} in accuracy, or "
                f"{LEAST_GAP[BITS]:g} bits for each byte. Skill is the fraction of the variance of the teacher's "
                "tokens, unexplained by a student without mixing, that a student explains. Figures are means and "
                "standard deviations over seeds of teacher and student, on the test part, which is not used in "
                "training. “Enough” is the lowest order whose mean skill is within one standard error of the best, if "
                "there are several seeds; only seeds that all orders have are used. At equal width, the convolutions "
                "of all orders are as wide as the tokens. At equal weights, their width is chosen so that a student "
                "has as many weights as that of order 2."
            ],
            pictures=chosen(pictures, "skill", "attention"),
            tables=order_tables(records),
        ),
        Section(
            "performance",
            "Performance",
            [
                "Teachers are networks of multi-head attention, trained on classes, on answers, or on the next byte. "
                "Students imitate their tokens. Scores are the accuracy of a ridge classifier on the embeddings of "
                "series, the accuracy of the answers, or bits for each byte. Agreement is the fraction of predictions "
                "that are those of the teacher. Times are processor times of one thread."
            ],
            pictures=chosen(pictures, "pareto"),
            tables=_performance_tables(records),
        ),
        Section(
            "similarity",
            "Representational similarity",
            [
                "R2 is 1 - squared error / squared deviation from the mean. A high R2 means little if a student that "
                "does not mix over time, the control, also has it: skill is 1 - (1 - R2) / (1 - R2 of the control)."
            ],
            pictures=chosen(pictures, "measures", "layers"),
            tables=_similarity_tables(records),
        ),
        cost_section(records, chosen(pictures, "scaling")),
        Section("training", "Training health", pictures=chosen(pictures, "training"), tables=_health_tables(records)),
        Section("what", "What was run", facts=_what(records, circumstances)),
    ]


def _performance_tables(records):
    header = ["student", "score", "agreement", "weights", "transform ms", "training s"]
    students = student_table(records)
    tables = []
    for teacher in teacher_table(records):
        place = place_of(teacher)
        rows = [["attention", *_performance(teacher)]]
        rows += [[row["student"], *_performance(row)] for row in students if place_of(row) == place]
        tables.append(Table(f"{title(place)}, {teacher['unit']}, {in_seeds(teacher['n_seeds'])}", header, rows))
    return tables


def _performance(row):
    agreement = shown(row["agreement"]) if "agreement" in row else ""
    seconds = shown(row["seconds"], 1)
    cells = [shown(row["score"]), agreement, f"{row['n_parameters'][0]:,.0f}"]
    transform = row["transform_seconds"][0]
    return [*cells, "" if math.isnan(transform) else f"{1e3 * transform:.0f}", seconds]


def _similarity_tables(records):
    tables = []
    students = student_table(records)
    for place in dict.fromkeys(map(place_of, students)):
        own = [row for row in students if place_of(row) == place]
        words = f"{title(place)}, {in_seeds(max(row['n_seeds'] for row in own))}"
        figures = {
            "token_r2": "R2, tokens",
            "token_skill": "skill, tokens",
            "pooled_r2": "R2, pooled",
            "pooled_skill": "skill, pooled",
            "cosine": "cosine, pooled",
        }
        rows = [[row["student"], *[shown(row[name]) for name in figures]] for row in own]
        tables.append(Table(f"{words}: fidelity", ["student", *figures.values()], rows))
        known = [name for name in MEASURES if any(not math.isnan(row[name][0]) for row in own)]
        rows = [[row["student"], *[shown(row[name], 2) for name in known]] for row in own]
        chances = [mean_of_known(row[f"{name}, chance"][0] for row in own) for name in known]
        rows.append(["chance", *["" if math.isnan(chance) else f"{round(chance, 2) + 0:.2f}" for chance in chances]])
        tables.append(Table(f"{words}: similarity of pooled tokens", ["student", *known], rows))
    return tables


def _health_tables(records):
    header = ["student", "largest norm of a gradient", "size of the last tokens, start", "after training"]
    tables = []
    students = [record for record in records if record["kind"] == "student"]
    for place in dict.fromkeys(map(place_of, students)):
        rows = []
        own = [record for record in students if place_of(record) == place]
        for name in dict.fromkeys(record["student"] for record in own):
            health = [record["health"] for record in own if record["student"] == name]
            largest = _finite([one["largest_gradient_norm"] for one in health], max, ".3g")
            sizes = [_finite([one["signal"][k][-1] for one in health], statistics.fmean, ".2f") for k in (0, 1)]
            rows.append([name, largest, *sizes])
        tables.append(Table(title(place), header, rows))
    return tables


def _finite(values, summary, form):
    """What sums up values; None among them is a value that was not finite."""
    return "not finite" if None in values else format(summary(values), form)


def _facts(records, circumstances):
    days = when(records, circumstances)
    return f"{len(records)} measurements, {days}, {circumstances['cpu']}, one thread each, float32."


def _what(records, circumstances):
    facts = run_facts(records, circumstances, {"threads": 1} | circumstances["config"])
    for record in records:
        if record["kind"] == "teacher":
            facts[record["data_set"]] = _sizes(record)
    return facts


def _sizes(record):
    if record["n_train"] == 0:
        return f"sequences of {record['n_timepoints']} tokens, {record['n_test']} of them to compare representations"
    return (
        f"{record['n_train']} training and {record['n_test']} test series of {record['n_channels']} channels and up to "
        f"{record['n_timepoints']} points"
    )
