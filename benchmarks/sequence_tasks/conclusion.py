"""What the records of a study say, in sentences."""

from collections.abc import Sequence

from benchmarks.sequence_tasks.summary import Record, is_solved, table
from benchmarks.sequence_tasks.tasks import TASKS


def conclusion(records: Sequence[Record]) -> list[str]:
    """For each task, who solves it at its largest size and how quickly, and how the others fare.

    Parameters
    ----------
    records : sequence of dict
        Of a study.

    Returns
    -------
    sentences : list of str
    """
    rows = table(records)
    return [
        _of_task([row for row in rows if row["task"] == task]) for task in dict.fromkeys(row["task"] for row in rows)
    ]


def _of_task(rows):
    task, largest = rows[0]["task"], max(row["size"] for row in rows)
    own = [row for row in rows if row["size"] == largest]
    solved = sorted(filter(is_solved, own), key=lambda row: row["steps_to_solve"] or row["steps"])
    others = sorted((row for row in own if not is_solved(row)), key=lambda row: -row["accuracy"][0])
    words = f"{task.capitalize()}, {TASKS[task].size} {largest}: "
    if solved:
        words += "solved by " + _listed([f"{row['network']}{_steps(row)}" for row in solved])
    else:
        words += "solved by none"
    if others:
        words += "; not by " if solved else ": "
        words += _listed([f"{row['network']} ({row['accuracy'][0]:.2f})" for row in others])
        words += f", where a guess has {own[0]['chance']:.3g}"
    return words + "."


def _steps(row):
    return "" if row["steps_to_solve"] is None else f" ({row['steps_to_solve']:,.0f} steps)"


def _listed(names):
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
