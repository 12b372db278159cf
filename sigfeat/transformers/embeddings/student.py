"""Students: embedders that are distilled from a teacher, each with its own mixer."""

import copy
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from torch import Tensor

from sigfeat._messages import plain
from sigfeat._validation import Interval, _fit_context, check_is_fitted
from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.nn.fidelity import fidelity, skill
from sigfeat.nn.training.distillation import Distillation, copy_weights
from sigfeat.nn.training.targets import split_rows
from sigfeat.panel import Floats, Panel
from sigfeat.transformers._contract.nested import DefaultPartsMixin
from sigfeat.transformers.embeddings._base import Embedder, recommended_epochs
from sigfeat.transformers.embeddings._persistence.attributes import STUDENT_ATTRIBUTES
from sigfeat.transformers.embeddings.attention import MHAEmbedder


@dataclass(frozen=True)
class StudentMixer:
    """The mixer of a class of students.

    Parameters
    ----------
    name : str
        Value of `EncoderSpec.mixer`.
    label : str
        Start of the names of the features, with fields of the spec in braces.
    fields : tuple of str
        Parameters of the embedder that are fields of `EncoderSpec` of the same name.
    needed_timepoints : callable
        Smallest number of points of a series, as a function of the spec.
    what_needs : str
        Name of the part that needs them, with fields of the spec in braces.
    check : callable
        Raises a ValueError if fields of the spec do not go together.
    """

    name: str
    label: str
    fields: tuple[str, ...] = ()
    needed_timepoints: Callable[[EncoderSpec], int] = lambda spec: 1
    what_needs: str = ""
    check: Callable[[EncoderSpec], None] = lambda spec: None


class DistilledEmbedder(DefaultPartsMixin, Embedder):
    """An embedder that learns to reproduce the tokens of its teacher.

    Subclasses set `_mixer`, and have the parameters in its `fields`.
    """

    _mixer: StudentMixer
    _saved_attributes = STUDENT_ATTRIBUTES
    _shared_constraints: dict[str, Any] = {
        **Embedder._shared_constraints,
        "teacher": "no_validation",  # checked below, so that the message names no private classes
        "d_model": [Interval(Integral, 1, None, closed="left"), None],
        "n_layers": [Interval(Integral, 1, None, closed="left"), None],
        "d_ff": [Interval(Integral, 1, None, closed="left"), None],
        "causal": ["boolean", None],
        "control": ["boolean"],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the teacher, unless it is frozen, and distil the student from it.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series; see `to_panel`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Passed to the teacher.

        Returns
        -------
        self : DistilledEmbedder
        """
        X, lengths = self._begin(X, y)
        seed = self._seed()
        training, validation = split_rows(len(X), self.validation_fraction, seed, needed=1)
        is_frozen = isinstance(self.teacher, FrozenEstimator)
        context = self._init_callback_context(max_subtasks=1 + self.control + (not is_frozen))
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        teacher = self.teacher.estimator if is_frozen else self._fit_teacher(X, y, context)
        self._compute_dtype = np.dtype(self.dtype or X.dtype)
        self.mean_, self.scale_, self.pooling_ = teacher.mean_, teacher.scale_, teacher.pooling_
        example = copy.deepcopy(teacher.encoder_).to(dtype=self._torch_dtype())
        longest = int(lengths.max())  # filters are not known at larger lags
        spec = dataclasses.replace(self._spec(X.shape[1]), time_scale=float(longest), filter_length=longest)
        student, history = self._distil(spec, example, X, lengths, validation, seed, context)
        if self.control:  # without callbacks: checkpoints and loggers are for the student only
            aimless = dataclasses.replace(spec, mixer="pointwise")
            unlogged = {"callbacks": (), "title": f"{type(self).__name__}, control"}
            control, _ = self._distil(aimless, example, X, lengths, validation, seed, context, **unlogged)
            self.control_ = control.cpu()
        self.encoder_, self.teacher_, self.history_ = student, teacher, history
        rows = validation if len(validation) else training
        self.fidelity_ = self._fidelity(X[rows], lengths[rows])
        self._finish(student)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def fidelity(self, X: Any) -> dict[str, float]:
        """Figures of how close the student is to its teacher on any series.

        Parameters
        ----------
        X : array of shape (n_samples, n_channels, n_timepoints), or any other panel
            Series, of any length, with as many channels as at fit.

        Returns
        -------
        figures : dict of float
            As `fidelity_`.
        """
        return self._fidelity(*self._check_new(X))

    @classmethod
    def recommended(cls, n_samples: int, n_timepoints: int) -> Self:
        """Unfitted student and teacher with settings for data of a size.

        Parameters
        ----------
        n_samples : int
            Number of training series. From 2000 on the encoders are wider and deeper.
        n_timepoints : int
            Length of the longest series. Batches of long series are smaller.

        Returns
        -------
        embedder : DistilledEmbedder
            Teacher, batch size and epochs are set; everything else has its default.
        """
        teacher = MHAEmbedder.recommended(n_samples, n_timepoints)
        return cls(teacher, **recommended_epochs(n_samples, n_timepoints, cls().max_epochs))

    def _fidelity(self, X: Floats, lengths: NDArray[np.int64]) -> dict[str, float]:
        teacher = copy.deepcopy(self.teacher_.encoder_).to(dtype=self._torch_dtype())
        figures = self._compare(self.encoder_, teacher, X, lengths)
        if hasattr(self, "control_"):
            of_control = self._compare(self.control_, teacher, X, lengths)
            for name in ("pooled", "token"):
                figures[f"control_{name}_r2"] = of_control[f"{name}_r2"]
                figures[f"{name}_skill"] = skill(figures[f"{name}_r2"], of_control[f"{name}_r2"])
        return figures

    def _begin(self, X: Any, y: Any) -> tuple[Floats, NDArray[np.int64]]:
        X, lengths = super()._begin(X, y)
        if isinstance(self.teacher, FrozenEstimator):
            frozen = self.teacher.estimator
            if frozen.n_channels_ != X.shape[1]:
                raise ValueError(
                    f"teacher must be fitted with as many channels as X has, {X.shape[1]}, got {frozen.n_channels_}"
                )
            known, names = self._channel_names(frozen), self._channel_names(self)
            if known is not None and names is not None and not np.array_equal(known, names):
                raise ValueError(
                    "teacher must be fitted with channels named and ordered as those of X are, "
                    f"{list(names)}, got {list(known)}"
                )
        return X, lengths

    @staticmethod
    def _channel_names(fitted: Embedder) -> NDArray[np.object_] | None:
        """Names of the channels seen at fit; None without names, or if they name the columns of a table."""
        return fitted.feature_names_in_ if fitted._has_channel_names() else None

    def _teacher(self) -> Any:
        """Return the teacher as it was passed, or the default one, after a check of its parameters."""
        if self.teacher is None:
            return self._default_parts()["teacher"]
        if isinstance(self.teacher, FrozenEstimator):
            frozen = self.teacher.estimator
            if not isinstance(frozen, Embedder):
                raise ValueError(
                    f"teacher must hold an embedder such as MHAEmbedder, got FrozenEstimator of {type(frozen).__name__}"
                )
            check_is_fitted(frozen)
        else:
            self.teacher._validate_params()
        return self.teacher

    def _default_parts(self) -> dict[str, Any]:
        names = ("device", "dtype", "random_state", "n_jobs", "verbose")
        return {} if self.teacher is not None else {"teacher": MHAEmbedder(**{n: getattr(self, n) for n in names})}

    def _fit_teacher(self, X: Floats, y: Any, context: Any) -> Embedder:
        teacher: Embedder = clone(self._teacher())
        task = context.subcontext(task_name="teacher")
        with task.propagate_callback_context(teacher):
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            teacher.fit(X.view(Panel), y)  # the axes of X were already checked
            task.call_on_fit_task_end(estimator=self, X=X, y=y)
        return teacher

    def _distil(
        self,
        spec: EncoderSpec,
        teacher: Encoder,
        X: Floats,
        lengths: NDArray[np.int64],
        validation: NDArray[np.int64],
        seed: int,
        context: Any,
        **settings: Any,
    ) -> tuple[Encoder, dict[str, NDArray[Any]]]:
        """Return a student and the history of its training."""
        generator = torch.Generator().manual_seed(seed)
        student = Encoder(spec, generator=generator, dtype=self._torch_dtype())
        copy_weights(student, teacher)
        training = np.setdiff1d(np.arange(len(X)), validation)
        inputs = {"series": self._standardised(X[training], lengths[training]), "lengths": lengths[training]}
        objective = Distillation(student, teacher, self.pooling_, generator)
        task = context.subcontext(task_name="distillation", max_subtasks=self.max_epochs)
        task.call_on_fit_task_begin(estimator=self)
        history = self._train(objective, inputs, validation[:0], seed, task, lr=self.lr, **settings)
        task.call_on_fit_task_end(estimator=self)
        return cast(Encoder, objective.average).eval(), history

    def _compare(self, student: Encoder, teacher: Encoder, X: Floats, lengths: NDArray[np.int64]) -> dict[str, float]:
        """Return the figures of `fidelity` on series."""
        student, teacher = student.to(self._where()).eval(), teacher.to(self._where()).eval()

        def pairs() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
            for _, series, own, mask in self._batches(X, lengths):
                yield teacher(series, mask), student(series, mask), own

        with self._computing():
            return fidelity(pairs(), self.pooling_)

    def _spec(self, n_channels: int) -> EncoderSpec:
        teacher = self._teacher()
        fitted = teacher.estimator.encoder_.spec if isinstance(teacher, FrozenEstimator) else None
        of_teacher = fitted or teacher._spec(n_channels)
        d_model = int(self.d_model or of_teacher.d_model)
        d_ff = of_teacher.d_ff if d_model == of_teacher.d_model else 2 * d_model
        causal = of_teacher.causal if self.causal is None else bool(self.causal)
        width = of_teacher.embedding_filter
        if not causal and width % 2 == 0:
            raise ValueError(
                f"causal must be None or True for a teacher with embedding_filter={width}, an even number, got False"
            )
        kinds: dict[str, Any] = {field.name: type(field.default) for field in dataclasses.fields(EncoderSpec)}
        spec = EncoderSpec(
            mixer=self._mixer.name,
            n_channels=n_channels,
            d_model=d_model,
            n_layers=int(self.n_layers or of_teacher.n_layers),
            d_ff=int(self.d_ff or d_ff),
            d_out=of_teacher.d_out,
            causal=causal,
            positions=of_teacher.positions,
            embedding_filter=width,
            **{name: kinds[name](getattr(self, name)) for name in self._mixer.fields},
        )
        self._mixer.check(spec)
        return spec

    def _check_points(self, lengths: NDArray[np.int64], spec: EncoderSpec) -> None:
        needed, what = self._mixer.needed_timepoints(spec), self._mixer.what_needs
        self._require_timepoints(lengths, needed, what.format(**dataclasses.asdict(spec)))

    def _encoder_label(self) -> str:
        return self._mixer.label.format(**dataclasses.asdict(self.encoder_.spec))

    def _without_validation(self) -> str:
        return "a student is trained for all of max_epochs, so monitor 'train_loss' instead"

    def _validate_params(self) -> None:
        if not isinstance(self.teacher, Embedder | FrozenEstimator | None):
            raise ValueError(
                "teacher must be an embedder such as MHAEmbedder(), a FrozenEstimator that holds one, or None, "
                f"got {plain(self.teacher)!r}"
            )
        super()._validate_params()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        teacher = self.teacher
        tags.target_tags.required = isinstance(teacher, Embedder) and get_tags(teacher).target_tags.required
        return tags
