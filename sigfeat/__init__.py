"""Time series to features, for scikit-learn."""

import importlib

__version__ = "0.1.0"
_NAMES = {
    "to_panel": "sigfeat.panel",
    "Word": "sigfeat.words", "words_of_length":"sigfeat.words","words_of_weight":"sigfeat.words","ISSTransformer":"sigfeat.transformers.iss"}


def __getattr__(name):
    if name not in _NAMES:
        raise AttributeError(f"module 'sigfeat' has no attribute {name!r}")
    return getattr(importlib.import_module(_NAMES[name]), name)
