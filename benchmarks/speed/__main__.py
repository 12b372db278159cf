"""Speed benchmarks: ``python -m benchmarks.speed [NAMES]``, all of them without names.

The names are those of `BENCHMARKS`. All times are written to JSON files in benchmarks/results, and each table is made
from such a file; ``--table FILE`` prints its tables without measuring. A benchmark is a module with TITLE,
records(threads, repeat) and table(records). Some have picture(records), drawn with ``--pictures DIR``; some have
N_SERIES, which ``--n-series`` replaces.
"""

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

from benchmarks.measure import circumstances
from benchmarks.speed.growth import save_svg

BENCHMARKS = {  # modules, imported when they are asked for: not every environment has all that they need
    "iss": "full_words",
    "tree": "prefix_tree",
    "low_rank": "low_rank",
    "development": "development",
    "mixers": "mixers",
    "intervals": "intervals",
    "quantiles": "quantiles",
    "panel": "panel",
    "scale": "scale",
    "streams": "streams",
}
OWN_FILE = ("panel", "scale", "streams")  # written to NAME.json; all others are parts of kernels.json
RESULTS, KERNELS = Path(__file__).parents[1] / "results", "kernels.json"


def main() -> None:
    """Measure, write and print tables, or print the tables of a file."""
    options = _options()
    if options.table:
        _show(json.loads(options.table.read_text()), options.table.stem, options.pictures)
        return
    for name in dict.fromkeys(options.names or BENCHMARKS):
        module = _module(name)
        if options.n_series and hasattr(module, "N_SERIES"):
            module.N_SERIES = options.n_series
        print(f"measuring {name}: {module.TITLE} ...", flush=True)
        records = module.records(options.threads, options.repeat)
        measured = circumstances() | {"repeat": options.repeat}
        if name in OWN_FILE:
            path, document = options.out / f"{name}.json", measured | records
            _write(path, document)
        else:
            path, document = options.out / KERNELS, {name: measured | {"records": records}}
            _write(path, (json.loads(path.read_text()) if path.exists() else {}) | document)
        _show(document, name, options.pictures)
        print(f"\nwritten to {path}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"benchmarks: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="numbers of threads")
    parser.add_argument("--repeat", type=int, default=5, help="measured runs of each contestant")
    parser.add_argument("--n-series", type=int, metavar="N", help="number of series of panel and scale")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="folder of the JSON files")
    parser.add_argument("--table", type=Path, metavar="FILE", help="measure nothing, print the tables of this file")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="also draw pictures, to NAME.svg in this folder")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}")
    return options


def _module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.speed.{BENCHMARKS[name]}")


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def _show(document: dict[str, Any], name: str, folder: Path | None) -> None:
    """Print the tables of a document, and draw its pictures if there is a folder for them."""
    if name in OWN_FILE:
        print(f"\n{_module(name).table(document['results'])}")
        return
    print(f"\n{_tables(document)}")
    for name, family in document.items() if folder else ():
        if hasattr(_module(name), "picture"):
            folder.mkdir(parents=True, exist_ok=True)
            save_svg(_module(name).picture(family["records"]), folder / f"{name}.svg")


def _tables(document: dict[str, Any]) -> str:
    """Markdown of each benchmark in kernels.json, with its circumstances."""
    parts = []
    for name, family in document.items():
        versions = ", ".join(f"{package} {version}" for package, version in family["versions"].items())
        where = f"{family['cpu']}, {family['n_cpus']} CPUs, Python {family['python']}, {versions}"
        when = f"commit {family['commit']}, {family['date'][:10]}, median of {family['repeat']}"
        module = _module(name)
        parts.append(f"### {module.TITLE}\n\n{module.table(family['records'])}\n\n{where}; {when}.")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
