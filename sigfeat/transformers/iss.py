"""Iterated-sums signatures, along words or of low rank, as a scikit-learn transformer."""

from numbers import Integral, Real

import numpy as np

from sigfeat._kernels.low_rank import LOW_RANK_POOLINGS, MAX_THRESHOLDS
from sigfeat._kernels.pooling import POOLINGS
from sigfeat._kernels.words.iterated_sums import (
    WORDS_PER_TREE,
    PrefixTrees,
    end_values,
    pooled_values,
    running_values,
)
from sigfeat._messages import plain
from sigfeat._validation import Interval, StrOptions, _fit_context, check_is_fitted
from sigfeat.semirings import SEMIRINGS
from sigfeat.transformers._contract.base import FeatureTransformer
from sigfeat.transformers._contract.feature_table import (
    FeatureTableMixin,
    combined,
    functional_columns,
    only_where_used,
    window_columns,
    word_columns,
)
from sigfeat.transformers._contract.jobs import N_JOBS, granted_threads
from sigfeat.transformers._contract.memory import check_fitted_size, check_output_size
from sigfeat.transformers._contract.moments import channel_moments
from sigfeat.transformers._contract.targets import check_target
from sigfeat.transformers._poolings import check_poolings, quantile_of, threshold_bytes, threshold_series
from sigfeat.transformers._streams import WordStream
from sigfeat.transformers._windows import fine_windows, whole_series, window_names
from sigfeat.transformers._words import chosen_words
from sigfeat.transformers.low_rank import (
    COMPETING,
    SUMS,
    check_low_rank_device,
    fit_low_rank,
    is_cpu,
    low_rank_settings,
)

WORDS = "words"
OF_WORDS = {"decay": 0.1, "pooling": ("end", "mean", "max", "min"), "windows": ("dyadic", 2), "quantile": 0.5}


class ISSTransformer(FeatureTableMixin, FeatureTransformer):
    """Iterated sums of a series, along words or along random functionals of low rank, pooled over time.

    For a word w = l_1 ... l_k whose letters are monomials in the channels:
    S_w(t) = sum over i_1 < ... < i_k <= t of l_1(x_{i_1}) ... l_k(x_{i_k}) exp(-decay (t - i_1)),
    with the sum and the product of a semiring. A functional of rank one is the same with letters
    a(t) = sum over c, l of p[c, l] x_c(t + l dilation): linear forms of a window around each time, which cost nothing
    that grows like n_channels^k. The values at t = 1, 2, ... are pooled over the whole series or over windows of it.

    Parameters
    ----------
    depth : int, default=2
        Largest length or weight of the words, not used where `words` is a list; letters of a functional.
    words : {"length", "weight"} or list of str, default="weight"
        "length": all words of 1 to `depth` single channels. "weight": all words of monomials of total degree
        1 to `depth`, the full iterated-sums signature. A list: exactly these words, as texts such as
        "[1][1,2]" with channels counted from 1, or "[speed][speed,temp]" with the names of the channels of a panel
        that has them. Not used by functionals.
    semiring : {"real", "max_plus", "min_plus", "max_times"} or tuple of str, default="real"
        Sum and product. "max_times" takes values >= 0 only, and no functionals. Functionals take the semirings of a
        tuple in turn.
    strict : bool, default=True
        Sum over strictly (True) or weakly (False) increasing times. Functionals are strict.
    decay : float or "auto", default="auto"
        Rate per time step, >= 0, at which what lies behind fades: by half every 0.7 / decay steps in "real" and
        "max_times", by `decay` a step in the tropical semirings. 0 for the iterated sums of the literature. "auto" is
        0.1, and random for functionals: half-lives log-uniform between one step and the series.
    pooling : "auto", str or tuple of str, default="auto"
        Any of "end" (last value), "mean", "max", "min", "ppv" (share of time above a threshold), "mpv" (mean
        excess over the threshold while above it), "argmax" (place of the first maximum, 0 at the start of the
        window and 1 at its end; not for functionals), "mipv" (mean place while above the threshold, as a share of the
        window, -1 / length if never; only for functionals). "auto": ("end", "mean", "max", "min"), and "ppv" for
        functionals.
    windows : "auto", "whole", int or ("dyadic", int), default="auto"
        Whole series; this many equal parts; or all dyadic parts down to a depth: 1, 2, 4, ... parts. The sums
        always start at the start of the series. "auto": ("dyadic", 2), and "whole" for functionals.
    scale : {"standard", "std", None}, default="standard"
        What is learnt at fit and done to each channel: subtract the mean and divide by the standard
        deviation; divide only (zero stays zero, as increments want); nothing. "max_times" never subtracts.
    quantile : float or "auto", default="auto"
        The thresholds of "ppv" and "mpv" are this quantile of the values on the training series. "auto" is 0.5, and
        random for functionals.
    functionals : {"words", "low_rank", "competing"}, default="words"
        "low_rank": random functionals of rank one in place of words, and every run of neighbouring letters of them;
        what is pooled are the terms of the sum whose last letter sits at t, but for "end", the sum itself. Level one
        with "ppv" is the ROCKET transform. "competing": groups of `depth` letters of one dilation; at each time one is
        the largest and one the smallest. The features are the sum of a letter's values while it is the largest, over
        the length, and the share of time for which it is the smallest.
    n_functionals : int, default=1000
        Functionals of `depth` letters, or groups of competing letters.
    n_lags : int, default=9
        Points of the window that a letter looks at; fewer in shorter series.
    dilations : tuple of int or None, default=None
        Steps between the points of a window, drawn from these. None: log-uniform between 1 and what fits into the
        series, in groups of competing letters powers of two in turn.
    n_thresholds : int, default=3
        Thresholds of "ppv" for each functional.
    fit_mode : {"random", "supervised"}, default="random"
        "random": Gaussian letters. "supervised": the same, then trained with a linear head on y, which is thrown away.
        Only for "low_rank"; needs y and torch.
    task : {"auto", "classification", "regression"}, default="auto"
        What supervised training takes y for. "auto": numbers with a fractional part are targets of a regression,
        anything else is classes.
    max_epochs : int, default=30
        Passes over the training series in supervised training.
    lr : float, default=0.01
        Its learning rate at the peak.
    batch_size : int, default=32
        Series per step, at least 2.
    device : str or torch.device, default="cpu"
        Where low-rank functionals are trained and their features computed; words and competing letters are computed on
        the CPU only. "cpu": compiled loops. Any other: operations of torch, in float32 too, so that the features agree
        up to rounding, and "ppv", "mpv" and "mipv" up to single times at which a value sits on its threshold.
    random_state : int, RandomState instance or None, default=0
        Of the functionals and their thresholds, and of the training.
    n_jobs : int or None, default=None
        Threads over series, in joblib's convention, no more than CPUs. The features do not depend on it.

    Attributes
    ----------
    words_ : tuple of Word
        The words, in the order of the features; with "words" only.
    functionals_ : sigfeat.functionals.Functionals
        The letters and how they are summed; not with "words".
    shift_, scale_ : ndarray of shape (n_channels_,)
        A channel is used as (x - shift_) * scale_.
    difference_scale_ : ndarray of shape (n_channels_,)
        Factor of the differences x(t + 1) - x(t), at which some of the functionals look, 0 where all are the same up to
        rounding; not with "words".
    thresholds_ : ndarray of shape (n_words,) or (n_functionals, n_parts, n_thresholds)
        Thresholds of "ppv", "mpv" and "mipv"; zeros where none is asked for.
    history_ : list of dict
        "epoch", "train_loss" of each epoch; in supervised mode only.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        If torch or skorch, for supervised training, is not installed.
    ValueError
        If a word cannot be read or names a missing channel, a series has one point only, values are NaN,
        infinite, or negative with "max_times", parameters do not go together, y is missing in supervised mode, or the
        output would not fit into memory.

    See Also
    --------
    SignatureTransformer : Iterated integrals of the piecewise-linear path.

    Notes
    -----
    Features of words are named after the channels where the panel has names for them, ``[speed][speed,temp]|real|end``;
    names that could be misread are quoted. `feature_table` lists what each feature looks at.

    The defaults were chosen by cross-validation on training data (`benchmarks/settings.py`). The plain signature is
    ``ISSTransformer(depth, decay=0, pooling="end", windows="whole", scale=None)``.

    A word of length k has its first strict value at the k-th point; earlier times are left out of the
    pooling, and where a series or a window ends before that the features are 0. The end values of all words
    up to a length are one matrix product per series: O(n_timepoints n_channels^depth) at the speed of a
    matrix product. Any other choice costs O(n_timepoints) per prefix of the words. Sums run in float64 from
    block to block of time; the result has the input's dtype. Thresholds of words are quantiles over at most 64
    training series, fewer of very long ones, evenly spread.

    Functionals cost O(n_timepoints n_functionals depth (n_lags n_channels + depth)) per series, in one pass that keeps
    one block of time. They are computed in float32. A letter looks at a random subset of the channels, and its window
    hangs over the ends of a series, where there is zero. Of eight functionals two look at differences of the series,
    and one sees its level: the taps of the others have mean zero. Thresholds are random quantiles of the values on one
    random training series for each functional, one from each of `n_thresholds` equal parts of the distribution.

    References
    ----------
    .. [1] Diehl, Ebrahimi-Fard, Tapia, "Time-warping invariants of multidimensional time series", 2020,
       arXiv:1906.05823.
    .. [2] Diehl, Ebrahimi-Fard, Tapia, "Tropical time series, iterated-sums signatures and quasisymmetric
       functions", 2022, arXiv:2009.08443.
    .. [3] Diehl, Krieg, "FRUITS: feature extraction using iterated sums for time series classification",
       2023, arXiv:2311.14549: pooling as "sieves".
    .. [4] Toth, Bonnier, Oberhauser, "Seq2Tens: an efficient representation of sequences by low-rank tensor
       projections", 2020, arXiv:2006.07027.
    .. [5] Dempster, Petitjean, Webb, "ROCKET: exceptionally fast and accurate time series classification using random
       convolutional kernels", 2020, arXiv:1910.13051.
    .. [6] Tan, Dempster, Bergmeir, Webb, "MultiRocket: multiple pooling operators and transformations for fast and
       effective time series classification", 2022, arXiv:2102.00457: "mpv", "mipv", differences.
    .. [7] Dempster, Schmidt, Webb, "HYDRA: competing convolutional kernels for fast and accurate time series
       classification", 2023, arXiv:2203.13652.

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

    >>> X = np.random.default_rng(0).standard_normal((10, 3, 50))
    >>> low_rank = ISSTransformer(functionals="low_rank", n_functionals=100, pooling="ppv", n_thresholds=1).fit(X)
    >>> low_rank.transform(X).shape
    (10, 300)
    >>> low_rank.get_feature_names_out()[[0, 299]]
    array(['<1.1>|real|ppv', '<100.1><100.2>|real|ppv'], dtype=object)
    """

    _parameter_constraints = {
        "depth": [Interval(Integral, 1, None, closed="left")],
        "words": [StrOptions({"length", "weight"}), list, tuple],
        "semiring": [StrOptions(set(SEMIRINGS)), tuple, list],
        "strict": ["boolean"],
        "decay": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "pooling": [StrOptions({"auto", *POOLINGS, *LOW_RANK_POOLINGS}), tuple, list],
        "windows": [StrOptions({"auto", "whole"}), Interval(Integral, 1, None, closed="left"), tuple, list],
        "scale": [StrOptions({"standard", "std"}), None],
        "quantile": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "functionals": [StrOptions({WORDS, SUMS, COMPETING})],
        "n_functionals": [Interval(Integral, 1, None, closed="left")],
        "n_lags": [Interval(Integral, 1, None, closed="left")],
        "dilations": [tuple, list, None],
        "n_thresholds": [Interval(Integral, 1, MAX_THRESHOLDS, closed="both")],
        "fit_mode": [StrOptions({"random", "supervised"})],
        "task": [StrOptions({"auto", "classification", "regression"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "device": "no_validation",  # torch looks at it
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        depth=2,
        words="weight",
        semiring="real",
        strict=True,
        decay="auto",
        pooling="auto",
        windows="auto",
        scale="standard",
        quantile="auto",
        functionals="words",
        n_functionals=1000,
        n_lags=9,
        dilations=None,
        n_thresholds=3,
        fit_mode="random",
        task="auto",
        max_epochs=30,
        lr=0.01,
        batch_size=32,
        device="cpu",
        random_state=0,
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
        self.functionals = functionals
        self.n_functionals = n_functionals
        self.n_lags = n_lags
        self.dilations = dilations
        self.n_thresholds = n_thresholds
        self.fit_mode = fit_mode
        self.task = task
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the scaling and the thresholds, and draw or train the functionals.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Classes or numbers; used in supervised mode only.

        Returns
        -------
        self : ISSTransformer
        """
        X, lengths = self._check_panel(X, y, reset=True)
        for name in ("words_", "functionals_", "difference_scale_", "history_", "_low_rank"):
            vars(self).pop(name, None)
        if self.functionals != SUMS and not is_cpu(self.device):
            raise ValueError(f'device must be "cpu" for functionals={self.functionals!r}, got {self.device!r}')
        if self.functionals == WORDS:
            self._fit_words(X, lengths)
        else:
            self._fit_low_rank(X, lengths, y)
        return self

    def _fit_words(self, X, lengths):
        chosen = {name: OF_WORDS[name] if _is_auto(own := getattr(self, name)) else own for name in OF_WORDS}
        if not isinstance(self.semiring, str):
            raise ValueError(f'semiring must be one name for functionals="words", got {plain(self.semiring)!r}')
        if self.fit_mode == "supervised":
            raise ValueError('fit_mode="supervised" needs functionals="low_rank", got functionals="words"')
        pooling, (n_fine, runs) = check_poolings(chosen["pooling"]), fine_windows(chosen["windows"])
        self._windows, self._quantile = chosen["windows"], chosen["quantile"]
        n_columns = len(pooling) * len(runs)
        labels = self._channel_labels()
        shape, workspace = (X.shape[1], n_columns, len(X), X.dtype, type(self).__name__), 0
        if {"ppv", "mpv"} & set(pooling):
            workspace = 2 * threshold_bytes(len(X), WORDS_PER_TREE * X.shape[2] * X.itemsize)
        words = chosen_words(self.words, self.depth, *shape, labels=labels, workspace=workspace)
        # From here on `transform` knows the parameters by these: the kernels rely on the size of the output.
        self._ring, self._depth, self._strict = SEMIRINGS[self.semiring], self.depth, self.strict
        self._n_letters, self._weight = max(word.length for word in words), max(word.weight for word in words)
        self._endings = self._name_endings(pooling)
        self._require_timepoints(lengths, self._needed_timepoints(), f"words of {self._n_letters} letters")
        self._check_sign(X)
        self.words_ = words
        self.shift_, self.scale_ = self._learn_scale(X, lengths)
        self._decay, fade = float(chosen["decay"]), self._ring.fade(chosen["decay"])
        self._loop = {"strict": self._strict, "fade": fade, "shift": self.shift_, "scale": self.scale_}
        self._trees = None if self._is_full(pooling) else PrefixTrees(words, X.shape[1], n_fine)
        self.thresholds_ = np.zeros(len(words))
        if {"ppv", "mpv"} & set(pooling):
            self.thresholds_ = self._learn_thresholds(X, lengths)
        self._pooled = pooling, self.thresholds_, n_fine, runs
        self._n_features_out = len(words) * n_columns

    def _fit_low_rank(self, X, lengths, y):
        settings = low_rank_settings(self)
        target = None
        if self.fit_mode == "supervised":
            if settings.kind == COMPETING:
                raise ValueError('fit_mode="supervised" needs functionals="low_rank", got functionals="competing"')
            target = check_target(y, X, self.task)
        check_low_rank_device(self.device)
        what = f"ISSTransformer with n_functionals={self.n_functionals}, depth={self.depth}"
        workspace = settings.workspace(X.shape[1], X.shape[2])
        check_fitted_size(len(X), settings.n_features, X.dtype, what, workspace, remedy="lower n_functionals or depth")
        self._n_letters = 1 if settings.kind == COMPETING else self.depth
        self._require_timepoints(lengths, self._n_letters, f"functionals of {self._n_letters} letters")
        low_rank = fit_low_rank(settings, X, lengths, self.scale, self.random_state, target, self._training())
        self._low_rank, self.functionals_, self.thresholds_ = low_rank, low_rank.functionals, low_rank.thresholds
        self.shift_, (self.scale_, self.difference_scale_) = low_rank.shift, low_rank.scale
        if low_rank.history is not None:
            self.history_ = low_rank.history
        self._n_features_out = settings.n_features

    def _training(self):
        names = ("max_epochs", "lr", "batch_size", "device")
        return {name: getattr(self, name) for name in names} | {"n_threads": granted_threads(self.n_jobs)}

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
        low_rank, n_threads = vars(self).get("_low_rank"), granted_threads(self.n_jobs)
        what = "words" if low_rank is None else "functionals"
        if low_rank is not None:
            check_low_rank_device(self.device)
        self._require_timepoints(lengths, self._needed_timepoints(), f"{what} of {self._n_letters} letters")
        check_output_size(len(X), self._n_features_out, X.dtype, "the output of ISSTransformer")
        out = np.empty((len(X), self._n_features_out), X.dtype)
        if low_rank is not None:
            low_rank.features(X, lengths, self.device, n_threads, out)
            self._check_overflow(out, "low-rank iterated sums overflow", "scale the series, or raise decay")
            return out
        self._check_sign(X)
        if self._trees is None:
            end_values(X, lengths, self._depth, n_threads=n_threads, out=out, **self._loop)
        else:
            pooled_values(X, lengths, self._trees, self._ring, self._pooled, n_threads=n_threads, out=out, **self._loop)
        self._check_overflow(out, f"iterated sums of weight {self._weight} overflow")
        return out

    def stream(self):
        """A series that grows, and its features after each point.

        Returns
        -------
        stream : Stream
            With methods `append(points)` and `features()`; empty. The time to append a point, and to read the features,
            does not depend on how many points there were.

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.
        ValueError
            Unless ``windows="whole"``: parts of a series that grows are not known before its end.

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
        low_rank = vars(self).get("_low_rank")
        whole_series(self._windows if low_rank is None else low_rank.settings.windows)
        if low_rank is not None:
            return low_rank.stream()
        needed, (pooling, thresholds, _, _) = self._needed_timepoints(), self._pooled
        return WordStream(self.words_, self._ring, pooling, thresholds, needed=needed, **self._loop)

    def _feature_names(self):
        if "_low_rank" in vars(self):
            return self._low_rank.names()
        labels = self._channel_labels()
        return [f"{word.spell(labels)}{ending}" for word in self.words_ for ending in self._endings]

    def _feature_columns(self):
        labels = self._channel_labels()
        if "_low_rank" in vars(self):
            return functional_columns(self._low_rank, labels)
        how = {"semiring": [self._ring.name], "decay": [self._decay]}
        words = word_columns(self.words_, labels) | {"threshold": self.thresholds_.tolist()}
        columns = combined(words, how, {"pooling": list(self._pooled[0])}, window_columns(self._windows))
        return only_where_used(columns)

    def _name_endings(self, pooling):
        windows = [f"|{name}" if name else "" for name in window_names(self._windows)]
        return [f"|{self.semiring}|{name}{window}" for name in pooling for window in windows]

    def _needed_timepoints(self):
        if "_low_rank" in vars(self):
            return self._n_letters
        return 2 if self._strict and self._n_letters > 1 else 1

    def _is_full(self, pooling):
        """Whether the matrix product gives all that is asked for."""
        return self.words == "length" and self.semiring == "real" and pooling == ("end",) and self._windows == "whole"

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
                thresholds[place] = quantile_of(known, self._quantile) if known.size else 0.0
        return thresholds

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        ring = SEMIRINGS.get(self.semiring) if isinstance(self.semiring, str) else None
        tags.input_tags.positive_only = ring is not None and ring.non_negative
        tags.target_tags.required = self.fit_mode == "supervised"
        return tags


def _is_auto(value):
    return isinstance(value, str) and value == "auto"
