"""Run the benchmark from the command line."""

import sys

from benchmarks.archive.config import from_arguments
from benchmarks.archive.runner import run


def main() -> None:
    """Run, and say in one sentence what went wrong."""
    config = from_arguments(sys.argv[1:])
    kept = f"what is finished is kept in {config.out}, and the same command goes on from there"
    try:
        records = run(config)
    except KeyboardInterrupt:
        _end(f"\nstopped: {kept}", 130)
    except ValueError as error:
        _end(str(error), 2)
    except OSError as error:
        _end(f"{error.strerror or error}: {error.filename or config.out}; {kept}", 1)
    n_failed = sum("failure" in record for record in records)
    if n_failed:
        print(f"{n_failed} of {len(records)} cells failed: the report says why, and the same command tries them again")
    print(f"The report: {config.out / 'report.md'}")


def _end(sentence, status):
    print(sentence, file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
