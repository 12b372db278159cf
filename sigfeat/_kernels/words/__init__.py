"""Iterated sums along words."""
