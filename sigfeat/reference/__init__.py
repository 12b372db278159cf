"""Definitions in NumPy, slow and simple; every kernel is tested against them."""
