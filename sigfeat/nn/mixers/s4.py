"""State space mixers: S4D, and S4 with a diagonal plus low-rank state matrix."""

import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float
from numpy.typing import NDArray
from torch import Tensor, nn

from sigfeat.nn.layers import linear
from sigfeat.nn.mixers.convolution import convolve, fft_length, filter_spectrum
from sigfeat.nn.mixers.incremental import Convolution, IncrementalState, ModalConvolution, check_causal
from sigfeat.nn.mixers.spec import BlockSpec
from sigfeat.nn.mixers.spectra import SpectrumCache
from sigfeat.nn.mixers.state_space import LowRankRecurrence, apply_state_matrix, diagonal_taps, dplr_taps, half_step
from sigfeat.reference.s4 import nplr

SHORTEST_STEP, LONGEST_STEP = 1e-3, 1e-1  # range of the first dt


def _s4d_lin(d_state: int) -> tuple[NDArray[Any], None, None]:
    return -0.5 + 1j * np.pi * np.arange(d_state // 2), None, None


@functools.lru_cache(maxsize=4)  # since it takes cubic time, and all layers have the same
def _hippo_legs(d_state: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    eigenvalues, low_rank, inputs = (vector[d_state // 2 :] for vector in nplr(d_state)[:3])
    return eigenvalues, low_rank, inputs


# name -> function of d_state that gives the first eigenvalues, low-rank part and input; None for parts that are absent
KINDS: Mapping[str, Callable[[int], tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]]] = MappingProxyType(
    {"diagonal": _s4d_lin, "dplr": _hippo_legs}
)


class S4(nn.Module):
    """A state space model of each channel, GELU, and a gated linear unit that mixes the channels.

    x' = A x + B u, y = C x + D u for each channel u, with learnt time steps dt. The output y is computed as a
    convolution of u with filters of any length, or step by step.

    Parameters
    ----------
    d_model : int
        Width of the tokens.
    d_state : int, default=64
        Number of states of each channel, an even number: they form conjugate pairs, of which one is stored.
    kind : {"diagonal", "dplr"}, default="diagonal"
        "diagonal" is S4D-Lin [2]_: A_n is initialised to -1/2 + i pi n, B = 1, and u is held between the points. "dplr"
        is S4 [1]_: A is diagonal plus low-rank and initialised to HiPPO-LegS, B is learnt, and time is discretised by
        the trapezoidal rule.
    causal : bool, default=False
        Whether no token depends on later ones. If False, a second C is applied to states that run backwards in time.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype, default=torch.float32
        Of the weights; complex ones are stored as pairs of real ones.

    Raises
    ------
    ValueError
        If `kind` is unknown, or `d_state` is not an even number from 2 up.

    Notes
    -----
    Every real part of Lambda is -exp of a weight, so that no state can grow. Every channel has its own A and B.
    In evaluation without gradients the spectra of the filters are kept for the last few lengths.

    References
    ----------
    .. [1] Gu, Goel, Ré, "Efficiently modeling long sequences with structured state spaces", 2021, arXiv:2111.00396.
    .. [2] Gu, Gupta, Goel, Ré, "On the parameterization and initialization of diagonal state space models", 2022,
       arXiv:2206.11893.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.mixers.s4 import S4
    >>> mixer = S4(8, d_state=16, causal=True, generator=torch.Generator().manual_seed(0))
    >>> tokens = torch.randn(2, 100, 8)
    >>> mixed = mixer(tokens)
    >>> state = mixer.initial_state(2)
    >>> for t in range(100):
    ...     y, state = mixer.step(tokens[:, t], state)
    >>> torch.allclose(y, mixed[:, -1], atol=1e-4)
    True
    """

    def __init__(
        self,
        d_model: int,
        *,
        d_state: int = 64,
        kind: str = "diagonal",
        causal: bool = False,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        if d_state < 2 or d_state % 2:
            raise ValueError(f"d_state must be an even number from 2 up, got {d_state}")
        self.causal = causal
        pairs = d_state // 2
        where = torch.get_default_device()

        def weight(values: Tensor) -> nn.Parameter:
            return nn.Parameter(values.to(where, dtype))

        def of_each_channel(values: NDArray[Any]) -> nn.Parameter:
            parts = np.stack([values.real, values.imag], axis=-1) if np.iscomplexobj(values) else values
            return weight(torch.from_numpy(np.repeat(parts[None], d_model, axis=0)))

        eigenvalues, low_rank, inputs = KINDS[kind](d_state)
        self.low_rank = None if low_rank is None else of_each_channel(low_rank)
        self.input = None if inputs is None else of_each_channel(inputs)
        self.log_minus_real = of_each_channel(np.log(-eigenvalues.real))
        self.imaginary = of_each_channel(eigenvalues.imag)
        drawn: dict[str, Any] = {"generator": generator, "dtype": dtype, "device": generator.device}
        shortest, longest = math.log(SHORTEST_STEP), math.log(LONGEST_STEP)
        self.log_dt = weight(shortest + (longest - shortest) * torch.rand(d_model, **drawn))
        # a complex number of variance 1 has parts of variance 1/2
        self.output = weight(torch.randn(1 if causal else 2, d_model, pairs, 2, **drawn) * 0.5**0.5)
        self.skip = weight(torch.randn(d_model, **drawn))
        self.out_projection = linear(d_model, 2 * d_model, generator=generator, dtype=dtype)
        self.spectra = SpectrumCache()

    @classmethod
    def from_spec(
        cls, spec: BlockSpec, *, causal: bool, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> "S4":
        """The mixer of the blocks of a network."""
        return cls(spec.d_model, d_state=spec.d_state, kind=spec.kind, causal=causal, generator=generator, dtype=dtype)

    def forward(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Mix the tokens; `mask` is True at real points, which come first."""
        length = x.shape[1]
        if mask is not None:
            x = x * mask[..., None]
        n_fft = fft_length(length)
        weights = list(self.parameters(recurse=False))
        spectrum = self.spectra.get(weights, length, lambda: self._build_spectrum(length, n_fft))
        return self._mix_channels(convolve(x.transpose(1, 2), spectrum, n_fft).transpose(1, 2))

    def taps(self, length: int) -> Float[Tensor, "directions d_model {length}"]:
        """First taps of the filters forwards and, unless causal, backwards in time, without the skip connection D."""
        eigenvalues, output, dt = self._eigenvalues(), torch.view_as_complex(self.output), self.log_dt.exp()
        if self.low_rank is None or self.input is None:
            return diagonal_taps(eigenvalues, output, dt, length)
        low_rank, inputs = torch.view_as_complex(self.low_rank), torch.view_as_complex(self.input)
        return dplr_taps(eigenvalues, low_rank, inputs, output, dt, length)

    def initial_state(self, batch: int) -> Complex[Tensor, "{batch} d_model pairs"]:
        """State before the first token, for `step`."""
        self._check_causal()
        return torch.view_as_complex(self.output.new_zeros(batch, *self.output.shape[1:]))

    def step(
        self, x_t: Float[Tensor, "batch d_model"], state: Complex[Tensor, "batch d_model pairs"]
    ) -> tuple[Float[Tensor, "batch d_model"], Complex[Tensor, "batch d_model pairs"]]:
        """Mix the next token by the recurrence, and return the state after it; only for causal mixers.

        Parameters
        ----------
        x_t : tensor of shape (batch, d_model)
            The next token of each series.
        state : complex tensor of shape (batch, d_model, d_state // 2)
            From `initial_state` or the last step.

        Returns
        -------
        y_t : tensor of shape (batch, d_model)
            What `forward` returns at this time.
        state : complex tensor of shape (batch, d_model, d_state // 2)

        Raises
        ------
        ValueError
            If the mixer is not causal.
        """
        self._check_causal()
        eigenvalues, u, dt = self._eigenvalues(), x_t[..., None], self.log_dt.exp()[:, None]
        # Computed as state + change: in Abar @ state the rounding of Abar would add up over a thousand steps.
        if self.low_rank is None or self.input is None:
            state = state + (dt * eigenvalues).expm1() * (state + u / eigenvalues)
        else:
            low_rank, driven = torch.view_as_complex(self.low_rank), torch.view_as_complex(self.input) * u
            middle = half_step(eigenvalues, low_rank, dt, state + dt / 2 * driven)
            state = state + dt * (apply_state_matrix(eigenvalues, low_rank, middle) + driven)
        read = 2 * (torch.view_as_complex(self.output[0]) * state).real.sum(dim=-1)
        return self._mix_channels(read + self.skip * x_t), state

    def incremental(self, batch: int = 1) -> IncrementalState:
        """The mixer for tokens that arrive some at a time, by the recurrence, with the weights as they are now.

        Parameters
        ----------
        batch : int, default=1
            Number of sequences.

        Returns
        -------
        state : IncrementalState
            Its ``append(x)`` returns, for new tokens (batch, steps, d_model), what `forward` returns for them. Several
            tokens are processed in chunks if the state matrix is diagonal, and one by one if it is "dplr".

        Raises
        ------
        ValueError
            If the mixer is not causal.
        """
        check_causal(self.causal, "S4")
        with torch.no_grad():
            return _S4State(self, batch)

    def _recurrence(self, batch: int) -> Convolution:
        eigenvalues, output, dt = self._eigenvalues(), torch.view_as_complex(self.output[0]), self.log_dt.exp()[:, None]
        if self.low_rank is None or self.input is None:
            residues = 2 * output * (dt * eigenvalues).expm1() / eigenvalues
            return ModalConvolution(dt * eigenvalues, residues, self.skip, batch)
        low_rank, inputs = torch.view_as_complex(self.low_rank), torch.view_as_complex(self.input)
        return LowRankRecurrence(eigenvalues, low_rank, inputs, output, dt, self.skip, batch)

    def _eigenvalues(self) -> Complex[Tensor, "d_model pairs"]:
        return torch.complex(-self.log_minus_real.exp(), self.imaginary)

    def _build_spectrum(self, length: int, n_fft: int) -> Complex[Tensor, "d_model frequencies"]:
        with torch.autocast(self.skip.device.type, enabled=False):  # transforms need at least single precision
            taps = self.taps(length)
            back = None if self.causal else taps[1, :, : length - 1]
            # the skip connection is a tap at lag 0, whose spectrum is constant
            return filter_spectrum(taps[0], back, n_fft) + self.skip[:, None]

    def _mix_channels(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        return nn.functional.glu(self.out_projection(nn.functional.gelu(x)), dim=-1)

    def _check_causal(self) -> None:
        if not self.causal:
            raise ValueError("step needs a causal S4, and in this one tokens depend on later ones")


class _S4State:
    """State of S4: that of the recurrence."""

    def __init__(self, mixer: S4, batch: int) -> None:
        self.mixer, self.convolution = mixer, mixer._recurrence(batch)

    @torch.no_grad()
    def append(self, x: Float[Tensor, "batch steps d_model"]) -> Float[Tensor, "batch steps d_model"]:
        """Mix the new tokens."""
        if x.shape[1] == 1:
            return self.mixer._mix_channels(self.convolution.step(x[:, 0]))[:, None]
        return self.mixer._mix_channels(self.convolution.append(x.transpose(0, 1)).transpose(0, 1))
