"""Embeddings by state space models."""

from numbers import Integral

from sigfeat._validation import Interval, StrOptions
from sigfeat.transformers.embeddings.student import DistilledEmbedder


class S4EmbeddingTransformer(DistilledEmbedder):
    """Embeddings by state space models (S4), which imitate those of attention.

    Each channel of the tokens drives a linear system of many states, x' = A x + B u, y = C x + D u: a long
    convolution, or a recurrence. It is fit by distillation: its tokens are to be those of a teacher.

    Parameters
    ----------
    teacher : MHAEmbedder, FrozenEstimator or None, default=None
        What is imitated: cloned and fitted on the series, and y, that `fit` gets; or as it is, where a fitted one
        comes inside `sklearn.frozen.FrozenEstimator`. None for ``MHAEmbedder()`` with the device, dtype and random
        state given here, whose parameters are set, and searched, as ``teacher__d_model`` all the same.
    d_state : int, default=64
        States of each channel, an even number.
    kind : {"diagonal", "dplr"}, default="diagonal"
        State matrix: diagonal (S4D, starting as S4D-Lin), or diagonal plus low rank (S4, starting as HiPPO-LegS).
    d_model : int or None, default=None
        Width of the student's tokens; None for the teacher's. Where it is another, a linear map brings the tokens to
        the teacher's width, which is the number of features of each window.
    n_layers, d_ff : int or None, default=None
        Blocks, and hidden width of their feed-forward parts; None for the teacher's, and for ``2 * d_model`` where
        `d_model` is not the teacher's. A student of the teacher's sizes starts with copies of its embedding,
        feed-forward parts and norms, and learns faster.
    causal : bool or None, default=None
        Whether no token depends on later ones; None for as the teacher.
    output : {"pooled", "sequence"}, default="pooled"
        Tokens pooled over the whole series, or over `windows` of it, as the teacher pools them.
    windows : int, ("dyadic", int) or "whole", default=4
        Windows of ``output="sequence"``: this many equal parts, or all dyadic parts down to a depth. A window without
        a point of a short series takes the point at its start.
    control : bool, default=False
        Whether a student that does not mix tokens is trained too, so that `fidelity_` tells the skill over it.
    n_steps : int, default=600
        Steps of distillation.
    batch_size : int, default=16
        Series per step.
    lr : float, default=0.003
        Learning rate at its peak; it rises over a tenth of the steps and falls as a cosine.
    validation_fraction : float, default=0.2
        Share of the series held out of the distillation, but not of the training of the teacher, for `fidelity_`.
        If 0, that is measured on the training series.
    callbacks : list of skorch.callbacks.Callback or None, default=None
        Given to skorch in the distillation of the student, not of the control: checkpoints, loggers. An epoch has a
        "train_loss" and no "valid_loss": say so to those that watch one, as by ``Checkpoint(monitor=None)``. Callbacks
        of scikit-learn are set by `set_callbacks`.
    device : str or torch.device, default="cpu"
        Where to compute. "accelerate": on the device that accelerate gives to this process, which may be one of several
        that train together, as described in the notes of `MHAEmbedder`. The teacher has a device of its own.
    dtype : {"float32", "float64"} or None, default="float32"
        Precision to compute in; None for that of X. The features have the dtype of X.
    random_state : int, RandomState instance or None, default=0
        Of the first weights, the distortions and the order of the series; given to the teacher if that is None.
    n_jobs : int or None, default=None
        Threads, in joblib's convention, no more than CPUs.
    verbose : int, default=0
        1 for a progress bar.

    Attributes
    ----------
    encoder_ : sigfeat.nn.Encoder
        The student, a torch module; takes standardised series (batch, length, channels).
    teacher_ : MHAEmbedder
        The fitted teacher; one that came frozen is itself here, and no copy.
    fidelity_ : dict of float
        How close the student is to the teacher on held-out series: "pooled_r2", "token_r2", "cka" and "cosine" (see
        `sigfeat.nn.fidelity`); with ``control=True`` also "control_pooled_r2", "control_token_r2" and the shares of
        what the control leaves unexplained, "pooled_skill" and "token_skill".
    control_ : sigfeat.nn.Encoder
        The student that does not mix tokens; with ``control=True`` only.
    history_ : dict of ndarray
        "loss" and "gradient_norm" (before clipping at 1) of each step.
    mean_, scale_ : ndarray of shape (n_channels,)
        Mean and standard deviation of each channel, as the teacher has them.
    pooling_ : str
        How tokens are pooled, as the teacher does.
    n_parameters_ : int
        Weights of the encoder.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ImportError
        If torch or skorch is not installed.
    NotFittedError
        If the teacher is frozen and not fitted.
    ValueError
        If d_state is odd, the teacher was fitted with another number of channels or refuses its own parameters, the
        device cannot be used, values are NaN or infinite, training diverges, or the output would not fit into memory.

    See Also
    --------
    MHAEmbedder : The teacher.
    HyenaEmbeddingTransformer : A student with gates, and filters of any form.
    sigfeat.nn.S4 : The torch module that mixes the tokens.

    Notes
    -----
    A padded series gives what it gives alone. Unless causal, a second system runs from the end to the start. Time
    O(n_timepoints (d_model + log n_timepoints) d_model n_layers) for each series, by fast Fourier transforms.

    Features are named ``s4[3]|mean``: component 3 of the tokens, their mean; with windows ``s4[3]|mean|1/4-2/4``.

    References
    ----------
    .. [1] Gu, Goel, Re, "Efficiently modeling long sequences with structured state spaces", 2021, arXiv:2111.00396.
    .. [2] Gu et al., "On the parameterization and initialization of diagonal state space models", 2022,
       arXiv:2206.11893.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sigfeat import MHAEmbedder, S4EmbeddingTransformer
    >>> X = np.random.default_rng(0).standard_normal((10, 3, 50)).cumsum(axis=2)
    >>> teacher = FrozenEstimator(MHAEmbedder(d_model=16, n_steps=5).fit(X))
    >>> embedding = S4EmbeddingTransformer(teacher, n_steps=5).fit(X)
    >>> embedding.transform(X).shape
    (10, 16)
    >>> sorted(embedding.fidelity_)
    ['cka', 'cosine', 'pooled_r2', 'token_r2']
    """

    _parameter_constraints = {
        "d_state": [Interval(Integral, 2, None, closed="left")],
        "kind": [StrOptions({"diagonal", "dplr"})],
        **DistilledEmbedder._shared_constraints,
    }

    def __init__(
        self,
        teacher=None,
        d_state=64,
        kind="diagonal",
        d_model=None,
        n_layers=None,
        d_ff=None,
        causal=None,
        output="pooled",
        windows=4,
        control=False,
        n_steps=600,
        batch_size=16,
        lr=0.003,
        validation_fraction=0.2,
        callbacks=None,
        device="cpu",
        dtype="float32",
        random_state=0,
        n_jobs=None,
        verbose=0,
    ):
        self.teacher = teacher
        self.d_state = d_state
        self.kind = kind
        self.d_model = d_model
        self.n_layers = n_layers
        self.d_ff = d_ff
        self.causal = causal
        self.output = output
        self.windows = windows
        self.control = control
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.lr = lr
        self.validation_fraction = validation_fraction
        self.callbacks = callbacks
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _own_spec(self, causal):
        if self.d_state % 2:
            raise ValueError(f"d_state must be even, got {self.d_state}")
        return {"mixer": "s4", "d_state": int(self.d_state), "kind": self.kind}

    def _encoder_label(self):
        return "s4"
