"""Path signatures by iisignature as a scikit-learn transformer."""

import functools
import itertools
import re
from numbers import Integral

import numpy as np

from sigfeat._validation import Interval, StrOptions, _fit_context, check_is_fitted
from sigfeat.transformers._base import FeatureTransformer
from sigfeat.transformers._memory import check_output_size
from sigfeat.transformers._windows import check_window_lengths, check_windows, fine_windows, window_bounds, window_names
from sigfeat.words import Word, count_words

BATCH_BYTES = 1 << 28


class SignatureTransformer(FeatureTransformer):
    """Signature, or logsignature, of the piecewise-linear path through the points of a series.

    S_{a_1 ... a_k} = integral over s_1 < ... < s_k of dx_{a_1}(s_1) ... dx_{a_k}(s_k), the logsignature being its logarithm in a basis of brackets.

    Parameters
    ----------
    kind : {"signature", "logsignature"}, default="signature"
        What is computed. The logsignature holds the same information in fewer numbers.
    depth : int, default=3
        Highest level kept.
    windows : "whole", int or ("dyadic", int), default="whole"
        The path as a whole; this many equal parts; or all dyadic parts down to a depth: 1, 2, 4, ... parts. The signature starts anew in each window.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        At fit, if iisignature is not installed.
    ValueError
        If a series has one point or fewer than windows, a value is NaN or infinite, or the output would not fit into memory.

    See Also
    --------
    ISSTransformer : Iterated sums of the points themselves.

    Notes
    -----
    Computed in float64 by iisignature [1]_, returned in the dtype of the input. A window that does not begin at the first point includes the point
    before it, so that no increment is lost. The names of a logsignature spell the brackets of the Lyndon basis: "[[1],[2]]".

    References
    ----------
    .. [1] Reizenstein, Graham, "Algorithm 1004: The iisignature library", 2020, ACM TOMS 46(1), arXiv:1802.08252.
    .. [2] Morrill, Fermanian, Kidger, Lyons, "A generalised signature method for multivariate time series feature extraction", 2021, arXiv:2006.00873.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import SignatureTransformer
    >>> X = np.array([[[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]])
    >>> signature = SignatureTransformer(depth=2).fit(X)  # doctest: +SKIP
    >>> signature.transform(X)  # doctest: +SKIP
    array([[1. , 1. , 0.5, 1. , 0. , 0.5]])
    """

    _parameter_constraints = {
        "kind": [StrOptions({"signature", "logsignature"})],
        "depth": [Interval(Integral, 1, None, closed="left")],
        "windows": [StrOptions({"whole"}), Interval(Integral, 1, None, closed="left"), tuple],
    }

    def __init__(self, kind="signature", depth=3, windows="whole"):
        self.kind = kind
        self.depth = depth
        self.windows = windows

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
        self : SignatureTransformer
        """
        iisignature = _iisignature()
        check_windows(self.windows)
        X, lengths = self._check_panel(X, reset=True)
        self._check_lengths(lengths)
        n_channels = X.shape[1]
        n_terms = count_words(n_channels, self.depth, "length")
        if self.kind == "logsignature":
            n_terms = 1 if n_channels == 1 else iisignature.logsiglength(n_channels, self.depth)
        self._n_terms = n_terms
        self._n_features_out = n_terms * len(fine_windows(self.windows)[1])
        self._check_size(X)
        return self

    def transform(self, X):
        """Signature features.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length from 2, with as many channels as at fit.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), dtype of X
        """
        check_is_fitted(self)
        X, lengths = self._check_panel(X, reset=False)
        self._check_lengths(lengths)
        self._check_size(X)
        out = np.empty((len(X), self._n_features_out), X.dtype)
        n_windows = self._n_features_out // self._n_terms
        columns = out.reshape(len(X), self._n_terms, n_windows)
        per_batch = max(1, BATCH_BYTES // (8 * (self._n_terms + X.shape[1] * X.shape[2])))
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            for begin in range(0, len(rows), per_batch):
                batch = rows[begin : begin + per_batch]
                paths = np.ascontiguousarray(X[batch, :, :length].swapaxes(1, 2), dtype=np.float64)
                for w, (first, stop) in enumerate(window_bounds(self.windows, length)):
                    columns[batch, :, w] = self._terms(paths[:, max(first - 1, 0) : stop])
        return out

    def _terms(self, paths):
        if self.kind == "logsignature" and paths.shape[2] == 1:
            return paths[:, -1] - paths[:, 0]  # one channel commutes with itself: nothing beyond level 1
        paths = np.ascontiguousarray(paths)
        if self.kind == "signature":
            return _iisignature().sig(paths, self.depth)
        return _iisignature().logsig(paths, _lyndon_basis(self.n_channels_, self.depth))

    def _feature_names(self):
        if self.kind == "signature":
            alphabet, lengths = range(self.n_channels_), range(1, self.depth + 1)
            terms = [str(Word(tuple((c,) for c in word))) for k in lengths for word in itertools.product(alphabet, repeat=k)]
        elif self.n_channels_ == 1:
            terms = ["[1]"]
        else:
            brackets = _iisignature().basis(_lyndon_basis(self.n_channels_, self.depth))
            terms = [re.sub(r"\d+", r"[\g<0>]", bracket) for bracket in brackets]
        windows = [f"|{name}" if name else "" for name in window_names(self.windows)]
        return [f"{term}|{self.kind}{window}" for term in terms for window in windows]

    def _check_lengths(self, lengths):
        check_window_lengths(self.windows, lengths)
        if lengths.min() < 2:
            raise ValueError(f"n_timepoints must be at least 2 for a signature, got 1 (n_features=1) in series {lengths.argmin()}")

    def _check_size(self, X):
        check_output_size(len(X), self._n_features_out, X.dtype, f"SignatureTransformer with depth={self.depth}")


def _iisignature():
    try:
        import iisignature
    except ImportError:
        raise ImportError(
            "SignatureTransformer needs iisignature: `pip install numpy setuptools wheel`, "
            "then `pip install --no-build-isolation --no-cache-dir iisignature`"
        ) from None
    return iisignature


@functools.lru_cache(maxsize=16)
def _lyndon_basis(n_channels, depth):
    return _iisignature().prepare(n_channels, depth)
