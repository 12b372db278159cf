"""Low-rank iterated sums, and competing letters, behind ISSTransformer."""

import importlib
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sigfeat import _devices
from sigfeat._kernels.low_rank import (
    LOW_RANK_POOLINGS,
    LOW_RANK_SEMIRINGS,
    MAX_COMPETITORS,
    competing_low_rank,
    low_rank_thresholds,
    pooled_low_rank,
)
from sigfeat._messages import plain
from sigfeat.functionals import MAX_CHANNELS, Functionals, draw_functionals, n_parts
from sigfeat.transformers._contract.moments import channel_moments, difference_factors
from sigfeat.transformers._streams import FunctionalStream
from sigfeat.transformers._windows import fine_windows, window_names

DEFAULT_POOLING = ("ppv",)
SUMS, COMPETING = "low_rank", "competing"


@dataclass(frozen=True)
class LowRankSettings:
    """What the parameters of ISSTransformer say of its functionals."""

    kind: str  # SUMS or COMPETING
    n_functionals: int
    depth: int
    n_lags: int
    dilations: tuple[int, ...] | None
    n_thresholds: int
    quantile: float | None
    decay: float | None
    semirings: tuple[str, ...]
    pooling: tuple[str, ...]
    windows: Any

    @property
    def columns(self) -> list[tuple[str, int]]:
        """Poolings of one functional, each with the number of its threshold."""
        if self.kind == COMPETING:
            return [(name, 0) for name in ("largest", "smallest")]
        repeats = {"ppv": self.n_thresholds}
        return [(name, q) for name in self.pooling for q in range(repeats.get(name, 1))]

    @property
    def n_features(self) -> int:
        """Number of features."""
        n_of_chain = self.depth if self.kind == COMPETING else n_parts(self.depth)
        return self.n_functionals * n_of_chain * len(self.columns) * len(fine_windows(self.windows)[1])

    def workspace(self, n_channels: int, n_timepoints: int) -> int:
        """Bytes, about, in which the functionals are drawn and kept: taps, order of channels, thresholds."""
        n_taps = min(n_channels, MAX_CHANNELS) * min(self.n_lags, n_timepoints)
        of_letter = 40 * n_taps + 24 * n_channels
        return self.n_functionals * (self.depth * of_letter + 24 * n_parts(self.depth) * self.n_thresholds)


def low_rank_settings(transformer) -> LowRankSettings:
    """The parameters of an ISSTransformer, checked."""
    kind, depth, semirings = transformer.functionals, transformer.depth, transformer.semiring
    semirings = (semirings,) if isinstance(semirings, str) else tuple(semirings)
    pooling = transformer.pooling
    pooling = DEFAULT_POOLING if _is_auto(pooling) else (pooling,) if isinstance(pooling, str) else tuple(pooling)
    what = f"functionals={kind!r}"
    if kind == COMPETING:
        if not 2 <= depth <= MAX_COMPETITORS:
            raise ValueError(f"depth must be from 2 to {MAX_COMPETITORS} letters for {what}, got {depth}")
        if not _is_auto(transformer.pooling):
            raise ValueError(
                f'pooling must be "auto" for {what}, which has poolings of its own, got {plain(pooling)!r}'
            )
    wrong = [name for name in semirings if name not in LOW_RANK_SEMIRINGS]
    if wrong or not semirings:
        raise ValueError(
            f"semiring must be of {', '.join(LOW_RANK_SEMIRINGS)} for {what}, got {plain(transformer.semiring)!r}"
        )
    known = all(isinstance(name, str) and name in LOW_RANK_POOLINGS for name in pooling)
    if not pooling or not known or len(set(pooling)) < len(pooling):
        allowed = ", ".join(LOW_RANK_POOLINGS)
        raise ValueError(
            f"pooling must name different ones of {allowed} for {what}, got {plain(transformer.pooling)!r}"
        )
    if not transformer.strict:
        raise ValueError(f"strict must be True for {what}, got {plain(transformer.strict)!r}")
    dilations = transformer.dilations
    if dilations is not None:
        dilations = tuple(dilations)
        if not dilations or not all(_is_count(d) for d in dilations):
            raise ValueError(
                f"dilations must be whole numbers from 1 on, at least one, got {plain(transformer.dilations)!r}"
            )
    return LowRankSettings(
        kind=kind,
        n_functionals=transformer.n_functionals,
        depth=depth,
        n_lags=transformer.n_lags,
        dilations=dilations,
        n_thresholds=transformer.n_thresholds,
        quantile=None if _is_auto(transformer.quantile) else float(transformer.quantile),
        decay=None if _is_auto(transformer.decay) else float(transformer.decay),
        semirings=semirings,
        pooling=pooling,
        windows="whole" if _is_auto(transformer.windows) else transformer.windows,
    )


class LowRank:
    """Fitted functionals, their thresholds and the scale of what they look at.

    Attributes
    ----------
    functionals : Functionals
        The letters.
    thresholds : ndarray of shape (n_functionals, n_parts, n_thresholds)
        Thresholds of "ppv"; the first is also that of "mpv" and "mipv".
    shift : ndarray of shape (n_channels,)
        Subtracted from the series.
    scale : ndarray of shape (2, n_channels)
        Factors of the series and of their differences.
    """

    def __init__(self, settings: LowRankSettings, functionals: Functionals, shift, scale) -> None:
        self.settings, self.functionals, self.shift, self.scale = settings, functionals, shift, scale
        self.history: list[dict[str, Any]] | None = None
        self.n_fine, self.windows = fine_windows(settings.windows)
        self.thresholds = np.zeros(
            (functionals.n_chains, n_parts(functionals.depth), settings.n_thresholds), np.float32
        )

    def learn_thresholds(self, X, lengths, random_state) -> None:
        """Take quantiles of the values on a random training series for each functional."""
        if self.settings.kind == COMPETING or not {"ppv", "mpv", "mipv"} & set(self.settings.pooling):
            return
        rows = random_state.randint(len(X), size=self.functionals.n_chains)
        n_thresholds = self.thresholds.shape[2]  # one from each of as many equal parts of the distribution
        shares = (np.arange(n_thresholds) + random_state.random_sample(self.thresholds.shape)) / n_thresholds
        if self.settings.quantile is not None:
            shares[:] = self.settings.quantile
        self.thresholds = low_rank_thresholds(
            X, lengths, self.functionals, rows, shares, shift=self.shift, scale=self.scale
        )

    def features(self, X, lengths, device, n_threads, out) -> None:
        """Fill `out` with the features of series; raise a ValueError where they overflow."""
        how = {"shift": self.shift, "scale": self.scale, "out": out}
        pooling = self.settings.columns, self.thresholds, self.n_fine, self.windows
        if self.settings.kind == COMPETING:
            fits = competing_low_rank(
                X, lengths, self.functionals, self.n_fine, self.windows, n_threads=n_threads, **how
            )
        elif _devices.uses_loops(device):
            fits = pooled_low_rank(X, lengths, self.functionals, pooling, n_threads=n_threads, **how)
        else:
            pooled = importlib.import_module("sigfeat.nn.pooled_low_rank").pooled_on_device
            fits = pooled(X, lengths, self.functionals, pooling, device=device, **how)
        if not fits:
            raise ValueError("low-rank iterated sums overflow float32: scale the series, lower depth or raise decay")

    def stream(self) -> FunctionalStream:
        """A series that grows; see `ISSTransformer.stream`."""
        how = {"competing": self.settings.kind == COMPETING, "shift": self.shift, "scale": self.scale}
        return FunctionalStream(self.functionals, self.settings.columns, self.thresholds, **how)

    def names(self) -> list[str]:
        """Names of the features."""
        settings, k = self.settings, self.functionals.depth
        windows = [f"|{name}" if name else "" for name in window_names(settings.windows)]
        if settings.kind == COMPETING:
            places = [(n, j) for j in range(k) for n, _ in settings.columns]
            places.sort(key=lambda place: [n for n, _ in settings.columns].index(place[0]))
            return [
                f"<{c + 1}.{j + 1}>|{name}{window}"
                for c in range(self.functionals.n_chains)
                for name, j in places
                for window in windows
            ]
        many = settings.n_thresholds > 1
        poolings = [f"{name}{q + 1}" if name == "ppv" and many else name for name, q in settings.columns]
        return [
            f"{''.join(f'<{c + 1}.{j + 1}>' for j in range(i, i + level))}|{semiring}|{pooling}{window}"
            for level in range(1, k + 1)
            for c, semiring in enumerate(self.functionals.semirings)
            for i in range(k - level + 1)
            for pooling in poolings
            for window in windows
        ]


def fit_low_rank(settings, X, lengths, scale, random_state, target, training) -> LowRank:
    """Draw functionals for these series, or train them on a target, and learn scale and thresholds.

    scale: as in ISSTransformer; target: what `check_target` gives, or None; training: settings of the training.
    """
    random_state = check_random_state(random_state)
    n_timepoints = int(np.median(lengths))
    functionals = draw_functionals(
        settings.n_functionals,
        settings.depth,
        X.shape[1],
        n_timepoints,
        n_lags=min(settings.n_lags, n_timepoints),
        dilations=settings.dilations,
        decay=settings.decay,
        semirings=settings.semirings,
        one_dilation=settings.kind == COMPETING,
        random_state=random_state,
    )
    shift, factors = _moments(X, lengths, scale)
    history = None
    if target is not None:  # torch is loaded only here
        seed = int(random_state.randint(2**31))
        train = importlib.import_module("sigfeat.nn.low_rank").train_functionals
        functionals, history = train(functionals, X, lengths, target[1], shift, factors, seed=seed, **training)
    low_rank = LowRank(settings, functionals, shift, factors)
    low_rank.history = history
    low_rank.learn_thresholds(X, lengths, random_state)
    return low_rank


def check_low_rank_device(device) -> None:
    """Raise a ValueError unless low-rank sums can be computed there; torch is loaded only for another than the CPU."""
    if not is_cpu(device):
        importlib.import_module("sigfeat.nn.devices").check_device(device)


def is_cpu(device) -> bool:
    """Whether a name of a device, or a device of torch, is the CPU, where the compiled loops run."""
    return str(device).partition(":")[0] == "cpu"


def _moments(X, lengths, scale):
    """What is subtracted from the channels, and the factors of them and of their differences."""
    n_channels = X.shape[1]
    shift, factors = np.zeros(n_channels), np.ones((2, n_channels))
    if scale is None:
        return shift, factors
    mean, deviation = channel_moments(X, lengths)
    factors[0] = 1 / deviation
    if X.shape[2] > 1:
        long_enough = lengths > 1
        if long_enough.any():
            factors[1] = difference_factors(X[long_enough], lengths[long_enough])
    return (mean if scale == "standard" else shift), factors


def _is_count(value) -> bool:
    """Whether it is a whole number from 1 on, also as a float."""
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) >= 1 and float(value).is_integer()


def _is_auto(value) -> bool:
    return isinstance(value, str) and value == "auto"
