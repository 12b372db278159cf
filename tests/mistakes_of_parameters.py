"""Wrong parameters, and the sentence for each."""

import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sigfeat import (
    AddTime,
    ChannelUnion,
    DelayEmbedding,
    FillMissing,
    HyenaEmbeddingTransformer,
    Increments,
    IntervalISSTransformer,
    IntervalQuantileTransformer,
    ISSTransformer,
    LeaveOneOutRidgeClassifier,
    LowRankISSTransformer,
    MHAEmbedder,
    PathDevelopmentTransformer,
    StandardizeChannels,
)
from sigfeat.classifiers import iss_classifier
from tests.mistakes import FRAMES, NEVER, POINTS, SMALL, TAUGHT, UNFITTED, X, Y, fit, iss, low_rank, use

V, T = ValueError, TypeError
DEVICE = "device must be one that torch can use, got {}: "
TEACHER = r"teacher must be an embedder such as MHAEmbedder\(\), a FrozenEstimator .*, got {}$"
UNREAD = r"word {!r} cannot be read: letters are channels in brackets, such as '\[1\]\[1,2\]'$"
WINDOWS = r'windows must be "whole", a number of windows from 1 to 65536, or .*, got {}$'

OUT_OF_RANGE = {
    "depth": [0, 2.5, "2", None],
    "words": ["size", "[1]", {"[1]"}],
    "semiring": ["plus"],
    "strict": ["yes"],
    "decay": [-1, "fast"],
    "pooling": ["average", None],
    "windows": [0, 2.0, "dyadic", None],
    "scale": ["min"],
    "quantile": [2, "half"],
    "n_jobs": [0, 1.5, "all"],
}
LOW_RANK_OUT_OF_RANGE = {
    "depth": [0, 2.5, None],
    "n_functionals": [0, 1e3],
    "n_lags": [0],
    "dilations": [3],
    "semiring": ["max_times"],
    "decay": [-1, "auto"],
    "pooling": ["median"],
    "quantiles": [1.5, "half", None],
    "fit_mode": ["train"],
    "task": ["cluster"],
    "max_epochs": [0],
    "lr": [0, "fast"],
    "batch_size": [1],
    "random_state": ["a", -1],
}


def never(name, value, estimator):
    """A parameter, a value that it never takes, and scikit-learn's sentence."""
    return (
        name,
        lambda: use(estimator.set_params(**{name: value})),
        V,
        NEVER.format(name, type(estimator).__name__, re.escape(repr(value))),
    )


VALUES = {
    f"{transformer.__name__}({name}={value!r})": never(name, value, transformer())
    for transformer, table in ((ISSTransformer, OUT_OF_RANGE), (LowRankISSTransformer, LOW_RANK_OUT_OF_RANGE))
    for name, values in table.items()
    for value in values
}
VALUES |= {
    f"{type(estimator).__name__}({name}={value!r})": never(name, value, estimator)
    for name, value, estimator in [
        ("group", "SP", PathDevelopmentTransformer()),
        ("dim", "4", PathDevelopmentTransformer()),
        ("filter", "gauss", IntervalISSTransformer()),
        ("filter_length", 0, IntervalISSTransformer()),
        ("n_levels", 17, IntervalQuantileTransformer()),
        ("points_per_quantile", 0, IntervalQuantileTransformer()),
        ("max_features", 0, IntervalQuantileTransformer()),
        ("semiring", "max_times", IntervalQuantileTransformer()),
        ("n_lags", 0, DelayEmbedding()),
        ("method", "median", FillMissing()),
        ("unit", "seconds", AddTime()),
        ("with_mean", "yes", StandardizeChannels()),
        ("fit_mode", "x", MHAEmbedder()),
        ("dtype", "int8", MHAEmbedder()),
        ("callbacks", "x", MHAEmbedder()),
        ("transformer_list", 3, ChannelUnion([])),
        ("alphas", -1, LeaveOneOutRidgeClassifier()),
    ]
}
PARAMETERS = {
    "a misspelt parameter": ("n_functional", lambda: ISSTransformer(n_functional=5), T, "unexpected keyword argument"),
    "a misspelt parameter of a classifier": (
        "depht",
        lambda: iss_classifier(depht=5),
        T,
        "unexpected keyword argument",
    ),
    "a misspelt parameter, set": (
        "dept",
        lambda: ISSTransformer().set_params(dept=5),
        V,
        r"Invalid parameter 'dept' for estimator ISSTransformer\(\). Valid parameters are: ",
    ),
    "a place for a name": (
        "arguments",
        lambda: iss_classifier(1000),
        T,
        "takes 0 positional arguments but 1 was given$",
    ),
    "windows of one entry": ("windows", lambda: iss(windows=("dyadic",)), V, WINDOWS.format(r"\('dyadic',\)")),
    "windows of two numbers": ("windows", lambda: iss(windows=[2, 3]), V, WINDOWS.format(r"\[2, 3\]")),
    "too many windows": ("windows", lambda: iss(windows=("dyadic", 30)), V, WINDOWS.format(r"\('dyadic', 30\)")),
    "one unknown pooling": (
        "pooling",
        lambda: iss(pooling=["mean", np.str_("x")]),
        V,
        r"different ones of .* got \['mean', 'x'\]$",
    ),
    "no pooling": ("pooling", lambda: iss(pooling=[]), V, r"pooling must name different ones of .* got \[\]$"),
    "one unknown representation": (
        "representations",
        lambda: use(IntervalQuantileTransformer(["series", "x"])),
        V,
        r"representations must name different ones of series, .* got \['series', 'x'\]$",
    ),
    "a semiring without words": (
        "semiring",
        lambda: use(IntervalQuantileTransformer(words=None, semiring="max_plus")),
        V,
        "semiring is used with words only, got semiring='max_plus' with words=None: leave it at 'real'$",
    ),
    "one unknown semiring": (
        "semiring",
        lambda: low_rank(semiring=["real", "x"]),
        V,
        r"semiring must be of .* got \['real', 'x'\]$",
    ),
    "dilations of 0": (
        "dilations",
        lambda: low_rank(dilations=[0]),
        V,
        r"dilations must be whole numbers >= 1, .* got \[0\]$",
    ),
    "no threshold": ("quantiles", lambda: low_rank(quantiles=0), V, r"quantiles must be a number of .* 4, .* got 0$"),
    "too many thresholds": ("quantiles", lambda: low_rank(quantiles=99), V, r"quantiles must be .* got 99$"),
    "a quantile beyond 1": ("quantiles", lambda: low_rank(quantiles=(0.5, 2.0)), V, r"floats .* got \(0.5, 2.0\)$"),
    "no quantile": ("quantiles", lambda: low_rank(quantiles=()), V, r"as many floats from 0 to 1, got \(\)$"),
    "a yes for the quantiles": ("quantiles", lambda: low_rank(quantiles=True), V, r"quantiles must be .* got True$"),
    "a device of drawn filters": (
        "device",
        lambda: use(IntervalISSTransformer(device="cuda")),
        V,
        r"device is used with fit_mode='supervised' only, got device='cuda' with fit_mode='random': leave it at 'cpu'$",
    ),
    "quantiles of maxima": (
        "quantiles",
        lambda: low_rank(pooling="max", quantiles=1),
        V,
        r"quantiles is used with pooling='ppv' or 'mpv' or 'mipv' only, got quantiles=1 with pooling='max': leave it",
    ),
    "a quantile of means": (
        "quantile",
        lambda: iss(pooling="mean", quantile=0.9),
        V,
        r"quantile is used with pooling='ppv' or 'mpv' or 'mipv' only, got quantile=0.9 with .*: leave it at 0.5$",
    ),
    "a depth of given words": (
        "depth",
        lambda: iss(depth=3, words=["[1]"]),
        V,
        r"depth is used with words='length' or 'weight' only, got depth=3 with words=\['\[1\]'\]: leave it at 2$",
    ),
    "epochs without training": (
        "max_epochs",
        lambda: low_rank(max_epochs=3),
        V,
        "max_epochs is used with fit_mode='supervised' only, got max_epochs=3 with fit_mode='random': leave it at 30$",
    ),
    "negative values": (
        "semiring",
        lambda: use(ISSTransformer(semiring="max_times")),
        V,
        'semiring="max_times" needs values >= 0',
    ),
    "an open bracket": (
        "word",
        lambda: use(ISSTransformer(words=["[1"])),
        V,
        UNREAD.format("[1").replace("[1'", r"\[1'", 1),
    ),
    "no bracket": ("word", lambda: use(ISSTransformer(words=["1,2"])), V, UNREAD.format("1,2")),
    "a name without names": ("word", lambda: use(ISSTransformer(words=["speed"])), V, UNREAD.format("speed")),
    "a number for a word": (
        "word",
        lambda: use(ISSTransformer(words=[3])),
        T,
        "given as text such as .* got 3 of type int$",
    ),
    "channel 0": (
        "word",
        lambda: use(ISSTransformer(words=["[0]"])),
        V,
        "names channel 0, but channels are counted from 1$",
    ),
    "channel 5": ("words", lambda: use(ISSTransformer(words=["[5]"])), V, "names channel 5, but X has 3 channels$"),
    "no such channel": (
        "word",
        lambda: fit(FRAMES, Y, ISSTransformer(words=["[a][temp]"])),
        V,
        r"word '\[a\]\[temp\]' names channel temp, but the channels of X are a, b, c$",
    ),
    "no words": (
        "words",
        lambda: use(ISSTransformer(words=[])),
        V,
        r"words must be different words, at least one, got \[\]$",
    ),
    "no GPU": ("device", lambda: without_gpu(TAUGHT), V, DEVICE.format("'cuda'")),
    "no such device": ("device", lambda: low_rank(device="gpu"), V, DEVICE.format("'gpu'")),
    "a number for a device": ("device", lambda: low_rank(device=3.5), V, DEVICE.format("3.5")),
    "width and heads": (
        "d_model",
        lambda: use(MHAEmbedder(d_model=5, n_heads=2)),
        V,
        "must be a multiple of n_heads, got d_model=5",
    ),
    "even embedding filter": (
        "embedding_filter",
        lambda: use(clone(TAUGHT).set_params(causal=False, embedding_filter=4)),
        V,
        "embedding_filter must be odd unless causal, got 4$",
    ),
    "even short filter": (
        "short_filter",
        lambda: use(clone(TAUGHT).set_params(causal=False, short_filter=2)),
        V,
        "short_filter must be odd unless causal, got 2$",
    ),
    "two-sided student of an even filter": (
        "causal",
        lambda: use(
            HyenaEmbeddingTransformer(
                clone(TAUGHT).set_params(causal=True, embedding_filter=4, short_filter=4), causal=False, **SMALL
            )
        ),
        V,
        "causal must be None or True for a teacher with embedding_filter=4, an even number, got False$",
    ),
    "no callback": (
        "callbacks",
        lambda: use(clone(TAUGHT).set_params(callbacks=["x"])),
        V,
        "callbacks must be callbacks of skorch, got 'x' among them$",
    ),
    "nothing to stop at": (
        "validation_fraction",
        lambda: stopped(),
        V,
        "callbacks: EarlyStopping monitors 'valid_loss'",
    ),
    "a class as teacher": (
        "teacher",
        lambda: use(HyenaEmbeddingTransformer(MHAEmbedder)),
        V,
        TEACHER.format("<class.*>"),
    ),
    "a classifier as teacher": (
        "teacher",
        lambda: use(HyenaEmbeddingTransformer(LogisticRegression())),
        V,
        TEACHER.format(r"LogisticRegression\(\)"),
    ),
    "a teacher of no embeddings": (
        "teacher",
        lambda: use(HyenaEmbeddingTransformer(ISSTransformer())),
        V,
        TEACHER.format(r"ISSTransformer\(\)"),
    ),
    "an unfitted teacher": (
        "MHAEmbedder",
        lambda: use(HyenaEmbeddingTransformer(FrozenEstimator(TAUGHT), **SMALL)),
        NotFittedError,
        UNFITTED.format("MHAEmbedder"),
    ),
    "a teacher of other channels": (
        "teacher",
        lambda: use(HyenaEmbeddingTransformer(FrozenEstimator(clone(TAUGHT).fit(X[:, :2])), **SMALL)),
        V,
        "teacher must be fitted with as many channels as X has, 3, got 2$",
    ),
    "more lags than points": (
        "n_timepoints",
        lambda: use(DelayEmbedding(30)),
        V,
        POINTS.format(30, "DelayEmbedding", 20),
    ),
    "no parts": ("transformer_list", lambda: use(ChannelUnion([])), V, r"must be pairs of a name .*, got \[\]$"),
    "parts without names": (
        "transformer_list",
        lambda: use(ChannelUnion([AddTime()])),
        V,
        "must be pairs of a name and a",
    ),
    "one name twice": (
        "transformer_list",
        lambda: use(ChannelUnion([("f", Increments()), ("f", AddTime())])),
        V,
        "transformer_list: Names provided are not unique: ",
    ),
    "features among parts": (
        "transformer_list",
        lambda: use(ChannelUnion([("f", ISSTransformer())])),
        T,
        "must hold augmentations, which give panels, but 'f' gives an array of shape",
    ),
    "a class in a pipeline": (
        "estimator",
        lambda: use(make_pipeline(ISSTransformer, LogisticRegression())),
        T,
        r"Expected an estimator instance \(ISSTransformer\(\)\), got estimator class",
    ),
    "no features before a classifier": (
        "dim",
        lambda: use(make_pipeline(AddTime(), LogisticRegression())),
        V,
        "Found array with dim 3, while dim <= 2 is required by LogisticRegression.$",
    ),
}


def without_gpu(estimator):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    return use(clone(estimator).set_params(device="cuda"))


def stopped():
    callback = pytest.importorskip("skorch.callbacks").EarlyStopping()
    return use(clone(TAUGHT).set_params(callbacks=[callback]))


PARAMETERS |= VALUES
