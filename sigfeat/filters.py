"""Pairs of filters, which weight each interval by the distances of its two ends from the current time."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

NEGLIGIBLE = 1e-17  # value at which an exponential filter is cut off


@dataclass(frozen=True, eq=False)
class ExponentialFilters:
    """h(a, b) = sum over i of weights[i] exp(-rates[0, i] a - rates[1, i] b), for each of n_filters.

    Parameters
    ----------
    rates : ndarray of shape (2, n_filters, rank)
        Decay rates > 0 per step, for the beginning and for the end of an interval.
    weights : ndarray of shape (n_filters, rank)
        Weights of the products.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.filters import ExponentialFilters
    >>> filters = ExponentialFilters(rates=np.log(2) * np.array([[[1.0]], [[2.0]]]), weights=np.array([[3.0]]))
    >>> filters.taps(3)[:, 0, 0].round(4)
    array([[3.    , 1.5   , 0.75  ],
           [1.    , 0.25  , 0.0625]])
    """

    rates: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def n_filters(self) -> int:
        """Number of filters."""
        return int(self.rates.shape[1])

    @property
    def rank(self) -> int:
        """Number of products that each filter is a sum of."""
        return int(self.rates.shape[2])

    @property
    def length(self) -> int:
        """Number of lags after which the filters are negligible."""
        return math.ceil(-math.log(NEGLIGIBLE) / float(self.rates.min()))

    def taps(self, length: int) -> NDArray[np.float64]:
        """Values f_i, with the weights, and g_i at lags 0, ..., length - 1.

        Parameters
        ----------
        length : int
            Number of lags.

        Returns
        -------
        taps : ndarray of shape (2, n_filters, rank, length)
        """
        taps: NDArray[np.float64] = np.exp(-self.rates[..., np.newaxis] * np.arange(length))
        taps[0] *= self.weights[..., np.newaxis]
        return taps


@dataclass(frozen=True, eq=False)
class FiniteFilters:
    """h(a, b) = sum over i of f_i(a) g_i(b) for lags 0 <= a, b < length, and 0 for larger lags, for each of n_filters.

    Parameters
    ----------
    values : ndarray of shape (2, n_filters, rank, length)
        Values f_i and g_i.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.filters import FiniteFilters
    >>> filters = FiniteFilters(np.array([[[[1.0, 2.0]]], [[[0.0, 1.0]]]]))
    >>> filters.n_filters, filters.rank, filters.length
    (1, 1, 2)
    """

    values: NDArray[np.float64]

    @property
    def n_filters(self) -> int:
        """Number of filters."""
        return int(self.values.shape[1])

    @property
    def rank(self) -> int:
        """Number of products that each filter is a sum of."""
        return int(self.values.shape[2])

    @property
    def length(self) -> int:
        """Number of lags after which all values are zero."""
        return int(self.values.shape[3])

    def taps(self, length: int) -> NDArray[np.float64]:
        """Values f_i and g_i at lags 0, ..., length - 1.

        Parameters
        ----------
        length : int
            Number of lags.

        Returns
        -------
        taps : ndarray of shape (2, n_filters, rank, length)
        """
        taps = np.zeros((*self.values.shape[:3], length))
        kept = min(length, self.length)
        taps[..., :kept] = self.values[..., :kept]
        return taps


Filters = ExponentialFilters | FiniteFilters


def draw_filters(
    kind: str, n_filters: int, rank: int, length: int, random_state: np.random.RandomState
) -> ExponentialFilters | FiniteFilters:
    """Random pairs of filters.

    Parameters
    ----------
    kind : {"exponential", "box", "random"}
        "exponential": half-lives log-uniform between one step and `length`; "box": constant over a range of lags, of
        log-uniform size, that begins anywhere before `length`; "random": Gaussian values.
    n_filters, rank : int
        Number of filters, and of products in each.
    length : int
        Longest half-life, or number of lags.
    random_state : numpy.random.RandomState
        Source of the draws.

    Returns
    -------
    filters : ExponentialFilters or FiniteFilters
        Exponentials and boxes are averages over their lags: the sum of their values is one. The squares of Gaussian
        values sum up to one on average. All products except the first have random signs.

    Raises
    ------
    ValueError
        If filters of this kind are unknown, or are not drawn but learnt.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.filters import draw_filters
    >>> boxes = draw_filters("box", n_filters=3, rank=1, length=20, random_state=np.random.RandomState(0))
    >>> boxes.taps(20).sum(axis=-1).round(6)[..., 0]  # averages
    array([[1., 1., 1.],
           [1., 1., 1.]])
    """
    draw = FILTERS.get(kind)
    if draw is None:
        drawn = ", ".join(name for name, function in FILTERS.items() if function is not None)
        raise ValueError(f"kind must be one of {drawn}, got {kind!r}")
    signs = np.ones((n_filters, rank))
    signs[:, 1:] = random_state.choice([-1.0, 1.0], (n_filters, rank - 1))
    return draw(signs, length, random_state)


def _exponential(signs: NDArray[np.float64], length: int, random_state: np.random.RandomState) -> Filters:
    rates = math.log(2) / 2 ** random_state.uniform(0, math.log2(max(length, 2)), (2, *signs.shape))
    return ExponentialFilters(rates, signs * np.prod(-np.expm1(-rates), axis=0))


def _box(signs: NDArray[np.float64], length: int, random_state: np.random.RandomState) -> Filters:
    shape = 2, *signs.shape
    size = np.floor(2 ** random_state.uniform(0, math.log2(length), shape)).astype(np.int64)
    first = np.floor(random_state.random_sample(shape) * (length - size + 1)).astype(np.int64)
    # two equal boxes would sum over empty intervals, and over pairs of opposite ones, only
    same = (size[0] == size[1]) & (first[0] == first[1])
    first[1][same] = np.where(size[1][same] == length, 0, (first[1][same] + 1) % (length - size[1][same] + 1))
    size[1][same & (size[1] == length)] = 1
    lags = np.arange(length)
    inside = (lags >= first[..., np.newaxis]) & (lags < (first + size)[..., np.newaxis])
    values = inside / size[..., np.newaxis]
    values[0] *= signs[..., np.newaxis]
    return FiniteFilters(values)


def _gaussian(signs: NDArray[np.float64], length: int, random_state: np.random.RandomState) -> Filters:
    # the values have random signs by themselves
    return FiniteFilters(random_state.standard_normal((2, *signs.shape, length)) / math.sqrt(length))


# Name -> function that draws filters, given their signs of shape (n_filters, rank), the largest lag and the source of
# randomness. None: the filters are always built, and trained, in torch; `sigfeat.nn.intervals.filters` has them.
FILTERS: Mapping[str, Callable[[NDArray[np.float64], int, np.random.RandomState], Filters] | None] = MappingProxyType(
    {"exponential": _exponential, "box": _box, "random": _gaussian, "learnt": None}
)
