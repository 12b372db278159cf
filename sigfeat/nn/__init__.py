"""Torch modules: layers, networks, and their training."""

from sigfeat.nn.development import Development, development, random_algebra
from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.nn.fidelity import fidelity, layer_tokens, skill
from sigfeat.nn.groups import GROUPS, Group
from sigfeat.nn.intervals.convolution import interval_convolution
from sigfeat.nn.intervals.filters import ExponentialFilter, IntervalFilter, LearntFilter, TapFilter, build_filter
from sigfeat.nn.intervals.layers import IntervalDevelopment, IntervalSums
from sigfeat.nn.intervals.networks import interval_hyena, stacked_intervals
from sigfeat.nn.language.config import PRESETS, LanguageModelConfig
from sigfeat.nn.language.distillation import distil_language_model, language_fidelity
from sigfeat.nn.language.model import HyenaLM, param_count
from sigfeat.nn.language.training import text_loss, train_language_model
from sigfeat.nn.low_rank import LowRankISS
from sigfeat.nn.mixers.attention import Attention
from sigfeat.nn.mixers.hyena import Hyena, HyenaFilter
from sigfeat.nn.mixers.recurrent import Recurrent
from sigfeat.nn.mixers.s4 import S4
from sigfeat.nn.training.distillation import DistillationWeights, copy_weights

__all__ = [
    "GROUPS",
    "PRESETS",
    "S4",
    "Attention",
    "Development",
    "DistillationWeights",
    "Encoder",
    "EncoderSpec",
    "ExponentialFilter",
    "Group",
    "Hyena",
    "HyenaFilter",
    "HyenaLM",
    "IntervalDevelopment",
    "IntervalFilter",
    "IntervalSums",
    "LanguageModelConfig",
    "LearntFilter",
    "LowRankISS",
    "Recurrent",
    "TapFilter",
    "build_filter",
    "copy_weights",
    "development",
    "distil_language_model",
    "fidelity",
    "interval_convolution",
    "interval_hyena",
    "language_fidelity",
    "layer_tokens",
    "param_count",
    "random_algebra",
    "skill",
    "stacked_intervals",
    "text_loss",
    "train_language_model",
]
