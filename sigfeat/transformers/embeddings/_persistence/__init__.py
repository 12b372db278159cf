"""Estimators in folders: values as JSON, arrays and weights as safetensors. Reading runs no code from the files.

`writer` and `reader` turn an estimator into JSON and back, `checks` has what both check, `folders` the files.
"""

from sigfeat.transformers.embeddings._persistence.folders import load_estimator, save_estimator

__all__ = ["load_estimator", "save_estimator"]
