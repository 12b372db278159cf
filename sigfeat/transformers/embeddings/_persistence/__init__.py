"""Estimators in folders: values as JSON, arrays and weights as safetensors. Reading runs no code from the files.

`writer` converts an estimator to JSON, `reader` converts it back, `checks` contains the checks of both, and `folders`
reads and writes the files.
"""

from sigfeat.transformers.embeddings._persistence.folders import load_estimator, save_estimator

__all__ = ["load_estimator", "save_estimator"]
