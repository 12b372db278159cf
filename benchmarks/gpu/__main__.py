"""Tests and measurements on a GPU: ``make gpu``, or ``python -m benchmarks.gpu``.

Runs the tests that are marked `gpu`, compares transforms with those of the CPU, and measures Hyena against attention,
in at most eight minutes. Everything is written to gpu.json; ``--table FILE`` prints the tables of such a file without
measuring. Without a device that torch can use nothing is done.
"""

import argparse
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.study.files import write

RESULTS, FILE = Path(__file__).parents[1] / "results", "gpu.json"
PARTS = ("tests", "transforms", "mixers")
SECONDS = 440.0  # for everything, so that a last long run, and the start of Python, fit into eight minutes
LIMITS = {"tests": 0.35, "transforms": 0.25, "mixers": 1.0}  # greatest fractions of it
NO_DEVICE = "torch finds no {} device: nothing was run or written."
NEEDED = (  # of every part, since sigfeat.nn loads them
    "jaxtyping",
    "joblib",
    "numba",
    "numpy",
    "pandas",
    "safetensors",
    "scipy",
    "skorch",
    "sklearn",
    "threadpoolctl",
    "tqdm",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print the tables, or print those of a file."""
    options = _parser().parse_args(arguments)
    if options.table:
        from benchmarks.gpu.report import NO_RECORD, markdown

        print(markdown(json.loads(options.table.read_text())) if options.table.exists() else NO_RECORD)
        return
    device = _device(options.device)
    if device is None:
        print(NO_DEVICE.format(options.device.partition(":")[0].upper()))
        return
    missing = [package for package in NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        sys.exit(f"benchmarks.gpu needs {', '.join(missing)}: run `pip install -e '.[torch]'`")
    _measure(device, options)


def _device(name: str) -> Any:
    """The device of torch, None if torch is not installed or does not find it."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    from benchmarks.gpu.device import is_available

    device = torch.device(name)
    return device if is_available(device) else None


def _measure(device, options) -> None:
    import torch

    from benchmarks.gpu.device import description
    from benchmarks.gpu.report import markdown
    from benchmarks.measure import circumstances

    end = time.perf_counter() + options.seconds
    about = circumstances()
    about["commit"] = about["commit"] or options.commit
    document: dict[str, Any] = about | {"device": description(device), "threads": torch.get_num_threads()}
    document |= {"seconds": options.seconds, "repeat": options.repeat}
    for part in dict.fromkeys(options.parts):
        print(f"{part} ...", flush=True)
        limit = min(end, time.perf_counter() + LIMITS[part] * options.seconds)
        for found in _found(part, device, options, lambda limit=limit: limit - time.perf_counter()):
            document[part] = found
            write(options.out / FILE, json.dumps(document, indent=1) + "\n")  # kept, whatever ends the process later
    print(f"\n{markdown(document)}\n\nwritten to {options.out / FILE}")


def _found(part: str, device: Any, options: Any, remaining: Callable[[], float]) -> Iterator[Any]:
    """What is found in a part, again and again while it grows."""
    if part == "tests":
        from benchmarks.gpu.suite import run_tests

        yield run_tests(remaining())
        return
    found = []
    for record in _records(part, device, options, remaining):
        found.append(record)
        yield found


def _records(part, device, options, remaining):
    """Records of measurements, one by one."""
    if part == "transforms":
        from benchmarks.gpu import transforms

        shape = (options.n_series, options.n_steps) if options.n_series else transforms.SHAPE
        return transforms.records(device, remaining, shape, min(options.repeat, transforms.REPEAT))
    from benchmarks.gpu import mixers

    shapes = [mixers.Shape(*shape) for shape in options.shape] if options.shape else mixers.SHAPES
    settings = mixers.Settings(options.lengths or mixers.LENGTHS, shapes, options.repeat, options.cell_seconds)
    return mixers.records(device, settings, remaining)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--device", default="cuda", help="device of torch (default: cuda); with cpu everything runs for a test")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, help="what is run (default: all)")
    add("--lengths", nargs="+", type=int, metavar="N", help="lengths of sequences (default: 1024 to 262144)")
    add("--shape", nargs=3, type=int, action="append", metavar=("BATCH", "WIDTH", "HEADS"), help="of the mixers")
    add("--n-series", type=int, metavar="N", help="series that are transformed, with --n-steps")
    add("--n-steps", type=int, default=100, metavar="N", help="their length")
    add("--repeat", type=int, default=20, help="timed runs of a mixer")
    add("--cell-seconds", type=float, default=12.0, metavar="S", help="limit of the runs of a mixer at a length")
    add("--seconds", type=float, default=SECONDS, metavar="S", help="limit of everything")
    add("--commit", default=os.environ.get("COMMIT"), help="commit of the files, used where git does not know it")
    add("--out", type=Path, default=RESULTS, metavar="DIR", help="folder of the record (default: benchmarks/results)")
    add("--table", type=Path, metavar="FILE", help="measure nothing, print the tables of this record")
    return parser


if __name__ == "__main__":
    main()
