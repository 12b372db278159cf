"""What all embedders share: series to tokens of an encoder, and tokens pooled to features."""

import contextlib
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state, check_scalar

from sigfeat._validation import CallbackSupportMixin, Interval, StrOptions, check_is_fitted
from sigfeat.nn.devices import check_device, thread_limit
from sigfeat.nn.encoder import n_parameters
from sigfeat.nn.layers import inside, real_points
from sigfeat.nn.mixers.spectra import forget_spectra
from sigfeat.nn.pooling import pool_tokens
from sigfeat.nn.training.loop import StepSettings, train
from sigfeat.nn.training.processes import processes
from sigfeat.pooling import fine_windows, window_names
from sigfeat.transformers._contract.base import FeatureTransformer
from sigfeat.transformers._contract.callbacks import check_callbacks
from sigfeat.transformers._contract.jobs import N_JOBS, granted_threads
from sigfeat.transformers._contract.memory import check_fitted_size, check_output_size
from sigfeat.transformers._contract.moments import channel_moments
from sigfeat.transformers.embeddings._persistence import load_estimator, save_estimator
from sigfeat.transformers.embeddings._states import ModuleStateMixin

BATCH_BYTES = 1 << 25  # of one array of the widest part of an encoder, for the series that go through it together
MANY_SERIES = 2000  # from which on an encoder may be larger
SEEN_AT_FIT = ("n_channels_", "n_features_in_", "feature_names_in_")
KNOWN_AFTER_FIT = (
    "encoder_",
    "mean_",
    "scale_",
    "pooling_",
    *SEEN_AT_FIT[:2],
    "_compute_dtype",
    "_windows",
    "_endings",
)
SMALLER = "take a smaller d_model or fewer windows"
OF_EACH_WEIGHT = 5  # its gradient, its average, and the two moments of the optimizer


class Embedder(ModuleStateMixin, CallbackSupportMixin, FeatureTransformer):
    """An encoder of series, whose pooled tokens are the features.

    Subclasses set `encoder_`, `mean_`, `scale_` and `pooling_` in `fit`, then call `_finish`.
    """

    _shared_constraints: dict = {
        "output": [StrOptions({"pooled", "sequence"})],
        "windows": [StrOptions({"whole"}), Interval(Integral, 1, None, closed="left"), tuple, list],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device],
        "dtype": [StrOptions({"float32", "float64"}), None],
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
        "verbose": ["verbose"],
    }

    def transform(self, X):
        """Pooled tokens.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), dtype of X
            Of each component of the tokens all windows.
        """
        X, lengths = self._check_new(X)
        n_columns = self._n_features_out
        check_output_size(len(X), n_columns, X.dtype, f"the output of {type(self).__name__}", remedy=SMALLER)
        features = np.empty((len(X), n_columns), dtype=X.dtype)
        n_fine, windows = self._windows
        bounds = torch.from_numpy(windows * lengths[:, np.newaxis, np.newaxis] // n_fine)
        with np.errstate(over="ignore"), self._computing():  # an overflow is told in one sentence
            for rows, series, _, mask in self._batches(X, lengths):
                tokens = self.encoder_(series, mask)
                pooled = pool_tokens(tokens, bounds[rows].to(tokens.device), self.pooling_)
                features[rows] = pooled.transpose(1, 2).flatten(1).cpu().numpy()
        self._check_tokens(features)
        return features

    def tokens(self, X):
        """Tokens of all time points, as a panel.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        panel : ndarray of shape (n_samples, width, n_longest), dtype of X
            As long as the longest series, shorter ones padded at the end with NaN.
        """
        X, lengths = self._check_new(X)
        width, longest = self.encoder_.spec.d_out, int(lengths.max())
        check_output_size(len(X), width * longest, X.dtype, f"tokens of {type(self).__name__}", remedy=SMALLER)
        panel = np.full((len(X), width, longest), np.nan, dtype=X.dtype)
        with np.errstate(over="ignore"), self._computing():  # an overflow is told in one sentence
            for rows, series, own, mask in self._batches(X, lengths):
                real = inside(own, series.shape[1])
                tokens = self.encoder_(series, mask).masked_fill(~real, 0.0)
                values = tokens.transpose(1, 2).cpu().numpy().astype(X.dtype)
                self._check_tokens(values)
                panel[rows, :, : series.shape[1]] = np.where(real.transpose(1, 2).cpu().numpy(), values, np.nan)
        return panel

    def save(self, path):
        """Write the fitted embedder into a folder, as JSON and safetensors.

        Parameters
        ----------
        path : str or path-like
            Folder to make; an embedder saved there before is replaced.

        Raises
        ------
        FileExistsError
            If there is something else at `path`.
        NotFittedError
            If it is not fitted.
        TypeError
            If a parameter cannot be written. `callbacks` are left out.
        """
        save_estimator(self, path)

    @classmethod
    def load(cls, path, device=None):
        """Embedder that was written by `save`. No code from the files is run.

        Parameters
        ----------
        path : str or path-like
            The folder.
        device : str, torch.device or None, default=None
            Where to compute; None for the device that it was saved with.

        Returns
        -------
        embedder : Embedder
            As it was saved, fitted, but for `callbacks`.

        Raises
        ------
        FileNotFoundError
            If a file is missing.
        ValueError
            If a file is not what was written, or holds another class.
        """
        embedder = load_estimator(cls, path, device)
        missing = [name for name in KNOWN_AFTER_FIT if name not in vars(embedder)]
        if missing or embedder.encoder_.spec.n_channels != embedder.n_channels_:
            what = f"it has no {missing[0]}" if missing else "its encoder has another number of channels"
            raise ValueError(f"{path} holds no fitted {cls.__name__}: {what}")
        return embedder

    def param_count(self, n_channels):
        """Number of weights of the encoder for series of so many channels, without making them.

        Parameters
        ----------
        n_channels : int
            Channels of the series.

        Returns
        -------
        count : int
        """
        self._validate_params()
        check_scalar(n_channels, "n_channels", Integral, min_val=1)
        return n_parameters(self._spec(n_channels))

    def output_size(self):
        """Number of features, without fitting.

        Returns
        -------
        size : int
        """
        self._validate_params()
        return self._spec(1).d_out * len(self._chosen_windows()[1])

    def _check_tokens(self, values):
        what = f"tokens of {type(self).__name__} overflow in {self._compute_dtype} or as"
        self._check_overflow(values, what, "scale the series or take dtype='float64'")

    def _chosen_windows(self):
        """Number of equal parts and the windows as runs of them."""
        return fine_windows(self.windows if self.output == "sequence" else "whole")

    def _begin(self, X, y):
        """Panel and lengths, cut to the longest series; what a former fit has left is removed."""
        X, lengths = self._check_panel(X, y, reset=True)
        for name in [name for name in vars(self) if name.endswith("_") and name not in SEEN_AT_FIT]:
            del vars(self)[name]
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
        n_weights = spec.n_layers * spec.d_model * (3 * spec.d_model + 2 * spec.d_ff + spec.d_state)
        workspace = OF_EACH_WEIGHT * n_weights * np.dtype(self.dtype or X.dtype).itemsize
        what = f"{type(self).__name__} with d_model={spec.d_model}, n_layers={spec.n_layers}, d_ff={spec.d_ff}"
        check_fitted_size(len(X), self.output_size(), X.dtype, what, workspace, SMALLER)
        return X, lengths

    def _finish(self, encoder):
        """Keep the encoder; from here on `transform` knows the parameters by what is set here."""
        self.encoder_ = encoder.eval().requires_grad_(False).cpu()
        self.n_parameters_ = sum(weight.numel() for weight in encoder.parameters())
        self._windows = self._chosen_windows()
        endings = window_names(self.windows) if self.output == "sequence" else [""]
        self._endings = [f"|{self.pooling_}|{name}" if name else f"|{self.pooling_}" for name in endings]
        self._label = self._encoder_label()
        self._n_features_out = encoder.spec.d_out * len(self._endings)
        return self

    def _check_new(self, X):
        """Panel and lengths of series to be transformed."""
        check_is_fitted(self)
        X, lengths = self._check_panel(X, reset=False)
        self._check_points(lengths, self.encoder_.spec)
        check_device(self._where())
        return X, lengths

    def _learn_units(self, X, lengths):
        """Mean and standard deviation of each channel, and the precision to compute in."""
        self.mean_, self.scale_ = channel_moments(X, lengths)
        self._compute_dtype = np.dtype(self.dtype or X.dtype)

    def _standardised(self, X, lengths):
        """Series (n_samples, n_timepoints, n_channels) in units of the training series, zero behind their ends."""
        with np.errstate(over="ignore"):
            standard = ((X - self.mean_[:, np.newaxis]) / self.scale_[:, np.newaxis]).astype(self._compute_dtype)
        standard = np.ascontiguousarray(standard.transpose(0, 2, 1))
        if lengths.min() < X.shape[2]:
            standard[np.arange(X.shape[2]) >= lengths[:, np.newaxis]] = 0.0
        return standard

    def _batches(self, X, lengths):
        """Rows, standardised series, lengths and mask of series that are about as long and go through together."""
        where = self._where()
        width = max(self.encoder_.spec.d_ff, (2 + self.encoder_.spec.order) * self.encoder_.spec.d_model)
        ordered, first = np.argsort(lengths, kind="stable"), 0
        bytes_of_each = lengths[ordered] * width * self._compute_dtype.itemsize
        while first < len(ordered):
            n_padded = np.arange(1, len(ordered) - first + 1)
            n_together = max(1, np.count_nonzero(n_padded * bytes_of_each[first:] <= BATCH_BYTES))
            rows = ordered[first : first + n_together]
            own, longest = lengths[rows], lengths[rows[-1]]
            series = torch.from_numpy(self._standardised(X[rows, :, :longest], own)).to(where)
            own = torch.from_numpy(own).to(where)
            yield rows, series, own, real_points(own, series.shape[1])
            first += n_together

    @contextlib.contextmanager
    def _computing(self):
        """Weights on their device, threads as granted, and no gradients; spectra of filters are not kept behind it."""
        self.encoder_.to(self._where())
        with thread_limit(granted_threads(self.n_jobs)), torch.no_grad():
            try:
                yield
            finally:
                forget_spectra(self.encoder_)

    def _where(self):
        """Device of torch to compute on."""
        return processes(self.device).device

    def _seed(self):
        """Seed of everything random in `fit`, the same in all processes that train together."""
        return processes(self.device).of_first(int(check_random_state(self.random_state).randint(2**31)))

    def _torch_dtype(self):
        return torch.float32 if self._compute_dtype == np.float32 else torch.float64

    def _train_steps(self, objective, inputs, held_out, seed, context, **settings):
        """History of the training of an objective on rows of the inputs that are not held out."""
        settings = {"callbacks": self.callbacks or ()} | settings
        settings = StepSettings(
            n_steps=self.n_steps,
            batch_size=self.batch_size,
            averaging=0.99,
            device=self.device,
            seed=seed,
            bar=type(self).__name__ if self.verbose else "",
            epochs=_Epochs(self, context),
            **settings,
        )
        with thread_limit(granted_threads(self.n_jobs)):
            return train(objective, inputs, held_out, settings)

    def _check_points(self, lengths, spec):
        pass

    def _without_validation(self):
        """Why training knows no validation loss, and what to do; None if it does, or if there is no training."""
        raise NotImplementedError

    def _feature_names(self):
        n_components = self._n_features_out // len(self._endings)
        return [f"{self._label}[{k + 1}]{ending}" for k in range(n_components) for ending in self._endings]


def recommended_steps(n_samples, n_timepoints, n_steps):
    """Batch size and number of steps for data of a size: at least `n_steps`, and ten passes up to a limit.

    A batch has 16 series, up to 64 of many, and at most 2^16 points, so that a step takes less than some seconds.
    """
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    check_scalar(n_timepoints, "n_timepoints", Integral, min_val=1)
    batch_size = max(2, min(16 if n_samples < MANY_SERIES else 64, 2**16 // n_timepoints))
    return {"batch_size": batch_size, "n_steps": max(n_steps, min(10 * n_samples // batch_size, 10 * n_steps))}


class _Epochs:
    """Tells scikit-learn's callbacks of each epoch."""

    def __init__(self, estimator, context):
        self.estimator, self.context = estimator, context

    def begin(self):
        self.task = self.context.subcontext(task_name="epoch").call_on_fit_task_begin(estimator=self.estimator)

    def end(self):
        return self.task.call_on_fit_task_end(estimator=self.estimator)
