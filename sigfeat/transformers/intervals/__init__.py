"""Transformers and a classifier on features of all intervals of a series."""
