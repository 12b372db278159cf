"""Synthetic tasks with exact definitions, and a text."""

from sigfeat.datasets.pulses import make_coincidence, make_pointer
from sigfeat.datasets.text import load_python_help

__all__ = ["load_python_help", "make_coincidence", "make_pointer"]
