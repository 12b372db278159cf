"""Layers that mix tokens over time."""
