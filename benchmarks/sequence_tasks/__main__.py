"""Run the study from the command line."""

import json
import sys

from benchmarks.measure import markdown_table
from benchmarks.sequence_tasks.config import from_arguments
from benchmarks.sequence_tasks.report import main_table
from benchmarks.sequence_tasks.runner import run
from benchmarks.study.command import run_command


def main() -> None:
    """Run, and print where the report is, or one sentence on what went wrong; with --table, print a table."""
    config = from_arguments(sys.argv[1:])
    if config.table:
        found = main_table(json.loads(config.table.read_text())["records"])
        print(markdown_table(found.header, found.rows))
        return
    run_command(run, config)
    print(f"The report: {config.out / 'report.html'}")


if __name__ == "__main__":
    main()
