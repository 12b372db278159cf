"""Definitions in NumPy, slow and obvious: what every kernel is tested against."""
