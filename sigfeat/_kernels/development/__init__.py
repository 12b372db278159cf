"""Developments of series in matrix groups, and their gradients."""
