"""Hyena against multi-head attention: ``python -m benchmarks.hyena_vs_mha``."""
