"""Adapters for sktime, aeon and dask. They convert types and compute nothing."""
