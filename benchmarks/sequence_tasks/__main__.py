"""Run the study from the command line."""

import json
import sys
from concurrent.futures import BrokenExecutor

from benchmarks.measure import markdown_table
from benchmarks.sequence_tasks.config import from_arguments
from benchmarks.sequence_tasks.report import main_table
from benchmarks.sequence_tasks.runner import run


def main() -> None:
    """Run, and say in one sentence what went wrong."""
    config = from_arguments(sys.argv[1:])
    if config.table:
        found = main_table(json.loads(config.table.read_text())["records"])
        print(markdown_table(found.header, found.rows))
        return
    kept = f"what is finished is kept in {config.out}, and the same command goes on from there"
    try:
        run(config)
    except KeyboardInterrupt:
        sys.exit(f"\nstopped: {kept}")
    except BrokenExecutor:
        sys.exit(f"a process was killed, perhaps for want of memory: take fewer --n_jobs; {kept}")
    except OSError as error:
        sys.exit(f"{error.strerror or error}: {error.filename or config.out}; {kept}")
    except ValueError as error:
        sys.exit(str(error))
    print(f"The report: {config.out / 'report.html'}")


if __name__ == "__main__":
    main()
