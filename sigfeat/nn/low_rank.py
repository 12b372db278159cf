"""Low-rank iterated sums as a differentiable layer, and the training of their letters."""

import dataclasses
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from sigfeat import _devices
from sigfeat._rounding import within_rounding
from sigfeat.functionals import Functionals, n_parts
from sigfeat.nn.devices import thread_limit
from sigfeat.nn.training.settings import TrainingSettings
from sigfeat.nn.training.supervised import train_features

SHARPNESS = 4.0  # of the soft threshold in training, in units of one over the standard deviation of the values
THRESHOLD_SERIES = 64
SIGNS = {"max_plus": 1.0, "min_plus": -1.0}  # the sum in the semiring is sign max(sign x); "real" has sums of its own


class LowRankISS(nn.Module):
    """Differentiable layer of low-rank iterated sums: the term that each time adds to each sum.

    The values are those of `sigfeat.reference.low_rank` for each run of neighbouring letters of each chain.

    Parameters
    ----------
    functionals : Functionals
        Letters and how they are summed. The taps become a parameter.
    n_channels : int
        Number of channels of the series.
    scale : array-like of shape (2, n_channels) or None, default=None
        Factors of the series and of their differences; None for ones.
    dtype : torch.dtype, default=torch.float32
        Precision of the parameters.

    Attributes
    ----------
    taps : Parameter of shape (n_chains, depth, n_used, n_lags)
        Weights of the letters, see `Functionals`.

    Raises
    ------
    ValueError
        If the layer does not have the sums of a semiring.

    Notes
    -----
    Sums over time are scans by doubling: O(n_timepoints log n_timepoints) in each semiring, without cancellation.

    References
    ----------
    .. [1] Toth, Bonnier, Oberhauser, "Seq2Tens: an efficient representation of sequences by low-rank tensor
       projections", 2020, arXiv:2006.07027, section 3.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from sigfeat.functionals import draw_functionals
    >>> from sigfeat.nn.low_rank import LowRankISS
    >>> how = {"n_lags": 3, "dilations": None, "decay": None, "semirings": ("real",)}
    >>> functionals = draw_functionals(4, 2, 1, 20, random_state=np.random.RandomState(0), **how)
    >>> LowRankISS(functionals, 1)(torch.zeros(5, 20, 1), torch.full((5,), 20)).shape
    torch.Size([5, 4, 3, 20])
    """

    scale: Tensor
    decays: Tensor
    differenced: Tensor

    def __init__(
        self,
        functionals: Functionals,
        n_channels: int,
        scale: ArrayLike | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.functionals, self.n_channels = functionals, n_channels
        self.taps = nn.Parameter(torch.tensor(functionals.taps, dtype=dtype))
        factors = np.ones((2, n_channels)) if scale is None else np.asarray(scale)
        self.register_buffer("scale", torch.tensor(factors, dtype=dtype), persistent=False)
        self.register_buffer("decays", torch.tensor(functionals.decays, dtype=dtype), persistent=False)
        self.register_buffer("differenced", torch.tensor(functionals.differenced), persistent=False)
        rows = functionals.channels + n_channels * functionals.differenced[:, np.newaxis, np.newaxis]
        self.register_buffer("rows", torch.tensor(rows.reshape(-1, rows.shape[2])), persistent=False)
        dilations = functionals.dilations.ravel()
        self._groups = [(int(d), torch.tensor(np.flatnonzero(dilations == d))) for d in np.unique(dilations)]
        names = np.array(functionals.semirings)
        for name in functionals.semirings:
            if name != "real" and name not in SIGNS:
                raise ValueError(f"semiring must be one of real, {', '.join(SIGNS)} for sums by torch, got {name!r}")
        self._semirings = [(str(name), torch.tensor(np.flatnonzero(names == name))) for name in np.unique(names)]

    @property
    def weight(self) -> Tensor:
        """The trainable weights: the taps."""
        return self.taps

    def semirings(self) -> list[tuple[str, Int[Tensor, " chains"]]]:
        """Names of the semirings, each with the chains that it sums."""
        return self._semirings

    def forward(
        self, series: Float[Tensor, "batch length channels"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch chains parts length"]:
        """Values of all parts of all chains.

        Parameters
        ----------
        series : tensor of shape (batch, length, channels)
            Series from which the mean of each channel has been subtracted; values beyond the length of a series are
            ignored.
        lengths : integer tensor of shape (batch,)
            Own number of points of each series.

        Returns
        -------
        values : tensor of shape (batch, n_chains, n_parts, length)
            Level by level, first letter by first letter. Zero where `inside` is False.
        """
        return self.of_rows(self._rows(series, lengths), lengths)

    def of_rows(
        self, rows: Float[Tensor, "batch rows length"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch chains parts length"]:
        """Values of all parts of all chains, given the scaled channels and then their differences, zero outside."""
        depth = self.functionals.depth
        letters = self._letters(rows).reshape(len(rows), -1, depth, rows.shape[2])
        parts = {(1, i): letters[:, :, i] for i in range(depth)}
        for level in range(2, depth + 1):
            for i in range(depth - level + 1):
                parts[level, i] = self._follow(parts[level - 1, i], letters[:, :, i + level - 1])
        values = torch.stack([parts[level, i] for level in range(1, depth + 1) for i in range(depth - level + 1)], 2)
        return values.where(self.inside(lengths, rows.shape[2]), values.new_zeros(()))

    def inside(self, lengths: Int[Tensor, " batch"], length: int) -> Bool[Tensor, "batch chains parts length"]:
        """Whether a part has a value at a time: within the series, and with enough points for all its letters."""
        depth, t = self.functionals.depth, torch.arange(length, device=lengths.device)
        own = lengths[:, None] - self.differenced.to(lengths.dtype)
        level = torch.tensor([k for k in range(1, depth + 1) for _ in range(depth - k + 1)], device=lengths.device)
        return (t < own[:, :, None, None]) & (t >= level[:, None] - 1)

    def _rows(
        self, series: Float[Tensor, "batch length channels"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch rows length"]:
        t = torch.arange(series.shape[1], device=series.device)
        x = series.transpose(1, 2)
        zero = torch.zeros((), dtype=x.dtype, device=x.device)
        own = x.where(t < lengths[:, None, None], zero) * self.scale[0, :, None]
        steps = nn.functional.pad(x[:, :, 1:] - x[:, :, :-1], (0, 1))
        steps = steps.where(t < lengths[:, None, None] - 1, zero) * self.scale[1, :, None]
        return torch.cat([own, steps], dim=1)

    def _letters(self, rows: Float[Tensor, "batch rows length"]) -> Float[Tensor, "batch letters length"]:
        taps = self.taps.flatten(0, 1)
        n_lags = taps.shape[2]
        found, order = [], []
        for dilation, letters in self._groups:
            places = self.rows[letters].unsqueeze(2).expand(-1, -1, n_lags)  # type: ignore[index]
            weight = taps.new_zeros(len(letters), rows.shape[1], n_lags).scatter_add(1, places, taps[letters])
            before = n_lags // 2 * dilation
            padded = nn.functional.pad(rows, (before, (n_lags - 1) * dilation - before))
            # cuDNN rounds the inputs of float32 convolutions to ten bits; by default matrix products do not
            convolved = nn.functional.conv1d if _devices.uses_loops(padded.device) else convolved_by_products
            found.append(convolved(padded, weight, dilation=dilation))
            order.append(letters)
        return torch.cat(found, dim=1)[:, torch.cat(order).argsort()]

    def _follow(
        self, previous: Float[Tensor, "batch chains length"], letter: Float[Tensor, "batch chains length"]
    ) -> Float[Tensor, "batch chains length"]:
        """Values with one more letter: letter(t) (x) decay factor (x) S(t - 1), S the decayed sum of earlier values."""
        found, order = [], []
        for name, chains in self._semirings:
            rate, earlier, own = self.decays[chains, None], previous[:, chains], letter[:, chains]
            if name == "real":
                sums = _scan_real(earlier, rate)
                value = own * torch.exp(-rate) * nn.functional.pad(sums[:, :, :-1], (1, 0))
            else:
                sign = SIGNS[name]
                sums = _scan_max(sign * earlier, rate)
                value = own + sign * (nn.functional.pad(sums[:, :, :-1], (1, 0), value=-torch.inf) - rate)
            found.append(value)
            order.append(chains)
        return torch.cat(found, dim=1)[:, torch.cat(order).argsort()]


class PooledLowRank(nn.Module):
    """Fraction of time that the values of `LowRankISS` are above thresholds, over windows of the series.

    In training the threshold is soft, so that there is a gradient.

    Parameters
    ----------
    layer : LowRankISS
        Layer whose values are pooled.
    thresholds : array-like of shape (n_chains, n_parts, n_thresholds)
        Thresholds.
    deviations : array-like of shape (n_chains, n_parts)
        Standard deviations of the values, which the softness is relative to.
    n_fine : int, default=1
        Number of equal parts that a series is cut into: part i starts at floor(i * length / n_fine).
    windows : integer array of shape (n_windows, 2), default=((0, 1),)
        Runs (first, stop) of parts.
    """

    thresholds: Tensor
    deviations: Tensor

    def __init__(
        self,
        layer: LowRankISS,
        thresholds: ArrayLike,
        deviations: ArrayLike,
        n_fine: int = 1,
        windows: ArrayLike = ((0, 1),),
    ) -> None:
        super().__init__()
        self.layer, self.n_fine = layer, n_fine
        for name, values in (("thresholds", thresholds), ("deviations", deviations)):
            self.register_buffer(name, torch.as_tensor(np.asarray(values), dtype=layer.taps.dtype), persistent=False)
        self.windows = np.asarray(windows).tolist()

    def forward(
        self, series: Float[Tensor, "batch length channels"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch chains parts thresholds windows"]:
        """Fractions of time above each threshold; see `LowRankISS.forward` for the arguments."""
        values = self.layer(series, lengths)
        inside = self.layer.inside(lengths, series.shape[1])
        own = lengths[:, None] - self.layer.differenced.to(lengths.dtype)
        t = torch.arange(series.shape[1], device=series.device)
        excess = values.unsqueeze(3) - self.thresholds.unsqueeze(3)
        if self.training:
            above = torch.sigmoid(excess * (SHARPNESS / self.deviations[:, :, None, None]))
        else:
            above = (excess > 0).to(values.dtype)
        found = []
        for first, stop in self.windows:
            begin, end = (place * own // self.n_fine for place in (first, stop))
            chosen = inside & (t >= begin[:, :, None, None]) & (t < end[:, :, None, None])
            counts = chosen.sum(dim=-1).clamp(min=1).to(values.dtype)
            found.append(torch.einsum("bcpqt,bcpt->bcpq", above, chosen.to(values.dtype)) / counts.unsqueeze(-1))
        return torch.stack(found, dim=-1)


def train_functionals(
    functionals: Functionals,
    X: NDArray[Any],
    lengths: NDArray[Any],
    target: NDArray[Any],
    shift: NDArray[Any],
    scale: NDArray[Any],
    *,
    max_epochs: int,
    lr: float,
    batch_size: int,
    device: torch.device | str,
    seed: int,
    n_threads: int,
) -> tuple[Functionals, dict[str, NDArray[Any]]]:
    """Train the taps of functionals together with a linear head, which is discarded.

    Parameters
    ----------
    functionals : Functionals
        Initial functionals, which are not changed.
    X : ndarray of shape (n_samples, n_channels, n_timepoints)
        Series.
    lengths : integer ndarray of shape (n_samples,)
        Own number of points of each series.
    target : ndarray
        Numbers of the classes, shape (n_samples,), or targets, shape (n_samples, n_targets).
    shift, scale : ndarray of shape (n_channels,) and (2, n_channels)
        What is subtracted, and the factors of the series and their differences.
    max_epochs, lr, batch_size, device, seed
        See `TrainingSettings`.
    n_threads : int
        Number of threads of torch and BLAS.

    Returns
    -------
    functionals : Functionals
        The functionals with trained taps.
    history : dict of ndarray
        "train_loss" of each epoch.

    Raises
    ------
    KeyboardInterrupt
        If the training is interrupted.
    ValueError
        If the training diverges.
    """
    series = np.nan_to_num((X - shift[:, np.newaxis]).transpose(0, 2, 1)).astype(np.float32)
    layer = LowRankISS(functionals, X.shape[1], scale)
    settings = TrainingSettings(
        max_epochs=max_epochs,
        lr=lr,
        batch_size=batch_size,
        seed=seed,
        passes=True,
        device=device,
        title="low-rank functionals",
    )
    with thread_limit(n_threads):
        features = PooledLowRank(layer, *_thresholds(layer, series, lengths, seed))
        history, _ = train_features(features, np.ascontiguousarray(series), lengths, target, settings)
    return dataclasses.replace(functionals, taps=layer.taps.detach().cpu().numpy()), history


def _thresholds(
    layer: LowRankISS, series: NDArray[Any], lengths: NDArray[Any], seed: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """One random quantile of the values of each part on some of the series, and their deviation, 1 for constants."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(series))[:THRESHOLD_SERIES]
    own = torch.from_numpy(lengths[chosen])
    with torch.no_grad():
        values = layer(torch.from_numpy(series[chosen]), own).transpose(0, 2).flatten(2).numpy()
        inside = layer.inside(own, series.shape[1]).transpose(0, 2).flatten(2).numpy()
    shape = layer.functionals.n_chains, n_parts(layer.functionals.depth)
    thresholds, deviations = np.zeros((*shape, 1)), np.ones(shape)
    for part, chain in np.ndindex(shape[1], shape[0]):
        known = values[part, chain][inside[part, chain]]
        if known.size:
            thresholds[chain, part] = np.quantile(known, rng.random())
            deviation = known.std()
            constant = within_rounding(deviation, np.abs(known).max(), known.dtype)
            deviations[chain, part] = 1.0 if constant else deviation
    return thresholds, deviations


def convolved_by_products(
    rows: Float[Tensor, "batch rows padded"], weight: Float[Tensor, "letters rows lags"], *, dilation: int
) -> Float[Tensor, "batch letters length"]:
    """Same result as `torch.nn.functional.conv1d`, as one product of matrices."""
    n_lags = weight.shape[2]
    length = rows.shape[2] - (n_lags - 1) * dilation
    lagged = torch.stack([rows[:, :, lag * dilation :][:, :, :length] for lag in range(n_lags)], dim=2)
    return weight.flatten(1) @ lagged.flatten(1, 2)


def _scan_real(
    values: Float[Tensor, "batch chains length"], rate: Float[Tensor, "chains one"]
) -> Float[Tensor, "batch chains length"]:
    """S(t) = exp(-rate) S(t - 1) + values(t), by doubling."""
    shift = 1
    while shift < values.shape[2]:
        values = values + torch.exp(-rate * shift) * nn.functional.pad(values[:, :, :-shift], (shift, 0))
        shift *= 2
    return values


def _scan_max(
    values: Float[Tensor, "batch chains length"], rate: Float[Tensor, "chains one"]
) -> Float[Tensor, "batch chains length"]:
    """S(t) = max(S(t - 1) - rate, values(t)), by doubling."""
    shift = 1
    while shift < values.shape[2]:
        earlier = nn.functional.pad(values[:, :, :-shift], (shift, 0), value=-torch.inf)
        values = torch.maximum(values, earlier - rate * shift)
        shift *= 2
    return values
