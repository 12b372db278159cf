"""The command line of a study."""

import argparse
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.study.trackers import TRACKERS

Parser = argparse.ArgumentParser


def run_command(run: Callable[[Any], Any], config: Any) -> Any:
    """Run a study and return what it returns; where it fails, end the process with one sentence on stderr.

    The exit status is 130 if the user stopped it, 2 for wrong arguments or data, 1 otherwise.
    """
    kept = f"what is finished is kept in {config.out}, and the same command goes on from there"
    try:
        return run(config)
    except KeyboardInterrupt:
        _end(f"\nstopped: {kept}", 130)
    except BrokenExecutor:
        _end(f"a process was killed, perhaps for want of memory: take fewer --n_jobs; {kept}", 1)
    except OSError as error:
        _end(f"{error.strerror or error}: {error.filename or config.out}; {kept}", 1)
    except ValueError as error:
        _end(str(error), 2)


def study_parser(name: str, description: str) -> Parser:
    """Parser of a study's options, to which the study adds its own."""
    more = "Finished cells are kept in the output folder; the same command goes on where it was stopped."
    parser = Parser(prog=f"python -m benchmarks.{name}", description=f"{description} {more}", allow_abbrev=False)
    parser.add_argument("--out", type=Path, default=Path(name), metavar="DIR", help=f"output folder (default: {name})")
    return parser


def add_tracker(parser: Parser) -> None:
    """Add the option --tracker."""
    parser.add_argument("--tracker", choices=TRACKERS, default="csv", help="also log to this tracker (csv: none)")


def check_tracker(parser: Parser, name: str) -> None:
    """End with an error if a package that the tracker needs is not installed."""
    missing = [package for package in TRACKERS[name].packages if importlib.util.find_spec(package) is None]
    if missing:
        parser.error(f"--tracker {name} needs the package {missing[0]}: run `pip install {missing[0]}`")


def add_presets(parser: Parser, quick: str, full: str) -> Any:
    """Add the options --quick and --full with these help texts, and return their group."""
    presets = parser.add_mutually_exclusive_group()
    presets.add_argument("--quick", action="store_true", help=f"{quick} (default)")
    presets.add_argument("--full", action="store_true", help=full)
    return presets


def preset_options(parser: Parser, arguments: Sequence[str], chosen: Sequence[str]) -> dict[str, Any]:
    """Options of the chosen preset, with the arguments over them."""
    found = vars(parser.parse_args([*chosen, *arguments]))
    return {name: value for name, value in found.items() if name not in ("quick", "full", "config")}


def as_tuples(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with tuples in place of lists, as a frozen config has them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def at_least(least: int) -> Callable[[str], int]:
    """Type of an option that is an integer from `least` on."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {text}")
        return int(text)

    return number


def above_zero(text: str) -> float:
    """Type of an option that is a number above 0."""
    if not float(text) > 0:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return float(text)


def _end(sentence: str, status: int) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(status)
