"""Iterated sums over all intervals as a scikit-learn transformer."""

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sigfeat._devices import Device
from sigfeat._kernels.intervals.features import Sums
from sigfeat._validation import Interval, RandomState, StrOptions, _fit_context
from sigfeat.panel import Floats
from sigfeat.pooling import Windows, check_poolings, fine_windows
from sigfeat.transformers._contract.feature_table import Columns, combined, word_columns
from sigfeat.transformers._contract.moments import channel_scaling
from sigfeat.transformers._contract.unused import OnlyWith
from sigfeat.transformers._words import chosen_words
from sigfeat.transformers.intervals._base import INTERVAL_CONSTRAINTS, INTERVAL_USED_ONLY, IntervalTransformer

if TYPE_CHECKING:
    from sigfeat.nn.intervals.filters import IntervalFilter
    from sigfeat.nn.intervals.layers import IntervalSums

WORD_BYTES = 2000  # of one Word object and its part of the plan of sums, measured from above
FEWER_WORDS = "lower the depth or n_filters or choose words"


class IntervalISSTransformer(IntervalTransformer):
    """Iterated sums over all intervals up to now, weighted by filters, pooled over time.

    Let S_w(s, s') be the strict iterated sum along the word w over the points in (s, s'], and let h be a filter,
    h(a, b) = sum over i <= `filter_rank` of f_i(a) g_i(b). The values are
    O(t) = sum over 0 <= s, s' <= t of h(t - s, t - s') S_w(s, s').
    The sum runs over the full square; for an interval that runs backwards, s' < s, S_w is the inverse in the group of
    iterated sums. The term of an interval depends on the points inside it, and not on those before it.

    Parameters
    ----------
    depth : int, default=2
        Largest length or weight of the words; only used if `words` is "length" or "weight".
    words : {"length", "weight"} or list of str, default="weight"
        "length": all words of 1 to `depth` single channels. "weight": all words of monomials of total degree
        1 to `depth`. A list: exactly these words, as texts such as "[1][1,2]" with channels counted from 1, or
        "[speed][speed,temp]" with the names of the channels of a panel that has them.
    filter : {"exponential", "box", "random", "learnt"}, default="exponential"
        "exponential": products of two exponentially decaying weights; the time is linear in the length, and long series
        cause no rounding errors. "box": one range of lags for the start of an interval and another for its end.
        "random": Gaussian weights. "learnt": a small network of the lag times an exponential; without training a smooth
        random filter.
    n_filters : int, default=8
        Number of filters h; each word has values for each of them.
    filter_rank : int, default=1
        Number of products whose sum is a filter.
    filter_length : int or None, default=None
        Longest half-life of "exponential" in steps; number of lags of the others. None for half of the median length.
    pooling : str or tuple of str, default=("end", "mean", "max", "min")
        Any of "end" (last value), "mean", "max", "min", "ppv" (proportion of time above a threshold), "mpv" (mean
        excess over the threshold while above it), "mipv" (mean position while above it, as a fraction of the window,
        and -1 / length if never above it), "argmax" (position of the first maximum, 0 at the start of the window and 1
        at its end).
    windows : "whole", int or ("dyadic", int), default="whole"
        Whole series; this many equal parts; or all dyadic parts down to a depth: 1, 2, 4, ... parts.
    scale : {"standard", "std", None}, default="standard"
        Scaling of each channel, learnt at fit: subtract the mean and divide by the standard deviation; divide only; or
        none.
    quantile : float, default=0.5
        The thresholds of "ppv", "mpv" and "mipv" are this quantile of the values on the training series. Only used
        with these poolings.
    fit_mode : {"random", "supervised"}, default="random"
        "random": filters are drawn. "supervised": they are then trained together with a linear head that predicts y,
        and the head is discarded. This needs y and torch. The parameters of the training are only used with it.
    task : {"auto", "classification", "regression"}, default="auto"
        Task of the training. "auto": regression if y contains numbers with a fractional part, and classification
        otherwise.
    max_epochs : int, default=30
        Number of passes over the training series.
    batch_size : int, default=32
        Number of series per step, at least 2.
    lr : float, default=0.01
        Learning rate at its peak.
    device : str or torch.device, default="cpu"
        Device of the training; features are computed on the CPU. Used only with ``fit_mode="supervised"``.
    random_state : int, RandomState instance or None, default=0
        Seed of the filters, and of everything random in training.
    n_jobs : int or None, default=None
        Number of threads over series, in joblib's convention, at most the number of CPUs. The features do not depend
        on it.

    Attributes
    ----------
    words_ : tuple of Word
        The words, in the order of the features.
    filters_ : ExponentialFilters or FiniteFilters
        The filters, see `sigfeat.filters`.
    mean_, scale_ : ndarray of shape (n_channels_,)
        A channel is used as (x - mean_) / scale_.
    thresholds_ : ndarray of shape (n_words * n_filters,)
        Thresholds of "ppv", "mpv" and "mipv"; zeros if `pooling` has none of them.
    history_ : dict of ndarray
        "train_loss" of each epoch; only with ``fit_mode="supervised"``.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        If torch, for learnt filters and supervised training, or skorch for the latter, is not installed.
    ValueError
        If a word cannot be parsed or names a missing channel, values are NaN or infinite, y is missing with
        ``fit_mode="supervised"``, sums overflow, or the output would not fit into memory.

    See Also
    --------
    ISSTransformer : Sums from the start of the series.
    sigfeat.nn.IntervalSums : The same as a torch layer.

    Notes
    -----
    There is no choice of the semiring: sums of other semirings than the real one have no inverses, which this
    factorisation over intervals needs.

    By Chen's identity S_w(s, s') is the sum over splits w = uv of p_u(s) q_v(s'), where q_v are the sums from a fixed
    time and p_u the coefficients of their inverse, given by the antipode of the quasi-shuffle algebra: a rank of k + 1
    for a word of length k. So O(t) = sum over i, uv of (f_i * p_u)(t) (g_i * q_v)(t), by real FFTs in O(T log T) for T
    steps, over stretches of four filters' length with factors anchored at the first point of each. For exponential
    filters (f * p)(t), anchored at t, follows a recurrence in O(T), without cancellation. All computations are in
    float64.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import IntervalISSTransformer
    >>> X = np.random.default_rng(0).standard_normal((10, 2, 50))
    >>> intervals = IntervalISSTransformer(words=["[1]", "[1][2]"], n_filters=3, pooling="mean").fit(X)
    >>> intervals.transform(X).shape
    (10, 6)
    >>> intervals.get_feature_names_out()[-1]
    '[1][2]|exponential3|mean'
    """

    _parameter_constraints: dict[str, Any] = INTERVAL_CONSTRAINTS | {
        "depth": [Interval(Integral, 1, None, closed="left")],
        "words": [StrOptions({"length", "weight"}), list, tuple],
        "scale": [StrOptions({"standard", "std"}), None],
    }
    _used_only = INTERVAL_USED_ONLY | {"depth": OnlyWith("words", ("length", "weight"))}

    def __init__(
        self,
        depth: int = 2,
        *,
        words: str | Sequence[str] = "weight",
        filter: str = "exponential",
        n_filters: int = 8,
        filter_rank: int = 1,
        filter_length: int | None = None,
        pooling: str | Sequence[str] = ("end", "mean", "max", "min"),
        windows: Windows = "whole",
        scale: str | None = "standard",
        quantile: float = 0.5,
        fit_mode: str = "random",
        task: str = "auto",
        max_epochs: int = 30,
        batch_size: int = 32,
        lr: float = 0.01,
        device: Device = "cpu",
        random_state: RandomState = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.depth = depth
        self.words = words
        self.filter = filter
        self.n_filters = n_filters
        self.filter_rank = filter_rank
        self.filter_length = filter_length
        self.pooling = pooling
        self.windows = windows
        self.scale = scale
        self.quantile = quantile
        self.fit_mode = fit_mode
        self.task = task
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.device = device
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the scaling and the thresholds, and draw or train the filters.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Classes or numbers; only used with ``fit_mode="supervised"``.

        Returns
        -------
        self : IntervalISSTransformer
        """
        X, lengths = self._check_panel(X, y, reset=True)
        n_columns = self.n_filters * len(check_poolings(self.pooling)) * len(fine_windows(self.windows)[1])
        labels = self._channel_labels()
        shape = X.shape[1], n_columns, len(X), X.dtype, type(self).__name__
        self.words_ = chosen_words(
            self.words, self.depth, *shape, labels=labels, word_bytes=WORD_BYTES, remedy=FEWER_WORDS
        )
        n_runs = sum(word.length * (word.length + 1) // 2 for word in self.words_)
        n_factors = 1 + (len(self.words_) if isinstance(self.words, str) else n_runs)
        self._check_size(X, lengths, len(self.words_), n_factors)
        self.mean_, self.scale_ = channel_scaling(X, lengths, self.scale)
        self._fit_intervals(X, lengths, y, len(self.words_))
        return self

    def _sources(self) -> list[Sums]:
        return [Sums(self.words_, self.mean_, 1.0 / self.scale_)]

    def _layer(
        self, X: Floats, lengths: NDArray[np.int64], filters: "IntervalFilter"
    ) -> tuple["IntervalSums", NDArray[Any]]:
        from sigfeat.nn.intervals.layers import IntervalSums

        with np.errstate(over="ignore"):
            series = ((X - self.mean_[:, np.newaxis]) * (1.0 / self.scale_)[:, np.newaxis]).swapaxes(1, 2)
        if np.isinf(series).any():
            raise ValueError("X overflows float64 when it is standardised: scale the series")
        return IntervalSums(self.words_, filters), series

    def _row_names(self) -> list[str]:
        labels = self._channel_labels()
        return [f"{word.spell(labels)}{name}" for word in self.words_ for name in self._filter_names]

    def _row_columns(self) -> Columns:
        filters = {"filter": [name.removeprefix("|") for name in self._filter_names]}
        return combined(word_columns(self.words_, self._channel_labels()), filters)
