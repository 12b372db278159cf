"""Networks of interval layers as a scikit-learn classifier."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from sigfeat._devices import Device
from sigfeat._validation import Interval, RandomState, StrOptions, _fit_context, check_is_fitted, validate_panel
from sigfeat.nn.devices import check_device, thread_limit
from sigfeat.nn.intervals.networks import HEAD_RATE, PooledSequence, interval_hyena, stacked_intervals
from sigfeat.nn.training.settings import TrainingSettings
from sigfeat.nn.training.supervised import train_features
from sigfeat.transformers._contract.jobs import N_JOBS, granted_threads
from sigfeat.transformers._contract.moments import channel_moments
from sigfeat.transformers._contract.targets import check_target
from sigfeat.transformers._contract.unused import OnlyWith, refuse_unused
from sigfeat.transformers.embeddings._states import ModuleStateMixin

SERIES_AT_ONCE = 64  # in predictions


class IntervalNetworkClassifier(ModuleStateMixin, ClassifierMixin, BaseEstimator):
    """A network whose layers are sums over all intervals of the output of the previous layer, trained as a whole.

    For tasks in which one event determines which other event is relevant. Series are standardised; mean, maximum and
    last value of the output of the last layer are the features of a linear classifier.

    Parameters
    ----------
    layers : {"stack", "hyena"}, default="stack"
        "stack": interval layer, projection, interval layer, projection. "hyena": interval layer, projection, two blocks
        of Hyena.
    d_model : int, default=6
        Number of channels between the layers.
    n_filters : int, default=4
        Number of learnt filters of the second layer of "stack", whose first has three times as many, or of the interval
        layer of "hyena".
    order : int, default=2
        Order of Hyena; only used with ``layers="hyena"``.
    max_epochs : int, default=20
        Number of passes over the training series.
    batch_size : int, default=32
        Number of series per step, at least 2.
    lr : float, default=0.01
        Learning rate at its peak.
    device : str or torch.device, default="cpu"
        Device of training and prediction.
    dtype : {"float32", "float64"}, default="float32"
        Precision of training and prediction; the factors of intervals are computed in float64.
    random_state : int, RandomState instance or None, default=0
        Seed of the first weights, and of the order of the series.
    n_jobs : int or None, default=None
        Number of threads of torch and BLAS, in joblib's convention, at most the number of CPUs.

    Attributes
    ----------
    network_ : torch.nn.Module
        Features and linear head.
    classes_ : ndarray of shape (n_classes,)
        Classes.
    history_ : dict of ndarray
        "train_loss" of each epoch.
    mean_, scale_ : ndarray of shape (n_channels,)
        A channel is used as (x - mean_) / scale_.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        If torch or skorch is not installed.
    ValueError
        If the device cannot be used, y has one class only, values are NaN or infinite, or training diverges.

    See Also
    --------
    sigfeat.classifiers.interval_stack_classifier, sigfeat.classifiers.interval_hyena_classifier
    IntervalISSTransformer : One interval layer, random or trained, for any classifier.

    Notes
    -----
    Time O(n_timepoints log(n_timepoints)) per series and epoch.

    Examples
    --------
    >>> from sigfeat import IntervalNetworkClassifier
    >>> from sigfeat.datasets import make_coincidence
    >>> X, y = make_coincidence(n_samples=40, length=64)
    >>> IntervalNetworkClassifier(d_model=3, n_filters=2, max_epochs=2).fit(X, y).predict(X).shape
    (40,)
    """

    _parameter_constraints: dict[str, Any] = {
        "layers": [StrOptions({"stack", "hyena"})],
        "d_model": [Interval(Integral, 1, None, closed="left")],
        "n_filters": [Interval(Integral, 1, None, closed="left")],
        "order": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "device": [str, torch.device],
        "dtype": [StrOptions({"float32", "float64"})],
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
    }

    _used_only = {"order": OnlyWith("layers", ("hyena",))}

    def __init__(
        self,
        layers: str = "stack",
        *,
        d_model: int = 6,
        n_filters: int = 4,
        order: int = 2,
        max_epochs: int = 20,
        batch_size: int = 32,
        lr: float = 0.01,
        device: Device = "cpu",
        dtype: str = "float32",
        random_state: RandomState = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.layers = layers
        self.d_model = d_model
        self.n_filters = n_filters
        self.order = order
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : array-like of shape (n_samples,)
            Classes.

        Returns
        -------
        self : IntervalNetworkClassifier
        """
        self.__dict__.pop("network_", None)
        X, lengths = validate_panel(self, X, y, reset=True)
        _, target = check_target(y, X, "classification", "IntervalNetworkClassifier")
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        check_device(self.device)
        self.classes_ = np.unique(np.asarray(y))
        self.mean_, self.scale_ = channel_moments(X, lengths)
        seed = int(check_random_state(self.random_state).randint(2**31))
        sizes: dict[str, Any] = {"d_model": self.d_model, "n_filters": self.n_filters, "seed": seed}
        sizes["dtype"] = getattr(torch, self.dtype)
        length = int(np.median(lengths))
        if self.layers == "stack":
            body = stacked_intervals(X.shape[1], length, **sizes)
        else:
            body = interval_hyena(X.shape[1], length, order=self.order, **sizes)
        settings = TrainingSettings(
            max_epochs=self.max_epochs,
            lr=self.lr,
            batch_size=self.batch_size,
            seed=seed,
            passes=True,
            device=self.device,
            title=type(self).__name__,
        )
        with thread_limit(granted_threads(self.n_jobs)):
            self.history_, network = train_features(
                PooledSequence(body), self._scaled(X), lengths, target, settings, stretching=0.0, head_rate=HEAD_RATE
            )
        self.network_ = network.eval().cpu()
        return self

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Scores of the classes.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
            Logarithms of probabilities up to a constant; for two classes the difference.
        """
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        probabilities: NDArray[Any] = torch.from_numpy(self._scores(X)).softmax(dim=1).numpy()
        return probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable classes.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        largest = self._scores(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[largest]
        return labels

    def _scores(self, X: Any) -> NDArray[Any]:
        check_is_fitted(self, "network_")
        X, lengths = validate_panel(self, X, reset=False)
        check_device(self.device)
        network = self.network_.to(self.device)
        with torch.no_grad(), thread_limit(granted_threads(self.n_jobs)):
            parts = zip(
                torch.split(torch.from_numpy(self._scaled(X)), SERIES_AT_ONCE),
                torch.split(torch.from_numpy(lengths), SERIES_AT_ONCE),
                strict=True,
            )
            found = [network(series.to(self.device), own.to(self.device)).cpu().numpy() for series, own in parts]
        return np.concatenate(found)

    def _scaled(self, X: NDArray[Any]) -> NDArray[Any]:
        """Standardised series of shape (n_samples, n_timepoints, n_channels), padded with zeros."""
        scaled = (X - self.mean_[:, np.newaxis]) * (1.0 / self.scale_)[:, np.newaxis]
        return np.ascontiguousarray(np.nan_to_num(scaled).swapaxes(1, 2), np.dtype(self.dtype))

    def _validate_params(self) -> None:
        super()._validate_params()
        refuse_unused(self, self._used_only)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
