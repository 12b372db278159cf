"""Random panels for every transformer: what it takes it answers rightly, the rest it refuses in a sentence.

Run `python -m tests.fuzz --cases 20000`. Cases depend on the seed alone, so a run can be repeated.
"""

import argparse
import faulthandler
import inspect
import sys
import time
import traceback
import warnings

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from sigfeat import (
    AddBasepoint,
    AddTime,
    ChannelUnion,
    DelayEmbedding,
    FillMissing,
    Increments,
    IntervalDevelopmentTransformer,
    IntervalISSTransformer,
    IntervalQuantileTransformer,
    ISSTransformer,
    LeadLag,
    LowRankISSTransformer,
    PathDevelopmentTransformer,
    SignatureTransformer,
    StandardizeChannels,
    to_panel,
)
from sigfeat.panel import is_table
from sigfeat.pooling import POOLINGS
from sigfeat.semirings import SEMIRINGS
from sigfeat.transformers.embeddings._base import Embedder
from tests.test_contract import AUGMENTATIONS, FEATURES, installed, parts
from tests.wild_panels import pairs

SEED = 0
FEWEST = 200  # cases of a transformer that trains; the others share the rest
HANGS = 120  # seconds after which a case counts as one that hangs

# -------------------------------------------------------------------------------------------------- parameters

WINDOWS = ["whole", 1, 3, ("dyadic", 2)]
POOLED = [*POOLINGS, ("end", "ppv", "argmax")]
STATISTICS = {"pooling": POOLED, "windows": WINDOWS, "quantile": [0.0, 0.3, 1.0]}
SCALE = {"scale": ["standard", "std", None]}
DECAY = {"decay": [0, 0.1, 3.0, 100.0]}
CHOICES = {
    Increments: {"basepoint": [False, True]},
    AddTime: {"unit": ["series", "step"]},
    ChannelUnion: {"steps__basepoint": [False, True]},
    DelayEmbedding: {"n_lags": [1, 2, 3], "dilation": [1, 2]},
    StandardizeChannels: {"with_mean": [False, True], "with_std": [False, True]},
    FillMissing: {"method": ["linear", "forward", "mean", "zero"]},
    SignatureTransformer: {"kind": ["signature", "logsignature"], "depth": [1, 2, 4], "windows": WINDOWS},
    IntervalISSTransformer: STATISTICS | SCALE | {"filter_length": [None, 2, 40]},
    IntervalDevelopmentTransformer: STATISTICS | {"step_size": [None, 0.1, 30.0], "filter_length": [None, 2, 40]},
    PathDevelopmentTransformer: STATISTICS | {"step_size": [None, 0.1, 30.0], "dtype": [None, "float32", "float64"]},
    ISSTransformer: STATISTICS | SCALE | DECAY | {"semiring": list(SEMIRINGS), "strict": [True, False]},
}
CHOICES[IntervalQuantileTransformer] = DECAY | {
    "words": [None, "length", "weight"],
    "semiring": ["real", "max_plus", "min_plus"],
    "n_levels": [1, 3, 16],
    "points_per_quantile": [1, 4, 100],
    "max_features": [1, 50, None],
}
CHOICES[LowRankISSTransformer] = (
    SCALE
    | DECAY
    | {
        "semiring": ["real", "max_plus", "min_plus", ("min_plus", "real")],
        "pooling": ["ppv", "mpv", "mipv", "end", "mean", "max", "min", ("end", "mipv", "ppv")],
        "windows": WINDOWS,
        "quantiles": [3, 1, 0.0, 1.0, (0.2, 0.8)],
        "n_lags": [1, 2, 9, 30],
        "dilations": [None, (1,), (4, 60)],
    }
)


def parameters(transformer):
    """Valid values of some of the parameters."""
    choices = CHOICES.get(type(transformer), {})
    if isinstance(transformer, Embedder):
        choices = {"dtype": [None, "float32", "float64"], "windows": WINDOWS}
    drawn = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in choices.items()})
    return drawn.map(lambda changes: used(transformer, changes))


def used(transformer, changes):
    """The changes, with the default of each parameter that the other settings do not use, which would be refused."""
    after, defaults = transformer.get_params(deep=False) | changes, inspect.signature(type(transformer)).parameters
    only_with = type(transformer)._used_only.items()
    unused = [name for name, only in only_with if not only.holds(after[only.parameter])]
    return changes | {name: defaults[name].default for name in unused}


# -------------------------------------------------------------------------------------------------- properties


def length_after(transformer, length):
    """Points of a series of this length after an augmentation."""
    if isinstance(transformer, ChannelUnion):
        return np.minimum.reduce([length, *(length_after(part, length) for part in parts(transformer))])
    if isinstance(transformer, Increments):
        return length if transformer.basepoint else length - 1
    if isinstance(transformer, DelayEmbedding):
        return length - (transformer.n_lags - 1) * transformer.dilation
    return {AddBasepoint: length + 1, LeadLag: 2 * length - 1}.get(type(transformer), length)


def answer(method, *args, swapped=False):
    """What a method gives, or the sentence with which it refuses; anything else is a failure.

    If and only if the axes look `swapped` there is a warning of that, unless the method refuses.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "X (does not have valid|has) feature names", UserWarning)  # of wide tables
        warnings.filterwarnings("always", "X has more channels, .* than time points", UserWarning)
        warnings.filterwarnings("ignore", "only . digits of the least accurate feature", RuntimeWarning)
        try:
            result, sentence = method(*args), None
        except NotFittedError:
            raise
        except (ValueError, TypeError) as error:
            result, sentence = None, str(error)
    assert sentence is None or len(sentence.split()) > 3, f"no sentence: {sentence!r}"
    n_warnings = len(caught)
    assert n_warnings == swapped or not n_warnings and sentence is not None, f"{n_warnings} warnings of swapped axes"
    return result, sentence


def target(transformer, n_samples):
    """Two classes, where the transformer learns from them."""
    return np.arange(n_samples) % 2 if get_tags(transformer).target_tags.required else None


def check_output(fitted, result, panel):
    """The shape, the dtype, and no value missing that should be there."""
    plain, lengths = panel.plain()
    n_columns = len(fitted.get_feature_names_out())
    assert result.dtype == plain.dtype, f"{result.dtype} from {plain.dtype}"
    if result.ndim == 2:
        assert result.shape == (len(plain), n_columns), f"shape {result.shape}"
        assert np.isfinite(result).all(), "not finite"
        return
    shape = len(plain), n_columns, length_after(fitted, plain.shape[2])
    assert result.shape == shape, f"shape {result.shape}, not {shape}"
    inside = np.arange(result.shape[2]) < length_after(fitted, lengths)[:, np.newaxis]
    inside = np.broadcast_to(inside[:, np.newaxis], result.shape)
    assert np.isfinite(result[inside]).all(), "not finite"
    assert np.isnan(result[~inside]).all(), "padding is not NaN"


def check_tame(fitted, first, second, sentence):
    """Panels of moderate values that are long enough are taken."""
    tame = first.is_tame() and second.is_tame() and (first.shape[0] > 1 or not trains(fitted))
    if "max_times" in str(fitted.get_params()):
        tame = tame and min(np.nanmin(panel.plain()[0]) for panel in (first, second)) >= 0
    widths = {panel.plain()[0].shape[2] for panel in (first, second)}  # of two tables they are one
    tables = is_table(first.build()) and is_table(second.build()) and len(widths) > 1
    assert not tame or tables, f"refused: {sentence}"


def check(transformer, changes, first, second):
    """All that is promised for one panel at fit and another one afterwards; whether both were taken."""
    fresh = clone(transformer).set_params(**changes)
    X, other, y = first.build(), second.build(), target(fresh, first.shape[0])
    before = to_panel(X).tobytes(), to_panel(other).tobytes()
    fitted, sentence = answer(fresh.fit, X, y, swapped=first.looks_swapped())
    result = None
    if fitted is None:
        try:
            fresh.transform(other)
        except NotFittedError:
            pass
        else:
            raise AssertionError("a refused fit left something fitted")
    else:
        own, _ = answer(fitted.transform, X)
        if own is not None:
            check_output(fitted, own, first)
        result, sentence = answer(fitted.transform, other)
        if result is not None:
            check_output(fitted, result, second)
    assert (to_panel(X).tobytes(), to_panel(other).tobytes()) == before, "the input was changed"
    if result is None:
        check_tame(fresh, first, second, sentence)
    check_layout(clone(fresh), first, second, y, result, sentence)
    return result is not None


def check_layout(fresh, first, second, y, result, sentence):
    """Plain arrays give the same."""
    if first.layout == second.layout == "C":
        return
    (X, _), (other, _) = first.plain(), second.plain()
    swapped = X.shape[1] > X.shape[2]
    fitted, plain_sentence = answer(fresh.fit, X, y, swapped=swapped)
    expected = None
    if fitted is not None:
        expected, plain_sentence = answer(fitted.transform, other)
    if result is None and is_table(first.build()):  # scikit-learn's rules hold for tables, besides
        return
    assert (expected is None) == (result is None), f"{sentence} != {plain_sentence}"
    if result is None:
        assert sentence == plain_sentence
    else:
        np.testing.assert_array_equal(result, expected, strict=True)


# ------------------------------------------------------------------------------------------------------- runs


def cases(transformer):
    """Changes of parameters, and two panels."""
    return st.tuples(parameters(transformer), pairs())


def run(transformer, n_cases, seed_of_run, seen):
    """Check so many cases, and count in `seen` what becomes of them."""

    @seed(f"{seed_of_run} {transformer}")
    @settings(
        max_examples=n_cases,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(transformer))
    def checked(case):
        changes, (first, second) = case
        faulthandler.dump_traceback_later(HANGS, exit=True)
        try:
            taken = check(transformer, changes, first, second)
        finally:
            faulthandler.cancel_dump_traceback_later()
        seen["accepted" if taken else "refused"] += 1

    checked()


def trains(transformer):
    """Whether a fit takes many times as long as the features."""
    params = transformer.get_params()
    return params.get("fit_mode") == "supervised" or "callbacks" in params and params.get("fit_mode") != "random"


def shares(transformers, n_cases):
    """Cases of each transformer."""
    n_slow = sum(map(trains, transformers))
    each = -(-(n_cases - FEWEST * n_slow) // max(1, len(transformers) - n_slow))
    return [FEWEST if trains(transformer) else max(FEWEST, each) for transformer in transformers]


def main():
    """Run the cases; the exit code is 1 at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="", help="part of the name of the transformers to run")
    options = parser.parse_args()
    faulthandler.enable()
    transformers = [transformer for transformer in AUGMENTATIONS + FEATURES if installed(transformer)]
    total = {"accepted": 0, "refused": 0}
    begin = time.perf_counter()
    for transformer, n_cases in zip(transformers, shares(transformers, options.cases), strict=True):
        name = " ".join(str(transformer).split())
        if options.only not in name:
            continue
        seen, start = dict.fromkeys(total, 0), time.perf_counter()
        try:
            run(transformer, n_cases, options.seed, seen)
        except Exception:
            traceback.print_exc()
            sys.stdout.write(f"failed: {name}\n")
            return 1
        total = {key: total[key] + seen[key] for key in total}
        write(seen, time.perf_counter() - start, name)
    write(total, time.perf_counter() - begin, f"all, seed {options.seed}")
    return 0


def write(seen, seconds, name):
    counts = f"{seen['accepted']:6d} accepted {seen['refused']:6d} refused"
    sys.stdout.write(f"{sum(seen.values()):6d} cases {counts} {seconds:7.1f} s  {name}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
