"""Time series to features, for scikit-learn.

Names are loaded on first use, so that importing the package costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sigfeat.linear_model import LeaveOneOutRidgeClassifier as LeaveOneOutRidgeClassifier
    from sigfeat.panel import to_panel as to_panel
    from sigfeat.semirings import Semiring as Semiring
    from sigfeat.transformers.augmentation import AddBasepoint as AddBasepoint
    from sigfeat.transformers.augmentation import AddTime as AddTime
    from sigfeat.transformers.augmentation import CumulativeSum as CumulativeSum
    from sigfeat.transformers.augmentation import DelayEmbedding as DelayEmbedding
    from sigfeat.transformers.augmentation import FillMissing as FillMissing
    from sigfeat.transformers.augmentation import Increments as Increments
    from sigfeat.transformers.augmentation import LeadLag as LeadLag
    from sigfeat.transformers.augmentation import StandardizeChannels as StandardizeChannels
    from sigfeat.transformers.channel_union import ChannelUnion as ChannelUnion
    from sigfeat.transformers.channel_union import make_channel_union as make_channel_union
    from sigfeat.transformers.development import PathDevelopmentTransformer as PathDevelopmentTransformer
    from sigfeat.transformers.embeddings.attention import MHAEmbedder as MHAEmbedder
    from sigfeat.transformers.embeddings.hyena import HyenaEmbeddingTransformer as HyenaEmbeddingTransformer
    from sigfeat.transformers.embeddings.recurrent import RecurrentEmbeddingTransformer as RecurrentEmbeddingTransformer
    from sigfeat.transformers.embeddings.s4 import S4EmbeddingTransformer as S4EmbeddingTransformer
    from sigfeat.transformers.intervals.development import (
        IntervalDevelopmentTransformer as IntervalDevelopmentTransformer,
    )
    from sigfeat.transformers.intervals.iss import IntervalISSTransformer as IntervalISSTransformer
    from sigfeat.transformers.intervals.network import IntervalNetworkClassifier as IntervalNetworkClassifier
    from sigfeat.transformers.intervals.quantiles import IntervalQuantileTransformer as IntervalQuantileTransformer
    from sigfeat.transformers.iss import ISSTransformer as ISSTransformer
    from sigfeat.transformers.low_rank import LowRankISSTransformer as LowRankISSTransformer
    from sigfeat.transformers.scaling import FeatureScaler as FeatureScaler
    from sigfeat.transformers.signature import SignatureTransformer as SignatureTransformer
    from sigfeat.words import Word as Word
    from sigfeat.words import words_of_length as words_of_length
    from sigfeat.words import words_of_weight as words_of_weight

__version__ = "0.1.0"

_MODULES = {
    "sigfeat.linear_model": ("LeaveOneOutRidgeClassifier",),
    "sigfeat.panel": ("to_panel",),
    "sigfeat.semirings": ("Semiring",),
    "sigfeat.words": ("Word", "words_of_length", "words_of_weight"),
    "sigfeat.transformers.augmentation": (
        "AddBasepoint",
        "AddTime",
        "CumulativeSum",
        "DelayEmbedding",
        "FillMissing",
        "Increments",
        "LeadLag",
        "StandardizeChannels",
    ),
    "sigfeat.transformers.channel_union": ("ChannelUnion", "make_channel_union"),
    "sigfeat.transformers.development": ("PathDevelopmentTransformer",),
    "sigfeat.transformers.embeddings.hyena": ("HyenaEmbeddingTransformer",),
    "sigfeat.transformers.intervals.development": ("IntervalDevelopmentTransformer",),
    "sigfeat.transformers.intervals.iss": ("IntervalISSTransformer",),
    "sigfeat.transformers.intervals.network": ("IntervalNetworkClassifier",),
    "sigfeat.transformers.intervals.quantiles": ("IntervalQuantileTransformer",),
    "sigfeat.transformers.iss": ("ISSTransformer",),
    "sigfeat.transformers.low_rank": ("LowRankISSTransformer",),
    "sigfeat.transformers.embeddings.recurrent": ("RecurrentEmbeddingTransformer",),
    "sigfeat.transformers.embeddings.s4": ("S4EmbeddingTransformer",),
    "sigfeat.transformers.scaling": ("FeatureScaler",),
    "sigfeat.transformers.signature": ("SignatureTransformer",),
    "sigfeat.transformers.embeddings.attention": ("MHAEmbedder",),
}
_TORCH_EXTRA = ("torch", "jaxtyping", "skorch", "safetensors")
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(_HOME[name])
    except ModuleNotFoundError as error:
        if error.name not in _TORCH_EXTRA:
            raise
        raise ImportError(f"{name} needs {error.name}: run `pip install 'sigfeat[torch]'`") from error
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
