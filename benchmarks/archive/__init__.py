"""Test accuracy, time and memory on the UEA and UCR archives: ``python -m benchmarks.archive``."""

from benchmarks.archive.sets import load

__all__ = ["load"]
