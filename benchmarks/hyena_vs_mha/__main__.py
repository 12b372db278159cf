"""Run the study from the command line."""

import sys

from benchmarks.hyena_vs_mha.config import from_arguments
from benchmarks.hyena_vs_mha.runner import run
from benchmarks.study.command import run_command


def main() -> None:
    """Run, and print where the report is, or one sentence on what went wrong."""
    config = from_arguments(sys.argv[1:])
    run_command(run, config)
    print(f"The report: {config.out / 'report.html'}")


if __name__ == "__main__":
    main()
