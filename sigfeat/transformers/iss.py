"""Iterated-sums signatures as a scikit-learn transformer."""

from numbers import Integral, Real

import numpy as np
from joblib import effective_n_jobs

from sigfeat._kernels.iterated_sums import PrefixTrees, end_values, pooled_values, running_values
from sigfeat._kernels.pooling import POOLINGS
from sigfeat._validation import Interval, StrOptions, _fit_context, check_is_fitted
from sigfeat.semirings import SEMIRINGS
from sigfeat.transformers._base import FeatureTransformer
from sigfeat.transformers._memory import check_output_size
from sigfeat.transformers._moments import channel_moments
from sigfeat.transformers._poolings import check_poolings, threshold_series
from sigfeat.transformers._windows import fine_windows, window_names
from sigfeat.words import Word, count_words, words_of_length, words_of_weight

WORD_BYTES = 500  # of one Word object, about


class ISSTransformer(FeatureTransformer):
    """Iterated sums of a series along words, pooled over time.

    For a word w = l_1 ... l_k whose letters are monomials in the channels:
    S_w(t) = sum over i_1 < ... < i_k <= t of l_1(x_{i_1}) ... l_k(x_{i_k}) exp(-decay (t - i_1)),
    with the sum and the product of a semiring. The running values S_w(1), S_w(2), ... are pooled over the
    whole series or over windows of it.

    Parameters
    ----------
    depth : int, default=2
        Largest length or weight of the words; not used where `words` is a list.
    words : {"length", "weight"} or list of str, default="weight"
        "length": all words of 1 to `depth` single channels. "weight": all words of monomials of total degree
        1 to `depth`, the full iterated-sums signature. A list: exactly these words, as texts such as
        "[1][1,2]" with channels counted from 1.
    semiring : {"real", "max_plus", "min_plus", "max_times"}, default="real"
        Sum and product. "max_times" takes values >= 0 only.
    strict : bool, default=True
        Sum over strictly (True) or weakly (False) increasing times.
    decay : float, default=0.1
        Rate per time step, >= 0, at which what lies behind fades: by half every 0.7 / decay steps in "real" and
        "max_times", by `decay` a step in the tropical semirings. 0 for the iterated sums of the literature.
    pooling : str or tuple of str, default=("end", "mean", "max", "min")
        Any of "end" (last value), "mean", "max", "min", "ppv" (share of time above a threshold), "mpv" (mean
        excess over the threshold while above it), "argmax" (place of the first maximum, 0 at the start of the
        window and 1 at its end).
    windows : "whole", int or ("dyadic", int), default=("dyadic", 2)
        Whole series; this many equal parts; or all dyadic parts down to a depth: 1, 2, 4, ... parts. The sums
        always start at the start of the series.
    scale : {"standard", "std", None}, default="standard"
        What is learnt at fit and done to each channel: subtract the mean and divide by the standard
        deviation; divide only (zero stays zero, as increments want); nothing. "max_times" never subtracts.
    quantile : float, default=0.5
        The thresholds of "ppv" and "mpv" are, for each word, this quantile of its running values on the
        training series.
    n_jobs : int or None, default=None
        Threads over series, in joblib's convention. The features do not depend on it.

    Attributes
    ----------
    words_ : tuple of Word
        The words, in the order of the features.
    shift_, scale_ : ndarray of shape (n_channels_,)
        A channel is used as (x - shift_) * scale_.
    thresholds_ : ndarray of shape (n_words,)
        Thresholds of "ppv" and "mpv"; zeros where neither is asked for.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ValueError
        If a word cannot be read or names a missing channel, a series has one point only, values are NaN,
        infinite, or negative with "max_times", or the output would not fit into memory.

    See Also
    --------
    SignatureTransformer : Iterated integrals of the piecewise-linear path.

    Notes
    -----
    The defaults were chosen by cross-validation on training data (`benchmarks/settings.py`). The plain signature is
    ``ISSTransformer(depth, decay=0, pooling="end", windows="whole", scale=None)``.

    A word of length k has its first strict value at the k-th point; earlier times are left out of the
    pooling, and where a series or a window ends before that the features are 0. The end values of all words
    up to a length are one matrix product per series: O(n_timepoints n_channels^depth) at the speed of a
    matrix product. Any other choice costs O(n_timepoints) per prefix of the words. Sums run in float64 from
    block to block of time; the result has the input's dtype. Thresholds are quantiles over at most 64
    training series, fewer of very long ones, evenly spread.

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
        "windows": [StrOptions({"whole"}), Interval(Integral, 1, None, closed="left"), tuple],
        "scale": [StrOptions({"standard", "std"}), None],
        "quantile": [Interval(Real, 0, 1, closed="both")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        depth=2,
        words="weight",
        semiring="real",
        strict=True,
        decay=0.1,
        pooling=("end", "mean", "max", "min"),
        windows=("dyadic", 2),
        scale="standard",
        quantile=0.5,
        n_jobs=None,
    ):
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
    def fit(self, X, y=None):
        """Learn the scaling and the thresholds.

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
        X, lengths = self._check_panel(X, reset=True)
        pooling, (n_fine, runs) = check_poolings(self.pooling), fine_windows(self.windows)
        n_columns = len(pooling) * len(runs)
        if isinstance(self.words, str):
            n_words = count_words(X.shape[1], self.depth, self.words)
            what = f"ISSTransformer with depth={self.depth}, words={self.words!r}"
            check_output_size(len(X), n_words * n_columns, X.dtype, what, n_words * WORD_BYTES)
            level = words_of_length if self.words == "length" else words_of_weight
            words = tuple(word for k in range(1, self.depth + 1) for word in level(X.shape[1], k))
        else:
            words = tuple(Word.parse(text) for text in self.words)
            self._check_alphabet(words, X.shape[1])
        # From here on `transform` knows the parameters by these: the kernels rely on the size of the output.
        self._ring, self._depth, self._strict = SEMIRINGS[self.semiring], self.depth, self.strict
        self._n_letters, self._weight = max(word.length for word in words), max(word.weight for word in words)
        self._endings = self._name_endings(pooling)
        self._require_timepoints(lengths, self._needed_timepoints(), f"words of {self._n_letters} letters")
        self._check_sign(X)
        self.words_ = words
        self.shift_, self.scale_ = self._learn_scale(X, lengths)
        fade = self._ring.fade(self.decay)
        self._loop = {"strict": self._strict, "fade": fade, "shift": self.shift_, "scale": self.scale_}
        self._trees = None if self._is_full(pooling) else PrefixTrees(words, X.shape[1], n_fine)
        self.thresholds_ = np.zeros(len(words))
        if {"ppv", "mpv"} & set(pooling):
            self.thresholds_ = self._learn_thresholds(X, lengths)
        self._pooled = pooling, self.thresholds_, n_fine, runs
        self._n_features_out = len(words) * n_columns
        return self

    def transform(self, X):
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
        self._require_timepoints(lengths, self._needed_timepoints(), f"words of {self._n_letters} letters")
        self._check_sign(X)
        check_output_size(len(X), self._n_features_out, X.dtype, "the output of ISSTransformer")
        out = np.empty((len(X), self._n_features_out), X.dtype)
        n_threads = effective_n_jobs(self.n_jobs)
        if self._trees is None:
            end_values(X, lengths, self._depth, n_threads=n_threads, out=out, **self._loop)
        else:
            pooled_values(X, lengths, self._trees, self._ring, self._pooled, n_threads=n_threads, out=out, **self._loop)
        self._check_overflow(out, f"iterated sums of weight {self._weight} overflow")
        return out

    def _feature_names(self):
        return [f"{word}{ending}" for word in self.words_ for ending in self._endings]

    def _name_endings(self, pooling):
        windows = [f"|{name}" if name else "" for name in window_names(self.windows)]
        return [f"|{self.semiring}|{name}{window}" for name in pooling for window in windows]

    def _needed_timepoints(self):
        return 2 if self._strict and self._n_letters > 1 else 1

    def _is_full(self, pooling):
        """Whether the matrix product gives all that is asked for."""
        return self.words == "length" and self.semiring == "real" and pooling == ("end",) and self.windows == "whole"

    def _check_alphabet(self, words, n_channels):
        for word in words:
            if max(word.channels) >= n_channels:
                raise ValueError(
                    f"words: {word} names channel {max(word.channels) + 1}, but X has {n_channels} channels"
                )
        if not words or len(set(words)) < len(words):
            raise ValueError(f"words must be different words, at least one, got {self.words!r}")

    def _learn_scale(self, X, lengths):
        shift, scale = np.zeros(X.shape[1]), np.ones(X.shape[1])
        if self.scale is not None:
            mean, scale = channel_moments(X, lengths)
            if self.scale == "standard" and not self._ring.non_negative:
                shift = mean
        return shift, 1.0 / scale

    def _check_sign(self, X):
        if self._ring.non_negative and np.nanmin(X) < 0:
            i, c, t = np.argwhere(X < 0)[0]
            place = f"in series {i} (from 0), channel {c + 1} (from 1), time {t} (from 0)"
            raise ValueError(
                f'Negative values in data: semiring="{self._ring.name}" needs values >= 0, got {X[i, c, t]:.6g} {place}'
            )

    def _learn_thresholds(self, X, lengths):
        bytes_of_one = max(len(tree[2]) for tree in self._trees.trees) * X.shape[2] * X.itemsize
        chosen = threshold_series(len(X), bytes_of_one)
        thresholds = np.empty(len(self.words_))
        for tree in self._trees.trees:
            _, _, places, n_letters = tree
            values = running_values(X[chosen], lengths[chosen], tree, self._ring, **self._loop)
            for w, place in enumerate(places):
                first = n_letters[w] - 1 if self._strict else 0
                known = values[:, w, first:][np.isfinite(values[:, w, first:])]
                thresholds[place] = np.quantile(known, self.quantile) if known.size else 0.0
        return thresholds

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        ring = SEMIRINGS.get(self.semiring) if isinstance(self.semiring, str) else None
        tags.input_tags.positive_only = ring is not None and ring.non_negative
        return tags
