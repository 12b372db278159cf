"""Measurements, run as ``python -m benchmarks.<name>``; of sigfeat they use public names only."""
