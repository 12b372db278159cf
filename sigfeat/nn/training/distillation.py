"""Distillation: a student learns to reproduce the tokens of its teacher."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sigfeat.nn.layers import inside, real_points
from sigfeat.nn.pooling import pool_whole
from sigfeat.nn.training.augmentation import augmented
from sigfeat.nn.training.loop import Objective

SIZES = (  # of encoders, of language models, or both
    "n_channels",
    "embedding_filter",
    "n_tokens",
    "d_model",
    "n_layers",
    "d_ff",
    "d_out",
)
MATRICES = ("in_projection", "out_projection", "widen", "narrow")  # of the blocks, by their names


@dataclass(frozen=True)
class DistillationWeights:
    """Weights of the terms of the loss of a distillation, and its first part; all are keyword-only.

    The terms of tokens are mean squared errors divided by the variance of what the student is to reproduce. The
    defaults were chosen on a validation text, for a language model of Hyena that was distilled from attention.

    Parameters
    ----------
    tokens : float, default=1.0
        Weight of the tokens after the last norm.
    pooled : float, default=0.1
        Weight of these tokens pooled over each sequence.
    logits : float, default=3.0
        Weight of the Kullback-Leibler divergence, in nats per token, of the distribution of the next token from that of
        the teacher. Only language models have it.
    forced : float, default=0.3
        Fraction of the training, at its start, with another loss, which is cheaper and does not pass through the whole
        student: that of the outputs of the mixers for the inputs of those of the teacher, averaged over the blocks.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or `forced` is not in [0, 1].

    Examples
    --------
    A language model that only learns the distributions of its teacher.

    >>> from sigfeat.nn import DistillationWeights
    >>> DistillationWeights(tokens=0, pooled=0, forced=0).logits
    3.0
    """

    _: KW_ONLY
    tokens: float | int = 1.0
    pooled: float | int = 0.1
    logits: float | int = 3.0
    forced: float | int = 0.3

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0 <= (weight := getattr(self, field.name)) < float("inf"):
                raise ValueError(f"{field.name} must be a finite number from 0 up, got {weight}")
        if self.forced > 1:
            raise ValueError(f"forced must be at most 1, got {self.forced}")


OF_ENCODERS = DistillationWeights(pooled=1.0)  # whose pooled tokens are features


class Distillation(Objective):
    """Distance between the tokens, and the pooled tokens, of a student and its teacher on augmented series.

    token MSE / variance + pooled MSE / variance, with the default weights. The term of pooled tokens is omitted for a
    single series, whose variance is zero. If student and teacher agree in width and depth, the first part of the
    training has another loss, mixer MSE / variance; see `DistillationWeights`.

    Parameters
    ----------
    student : Encoder
        The network that is trained. Its tokens are as wide as those of the teacher. Subclasses may train other networks
        that have `first_tokens` and `blocks`, if they define `_finish`.
    teacher : Encoder
        The network whose tokens it learns; not changed, except that it requires no gradients.
    pooling : {"mean", "max", "min", "end"}
        How tokens are pooled.
    generator : torch.Generator
        Source of the augmentation.
    weights : DistillationWeights, default=DistillationWeights(pooled=1.0)
        Weights of the terms.
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        pooling: str,
        generator: torch.Generator,
        weights: DistillationWeights = OF_ENCODERS,
    ) -> None:
        super().__init__(student, generator)
        self.teacher, self.pooling, self.weights = teacher.requires_grad_(False), pooling, weights
        self.is_alike = _alike(student, teacher)

    def parameter_groups(self, weight_decay: float | int) -> list[tuple[str, dict[str, float | int]]]:
        """Give the matrices inside the blocks orthogonal steps."""
        how: dict[str, float | int] = {"rate": 1.0, "weight_decay": weight_decay}
        return [*((f"trained.blocks.*.{name}.weight", how | {"orthogonal": True}) for name in MATRICES), ("*", how)]

    def train(self, mode: bool = True) -> "Distillation":
        """Set the mode of the student; the teacher stays in evaluation mode."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(
        self,
        series: Float[Tensor, "batch length channels"],
        lengths: Int[Tensor, " batch"],
        target: Tensor | None = None,
    ) -> Float[Tensor, ""]:
        """Return the loss of a batch, which is augmented; the targets are the tokens of the teacher."""
        series = series[:, : int(lengths.max())]
        mask, real = real_points(lengths, series.shape[1]), inside(lengths, series.shape[1])
        own = self.sharing().own
        inputs = own(augmented(series, real, self.generator))
        return self._distance(inputs, own(lengths), None if mask is None else own(mask), len(series) > 1)

    def _distance(
        self, inputs: Tensor, lengths: Int[Tensor, " batch"], mask: Bool[Tensor, "batch length"] | None, is_pooled: bool
    ) -> Float[Tensor, ""]:
        """Return the weighted sum of all terms, for series or tokens."""
        weights, real = self.weights, inside(lengths, inputs.shape[1])
        with torch.no_grad():
            goal, steps = self._tokens_and_steps(self.teacher, inputs, mask)
        if self.is_alike and self.progress < weights.forced:
            return self._forced(mask, real, steps)
        found = self._tokens(self.trained, inputs, mask)
        loss = self._output_distance(found, goal)
        if found.shape[-1] != goal.shape[-1]:
            return loss
        loss = loss + weights.tokens * self._relative(found, goal, real)
        if not is_pooled:
            return loss
        pooled_goal, pooled = (pool_whole(tokens, lengths, self.pooling)[:, None] for tokens in (goal, found))
        return loss + weights.pooled * self._relative(pooled, pooled_goal, torch.ones_like(real[:, :1]))

    def _finish(self, network: Any, x: Tensor) -> Tensor:
        """Tokens after the last norm, from the output of the last block."""
        tokens: Tensor = network.finish(x)
        return tokens

    def _output_distance(self, found: Tensor, goal: Tensor) -> Tensor:
        """Weighted distance of what a network computes from its tokens; encoders compute nothing."""
        return goal.new_zeros(())

    def _tokens(self, network: Any, inputs: Tensor, mask: Bool[Tensor, "batch length"] | None) -> Tensor:
        """Tokens of a network after the last norm."""
        x = network.first_tokens(inputs, mask)
        for block in network.blocks:
            x = block(x, mask)
        return self._finish(network, x)

    def _tokens_and_steps(
        self, network: Any, inputs: Tensor, mask: Bool[Tensor, "batch length"] | None
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Tokens of a network and, for each block, the tokens before it and the output of its mixer."""
        x, steps = network.first_tokens(inputs, mask), []
        for block in network.blocks:
            added = block.mix(x, mask)
            steps.append((x, added))
            x = x + added
            x = x + block.feed(x)
        return self._finish(network, x), steps

    def _relative(
        self,
        found: Float[Tensor, "batch length width"],
        goal: Float[Tensor, "batch length width"],
        real: Bool[Tensor, "batch length 1"],
    ) -> Float[Tensor, ""]:
        """Mean squared error over the real points, divided by the variance of the goal there, for the whole batch."""
        sharing = self.sharing()
        n_points, sums = sharing.total(real.sum(), (goal * real).sum(dim=(0, 1)))
        mean = sums / n_points
        variance, size = sharing.total(((goal - mean).square() * real).sum(), goal.square().mean() / sharing.count)
        error = sharing.count * ((found - goal).square() * real).sum()
        return error / (variance + 1e-6 * size * n_points + torch.finfo(goal.dtype).tiny)

    def _forced(
        self,
        mask: Bool[Tensor, "batch length"] | None,
        real: Bool[Tensor, "batch length 1"],
        steps: Sequence[tuple[Tensor, Tensor]],
    ) -> Float[Tensor, ""]:
        """Mean distance between the outputs of the mixers of student and teacher, for the input of the teacher's."""
        student: Any = self.trained
        pairs = zip(student.blocks, steps, strict=True)
        distances = [self._relative(block.mix(before, mask), added, real) for block, (before, added) in pairs]
        # several processes that average their gradients need one of each weight
        unused = torch.stack([weight.sum() for weight in student.parameters()]).sum()
        return torch.stack(distances).mean() + 0.0 * unused


def copy_weights(student: nn.Module, teacher: nn.Module) -> bool:
    """Copy all weights of a teacher except those of the mixers, if student and teacher agree in width and depth.

    Parameters
    ----------
    student, teacher : Encoder or HyenaLM
        Two encoders or two language models. The weights of the student are changed: those of its embedding, norms,
        feed-forward parts and, if it has one, output projection.

    Returns
    -------
    is_copied : bool
        Whether the weights were copied. They are not if the networks differ in their inputs (`n_channels`, `n_tokens`),
        in `d_model`, `n_layers`, `d_ff`, or `d_out`.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import Encoder, EncoderSpec, copy_weights
    >>> generator = torch.Generator().manual_seed(0)
    >>> student, teacher = (Encoder(EncoderSpec(name, 3), generator=generator) for name in ("hyena", "attention"))
    >>> copy_weights(student, teacher)
    True
    >>> torch.equal(student.embedding.weight, teacher.embedding.weight)
    True
    """
    if not _alike(student, teacher):
        return False
    weights = {name: value for name, value in teacher.state_dict().items() if ".mixer." not in name}
    student.load_state_dict(weights, strict=False)
    return True


def _alike(student: nn.Module, teacher: nn.Module) -> bool:
    """Whether two networks have the same weights, except for the mixers."""
    sizes: Any = [getattr(network, "spec", None) or getattr(network, "config", None) for network in (student, teacher)]
    return all(getattr(sizes[0], name, None) == getattr(sizes[1], name, None) for name in SIZES)
