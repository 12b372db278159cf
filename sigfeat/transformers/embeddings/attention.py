"""Embeddings by multi-head attention."""

from numbers import Integral, Real

import torch

from sigfeat._validation import Interval, StrOptions, _fit_context
from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.nn.training.loop import n_epochs
from sigfeat.nn.training.pretraining import Masked, Supervision
from sigfeat.nn.training.processes import processes
from sigfeat.nn.training.supervised import split_rows, standardised_numbers
from sigfeat.pooling import trainable_poolings
from sigfeat.transformers._contract.callbacks import NONE_HELD_OUT
from sigfeat.transformers._contract.targets import check_target
from sigfeat.transformers.embeddings._base import MANY_SERIES, Embedder, recommended_steps

RATE, RATE_OF_CLASSES = 0.003, 0.001  # chosen, as the other defaults, by cross-validation on training data


class MHAEmbedder(Embedder):
    """Embeddings of series by multi-head attention, trained on classes or numbers, on hidden points, or not at all.

    Each point is a token: a linear map of its standardised channels plus sines and cosines of its position. Blocks of
    attention and feed-forward parts (pre-norm, with residuals) mix the tokens, which are pooled over time.

    Parameters
    ----------
    d_model : int, default=64
        Width of the tokens, and number of features of each window; a multiple of `n_heads`.
    n_heads : int, default=4
        Heads of attention.
    n_layers : int, default=2
        Blocks.
    d_ff : int or None, default=None
        Hidden width of the feed-forward parts; None for 2 d_model.
    dropout : float, default=0.1
        Share of values dropped in training, in [0, 1).
    causal : bool, default=False
        Whether tokens attend to earlier ones and themselves only.
    pooling : {"mean", "max", "min", "end"}, default="mean"
        Statistic of the tokens over a window.
    objective : {"auto", "supervised", "masked", "random"}, default="auto"
        "supervised": a linear head on the pooled tokens tells y, which is needed. "masked": another tells hidden points
        of the series from the others. "random": no training. "auto": supervised where y is given, else masked.
    task : {"auto", "classification", "regression"}, default="auto"
        What supervised training takes y for. "auto": numbers with a fractional part are targets of a regression,
        anything else is classes.
    masked_ratio : float, default=0.3
        Share of the points that are hidden, in (0, 1).
    output : {"pooled", "sequence"}, default="pooled"
        Tokens pooled over the whole series, or over `windows` of it.
    windows : int, ("dyadic", int) or "whole", default=4
        Windows of ``output="sequence"``: this many equal parts, or all dyadic parts down to a depth. A window without
        a point of a short series takes the point at its start.
    n_steps : int, default=300
        Steps of training.
    batch_size : int, default=16
        Series per step.
    lr : float or None, default=None
        Learning rate at its peak; it rises over a tenth of the steps and falls as a cosine. None for 0.001 if y is
        classes, and 0.003 otherwise.
    weight_decay : float, default=0.01
        Decoupled weight decay.
    validation_fraction : float, default=0.0
        Share of the series that is held out to stop training early, and to keep the best epoch; 0 for none.
    patience : int, default=5
        Epochs, of 20 steps, without a better loss on the held-out series, after which training stops.
    callbacks : list of skorch.callbacks.Callback or None, default=None
        Given to skorch: checkpoints, loggers. Callbacks of scikit-learn are set by `set_callbacks`.
    device : str or torch.device, default="cpu"
        Where to compute. "accelerate": on the device that accelerate gives to this process, which may be one of several
        that train together (see Notes).
    dtype : {"float32", "float64"} or None, default="float32"
        Precision to compute in; None for that of X. The features have the dtype of X.
    random_state : int, RandomState instance or None, default=0
        Of the first weights and of everything random in training.
    n_jobs : int or None, default=None
        Threads, in joblib's convention, no more than CPUs.
    verbose : int, default=0
        1 for a progress bar.

    Attributes
    ----------
    encoder_ : sigfeat.nn.Encoder
        The torch module; takes standardised series (batch, length, channels).
    mean_, scale_ : ndarray of shape (n_channels,)
        Mean and standard deviation of each channel of the training series.
    pooling_ : str
        As `pooling`.
    objective_ : {"supervised", "masked", "random"}
        By what it was trained.
    history_ : dict of ndarray
        "loss" and "gradient_norm" (before clipping at 1) of each step, and "valid_loss" of each epoch where series are
        held out; empty if "random".
    n_parameters_ : int
        Weights of the encoder.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        If torch or skorch is not installed, or accelerate where the device asks for it.
    ValueError
        If d_model is no multiple of n_heads, y is missing for ``objective="supervised"`` or given and of one class or
        value only, the device cannot be used, X, y or `batch_size` do not go with the other processes, values are NaN
        or infinite, training diverges, or the output would not fit into memory.

    See Also
    --------
    HyenaEmbeddingTransformer : A student of it that needs no attention.

    Notes
    -----
    A padded series gives what it gives alone. Time O(n_timepoints^2 d_model n_layers) for each series. Embeddings
    trained on y fit the training series better than others, so judge a classifier on top by series that `fit` has not
    seen: as part of a `Pipeline` in a cross-validation.

    With ``device="accelerate"`` a script may be started by ``torchrun`` or ``accelerate launch`` as several processes,
    one on each GPU or several on the CPU. Each must call `fit` with the same series, y and parameters. Of the
    `batch_size` series of each step, a multiple of the number of processes, every process takes its share, and all end
    with the same weights: up to rounding those that one process finds, but that values dropped at random are others.
    `transform` is each process's own affair. Callbacks are called in all processes, and must stop all or none; only the
    first shows a progress bar and writes skorch's checkpoints. An error ends its own process, and the launcher then
    ends the others, which would otherwise wait as long as torch's process group allows: by default 10 minutes on GPUs
    and 30 on the CPU.

    Features are named ``mha[3]|mean``: component 3 of the tokens, their mean; with windows
    ``mha[3]|mean|1/4-2/4``.

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762.
    .. [2] Zerveas et al., "A transformer-based framework for multivariate time series representation learning", 2021,
       arXiv:2010.02803: training on hidden points.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat import MHAEmbedder
    >>> X = np.random.default_rng(0).standard_normal((10, 3, 50)).cumsum(axis=2)
    >>> embedder = MHAEmbedder(d_model=16, n_steps=5).fit(X)
    >>> embedder.transform(X).shape
    (10, 16)
    >>> embedder.objective_
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
        "pooling": [StrOptions(set(trainable_poolings()))],
        "objective": [StrOptions({"auto", "supervised", "masked", "random"})],
        "task": [StrOptions({"auto", "classification", "regression"})],
        "masked_ratio": [Interval(Real, 0, 1, closed="neither")],
        "lr": [Interval(Real, 0, None, closed="neither"), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        d_model=64,
        n_heads=4,
        n_layers=2,
        d_ff=None,
        dropout=0.1,
        causal=False,
        pooling="mean",
        objective="auto",
        task="auto",
        masked_ratio=0.3,
        output="pooled",
        windows=4,
        n_steps=300,
        batch_size=16,
        lr=None,
        weight_decay=0.01,
        validation_fraction=0.0,
        patience=5,
        callbacks=None,
        device="cpu",
        dtype="float32",
        random_state=0,
        n_jobs=None,
        verbose=0,
    ):
        self.d_model = d_model
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.d_ff = d_ff
        self.dropout = dropout
        self.causal = causal
        self.pooling = pooling
        self.objective = objective
        self.task = task
        self.masked_ratio = masked_ratio
        self.output = output
        self.windows = windows
        self.n_steps = n_steps
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
    def fit(self, X, y=None):
        """Train the encoder.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Classes or numbers; used by the objectives "supervised" and "auto" only.

        Returns
        -------
        self : MHAEmbedder
        """
        X, lengths = self._begin(X, y)
        objective = self.objective
        if objective == "auto":
            objective = "masked" if y is None else "supervised"
        mode = f"objective={self.objective!r}" + (" with y" if self.objective == "auto" else "")
        target = check_target(y, X, self.task, mode) if objective == "supervised" else None
        if target is not None:
            processes(self.device).check_same("y", target[1])
        self._learn_units(X, lengths)
        seed = self._seed()
        generator = torch.Generator().manual_seed(seed)
        encoder = Encoder(self._spec(X.shape[1]), generator=generator, dtype=self._torch_dtype())
        n_tasks = 0 if objective == "random" else n_epochs(self.n_steps)
        context = self._init_callback_context(max_subtasks=n_tasks)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        history = {}
        if objective != "random":
            network, inputs, classes = self._objective(objective, encoder, X, lengths, target, generator)
            _, held_out = split_rows(len(X), self.validation_fraction, seed, classes, needed=1)
            history = self._train_steps(
                network,
                inputs,
                held_out,
                seed,
                context,
                lr=self.lr or (RATE if classes is None else RATE_OF_CLASSES),
                weight_decay=self.weight_decay,
                patience=self.patience,
            )
            encoder = network.average
        self.history_, self.objective_, self.pooling_ = history, objective, self.pooling
        self._finish(encoder)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    @classmethod
    def recommended(cls, n_samples, n_timepoints):
        """Unfitted embedder with settings for data of a size.

        Parameters
        ----------
        n_samples : int
            Number of training series; from 2000 on the encoder is wider and deeper.
        n_timepoints : int
            Length of the longest. Batches of long series are smaller.

        Returns
        -------
        embedder : MHAEmbedder
            Batches, steps and sizes are set; everything else has its default.
        """
        sizes = {"d_model": 128, "n_heads": 8, "n_layers": 3} if n_samples >= MANY_SERIES else {}
        return cls(**sizes, **recommended_steps(n_samples, n_timepoints, cls().n_steps))

    def _objective(self, objective, encoder, X, lengths, target, generator):
        """Module to be trained, its inputs, and numbers of the classes or None."""
        inputs = {"series": self._standardised(X, lengths), "lengths": lengths}
        if objective == "masked":
            return Masked(encoder, self.masked_ratio, generator), inputs, None
        kind, y = target
        if kind == "classification":
            network = Supervision(encoder, int(y.max()) + 1, True, self.pooling, generator)
            return network, inputs | {"target": y}, y
        network = Supervision(encoder, y.shape[1], False, self.pooling, generator)
        return network, inputs | {"target": standardised_numbers(y).astype(self._compute_dtype)}, None

    def _spec(self, n_channels):
        if self.d_model % self.n_heads:
            raise ValueError(
                f"d_model must be a multiple of n_heads, got d_model={self.d_model} and n_heads={self.n_heads}"
            )
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
        )

    def _without_validation(self):
        if self.objective == "random" or self.validation_fraction > 0:
            return None
        return NONE_HELD_OUT

    def _encoder_label(self):
        return "mha"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.objective == "supervised"
        return tags
