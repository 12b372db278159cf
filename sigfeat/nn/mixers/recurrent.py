"""Gated recurrent units, forwards and backwards."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sigfeat.nn.layers import linear, unset
from sigfeat.nn.mixers.incremental import IncrementalState, check_causal
from sigfeat.nn.mixers.spec import BlockSpec


class Recurrent(nn.Module):
    """A GRU forwards in time and, unless causal, another backwards; a linear map joins their states.

    Parameters
    ----------
    d_model : int
        Width of the tokens and of each state.
    causal : bool, default=False
        Whether there is no backward GRU.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype, default=torch.float32
        Of the weights.

    References
    ----------
    .. [1] Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, arXiv:1406.1078; with the
       reset gate after the matrix product, as in cuDNN and torch.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import Recurrent
    >>> mixer = Recurrent(8, causal=True, generator=torch.Generator().manual_seed(0))
    >>> tokens = torch.ones(2, 10, 8)
    >>> mixed, state = mixer(tokens), mixer.incremental(batch=2)
    >>> torch.allclose(torch.cat([state.append(tokens[:, :7]), state.append(tokens[:, 7:])], dim=1), mixed, atol=1e-6)
    True
    """

    def __init__(
        self, d_model: int, *, causal: bool = False, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.causal = causal
        self.ahead = _gru(d_model, generator, dtype)
        self.back = None if causal else _gru(d_model, generator, dtype)
        self.out_projection = linear(d_model * (1 if causal else 2), d_model, generator=generator, dtype=dtype)

    @classmethod
    def from_spec(
        cls, spec: BlockSpec, *, causal: bool, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> "Recurrent":
        """The mixer of the blocks of a network."""
        return cls(spec.d_model, causal=causal, generator=generator, dtype=dtype)

    def forward(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Mix the tokens; `mask` is True at real points, which come first."""
        states: Tensor = self.ahead(x)[0]
        if self.back is not None:
            # each series is reversed within its own length; padding stays behind it
            t = torch.arange(x.shape[1], device=x.device)
            if mask is None:
                reversed_times = t.flip(0).expand(len(x), -1)
            else:
                last = mask.sum(dim=1, keepdim=True) - 1
                reversed_times = (last - t).where(mask, t)
            reversed_times = reversed_times[..., None].expand_as(x)
            backwards = self.back(x.gather(1, reversed_times))[0].gather(1, reversed_times)
            states = torch.cat([states, backwards], dim=-1)
        out: Tensor = self.out_projection(states)
        return out

    def incremental(self, batch: int = 1) -> IncrementalState:
        """The layer for tokens that arrive some at a time; the last hidden state is kept.

        Parameters
        ----------
        batch : int, default=1
            Number of sequences.

        Returns
        -------
        state : IncrementalState
            Its ``append(x)`` returns, for new tokens (batch, steps, d_model), what `forward` returns for them.

        Raises
        ------
        ValueError
            If the layer has a backward GRU.
        """
        check_causal(self.causal, "recurrent layer")
        return _RecurrentState(self, batch)


class _RecurrentState:
    """State of the layer: the hidden state of the GRU."""

    def __init__(self, mixer: Recurrent, batch: int) -> None:
        self.mixer = mixer
        weight = mixer.out_projection.weight
        self.state = weight.new_zeros(1, batch, len(weight))

    @torch.no_grad()
    def append(self, x: Float[Tensor, "batch steps d_model"]) -> Float[Tensor, "batch steps d_model"]:
        """Mix the new tokens."""
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
