"""Time and memory of Hyena and of fused attention on a device, over the length of the sequence."""

import contextlib
import itertools
import math
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.gpu.device import MEMORY, TIME, failure, free, full_precision, peak_bytes, wait
from benchmarks.hyena_vs_mha.cost import FUSED, TASKS, WARM_UP_LENGTH, _mixer, flops

ORDERS = (1, 2, 3)
NAMES = (FUSED, *(f"Hyena order {order}" for order in ORDERS))
DTYPES = ("bfloat16", "float32")
LENGTHS = tuple(2**k for k in range(10, 19))  # 1,024 to 262,144
FUSED_OPERATION = re.compile(r"_scaled_dot_product_(flash|efficient|cudnn)_attention(?!.*backward)")


@dataclass(frozen=True)
class Shape:
    """Number of sequences, width of the tokens, and heads of attention."""

    batch: int
    width: int
    heads: int


SHAPES = (Shape(4, 64, 4), Shape(1, 512, 8))  # that of the study on the CPU, and a layer of a larger network


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Parameters
    ----------
    lengths : sequence of int
        Of the sequences.
    shapes : sequence of Shape
        Of the layers.
    repeat : int
        Timed runs of each mixer, fewer if `cell_seconds` do not suffice.
    cell_seconds : float
        Seconds for all runs of one mixer at one length. A run that is predicted to take longer is not started.
    """

    lengths: Sequence[int] = LENGTHS
    shapes: Sequence[Shape] = SHAPES
    repeat: int = 20
    cell_seconds: float = 12.0


@dataclass(frozen=True)
class Case:
    """Everything but the mixer that a time depends on."""

    length: int
    shape: Shape
    dtype: str
    task: str

    def record(self, name: str) -> dict[str, Any]:
        """What is known of a mixer without a measurement."""
        sizes = asdict(self.shape)
        operations = flops(name, self.length, self.task, **sizes)
        about = {"name": name, "length": self.length, **sizes, "dtype": self.dtype, "task": self.task}
        return about | {"flops": operations, "seconds": [], "peak_bytes": None}

    def before(self, length: int) -> "Case":
        """The same at another length."""
        return Case(length, self.shape, self.dtype, self.task)


def records(device: torch.device, settings: Settings, remaining: Callable[[], float]) -> Iterator[dict[str, Any]]:
    """One record for each length, shape, precision, task and mixer; all mixers of a length before a longer one.

    Parameters
    ----------
    device : torch.device
        To compute on.
    settings : Settings
        What is measured.
    remaining : callable
        Seconds that are left for everything. What is predicted to take longer is not measured.

    Yields
    ------
    record : dict
        "seconds": times of the runs, which are empty where "failure" is "memory" (the device ran out of it), "time" or
        the sentence of an error; "peak_bytes": torch's tensors at the peak of the first run beyond those before it,
        spectra that are kept included; "backend", of attention: the kernel that torch chose.

    Notes
    -----
    In bfloat16 tokens are bfloat16 and weights float32, under autocast; FFTs remain in float32. In float32 matrix
    products and convolutions do not use TensorFloat-32. Times are those of a clock that waits for the device before
    and after each run. Mixers take turns. A mixer that failed at a length for want of memory or time is not tried at a
    longer one.
    """
    found: dict[tuple[str, Case], dict[str, Any]] = {}
    lengths = sorted(settings.lengths)
    with full_precision():
        for k, length in enumerate(lengths):
            for shape, dtype, task in itertools.product(settings.shapes, DTYPES, TASKS):
                case = Case(length, shape, dtype, task)
                shorter = {name: found.get((name, case.before(lengths[k - 1]))) if k else None for name in NAMES}
                measured = _measured(device, case, shorter, settings, remaining)
                found |= {(name, case): record for name, record in measured.items()}
                yield from measured.values()


def _measured(device, case, shorter, settings, remaining):
    """Records of one case by the name of the mixer."""
    found, turns = {name: case.record(name) for name in NAMES}, {}
    for name, record in found.items():
        reason = _reason(shorter[name], case.length, settings, remaining)
        if reason is None:
            try:
                turns[name] = _first(device, case, name, record, settings, remaining)
            except (RuntimeError, MemoryError) as error:
                reason = failure(error)
            if reason == MEMORY:
                free(device)
        if reason is not None:
            record["failure"] = reason
    _take_turns(device, turns, found, remaining)
    if turns:
        turns.clear()
        free(device)
    return found


def _reason(shorter: Mapping[str, Any] | None, length: int, settings: Settings, remaining: Callable[[], float]):
    """Why a mixer is not run, judging by its record at a shorter length, or None."""
    if remaining() <= 0:
        return TIME
    if shorter is None:
        return None
    if not shorter["seconds"]:
        return shorter["failure"] if shorter["failure"] in (MEMORY, TIME) else None  # other errors may not come back
    expected = statistics.median(shorter["seconds"]) * (length / shorter["length"]) ** 2
    return TIME if expected > min(settings.cell_seconds, remaining()) else None


def _first(device, case, name, record, settings, remaining):
    """Run a mixer for the first time; return the run, its seconds, and how often it is to be repeated."""
    run, short = _runs(device, case, name)
    operations, taken = _Operations(), []
    with operations if name == FUSED else contextlib.nullcontext():
        short()  # loads what the libraries load
        operations.names.clear()
        record["peak_bytes"] = peak_bytes(device, lambda: taken.append(_timed(device, run)))
    if name == FUSED:
        record["backend"] = operations.backend()
    if 4 * taken[0] < min(settings.cell_seconds, remaining()):
        taken.append(_timed(device, run))  # the first run makes plans and chooses algorithms
    number = math.floor((settings.cell_seconds - sum(taken)) / taken[-1])
    if number < 1:
        record["seconds"] = [taken[-1]]
    return run, taken[-1], min(settings.repeat, max(number, 0))


def _take_turns(device, turns, found, remaining):
    for k in range(max((number for _, _, number in turns.values()), default=0)):
        for name, (run, expected, number) in list(turns.items()):
            seconds = found[name]["seconds"]
            if k >= number or (seconds and expected > remaining()):
                continue
            try:
                seconds.append(_timed(device, run))
            except (RuntimeError, MemoryError) as error:  # the others keep spectra in memory, too
                del turns[name]
                if not seconds:
                    found[name]["failure"] = failure(error)


def _timed(device, run):
    wait(device)
    start = time.perf_counter()
    run()
    wait(device)
    return time.perf_counter() - start


def _runs(device, case, name):
    """A run of a mixer, and the same on few tokens."""
    shape = case.shape
    mixer = _mixer(name, case.length, shape.width, shape.heads).to(device).train(case.task == "training")
    generator = torch.Generator().manual_seed(0)
    dtype = getattr(torch, case.dtype)
    drawn = torch.randn(2, shape.batch, case.length, shape.width, generator=generator)
    x, gradient = drawn.to(device, dtype)

    def run(length=None):
        tokens = x[:, :length].detach().requires_grad_(case.task == "training")
        with torch.set_grad_enabled(case.task == "training"):
            with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
                mixed = mixer(tokens)
            if case.task == "training":
                torch.autograd.grad(mixed, [tokens, *mixer.parameters()], gradient[:, :length])

    return run, lambda: run(WARM_UP_LENGTH)


class _Operations(TorchDispatchMode):
    """Names of the operations that torch runs."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operation and note its name."""
        self.names.add(func.__name__)
        return func(*args, **(kwargs or {}))

    def backend(self):
        """Kernel of attention: "flash", "efficient", "cudnn", or "math" if no fused one ran."""
        matches = {found[1] for name in self.names if (found := FUSED_OPERATION.search(name))}
        return ", ".join(sorted(matches)) or "math"
