"""Iterated sums of series along words, as a scikit-learn transformer."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sigfeat._kernels.words.iterated_sums import (
    WORDS_PER_TREE,
    PrefixTrees,
    end_values,
    pooled_values,
    running_values,
)
from sigfeat._validation import Interval, StrOptions, _fit_context, check_is_fitted
from sigfeat.panel import Floats
from sigfeat.pooling import (
    POOLINGS,
    Windows,
    check_poolings,
    fine_windows,
    quantile_of,
    threshold_bytes,
    threshold_poolings,
    threshold_series,
    whole_series,
    window_endings,
)
from sigfeat.semirings import SEMIRINGS
from sigfeat.transformers._contract.base import FeatureTransformer
from sigfeat.transformers._contract.feature_table import (
    Columns,
    FeatureTableMixin,
    combined,
    only_where_used,
    window_columns,
    word_columns,
)
from sigfeat.transformers._contract.jobs import N_JOBS, granted_threads
from sigfeat.transformers._contract.memory import check_output_size
from sigfeat.transformers._contract.moments import channel_scaling
from sigfeat.transformers._contract.unused import OnlyWith
from sigfeat.transformers._streams import WordStream
from sigfeat.transformers._words import chosen_words


class ISSTransformer(FeatureTableMixin, FeatureTransformer):
    """Iterated sums of a series along words, pooled over time.

    For a word w = l_1 ... l_k whose letters are monomials in the channels:
    S_w(t) = sum over i_1 < ... < i_k <= t of l_1(x_{i_1}) ... l_k(x_{i_k}) exp(-decay (t - i_1)),
    with the sum and the product of a semiring. The running values S_w(1), S_w(2), ... are pooled over the whole series
    or over windows of it.

    Parameters
    ----------
    depth : int, default=2
        The largest length or weight of a word. Used only if `words` is "length" or "weight".
    words : {"length", "weight"} or list of str, default="weight"
        Which words to use.

        * "length": all words of 1 to `depth` single channels.
        * "weight": all words of monomials whose degrees sum up to 1, ..., `depth`: the full iterated-sums signature.
        * A list: exactly these words, as texts such as "[1][1,2]" with channels counted from 1, or
          "[speed][speed,temp]" with the names of the channels if the panel has names.
    semiring : {"real", "max_plus", "min_plus", "max_times"}, default="real"
        Sum and product. "max_times" needs values >= 0.
    strict : bool, default=True
        Sum over strictly (True) or weakly (False) increasing times.
    decay : float, default=0.1
        Decay rate per time step, >= 0. In "real" and "max_times" a term is halved every 0.7 / decay steps; in the
        tropical semirings `decay` is subtracted (added for "min_plus") at each step. 0 gives the iterated sums of the
        literature.
    pooling : str or tuple of str, default=("end", "mean", "max", "min")
        How the running values of a window become one number. Any of "end" (the last value), "mean", "max", "min", "ppv"
        (the proportion of time above a threshold), "mpv" (the mean excess over the threshold while above it), "mipv"
        (the mean position while above the threshold, as a fraction of the window, and -1 / length if the values are
        never above it) and "argmax" (the position of the first maximum, 0 at the start of the window and 1 at its end).
    windows : "whole", int or ("dyadic", int), default=("dyadic", 2)
        The whole series; this many equal parts; or all dyadic parts down to a depth: 1, 2, 4, ... parts. The sums
        always start at the start of the series.
    scale : {"standard", "std", None}, default="standard"
        How each channel is scaled, with the mean and the standard deviation of the training series: subtract the mean
        and divide by the standard deviation; divide only, which keeps zeros and is meant for increments; do nothing.
        "max_times" never subtracts.
    quantile : float, default=0.5
        The thresholds of "ppv", "mpv" and "mipv" are this quantile of the running values of the training series.
        Used only with these poolings.
    n_jobs : int or None, default=None
        Number of threads over series, in joblib's convention, at most the number of CPUs. The features do not depend
        on it.

    Attributes
    ----------
    words_ : tuple of Word
        The words, in the order of the features.
    mean_, scale_ : ndarray of shape (n_channels_,)
        A channel is used as (x - mean_) / scale_.
    thresholds_ : ndarray of shape (n_words,)
        Thresholds of "ppv", "mpv" and "mipv" for each word; zeros if none of them is used.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ValueError
        If a word cannot be parsed or names a missing channel, a series is too short, values are NaN, infinite, or
        negative with "max_times", or the output would not fit into memory.

    See Also
    --------
    LowRankISSTransformer : Iterated sums whose letters are random or trained linear forms, for many channels.
    SignatureTransformer : Iterated integrals of the piecewise-linear path.

    Notes
    -----
    Features are named after the channels if the panel has names for them, ``[speed][speed,temp]|real|end``; names that
    would be ambiguous are quoted. `feature_table` lists what each feature depends on.

    The defaults were chosen by cross-validation on training data (`benchmarks/settings.py`). The plain signature is
    ``ISSTransformer(depth, decay=0, pooling="end", windows="whole", scale=None)``.

    A word of length k has its first strict value at the k-th point. The pooling omits earlier times, and the
    features are 0 if a series or a window ends before that point. The end values of all words up to a length are one
    matrix product per series: O(n_timepoints n_channels^depth) at the speed of a matrix product. Any other choice costs
    O(n_timepoints) per prefix of the words. Sums are accumulated in float64 from block to block of time; the result has
    the dtype of the input. Thresholds are quantiles over at most 64 training series, fewer if they are very long,
    evenly spread.

    References
    ----------
    .. [1] Diehl, Ebrahimi-Fard, Tapia, "Time-warping invariants of multidimensional time series", 2020,
       arXiv:1906.05823.
    .. [2] Diehl, Ebrahimi-Fard, Tapia, "Tropical time series, iterated-sums signatures and quasisymmetric
       functions", 2022, arXiv:2009.08443.
    .. [3] Diehl, Krieg, "FRUITS: feature extraction using iterated sums for time series classification",
       2023, arXiv:2311.14549: pooling as "sieves".

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import ISSTransformer
    >>> X = np.array([[[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]])
    >>> plain = {"words": "length", "decay": 0, "pooling": "end", "windows": "whole", "scale": None}
    >>> iss = ISSTransformer(depth=2, **plain).fit(X)
    >>> iss.get_feature_names_out()[:3]
    array(['[1]|real|end', '[2]|real|end', '[1][1]|real|end'], dtype=object)
    >>> iss.transform(X)
    array([[ 6.,  1., 11.,  1.,  3.,  0.]])
    """

    _parameter_constraints = {
        "depth": [Interval(Integral, 1, None, closed="left")],
        "words": [StrOptions({"length", "weight"}), list, tuple],
        "semiring": [StrOptions(set(SEMIRINGS))],
        "strict": ["boolean"],
        "decay": [Interval(Real, 0, None, closed="left")],
        "pooling": [StrOptions(set(POOLINGS)), tuple, list],
        "windows": [StrOptions({"whole"}), Interval(Integral, 1, None, closed="left"), tuple, list],
        "scale": [StrOptions({"standard", "std"}), None],
        "quantile": [Interval(Real, 0, 1, closed="both")],
        "n_jobs": N_JOBS,
    }
    _used_only = {
        "depth": OnlyWith("words", ("length", "weight")),
        "quantile": OnlyWith("pooling", threshold_poolings()),
    }

    def __init__(
        self,
        depth: int = 2,
        *,
        words: str | Sequence[str] = "weight",
        semiring: str = "real",
        strict: bool = True,
        decay: float = 0.1,
        pooling: str | Sequence[str] = ("end", "mean", "max", "min"),
        windows: Windows = ("dyadic", 2),
        scale: str | None = "standard",
        quantile: float = 0.5,
        n_jobs: int | None = None,
    ) -> None:
        self.depth = depth
        self.words = words
        self.semiring = semiring
        self.strict = strict
        self.decay = decay
        self.pooling = pooling
        self.windows = windows
        self.scale = scale
        self.quantile = quantile
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the scaling of the channels and the thresholds.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : None
            Ignored.

        Returns
        -------
        self : ISSTransformer
        """
        X, lengths = self._check_panel(X, y, reset=True)
        pooling, (n_fine, runs) = check_poolings(self.pooling), fine_windows(self.windows)
        with_threshold = bool(threshold_poolings(pooling))
        n_columns = len(pooling) * len(runs)
        workspace = 0
        if with_threshold:
            workspace = 2 * threshold_bytes(len(X), WORDS_PER_TREE * X.shape[2] * X.itemsize)
        shape = X.shape[1], n_columns, len(X), X.dtype, type(self).__name__
        words = chosen_words(self.words, self.depth, *shape, labels=self._channel_labels(), workspace=workspace)
        # From here on `transform` uses these copies of the parameters: the kernels rely on the size of the output.
        self._semiring, self._depth, self._strict = SEMIRINGS[self.semiring], self.depth, self.strict
        self._decay, self._windows = float(self.decay), self.windows
        self._n_letters, self._weight = max(word.length for word in words), max(word.weight for word in words)
        self._require_timepoints(lengths, self._needed_timepoints(), f"words of {self._n_letters} letters")
        self._check_sign(X)
        self.words_ = words
        self.mean_, self.scale_ = channel_scaling(X, lengths, self.scale, centred=not self._semiring.non_negative)
        self._loop: dict[str, Any] = {
            "strict": self._strict,
            "decay_factor": self._semiring.decay_factor(self._decay),
            "shift": self.mean_,
            "scale": 1.0 / self.scale_,
        }
        self._trees = None if self._is_full(pooling) else PrefixTrees(words, X.shape[1], n_fine)
        self.thresholds_ = np.zeros(len(words))
        if self._trees is not None and with_threshold:
            self.thresholds_ = self._learn_thresholds(X, lengths, self._trees)
        self._pooled = pooling, self.thresholds_, n_fine, runs
        self._n_features_out = len(words) * n_columns
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Pooled iterated sums.

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
        self._require_timepoints(lengths, self._needed_timepoints(), f"words of {self._n_letters} letters")
        check_output_size(len(X), self._n_features_out, X.dtype, "the output of ISSTransformer")
        self._check_sign(X)
        out = np.empty((len(X), self._n_features_out), X.dtype)
        if self._trees is None:
            end_values(X, lengths, self._depth, n_threads=n_threads, out=out, **self._loop)
        else:
            how = {"n_threads": n_threads, "out": out, **self._loop}
            pooled_values(X, lengths, self._trees, self._semiring, self._pooled, **how)
        self._check_overflow(out, f"iterated sums of weight {self._weight} overflow")
        return out

    def stream(self) -> WordStream:
        """Empty stream: a series that grows, and its features after each point.

        Returns
        -------
        stream : Stream
            Its methods are `append(points)` and `features()`. The time of both does not depend on the number of points
            so far.

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.
        ValueError
            If `windows` is not "whole": the parts of a series that grows are only known at its end.

        Examples
        --------
        >>> import numpy as np
        >>> from sigfeat import ISSTransformer
        >>> X = np.random.default_rng(0).standard_normal((10, 3, 50))
        >>> iss = ISSTransformer(windows="whole").fit(X)
        >>> stream = iss.stream()
        >>> for point in X[0].T:
        ...     features = stream.append(point).features() if stream.n_timepoints else stream.append(point)
        >>> np.allclose(features, iss.transform(X[:1])[0], rtol=1e-12)
        True
        """
        check_is_fitted(self)
        whole_series(self._windows)
        needed, (pooling, thresholds, _, _) = self._needed_timepoints(), self._pooled
        return WordStream(self.words_, self._semiring, pooling, thresholds, needed=needed, **self._loop)

    def _feature_names(self) -> list[str]:
        labels, windows = self._channel_labels(), window_endings(self._windows)
        endings = [f"|{self._semiring.name}|{name}{window}" for name in self._pooled[0] for window in windows]
        return [f"{word.spell(labels)}{ending}" for word in self.words_ for ending in endings]

    def _feature_columns(self) -> Columns:
        how: Columns = {"semiring": [self._semiring.name], "decay": [self._decay]}
        words = word_columns(self.words_, self._channel_labels()) | {"threshold": self.thresholds_.tolist()}
        columns = combined(words, how, {"pooling": list(self._pooled[0])}, window_columns(self._windows))
        return only_where_used(columns)

    def _needed_timepoints(self) -> int:
        return 2 if self._strict and self._n_letters > 1 else 1

    def _is_full(self, pooling: tuple[str, ...]) -> bool:
        """Whether the matrix product of `end_values` computes all features."""
        return self.words == "length" and self.semiring == "real" and pooling == ("end",) and self._windows == "whole"

    def _check_sign(self, X: Floats) -> None:
        if self._semiring.non_negative and np.nanmin(X) < 0:
            i, c, t = np.argwhere(X < 0)[0]
            place = f"in series {i} (from 0), channel {c + 1} (from 1), time {t} (from 0)"
            raise ValueError(
                f'Negative values in data: semiring="{self._semiring.name}" needs values >= 0, '
                f"got {X[i, c, t]:.6g} {place}"
            )

    def _learn_thresholds(self, X: Floats, lengths: NDArray[np.int64], trees: PrefixTrees) -> NDArray[np.float64]:
        bytes_of_one = max(len(tree[2]) for tree in trees.trees) * X.shape[2] * X.itemsize
        chosen = threshold_series(len(X), bytes_of_one)
        thresholds = np.empty(len(self.words_))
        for tree in trees.trees:
            _, _, places, n_letters = tree
            values = running_values(X[chosen], lengths[chosen], tree, self._semiring, **self._loop)
            for w, place in enumerate(places):
                first = n_letters[w] - 1 if self._strict else 0
                known = values[:, w, first:][np.isfinite(values[:, w, first:])]
                thresholds[place] = quantile_of(known, self.quantile) if known.size else 0.0
        return thresholds

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        semiring = SEMIRINGS.get(self.semiring) if isinstance(self.semiring, str) else None
        tags.input_tags.positive_only = semiring is not None and semiring.non_negative
        return tags
