"""Augmentations: a panel in, a panel out, each series by its own length."""

from numbers import Integral

import numpy as np

from sigfeat._validation import Interval, StrOptions, _fit_context, check_is_fitted
from sigfeat.transformers._base import PanelAugmentation
from sigfeat.transformers._moments import channel_moments


def _inside(lengths, n_timepoints):
    """(n_samples, 1, n_timepoints) mask of the times before the end of each series."""
    return (np.arange(n_timepoints) < lengths[:, np.newaxis])[:, np.newaxis, :]


def _require_timepoints(name, needed, lengths):
    i = int(lengths.argmin())
    if lengths[i] < needed:
        raise ValueError(f"n_timepoints must be at least {needed} for {name}, got {lengths[i]} (n_features={lengths[i]}) in series {i}")


class _Stateless(PanelAugmentation):
    """An augmentation that learns nothing; subclasses say how many channels come out and what comes out."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the panel; nothing is learnt.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        X, lengths = self._check_panel(X, reset=True)
        _require_timepoints(type(self).__name__, self._needed_timepoints(), lengths)
        self.n_channels_out_ = self._n_channels_out(X.shape[1])
        return self

    def transform(self, X):
        """Augmented series.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series of any length.

        Returns
        -------
        panel : ndarray of shape (n_samples, n_channels_out_, n_timepoints_out), dtype of X
            Shorter series padded at the end with NaN.
        """
        check_is_fitted(self)
        X, lengths = self._check_panel(X, reset=False)
        _require_timepoints(type(self).__name__, self._needed_timepoints(), lengths)
        return self._augment(X, lengths)

    def _needed_timepoints(self):
        return 1

    def _n_channels_out(self, n_channels):
        return n_channels


class Increments(_Stateless):
    """Differences of neighbouring values, x_t - x_{t-1}.

    Parameters
    ----------
    basepoint : bool, default=False
        Whether a zero is put before the first sample, so that the first increment is x_1 and the length is kept; else there is one point less.

    Raises
    ------
    ValueError
        Without a basepoint, if a series has one point only.

    Examples
    --------
    >>> from sigfeat import Increments
    >>> Increments().fit_transform([[1.0, 3.0, 2.0]])
    array([[[ 2., -1.]]])
    """

    _parameter_constraints = {"basepoint": ["boolean"]}

    def __init__(self, basepoint=False):
        self.basepoint = basepoint

    def _needed_timepoints(self):
        return 1 if self.basepoint else 2

    def _augment(self, X, lengths):
        return np.diff(X, axis=2, prepend=X.dtype.type(0)) if self.basepoint else np.diff(X, axis=2)


class CumulativeSum(_Stateless):
    """Sums of all values so far: a series of increments becomes a path.

    Notes
    -----
    Summed in float64, returned in the dtype of the input.

    Examples
    --------
    >>> from sigfeat import CumulativeSum
    >>> CumulativeSum().fit_transform([[1.0, 3.0, 2.0]])
    array([[[1., 4., 6.]]])
    """

    _parameter_constraints: dict = {}

    def _augment(self, X, lengths):
        return np.cumsum(X, axis=2, dtype=np.float64).astype(X.dtype, copy=False)


class AddTime(_Stateless):
    """Time as the first channel.

    Parameters
    ----------
    unit : {"series", "step"}, default="series"
        "series": from 0 at the first to 1 at the last point of each series. "step": 0, 1, 2, ...

    References
    ----------
    .. [1] Chevyrev, Kormilitzin, "A primer on the signature method in machine learning", 2016, arXiv:1603.03788, section 2.1.

    Examples
    --------
    >>> from sigfeat import AddTime
    >>> AddTime().fit_transform([[1.0, 3.0, 2.0]])
    array([[[0. , 0.5, 1. ],
            [1. , 3. , 2. ]]])
    """

    _parameter_constraints = {"unit": [StrOptions({"series", "step"})]}

    def __init__(self, unit="series"):
        self.unit = unit

    def _n_channels_out(self, n_channels):
        return n_channels + 1

    def _augment(self, X, lengths):
        steps = np.arange(X.shape[2]) / (np.maximum(lengths - 1, 1)[:, np.newaxis] if self.unit == "series" else np.ones((len(X), 1)))
        time = np.where(_inside(lengths, X.shape[2]), steps[:, np.newaxis, :], np.nan)
        return np.concatenate([time.astype(X.dtype, copy=False), X], axis=1)


class AddBasepoint(_Stateless):
    """A zero in front of every series, so that features see where it starts.

    References
    ----------
    .. [1] Morrill, Fermanian, Kidger, Lyons, "A generalised signature method for multivariate time series feature extraction", 2021, arXiv:2006.00873,
       section 3.1.

    Examples
    --------
    >>> from sigfeat import AddBasepoint
    >>> AddBasepoint().fit_transform([[1.0, 3.0, 2.0]])
    array([[[0., 1., 3., 2.]]])
    """

    _parameter_constraints: dict = {}

    def _augment(self, X, lengths):
        return np.pad(X, ((0, 0), (0, 0), (1, 0)))


class LeadLag(_Stateless):
    """The series beside its own past: 2 n_timepoints - 1 points, leading channels first, then lagging ones.

    With points x_1, ..., x_T the pairs (lead, lag) are (x_1, x_1), (x_2, x_1), (x_2, x_2), (x_3, x_2), ...

    References
    ----------
    .. [1] Chevyrev, Kormilitzin, "A primer on the signature method in machine learning", 2016, arXiv:1603.03788, section 2.1.

    Examples
    --------
    >>> from sigfeat import LeadLag
    >>> LeadLag().fit_transform([[1.0, 3.0, 2.0]])
    array([[[1., 3., 3., 2., 2.],
            [1., 1., 3., 3., 2.]]])
    """

    _parameter_constraints: dict = {}

    def _n_channels_out(self, n_channels):
        return 2 * n_channels

    def _augment(self, X, lengths):
        doubled = np.repeat(X, 2, axis=2)
        panel = np.concatenate([doubled[:, :, 1:], doubled[:, :, :-1]], axis=1)
        return np.where(_inside(2 * lengths - 1, panel.shape[2]), panel, X.dtype.type(np.nan))


class DelayEmbedding(_Stateless):
    """Values at several lags as channels: x_c(t - l dilation) for l = 0, ..., n_lags - 1, where all of them exist.

    Parameters
    ----------
    n_lags : int, default=2
        Number of lags, the present one included.
    dilation : int, default=1
        Steps between neighbouring lags.

    Raises
    ------
    ValueError
        If a series has no more than (n_lags - 1) * dilation points.

    Notes
    -----
    The channels of lag 0 come first. The result has (n_lags - 1) * dilation points less than the input.

    References
    ----------
    .. [1] Takens, "Detecting strange attractors in turbulence", 1981.

    Examples
    --------
    >>> from sigfeat import DelayEmbedding
    >>> DelayEmbedding(n_lags=2).fit_transform([[1.0, 3.0, 2.0]])
    array([[[3., 2.],
            [1., 3.]]])
    """

    _parameter_constraints = {"n_lags": [Interval(Integral, 1, None, closed="left")], "dilation": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_lags=2, dilation=1):
        self.n_lags = n_lags
        self.dilation = dilation

    def _needed_timepoints(self):
        return (self.n_lags - 1) * self.dilation + 1

    def _n_channels_out(self, n_channels):
        return self.n_lags * n_channels

    def _augment(self, X, lengths):
        span = (self.n_lags - 1) * self.dilation
        stop = X.shape[2] - span
        starts = [span - lag * self.dilation for lag in range(self.n_lags)]
        panel = np.concatenate([X[:, :, start : start + stop] for start in starts], axis=1)
        return np.where(_inside(lengths - span, stop), panel, X.dtype.type(np.nan))


class StandardizeChannels(PanelAugmentation):
    """Each channel minus its mean, divided by its standard deviation, both over all training series and times.

    Parameters
    ----------
    with_mean, with_std : bool, default=True
        Whether to subtract the mean; whether to divide by the standard deviation.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_channels_,)
        Mean, and standard deviation (1 for a constant channel), in float64.

    Examples
    --------
    >>> from sigfeat import StandardizeChannels
    >>> StandardizeChannels().fit_transform([[1.0, 3.0], [3.0, 1.0]])
    array([[[-1.,  1.]],
    <BLANKLINE>
           [[ 1., -1.]]])
    """

    _parameter_constraints = {"with_mean": ["boolean"], "with_std": ["boolean"]}

    def __init__(self, with_mean=True, with_std=True):
        self.with_mean = with_mean
        self.with_std = with_std

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn mean and standard deviation of each channel.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : None
            Ignored.

        Returns
        -------
        self : StandardizeChannels
        """
        X, lengths = self._check_panel(X, reset=True)
        self.mean_, self.scale_ = channel_moments(X, lengths)
        self.n_channels_out_ = X.shape[1]
        return self

    def transform(self, X):
        """Standardised series.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series of any length.

        Returns
        -------
        panel : ndarray of shape (n_samples, n_channels_out_, n_timepoints), dtype of X
        """
        check_is_fitted(self)
        X, _ = self._check_panel(X, reset=False)
        panel = X.astype(np.float64)
        if self.with_mean:
            panel -= self.mean_[:, np.newaxis]
        if self.with_std:
            panel /= self.scale_[:, np.newaxis]
        return panel.astype(X.dtype, copy=False)


class FillMissing(PanelAugmentation):
    """Missing values inside series filled in; the padding behind their ends stays.

    Parameters
    ----------
    method : {"linear", "forward", "mean", "zero"}, default="linear"
        "linear": on the line between the neighbours in time, at either end the nearest value. "forward": the last value before, at the start the
        first one. "mean": the channel's training mean. "zero": zero.

    Attributes
    ----------
    mean_ : ndarray of shape (n_channels_,)
        Training mean of each channel, which also fills a channel that a series lacks throughout; 0 where no training series has the channel.

    Notes
    -----
    A series ends at the last time at which any channel has a value.

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

    def __init__(self, method="linear"):
        self.method = method

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the mean of each channel.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series with missing values as NaN; see `to_panel`.
        y : None
            Ignored.

        Returns
        -------
        self : FillMissing
        """
        X, _ = self._check_panel(X, reset=True)
        known = ~np.isnan(X)
        total = np.where(known, X, 0.0).sum(axis=(0, 2), dtype=np.float64)
        self.mean_ = total / np.maximum(known.sum(axis=(0, 2)), 1)
        self.n_channels_out_ = X.shape[1]
        return self

    def transform(self, X):
        """Series without gaps.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series of any length.

        Returns
        -------
        panel : ndarray of shape (n_samples, n_channels_out_, n_timepoints), dtype of X
        """
        check_is_fitted(self)
        X, lengths = self._check_panel(X, reset=False)
        missing = np.isnan(X)
        gaps = missing & _inside(lengths, X.shape[2])
        if not gaps.any():
            return X.copy()
        if self.method == "zero":
            filled = np.zeros_like(X)
        else:
            filled = np.broadcast_to(self.mean_[:, np.newaxis], X.shape)
        if self.method in ("linear", "forward"):
            known = ~missing.all(axis=2, keepdims=True)
            filled = np.where(known, _from_neighbours(X, missing, linear=self.method == "linear"), filled)
        return np.where(gaps, filled, X).astype(X.dtype, copy=False)


def _from_neighbours(X, missing, *, linear):
    """Every time filled from the nearest known times of its channel, before and after."""
    n = X.shape[2]
    steps = np.arange(n)
    before = np.maximum.accumulate(np.where(missing, -1, steps), axis=2)
    after = np.minimum.accumulate(np.where(missing, n, steps)[:, :, ::-1], axis=2)[:, :, ::-1]
    before, after = np.where(before < 0, after, before), np.where(after >= n, before, after)
    before, after = np.clip(before, 0, n - 1), np.clip(after, 0, n - 1)  # a channel without values, which the caller replaces
    left = np.take_along_axis(X, before, axis=2).astype(np.float64)
    if not linear:
        return left
    right = np.take_along_axis(X, after, axis=2)
    return left + (right - left) * ((steps - before) / np.maximum(after - before, 1))
