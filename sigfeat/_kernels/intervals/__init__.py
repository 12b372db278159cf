"""Sums over all pairs of intervals."""
