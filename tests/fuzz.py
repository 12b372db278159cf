"""Random panels for every transformer: what it takes it answers rightly, the rest it refuses in a sentence.

Run `python -m tests.fuzz --cases 20000`. Cases depend on the seed alone, so a run can be repeated.
"""

import argparse
import dataclasses
import faulthandler
import sys
import tempfile
import time
import traceback
import warnings

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from sigfeat import (
    AddBasepoint,
    AddTime,
    DelayEmbedding,
    FillMissing,
    Increments,
    IntervalDevelopmentTransformer,
    IntervalISSTransformer,
    ISSTransformer,
    LeadLag,
    PathDevelopmentTransformer,
    SignatureTransformer,
    StandardizeChannels,
    to_panel,
)
from sigfeat.panel import is_table, series_lengths
from sigfeat.semirings import SEMIRINGS
from sigfeat.transformers._embedder import Embedder
from tests.panels import KINDS
from tests.test_contract import AUGMENTATIONS, FEATURES, installed

SEED = 0
FEWEST = 200  # cases of a transformer that trains; the others share the rest
HANGS = 120  # seconds after which a case counts as one that hangs

# ------------------------------------------------------------------------------------------------------ panels


def stacked(series):
    """One array, with NaN behind the ends; whole numbers become float64 where there is something to fill."""
    if len({s.shape[1] for s in series}) == 1:
        return np.stack(series)
    dtype = series[0].dtype if series[0].dtype.kind in "fO" else np.float64
    panel = np.full((len(series), len(series[0]), max(s.shape[1] for s in series)), np.nan, dtype)
    for i, s in enumerate(series):
        panel[i, :, : s.shape[1]] = s
    return panel


def mapped(series):
    X = stacked(series)
    with tempfile.TemporaryFile() as file:
        file.write(X.tobytes())
        file.flush()
        return np.memmap(file, X.dtype, "r", shape=X.shape)


def torch_tensor(series):
    import torch

    return torch.from_numpy(stacked(series))


def masked(series):
    X = stacked(series)
    return np.ma.MaskedArray(X, np.isnan(X)) if X.dtype.kind == "f" else np.ma.MaskedArray(X)


ARRAYS = {
    "C": stacked,
    "Fortran": lambda series: np.asfortranarray(stacked(series)),
    "time first": lambda series: np.ascontiguousarray(stacked(series).transpose(2, 0, 1)).transpose(1, 2, 0),
    "backward in time": lambda series: stacked(series)[:, :, ::-1].copy()[:, :, ::-1],
    "backward": lambda series: stacked(series)[::-1, ::-1].copy()[::-1, ::-1],
    "every other": lambda series: stacked(series).repeat(2, axis=2).repeat(2, axis=0)[::2, :, 1::2],
    "memmap": mapped,
    "masked": masked,
    "torch": torch_tensor,
}
OTHERS = {name: KINDS[name] for name in KINDS if name not in ("numpy3D", "torch")}
TABLES = {
    "table": lambda series: stacked(series)[:, 0],
    "Fortran table": lambda series: np.asfortranarray(stacked(series)[:, 0]),
    "frame": lambda series: pd.DataFrame(stacked(series)[:, 0]),
    "lists": lambda series: stacked(series)[:, 0].tolist(),
}
LAYOUTS = ARRAYS | OTHERS | TABLES
DTYPES = ["float64", "float32", "float16", "int64", "int8", "uint8", "bool"]
FOREIGN = {name: [">f8", ">f4"] for name in ["C", "Fortran", "memmap", "list", "object array", "table"]}
VALUES = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "positive": lambda rng, shape: rng.uniform(0.1, 2.0, shape),
    "few": lambda rng, shape: rng.integers(-1, 2, shape).astype(float),
    "zeros": lambda rng, shape: np.zeros(shape),
    "minus zeros": lambda rng, shape: np.copysign(0.0, rng.standard_normal(shape)),
    "constant": lambda rng, shape: np.full(shape, rng.standard_normal()),
    "constant channels": lambda rng, shape: np.repeat(rng.standard_normal((*shape[:2], 1)), shape[2], axis=2),
    "alternating": lambda rng, shape: np.broadcast_to(1.0 - 2.0 * (np.arange(shape[2]) % 2), shape).copy(),
    "offset": lambda rng, shape: 1e9 + 1e-6 * rng.standard_normal(shape),
    "nearly constant": lambda rng, shape: 1.0 + np.finfo(float).eps * rng.integers(0, 3, shape),
    "steps": lambda rng, shape: (rng.random((*shape[:2], 1)) < np.linspace(0, 1, shape[2])).astype(float),
    "scales of channels": lambda rng, shape: rng.standard_normal(shape) * scales(rng, (1, shape[1], 1)),
    "scales of series": lambda rng, shape: rng.standard_normal(shape) * scales(rng, (shape[0], 1, 1)),
    "scales of points": lambda rng, shape: rng.standard_normal(shape) * scales(rng, shape),
    "spike": lambda rng, shape: rng.standard_normal(shape) * np.where(rng.random(shape) < 0.1, 1e300, 1.0),
    "denormal": lambda rng, shape: 5e-324 * rng.integers(-3, 4, shape),
    "largest": lambda rng, shape: np.finfo(float).max * rng.choice([-1.0, 0.5, 1.0], shape),
}
TAME = ["normal", "positive", "few"]
POWERS = [0, 0, 0, 3, -3, 8, -8, 18, -18, 37, -37, 38, -38, -44, 75, 100, -100, 150, -150, 154, 200, -200, 300, -300]


def scales(rng, shape):
    return 10.0 ** rng.integers(-300, 300, shape)


@dataclasses.dataclass(frozen=True)
class Panel:
    """All that a panel of a case is made from."""

    layout: str
    dtype: str
    values: str
    power: int
    shape: tuple[int, int, int]
    ragged: bool
    spoilt: str
    seed: int

    def series(self):
        """List of arrays (n_channels, n_timepoints_i) of the dtype."""
        rng = np.random.default_rng(self.seed)
        X = VALUES[self.values](rng, self.shape)
        if self.power:
            with np.errstate(over="ignore"):
                X = np.nan_to_num(X * 10.0**self.power)
        X, lengths = self._cast(X), np.full(len(X), self.shape[2])
        if self.ragged:
            lengths = rng.integers(rng.choice([1, self.shape[2] // 2 + 1]), self.shape[2] + 1, len(X))
        if self.spoilt and X.dtype.kind in "fO":
            bad = [np.nan] if self.spoilt == "nan" else [np.inf, -np.inf]
            places = rng.random(X.shape) < rng.choice([0.02, 0.3])
            X[places] = rng.choice(bad, np.count_nonzero(places))
        return [X[i, :, :length] for i, length in enumerate(lengths)]

    def build(self):
        """What is given to a transformer."""
        return LAYOUTS[self.layout](self.series())

    def plain(self):
        """The same as a C-contiguous array of float64 or float32, and the own lengths of its series."""
        panel = stacked(self.series())
        single = self.dtype in ("float32", ">f4") and self.layout != "lists"
        panel = panel.astype(np.float32 if single else np.float64, order="C")
        return panel, series_lengths(panel)

    def _cast(self, X):
        dtype = np.dtype(self.dtype)
        if dtype.kind == "f":
            return np.clip(X, np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)
        if dtype.kind in "iu":
            bounds = np.iinfo(dtype)
            return np.clip(np.round(10 * np.clip(X, -1e17, 1e17)), bounds.min, bounds.max).astype(dtype)
        return X > 0 if dtype.kind == "b" else X.astype(dtype)

    def is_tame(self):
        """Whether there is no excuse to refuse it, unless it holds negative values."""
        own = series_lengths(stacked(self.series()).astype(float))
        return self.values in TAME and not self.power and not self.spoilt and own.min() >= 8


@st.composite
def panels(draw, n_channels, wild):
    """Panels of any kind with so many channels, of any values if wild, else of moderate ones."""
    layout = draw(st.sampled_from(list(ARRAYS | OTHERS | (TABLES if n_channels == 1 else {}))))
    dtypes = DTYPES + FOREIGN.get(layout, [])
    if layout not in ("torch", "list of tensors", "memmap", "masked"):
        dtypes.append("object")
    shape = draw(st.integers(1, 8)), n_channels, draw(st.integers(1, 50))
    return Panel(
        layout=layout,
        dtype=draw(st.sampled_from(["float64", "float64", "float32", *dtypes])),
        values=draw(st.sampled_from(list(VALUES) if wild else TAME)),
        power=draw(st.sampled_from(POWERS if wild else [0])),
        shape=shape,
        ragged=draw(st.booleans()),
        spoilt=draw(st.sampled_from([""] * 8 + ["nan", "inf"] if wild else [""])),
        seed=draw(st.integers(0, 2**16)),
    )


def pairs():
    """A panel to fit on and another one to transform."""
    kinds = st.tuples(st.integers(1, 4), st.sampled_from([False, True, True]))
    return kinds.flatmap(lambda kind: st.tuples(panels(*kind), panels(*kind)))


# -------------------------------------------------------------------------------------------------- parameters

WINDOWS = ["whole", 1, 3, ("dyadic", 2)]
POOLED = ["end", "mean", "max", "min", "ppv", "mpv", "argmax", ("end", "ppv", "argmax")]
STATISTICS = {"pooling": POOLED, "windows": WINDOWS, "quantile": [0.0, 0.3, 1.0]}
SCALE = {"scale": ["standard", "std", None]}
DECAY = {"decay": [0, 0.1, 3.0, 100.0]}
CHOICES = {
    Increments: {"basepoint": [False, True]},
    AddTime: {"unit": ["series", "step"]},
    DelayEmbedding: {"n_lags": [1, 2, 3], "dilation": [1, 2]},
    StandardizeChannels: {"with_mean": [False, True], "with_std": [False, True]},
    FillMissing: {"method": ["linear", "forward", "mean", "zero"]},
    SignatureTransformer: {"kind": ["signature", "logsignature"], "depth": [1, 2, 4], "windows": WINDOWS},
    IntervalISSTransformer: STATISTICS | SCALE | {"filter_length": [None, 2, 40]},
    IntervalDevelopmentTransformer: STATISTICS | {"scale": [None, 0.1, 30.0], "filter_length": [None, 2, 40]},
    PathDevelopmentTransformer: STATISTICS | {"scale": [None, 0.1, 30.0], "dtype": [None, "float32", "float64"]},
}
OF_WORDS = STATISTICS | SCALE | DECAY | {"semiring": list(SEMIRINGS), "strict": [True, False]}
OF_FUNCTIONALS = {
    "semiring": ["real", "max_plus", "min_plus", ("min_plus", "real")],
    "pooling": ["ppv", "mpv", "mipv", "end", "mean", "max", "min", ("end", "mipv", "ppv")],
    "windows": WINDOWS,
    "quantile": ["auto", 0.0, 1.0],
    "n_lags": [1, 2, 9, 30],
    "dilations": [None, (1,), (4, 60)],
}
OF_COMPETING = SCALE | DECAY | {"windows": WINDOWS, "n_lags": [1, 9], "dilations": [None, (1,), (4, 60)]}


def parameters(transformer):
    """Valid values of some of the parameters."""
    choices = CHOICES.get(type(transformer), {})
    if isinstance(transformer, ISSTransformer):
        of_functionals = {"low_rank": SCALE | DECAY | OF_FUNCTIONALS, "competing": OF_COMPETING}
        choices = of_functionals.get(transformer.functionals, OF_WORDS)
    if isinstance(transformer, Embedder):
        choices = {"dtype": [None, "float32", "float64"], "output": ["pooled", "sequence"], "windows": WINDOWS}
    return st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in choices.items()})


# -------------------------------------------------------------------------------------------------- properties


def length_after(transformer, length):
    """Points of a series of this length after an augmentation."""
    if isinstance(transformer, Increments):
        return length if transformer.basepoint else length - 1
    if isinstance(transformer, DelayEmbedding):
        return length - (transformer.n_lags - 1) * transformer.dilation
    return {AddBasepoint: length + 1, LeadLag: 2 * length - 1}.get(type(transformer), length)


def answer(method, *args):
    """What a method gives, or the sentence with which it refuses; anything else is a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "of the worst feature of .* digits are sure", RuntimeWarning)
        try:
            return method(*args), None
        except NotFittedError:
            raise
        except (ValueError, TypeError) as error:
            sentence = str(error)
    assert len(sentence.split()) > 3, f"no sentence: {sentence!r}"
    return None, sentence


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
    fitted, sentence = answer(fresh.fit, X, y)
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
    expected, plain_sentence = answer(lambda: fresh.fit(X, y).transform(other))
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
    return params.get("fit_mode") == "supervised" or "n_steps" in params and params.get("objective") != "random"


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
