"""Which of two implementations computes: the compiled loops, or torch's operations.

Callers write `_devices.uses_loops(device)`, so that a test which replaces the function here reaches all of them and
runs the code of other devices on tensors of the CPU.
"""

from typing import Any


def uses_loops(device: Any) -> bool:
    """Whether the compiled loops compute on this device, a name or a `torch.device`: on the CPU only."""
    return str(device).partition(":")[0] == "cpu"
