"""Gated recurrent units, forwards and backwards."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sigfeat.nn.layers import linear, unset
from sigfeat.nn.mixers.incremental import Stream, check_causal


class Recurrent(nn.Module):
    """A GRU over the sequence and, unless causal, another from its end to its start; a linear map joins them.

    Parameters
    ----------
    d_model : int
        Width of the tokens and of each state.
    causal : bool
        Whether there is no backward pass.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype
        Of the weights.

    References
    ----------
    .. [1] Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, arXiv:1406.1078; with the
       reset gate behind the matrix product, as cuDNN and torch have it.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import Recurrent
    >>> mixer = Recurrent(8, causal=True, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    >>> tokens = torch.ones(2, 10, 8)
    >>> mixed, stream = mixer(tokens), mixer.stream(batch=2)
    >>> torch.allclose(torch.cat([stream.append(tokens[:, :7]), stream.append(tokens[:, 7:])], dim=1), mixed, atol=1e-6)
    True
    """

    def __init__(self, d_model: int, causal: bool, *, generator: torch.Generator, dtype: torch.dtype) -> None:
        super().__init__()
        self.causal = causal
        self.ahead = _gru(d_model, generator, dtype)
        self.back = None if causal else _gru(d_model, generator, dtype)
        self.out_projection = linear(d_model * (1 if causal else 2), d_model, generator=generator, dtype=dtype)

    def forward(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Mixed tokens; `mask` is True at real points, which come first."""
        states: Tensor = self.ahead(x)[0]
        if self.back is not None:
            # each series turned round within its own length; padding stays behind it
            t = torch.arange(x.shape[1], device=x.device)
            if mask is None:
                turned = t.flip(0).expand(len(x), -1)
            else:
                last = mask.sum(dim=1, keepdim=True) - 1
                turned = (last - t).where(mask, t)
            turned = turned[..., None].expand_as(x)
            backwards = self.back(x.gather(1, turned))[0].gather(1, turned)
            states = torch.cat([states, backwards], dim=-1)
        out: Tensor = self.out_projection(states)
        return out

    def stream(self, batch: int = 1) -> Stream:
        """The layer on sequences that are not over, of which the last state is kept.

        Parameters
        ----------
        batch : int, default=1
            Number of sequences.

        Returns
        -------
        stream : object
            Whose ``append(x)`` gives for new tokens (batch, steps, d_model) what `forward` gives for them.

        Raises
        ------
        ValueError
            If there is a backward pass.
        """
        check_causal(self.causal, "recurrent layer")
        return _RecurrentStream(self, batch)


class _RecurrentStream:
    """A GRU that remembers its state."""

    def __init__(self, mixer: Recurrent, batch: int) -> None:
        self.mixer = mixer
        weight = mixer.out_projection.weight
        self.state = weight.new_zeros(1, batch, len(weight))

    @torch.no_grad()
    def append(self, x: Float[Tensor, "batch steps d_model"]) -> Float[Tensor, "batch steps d_model"]:
        """Mixed tokens."""
        states, self.state = self.mixer.ahead(x, self.state)
        mixed: Tensor = self.mixer.out_projection(states)
        return mixed


def _gru(d_model: int, generator: torch.Generator, dtype: torch.dtype) -> nn.GRU:
    layer = unset(nn.GRU(d_model, d_model, batch_first=True, dtype=dtype, device="meta"))
    bound = d_model**-0.5
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return layer
