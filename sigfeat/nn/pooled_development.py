"""Developments pooled over windows of the series, and their training with a linear head."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from sigfeat.nn.development import Development
from sigfeat.nn.devices import thread_limit
from sigfeat.nn.groups import Group
from sigfeat.nn.pooling import pooled
from sigfeat.nn.training.settings import TrainingSettings
from sigfeat.nn.training.supervised import train_features
from sigfeat.pooling import check_poolings, trainable_poolings

BATCH_BYTES = 1 << 28  # of the running entries of series that are computed together on a device


class PooledDevelopment(nn.Module):
    """Entries of developments, pooled over windows of the series; real and imaginary parts of complex ones.

    The development starts anew in each window.

    Parameters
    ----------
    layer : Development
        Developments of the increments; its `whole_path` is set here.
    poolings : sequence of str
        Statistics of the running entries over a window.
    n_fine : int
        Number of equal parts that a series is cut into: part i starts at floor(i * length / n_fine).
    windows : integer ndarray of shape (n_windows, 2)
        Runs (first, stop) of parts.
    thresholds : ndarray of shape (n_developments, entries) or None, default=None
        Thresholds of the poolings that need one, None for zeros.
    """

    windows: Tensor
    thresholds: Tensor

    def __init__(
        self,
        layer: Development,
        poolings: Sequence[str],
        n_fine: int,
        windows: NDArray[Any],
        thresholds: NDArray[Any] | None = None,
    ) -> None:
        super().__init__()
        self.layer, self.poolings, self.n_fine = layer, check_poolings(poolings), n_fine
        layer.whole_path = self.poolings != ("end",)
        # windows with equal numbers of parts have similar lengths and are computed together
        sizes = windows[:, 1] - windows[:, 0]
        self.groups = [np.flatnonzero(sizes == size).tolist() for size in np.unique(sizes)]
        self.register_buffer("windows", torch.from_numpy(windows), persistent=False)
        own = np.zeros(1) if thresholds is None else thresholds
        self.register_buffer("thresholds", torch.from_numpy(own).to(layer.weight.dtype.to_real()), persistent=False)

    def forward(
        self, increments: Float[Tensor, "batch length channels"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch developments entries poolings windows"]:
        """Pooled entries.

        Parameters
        ----------
        increments : tensor of shape (batch, length, channels)
            Step t leads to point t; the first is zero.
        lengths : integer tensor of shape (batch,)
            Own number of points of each series.

        Returns
        -------
        features : tensor of shape (batch, developments, entries, poolings, windows)
            Entries in row-major order, of complex groups each as real and imaginary part.
        """
        found: list[Tensor] = [increments] * len(self.windows)
        for group in self.groups:
            bounds = self.windows[group] * lengths[:, None, None] // self.n_fine  # (batch, windows, 2)
            starts, counts = bounds[..., 0], bounds[..., 1] - bounds[..., 0]
            t = torch.arange(max(int(counts.max()), 1), device=increments.device)
            inside = t < counts[..., None]
            places = (starts[..., None] + t).clamp(max=increments.shape[1] - 1)
            series = torch.arange(len(increments), device=increments.device)[:, None, None]
            steps = increments[series, places] * inside[..., None]
            pooled = self._pool(steps.flatten(0, 1), counts.flatten().clamp(min=1))
            for place, values in zip(
                group, pooled.reshape(*inside.shape[:2], *pooled.shape[1:]).unbind(1), strict=True
            ):
                found[place] = values
        return torch.stack(found, dim=-1)

    def _pool(
        self, steps: Float[Tensor, "runs length channels"], counts: Int[Tensor, " runs"]
    ) -> Float[Tensor, "runs developments entries poolings"]:
        matrices: Tensor = self.layer(steps)
        if matrices.is_complex():
            matrices = torch.view_as_real(matrices)
        if not self.layer.whole_path:
            return matrices.flatten(2).unsqueeze(-1)
        path = matrices.flatten(3).movedim(1, -1)  # (runs, developments, entries, length)
        bounds = torch.zeros_like(counts)[:, None, None], counts[:, None, None]
        found = [pooled(path, name, *bounds, threshold=self.thresholds) for name in self.poolings]
        return torch.stack(found, dim=-1).where(path[..., -1:].isfinite(), torch.nan)


def development_of(group: Group, elements: NDArray[Any], dtype: np.dtype[Any], n_threads: int) -> Development:
    """Layer with given elements of a Lie algebra, in the precision of a dtype of NumPy.

    Parameters
    ----------
    group : Group
        Group of the matrices.
    elements : ndarray of shape (n_developments, n_channels, dim, dim)
        Elements of its Lie algebra.
    dtype : numpy.dtype
        Precision of the computation, float32 or float64.
    n_threads : int
        Number of threads on the CPU.

    Returns
    -------
    layer : Development
    """
    layer = Development(
        group,
        elements.shape[1],
        len(elements),
        n_threads=n_threads,
        generator=torch.Generator(),  # the global generator of torch must not be used
        dtype=torch.float32 if dtype == np.float32 else torch.float64,
    )
    layer.weight.data = torch.tensor(elements, dtype=layer.weight.dtype)
    return layer


def developed_on_device(
    network: PooledDevelopment, increments: NDArray[Any], lengths: NDArray[Any], device: torch.device
) -> NDArray[Any]:
    """Pooled entries of series, computed in batches on a device of torch; see `PooledDevelopment.forward`."""
    weight = network.layer.weight
    path_bytes = increments.shape[1] * weight[:, 0].numel() * weight.element_size() * len(network.windows)
    per_batch = max(1, BATCH_BYTES // path_bytes)
    steps, counts = (torch.split(torch.from_numpy(values), per_batch) for values in (increments, lengths))
    network = network.to(device)
    with torch.no_grad():
        found = [
            network(part.to(device), own.to(device)).cpu().numpy() for part, own in zip(steps, counts, strict=True)
        ]
    return np.concatenate(found)


def train_development(
    layer: Development,
    increments: NDArray[Any],
    lengths: NDArray[Any],
    target: NDArray[Any],
    poolings: Sequence[str],
    windows: tuple[int, NDArray[Any]],
    settings: TrainingSettings,
    *,
    validation_fraction: float | int,
    n_threads: int,
) -> dict[str, NDArray[Any]]:
    """Train the elements of a development in place, together with a linear head, which is discarded.

    Parameters
    ----------
    layer : Development
        The layer, whose weights are trained.
    increments : ndarray of shape (n_samples, n_timepoints, n_channels)
        Increments of the paths.
    lengths : integer ndarray of shape (n_samples,)
        Own number of points of each series.
    target : ndarray
        Numbers of the classes, shape (n_samples,), or targets, shape (n_samples, n_targets).
    poolings : sequence of str
        Poolings of the features; those without a useful gradient are omitted.
    windows : tuple
        Result of `fine_windows`.
    settings : TrainingSettings
        How to train.
    validation_fraction : float
        Fraction of the series in the validation set; 0 for none.
    n_threads : int
        Number of threads of torch and BLAS.

    Returns
    -------
    history : dict of ndarray
        "train_loss" and, if there is a validation set, "valid_loss" of each epoch.

    Raises
    ------
    KeyboardInterrupt
        If the training is interrupted.
    ValueError
        If the training diverges.
    """
    names = trainable_poolings(poolings) or ("end",)
    with thread_limit(n_threads):
        features = PooledDevelopment(layer, names, *windows)
        history, _ = train_features(
            features, increments, lengths, target, settings, validation_fraction=validation_fraction
        )
    return history
