"""Devices of torch, and threads of torch, OpenMP and BLAS."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from threadpoolctl import threadpool_limits


def check_device(device: Any) -> None:
    """Raise a ValueError, with the reason that torch gives, if torch cannot compute on the device."""
    try:
        float(torch.zeros(1, device=device))
    except (RuntimeError, AssertionError, TypeError) as error:  # the second from a torch without that device
        reason = str(error).splitlines()[0]
        raise ValueError(f"device must be one that torch can use, got {device!r}: {reason}") from error


@contextlib.contextmanager
def thread_limit(n_threads: int) -> Iterator[None]:
    """Limit the threads of torch, OpenMP and BLAS for calls from this thread.

    The rounding of torch's sums depends on the number of threads.

    Parameters
    ----------
    n_threads : int
        Largest number of threads.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.devices import thread_limit
    >>> with thread_limit(1):
    ...     torch.get_num_threads()
    1
    """
    torch.get_num_threads()  # after a `set_num_threads` anywhere, the first use of torch in a thread undoes its limits
    with threadpool_limits(n_threads):
        yield
