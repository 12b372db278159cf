"""Sums over all intervals as differentiable layers, and networks of them."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from torch import Tensor, nn

from sigfeat.nn.development import Development
from sigfeat.nn.devices import thread_limit
from sigfeat.nn.groups import Group
from sigfeat.nn.intervals.filters import IntervalFilter
from sigfeat.nn.training.settings import TrainingSettings
from sigfeat.nn.training.supervised import train_features
from sigfeat.words import Word

STRETCH, SHORTEST = 4, 128  # a transform is as long as so many filters, and has at least so many points
TRAINABLE_POOLINGS = ("end", "mean", "max", "min")  # the others have no useful gradient


def interval_convolution(
    beginnings: Shaped[Tensor, "batch factors length"],
    ends: Shaped[Tensor, "batch factors length"],
    taps: Float[Tensor, "two filters rank lags"],
    terms: tuple[Int[Tensor, " terms"], Int[Tensor, " terms"], Int[Tensor, " terms"]],
    n_outputs: int,
) -> Shaped[Tensor, "batch outputs filters length"]:
    """Weighted sums over all pairs of times up to now of a function of low rank.

    O(t) = sum over s, s' <= t of h(t - s, t - s') k(s, s') = sum over i and terms of (f_i * p)(t) (g_i * q)(t), with
    h(a, b) = sum over i of f_i(a) g_i(b) and k(s, s') = sum over terms of p(s) q(s').

    Parameters
    ----------
    beginnings, ends : tensor of shape (batch, n_factors, length)
        Factors p of the beginning, and q of the end, of an interval; real or complex.
    taps : tensor of shape (2, n_filters, rank, n_lags)
        Values f_i and g_i at lags 0, 1, ...; of the precision of the factors.
    terms : tuple of three integer tensors of shape (n_terms,)
        Output that a term adds to, its factor of the beginning and its factor of the end.
    n_outputs : int
        Number of functions k.

    Returns
    -------
    values : tensor of shape (batch, n_outputs, n_filters, length)

    Notes
    -----
    Time O(batch n_factors n_filters rank length log(length)), by real FFTs that do not wrap round.

    Examples
    --------
    Factors and filters of ones count the pairs (s, s') of times up to now.

    >>> import torch
    >>> from sigfeat.nn import interval_convolution
    >>> ones, taps, first = torch.ones(1, 1, 4), torch.ones(2, 1, 1, 4), torch.tensor([0])
    >>> interval_convolution(ones, ones, taps, (first, first, first), n_outputs=1).round()
    tensor([[[[ 1.,  4.,  9., 16.]]]])
    """
    outputs, of_p, of_q = terms
    length = beginnings.shape[-1]
    n_fft = int(next_fast_len(length + min(taps.shape[-1], length) - 1, real=True))
    spectra = torch.fft.rfft(taps[..., :length].flatten(1, 2), n_fft)
    left, right = (
        _filtered(factors, spectrum, n_fft) for factors, spectrum in zip((beginnings, ends), spectra, strict=True)
    )
    products = left.index_select(2, of_p) * right.index_select(2, of_q)
    products = products.reshape(len(products), *taps.shape[1:3], *products.shape[2:]).sum(dim=2)
    values = products.new_zeros(*products.shape[:2], n_outputs, length)
    added: Tensor = values.index_add(2, outputs, products)  # (batch, filters, outputs, length)
    return added.transpose(1, 2)


def _filtered(factors: Tensor, spectrum: Tensor, n_fft: int) -> Tensor:
    """Factors under each filter, (batch, filters, factors, length)."""
    if factors.is_complex():
        return torch.complex(_filtered(factors.real, spectrum, n_fft), _filtered(factors.imag, spectrum, n_fft))
    filtered: Tensor = _Filtering.apply(factors, spectrum, n_fft)  # type: ignore[no-untyped-call]  # torch has no types
    return filtered


class _Filtering(torch.autograd.Function):
    """All factors under all filters, with a gradient by real transforms, see `sigfeat.nn.mixers.convolution`."""

    @staticmethod
    def forward(ctx: Any, factors: Tensor, spectrum: Tensor, n_fft: int) -> Tensor:
        of_factors = torch.fft.rfft(factors.contiguous(), n_fft)
        ctx.save_for_backward(of_factors, spectrum)
        ctx.n_fft = n_fft
        filtered: Tensor = torch.fft.irfft(of_factors[:, None] * spectrum[:, None], n_fft)[..., : factors.shape[-1]]
        return filtered

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        of_factors, spectrum = ctx.saved_tensors
        of_gradient = torch.fft.rfft(gradient.contiguous(), ctx.n_fft)
        for_factors, for_spectrum = None, None
        if ctx.needs_input_grad[0]:
            adjoint = sum(of_gradient[:, k] * spectrum[k].conj() for k in range(len(spectrum)))
            for_factors = torch.fft.irfft(adjoint, ctx.n_fft)[..., : gradient.shape[-1]]
        if ctx.needs_input_grad[1]:
            # frequencies between the first and, of an even length, the last stand for two of the whole transform
            parts = [(of_factors.conj() * of_gradient[:, k]).sum(dim=(0, 1)) for k in range(len(spectrum))]
            for_spectrum = torch.stack(parts) / ctx.n_fft
            for_spectrum[..., 1 : (ctx.n_fft + 1) // 2] *= 2
        return for_factors, for_spectrum, None


class IntervalLayer(nn.Module):
    """What interval layers share: stretches of four filters' length, with factors anchored at the first point of each.

    Attributes
    ----------
    filters : IntervalFilter
        The filters.
    n_outputs : int
        Values for each filter at each time.
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
        """Values at each time, all filters of the first output first.

        Factors are computed in float64, and convolved in the layer's precision.

        Parameters
        ----------
        series : tensor of shape (batch, length, n_channels)
            Series, or steps of paths; what lies behind the end of shorter ones does not matter in front of it.

        Returns
        -------
        values : tensor of shape (batch, length, n_outputs * n_filters)
            In the precision of the series, complex where the group is.
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
        """Parts of the series, and how many of the values there belong to earlier parts."""
        n_points, lead = x.shape[1] + 1 - self._first_boundary, 1 - self._first_boundary
        per_stretch = max(STRETCH * n_lags, SHORTEST) - n_lags + 1
        for start in range(0, n_points, per_stretch):
            stop, anchor = min(start + per_stretch, n_points), max(start - n_lags + 1, 0)
            # boundary b of sums lies in front of point b; a path's boundaries are its points
            yield x[:, anchor : stop - lead], start - anchor + (lead if start == 0 else 0)

    def _factors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


class IntervalSums(IntervalLayer):
    """Iterated sums along words over all intervals up to now, weighted by filters.

    See `IntervalISSTransformer` for the definition. The gradient reaches filters and series: layers stack.

    Parameters
    ----------
    words : sequence of Word or str
        Words, texts with channels counted from 1.
    filters : IntervalFilter
        See `build_filter`.
    precision : torch.dtype, default=torch.float64
        Of the convolutions.

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
        """Coefficients of the inverse, and sums, at the boundaries of a stretch."""
        one, channels = x.new_ones(len(x), x.shape[1] + 1), x.unbind(dim=2)
        p, q = [one], [one]
        for run in self._runs[1:]:
            beginning, ending = (math.prod(channels[c] for c in letter) for letter in (run[0], run[-1]))
            q.append(_summed(ending * q[self._number[run[:-1]]][:, :-1]))
            p.append(-_summed(beginning * p[self._number[run[1:]]][:, 1:]))
        return torch.stack(p, dim=1), torch.stack(q, dim=1)


class IntervalDevelopment(IntervalLayer):
    """Developments in a matrix group over all intervals up to now, weighted by filters.

    See `IntervalDevelopmentTransformer` for the definition. The gradient reaches filters, algebra elements and steps.

    Parameters
    ----------
    group : Group
        Where paths are developed: one of `GROUPS`, with its size.
    n_channels : int
        Channels of the paths.
    n_developments : int
        Independent developments of each path.
    filters : IntervalFilter
        See `build_filter`.
    n_threads : int, default=1
        Threads over paths, on the CPU.
    generator : torch.Generator or None, default=None
        Source of the first algebra elements; None for torch's own.
    precision : torch.dtype, default=torch.float64
        Of the convolutions.

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
    """Sums from the first boundary to each."""
    return nn.functional.pad(terms.cumsum(dim=1), (1, 0))


class PooledIntervals(nn.Module):
    """Values of an interval layer, pooled over windows of the series; real and imaginary parts of complex ones.

    Parameters
    ----------
    layer : IntervalLayer
        The values.
    poolings : sequence of {"end", "mean", "max", "min"}
        Statistics of the values over a window.
    n_fine : int
        Number of equal parts that a series is cut into: part i starts at floor(i * length / n_fine).
    windows : integer ndarray of shape (n_windows, 2)
        Runs (first, stop) of parts.
    """

    def __init__(self, layer: IntervalLayer, poolings: Sequence[str], n_fine: int, windows: NDArray[Any]) -> None:
        super().__init__()
        self.layer, self.poolings, self.n_fine, self.windows = layer, tuple(poolings), n_fine, windows.tolist()

    def forward(
        self, series: Float[Tensor, "batch length channels"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch features"]:
        """Pooled values of series of their own lengths."""
        values = self.layer(series)
        if values.is_complex():
            values = torch.view_as_real(values).flatten(2)
        found = []
        for first, stop in self.windows:
            bounds = first * lengths // self.n_fine, stop * lengths // self.n_fine
            found += [pooled(values, *bounds, name) for name in self.poolings]
        return torch.cat(found, dim=1)


def pooled(
    values: Float[Tensor, "batch length values"],
    first: Int[Tensor, " batch"],
    stop: Int[Tensor, " batch"],
    pooling: str,
) -> Float[Tensor, "batch values"]:
    """Statistic "end", "mean", "max" or "min" of values at times first <= t < stop; 0 where there are none."""
    t = torch.arange(values.shape[1], device=values.device)
    inside = ((t >= first[:, None]) & (t < stop[:, None]))[..., None]
    if pooling == "mean":
        return torch.where(inside, values, 0.0).sum(dim=1) / (stop - first).clamp(min=1)[:, None]
    some = (stop > first)[:, None]
    if pooling == "end":
        last = (stop - 1).clamp(min=0)[:, None, None].expand(-1, 1, values.shape[2])
        return torch.where(some, values.gather(1, last)[:, 0], 0.0)
    sign = 1.0 if pooling == "max" else -1.0
    largest = torch.where(inside, sign * values, -torch.inf).amax(dim=1)
    return torch.where(some, sign * largest, 0.0)


def train_intervals(
    layer: IntervalLayer,
    series: NDArray[Any],
    lengths: NDArray[Any],
    target: NDArray[Any],
    poolings: Sequence[str],
    windows: tuple[int, NDArray[Any]],
    *,
    max_epochs: int,
    lr: float,
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
    names = [name for name in poolings if name in TRAINABLE_POOLINGS] or ["mean"]
    settings = TrainingSettings(
        max_epochs=max_epochs, lr=lr, batch_size=batch_size, seed=seed, passes=True, device=device
    )
    with thread_limit(n_threads):
        features = PooledIntervals(layer, names, *windows)
        series = np.ascontiguousarray(np.nan_to_num(series), np.float64)
        history, _ = train_features(features, series, lengths, target, settings)
    return history
