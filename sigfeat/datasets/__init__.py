"""Synthetic tasks with exact definitions."""

from sigfeat.datasets.pulses import make_coincidence, make_pointer
from sigfeat.datasets.sequences import (
    TokenTask,
    make_associative_recall,
    make_induction,
    make_memory,
    make_previous_bit,
    make_selective_copying,
)

__all__ = [
    "TokenTask",
    "make_associative_recall",
    "make_coincidence",
    "make_induction",
    "make_memory",
    "make_pointer",
    "make_previous_bit",
    "make_selective_copying",
]
