"""Distillation: a student learns to give its teacher's tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sigfeat.nn.distortion import distorted
from sigfeat.nn.encoder import Block, Encoder
from sigfeat.nn.layers import pool_tokens, real_points
from sigfeat.nn.training import Objective

COPIED = ("embedding", "mixer_norm", "feed_norm", "widen", "narrow", "norm", "out_projection")


class Distillation(Objective):
    """Distance of a student's tokens and pooled tokens from its teacher's, on distorted series.

    token MSE / variance + pooled MSE / variance + 0.5 (1 - progress) mixer MSE / variance. The last is the mean over
    the blocks of the distance of what the mixers add, each student's mixer given its teacher's input; it is left out
    where student and teacher differ in width or depth.

    Parameters
    ----------
    student : Encoder
        What is trained. Its tokens have the width of the teacher's.
    teacher : Encoder
        What it learns from, left as it is.
    pooling : {"mean", "last", "max"}
        How tokens are pooled.
    generator : torch.Generator
        Source of the distortions.
    """

    progress = 0.0

    def __init__(self, student: Encoder, teacher: Encoder, pooling: str, generator: torch.Generator) -> None:
        super().__init__(student, generator)
        self.teacher, self.pooling = teacher.requires_grad_(False), pooling
        self.is_alike = _alike(student, teacher)

    def train(self, mode: bool = True) -> "Distillation":
        """Let only the student train."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(
        self, series: Float[Tensor, "batch length channels"], lengths: Int[Tensor, " batch"], target: None = None
    ) -> Float[Tensor, ""]:
        """Loss of a batch."""
        series = series[:, : int(lengths.max())]
        mask = real_points(lengths, series.shape[1])
        inside = (torch.arange(series.shape[1], device=lengths.device) < lengths[:, None])[..., None]
        if self.training:
            series = distorted(series, inside, self.generator)
        with torch.no_grad():
            goal, steps = tokens_and_steps(self.teacher, series, mask)
        found = self.trained(series, mask)
        whole = torch.stack([torch.zeros_like(lengths), lengths], dim=-1)[:, None]
        pooled_goal, pooled = pool_tokens(goal, whole, self.pooling), pool_tokens(found, whole, self.pooling)
        loss = _relative(found, goal, inside) + _relative(pooled, pooled_goal, None)
        if self.is_alike and self.training and self.progress < 1:
            forced = [
                _relative(block.mix(before, mask), added, inside)
                for block, (before, added) in zip(self.trained.blocks, steps, strict=True)
            ]
            loss = loss + 0.5 * (1 - self.progress) * torch.stack(forced).mean()
        return loss

    def copied(self) -> Sequence[str]:
        """Patterns of the parameters that were copied from the teacher."""
        if not self.is_alike:
            return ()
        return tuple(f"trained.{place}{name}.*" for name in COPIED for place in ("", "blocks.*."))


def copy_weights(student: Encoder, teacher: Encoder) -> None:
    """Give a student all its teacher's weights but those of the mixers, where they are alike in width and depth."""
    if not _alike(student, teacher):
        return
    weights = {name: value for name, value in teacher.state_dict().items() if ".mixer." not in name}
    student.load_state_dict(weights, strict=False)


def tokens_and_steps(
    encoder: Encoder, series: Float[Tensor, "batch length channels"], mask: Bool[Tensor, "batch length"] | None
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Tokens of an encoder and, for each block, the tokens before it and what its mixer adds to them."""
    x, steps = encoder.embed(series), []
    for block in encoder.blocks:
        assert isinstance(block, Block)
        added = block.mix(x, mask)
        steps.append((x, added))
        x = x + added
        x = x + block.feed(x)
    return encoder.finish(x), steps


def fidelity(goal: Float[Tensor, "points features"], found: Float[Tensor, "points features"]) -> dict[str, float]:
    raise NotImplementedError


def _alike(student: Encoder, teacher: Encoder) -> bool:
    names = ("n_channels", "d_model", "n_layers", "d_ff", "d_out")
    return all(getattr(student.spec, name) == getattr(teacher.spec, name) for name in names)


def _relative(
    found: Float[Tensor, "batch length width"],
    goal: Float[Tensor, "batch length width"],
    inside: Bool[Tensor, "batch length 1"] | None,
) -> Float[Tensor, ""]:
    """Mean squared error over the points inside, in units of the variance of the goal there."""
    if inside is None:
        inside = torch.ones_like(goal[..., :1], dtype=torch.bool)
    n_points = inside.sum()
    mean = (goal * inside).sum(dim=(0, 1)) / n_points
    variance = ((goal - mean).square() * inside).sum()
    error = ((found - goal).square() * inside).sum()
    return error / (variance + 1e-6 * goal.square().mean() * n_points + torch.finfo(goal.dtype).tiny)
