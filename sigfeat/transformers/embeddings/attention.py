"""Embeddings by multi-head attention."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray

from sigfeat._devices import Device
from sigfeat._validation import Interval, RandomState, StrOptions, _fit_context
from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.nn.mixers.positions import POSITIONS
from sigfeat.nn.mixers.projection import check_width
from sigfeat.nn.training.pretraining import Masked, Supervision
from sigfeat.nn.training.processes import processes
from sigfeat.nn.training.targets import split_rows, standardised_numbers
from sigfeat.panel import Floats
from sigfeat.pooling import Windows, trainable_poolings
from sigfeat.transformers._contract.callbacks import NO_VALIDATION_SET
from sigfeat.transformers._contract.targets import check_target
from sigfeat.transformers._contract.unused import OnlyWith
from sigfeat.transformers.embeddings._base import MANY_SERIES, Embedder, recommended_epochs
from sigfeat.transformers.embeddings._persistence.attributes import TEACHER_ATTRIBUTES

# Learning rates, chosen by cross-validation on training data, like the other defaults.
DEFAULT_LR, DEFAULT_LR_OF_CLASSES = 0.003, 0.001
WHEN_TRAINED = OnlyWith("fit_mode", ("auto", "supervised", "masked"))


class MHAEmbedder(Embedder):
    """Embeddings of series by multi-head attention, trained on y, by reconstruction of masked points, or not at all.

    Each point is a token: a linear map of its standardised channels and those of its neighbours. Blocks of attention
    and feed-forward parts, with layer norms in front and skip connections, mix the tokens, which are then pooled over
    time.

    Parameters
    ----------
    d_model : int, default=64
        Width of the tokens, and number of features of each window; a multiple of `n_heads`.
    n_heads : int, default=4
        Number of heads of attention.
    n_layers : int, default=2
        Number of blocks.
    d_ff : int or None, default=None
        Hidden width of the feed-forward parts; None for ``2 * d_model``.
    dropout : float, default=0.1
        Fraction of values that are dropped in training, in [0, 1).
    causal : bool, default=False
        Whether tokens attend only to themselves and to earlier ones.
    positions : {"rotary", "alibi", "sinusoidal", "none"}, default="rotary"
        How the positions of tokens are known. "rotary": queries and keys rotate with time, so that their products
        depend on the distance of two tokens [3]_. "alibi": the more distant a token, the lower its score [4]_.
        "sinusoidal": sinusoids of the absolute position are added to each token [1]_. "none": not at all.
    embedding_filter : int, default=9
        Number of neighbouring points that are embedded together as a token; odd unless `causal`. 1 for single points,
        which do not show the shape of a series.
    short_filter : int, default=3
        Width of the short convolution of queries, keys and values, as that of Hyena; odd unless `causal`. 1 for none.
    pooling : {"mean", "max", "min", "end"}, default="mean"
        Statistic of the tokens over a window: mean, maximum, minimum, or last value.
    windows : "whole", int or ("dyadic", int), default="whole"
        Windows of the pooling: the whole series; this many equal parts; or all dyadic parts down to a depth. A window
        that contains no point of a short series uses the point at its start.
    fit_mode : {"auto", "supervised", "masked", "random"}, default="auto"
        "supervised": a linear head on the pooled tokens predicts y, which is required. "masked": some points of the
        series are masked, and a linear head reconstructs them from the tokens of the masked series. "random": no
        training. "auto": "supervised" if y is given, and "masked" otherwise.
    task : {"auto", "classification", "regression"}, default="auto"
        Task of the supervised training. "auto": regression if y contains numbers with a fractional part, and
        classification otherwise. Only used with `fit_mode` "supervised" and "auto".
    masked_ratio : float, default=0.3
        Fraction of the points that are masked, in (0, 1). Only used with `fit_mode` "masked" and "auto".
    max_epochs : int, default=15
        Number of epochs of training. An epoch is 20 steps of `batch_size` series: the series are augmented or masked at
        random, so that no two passes over them are equal. This and the following parameters of the training, like
        `dropout`, are not used with ``fit_mode="random"``.
    batch_size : int, default=16
        Number of series per step.
    lr : float or None, default=None
        Learning rate at its peak; it rises over a tenth of the steps and then falls as a cosine. None for 0.001 in
        classification, and 0.003 otherwise.
    weight_decay : float, default=0.01
        Decoupled weight decay.
    validation_fraction : float, default=0.0
        Fraction of the series in a validation set for early stopping, which also selects the best epoch; 0 for none.
    patience : int, default=5
        Number of epochs without a better loss on the validation set after which training stops. Only used with a
        positive `validation_fraction`.
    callbacks : list of skorch.callbacks.Callback or None, default=None
        Callbacks of skorch for the training, such as checkpoints and loggers. Callbacks of scikit-learn are set by
        `set_callbacks`.
    device : str or torch.device, default="cpu"
        Device to compute on. "accelerate": the device that accelerate assigns to this process, which may be one of
        several that train together (see Notes).
    dtype : {"float32", "float64"} or None, default="float32"
        Precision of the computation; None for that of X. The features have the dtype of X.
    random_state : int, RandomState instance or None, default=0
        Seed of the first weights and of everything random in training.
    n_jobs : int or None, default=None
        Number of threads, in joblib's convention, at most the number of CPUs.
    verbose : int or None, default=None
        1 for a progress bar on standard error, 0 for none. None for one if standard error is a terminal and a training
        takes more than about ten seconds.

    Attributes
    ----------
    encoder_ : sigfeat.nn.Encoder
        The torch module. Its input is standardised series of shape (batch, length, channels).
    mean_, scale_ : ndarray of shape (n_channels,)
        Mean and standard deviation of each channel of the training series.
    pooling_ : str
        As `pooling`.
    fit_mode_ : {"supervised", "masked", "random"}
        How the encoder was trained.
    history_ : dict of ndarray
        "train_loss" and, with a validation set, "valid_loss" of each epoch; "loss" and "gradient_norm" (before clipping
        at 1) of each step. Empty with ``fit_mode="random"``.
    n_parameters_ : int
        Number of weights of the encoder.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        If torch or skorch is not installed, or accelerate with ``device="accelerate"``.
    ValueError
        If `d_model` is not a multiple of `n_heads`, a filter has an even width but is not causal, y is missing with
        ``fit_mode="supervised"`` or has a single class or value, the device cannot be used, X, y or `batch_size` are
        not compatible with the other processes, values are NaN or infinite, training diverges, or the output would not
        fit into memory.

    See Also
    --------
    HyenaEmbeddingTransformer : A student of this embedder without attention.

    Notes
    -----
    Padding does not change the features of a series. Time O(n_timepoints^2 d_model n_layers) for each series.
    Embeddings that are trained on y fit the training series better than new series. Therefore evaluate a classifier of
    these features on series that `fit` has not seen, for example in a cross-validation of the whole `Pipeline`.

    With ``device="accelerate"`` a script may be started by ``torchrun`` or ``accelerate launch`` as several processes,
    one on each GPU or several on the CPU. Each must call `fit` with the same series, y and parameters. The `batch_size`
    series of each step, a multiple of the number of processes, are divided among them, and all processes end with the
    same weights: up to rounding those of a single process, except that dropout draws other values. `transform` runs in
    each process separately. Callbacks are called in all processes, and must stop all or none; only the first process
    shows a progress bar and writes skorch's checkpoints. After an error in one process the launcher ends the others,
    which would otherwise wait for as long as torch's process group allows: by default 10 minutes on GPUs and 30 on the
    CPU.

    Features are named ``mha[3]|mean``: component 3 of the tokens, their mean; with windows
    ``mha[3]|mean|1/4-2/4``.

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762.
    .. [2] Zerveas et al., "A transformer-based framework for multivariate time series representation learning", 2021,
       arXiv:2010.02803: training by reconstruction of masked points.
    .. [3] Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021, arXiv:2104.09864.
    .. [4] Press et al., "Train short, test long: attention with linear biases enables input length extrapolation",
       2021, arXiv:2108.12409.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import MHAEmbedder
    >>> X = np.random.default_rng(0).standard_normal((10, 3, 50)).cumsum(axis=2)
    >>> embedder = MHAEmbedder(d_model=16, max_epochs=1).fit(X)
    >>> embedder.transform(X).shape
    (10, 16)
    >>> embedder.fit_mode_
    'masked'
    """

    _parameter_constraints = {
        **Embedder._shared_constraints,
        "d_model": [Interval(Integral, 1, None, closed="left")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "d_ff": [Interval(Integral, 1, None, closed="left"), None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "causal": ["boolean"],
        "positions": [StrOptions(set(POSITIONS))],
        "embedding_filter": [Interval(Integral, 1, None, closed="left")],
        "short_filter": [Interval(Integral, 1, None, closed="left")],
        "pooling": [StrOptions(set(trainable_poolings()))],
        "fit_mode": [StrOptions({"auto", "supervised", "masked", "random"})],
        "task": [StrOptions({"auto", "classification", "regression"})],
        "masked_ratio": [Interval(Real, 0, 1, closed="neither")],
        "lr": [Interval(Real, 0, None, closed="neither"), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
    }

    _saved_attributes = TEACHER_ATTRIBUTES
    _used_only = {
        "task": OnlyWith("fit_mode", ("auto", "supervised")),
        "masked_ratio": OnlyWith("fit_mode", ("auto", "masked")),
        "patience": OnlyWith("validation_fraction"),
        **dict.fromkeys(
            (
                "dropout",
                "max_epochs",
                "batch_size",
                "lr",
                "weight_decay",
                "validation_fraction",
                "callbacks",
            ),
            WHEN_TRAINED,
        ),
    }

    def __init__(
        self,
        d_model: int = 64,
        *,
        n_heads: int = 4,
        n_layers: int = 2,
        d_ff: int | None = None,
        dropout: float = 0.1,
        causal: bool = False,
        positions: str = "rotary",
        embedding_filter: int = 9,
        short_filter: int = 3,
        pooling: str = "mean",
        windows: Windows = "whole",
        fit_mode: str = "auto",
        task: str = "auto",
        masked_ratio: float = 0.3,
        max_epochs: int = 15,
        batch_size: int = 16,
        lr: float | None = None,
        weight_decay: float = 0.01,
        validation_fraction: float = 0.0,
        patience: int = 5,
        callbacks: Sequence[Any] | None = None,
        device: Device = "cpu",
        dtype: str | None = "float32",
        random_state: RandomState = 0,
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> None:
        self.d_model = d_model
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.d_ff = d_ff
        self.dropout = dropout
        self.causal = causal
        self.positions = positions
        self.embedding_filter = embedding_filter
        self.short_filter = short_filter
        self.pooling = pooling
        self.windows = windows
        self.fit_mode = fit_mode
        self.task = task
        self.masked_ratio = masked_ratio
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.callbacks = callbacks
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the encoder.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Classes or numbers; only used with `fit_mode` "supervised" and "auto".

        Returns
        -------
        self : MHAEmbedder
        """
        X, lengths = self._begin(X, y)
        fit_mode = self.fit_mode
        if fit_mode == "auto":
            fit_mode = "masked" if y is None else "supervised"
        mode = f"fit_mode={self.fit_mode!r}" + (" with y" if self.fit_mode == "auto" else "")
        target = check_target(y, X, self.task, mode) if fit_mode == "supervised" else None
        if target is not None:
            processes(self.device).check_same("y", target[1])
        self._learn_scaling(X, lengths)
        seed = self._seed()
        generator = torch.Generator().manual_seed(seed)
        encoder = Encoder(self._spec(X.shape[1]), generator=generator, dtype=self._torch_dtype())
        context = self._init_callback_context(max_subtasks=0 if fit_mode == "random" else self.max_epochs)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        history: dict[str, NDArray[Any]] = {}
        if fit_mode != "random":
            objective, inputs, classes = self._objective(encoder, X, lengths, target, generator)
            _, validation = split_rows(len(X), self.validation_fraction, seed, classes, needed=1)
            history = self._train(
                objective,
                inputs,
                validation,
                seed,
                context,
                lr=self.lr or (DEFAULT_LR if classes is None else DEFAULT_LR_OF_CLASSES),
                weight_decay=self.weight_decay,
                patience=self.patience,
            )
            encoder = cast(Encoder, objective.average)
        self.history_, self.fit_mode_, self.pooling_ = history, fit_mode, self.pooling
        self._finish(encoder)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    @classmethod
    def recommended(cls, n_samples: int, n_timepoints: int) -> Self:
        """Unfitted embedder with settings for data of a size.

        Parameters
        ----------
        n_samples : int
            Number of training series. From 2000 on the encoder is wider and deeper.
        n_timepoints : int
            Length of the longest series. Batches of long series are smaller.

        Returns
        -------
        embedder : MHAEmbedder
            Batch size, epochs and sizes are set; everything else has its default.
        """
        sizes: dict[str, Any] = {"d_model": 128, "n_heads": 8, "n_layers": 3} if n_samples >= MANY_SERIES else {}
        sizes |= recommended_epochs(n_samples, n_timepoints, cls().max_epochs)
        return cls(**sizes)

    def _objective(
        self,
        encoder: Encoder,
        X: Floats,
        lengths: NDArray[np.int64],
        target: tuple[str, NDArray[Any]] | None,
        generator: torch.Generator,
    ) -> tuple[Masked | Supervision, dict[str, NDArray[Any]], NDArray[Any] | None]:
        """Return the objective, its inputs, and numbers of the classes or None."""
        inputs = {"series": self._standardised(X, lengths), "lengths": lengths}
        if target is None:
            return Masked(encoder, self.masked_ratio, generator), inputs, None
        kind, y = target
        if kind == "classification":
            objective = Supervision(encoder, int(y.max()) + 1, True, self.pooling, generator)
            return objective, inputs | {"target": y}, y
        objective = Supervision(encoder, y.shape[1], False, self.pooling, generator)
        return objective, inputs | {"target": standardised_numbers(y).astype(self._compute_dtype)}, None

    def _spec(self, n_channels: int) -> EncoderSpec:
        if self.d_model % self.n_heads:
            raise ValueError(
                f"d_model must be a multiple of n_heads, got d_model={self.d_model} and n_heads={self.n_heads}"
            )
        for name in ("embedding_filter", "short_filter"):
            check_width(name, getattr(self, name), bool(self.causal))
        return EncoderSpec(
            mixer="attention",
            n_channels=n_channels,
            d_model=int(self.d_model),
            n_layers=int(self.n_layers),
            d_ff=int(self.d_ff or 2 * self.d_model),
            d_out=int(self.d_model),
            causal=bool(self.causal),
            dropout=float(self.dropout),
            n_heads=int(self.n_heads),
            positions=str(self.positions),
            embedding_filter=int(self.embedding_filter),
            short_filter=int(self.short_filter),
        )

    def _without_validation(self) -> str | None:
        if self.fit_mode == "random" or self.validation_fraction > 0:
            return None
        return NO_VALIDATION_SET

    def _encoder_label(self) -> str:
        return "mha"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.fit_mode == "supervised"
        return tags
