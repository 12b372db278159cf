"""Distillation: a student learns to reproduce the tokens of its teacher."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sigfeat.nn.encoder import Block, Encoder
from sigfeat.nn.layers import inside, real_points
from sigfeat.nn.pooling import pool_whole
from sigfeat.nn.training.augmentation import augmented
from sigfeat.nn.training.loop import Objective


class Distillation(Objective):
    """Distance between the tokens, and the pooled tokens, of a student and its teacher on augmented series.

    token MSE / variance + pooled MSE / variance + 0.5 (1 - progress) mixer MSE / variance. The last term compares the
    outputs of the mixers of student and teacher for the input of the teacher's, averaged over the blocks; it is omitted
    if student and teacher differ in width or depth. The term of pooled tokens is omitted for a single series, whose
    variance is zero.

    Parameters
    ----------
    student : Encoder
        The encoder that is trained. Its tokens are as wide as those of the teacher.
    teacher : Encoder
        The encoder whose tokens it learns; not changed.
    pooling : {"mean", "max", "min", "end"}
        How tokens are pooled.
    generator : torch.Generator
        Source of the augmentation.
    """

    def __init__(self, student: Encoder, teacher: Encoder, pooling: str, generator: torch.Generator) -> None:
        super().__init__(student, generator)
        self.teacher, self.pooling = teacher.requires_grad_(False), pooling
        self.is_alike = _alike(student, teacher)

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
        n_series, own = len(series), self.sharing().own
        series = own(augmented(series, real, self.generator))
        lengths, real, mask = own(lengths), own(real), None if mask is None else own(mask)
        with torch.no_grad():
            goal, steps = tokens_and_steps(self.teacher, series, mask)
        if self.is_alike:
            found, forced = self._found_and_forced(series, mask, steps)
            distances = [self._relative(added, step[1], real) for added, step in zip(forced, steps, strict=True)]
            mixing = 0.5 * (1 - self.progress) * torch.stack(distances).mean()
        else:
            found, mixing = self.trained(series, mask), series.new_zeros(())
        loss = self._relative(found, goal, real) + mixing
        if n_series == 1:
            return loss
        pooled_goal, pooled = (pool_whole(tokens, lengths, self.pooling)[:, None] for tokens in (goal, found))
        return loss + self._relative(pooled, pooled_goal, torch.ones_like(real[:, :1]))

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

    def _found_and_forced(
        self,
        series: Float[Tensor, "batch length channels"],
        mask: Bool[Tensor, "batch length"] | None,
        steps: Sequence[tuple[Tensor, Tensor]],
    ) -> tuple[Tensor, list[Tensor]]:
        """Tokens of the student, and outputs of its mixers for the teacher's input; each mixer runs once for both."""
        student, forced = self.trained, []
        assert isinstance(student, Encoder)
        x, twice = student.embed(series, mask), None if mask is None else torch.cat([mask, mask])
        for block, (before, _) in zip(student.blocks, steps, strict=True):
            assert isinstance(block, Block)
            own, added = block.mix(torch.cat([x, before]), twice).chunk(2)
            forced.append(added)
            x = x + own
            x = x + block.feed(x)
        return student.finish(x), forced


def copy_weights(student: Encoder, teacher: Encoder) -> None:
    """Copy all weights of a teacher except those of the mixers, if student and teacher agree in width and depth."""
    if not _alike(student, teacher):
        return
    weights = {name: value for name, value in teacher.state_dict().items() if ".mixer." not in name}
    student.load_state_dict(weights, strict=False)


def tokens_and_steps(
    encoder: Encoder, series: Float[Tensor, "batch length channels"], mask: Bool[Tensor, "batch length"] | None
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Tokens of an encoder and, for each block, the tokens before it and the output of its mixer."""
    x, steps = encoder.embed(series, mask), []
    for block in encoder.blocks:
        assert isinstance(block, Block)
        added = block.mix(x, mask)
        steps.append((x, added))
        x = x + added
        x = x + block.feed(x)
    return encoder.finish(x), steps


def _alike(student: Encoder, teacher: Encoder) -> bool:
    names = ("n_channels", "d_model", "n_layers", "d_ff", "d_out")
    return all(getattr(student.spec, name) == getattr(teacher.spec, name) for name in names)
