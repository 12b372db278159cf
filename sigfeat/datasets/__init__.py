"""Synthetic tasks with exact definitions, and a text for language models."""

from sigfeat.datasets.pulses import make_coincidence, make_pointer
from sigfeat.datasets.sequences import (
    TokenTask,
    make_associative_recall,
    make_induction,
    make_memory,
    make_previous_bit,
    make_selective_copying,
)
from sigfeat.datasets.text import load_python_help

__all__ = [
    "TokenTask",
    "load_python_help",
    "make_associative_recall",
    "make_coincidence",
    "make_induction",
    "make_memory",
    "make_pointer",
    "make_previous_bit",
    "make_selective_copying",
]
