"""Hyena, S4, a GRU and attention on sequence tasks: ``python -m benchmarks.sequence_tasks``."""
