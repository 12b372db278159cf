"""Path signatures as a scikit-learn transformer."""

from collections.abc import Callable, Iterator, Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sigfeat._validation import Interval, StrOptions, _fit_context, check_is_fitted
from sigfeat.panel import Floats
from sigfeat.pooling import Windows, window_bounds, window_names
from sigfeat.transformers._contract.base import FeatureTransformer
from sigfeat.transformers._contract.feature_table import Columns, FeatureTableMixin, combined, labels_of, window_columns
from sigfeat.transformers._contract.memory import NAME_BYTES, WORD_BYTES, check_output_size
from sigfeat.transformers._iisignature import check_limits, check_points, load_iisignature, preparation_cost, prepared
from sigfeat.words import count_words, words_of_length

BATCH_BYTES = 2**28


class SignatureTransformer(FeatureTableMixin, FeatureTransformer):
    """Signature, or its logarithm, of the piecewise-linear path through the points of a series.

    For channels c_1, ..., c_k and the path X through the points x_1, ..., x_T: S_{c_1 ... c_k} = integral
    over t_1 < ... < t_k of dX_{c_1}(t_1) ... dX_{c_k}(t_k), which for a straight line is the product of the k
    increments divided by k!. The logarithm is taken in the tensor algebra and written in the Lyndon basis of
    the free Lie algebra. The library iisignature computes them.

    Parameters
    ----------
    depth : int, default=3
        Largest number of channels in a word or bracket.
    kind : {"signature", "logsignature"}, default="signature"
        All iterated integrals up to `depth`, or the shorter logarithm that determines them.
    windows : "whole", int or ("dyadic", int), default="whole"
        The whole series; this many equal parts; or all dyadic parts down to a depth: 1, 2, 4, ... parts. The
        signature starts anew in each window. The path of a window that does not start the series begins at
        the point before it, so that every increment is in exactly one of the parts. The features of a path of fewer
        than two points are zero.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        At fit, if iisignature is not installed.
    ValueError
        If a series has fewer than 2 points, values are NaN or infinite, the output would not fit into memory, or
        n_channels and depth are too large for iisignature.

    Warns
    -----
    UserWarning
        If the preparation of a logarithm takes more than about half a minute.

    See Also
    --------
    ISSTransformer : Iterated sums of the points themselves.

    Notes
    -----
    iisignature comes as source: run ``pip install numpy setuptools wheel``, then
    ``pip install --no-build-isolation --no-cache-dir iisignature``.

    Signatures do not change if the path is traversed at another speed or shifted by a constant; put `AddTime` or
    `AddBasepoint` in front if speed or level matters. All series of one length are processed in one call of
    iisignature, in batches of 256 MiB, in float64; the result has the dtype of X. There is no `n_jobs`: iisignature
    holds Python's global lock while it computes. Processes help, as in ``GridSearchCV(..., n_jobs=2)``.

    Features are named ``[1][2]|signature``, with channels counted from 1 or by their names if the panel has names. The
    names of a logarithm, as ``[[1],[[1],[2]]]|logsignature``, spell the Lie brackets of iisignature.basis. Windows are
    appended as fractions of the series, ``[1][2]|signature|0/2-1/2``.

    iisignature uses 32-bit integers: ``n_channels ** (depth + 1)`` must stay below 2**31, as for 215 channels and depth
    3, except for logarithms up to depth 2. Logarithms of depth 3 and more are prepared once in each process. If that
    takes more than about half a minute, a warning says how long; if it takes more than an hour, `fit` raises an error.

    References
    ----------
    .. [1] Chen, "Integration of paths, geometric invariants and a generalized Baker-Hausdorff formula", 1957,
       Annals of Mathematics 65.
    .. [2] Reizenstein, Graham, "Algorithm 1004: The iisignature library: efficient calculation of
       iterated-integral signatures and log signatures", 2020, ACM Transactions on Mathematical Software 46,
       arXiv:1802.08252.
    .. [3] Morrill, Fermanian, Kidger, Lyons, "A generalised signature method for multivariate time series
       feature extraction", 2021, arXiv:2006.00873: windows and augmentations.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import SignatureTransformer
    >>> X = np.array([[[0.0, 1.0], [0.0, 2.0]]])
    >>> signature = SignatureTransformer(depth=2).fit(X)
    >>> signature.get_feature_names_out()[:3]
    array(['[1]|signature', '[2]|signature', '[1][1]|signature'], dtype=object)
    >>> signature.transform(X)
    array([[1. , 2. , 0.5, 1. , 1. , 2. ]])
    """

    _parameter_constraints = {
        "depth": [Interval(Integral, 1, None, closed="left")],
        "kind": [StrOptions({"signature", "logsignature"})],
        "windows": [StrOptions({"whole"}), Interval(Integral, 1, None, closed="left"), tuple, list],
    }

    _depth: int
    _kind: str
    _windows: Windows
    n_channels_: int

    def __init__(self, depth: int = 3, *, kind: str = "signature", windows: Windows = "whole") -> None:
        self.depth = depth
        self.kind = kind
        self.windows = windows

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the series, and that their features fit into memory; nothing is learned.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : None
            Ignored.

        Returns
        -------
        self : SignatureTransformer
        """
        load_iisignature()
        X, lengths = self._check_panel(X, y, reset=True)
        check_limits(self.kind, X.shape[1], self.depth)
        # From here on `transform` uses these copies of the parameters: the size of the output depends on them.
        self._kind, self._depth, self._windows = self.kind, int(self.depth), self.windows
        n_words = self._n_words()
        n_features = n_words * len(window_names(self._windows))
        workspace = n_features * NAME_BYTES + n_words * WORD_BYTES
        if self._kind == "logsignature" and self._depth > 2:
            workspace += preparation_cost(X.shape[1], self._depth)[1]
        self._check_series(X, lengths, n_features, workspace)
        self._n_features_out = n_features
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Signatures of the series, or of their windows.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length from 2 points, with as many channels as at fit.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), dtype of X
            Words or brackets in iisignature's order; of each, all windows.
        """
        check_is_fitted(self)
        X, lengths = self._check_panel(X, reset=False)
        self._check_series(X, lengths, self._n_features_out)
        out = np.zeros((len(X), self._n_words(), len(window_names(self._windows))), X.dtype)
        for length in np.unique(lengths).tolist():
            rows = np.flatnonzero(lengths == length)
            for window, (start, stop) in enumerate(window_bounds(self._windows, length).tolist()):
                first = max(start - 1, 0)
                if stop - first > 1:
                    self._fill(out[:, :, window], X[:, :, first:stop], rows)
        self._check_overflow(out, f"a {self._kind} of depth {self._depth} overflows")
        return out.reshape(len(X), -1)

    def _fill(self, out: Floats, X: Floats, rows: NDArray[np.int64]) -> None:
        """Write the values of the paths of some rows, all of one length, in batches."""
        features, per_batch = self._features(), self._rows_per_batch(X.shape[2])
        for i in range(0, len(rows), per_batch):
            batch = rows[i : i + per_batch]
            paths = np.ascontiguousarray(X[batch].transpose(0, 2, 1), dtype=np.float64)
            with np.errstate(over="ignore"):  # `transform` raises an error with one message
                out[batch] = features(paths)

    def _feature_names(self) -> list[str]:
        words = [spelled for spelled, _ in self._spelled_words()]
        endings = [f"|{self._kind}|{name}" if name else f"|{self._kind}" for name in window_names(self._windows)]
        return [f"{word}{ending}" for word in words for ending in endings]

    def _feature_columns(self) -> Columns:
        labels, words = self._channel_labels(), self._spelled_words()
        rows: Columns = {
            "word": [spelled for spelled, _ in words],
            "channels": [labels_of(set(letters), labels) for _, letters in words],
            "level": [len(letters) for _, letters in words],
        }
        return combined(rows, {"kind": [self._kind]}, window_columns(self._windows))

    def _spelled_words(self) -> list[tuple[str, tuple[int, ...]]]:
        """Text of each word or bracket, and its channels, letter by letter."""
        labels = self._channel_labels()
        if self._kind == "logsignature":
            return [(_bracket(word, labels), word) for word in _lyndon_basis(self.n_channels_, self._depth)]
        levels = (words_of_length(self.n_channels_, k) for k in range(1, self._depth + 1))
        return [(word.spell(labels), tuple(c for (c,) in word.letters)) for level in levels for word in level]

    def _features(self) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """Return the function that maps paths (n, length, n_channels), float64, to values (n, n_words)."""
        iisignature = load_iisignature()
        if self._kind == "signature":
            return lambda paths: iisignature.sig(paths, self._depth)
        if self.n_channels_ == 1:  # all brackets vanish, and iisignature requires two channels
            return lambda paths: paths[:, -1] - paths[:, 0]
        method, basis = prepared(self.n_channels_, self._depth)
        return lambda paths: iisignature.logsig(paths, basis, method)

    def _n_words(self) -> int:
        if self._kind == "logsignature":
            return _count_brackets(self.n_channels_, self._depth)
        return count_words(self.n_channels_, self._depth, "length")

    def _rows_per_batch(self, length: int) -> int:
        return max(1, BATCH_BYTES // (8 * (length * self.n_channels_ + self._n_words())))

    def _check_series(self, X: Floats, lengths: NDArray[np.int64], n_features: int, workspace: int = 0) -> None:
        self._require_timepoints(lengths, 2, f"a {self._kind}")
        check_points(*X.shape[1:])
        workspace += 8 * min(len(X), self._rows_per_batch(X.shape[2])) * self._n_words()
        if self._kind == "signature":  # signatures of the path so far and of its last step
            workspace += 2 * 8 * self._n_words()
        elif self._depth > 2:
            workspace += 4 * 8 * count_words(self.n_channels_, self._depth, "length")
        what = f'SignatureTransformer with kind="{self._kind}", depth={self._depth}'
        check_output_size(len(X), n_features, X.dtype, what, workspace)


def _count_brackets(n_channels: int, depth: int) -> int:
    """Count Lyndon words: each word is a power of a rotation of exactly one (Witt's formula)."""
    primitive = {k: n_channels**k for k in range(1, depth + 1)}
    for k in primitive:
        for multiple in range(2 * k, depth + 1, k):
            primitive[multiple] -= primitive[k]
    return sum(count // k for k, count in primitive.items())


def _lyndon_basis(n_channels: int, depth: int) -> list[tuple[int, ...]]:
    """Lyndon words in the order of iisignature.basis, with channels counted from 0."""
    words = (tuple(c - 1 for c in word) for word in _lyndon_words(n_channels, depth))
    return sorted(words, key=lambda word: (len(word), word))


def _lyndon_words(n_channels: int, depth: int) -> Iterator[tuple[int, ...]]:
    """Words that come before all their rotations (Duval's algorithm)."""
    word = [0]
    while word:
        word[-1] += 1
        yield tuple(word)
        word = [word[i % len(word)] for i in range(depth)]
        while word and word[-1] == n_channels:
            word.pop()


def _bracket(word: tuple[int, ...], labels: Sequence[str]) -> str:
    """Spell a Lyndon word as a Lie bracket; iisignature.basis itself writes "?" from channel 10 on."""
    if len(word) == 1:
        return f"[{labels[word[0]]}]"
    cut = min(range(1, len(word)), key=lambda i: word[i:])  # the least suffix is the longest Lyndon one
    return f"[{_bracket(word[:cut], labels)},{_bracket(word[cut:], labels)}]"
