"""Processes that train together: the rows of a batch that each selects, and the values on which they must agree."""

import os
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

ACCELERATE = "accelerate"  # as a device: the device that accelerate assigns to this process


@dataclass(frozen=True)
class Processes:
    """Processes that train together, as seen from one of them. All must call the same methods in the same order.

    Parameters
    ----------
    device : torch.device or str, default="cpu"
        Device of this process.
    number : int, default=0
        Number of this process.
    count : int, default=1
        Number of processes.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.training.processes import Processes
    >>> Processes(number=1, count=2).own(torch.arange(6))
    tensor([3, 4, 5])
    """

    device: torch.device | str = "cpu"
    number: int = 0
    count: int = 1

    def own(self, rows: Tensor) -> Tensor:
        """Rows of a batch for this process."""
        if self.count == 1:
            return rows
        n_own = len(rows) // self.count
        return rows[self.number * n_own : (self.number + 1) * n_own]

    def total(self, *values: Tensor) -> list[Tensor]:
        """Sums over the processes, in the precision of the last value and without gradients."""
        if self.count == 1:
            return list(values)
        joined = torch.cat([value.detach().flatten().to(values[-1].dtype) for value in values])
        torch.distributed.all_reduce(joined)
        parts = torch.split(joined, [value.numel() for value in values])
        return [part.reshape(value.shape) for part, value in zip(parts, values, strict=True)]

    def any(self, own: bool) -> bool:
        """Whether a statement is true in any process."""
        return bool(self.total(torch.tensor(float(own), device=self.device))[0] > 0)

    def of_first(self, number: int) -> int:
        """The number of the first process."""
        value = torch.tensor(number, device=self.device)
        self.copy_first([value])
        return int(value)

    def copy_first(self, values: list[Tensor]) -> None:
        """Copy the values of tensors from the first process."""
        if self.count > 1:
            for value in values:
                torch.distributed.broadcast(value, 0)

    def check_same(self, name: str, values: NDArray[Any]) -> None:
        """Raise a ValueError in all processes unless the values are the same in all."""
        if self.count == 1:
            return
        checksum = zlib.crc32(repr(values.shape).encode(), zlib.crc32(np.ascontiguousarray(values).data))
        bounds = torch.tensor([checksum, -checksum], device=self.device)
        torch.distributed.all_reduce(bounds, torch.distributed.ReduceOp.MAX)
        if int(bounds.sum()):
            raise ValueError(f"{name} must be the same in all processes, which share its rows")


def processes(device: torch.device | str) -> Processes:
    """The processes that train on a device: several for "accelerate", if they were launched together.

    Raises
    ------
    ImportError
        If the device is "accelerate", which is not installed.
    ValueError
        If several processes were launched that accelerate cannot connect.
    """
    if device != ACCELERATE:
        return Processes(device)
    state = _state()
    where = (
        torch.device("cpu") if state.device.type == "cpu" else state.device
    )  # it numbers CPUs, which torch cannot load
    return Processes(where, state.process_index, state.num_processes)


def accelerator() -> Any:
    """The accelerator of this process, connected to the processes that were launched with it.

    Raises
    ------
    ImportError
        If accelerate is not installed.
    ValueError
        If it was launched with settings beyond the sharing of batches.
    """
    _state()
    found = _accelerate().Accelerator(device_placement=False)
    kind, precision = str(found.distributed_type.value), found.mixed_precision
    if kind != "NO" and not kind.startswith("MULTI_"):
        raise ValueError(f"device='accelerate' shares batches, not weights: launch without {kind}")
    if precision != "no":
        raise ValueError(f"device='accelerate' computes in dtype: launch without mixed precision, now {precision}")
    if (steps := found.gradient_accumulation_steps) != 1:
        raise ValueError(
            f"device='accelerate' takes whole steps: launch without accumulation of gradients over {steps}"
        )
    return found


def same_weights(module: nn.Module, together: Processes) -> None:
    """Copy the weights of a module from the first process, since rounding may differ between devices."""
    with torch.no_grad():
        together.copy_first(list(module.state_dict().values()))


def _state() -> Any:
    """The state of this process in accelerate, which does not notice by itself that torchrun found no GPU."""
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    has_gpu = torch.accelerator.is_available() if hasattr(torch, "accelerator") else torch.cuda.is_available()
    state = _accelerate().PartialState(cpu=launched > 1 and not has_gpu)
    if state.num_processes < launched:
        raise ValueError(
            f"accelerate takes {launched} launched processes for {state.num_processes} on {state.device}: "
            "set ACCELERATE_USE_CPU=true to train on the CPU"
        )
    return state


def _accelerate() -> Any:
    try:
        import accelerate

        return accelerate
    except ImportError as error:
        raise ImportError("device='accelerate' needs accelerate: run `pip install 'sigfeat[accelerate]'`") from error
