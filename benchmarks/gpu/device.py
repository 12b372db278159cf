"""What a measurement needs from a device, for CUDA and, so that the code can be tested, for the CPU."""

import contextlib
import gc
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import torch

from benchmarks.study.apart import one_line

MEMORY, TIME = "memory", "time"  # reasons for which something is not measured
OUT_OF_MEMORY = ("out of memory", "alloc_failed", "can't allocate memory", "not enough memory")  # of torch's libraries


def is_available(device: torch.device) -> bool:
    """Whether torch can compute on the device."""
    return torch.cuda.is_available() if device.type == "cuda" else device.type == "cpu"


def wait(device: torch.device) -> None:
    """Wait until the device has computed everything that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def free(device: torch.device) -> None:
    """Return memory that is no longer used to the device."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()


def peak_bytes(device: torch.device, run: Callable[[], Any]) -> int | None:
    """Run, and return the bytes of torch's tensors at the peak beyond those before; None on the CPU."""
    if device.type != "cuda":
        run()
        return None
    wait(device)
    torch.cuda.reset_peak_memory_stats(device)
    level = torch.cuda.memory_allocated(device)
    run()
    wait(device)
    return torch.cuda.max_memory_allocated(device) - level


def failure(error: Exception) -> str:
    """Why a measurement failed: "memory", or what the error says, without paths."""
    text = str(error)
    full = isinstance(error, MemoryError | torch.cuda.OutOfMemoryError)
    if full or any(words in text.lower() for words in OUT_OF_MEMORY):
        return MEMORY
    said = " ".join(word for word in text.partition("\n")[0].split() if "/" not in word)
    return one_line(f"{type(error).__name__}: {said}")


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Compute in float32 where tensors are float32: no TensorFloat-32 in matrix products and convolutions."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def description(device: torch.device) -> dict[str, Any]:
    """Name, memory and software of the device."""
    if device.type != "cuda":
        return {"type": device.type}
    found = torch.cuda.get_device_properties(device)
    return {
        "type": "cuda",
        "name": found.name,
        "memory_bytes": found.total_memory,
        "multiprocessors": found.multi_processor_count,
        "compute_capability": f"{found.major}.{found.minor}",
        "driver": _driver(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def _driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return found[0] if found else None
