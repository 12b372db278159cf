"""Embeddings by Hyena."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from sigfeat._devices import Device
from sigfeat._validation import Interval, RandomState
from sigfeat.nn.encoder import EncoderSpec
from sigfeat.nn.mixers.projection import check_width
from sigfeat.nn.mixers.spec import LARGEST_EXPANSION
from sigfeat.pooling import Windows
from sigfeat.transformers.embeddings.student import DistilledEmbedder, StudentMixer


def _needed_timepoints(spec: EncoderSpec) -> int:
    """Smallest number of points at which every tap of the short filter is used."""
    return spec.short_filter if spec.causal else spec.short_filter // 2 + 1


def _check(spec: EncoderSpec) -> None:
    check_width("short_filter", spec.short_filter, spec.causal)


class HyenaEmbeddingTransformer(DistilledEmbedder):
    """Embeddings by Hyena, distilled from those of attention.

    Attention compares all pairs of tokens. Hyena instead alternates long convolutions and products with projections
    x_1, ..., x_N of the tokens: z_1 = v, z_{n+1} = (1 + x_n / N) . (h_n * z_n). A small network computes the filters
    from the lag, so that they are as long as the longest series of `fit`. The encoder is trained by distillation, to
    reproduce the tokens of a teacher.

    Parameters
    ----------
    teacher : MHAEmbedder, FrozenEstimator or None, default=None
        Embedder that the student imitates. It is cloned and fitted on the series, and y, that are passed to `fit`; a
        fitted one inside `sklearn.frozen.FrozenEstimator` is used as it is. None for ``MHAEmbedder()`` with the device,
        dtype, random state, threads and verbosity of the student; the parameters of this default can be set and
        searched too, as in ``teacher__d_model``. The student has the `positions` and the
        `embedding_filter` of its teacher: it adds sinusoids to the tokens if the teacher has sinusoidal positions, and
        embeds as many neighbouring points together.
    order : int, default=2
        Number N of long convolutions and gates.
    d_model : int or None, default=None
        Width of the tokens of the student; None for that of the teacher. If it differs, a linear map brings the tokens
        to the width of the teacher, which is the number of features of each window.
    n_layers, d_ff : int or None, default=None
        Number of blocks, and hidden width of their feed-forward parts. None for those of the teacher; `d_ff` is then
        ``2 * d_model`` if `d_model` differs from that of the teacher. A student of the same sizes starts with copies of
        the embedding, feed-forward parts and norms of the teacher, and learns faster.
    causal : bool or None, default=None
        Whether no token depends on later points; None for the setting of the teacher.
    short_filter : int, default=3
        Width of the short convolution of the projections; odd unless causal.
    filter_width, filter_bands : int, default=64, 8
        Hidden width of the network of the filters, and number of frequencies of the lag in its input.
    gate_norm : bool, default=False
        Whether the tokens are normalised after each gate.
    expansion : float, default=1.0
        Width of the convolutions and gates as a multiple of the width of the tokens.
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
        If series are too short for the short filter, the teacher was fitted with another number of channels or has
        invalid parameters, the device cannot be used, values are NaN or infinite, training diverges, or the output
        would not fit into memory.

    See Also
    --------
    MHAEmbedder : The teacher.
    S4EmbeddingTransformer, RecurrentEmbeddingTransformer : Other students.
    sigfeat.nn.Hyena : The torch module that mixes the tokens.

    Notes
    -----
    Padding does not change the features of a series. The filters do not depend on the length of a series, and are 0 at
    lags that no series of `fit` has. Series that are much longer than those can therefore be embedded in one pass, but
    points that are further apart than this do not see each other. Time
    O(n_timepoints (d_model + log n_timepoints) d_model order n_layers) for each series, by fast Fourier transforms.

    Features are named ``hyena2[3]|mean``: order 2, component 3 of the tokens, their mean; with windows
    ``hyena2[3]|mean|1/4-2/4``.

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy: towards larger convolutional language models", 2023, arXiv:2302.10866.
    .. [2] Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network", 2015, arXiv:1503.02531.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sigfeat import MHAEmbedder, HyenaEmbeddingTransformer
    >>> X = np.random.default_rng(0).standard_normal((10, 3, 50)).cumsum(axis=2)
    >>> teacher = FrozenEstimator(MHAEmbedder(d_model=16, max_epochs=1).fit(X))
    >>> embedding = HyenaEmbeddingTransformer(teacher, max_epochs=1).fit(X)
    >>> embedding.transform(X).shape
    (10, 16)
    >>> sorted(embedding.fidelity_)
    ['cka', 'cosine', 'pooled_r2', 'token_r2']
    """

    _parameter_constraints = {
        "order": [Interval(Integral, 1, None, closed="left")],
        "short_filter": [Interval(Integral, 1, None, closed="left")],
        "filter_width": [Interval(Integral, 1, None, closed="left")],
        "filter_bands": [Interval(Integral, 1, None, closed="left")],
        "gate_norm": ["boolean"],
        "expansion": [Interval(Real, 0, LARGEST_EXPANSION, closed="neither")],
        **DistilledEmbedder._shared_constraints,
    }
    _mixer = StudentMixer(
        "hyena",
        "hyena{order}",
        ("order", "short_filter", "filter_width", "filter_bands", "gate_norm", "expansion"),
        _needed_timepoints,
        "short_filter={short_filter}",
        _check,
    )

    def __init__(
        self,
        teacher: Any = None,
        *,
        order: int = 2,
        d_model: int | None = None,
        n_layers: int | None = None,
        d_ff: int | None = None,
        causal: bool | None = None,
        short_filter: int = 3,
        filter_width: int = 64,
        filter_bands: int = 8,
        gate_norm: bool = False,
        expansion: float = 1.0,
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
        self.order = order
        self.d_model = d_model
        self.n_layers = n_layers
        self.d_ff = d_ff
        self.causal = causal
        self.short_filter = short_filter
        self.filter_width = filter_width
        self.filter_bands = filter_bands
        self.gate_norm = gate_norm
        self.expansion = expansion
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
