"""Weighted sums over all intervals as differentiable layers."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from numpy.typing import NDArray
from torch import Tensor, nn

from sigfeat.nn.development import Development
from sigfeat.nn.devices import thread_limit
from sigfeat.nn.groups import Group
from sigfeat.nn.intervals.convolution import interval_convolution
from sigfeat.nn.intervals.filters import IntervalFilter
from sigfeat.nn.pooling import pooled
from sigfeat.nn.training.settings import TrainingSettings
from sigfeat.nn.training.supervised import train_features
from sigfeat.pooling import check_poolings, trainable_poolings
from sigfeat.words import Word

STRETCH, SHORTEST = 4, 128  # length of a transform in lengths of the filters, and its least number of points


class IntervalLayer(nn.Module):
    """Base of interval layers.

    Series are divided into stretches of four times the length of the filters; the factors of each stretch are relative
    to its first point.

    Attributes
    ----------
    filters : IntervalFilter
        Filters of the intervals.
    n_outputs : int
        Number of values per filter and time.
    """

    filters: IntervalFilter
    n_outputs: int
    precision: torch.dtype
    _first_boundary: int
    _outputs: Tensor
    _of_p: Tensor
    _of_q: Tensor

    def _set_terms(self, outputs: list[int], of_p: list[int], of_q: list[int]) -> None:
        for name, places in (("_outputs", outputs), ("_of_p", of_p), ("_of_q", of_q)):
            self.register_buffer(name, torch.tensor(places), persistent=False)

    def forward(self, series: Float[Tensor, "batch length channels"]) -> Shaped[Tensor, "batch length values"]:
        """Values at each time; those of all filters for the first output come first.

        Factors are computed in float64, and convolved in the precision of the layer.

        Parameters
        ----------
        series : tensor of shape (batch, length, n_channels)
            Series, or increments of paths. Values after the end of shorter ones do not affect earlier outputs.

        Returns
        -------
        values : tensor of shape (batch, length, n_outputs * n_filters)
            In the precision of the series; complex if the group is.
        """
        x = series.double()
        taps = self.filters(x.shape[1] + 1 - self._first_boundary)
        terms = self._outputs, self._of_p, self._of_q
        found = []
        for part, skipped in self._stretches(x, taps.shape[-1]):
            beginnings, ends = (side.to(self._kind(side)) for side in self._factors(part))
            values = interval_convolution(beginnings, ends, taps.to(self.precision), terms, self.n_outputs)
            found.append(values[..., skipped:])
        joined = torch.cat(found, dim=-1).flatten(1, 2).transpose(1, 2)
        kind = series.dtype.to_complex() if joined.is_complex() else series.dtype
        return joined.to(kind)

    def _kind(self, values: Tensor) -> torch.dtype:
        return self.precision.to_complex() if values.is_complex() else self.precision

    def _stretches(self, x: Tensor, n_lags: int) -> Iterator[tuple[Tensor, int]]:
        """Stretches of the series, and how many of the values of each belong to earlier stretches."""
        n_points, lead = x.shape[1] + 1 - self._first_boundary, 1 - self._first_boundary
        per_stretch = max(STRETCH * n_lags, SHORTEST) - n_lags + 1
        for start in range(0, n_points, per_stretch):
            stop, anchor = min(start + per_stretch, n_points), max(start - n_lags + 1, 0)
            # boundary b of sums lies before point b; the boundaries of a path are its points
            yield x[:, anchor : stop - lead], start - anchor + (lead if start == 0 else 0)

    def _factors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


class IntervalSums(IntervalLayer):
    """Iterated sums along words over all intervals up to the current time, weighted by filters.

    See `IntervalISSTransformer` for the definition. Filters and series have gradients, so that layers can be stacked.

    Parameters
    ----------
    words : sequence of Word or str
        Words; in text form, channels are counted from 1.
    filters : IntervalFilter
        Filters of the intervals, see `build_filter`.
    precision : torch.dtype, default=torch.float64
        Precision of the convolutions.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import IntervalSums, build_filter
    >>> layer = IntervalSums(["[1]", "[1][2]"], build_filter("learnt", n_filters=3, rank=1, length=20, seed=0))
    >>> layer(torch.randn(8, 100, 2)).shape
    torch.Size([8, 100, 6])
    """

    _first_boundary = 0

    def __init__(
        self, words: Sequence[Word | str], filters: IntervalFilter, *, precision: torch.dtype = torch.float64
    ) -> None:
        super().__init__()
        self.precision = precision
        self.words = tuple(Word.parse(word) if isinstance(word, str) else word for word in words)
        self.filters, self.n_outputs = filters, len(self.words)
        runs = {w.letters[i:j] for w in self.words for i in range(w.length) for j in range(i, w.length + 1)}
        self._runs = sorted(runs, key=lambda run: (len(run), run))
        self._number = {run: place for place, run in enumerate(self._runs)}
        splits = [
            (w, word.letters[:k], word.letters[k:]) for w, word in enumerate(self.words) for k in range(word.length + 1)
        ]
        self._set_terms(
            [w for w, _, _ in splits], [self._number[u] for _, u, _ in splits], [self._number[v] for _, _, v in splits]
        )

    def _factors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients of the inverse, and iterated sums, at the boundaries of a stretch."""
        one, channels = x.new_ones(len(x), x.shape[1] + 1), x.unbind(dim=2)
        p, q = [one], [one]
        for run in self._runs[1:]:
            beginning, ending = (math.prod(channels[c] for c in letter) for letter in (run[0], run[-1]))
            q.append(_summed(ending * q[self._number[run[:-1]]][:, :-1]))
            p.append(-_summed(beginning * p[self._number[run[1:]]][:, 1:]))
        return torch.stack(p, dim=1), torch.stack(q, dim=1)


class IntervalDevelopment(IntervalLayer):
    """Developments in a matrix group over all intervals up to the current time, weighted by filters.

    See `IntervalDevelopmentTransformer` for the definition. Filters, algebra elements and increments have gradients.

    Parameters
    ----------
    group : Group
        Group of the developments, one of `GROUPS` with its size.
    n_channels : int
        Number of channels of the paths.
    n_developments : int
        Number of independent developments of each path.
    filters : IntervalFilter
        Filters of the intervals, see `build_filter`.
    n_threads : int, default=1
        Number of threads over paths, on the CPU.
    generator : torch.Generator or None, default=None
        Source of the first algebra elements; None for torch's global generator.
    precision : torch.dtype, default=torch.float64
        Precision of the convolutions.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import GROUPS, IntervalDevelopment, build_filter
    >>> layer = IntervalDevelopment(GROUPS["SO"](3), 2, 1, build_filter("box", n_filters=4, rank=1, length=20, seed=0))
    >>> layer(torch.randn(8, 100, 2)).shape
    torch.Size([8, 100, 36])
    """

    _first_boundary = 1

    def __init__(
        self,
        group: Group,
        n_channels: int,
        n_developments: int,
        filters: IntervalFilter,
        *,
        n_threads: int = 1,
        generator: torch.Generator | None = None,
        precision: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        self.precision = precision
        self.development = Development(
            group,
            n_channels,
            n_developments,
            whole_path=True,
            n_threads=n_threads,
            generator=generator,
            dtype=torch.float64,
        )
        self.filters, self.n_outputs = filters, n_developments * group.dim**2
        places = np.arange(n_developments * group.dim**2).reshape(n_developments, group.dim, group.dim)
        entries = [
            (places[d, a, b], places[d, a, k], places[d, k, b])
            for d in range(n_developments)
            for a, b, k in np.ndindex(group.dim, group.dim, group.dim)
        ]
        outputs, of_p, of_q = np.array(entries).T.tolist()
        self._set_terms(outputs, of_p, of_q)

    def _factors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Inverses and developments at the points of a stretch."""
        steps = torch.cat([torch.zeros_like(x[:, :1]), x[:, 1:]], dim=1)
        path = self.development(steps)
        inverse = self.development.group.inverse(path)
        return inverse.flatten(2).transpose(1, 2), path.flatten(2).transpose(1, 2)


def _summed(terms: Float[Tensor, "batch length"]) -> Float[Tensor, "batch boundaries"]:
    """Cumulative sums from the first boundary."""
    return nn.functional.pad(terms.cumsum(dim=1), (1, 0))


class PooledIntervals(nn.Module):
    """Values of an interval layer, pooled over windows of the series; real and imaginary parts of complex ones.

    Parameters
    ----------
    layer : IntervalLayer
        The values.
    poolings : sequence of str
        Names of poolings that need no threshold.
    n_fine : int
        Number of equal parts that a series is cut into: part i starts at floor(i * length / n_fine).
    windows : integer ndarray of shape (n_windows, 2)
        Runs (first, stop) of parts.
    """

    def __init__(self, layer: IntervalLayer, poolings: Sequence[str], n_fine: int, windows: NDArray[Any]) -> None:
        super().__init__()
        self.layer, self.poolings, self.n_fine, self.windows = layer, check_poolings(poolings), n_fine, windows.tolist()

    def forward(
        self, series: Float[Tensor, "batch length channels"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch features"]:
        """Pooled values of series of their own lengths."""
        values = self.layer(series)
        if values.is_complex():
            values = torch.view_as_real(values).flatten(2)
        values, found = values.transpose(1, 2), []
        for first, stop in self.windows:
            start, end = (place * lengths[:, None] // self.n_fine for place in (first, stop))
            found += [pooled(values, name, start, end) for name in self.poolings]
        return torch.cat(found, dim=1)


def train_intervals(
    layer: IntervalLayer,
    series: NDArray[Any],
    lengths: NDArray[Any],
    target: NDArray[Any],
    poolings: Sequence[str],
    windows: tuple[int, NDArray[Any]],
    *,
    max_epochs: int,
    lr: float | int,
    batch_size: int,
    device: torch.device | str,
    seed: int,
    n_threads: int,
) -> dict[str, NDArray[Any]]:
    """Train a layer in place, together with a linear head, which is discarded.

    Parameters
    ----------
    layer : IntervalLayer
        The layer; its filters, and algebra elements if it has some, are trained.
    series : ndarray of shape (n_samples, n_timepoints, n_channels)
        Series, or increments of paths.
    lengths : integer ndarray of shape (n_samples,)
        Own number of points of each series.
    target : ndarray
        Numbers of the classes, shape (n_samples,), or targets, shape (n_samples, n_targets).
    poolings : sequence of str
        Poolings of the features; those without a useful gradient are omitted.
    windows : tuple
        Result of `fine_windows`.
    max_epochs, lr, batch_size, device, seed
        See `TrainingSettings`.
    n_threads : int
        Threads of torch and BLAS.

    Returns
    -------
    history : dict of ndarray
        "train_loss" of each epoch.

    Raises
    ------
    KeyboardInterrupt
        If the training is interrupted.
    ValueError
        If the training diverges.
    """
    names = trainable_poolings(poolings) or ("mean",)
    settings = TrainingSettings(
        max_epochs=max_epochs,
        lr=lr,
        batch_size=batch_size,
        seed=seed,
        passes=True,
        device=device,
        title="interval functionals",
    )
    with thread_limit(n_threads):
        features = PooledIntervals(layer, names, *windows)
        series = np.ascontiguousarray(np.nan_to_num(series), np.float64)
        history, _ = train_features(features, series, lengths, target, settings)
    return history
