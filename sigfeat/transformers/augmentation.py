"""Augmentations: transformers from panel to panel that respect the length of each series."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat._rounding import difference_rounding, within_rounding
from sigfeat._validation import Interval, StrOptions
from sigfeat.transformers._contract.base import PanelAugmentation
from sigfeat.transformers._contract.moments import channel_moments


class Increments(PanelAugmentation):
    """Differences of consecutive values, x_t - x_{t-1}.

    Parameters
    ----------
    basepoint : bool, default=False
        Whether a zero is put before the first sample. Then the first increment is x_1 and the length of the series
        is kept; without it a series becomes one point shorter.

    Attributes
    ----------
    constant_ : ndarray of shape (n_channels_,), float64
        For each channel whose increments are the same in all training series, up to rounding, this increment; NaN for
        all other channels.

    Raises
    ------
    ValueError
        If a series has only one point and `basepoint` is False.

    See Also
    --------
    CumulativeSum : The inverse of ``Increments(basepoint=True)``.

    Notes
    -----
    Times such as 0, 0.01, 0.02, ... are rounded, so their increments differ in the last digits. A later step sees only
    the increments and cannot know that these differences are rounding errors. Therefore an increment that equals
    `constant_` up to rounding of the series is replaced by `constant_`.

    Examples
    --------
    >>> from sigfeat import Increments
    >>> Increments().fit_transform([[1.0, 3.0, 2.0]])
    array([[[ 2., -1.]]])
    """

    _parameter_constraints = {"basepoint": ["boolean"]}

    def __init__(self, basepoint: bool = False) -> None:
        self.basepoint = basepoint

    def _needed_timepoints(self) -> int:
        return 1 if self.basepoint else 2

    def _learn(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> None:
        self._rounding, self.constant_ = difference_rounding(X), np.full(X.shape[1], np.nan)
        moving = lengths > 1
        with np.errstate(over="ignore"):
            increments = np.diff(X[moving], axis=2)
        if not moving.any() or np.isinf(increments).any():  # `transform` raises
            return
        mean = channel_moments(increments, lengths[moving] - 1)[0]
        farthest = np.nanmax(np.abs(increments - mean[:, np.newaxis]), axis=(0, 2))
        same = farthest <= self._rounding * np.nanmax(np.abs(X[moving]), axis=(0, 2))
        self.constant_[same] = mean[same]

    def _augment(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
        increments = np.diff(X, axis=2)
        for c in np.flatnonzero(~np.isnan(self.constant_)):
            own, rounding = increments[:, c], self._rounding[c] * np.nanmax(np.abs(X[:, c]), axis=1, keepdims=True)
            own[np.abs(own - self.constant_[c]) <= rounding] = self.constant_[c]
        return np.concatenate([X[:, :, :1], increments], axis=2) if self.basepoint else increments

    def _name_channels(self, names: list[str]) -> list[str]:
        return [f"d {name}" for name in names]


class CumulativeSum(PanelAugmentation):
    """Cumulative sums x_1 + ... + x_t, which turn increments into a path.

    See Also
    --------
    Increments : The inverse, with ``basepoint=True``.

    Notes
    -----
    The sums are computed in float64 and returned in the dtype of the input.

    Examples
    --------
    >>> from sigfeat import CumulativeSum
    >>> CumulativeSum().fit_transform([[1.0, 3.0, 2.0]])
    array([[[1., 4., 6.]]])
    """

    def _augment(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
        return np.cumsum(X, axis=2, dtype=np.float64).astype(X.dtype, copy=False)

    def _name_channels(self, names: list[str]) -> list[str]:
        return [f"sum {name}" for name in names]


class AddTime(PanelAugmentation):
    """Add time as the first channel.

    Parameters
    ----------
    unit : {"series", "step"}, default="series"
        "series": time runs from 0 at the first to 1 at the last point of each series. "step": 0, 1, 2, ...

    Notes
    -----
    Points are assumed to be equally spaced. A series of one point has time 0.

    References
    ----------
    .. [1] Chevyrev, Kormilitzin, "A primer on the signature method in machine learning", 2016,
       arXiv:1603.03788, part 2: time-joined paths.

    Examples
    --------
    >>> from sigfeat import AddTime
    >>> AddTime().fit_transform([[1.0, 3.0, 2.0]])
    array([[[0. , 0.5, 1. ],
            [1. , 3. , 2. ]]])
    """

    _parameter_constraints = {"unit": [StrOptions({"series", "step"})]}

    def __init__(self, unit: str = "series") -> None:
        self.unit = unit

    def _augment(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
        last = np.maximum(lengths - 1, 1) if self.unit == "series" else np.ones_like(lengths)
        time = (np.arange(X.shape[2]) / last[:, np.newaxis]).astype(X.dtype, copy=False)
        return _cut(np.concatenate([time[:, np.newaxis, :], X], axis=1), lengths)

    def _name_channels(self, names: list[str]) -> list[str]:
        return ["time", *names]


class AddBasepoint(PanelAugmentation):
    """Put a zero before every series, so that features of its increments depend on its first value.

    References
    ----------
    .. [1] Morrill, Fermanian, Kidger, Lyons, "A generalised signature method for multivariate time series
       feature extraction", 2021, arXiv:2006.00873: basepoint augmentation.

    Examples
    --------
    >>> from sigfeat import AddBasepoint
    >>> AddBasepoint().fit_transform([[1.0, 3.0, 2.0]])
    array([[[0., 1., 3., 2.]]])
    """

    def _augment(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
        return np.pad(X, ((0, 0), (0, 0), (1, 0)))


class LeadLag(PanelAugmentation):
    """Lead-lag transformation: each channel and its lagged copy, in 2 n_timepoints - 1 points.

    The points x_1, ..., x_T become the pairs (lead, lag)
    (x_1, x_1), (x_2, x_1), (x_2, x_2), (x_3, x_2), ..., (x_T, x_T).
    All leading channels come first, then all lagging ones.

    References
    ----------
    .. [1] Chevyrev, Kormilitzin, "A primer on the signature method in machine learning", 2016,
       arXiv:1603.03788, part 2: lead-lag transformation. Its signed area is half the quadratic variation.

    Examples
    --------
    >>> from sigfeat import LeadLag
    >>> LeadLag().fit_transform([[1.0, 3.0, 2.0]])
    array([[[1., 3., 3., 2., 2.],
            [1., 1., 3., 3., 2.]]])
    """

    def _augment(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
        twice = np.repeat(X, 2, axis=2)
        return _cut(np.concatenate([twice[:, :, 1:], twice[:, :, :-1]], axis=1), 2 * lengths - 1)

    def _name_channels(self, names: list[str]) -> list[str]:
        return [f"{side} {name}" for side in ("lead", "lag") for name in names]


class DelayEmbedding(PanelAugmentation):
    """Delay embedding: the channels x_c(t - l dilation) for l = 0, ..., n_lags - 1.

    Only times at which all lagged values exist are kept.

    Parameters
    ----------
    n_lags : int, default=2
        Number of lags, including lag 0.
    dilation : int, default=1
        Steps between consecutive lags.

    Raises
    ------
    ValueError
        If a series has at most (n_lags - 1) * dilation points.

    Notes
    -----
    The channels of lag 0 come first, then those of lag 1, and so on. A series loses its first
    (n_lags - 1) * dilation points.

    References
    ----------
    .. [1] Takens, "Detecting strange attractors in turbulence", 1981, theorem 1.

    Examples
    --------
    >>> from sigfeat import DelayEmbedding
    >>> DelayEmbedding(n_lags=2).fit_transform([[1.0, 3.0, 2.0]])
    array([[[3., 2.],
            [1., 3.]]])
    """

    _parameter_constraints = {
        "n_lags": [Interval(Integral, 1, None, closed="left")],
        "dilation": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, n_lags: int = 2, *, dilation: int = 1) -> None:
        self.n_lags = n_lags
        self.dilation = dilation

    def _needed_timepoints(self) -> int:
        return (self.n_lags - 1) * self.dilation + 1

    def _augment(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
        lost = (self.n_lags - 1) * self.dilation
        starts = range(lost, -1, -self.dilation)
        lags = [X[:, :, start : start + X.shape[2] - lost] for start in starts]
        return _cut(np.concatenate(lags, axis=1), lengths - lost)

    def _name_channels(self, names: list[str]) -> list[str]:
        lags = [lag * self.dilation for lag in range(self.n_lags)]
        return [f"lag {lag} {name}" if lag else name for lag in lags for name in names]


class StandardizeChannels(PanelAugmentation):
    """Subtract the mean of each channel and divide by its standard deviation.

    Both are computed over all time points of all training series, without padding.

    Parameters
    ----------
    with_mean : bool, default=True
        Whether to subtract the mean.
    with_std : bool, default=True
        Whether to divide by the standard deviation.

    Attributes
    ----------
    mean_ : ndarray of shape (n_channels_,), float64
        Mean of each channel.
    scale_ : ndarray of shape (n_channels_,), float64
        Standard deviation of each channel; 1 for a constant channel.

    Notes
    -----
    Every time point has the same weight, so a long series weighs more than a short one. Values are computed in float64
    and returned in the dtype of the input.

    Examples
    --------
    >>> from sigfeat import StandardizeChannels
    >>> StandardizeChannels().fit_transform([[1.0, 3.0], [3.0, 1.0]])
    array([[[-1.,  1.]],
    <BLANKLINE>
           [[ 1., -1.]]])
    """

    _parameter_constraints = {"with_mean": ["boolean"], "with_std": ["boolean"]}

    def __init__(self, with_mean: bool = True, *, with_std: bool = True) -> None:
        self.with_mean = with_mean
        self.with_std = with_std

    def _learn(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> None:
        self.mean_, self.scale_ = channel_moments(X, lengths)
        with np.errstate(over="ignore"):
            deviation = np.nanmax(np.abs(X - self.mean_[:, np.newaxis]), axis=(0, 2))
        constant = within_rounding(deviation, np.abs(self.mean_), X.dtype)
        self._rounding = np.where(constant, deviation, 0.0)

    def _augment(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
        panel = X.astype(np.float64)
        if self.with_mean:
            panel -= self.mean_[:, np.newaxis]
            for c in np.flatnonzero(self._rounding):  # later steps would otherwise see a channel of that size
                panel[:, c][np.abs(panel[:, c]) <= self._rounding[c]] = 0.0
        if self.with_std:
            panel /= self.scale_[:, np.newaxis]
        return panel.astype(X.dtype, copy=False)


class FillMissing(PanelAugmentation):
    """Fill missing values inside series, and keep the padding after their ends.

    Parameters
    ----------
    method : {"linear", "forward", "mean", "zero"}, default="linear"
        "linear": linear interpolation in time; before the first and after the last value the nearest one. "forward":
        the last value before the gap; at the start the first one. "mean": the training mean of the channel. "zero": 0.

    Attributes
    ----------
    mean_ : ndarray of shape (n_channels_,), float64
        Training mean of each channel, 0 if no training series has values in it. Except with ``method="zero"`` it also
        fills a channel that has no value in a series.

    Notes
    -----
    A series ends at the last time at which any channel has a value. A gap in all channels that lasts until the end
    cannot be distinguished from padding and is kept.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import FillMissing
    >>> FillMissing().fit_transform([[1.0, np.nan, 3.0], [np.nan, 5.0, np.nan]])
    array([[[ 1.,  2.,  3.]],
    <BLANKLINE>
           [[ 5.,  5., nan]]])
    """

    _parameter_constraints = {"method": [StrOptions({"linear", "forward", "mean", "zero"})]}
    _allow_missing = True

    def __init__(self, method: str = "linear") -> None:
        self.method = method

    def _learn(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> None:
        known = np.maximum((~np.isnan(X)).sum(axis=(0, 2)), 1)
        with np.errstate(over="ignore", invalid="ignore"):
            self.mean_ = np.nansum(X, axis=(0, 2), dtype=np.float64) / known
        if not np.isfinite(self.mean_).all():  # the sum overflows, the mean does not
            self.mean_ = np.nansum(X / known[:, np.newaxis], axis=(0, 2), dtype=np.float64)

    def _augment(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
        panel, missing = X.copy(), np.isnan(X)
        gaps = missing & (np.arange(X.shape[2]) < lengths[:, np.newaxis])[:, np.newaxis, :]
        i, c = np.nonzero(gaps.any(axis=2))  # only the channels of series that have a gap
        rows, missing, gaps = X[i, c], missing[i, c], gaps[i, c]
        filled = np.zeros(rows.shape) if self.method == "zero" else np.repeat(self.mean_[c, np.newaxis], X.shape[2], 1)
        if self.method in ("linear", "forward"):
            known = ~missing.all(axis=1)
            filled[known] = _between_neighbours(rows[known], missing[known], linear=self.method == "linear")
        panel[i, c] = np.where(gaps, filled, rows)
        return panel


def _between_neighbours(rows: NDArray[Any], missing: NDArray[np.bool_], *, linear: bool) -> NDArray[np.float64]:
    """Values at all times of rows (n_rows, n_timepoints), from the nearest known times; no row is all missing."""
    n_timepoints = rows.shape[1]
    steps = np.arange(n_timepoints)
    before = np.maximum.accumulate(np.where(missing, -1, steps), axis=1)
    after = np.minimum.accumulate(np.where(missing, n_timepoints, steps)[:, ::-1], axis=1)[:, ::-1]
    before, after = np.where(before < 0, after, before), np.where(after == n_timepoints, before, after)
    left: NDArray[np.float64] = np.take_along_axis(rows, before, axis=1).astype(np.float64)
    if not linear:
        return left
    right = np.take_along_axis(rows, after, axis=1)
    fraction = (steps - before) / np.maximum(after - before, 1)
    filled: NDArray[np.float64] = left * (1 - fraction) + right * fraction  # right - left may overflow
    return filled


def _cut(panel: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
    """The panel with NaN after the end of each series."""
    n_timepoints = panel.shape[2]
    if lengths.min() < n_timepoints:
        behind = np.arange(n_timepoints) >= lengths[:, np.newaxis]
        np.copyto(panel, np.nan, where=behind[:, np.newaxis, :])
    return panel
