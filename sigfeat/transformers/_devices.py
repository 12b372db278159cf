"""Devices of torch."""

import torch


def check_device(device):
    """Raise a ValueError with torch's reason unless it can compute on the device."""
    try:
        float(torch.zeros(1, device=device))
    except (RuntimeError, AssertionError, TypeError) as error:  # the second from a torch without that device
        reason = str(error).splitlines()[0]
        raise ValueError(f"device must be one that torch can use, got {device!r}: {reason}") from error
