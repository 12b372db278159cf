"""Causal language models: configuration, model, training and sampling."""
