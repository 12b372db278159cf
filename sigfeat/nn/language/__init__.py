"""Causal language models, their training and sampling."""
