"""Cache of the spectra of filters, valid until their weights change."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class SpectrumCache:
    """Cache of spectra that depend on weights, for the last few lengths.

    It is empty while gradients are enabled, and copies and pickles of it are empty. Changes of weights through
    ``.data`` or NumPy, which torch does not count, are not detected.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.mixers.spectra import SpectrumCache
    >>> cache, weight = SpectrumCache(), torch.ones(3)
    >>> with torch.no_grad():
    ...     first = cache.get([weight], 8, lambda: torch.fft.rfft(weight, 8))
    ...     again = cache.get([weight], 8, lambda: torch.fft.rfft(weight, 8))
    >>> again is first
    True
    """

    N_KEPT = 4

    def __init__(self) -> None:
        self._entries: tuple[_Entry, ...] = ()

    def get(self, weights: Sequence[Tensor], n: int, build: Callable[[], Tensor]) -> Tensor:
        """`build()`, or its earlier result for the same `n` and unchanged weights if gradients are disabled."""
        if torch.is_grad_enabled() or any(weight.is_inference() for weight in weights):  # these do not count changes
            self._entries = ()  # since training may follow, and fused optimisers do not count changes either
            return build()
        fresh = [entry for entry in self._entries if entry.fits(weights)]
        found = next((entry for entry in fresh if entry.n == n), None)
        if found is None:
            versions = tuple(weight._version for weight in weights)
            found = _Entry(n, tuple(weights), tuple(weight.detach() for weight in weights), versions, build())
        # one assignment of a tuple, so that threads can share a module
        self._entries = (found, *(entry for entry in fresh if entry is not found))[: self.N_KEPT]
        return found.spectrum

    def clear(self) -> None:
        """Remove all spectra."""
        self._entries = ()

    def __len__(self) -> int:
        return len(self._entries)

    def __reduce__(self) -> tuple[type["SpectrumCache"], tuple[()]]:
        return SpectrumCache, ()


def forget_spectra(module: nn.Module) -> None:
    """Clear the caches of all parts of a module."""
    for part in module.modules():
        if isinstance(cache := getattr(part, "spectra", None), SpectrumCache):
            cache.clear()


class _Entry(NamedTuple):
    n: int
    weights: tuple[Tensor, ...]
    memory: tuple[Tensor, ...]  # aliases, so that after `weight.data = other` no later tensor gets the old address
    versions: tuple[int, ...]
    spectrum: Tensor

    def fits(self, weights: Sequence[Tensor]) -> bool:
        """Whether these are the same weights with the same values."""
        return len(weights) == len(self.weights) and all(
            weight is kept and weight.data_ptr() == memory.data_ptr() and weight._version == version
            for weight, kept, memory, version in zip(weights, self.weights, self.memory, self.versions, strict=True)
        )
