"""The size of the output, of its names and of what they are made of, is checked at fit, before words are listed."""

import time

import numpy as np
import pytest

from sigfeat import (
    HyenaEmbeddingTransformer,
    IntervalDevelopmentTransformer,
    IntervalISSTransformer,
    IntervalQuantileTransformer,
    ISSTransformer,
    LowRankISSTransformer,
    MHAEmbedder,
    PathDevelopmentTransformer,
    S4EmbeddingTransformer,
    SignatureTransformer,
)
from sigfeat.transformers import _words
from sigfeat.transformers._contract import memory as _memory
from sigfeat.transformers._contract.memory import MAX_FEATURES
from sigfeat.words import count_words

pytestmark = pytest.mark.filterwarnings("ignore:X has more channels:UserWarning")  # than time points


def never(*_, **__):
    raise AssertionError("words are listed, or something is drawn, before their number is checked")


TOO_MANY_WORDS = {
    "200 series with swapped axes": (ISSTransformer(), (200, 500, 6), "10,521,000 features along 375,750 words"),
    "12 series with swapped axes": (ISSTransformer(), (12, 1000, 3), "42,042,000 features along 1,501,500 words"),
    "too deep": (ISSTransformer(depth=5), (10, 12, 50), r"features along [\d,]+ words for each of 10 series, .* GiB"),
    "far too deep": (ISSTransformer(depth=10**9), (10, 2, 50), "at least .* features along .* words for each of 10 "),
    "one channel, far too deep": (ISSTransformer(10**9, words="length"), (10, 1, 50), "along 1,000,000,000 words"),
    "intervals of many channels": (IntervalISSTransformer(), (2, 1345, 10), "features along 2,715,555 words"),
    "intervals, too deep": (IntervalISSTransformer(depth=9), (2, 6, 10), "IntervalISSTransformer with depth=9, words="),
    "quantiles of many words": (
        IntervalQuantileTransformer(depth=2, words="weight", max_features=None),
        (2, 600, 10),
        "features along 540,900 words",
    ),
    "a list of words": (
        ISSTransformer(words=["[1]"] * 100_000),
        (2, 3, 10),
        "ISSTransformer with a list of words would give",
    ),
}


@pytest.mark.parametrize("case", TOO_MANY_WORDS)
def test_too_many_words_are_counted_and_not_listed(case, monkeypatch):
    transformer, shape, message = TOO_MANY_WORDS[case]
    for name in ("words_of_length", "words_of_weight", "Word"):
        monkeypatch.setattr(_words, name, never)
    started = time.perf_counter()
    with pytest.raises(ValueError, match=message) as raised:
        transformer.fit(np.zeros(shape))
    assert time.perf_counter() - started < 30  # a hang, not a speed
    assert "\n" not in str(raised.value)
    assert "but at most 2,000,000 can be listed: lower the depth" in str(raised.value)
    assert not hasattr(transformer, "words_")


def test_as_many_features_as_can_be_listed_are_taken(monkeypatch):
    plain = {"words": "length", "pooling": "end", "windows": "whole"}
    monkeypatch.setattr(_memory, "MAX_FEATURES", count_words(3, 4, "length"))
    assert ISSTransformer(4, **plain).fit(np.ones((2, 3, 9))).transform(np.ones((2, 3, 9))).shape == (2, 120)
    monkeypatch.setattr(_memory, "MAX_FEATURES", count_words(3, 4, "length") - 1)
    with pytest.raises(
        ValueError, match="would give 120 features along 120 words for each of 2 series, .* at most 119 can"
    ):
        ISSTransformer(4, **plain).fit(np.ones((2, 3, 9)))
    assert MAX_FEATURES == 2_000_000


UNTRAINED = MHAEmbedder(fit_mode="random")
LOW_RANK = LowRankISSTransformer(n_functionals=10**6)
TOO_LARGE = {  # of 1 GiB
    "words": (ISSTransformer(), (1000, 60, 4), "depth=2, words='weight' would give 153720 features .* to work in"),
    "intervals": (IntervalISSTransformer(), (1000, 60, 4), "IntervalISSTransformer with depth=2, .* to work in"),
    "quantiles": (
        IntervalQuantileTransformer(words=None, max_features=None),
        (500, 60, 1000),
        "IntervalQuantileTransformer would give .* to work in, .* lower max_features or n_levels",
    ),
    "filters over intervals": (
        IntervalISSTransformer(filter="box", n_filters=64, filter_rank=8, depth=3),
        (2, 6, 2000),
        "with n_filters=64 would give .* to work in, .* lower n_filters",
    ),
    "developments": (PathDevelopmentTransformer(n_developments=10**5), (2, 3, 10), "with 100000 developments in"),
    "thresholds of developments": (
        PathDevelopmentTransformer(dim=50, n_developments=100, pooling="ppv", windows="whole"),
        (2, 3, 400),
        "with 100 developments in",
    ),
    "developments over intervals": (
        IntervalDevelopmentTransformer(dim=10_000),
        (2, 3, 10),
        "with n_filters=4 would give [0-9.e+]+ features .* smaller dim",
    ),
    "functionals": (LOW_RANK, (2, 3, 50), "with n_functionals=1000000, depth=2 would give .* to work in"),
    "signatures": (
        SignatureTransformer(windows=4),
        (4, 100, 5),
        "depth=3 would give 4.04040e.6 features .* to work in",
    ),
    "attention": (
        MHAEmbedder(d_model=10**5),
        (4, 3, 10),
        "MHAEmbedder with d_model=100000, n_layers=2, d_ff=200000 would",
    ),
    "Hyena": (
        HyenaEmbeddingTransformer(UNTRAINED, d_model=10**6),
        (4, 3, 10),
        "with d_model=1000000, .* smaller d_model",
    ),
    "embedding of neighbours": (
        MHAEmbedder(embedding_filter=10**9 + 1),
        (4, 3, 10),
        "MHAEmbedder with d_model=64, n_layers=2, d_ff=128, embedding_filter=1000000001 would",
    ),
    "short filter": (MHAEmbedder(short_filter=10**8 + 1), (4, 3, 10), "d_ff=128, short_filter=100000001 would"),
    "order of Hyena": (HyenaEmbeddingTransformer(UNTRAINED, order=10**7), (4, 3, 10), "order=10000000 would"),
    "width of Hyena": (
        HyenaEmbeddingTransformer(UNTRAINED, expansion=50_000.0),
        (4, 3, 10),
        r"expansion=50000\.0 would",
    ),
    "S4": (S4EmbeddingTransformer(UNTRAINED, d_state=10**9), (4, 3, 10), "S4EmbeddingTransformer with d_model="),
    "windows of embeddings": (
        MHAEmbedder(fit_mode="random", windows=("dyadic", 16)),
        (4, 3, 10),
        "would give 8.38854e.6 features .* fewer windows",
    ),
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_what_does_not_fit_into_memory_is_refused_before_it_is_made(case, monkeypatch):
    transformer, shape, message = TOO_LARGE[case]
    monkeypatch.setattr(_memory, "available_memory", lambda: 2**30)
    for place in (
        "sigfeat.transformers._words.words_of_weight",
        "sigfeat.transformers.low_rank.draw_functionals",
        "sigfeat.transformers.intervals._base.draw_filters",
        "sigfeat.transformers.development.random_algebra",
        "sigfeat.transformers.intervals.development.random_algebra",
        "sigfeat.transformers.embeddings.attention.Encoder",
    ):
        if not ("words_of" in place and case == "filters over intervals"):
            monkeypatch.setattr(place, never)
    if isinstance(transformer, SignatureTransformer):
        pytest.importorskip("iisignature", reason="iisignature is an extra")
    with pytest.raises(ValueError, match=message) as raised:
        transformer.fit(np.zeros(shape))
    assert "but 1 GiB of memory are available" in str(raised.value)
    assert "\n" not in str(raised.value)
