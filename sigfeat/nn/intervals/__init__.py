"""Interval features as torch layers, their filters, and networks of them."""
