"""Rank-one functionals: the letters of low-rank iterated sums."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_CHANNELS = 9  # of one letter, as in ROCKET


@dataclass(frozen=True, eq=False)
class Functionals:
    """Chains of letters, each a linear form of a window around a time, and how they are summed.

    Letter j of chain i is a(t) = sum over c, l of taps[i, j, c, l] x_channels[i, j, c](t + (l - n_lags // 2)
    dilations[i, j]), where x is the series or, where `differenced`, its differences, and zero outside.

    Parameters
    ----------
    taps : float32 ndarray of shape (n_chains, depth, n_used, n_lags)
        Weights; zero for channels that a letter does not use.
    channels : integer ndarray of shape (n_chains, depth, n_used)
        Channels, counted from 0.
    dilations : integer ndarray of shape (n_chains, depth)
        Steps between neighbouring points of a window.
    differenced : bool ndarray of shape (n_chains,)
        Whether letters use x(t + 1) - x(t) in place of x(t).
    decays : ndarray of shape (n_chains,)
        Decay rate of each chain per time step, in the semiring's own product.
    semirings : tuple of str
        Name of the semiring of each chain.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import LowRankISSTransformer
    >>> X = np.random.default_rng(0).standard_normal((5, 2, 40))
    >>> functionals = LowRankISSTransformer(n_functionals=8).fit(X).functionals_
    >>> functionals.n_chains, functionals.depth, functionals.taps.shape
    (8, 2, (8, 2, 2, 9))
    """

    taps: NDArray[np.float32]
    channels: NDArray[np.int64]
    dilations: NDArray[np.int64]
    differenced: NDArray[np.bool_]
    decays: NDArray[np.float64]
    semirings: tuple[str, ...]

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return int(self.taps.shape[0])

    @property
    def depth(self) -> int:
        """Number of letters of a chain."""
        return int(self.taps.shape[1])

    @property
    def reach(self) -> NDArray[np.int64]:
        """Number of steps that each letter reaches to each side, shape (n_chains, depth)."""
        reach: NDArray[np.int64] = self.taps.shape[3] // 2 * self.dilations
        return reach


def n_parts(depth: int) -> int:
    """Number of runs of neighbouring letters in a chain; each run is a functional."""
    return depth * (depth + 1) // 2


def draw_functionals(
    n_chains: int,
    depth: int,
    n_channels: int,
    n_timepoints: int,
    *,
    n_lags: int,
    dilations: tuple[int, ...] | None,
    decay: float | None,
    semirings: tuple[str, ...],
    random_state: np.random.RandomState,
) -> Functionals:
    """Draw random functionals.

    Parameters
    ----------
    n_chains, depth : int
        Number of chains, and number of letters of each.
    n_channels, n_timepoints : int
        Size of a typical series.
    n_lags : int
        Number of points of a window.
    dilations : tuple of int or None
        Dilations to draw from; None for log-uniform dilations with which a window fits into the series.
    decay : float or None
        Decay rate of all chains; None for half-lives that are log-uniform between one step and the series.
    semirings : tuple of str
        Semirings, which the chains use in turn.
    random_state : numpy.random.RandomState
        Source of the draws.

    Returns
    -------
    functionals : Functionals
        Taps are Gaussian and of norm one over each letter. Of eight chains two use differences and one depends on the
        level of the series; the taps of all except the latter have mean zero over each window. A letter depends on a
        random subset of the channels, of log-uniform size.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.functionals import draw_functionals
    >>> how = {"n_lags": 9, "dilations": (1, 2), "decay": None, "semirings": ("real",)}
    >>> drawn = draw_functionals(100, 2, 3, 50, **how, random_state=np.random.RandomState(0))
    >>> np.square(drawn.taps).sum(axis=(2, 3)).round(3).min(), drawn.differenced.mean()
    (np.float32(1.0), np.float64(0.25))
    """
    n_used = min(n_channels, MAX_CHANNELS)
    shape = n_chains, depth
    taps = random_state.standard_normal((*shape, n_used, n_lags))
    turn = np.arange(n_chains) // len(semirings)
    sees_level = (turn % 8 == 0) | (n_lags == 1)
    taps -= np.where(sees_level[:, np.newaxis, np.newaxis, np.newaxis], 0.0, taps.mean(axis=-1, keepdims=True))
    n_looked_at = np.floor(2 ** random_state.uniform(0, np.log2(n_used + 1), shape)).astype(np.int64)
    taps *= np.arange(n_used)[:, np.newaxis] < n_looked_at[..., np.newaxis, np.newaxis]
    taps /= np.sqrt(np.square(taps).sum(axis=(-2, -1), keepdims=True))
    order = random_state.random_sample((*shape, n_channels)).argsort(axis=-1)
    widest = max((n_timepoints - 1) / max(n_lags - 1, 1), 1.0)
    if dilations is None:
        chosen = np.floor(2 ** random_state.uniform(0, np.log2(widest), shape)).astype(np.int64)
    else:
        chosen = np.asarray(dilations, np.int64)[random_state.randint(len(dilations), size=shape)]
    rates = np.log(2) / 2 ** random_state.uniform(0, np.log2(max(n_timepoints, 2)), n_chains)
    return Functionals(
        taps=taps.astype(np.float32),
        channels=order[..., :n_used],
        dilations=chosen,
        differenced=turn % 4 == 1,
        decays=rates if decay is None else np.full(n_chains, float(decay)),
        semirings=tuple(semirings[i % len(semirings)] for i in range(n_chains)),
    )
