"""Pairs of filters over lags as trainable modules."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sigfeat.filters import FILTERS, ExponentialFilters, Filters, FiniteFilters, draw_filters
from sigfeat.nn.mixers.hyena import ImplicitFilter

WIDTH, N_BANDS = 32, 8  # of the network of `LearntFilter`


class IntervalFilter(nn.Module):
    """Filters h(a, b) = sum over i of f_i(a) g_i(b); subclasses define f_i and g_i.

    Attributes
    ----------
    n_filters, rank : int
        Number of filters, and of products in each.
    length : int
        Number of lags after which the filters are negligible.
    device : torch.device
        Device of the parameters.

    Examples
    --------
    A filter that gives the same weight to all intervals with both ends within the last two steps.

    >>> import torch
    >>> from sigfeat.nn import IntervalFilter
    >>> class LastTwo(IntervalFilter):
    ...     n_filters, rank, length, device = 1, 1, 2, torch.device("cpu")
    ...
    ...     def forward(self, length):
    ...         return torch.ones(2, 1, 1, min(length, 2), dtype=torch.float64)
    >>> LastTwo().frozen().length
    2
    """

    n_filters: int
    rank: int

    @property
    def length(self) -> int:
        """Number of lags after which the filters are negligible."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return next(self.parameters()).device

    def forward(self, length: int) -> Float[Tensor, "two filters rank lags"]:
        """Values f_i and g_i at lags 0, ..., min(length, own length) - 1."""
        raise NotImplementedError

    def frozen(self) -> Filters:
        """The filters as arrays, for the compiled kernels."""
        return FiniteFilters(self(self.length).detach().cpu().double().contiguous().numpy())


class ExponentialFilter(IntervalFilter):
    """Exponentials with trainable rates and weights.

    Parameters
    ----------
    filters : ExponentialFilters
        First values.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.filters import ExponentialFilters
    >>> from sigfeat.nn import ExponentialFilter
    >>> halves = ExponentialFilters(rates=np.log(2) * np.ones((2, 1, 1)), weights=np.array([[3.0]]))
    >>> ahead, behind = ExponentialFilter(halves)(3)
    >>> [round(value, 4) for value in ahead[0, 0].tolist()]
    [3.0, 1.5, 0.75]
    >>> [round(value, 4) for value in behind[0, 0].tolist()]
    [1.0, 0.5, 0.25]
    """

    def __init__(self, filters: ExponentialFilters) -> None:
        super().__init__()
        self.n_filters, self.rank = filters.n_filters, filters.rank
        self.log_rates = nn.Parameter(torch.from_numpy(filters.rates).log())
        self.weights = nn.Parameter(torch.from_numpy(filters.weights).clone())

    @property
    def length(self) -> int:
        """Number of lags after which the filters are negligible."""
        return self.frozen().length

    def forward(self, length: int) -> Float[Tensor, "two filters rank lags"]:
        """Values f_i, with the weights, and g_i at lags 0, ..., min(length, own length) - 1."""
        lags = torch.arange(min(length, self.length), dtype=torch.float64, device=self.device)
        ahead, behind = torch.exp(-self.log_rates.exp()[..., None] * lags)
        return torch.stack([self.weights[..., None] * ahead, behind])

    def frozen(self) -> ExponentialFilters:
        """The filters as arrays, for the compiled kernels."""
        rates, weights = (tensor.detach().cpu().numpy() for tensor in (self.log_rates.exp(), self.weights))
        return ExponentialFilters(rates, weights.copy())


class TapFilter(IntervalFilter):
    """Filters of which every value is a parameter.

    Parameters
    ----------
    filters : FiniteFilters
        First values.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.filters import FiniteFilters
    >>> from sigfeat.nn import TapFilter
    >>> taps = TapFilter(FiniteFilters(np.ones((2, 1, 1, 3))))
    >>> taps(2).shape, taps(5).shape
    (torch.Size([2, 1, 1, 2]), torch.Size([2, 1, 1, 3]))
    """

    def __init__(self, filters: FiniteFilters) -> None:
        super().__init__()
        self.n_filters, self.rank = filters.n_filters, filters.rank
        self.values = nn.Parameter(torch.from_numpy(filters.values).clone())

    @property
    def length(self) -> int:
        """Number of lags after which all values are zero."""
        return self.values.shape[3]

    def forward(self, length: int) -> Float[Tensor, "two filters rank lags"]:
        """Values f_i and g_i at lags 0, ..., min(length, own length) - 1."""
        return self.values[..., :length]


class LearntFilter(IntervalFilter):
    """Filters that are a neural network of the lag, times an exponential with a learnt decay rate.

    Parameters
    ----------
    n_filters, rank : int
        Number of filters, and of products in each.
    length : int
        Number of lags after which all values are zero.
    generator : torch.Generator
        Source of the first weights.

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy", 2023, arXiv:2302.10866, section 3.3.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import LearntFilter
    >>> learnt = LearntFilter(n_filters=2, rank=1, length=10, generator=torch.Generator().manual_seed(0))
    >>> learnt(100).shape
    torch.Size([2, 2, 1, 10])
    """

    def __init__(self, n_filters: int, rank: int, length: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.n_filters, self.rank, self._length = n_filters, rank, length
        self.network = ImplicitFilter(
            2 * n_filters * rank, WIDTH, N_BANDS, float(length), generator=generator, dtype=torch.float64, floor=0.0
        )
        with (
            torch.no_grad()
        ):  # the squares of the values sum up to about one for any length, as those of "random" filters
            self.network.layers[-1].weight *= 10 / length**0.5

    @property
    def length(self) -> int:
        """Number of lags after which all values are zero."""
        return self._length

    def forward(self, length: int) -> Float[Tensor, "two filters rank lags"]:
        """Values f_i and g_i at lags 0, ..., min(length, own length) - 1."""
        lags = torch.arange(min(length, self.length), dtype=torch.float64, device=self.device)
        return cast(Tensor, self.network(lags)).reshape(2, self.n_filters, self.rank, -1)


# Kinds of `sigfeat.filters.FILTERS` that are not drawn by NumPy, and modules whose training starts at drawn filters.
LEARNT: Mapping[str, Callable[..., IntervalFilter]] = MappingProxyType({"learnt": LearntFilter})
TRAINABLE: Mapping[type, Callable[..., IntervalFilter]] = MappingProxyType(
    {ExponentialFilters: ExponentialFilter, FiniteFilters: TapFilter}
)


def build_filter(kind: str, n_filters: int, rank: int, length: int, seed: int) -> IntervalFilter:
    """Trainable filters with random first values.

    Parameters
    ----------
    kind : {"exponential", "box", "random", "learnt"}
        See `IntervalISSTransformer`. "box" and "random" are only the start: in training every value is a parameter.
    n_filters, rank : int
        Number of filters, and of products in each.
    length : int
        Longest half-life of exponentials, or number of lags.
    seed : int
        Seed of the draws.

    Returns
    -------
    filters : IntervalFilter

    Raises
    ------
    ValueError
        If there is no such kind of filter.

    Examples
    --------
    >>> from sigfeat.nn import build_filter
    >>> boxes = build_filter("box", n_filters=3, rank=1, length=20, seed=0)
    >>> type(boxes).__name__, boxes.n_filters, boxes.length
    ('TapFilter', 3, 20)
    """
    if kind not in FILTERS:
        raise ValueError(f"kind must be one of {', '.join(FILTERS)}, got {kind!r}")
    if kind in LEARNT:
        return LEARNT[kind](n_filters, rank, length, generator=torch.Generator().manual_seed(seed))
    drawn = draw_filters(kind, n_filters, rank, length, np.random.RandomState(seed))
    return TRAINABLE[type(drawn)](drawn)
