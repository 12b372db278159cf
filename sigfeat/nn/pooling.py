"""Pooling in torch: developments, low-rank iterated sums, intervals and tokens, by the table of `sigfeat.pooling`."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from sigfeat.functionals import Functionals, n_parts
from sigfeat.nn.low_rank import SIGNS, LowRankISS
from sigfeat.pooling import STATISTICS, Statistics, pooling_named

CHUNK_BYTES = 1 << 26  # of the values of series and chains processed together; all arrays take some ten times that
LARGEST_VALUE = 1e18  # of a series, as in the compiled loops


def pooled(
    values: Float[Tensor, "*shape length"],
    pooling: str,
    first: Int[Tensor, "..."],
    stop: Int[Tensor, "..."],
    *,
    start: Int[Tensor, "..."] | None = None,
    threshold: Float[Tensor, "..."] | None = None,
    end: Float[Tensor, "*shape"] | None = None,
) -> Float[Tensor, "*shape"]:
    """Pooling of the values at times first <= t < stop; 0 where there are none.

    Parameters
    ----------
    values : tensor of shape (..., length)
        Values, with time as the last axis.
    pooling : str
        A name in `sigfeat.pooling.POOLINGS`.
    first, stop : integer tensor that broadcasts to shape (...)
        Bounds of the values.
    start : integer tensor or None, default=None
        Start of the window; None for `first`.
    threshold : tensor or None, default=None
        Threshold, for the poolings that need one.
    end : tensor of shape (...) or None, default=None
        Value of "end"; None for the last value.

    Returns
    -------
    pooled : tensor of shape (...)
        One value for each series of values.

    Raises
    ------
    ValueError
        If there is no such pooling, or it needs a threshold and there is none.
    """
    chosen = pooling_named(pooling)
    if chosen.needs_threshold and threshold is None:
        raise ValueError(f"threshold must be given for pooling={pooling!r}, got None")
    t = torch.arange(values.shape[-1], device=values.device)
    inside = (t >= first[..., None]) & (t < stop[..., None])
    accumulated = dict.fromkeys(STATISTICS)
    accumulated |= {name: ACCUMULATED[name](values, inside, stop, threshold) for name in chosen.needs}
    if end is not None and "end" in chosen.needs:
        accumulated["end"] = end
    n = (stop - first).clamp(min=1).to(values.dtype)  # an empty window must not make a NaN in the gradient
    own_start = (first if start is None else start).to(values.dtype)
    value: Tensor = chosen.value(Statistics(own_start, stop.to(values.dtype), n, **accumulated))
    return value.where(stop > first, value.new_zeros(()))


def _last(values: Tensor, inside: Tensor, stop: Tensor, threshold: Tensor | None) -> Tensor:
    places = (stop - 1).clamp(min=0).expand(values.shape[:-1])
    return values.gather(-1, places[..., None])[..., 0]


def _largest(values: Tensor, inside: Tensor, stop: Tensor, threshold: Tensor | None) -> Tensor:
    return values.where(inside, values.new_full((), -torch.inf)).amax(dim=-1)


def _smallest(values: Tensor, inside: Tensor, stop: Tensor, threshold: Tensor | None) -> Tensor:
    return values.where(inside, values.new_full((), torch.inf)).amin(dim=-1)


def _position(values: Tensor, inside: Tensor, stop: Tensor, threshold: Tensor | None) -> Tensor:
    return values.where(inside, values.new_full((), -torch.inf)).argmax(dim=-1).to(values.dtype)


def _total(values: Tensor, inside: Tensor, stop: Tensor, threshold: Tensor | None) -> Tensor:
    return values.where(inside, values.new_zeros(())).sum(dim=-1)


def _excess(values: Tensor, inside: Tensor, stop: Tensor, threshold: Tensor | None) -> Tensor:
    difference = values - _threshold(threshold)
    return difference.where(inside & (difference > 0), values.new_zeros(())).sum(dim=-1)


def _places(values: Tensor, inside: Tensor, stop: Tensor, threshold: Tensor | None) -> Tensor:
    t = torch.arange(values.shape[-1], device=values.device)
    return (t * _above(values, inside, threshold)).sum(dim=-1).to(values.dtype)


def _n_above(values: Tensor, inside: Tensor, stop: Tensor, threshold: Tensor | None) -> Tensor:
    return _above(values, inside, threshold).sum(dim=-1).to(values.dtype)


def _above(values: Tensor, inside: Tensor, threshold: Tensor | None) -> Tensor:
    return inside & (values > _threshold(threshold))


def _threshold(threshold: Tensor | None) -> Tensor:
    assert threshold is not None  # only poolings with a threshold need these statistics
    return threshold[..., None]


ACCUMULATED: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]] = {
    "total": _total,
    "maximum": _largest,
    "position": _position,
    "minimum": _smallest,
    "end": _last,
    "excess": _excess,
    "places": _places,
    "n_above": _n_above,
}


# ------------------------------------------------------------------------------------------------------ tokens


def pool_tokens(
    tokens: Float[Tensor, "batch length d_model"], bounds: Int[Tensor, "batch windows 2"], pooling: str
) -> Float[Tensor, "batch windows d_model"]:
    """Pooling of the tokens at times [start, stop) of each window; an empty window uses one time."""
    start = bounds[..., 0].clamp(max=tokens.shape[1] - 1)
    stop = torch.maximum(bounds[..., 1], start + 1)
    values = tokens.transpose(1, 2)
    if bounds.shape[1] == 1:
        return pooled(values, pooling, start, stop)[:, None]
    # a window looks at its own part of the tokens only, so that the time does not grow with the number of windows
    parts = zip(start.amin(dim=0).tolist(), stop.amax(dim=0).tolist(), start.unbind(1), stop.unbind(1), strict=True)
    return torch.stack(
        [
            pooled(values[..., first:last], pooling, low[:, None] - first, high[:, None] - first)
            for first, last, low, high in parts
        ],
        dim=1,
    )


def pool_whole(
    tokens: Float[Tensor, "batch length d_model"], lengths: Int[Tensor, " batch"], pooling: str
) -> Float[Tensor, "batch d_model"]:
    """Pooling of all the tokens of each series."""
    bounds = torch.stack([torch.zeros_like(lengths), lengths], dim=-1)
    return pool_tokens(tokens, bounds[:, None], pooling)[:, 0]


# -------------------------------------------------------------------------------------------- low-rank sums


def pooled_on_device(
    series: NDArray[Any],
    lengths: NDArray[Any],
    functionals: Functionals,
    pooling: tuple[Sequence[tuple[str, int]], NDArray[Any], int, NDArray[Any]],
    *,
    shift: NDArray[Any],
    scale: NDArray[Any],
    device: torch.device | str,
    out: NDArray[Any],
) -> bool:
    """Fill `out` with the pooled values of all parts of all chains; return whether they fit into float32.

    Parameters
    ----------
    series : ndarray of shape (n_samples, n_channels, n_timepoints)
        Series.
    lengths : integer ndarray of shape (n_samples,)
        Own number of points of each series.
    functionals : Functionals
        The letters.
    pooling : tuple
        Pairs (name of the pooling, number of the threshold), thresholds (n_chains, n_parts, n_thresholds), number of
        equal parts of a series, and windows (n_windows, 2) as runs of them.
    shift, scale : ndarray of shape (n_channels,) and (2, n_channels)
        What is subtracted, and the factors of the series and their differences.
    device : torch.device or str
        Device of the computation.
    out : ndarray of shape (n_samples, n_features)
        Level by level, chain by chain, part by part; of each all poolings, of each pooling all windows.

    Returns
    -------
    fits : bool
        If False, the content of `out` is undefined.
    """
    columns, thresholds, n_fine, windows = pooling
    levels = [level for level in range(1, functionals.depth + 1) for _ in range(functionals.depth - level + 1)]
    of_levels, first = [], 0  # features of each level: (n_samples, n_chains, parts of the level, columns, windows)
    for level in range(1, functionals.depth + 1):
        shape = functionals.n_chains, levels.count(level), len(columns), len(windows)
        n_features = int(np.prod(shape))
        of_levels.append(out[:, first : first + n_features].reshape(len(out), *shape))
        first += n_features
    for chains in _chunks(functionals, series.shape[2]):
        layer = LowRankISS(_some(functionals, chains), series.shape[1]).to(device)
        limits = torch.tensor(thresholds[chains], dtype=torch.float32, device=device)
        for rows in _batches(lengths, chains.stop - chains.start, functionals.depth):
            own, longest = lengths[rows], int(lengths[rows].max())
            scaled = _scaled(series[rows, :, :longest], own, shift, scale)
            if not np.abs(scaled).max() <= LARGEST_VALUE:
                return False
            with torch.no_grad():
                counts = torch.from_numpy(own).to(device)
                values = layer.of_rows(torch.from_numpy(scaled.astype(np.float32)).to(device), counts)
                if not bool(values.isfinite().all()):
                    return False
                found = pooled_values(layer, values, counts, columns, limits, n_fine, windows.tolist()).cpu().numpy()
            for level, features in enumerate(of_levels, 1):
                features[rows, chains] = found[:, :, [part for part, its in enumerate(levels) if its == level]]
    return True


def pooled_values(
    layer: LowRankISS,
    values: Float[Tensor, "batch chains parts length"],
    lengths: Int[Tensor, " batch"],
    columns: Sequence[tuple[str, int]],
    thresholds: Float[Tensor, "chains parts thresholds"],
    n_fine: int,
    windows: Sequence[Sequence[int]],
) -> Float[Tensor, "batch chains parts columns windows"]:
    """Poolings of the values over the windows of each series; 0 where a window is empty."""
    own = lengths[:, None] - layer.differenced.to(lengths.dtype)
    depth = layer.functionals.depth
    # number of times before the last letter of each part
    room = torch.tensor([k for k in range(depth) for _ in range(depth - k)], device=values.device)
    t = torch.arange(values.shape[3], device=values.device)
    of_windows = []
    for begin, end in windows:
        start, stop = (((place * own) // n_fine)[:, :, None] for place in (begin, end))
        first, found = torch.maximum(start, room), []
        for name, q in columns:
            sums = None
            if "end" in pooling_named(name).needs:
                sums = _ends(layer, values, (t >= first[..., None]) & (t < stop[..., None]), stop)
            found.append(pooled(values, name, first, stop, start=start, threshold=thresholds[:, :, q], end=sums))
        of_windows.append(torch.stack(found, dim=3))
    return torch.stack(of_windows, dim=4)


def _ends(
    layer: LowRankISS,
    values: Float[Tensor, "batch chains parts length"],
    chosen: Tensor,
    stop: Int[Tensor, "batch chains one"],
) -> Float[Tensor, "batch chains parts"]:
    """The iterated sum over the chosen times, with decay up to the last of them."""
    t = torch.arange(values.shape[3], device=values.device)
    exponents = layer.decays[:, None, None] * (stop[..., None] - 1 - t).clamp(min=0)  # (batch, chains, 1, length)
    found = values.new_empty(values.shape[:3])
    for name, chains in layer.semirings():
        own, here, exponent = values[:, chains], chosen[:, chains], exponents[:, chains]
        if name == "real":
            found[:, chains] = (own * torch.exp(-exponent)).where(here, own.new_zeros(())).sum(dim=3)
        else:
            sign = SIGNS[name]
            found[:, chains] = sign * (sign * own - exponent).where(here, own.new_full((), -torch.inf)).amax(dim=3)
    return found


def _scaled(
    series: NDArray[Any], lengths: NDArray[Any], shift: NDArray[Any], scale: NDArray[Any]
) -> Float[np.ndarray, "batch rows length"]:
    """Scaled channels, followed by their scaled differences, float64, zero outside the series."""
    t, n_channels = np.arange(series.shape[2]), series.shape[1]
    rows = np.zeros((len(series), 2 * n_channels, series.shape[2]))
    known = t < lengths[:, np.newaxis, np.newaxis]
    with np.errstate(over="ignore", invalid="ignore"):  # detected later by the size of the values
        rows[:, :n_channels] = np.where(known, (series - shift[:, np.newaxis]) * scale[0][:, np.newaxis], 0.0)
        steps = np.diff(series, axis=2) * scale[1][:, np.newaxis]
    rows[:, n_channels:, :-1] = np.where(known[:, :, 1:], steps, 0.0)
    return rows


def _some(functionals: Functionals, chains: slice) -> Functionals:
    """Some of the chains."""
    return dataclasses.replace(
        functionals,
        **{field.name: getattr(functionals, field.name)[chains] for field in dataclasses.fields(functionals)},
    )


def _chunks(functionals: Functionals, length: int) -> Iterator[slice]:
    """Chains that are processed together."""
    together = max(1, CHUNK_BYTES // (4 * n_parts(functionals.depth) * length))
    for first in range(0, functionals.n_chains, together):
        yield slice(first, min(first + together, functionals.n_chains))


def _batches(lengths: NDArray[Any], n_chains: int, depth: int) -> Iterator[NDArray[Any]]:
    """Rows of series of similar lengths that are processed together."""
    ordered, first = np.argsort(lengths, kind="stable"), 0
    bytes_of_each = 4 * n_chains * n_parts(depth) * lengths[ordered]
    while first < len(ordered):
        n_padded = np.arange(1, len(ordered) - first + 1)
        together = max(1, int(np.count_nonzero(n_padded * bytes_of_each[first:] <= CHUNK_BYTES)))
        yield ordered[first : first + together]
        first += together
