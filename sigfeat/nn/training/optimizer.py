"""The optimizer: AdamW, and orthogonal steps for those matrices that an objective chooses."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

MOMENTUM = 0.95


class Muon(torch.optim.AdamW):
    """AdamW, except for the matrices in groups with ``"orthogonal": True``.

    A matrix M of these moves along (U V^T) sqrt(max(M.shape)), where U S V^T is the singular value decomposition of the
    average of its gradients: all directions are learnt at the same rate, although most of the gradient lies in few of
    them. The step has a root mean square of about one, as the first steps of AdamW do, so that both have the same
    learning rate. These matrices have no weight decay.

    References
    ----------
    .. [1] Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024,
       https://kellerjordan.github.io/posts/muon/; its steps are shorter by a factor that depends on the shape.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step, after a call of `closure` that computes the gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group.get("orthogonal", False):
                self._step_of_matrices(group["params"], group["lr"])
        super().step()
        return loss

    def _step_of_matrices(self, weights: list[Tensor], lr: float) -> None:
        """Change matrices, those of one shape together, and delete their gradients, so that AdamW leaves them alone."""
        of_shapes = defaultdict(list)
        for weight in weights:
            if weight.grad is not None:
                of_shapes[weight.shape].append(weight)
        for shape, alike in of_shapes.items():
            gradient = torch.stack([weight.grad for weight in alike if weight.grad is not None])
            averages = [self._average(weight) for weight in alike]
            torch._foreach_mul_(averages, MOMENTUM)
            torch._foreach_add_(averages, list(gradient))
            steps = orthogonal(gradient + MOMENTUM * torch.stack(averages)) * max(shape) ** 0.5
            torch._foreach_add_(alike, list(steps), alpha=-lr)
            for weight in alike:
                weight.grad = None

    def _average(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:  # with the names and types that AdamW expects when a state is loaded
            state["step"], state["exp_avg"] = torch.zeros((), device=weight.device), torch.zeros_like(weight)
        average: Tensor = state["exp_avg"]
        return average


def orthogonal(matrices: Float[Tensor, "*batch rows columns"]) -> Float[Tensor, "*batch rows columns"]:
    """About U V^T of matrices U S V^T, with singular values between 0.7 and 1.2, by five steps of an iteration."""
    if matrices.shape[-2] > matrices.shape[-1]:
        return orthogonal(matrices.mT).mT
    x: Tensor = matrices / matrices.norm(dim=(-2, -1), keepdim=True).clamp(min=torch.finfo(matrices.dtype).tiny)
    for _ in range(5):
        square = x @ x.mT
        polynomial: Tensor = -4.7750 * square + 2.0315 * square @ square
        x = 3.4445 * x + polynomial @ x
    return x
