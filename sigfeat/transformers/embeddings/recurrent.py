"""Embeddings by gated recurrent units."""

from collections.abc import Sequence
from typing import Any

from sigfeat._devices import Device
from sigfeat._validation import RandomState
from sigfeat.pooling import Windows
from sigfeat.transformers.embeddings.student import DistilledEmbedder, StudentMixer


class RecurrentEmbeddingTransformer(DistilledEmbedder):
    """Embeddings by gated recurrent units, distilled from those of attention.

    A GRU runs over the tokens and, unless causal, another one from the end to the start. The encoder is trained by
    distillation, to reproduce the tokens of a teacher.

    Parameters
    ----------
    teacher : MHAEmbedder, FrozenEstimator or None, default=None
        Embedder that the student imitates. It is cloned and fitted on the series, and y, that are passed to `fit`; a
        fitted one inside `sklearn.frozen.FrozenEstimator` is used as it is. None for ``MHAEmbedder()`` with the device,
        dtype, random state, threads and verbosity of the student; the parameters of this default can be set and
        searched too, as in ``teacher__d_model``. The student has the `positions` and the
        `embedding_filter` of its teacher: it adds sinusoids to the tokens if the teacher has sinusoidal positions, and
        embeds as many neighbouring points together.
    d_model : int or None, default=None
        Width of the tokens of the student; None for that of the teacher. If it differs, a linear map brings the tokens
        to the width of the teacher, which is the number of features of each window.
    n_layers, d_ff : int or None, default=None
        Number of blocks, and hidden width of their feed-forward parts. None for those of the teacher; `d_ff` is then
        ``2 * d_model`` if `d_model` differs from that of the teacher. A student of the same sizes starts with copies of
        the embedding, feed-forward parts and norms of the teacher, and learns faster.
    causal : bool or None, default=None
        Whether no token depends on later points; None for the setting of the teacher.
    windows : "whole", int or ("dyadic", int), default="whole"
        Windows of the pooling, which is that of the teacher: the whole series; this many equal parts; or all dyadic
        parts down to a depth. A window that contains no point of a short series uses the point at its start.
    max_epochs : int, default=15
        Number of epochs of the distillation. An epoch is 20 steps of `batch_size` series, which are augmented at
        random, so that no two passes over them are equal.
    batch_size : int, default=16
        Number of series per step.
    lr : float, default=0.003
        Learning rate at its peak; it rises over a tenth of the steps and then falls as a cosine.
    validation_fraction : float, default=0.2
        Fraction of the series on which `fidelity_` is measured. The distillation does not use them, but the training of
        the teacher does. If 0, `fidelity_` is measured on the training series.
    callbacks : list of skorch.callbacks.Callback or None, default=None
        Callbacks of skorch for the distillation of the student, but not of the control: checkpoints, loggers. An epoch
        has a "train_loss" and no "valid_loss", so callbacks must not monitor the latter: ``Checkpoint(monitor=None)``.
        Callbacks of scikit-learn are set by `set_callbacks`.
    control : bool, default=False
        Whether to train a second student, the control, that does not mix tokens over time, and to report the skill
        over it in `fidelity_`.
    device : str or torch.device, default="cpu"
        Device to compute on. "accelerate": the device that accelerate assigns to this process, which may be one of
        several that train together, as described in the notes of `MHAEmbedder`. The teacher has a device of its own.
    dtype : {"float32", "float64"} or None, default="float32"
        Precision of the computation; None for that of X. The features have the dtype of X.
    random_state : int, RandomState instance or None, default=0
        Seed of the first weights, the augmentation and the order of the series.
    n_jobs : int or None, default=None
        Number of threads, in joblib's convention, at most the number of CPUs.
    verbose : int or None, default=None
        1 for a progress bar on standard error, 0 for none. None for one if standard error is a terminal and the
        training of teacher, student or control takes more than about ten seconds.

    Attributes
    ----------
    encoder_ : sigfeat.nn.Encoder
        The student, a torch module. Its input is standardised series of shape (batch, length, channels).
    teacher_ : MHAEmbedder
        The fitted teacher. A frozen teacher is stored itself and not as a copy.
    fidelity_ : dict of float
        Figures of how close the student is to the teacher on the validation set: "pooled_r2", "token_r2", "cka" and
        "cosine" (see `sigfeat.nn.fidelity`). With ``control=True`` also "control_pooled_r2", "control_token_r2" and the
        skills "pooled_skill" and "token_skill": the fraction of the variance unexplained by the control that the
        student explains.
    control_ : sigfeat.nn.Encoder
        The student that does not mix tokens; only with ``control=True``.
    history_ : dict of ndarray
        "train_loss" of each epoch; "loss" and "gradient_norm" (before clipping at 1) of each step.
    mean_, scale_ : ndarray of shape (n_channels,)
        Mean and standard deviation of each channel, from the teacher.
    pooling_ : str
        Pooling of the tokens, from the teacher.
    n_parameters_ : int
        Number of weights of the encoder.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        If torch or skorch is not installed.
    NotFittedError
        If the teacher is frozen and not fitted.
    ValueError
        If the teacher was fitted with another number of channels or has
        invalid parameters, the device cannot be used, values are NaN or infinite, training diverges, or the output
        would not fit into memory.

    See Also
    --------
    MHAEmbedder : The teacher.
    HyenaEmbeddingTransformer, S4EmbeddingTransformer : Students without a loop over time.

    Notes
    -----
    Padding does not change the features of a series. Time O(n_timepoints d_model^2 n_layers) for each series, one
    point after the other.

    Features are named ``gru[3]|mean``: component 3 of the tokens, their mean; with windows ``gru[3]|mean|1/4-2/4``.

    References
    ----------
    .. [1] Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
       translation", 2014, arXiv:1406.1078.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sigfeat import MHAEmbedder, RecurrentEmbeddingTransformer
    >>> X = np.random.default_rng(0).standard_normal((10, 3, 50)).cumsum(axis=2)
    >>> teacher = FrozenEstimator(MHAEmbedder(d_model=16, max_epochs=1).fit(X))
    >>> embedding = RecurrentEmbeddingTransformer(teacher, max_epochs=1).fit(X)
    >>> embedding.transform(X).shape
    (10, 16)
    >>> sorted(embedding.fidelity_)
    ['cka', 'cosine', 'pooled_r2', 'token_r2']
    """

    _parameter_constraints = DistilledEmbedder._shared_constraints
    _mixer = StudentMixer("recurrent", "gru")

    def __init__(
        self,
        teacher: Any = None,
        *,
        d_model: int | None = None,
        n_layers: int | None = None,
        d_ff: int | None = None,
        causal: bool | None = None,
        windows: Windows = "whole",
        max_epochs: int = 15,
        batch_size: int = 16,
        lr: float = 0.003,
        validation_fraction: float = 0.2,
        callbacks: Sequence[Any] | None = None,
        control: bool = False,
        device: Device = "cpu",
        dtype: str | None = "float32",
        random_state: RandomState = 0,
        n_jobs: int | None = None,
        verbose: int | None = None,
    ) -> None:
        self.teacher = teacher
        self.d_model = d_model
        self.n_layers = n_layers
        self.d_ff = d_ff
        self.causal = causal
        self.windows = windows
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.validation_fraction = validation_fraction
        self.callbacks = callbacks
        self.control = control
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
