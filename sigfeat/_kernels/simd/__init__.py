"""Blocks of time with one series per SIMD lane: rows of vectors, and the loops over them."""
