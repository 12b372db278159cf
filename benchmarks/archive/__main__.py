"""Run the benchmark from the command line."""

import sys

from benchmarks.archive.config import from_arguments
from benchmarks.archive.runner import run
from benchmarks.study.command import run_command


def main() -> None:
    """Run, and print where the report is, or one sentence on what went wrong."""
    config = from_arguments(sys.argv[1:])
    records = run_command(run, config)
    n_failed = sum("failure" in record for record in records)
    if n_failed:
        print(f"{n_failed} of {len(records)} cells failed: the report says why, and the same command tries them again")
    print(f"The report: {config.out / 'report.md'}")


if __name__ == "__main__":
    main()
