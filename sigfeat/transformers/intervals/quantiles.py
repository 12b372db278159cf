"""Quantiles over dyadic intervals as a scikit-learn transformer."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from sklearn.utils import check_random_state

from sigfeat._kernels.intervals.quantiles import (
    DIFFERENCES,
    GIVEN,
    SECOND_DIFFERENCES,
    KeptColumns,
    Layout,
    dyadic_layout,
    interval_quantiles,
)
from sigfeat._kernels.low_rank import LOW_RANK_SEMIRINGS
from sigfeat._kernels.words.iterated_sums import PrefixTrees, running_values
from sigfeat._messages import plain
from sigfeat._validation import Interval, RandomState, StrOptions, _fit_context, check_is_fitted
from sigfeat.panel import Floats
from sigfeat.semirings import SEMIRINGS
from sigfeat.transformers._contract.base import FeatureTransformer
from sigfeat.transformers._contract.feature_table import (
    WHOLE,
    Columns,
    FeatureTableMixin,
    selected,
    word_columns,
)
from sigfeat.transformers._contract.jobs import N_JOBS, granted_threads
from sigfeat.transformers._contract.memory import MAX_DEPTH, check_fitted_size, check_output_size
from sigfeat.transformers._contract.moments import channel_scaling
from sigfeat.transformers._contract.unused import OnlyWith
from sigfeat.transformers._words import chosen_words
from sigfeat.transformers.intervals._selection import chosen_features, interval_columns, quotas, random_words, runs
from sigfeat.words import Word, count_words, words_of_length

SPECTRUM, SUMS = "spectrum", "sums"
REPRESENTATIONS = {  # how the loops make their values from the rows that they are given
    "series": GIVEN,
    "differences": DIFFERENCES,
    "second_differences": SECOND_DIFFERENCES,
    SPECTRUM: GIVEN,
}
MADE = (SPECTRUM, SUMS)  # from the series, before the loops
MAX_WORDS = 4096  # of one length, where not all features are kept
MAX_COUNT = 2**31  # of words from which some are drawn
CHUNK_BYTES = 1 << 24  # of the spectra or iterated sums of the series of a chunk
BYTES_OF_VALUE = 32  # of one of them, with all that is made on the way


class _Block(NamedTuple):
    """Features of one representation: the channels or words used, and of each feature its row and its column there."""

    representation: str
    used: NDArray[np.int64]
    layout: Layout
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


class IntervalQuantileTransformer(FeatureTableMixin, FeatureTransformer):
    """Quantiles of series, their differences, their spectrum and their iterated sums over dyadic intervals.

    Channels are divided by their standard deviation. Each representation of a series is a set of rows of values over
    time (over frequency for the spectrum). A row is cut into 1, 2, 4, ... equal intervals, and into as many less one
    that begin in the middle of these. The features are equally spaced quantiles of the values in each interval, the
    smallest and the largest included; the mean of the interval is subtracted from every second one.

    With ``words=None`` this is the QUANT transform [1]_, for series of any length. Iterated sums add what happened
    before a time, and words of several channels which of them changed first. The features are meant for trees; for
    linear models use `FeatureScaler`.

    Parameters
    ----------
    representations : tuple of str, default=("series", "differences", "second_differences", "spectrum")
        Any of "series", x(t); "differences", the mean of five neighbouring differences x(t + 1) - x(t);
        "second_differences", x(t + 2) - 2 x(t + 1) + x(t); "spectrum", the moduli of the real Fourier transform divided
        by the root of the length.
    depth : int, default=2
        Largest length or weight of the words; used only with ``words="length"`` or "weight".
    words : {"length", "weight"}, list of str or None, default="length"
        Iterated sums of the standardised channels up to t, as more rows. "length": along all words of 1 to `depth`
        single channels. "weight": along all words of monomials of total degree 1 to `depth`. A list: along these words,
        see `ISSTransformer`. None: no iterated sums.
    semiring : {"real", "max_plus", "min_plus"}, default="real"
        Sum and product of the iterated sums. Used only with words.
    decay : float, default=0.03
        Decay rate of the iterated sums per time step, >= 0; see `ISSTransformer`. Used only with words.
    n_levels : int, default=6
        Number of levels of intervals: 1, 2, ..., 2 ** (n_levels - 1) intervals. Fewer if intervals would have less than
        one point.
    points_per_quantile : int, default=4
        An interval of n points has 1 + (n - 1) // points_per_quantile quantiles; a single one is the median.
    max_features : int or None, default=5000
        Largest number of features. If there are more, a random selection is kept, of each representation as many as of
        the others if it has so many; the words of each weight count as one representation. With very many channels or
        words some of these are left out. None for all.
    random_state : int, RandomState instance or None, default=0
        Seed of the selection of features.
    n_jobs : int or None, default=None
        Number of threads over series, in joblib's convention, at most the number of CPUs. The features do not depend
        on it.

    Attributes
    ----------
    words_ : tuple of Word
        Words of the iterated sums; empty without them.
    mean_, scale_ : ndarray of shape (n_channels_,)
        A channel is used as x / scale_, and in iterated sums as (x - mean_) / scale_.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ValueError
        If there is no such representation, a word cannot be parsed or names a missing channel, values are NaN or
        infinite, features overflow, or the output would not fit into memory.

    See Also
    --------
    LowRankISSTransformer : Proportions of time above thresholds, for linear models.
    sigfeat.classifiers.sigfeat_classifier : Trees on these features beside a ridge classifier on low-rank sums.

    Notes
    -----
    The number of quantiles of an interval is that for the median length of the training series. A series of any other
    length is cut in the same proportions and gives the same number of features; an interval without a point takes the
    value of the point after it. The sums along a word of k letters begin at the k-th point, and a series that is too
    short for a representation or a word has the single value 0 there.

    The shortest parts are sorted once, and each interval merges two sorted parts of half its length: the time is
    O(n_timepoints (n_levels + log n_timepoints)) for each row. Iterated sums are rounded to the dtype of X, and all
    other computations are in float64.

    References
    ----------
    .. [1] Dempster, Schmidt, Webb, "quant: a minimalist interval method for time series classification", 2023,
       arXiv:2308.00928. There the intervals are rounded in another way, and the series have equal lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import IntervalQuantileTransformer
    >>> X = np.random.default_rng(0).standard_normal((10, 2, 50))
    >>> quantiles = IntervalQuantileTransformer("series", words=["[1][2]"], n_levels=2).fit(X)
    >>> quantiles.transform(X).shape
    (10, 102)
    >>> quantiles.get_feature_names_out()[[0, 1, -1]]
    array(['[1]|series|q0/12', '[1]|series|q1/12', '[1][2]|sums|q6/6|1/4-3/4'],
          dtype=object)
    """

    _parameter_constraints = {
        "representations": [StrOptions(set(REPRESENTATIONS)), tuple, list],
        "depth": [Interval(Integral, 1, None, closed="left")],
        "words": [StrOptions({"length", "weight"}), list, tuple, None],
        "semiring": [StrOptions(set(LOW_RANK_SEMIRINGS))],
        "decay": [Interval(Real, 0, None, closed="left")],
        "n_levels": [Interval(Integral, 1, 16, closed="both")],
        "points_per_quantile": [Interval(Integral, 1, None, closed="left")],
        "max_features": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
    }
    _used_only = {
        "depth": OnlyWith("words", ("length", "weight")),
        "semiring": OnlyWith("words", above=None),
        "decay": OnlyWith("words", above=None),
    }

    def __init__(
        self,
        representations: str | Sequence[str] = tuple(REPRESENTATIONS),
        *,
        depth: int = 2,
        words: str | Sequence[str] | None = "length",
        semiring: str = "real",
        decay: float = 0.03,
        n_levels: int = 6,
        points_per_quantile: int = 4,
        max_features: int | None = 5000,
        random_state: RandomState = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.representations = representations
        self.depth = depth
        self.words = words
        self.semiring = semiring
        self.decay = decay
        self.n_levels = n_levels
        self.points_per_quantile = points_per_quantile
        self.max_features = max_features
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Choose the numbers of quantiles, and learn the scaling of the channels.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : None
            Ignored.

        Returns
        -------
        self : IntervalQuantileTransformer
        """
        X, lengths = self._check_panel(X, y, reset=True)
        names = self._checked_representations()
        n_timepoints = int(np.median(lengths))
        layouts = {name: self._layout(name, n_timepoints) for name in (*names, SUMS)}
        random_state = check_random_state(self.random_state)
        words = self._chosen_words(X, layouts[SUMS].n_columns, random_state)
        # From here on `transform` uses these copies of the parameters: the loops rely on the size of the output.
        self._semiring, self._decay = SEMIRINGS[self.semiring], float(self.decay)
        self._name_of_sums = SUMS if self.semiring == "real" else f"{self.semiring}_{SUMS}"
        groups = [(name, range(X.shape[1])) for name in names]
        groups += [
            (SUMS, places) for places in runs([word.weight if isinstance(self.words, str) else 0 for word in words])
        ]
        self._blocks = self._chosen_blocks(X, layouts, groups, random_state)
        self.words_ = words
        self.mean_, self.scale_ = channel_scaling(X, lengths, "standard")
        self._n_features_out = sum(len(block.columns) for block in self._blocks)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Quantiles over intervals.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), dtype of X
        """
        check_is_fitted(self)
        X, lengths = self._check_panel(X, reset=False)
        n_threads = granted_threads(self.n_jobs)
        what, workspace = f"the output of {type(self).__name__}", self._workspace(self._blocks, X)
        check_output_size(len(X), self._n_features_out, X.dtype, what, workspace, "lower max_features")
        out, first = np.empty((len(X), self._n_features_out), X.dtype), 0
        with np.errstate(over="ignore", invalid="ignore"):  # `_check_overflow` reports it
            for block in self._blocks:
                columns = self._kept_columns(block, first)
                kind = REPRESENTATIONS.get(block.representation, GIVEN)
                n_together = max(1, CHUNK_BYTES // max(1, self._bytes_of_one(block, X)))
                for begin in range(0, len(X), n_together):
                    some = slice(begin, begin + n_together)
                    values, n_values = self._values(block, X[some], lengths[some])
                    interval_quantiles(
                        values, n_values, kind, block.layout, columns, n_threads=n_threads, out=out[some]
                    )
                last = first + len(block.columns)
                if block.representation != SUMS:
                    out[:, first:last] *= (1 / self.scale_[block.used[block.rows]]).astype(X.dtype)
                first = last
        self._check_overflow(out, "quantiles over intervals overflow", "scale the series")
        return out

    def _checked_representations(self) -> tuple[str, ...]:
        """Names of the representations as a tuple, after a check."""
        given = self.representations
        names = (given,) if isinstance(given, str) else tuple(given)
        known = all(isinstance(name, str) and name in REPRESENTATIONS for name in names)
        if not known or len(set(names)) < len(names) or not (names or self.words is not None):
            raise ValueError(
                f"representations must name different ones of {', '.join(REPRESENTATIONS)}, at least one unless there "
                f"are words, got {plain(given)!r}"
            )
        return names

    def _layout(self, representation: str, n_timepoints: int) -> Layout:
        """Layout of a row of a series of this length."""
        n_values = n_timepoints - REPRESENTATIONS.get(representation, GIVEN)
        if representation == SPECTRUM:
            n_values = n_timepoints // 2 + 1
        layout: Layout = dyadic_layout(max(n_values, 1), self.n_levels, self.points_per_quantile)
        return layout

    def _chosen_words(self, X: Floats, n_columns: int, random_state: np.random.RandomState) -> tuple[Word, ...]:
        """Words of the iterated sums, each of so many features; a random selection of very many."""
        if self.words is None:
            return ()
        depth, n_channels = int(self.depth), X.shape[1]
        n_words = count_words(n_channels, min(depth, MAX_DEPTH), "length")
        if self.words == "length" and self.max_features is not None and MAX_WORDS < n_words < MAX_COUNT:
            levels = range(1, depth + 1)
            return tuple(word for k in levels for word in random_words(n_channels, k, MAX_WORDS, random_state))
        sizes = (n_columns, len(X)) if self.max_features is None else (1, 1)
        remedy = "lower the depth or choose words" + ", or set max_features" * (self.max_features is None)
        return chosen_words(
            self.words,
            depth,
            n_channels,
            *sizes,
            X.dtype,
            type(self).__name__,
            labels=self._channel_labels(),
            remedy=remedy,
        )

    def _chosen_blocks(
        self,
        X: Floats,
        layouts: dict[str, Layout],
        groups: list[tuple[str, range]],
        random_state: np.random.RandomState,
    ) -> list[_Block]:
        """All features, or a random selection of as many of each group; their number is checked before.

        groups: representations, and places of channels or of words.
        """
        numbers = quotas([len(places) * layouts[name].n_columns for name, places in groups], self.max_features)
        empty, sizes = np.empty(0, np.int64), dict.fromkeys((name for name, _ in groups), 0)
        for (name, places), n_kept in zip(groups, numbers, strict=True):
            sizes[name] += min(len(places), n_kept)
        largest = [_Block(name, np.arange(n), layouts[name], empty, empty) for name, n in sizes.items()]
        what, remedy = type(self).__name__, "lower max_features or n_levels"
        check_fitted_size(len(X), sum(numbers), X.dtype, what, self._workspace(largest, X), remedy=remedy)
        blocks = {name: _Block(name, empty, layouts[name], empty, empty) for name in sizes}
        for (name, places), n_kept in zip(groups, numbers, strict=True):
            if n_kept:
                before = blocks[name]
                used, rows, columns = chosen_features(len(places), layouts[name].n_columns, n_kept, random_state)
                blocks[name] = before._replace(
                    used=np.append(before.used, used + places.start),
                    rows=np.append(before.rows, rows + len(before.used)),
                    columns=np.append(before.columns, columns),
                )
        return [block for block in blocks.values() if len(block.columns)]

    def _kept_columns(self, block: _Block, first: int) -> KeptColumns:
        """What the loops write of a block, whose features begin at this column of the output."""
        starts = np.zeros_like(block.used)
        rows = block.used if block.representation not in MADE else np.arange(len(block.used))
        if block.representation == SUMS:  # a word of k letters has its first value at the k-th time
            starts = np.array([self.words_[w].length - 1 for w in block.used])
        return KeptColumns(rows, starts, first + np.searchsorted(block.rows, np.arange(len(rows) + 1)), block.columns)

    def _bytes_of_one(self, block: _Block, X: Floats) -> int:
        """Bytes that are needed for the values of one series, besides the series itself."""
        return BYTES_OF_VALUE * len(block.used) * X.shape[2] if block.representation in MADE else 0

    def _workspace(self, blocks: list[_Block], X: Floats) -> int:
        """Bytes that are needed for the values of a chunk."""
        largest = max(self._bytes_of_one(block, X) for block in blocks)
        return min(len(X) * largest, max(CHUNK_BYTES, largest))

    def _values(self, block: _Block, X: Floats, lengths: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
        """Rows that the loops take of some series, and the number of values of each series."""
        if block.representation == SUMS:
            return self._sums(block, X, lengths), lengths
        if block.representation != SPECTRUM:
            return X, lengths
        spectrum = np.zeros((len(X), len(block.used), X.shape[2] // 2 + 1))
        for n in np.unique(lengths):
            own = np.flatnonzero(lengths == n)
            rows = X[np.ix_(own, block.used)][:, :, :n].astype(np.float64, copy=False)
            spectrum[own, :, : n // 2 + 1] = np.abs(rfft(rows, axis=2)) / np.sqrt(n)
        return spectrum, lengths // 2 + 1

    def _sums(self, block: _Block, X: Floats, lengths: NDArray[np.int64]) -> Floats:
        """Iterated sums along the words that are used, (n_samples, n_words, n_timepoints)."""
        factor, words = self._semiring.decay_factor(self._decay), [self.words_[w] for w in block.used]
        how = {"strict": True, "decay_factor": factor, "shift": self.mean_, "scale": 1.0 / self.scale_}
        sums = np.empty((len(X), len(words), X.shape[2]), X.dtype)
        for tree in PrefixTrees(words, X.shape[1]).trees:
            sums[:, tree.places] = running_values(X, lengths, tree, self._semiring, **how)
        return sums

    def _feature_names(self) -> list[str]:
        columns = self._feature_columns()
        parts = [columns[name] for name in ("word", "representation", "quantile", "window")]
        return ["|".join(part for part in row if part != WHOLE) for row in zip(*parts, strict=True)]

    def _feature_columns(self) -> Columns:
        labels, tables = self._channel_labels(), []
        for block in self._blocks:
            words = self.words_ if block.representation == SUMS else words_of_length(self.n_channels_, 1)
            table = selected(word_columns([words[row] for row in block.used], labels), block.rows)
            name = self._name_of_sums if block.representation == SUMS else block.representation
            table["representation"] = [name] * len(block.rows)
            tables.append(table | selected(interval_columns(block.layout), block.columns))
        return {name: [value for table in tables for value in table[name]] for name in tables[0]}
