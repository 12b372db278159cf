"""Embeddings: an attention encoder, and students that are distilled from it."""
