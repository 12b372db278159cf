"""Bridges to sktime, aeon and dask: they translate types and compute nothing."""
