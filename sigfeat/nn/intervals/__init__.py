"""Interval features as torch layers, trainable filters, and networks of these layers."""
