"""Base class of the embedders: tokens of series by an encoder, pooled to features."""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state, check_scalar
from torch import Tensor

from sigfeat._devices import Device
from sigfeat._validation import CallbackSupportMixin, Interval, RandomState, StrOptions, check_is_fitted
from sigfeat.nn.devices import check_device, thread_limit
from sigfeat.nn.encoder import Encoder, EncoderSpec, n_parameters
from sigfeat.nn.layers import real_points
from sigfeat.nn.mixers.spectra import forget_spectra
from sigfeat.nn.pooling import pool_tokens
from sigfeat.nn.training.loop import Objective, train
from sigfeat.nn.training.processes import processes
from sigfeat.nn.training.settings import STEPS_PER_EPOCH, TrainingSettings
from sigfeat.panel import Floats
from sigfeat.pooling import Windows, fine_windows, window_names
from sigfeat.transformers._contract.base import FeatureTransformer
from sigfeat.transformers._contract.callbacks import check_callbacks
from sigfeat.transformers._contract.jobs import N_JOBS, granted_threads
from sigfeat.transformers._contract.memory import check_fitted_size, check_output_size
from sigfeat.transformers._contract.moments import channel_moments
from sigfeat.transformers.embeddings._persistence import load_estimator, save_estimator
from sigfeat.transformers.embeddings._persistence.attributes import EMBEDDER_ATTRIBUTES, Attribute
from sigfeat.transformers.embeddings._states import ModuleStateMixin

BATCH_BYTES = 1 << 25  # of one array of the widest part of an encoder, for series that are encoded together
MANY_SERIES = 2000  # number of series from which on larger encoders are recommended
INPUT_ATTRIBUTES = ("n_channels_", "n_features_in_", "feature_names_in_")
FURTHER_SIZES = ("embedding_filter", "short_filter", "order", "expansion")
LARGE = 100  # value from which on a message names these too
REMEDY = "take a smaller d_model or fewer windows"
COPIES_OF_WEIGHTS = 5  # weights, gradients, averages, and the two moments of the optimizer


class Embedder(ModuleStateMixin, CallbackSupportMixin, FeatureTransformer):
    """An encoder of series, whose pooled tokens are the features.

    Subclasses set `encoder_`, `mean_`, `scale_` and `pooling_` in `fit`, then call `_finish`. They declare each
    attribute that `fit` sets in `_saved_attributes`: `save` and `load` refuse others, and other values.
    """

    _saved_attributes: Mapping[str, Attribute] = EMBEDDER_ATTRIBUTES

    encoder_: Encoder
    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    pooling_: str
    max_epochs: int
    batch_size: int
    windows: Windows
    callbacks: Sequence[Any] | None
    device: Device
    dtype: str | None
    random_state: RandomState
    n_jobs: int | None
    verbose: int | None
    _compute_dtype: np.dtype[Any]
    _shared_constraints: dict[str, Any] = {
        "windows": [StrOptions({"whole"}), Interval(Integral, 1, None, closed="left"), tuple, list],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device],
        "dtype": [StrOptions({"float32", "float64"}), None],
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
        "verbose": ["verbose", None],
    }

    def transform(self, X: Any) -> NDArray[Any]:
        """Pooled tokens.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), dtype of X
            For each component of the tokens, its pooled values in all windows.
        """
        X, lengths = self._check_new(X)
        n_columns = self._n_features_out
        check_output_size(len(X), n_columns, X.dtype, f"the output of {type(self).__name__}", remedy=REMEDY)
        features = np.empty((len(X), n_columns), dtype=X.dtype)
        n_fine, windows = self._windows
        bounds = torch.from_numpy(windows * lengths[:, np.newaxis, np.newaxis] // n_fine)
        with np.errstate(over="ignore"), self._computing():  # `_check_tokens` reports an overflow
            for rows, series, _, mask in self._batches(X, lengths):
                tokens = self.encoder_(series, mask)
                pooled = pool_tokens(tokens, bounds[rows].to(tokens.device), self.pooling_)
                features[rows] = pooled.transpose(1, 2).flatten(1).cpu().numpy()
        self._check_tokens(features)
        return features

    def tokens(self, X: Any) -> NDArray[Any]:
        """Tokens of all time points, as a panel.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        panel : ndarray of shape (n_samples, width, n_longest), dtype of X
            The time axis has the length of the longest series; shorter series are padded at the end with NaN.
        """
        X, lengths = self._check_new(X)
        width, longest = self.encoder_.spec.d_out, int(lengths.max())
        check_output_size(len(X), width * longest, X.dtype, f"tokens of {type(self).__name__}", remedy=REMEDY)
        panel = np.full((len(X), width, longest), np.nan, dtype=X.dtype)
        with np.errstate(over="ignore"), self._computing():  # `_check_tokens` reports an overflow
            for rows, series, _, mask in self._batches(X, lengths):
                tokens = self.encoder_(series, mask)
                if mask is not None:
                    tokens = tokens.masked_fill(~mask[..., None], 0.0)
                values = tokens.transpose(1, 2).cpu().numpy().astype(X.dtype, copy=False)
                self._check_tokens(values)
                if mask is not None:
                    values = np.where(mask[:, None].cpu().numpy(), values, np.nan)
                panel[rows, :, : series.shape[1]] = values
        return panel

    def save(self, path: str | Path) -> None:
        """Write the fitted embedder into a folder, as JSON and safetensors.

        Parameters
        ----------
        path : str or path-like
            Folder to create; an embedder that was saved there before is replaced.

        Raises
        ------
        FileExistsError
            If something else exists at `path`.
        NotFittedError
            If the embedder is not fitted.
        TypeError
            If a parameter cannot be saved. `callbacks` are omitted.
        ValueError
            If an attribute was added, is missing or has a value that `fit` does not give.
        """
        save_estimator(self, path)

    @classmethod
    def load(cls, path: str | Path, device: Device | None = None) -> Self:
        """Load an embedder that was written by `save`. No code from the files is run.

        Checksums, parameters, attributes, and the sizes of all weights are checked; if a `save` was killed while it
        replaced the folder, the embedder that was there before is restored.

        Parameters
        ----------
        path : str or path-like
            The folder.
        device : str, torch.device or None, default=None
            Device to compute on; None for the device with which it was saved.

        Returns
        -------
        embedder : Embedder
            The fitted embedder as it was saved, without `callbacks`.

        Raises
        ------
        FileNotFoundError
            If a file is missing.
        ValueError
            If a file was changed or damaged, is of another version of the format, or contains another class.
        """
        embedder: Self = load_estimator(cls, path, device)
        return embedder

    def param_count(self, n_channels: int) -> int:
        """Number of weights of the encoder for a number of channels, without creating them.

        Parameters
        ----------
        n_channels : int
            Number of channels of the series.

        Returns
        -------
        count : int
        """
        self._validate_params()
        check_scalar(n_channels, "n_channels", Integral, min_val=1)
        return n_parameters(self._spec(n_channels))

    def output_size(self) -> int:
        """Number of features, without fitting.

        Returns
        -------
        size : int
        """
        self._validate_params()
        return self._spec(1).d_out * len(self._chosen_windows()[1])

    def _check_tokens(self, values: NDArray[Any]) -> None:
        what = f"tokens of {type(self).__name__} overflow in {self._compute_dtype} or as"
        self._check_overflow(values, what, "scale the series or take dtype='float64'")

    def _chosen_windows(self) -> tuple[int, NDArray[np.int64]]:
        """Number of equal parts, and the windows as runs of parts."""
        return fine_windows(self.windows)

    def _begin(self, X: Any, y: Any) -> tuple[Floats, NDArray[np.int64]]:
        """Return panel and lengths, cut to the longest series, after deleting the results of an earlier fit."""
        X, lengths = self._check_panel(X, y, reset=True)
        for name in [name for name in vars(self) if name.endswith("_") and name not in INPUT_ATTRIBUTES]:
            del self.__dict__[name]
        X = X[:, :, : lengths.max()]
        self._chosen_windows()
        self._check_points(lengths, self._spec(X.shape[1]))
        together = processes(self.device)
        check_device(together.device)
        check_callbacks(self.callbacks, self._without_validation())
        if self.batch_size % together.count:
            raise ValueError(
                f"batch_size must be a multiple of the number of processes, {together.count}, got {self.batch_size}"
            )
        together.check_same("X", X)
        spec = self._spec(X.shape[1])
        workspace = COPIES_OF_WEIGHTS * _rough_n_weights(spec) * np.dtype(self.dtype or X.dtype).itemsize
        named = ["d_model", "n_layers", "d_ff", *(name for name in FURTHER_SIZES if getattr(spec, name) > LARGE)]
        what = f"{type(self).__name__} with {', '.join(f'{name}={getattr(spec, name)}' for name in named)}"
        check_fitted_size(len(X), self.output_size(), X.dtype, what, workspace, REMEDY)
        return X, lengths

    def _finish(self, encoder: Encoder) -> Self:
        """Set the fitted attributes; `transform` uses these and not the parameters, which may change later."""
        self.encoder_ = encoder.eval().requires_grad_(False).cpu()
        self.n_parameters_ = sum(weight.numel() for weight in encoder.parameters())
        self._windows = self._chosen_windows()
        names = window_names(self.windows)
        self._endings = [f"|{self.pooling_}|{name}" if name else f"|{self.pooling_}" for name in names]
        self._label = self._encoder_label()
        self._n_features_out = encoder.spec.d_out * len(self._endings)
        return self

    def _check_new(self, X: Any) -> tuple[Floats, NDArray[np.int64]]:
        """Return panel and lengths of series to transform."""
        check_is_fitted(self)
        X, lengths = self._check_panel(X, reset=False)
        self._check_points(lengths, self.encoder_.spec)
        check_device(self._where())
        return X, lengths

    def _learn_scaling(self, X: Floats, lengths: NDArray[np.int64]) -> None:
        """Set mean and standard deviation of each channel, and the precision of the computation."""
        self.mean_, self.scale_ = channel_moments(X, lengths)
        self._compute_dtype = np.dtype(self.dtype or X.dtype)

    def _standardised(self, X: Floats, lengths: NDArray[np.int64]) -> Floats:
        """Standardised series of shape (n_samples, n_timepoints, n_channels), padded with zeros."""
        with np.errstate(over="ignore"):
            standard = ((X - self.mean_[:, np.newaxis]) / self.scale_[:, np.newaxis]).astype(self._compute_dtype)
        standard = np.ascontiguousarray(standard.transpose(0, 2, 1))
        if lengths.min() < X.shape[2]:
            standard[np.arange(X.shape[2]) >= lengths[:, np.newaxis]] = 0.0
        return standard

    def _batches(
        self, X: Floats, lengths: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], Tensor, Tensor, Tensor | None]]:
        """Batches of series of similar lengths: rows, standardised series, lengths and mask."""
        where = self._where()
        spec = self.encoder_.spec
        widths = spec.d_ff, (2 + spec.order) * spec.expansion * spec.d_model, spec.n_channels * spec.embedding_filter
        width = math.ceil(max(widths))
        ordered, first = np.argsort(lengths, kind="stable"), 0
        bytes_of_each = lengths[ordered] * width * self._compute_dtype.itemsize
        while first < len(ordered):
            n_padded = np.arange(1, len(ordered) - first + 1)
            n_together = max(1, int(np.count_nonzero(n_padded * bytes_of_each[first:] <= BATCH_BYTES)))
            rows = ordered[first : first + n_together]
            longest = lengths[rows[-1]]
            series = torch.from_numpy(self._standardised(X[rows, :, :longest], lengths[rows])).to(where)
            own = torch.from_numpy(lengths[rows]).to(where)
            yield rows, series, own, real_points(own, series.shape[1])
            first += n_together

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        """Move weights to their device, limit threads, disable gradients, and forget spectra of filters at the end."""
        self.encoder_.to(self._where())
        with thread_limit(granted_threads(self.n_jobs)), torch.no_grad():
            try:
                yield
            finally:
                forget_spectra(self.encoder_)

    def _where(self) -> Device:
        """Return the device of torch to compute on."""
        return processes(self.device).device

    def _seed(self) -> int:
        """Return the seed of `fit`, the same in all processes that train together."""
        return processes(self.device).of_first(int(check_random_state(self.random_state).randint(2**31)))

    def _torch_dtype(self) -> torch.dtype:
        return torch.float32 if self._compute_dtype == np.float32 else torch.float64

    def _train(
        self,
        objective: Objective,
        inputs: dict[str, NDArray[Any]],
        validation: NDArray[np.int64],
        seed: int,
        context: Any,
        **settings: Any,
    ) -> dict[str, NDArray[Any]]:
        """Train an objective on the rows of the inputs outside the validation set, and return the history."""
        chosen = {"callbacks": self.callbacks or (), "title": type(self).__name__} | settings
        training = TrainingSettings(
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            seed=seed,
            device=self.device,
            verbose=self.verbose,
            epochs=_EpochTasks(self, context),
            **chosen,
        )
        with thread_limit(granted_threads(self.n_jobs)):
            return train(objective, inputs, validation, training)

    def _spec(self, n_channels: int) -> EncoderSpec:
        """Return the spec of the encoder, after a check of the parameters that it depends on."""
        raise NotImplementedError

    def _encoder_label(self) -> str:
        """Return the start of the names of the features."""
        raise NotImplementedError

    def _check_points(self, lengths: NDArray[np.int64], spec: EncoderSpec) -> None:
        pass

    def _without_validation(self) -> str | None:
        """Explain why there is no validation loss, and the remedy; None if there is one, or no training."""
        raise NotImplementedError

    def _feature_names(self) -> list[str]:
        n_components = self._n_features_out // len(self._endings)
        return [f"{self._label}[{k + 1}]{ending}" for k in range(n_components) for ending in self._endings]


def _rough_n_weights(spec: EncoderSpec) -> int:
    """Number of weights, more or less, of an encoder with any mixer."""
    projected = math.ceil((spec.order + 1) * spec.expansion * spec.d_model)  # that of order 2 is that of attention
    of_block = projected * (spec.d_model + spec.short_filter + spec.filter_width) + spec.d_model * (
        2 * spec.d_ff + spec.d_state
    )
    return spec.d_model * spec.n_channels * spec.embedding_filter + spec.n_layers * of_block


def recommended_epochs(n_samples: int, n_timepoints: int, max_epochs: int) -> dict[str, int]:
    """Batch size and epochs for data of a size: ten passes over the series, but from 1 to 10 times `max_epochs`.

    A batch has 16 series, 64 if there are many, and at most 2^16 points, so that a step takes at most some seconds.
    """
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    check_scalar(n_timepoints, "n_timepoints", Integral, min_val=1)
    batch_size = max(2, min(16 if n_samples < MANY_SERIES else 64, 2**16 // n_timepoints))
    n_epochs = -(-10 * n_samples // (batch_size * STEPS_PER_EPOCH))
    return {"batch_size": batch_size, "max_epochs": max(max_epochs, min(n_epochs, 10 * max_epochs))}


class _EpochTasks:
    """Epochs as tasks for the callbacks of scikit-learn."""

    def __init__(self, estimator: Any, context: Any) -> None:
        self.estimator, self.context = estimator, context

    def begin(self) -> None:
        self.task = self.context.subcontext(task_name="epoch").call_on_fit_task_begin(estimator=self.estimator)

    def end(self) -> bool:
        return bool(self.task.call_on_fit_task_end(estimator=self.estimator))
