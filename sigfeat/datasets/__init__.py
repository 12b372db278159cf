"""Synthetic tasks with exact definitions."""

from sigfeat.datasets.pulses import make_coincidence, make_pointer

__all__ = ["make_coincidence", "make_pointer"]
