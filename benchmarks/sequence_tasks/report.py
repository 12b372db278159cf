"""The report of a study: one page that needs nothing else, and the same as Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.sequence_tasks.conclusion import conclusion
from benchmarks.sequence_tasks.figures import PICTURES, all_figures
from benchmarks.sequence_tasks.summary import Record, is_solved, place_of, table
from benchmarks.sequence_tasks.tasks import TASKS
from benchmarks.study.pages import (
    FAILS,
    HOLDS,
    UNKNOWN,
    Section,
    Table,
    Verdict,
    chosen,
    run_facts,
    when,
    write_pages,
    write_pictures,
)

TITLE = "Sequence tasks: Hyena, S4, GRU, attention"
BARS = (  # task, least size, network, accuracy that is asked for
    ("previous bit", 64, "S4D", 0.99),
    ("memory", 128, "S4D", 0.99),
    ("associative recall", 128, "Hyena", 0.98),
)
DEFINITIONS = {
    "memory": "the first token is one of 8 values, 8 kinds of distractors follow, and at the end a cue asks for it",
    "previous bit": "2 lag random bits; from time lag on, the bit lag steps before is asked for",
    "associative recall": "pairs of a key (of 10) and the value (of 10) that the sequence's own dictionary has for it; "
    "at the end the value of one of these keys is asked for. Networks are trained on the answers at all keys that were "
    "seen before, and judged by the last",
    "induction": "random tokens (of 16) with a mark among them; at the end the mark comes again, and what stood behind "
    "the first one is asked for",
    "selective copying": "4 values (of 8) at random places among blanks, asked for at the end in their order",
}


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
    write_pages(TITLE, _facts(records, circumstances), _sections(records, circumstances, pictures), folder)


def main_table(records: Sequence[Record]) -> Table:
    """Accuracy, a row for each task and size, a column for each network; with an asterisk what is solved."""
    rows = table(records)
    found = {(row["task"], row["size"], row["network"]): row for row in rows}
    networks = sorted(dict.fromkeys(row["network"] for row in rows), key=place_of)
    cells = [
        [
            f"{task}, {TASKS[task].size} {size}",
            *[_accuracy(found.get((task, size, network))) for network in networks],
            next(f"{row['chance']:.3g}" for row in rows if row["task"] == task),
        ]
        for task, size in dict.fromkeys((row["task"], row["size"]) for row in rows)
    ]
    cells.append(["weights", *[_weights(rows, network) for network in networks], ""])
    return Table("Accuracy on test sequences", ["task", *networks, "chance"], cells if rows else [])


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """What was asked for, and whether it holds; of several Hyenas the best one is judged."""
    rows, found = table(records), []
    for task, size, network, least in BARS:
        claim = f"{network} solves {task} at {TASKS[task].size} {size}"
        own = [row for row in rows if (row["task"], row["size"]) == (task, size) and row["network"].startswith(network)]
        best = max(own, key=lambda row: row["accuracy"][0], default=None)
        if best is None:
            found.append(Verdict(claim, f"accuracy {least:g}", UNKNOWN, "This size was not run."))
            continue
        others = [row for row in rows if (row["task"], row["size"]) == (task, size) and row not in own]
        beside = ", ".join(f"{row['network']} {row['accuracy'][0]:.3f}" for row in others)
        sentence = f"{best['network']}: {best['accuracy'][0]:.3f}{_in_steps(best)}." + (
            f" Beside it: {beside}." if beside else ""
        )
        verdict = HOLDS if best["accuracy"][0] >= least else FAILS
        found.append(Verdict(claim, f"accuracy {least:g}", verdict, sentence))
    return found


def _sections(records, circumstances, pictures):
    rows, config = table(records), circumstances["config"]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    return [
        Section("conclusion", "Conclusion", sentences=conclusion(records) or ["Nothing was measured yet."]),
        Section("bars", "What was asked for", verdicts=verdicts(records)),
        Section("tasks", "The tasks", sentences=[f"{task.capitalize()}: {DEFINITIONS[task]}." for task in tasks]),
        Section(
            "accuracy",
            "Accuracy",
            [
                "All networks have two layers, tokens of the same width, and a feed-forward part as wide as makes "
                "their numbers of weights equal. All are causal. All see the same batches, fresh at each step, and "
                "have the same steps of AdamW: the rate rises for a tenth of the budget and falls like a cosine. "
                f"{_rate(config['lr'])} Test sequences are drawn with another seed, and nothing was chosen by them. "
                "An asterisk marks .99 or more, which is taken as solved. Empty cells were not run."
            ],
            pictures=chosen(pictures, "accuracy"),
            tables=[main_table(records), *[_by_task(rows, task) for task in tasks]],
        ),
        Section("steps", "Steps to solve", pictures=chosen(pictures, "steps", "learning")),
        Section("filters", "Filters", pictures=chosen(pictures, "kernels", "filters")),
        Section("cost", "Time and memory", [_COST], tables=[_costs(rows, task) for task in tasks]),
        Section("what", "What was run", facts=run_facts(records, circumstances, {"threads": 1} | config)),
    ]


_COST = (
    "Milliseconds of processor time of one thread for a step of training, and memory that training took at most beyond "
    "the weights. Batches are of the size below; other processes may have run beside these."
)


def _rate(rates):
    if len(rates) == 1:
        return f"The rate is {rates[0]:g} for all."
    tried = ", ".join(f"{lr:g}" for lr in rates)
    return f"Which rate, of {tried}, is chosen for each network, task and size by held-out sequences."


def _by_task(rows, task):
    own = [row for row in rows if row["task"] == task]
    header = [
        "network",
        TASKS[task].size,
        "accuracy",
        "steps to solve",
        "steps taken",
        "seconds",
        "rate",
        "by other rates",
    ]
    cells = [
        [
            row["network"],
            str(row["size"]),
            _accuracy(row),
            "never" if row["steps_to_solve"] is None else f"{row['steps_to_solve']:,.0f}",
            f"{row['steps']:,.0f}",
            f"{row['seconds']:.0f}",
            f"{row['lr']:g}",
            ", ".join(f"{found:.3f} ({lr:g})" for lr, found in sorted(row["others"].items())),
        ]
        for row in sorted(own, key=lambda row: place_of(row["network"]))
    ]
    return Table(f"{task.capitalize()}: chance {own[0]['chance']:.3g}", header, cells)


def _costs(rows, task):
    own = [row for row in rows if row["task"] == task]
    sizes = list(dict.fromkeys(row["size"] for row in own))
    found = {(row["network"], row["size"]): row for row in own}
    names = sorted(dict.fromkeys(row["network"] for row in own), key=place_of)
    header = ["network", *[f"ms, {TASKS[task].size} {size}" for size in sizes], *[f"MiB, {size}" for size in sizes]]
    cells = []
    for name in names:
        of_name = [found.get((name, size)) for size in sizes]
        times = ["" if row is None else f"{row['step_ms']:.0f}" for row in of_name]
        cells.append([name, *times, *["" if row is None else f"{row['peak_bytes'] / 2**20:.0f}" for row in of_name]])
    return Table(f"{task.capitalize()}: milliseconds of a step, and memory", header, cells)


def _accuracy(row):
    if row is None:
        return ""
    mean, low, high = row["accuracy"]
    spread = f" ({low:.3f} to {high:.3f})" if row["n_seeds"] > 1 and f"{low:.3f}" != f"{high:.3f}" else ""
    return f"{mean:.3f}{spread}{' *' if is_solved(row) else ''}"


def _weights(rows, network):
    counts = sorted({row["n_parameters"] for row in rows if row["network"] == network})
    said = [f"{float(f'{count:.2g}'):,.0f}" for count in (counts[0], counts[-1])]
    return " to ".join(dict.fromkeys(said))


def _in_steps(row):
    return "" if row["steps_to_solve"] is None else f", solved after {row['steps_to_solve']:,.0f} steps"


def _facts(records, circumstances):
    days = when(records, circumstances)
    return f"{len(records)} trainings, {days}, {circumstances['cpu']}, one thread each, float32."
