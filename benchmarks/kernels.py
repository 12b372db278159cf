"""Speed of the compiled loops: ``python -m benchmarks.kernels``.

Every number in the tables comes from a JSON file with all raw times; ``--table FILE`` prints the tables of such a file.
A further family of cases is one more module with TITLE, records(threads, repeat), table(records) and, where there is
something to draw, picture(records); ``--pictures DIR`` draws.
"""

import argparse
import importlib
import json
from pathlib import Path

from benchmarks.growth import save_svg
from benchmarks.measure import circumstances

FAMILIES = {  # modules, imported when they are asked for: not every environment has all that they need
    "iss": "full_words",
    "tree": "prefix_tree",
    "low_rank": "low_rank",
    "development": "development",
    "mixers": "mixers",
    "intervals": "intervals",
}
RESULTS = Path(__file__).parent / "results" / "kernels.json"


def main() -> None:
    """Measure and write, or print what was written."""
    options = _options()
    if options.table:
        _show(json.loads(options.table.read_text()), options.pictures)
        return
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    measured = {}
    for name in options.only:
        family = _family(name)
        print(f"measuring {name}: {family.TITLE} ...", flush=True)
        records = family.records(options.threads, options.repeat)
        measured[name] = circumstances() | {"repeat": options.repeat, "records": records}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results | measured, indent=1) + "\n")
    _show(measured, options.pictures)
    print(f"\nwritten to {options.out}")


def _family(name):
    return importlib.import_module(f"benchmarks.{FAMILIES[name]}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=FAMILIES, default=list(FAMILIES), help="families of cases")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="numbers of threads")
    parser.add_argument("--repeat", type=int, default=5, help="measured runs of each contestant")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file; families not run stay in it")
    parser.add_argument("--table", type=Path, metavar="FILE", help="measure nothing, print the tables of this file")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="draw pictures, too, to NAME.svg in this folder")
    return parser.parse_args()


def _show(results: dict, folder: Path | None) -> None:
    """Print the tables, and draw the pictures if there is a folder for them."""
    print(f"\n{_tables(results)}")
    for name, family in results.items() if folder else ():
        if hasattr(_family(name), "picture"):
            folder.mkdir(parents=True, exist_ok=True)
            save_svg(_family(name).picture(family["records"]), folder / f"{name}.svg")


def _tables(results: dict) -> str:
    """Markdown of every family in a results file, each with its circumstances."""
    parts = []
    for name, family in results.items():
        versions = ", ".join(f"{package} {version}" for package, version in family["versions"].items())
        where = f"{family['cpu']}, {family['n_cpus']} CPUs, Python {family['python']}, {versions}"
        when = f"commit {family['commit']}, {family['date'][:10]}, median of {family['repeat']}"
        module = _family(name)
        parts.append(f"### {module.TITLE}\n\n{module.table(family['records'])}\n\n{where}; {when}.")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
