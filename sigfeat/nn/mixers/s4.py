"""State space mixers: S4D, and S4 with a diagonal plus low-rank state matrix."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float
from numpy.typing import NDArray
from torch import Tensor, nn

from sigfeat.nn.layers import linear
from sigfeat.nn.mixers.convolution import convolve, fft_length, filter_spectrum
from sigfeat.nn.mixers.incremental import Convolution, ModalConvolution, Stream, check_causal
from sigfeat.nn.mixers.modal import modal_taps
from sigfeat.nn.mixers.spectra import SpectrumCache
from sigfeat.reference.s4 import nplr

KINDS = ("diagonal", "dplr")
SHORTEST_STEP, LONGEST_STEP = 1e-3, 1e-1  # first dt


def diagonal_taps(
    eigenvalues: Complex[Tensor, "channels pairs"],
    output: Complex[Tensor, "directions channels pairs"],
    dt: Float[Tensor, " channels"],
    length: int,
) -> Float[Tensor, "directions channels {length}"]:
    """Taps of diagonal state space models, held between the points.

    K_l = 2 Re sum over n of C_n (exp(dt A_n) - 1) / A_n exp(dt A_n)^l, [1]_, eq. (7) with B = 1.

    Parameters
    ----------
    eigenvalues : complex tensor of shape (channels, pairs)
        One A_n of each conjugate pair.
    output : complex tensor of shape (directions, channels, pairs)
        C, any number of them for the same states.
    dt : tensor of shape (channels,)
        Steps of time.
    length : int
        Number of taps.

    Returns
    -------
    taps : tensor of shape (directions, channels, length)

    References
    ----------
    .. [1] Gu, Gupta, Goel, Ré, "On the parameterization and initialization of diagonal state space models", 2022,
       arXiv:2206.11893.
    """
    exponents = dt[:, None] * eigenvalues
    return modal_taps(exponents, 2 * output * exponents.expm1() / eigenvalues, length)


def dplr_taps(
    eigenvalues: Complex[Tensor, "channels pairs"],
    low_rank: Complex[Tensor, "channels pairs"],
    input: Complex[Tensor, "channels pairs"],
    output: Complex[Tensor, "directions channels pairs"],
    dt: Float[Tensor, " channels"],
    length: int,
) -> Float[Tensor, "directions channels {length}"]:
    """Taps of state space models with a diagonal plus low-rank state matrix, discretised by the trapezoidal rule.

    K_l = C Abar^l Bbar with A = diag(Lambda) - P P^*, Abar = (I - dt/2 A)^{-1} (I + dt/2 A), and
    Bbar = (I - dt/2 A)^{-1} dt B; all vectors in conjugate pairs, of which one is given.

    Parameters
    ----------
    eigenvalues, low_rank, input : complex tensors of shape (channels, pairs)
        Lambda, P and B.
    output : complex tensor of shape (directions, channels, pairs)
        C, any number of them for the same states.
    dt : tensor of shape (channels,)
        Steps of time.
    length : int
        Number of taps.

    Returns
    -------
    taps : tensor of shape (directions, channels, length)
        Taps do not depend on how many are asked for.

    Notes
    -----
    With n the next power of two, sum over l < n of K_l z^l is C (I - Abar^n) (I - z Abar)^{-1} Bbar at the n-th roots
    of unity z. At z = exp(-2i phi), half angles divide 1 + z out of [1]_, lemma C.3, which then holds at -1 too:
    (I - z Abar)^{-1} Bbar = exp(i phi) dt/2 (i sin(phi) I - cos(phi) dt/2 A)^{-1} B, a diagonal matrix and Woodbury's
    correction. Time O(channels pairs (length + pairs^2 log(length))). Memory O(channels pairs length), 1.4 GiB with
    gradients for 64 channels of 32 pairs, 16,384 taps and float32.

    References
    ----------
    .. [1] Gu, Goel, Ré, "Efficiently modeling long sequences with structured state spaces", 2021, arXiv:2111.00396,
       algorithm 1. There C (I - Abar^n) is the parameter, for one n.
    """
    n_doublings = (length - 1).bit_length()
    n = 1 << n_doublings
    rest = _without_power(eigenvalues, low_rank, output, dt, n_doublings)
    angles = torch.arange(n // 2 + 1, dtype=dt.dtype, device=dt.device) * (math.pi / n)
    sin, cos = angles.sin(), angles.cos() * (dt[:, None] / 2)  # (frequencies,), (channels, frequencies)

    # g / (i sin - cos Lambda) and its conjugate pair have one denominator and a numerator with real coefficients
    # (2 Re g) i sin - (2 Re(g conj(Lambda))) cos, so that a real product sums over the pairs.
    size, decay = eigenvalues.abs()[..., None], eigenvalues.real[..., None]
    wave = cos[:, None] * size
    denominators = torch.complex((wave - sin) * (wave + sin), -2 * sin * cos[:, None] * decay)
    vectors = torch.cat([rest, low_rank.conj()[None]])
    products = torch.cat([vectors * input, vectors * low_rank]).transpose(0, 1)  # (channels, 2 directions + 2, pairs)
    coefficients = 2 * torch.cat([products.real, (products * eigenvalues.conj()[:, None]).real], dim=1)
    inverse = torch.view_as_real(denominators.reciprocal()).flatten(-2)  # (channels, pairs, 2 frequencies)
    sums = torch.view_as_complex((coefficients @ inverse).view(*coefficients.shape[:2], -1, 2))
    of_sin, of_cos = sums.chunk(2, dim=1)
    cauchy = sin * of_sin * 1j - cos[:, None] * of_cos

    from_input, from_low_rank = cauchy.chunk(2, dim=1)
    correction = cos * from_input[:, -1] / (1 + cos * from_low_rank[:, -1])
    spectrum = from_input[:, :-1] - from_low_rank[:, :-1] * correction[:, None]
    spectrum = spectrum * torch.polar(dt[:, None] / 2, angles)[:, None]
    taps: Tensor = torch.fft.irfft(spectrum, n)
    return taps[..., :length].transpose(0, 1)


class S4(nn.Module):
    """State space models of each channel, GELU, and a gated linear unit that mixes the channels.

    x' = A x + B u, y = C x + D u for each channel u, over time steps dt that are learnt; y comes from a convolution
    of u with taps of any length, or from step to step.

    Parameters
    ----------
    d_model : int
        Width of the tokens.
    d_state : int, default=64
        States of each channel, an even number: they come in conjugate pairs, of which one is kept.
    kind : {"diagonal", "dplr"}, default="diagonal"
        "diagonal" is S4D-Lin [2]_: A_n = -1/2 + i pi n at first, B = 1, u held between the points. "dplr" is S4 [1]_:
        diagonal plus low-rank, HiPPO-LegS at first, with learnt B and the trapezoidal rule.
    causal : bool, default=False
        Whether no token depends on later ones. If not, a second C reads states that run backwards.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype, default=torch.float32
        Of the weights; complex ones are kept as pairs of real ones.

    Raises
    ------
    ValueError
        If `kind` is none of these, or `d_state` is odd.

    Notes
    -----
    Every real part of Lambda is -exp of a weight, so that no state can grow. Every channel has its own A and B.
    In evaluation without gradients the spectra of the filters are kept for the lengths met last.

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
        d_state: int = 64,
        kind: str = "diagonal",
        causal: bool = False,
        *,
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

        eigenvalues = -0.5 + 1j * np.pi * np.arange(pairs)
        self.low_rank: nn.Parameter | None = None
        self.input: nn.Parameter | None = None
        if kind == "dplr":
            eigenvalues, low_rank, inputs = (vector[pairs:] for vector in nplr(d_state)[:3])
            self.low_rank, self.input = of_each_channel(low_rank), of_each_channel(inputs)
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

    def forward(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Mixed tokens; `mask` is True at real points, which come first."""
        length = x.shape[1]
        if mask is not None:
            x = x * mask[..., None]
        n_fft = fft_length(length)
        weights = list(self.parameters(recurse=False))
        spectrum = self.spectra.get(weights, length, lambda: self._build_spectrum(length, n_fft))
        return self._mix_channels(convolve(x.transpose(1, 2), spectrum, n_fft).transpose(1, 2))

    def taps(self, length: int) -> Float[Tensor, "directions d_model {length}"]:
        """First taps of the filters ahead and, unless causal, back; the skip D is not in them."""
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
        """Next token mixed, and the state after it, by the recurrence; causal models only.

        Parameters
        ----------
        x_t : tensor of shape (batch, d_model)
            The next token of each series.
        state : complex tensor of shape (batch, d_model, d_state // 2)
            What `initial_state`, or the last step, gave.

        Returns
        -------
        y_t : tensor of shape (batch, d_model)
            What `forward` gives at this time.
        state : complex tensor of shape (batch, d_model, d_state // 2)

        Raises
        ------
        ValueError
            If the model is not causal.
        """
        self._check_causal()
        eigenvalues, u, dt = self._eigenvalues(), x_t[..., None], self.log_dt.exp()[:, None]
        # As state + change, where Abar @ state would add up the rounding of Abar over a thousand steps.
        if self.low_rank is None or self.input is None:
            state = state + (dt * eigenvalues).expm1() * (state + u / eigenvalues)
        else:
            low_rank, driven = torch.view_as_complex(self.low_rank), torch.view_as_complex(self.input) * u
            middle = _half_step(eigenvalues, low_rank, dt, state + dt / 2 * driven)
            state = state + dt * (_apply(eigenvalues, low_rank, middle) + driven)
        read = 2 * (torch.view_as_complex(self.output[0]) * state).real.sum(dim=-1)
        return self._mix_channels(read + self.skip * x_t), state

    def stream(self, batch: int = 1) -> Stream:
        """The mixer on sequences that are not over, by the recurrence, with the weights as they are now.

        Parameters
        ----------
        batch : int, default=1
            Number of sequences.

        Returns
        -------
        stream : object
            Whose ``append(x)`` gives for new tokens (batch, steps, d_model) what `forward` gives for them. Many tokens
            at once go through in chunks with a diagonal state matrix, and one by one with "dplr".

        Raises
        ------
        ValueError
            If the model is not causal.
        """
        check_causal(self.causal, "S4")
        with torch.no_grad():
            return _S4Stream(self, batch)

    def _recurrence(self, batch: int) -> Convolution:
        eigenvalues, output, dt = self._eigenvalues(), torch.view_as_complex(self.output[0]), self.log_dt.exp()[:, None]
        if self.low_rank is None or self.input is None:
            residues = 2 * output * (dt * eigenvalues).expm1() / eigenvalues
            return ModalConvolution(dt * eigenvalues, residues, self.skip, batch)
        low_rank, inputs = torch.view_as_complex(self.low_rank), torch.view_as_complex(self.input)
        return _Steps(eigenvalues, low_rank, inputs, output, dt, self.skip, batch)

    def _eigenvalues(self) -> Complex[Tensor, "d_model pairs"]:
        return torch.complex(-self.log_minus_real.exp(), self.imaginary)

    def _build_spectrum(self, length: int, n_fft: int) -> Complex[Tensor, "d_model frequencies"]:
        with torch.autocast(self.skip.device.type, enabled=False):  # half precision has no transforms
            taps = self.taps(length)
            back = None if self.causal else taps[1, :, : length - 1]
            # what passes by the convolution is a tap at lag 0, whose spectrum is constant
            return filter_spectrum(taps[0], back, n_fft) + self.skip[:, None]

    def _mix_channels(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        return nn.functional.glu(self.out_projection(nn.functional.gelu(x)), dim=-1)

    def _check_causal(self) -> None:
        if not self.causal:
            raise ValueError("step needs a causal S4, and in this one tokens depend on later ones")


class _S4Stream:
    """The recurrence, and what mixes the channels."""

    def __init__(self, mixer: S4, batch: int) -> None:
        self.mixer, self.convolution = mixer, mixer._recurrence(batch)

    @torch.no_grad()
    def append(self, x: Float[Tensor, "batch steps d_model"]) -> Float[Tensor, "batch steps d_model"]:
        """Mixed tokens."""
        if x.shape[1] == 1:
            return self.mixer._mix_channels(self.convolution.step(x[:, 0]))[:, None]
        return self.mixer._mix_channels(self.convolution.append(x.transpose(0, 1)).transpose(0, 1))


class _Steps:
    """The recurrence of a diagonal plus low-rank state matrix, with all that does not depend on the series made before.

    With M = (I - dt/2 A)^{-1}, a step adds 2 (M - I) x + dt M B u to the state x, and M - I = dt/2 A M is again a
    diagonal matrix minus one of low rank.
    """

    def __init__(
        self,
        eigenvalues: Complex[Tensor, "channels pairs"],
        low_rank: Complex[Tensor, "channels pairs"],
        inputs: Complex[Tensor, "channels pairs"],
        output: Complex[Tensor, "channels pairs"],
        dt: Float[Tensor, "channels 1"],
        skip: Float[Tensor, " channels"],
        batch: int,
    ) -> None:
        scaled = low_rank / (1 - dt / 2 * eigenvalues)
        overlap = 1 + dt * (low_rank.conj() * scaled).real.sum(dim=-1, keepdim=True)
        self.diagonal = dt * eigenvalues / (1 - dt / 2 * eigenvalues)
        # 2 Re(q x) is what the pairs of x have in common with P; q as real and imaginary part
        self.seen = torch.view_as_real((low_rank.conj() / (1 - dt / 2 * eigenvalues)).conj().resolve_conj())
        self.back = -2 * dt * scaled / overlap
        self.driven = _half_step(eigenvalues, low_rank, dt, dt * inputs)
        self.read, self.skip = 2 * torch.view_as_real(output.conj().resolve_conj()), skip
        self.state = eigenvalues.new_zeros(batch, *eigenvalues.shape)
        self.parts = torch.view_as_real(self.state)

    def step(self, z: Float[Tensor, "batch channels"]) -> Float[Tensor, "batch channels"]:
        """Output at the next time."""
        seen = (self.parts * self.seen).sum(dim=(-2, -1))
        self.state.addcmul_(self.diagonal, self.state)
        self.state.addcmul_(self.back, seen[..., None]).addcmul_(self.driven, z[..., None])
        return torch.addcmul((self.parts * self.read).sum(dim=(-2, -1)), self.skip, z)

    def append(self, z: Float[Tensor, "steps batch channels"]) -> Float[Tensor, "steps batch channels"]:
        """Outputs at the next times."""
        return torch.stack([self.step(value) for value in z])


def _apply(eigenvalues: Tensor, low_rank: Tensor, x: Tensor) -> Tensor:
    """A x = Lambda x - P P^* x, where the other half of each pair adds the conjugate to P^* x."""
    return eigenvalues * x - 2 * low_rank * (low_rank.conj() * x).real.sum(dim=-1, keepdim=True)


def _half_step(eigenvalues: Tensor, low_rank: Tensor, dt: Tensor, x: Tensor) -> Tensor:
    """(I - dt/2 A)^{-1} x by Woodbury's identity."""
    diagonal = 1 / (1 - dt / 2 * eigenvalues)
    scaled, x = diagonal * low_rank, diagonal * x
    overlap = 1 + dt * (low_rank.conj() * scaled).real.sum(dim=-1, keepdim=True)
    return x - dt * scaled * (low_rank.conj() * x).real.sum(dim=-1, keepdim=True) / overlap


def _without_power(
    eigenvalues: Complex[Tensor, "channels pairs"],
    low_rank: Complex[Tensor, "channels pairs"],
    output: Complex[Tensor, "directions channels pairs"],
    dt: Float[Tensor, " channels"],
    n_doublings: int,
) -> Complex[Tensor, "directions channels pairs"]:
    """C (I - Abar^n) for n = 2^n_doublings, by squaring."""
    identity = torch.eye(eigenvalues.shape[-1], dtype=eigenvalues.dtype, device=eigenvalues.device)
    basis = torch.cat([identity, 1j * identity])[:, None]  # of the real and imaginary parts of one of each pair
    # I - Abar = -dt A (I - dt/2 A)^{-1} and I - Abar^2k = 2 (I - Abar^k) - (I - Abar^k)^2 do not cancel for short dt
    dt = dt[:, None]
    columns = -dt * _apply(eigenvalues, low_rank, _half_step(eigenvalues, low_rank, dt, basis))
    rest = torch.cat([columns.real, columns.imag], dim=-1).permute(1, 2, 0)
    row = torch.cat([output.real, -output.imag], dim=-1).transpose(0, 1)  # 2 Re(C x) = 2 row @ (Re x, Im x)
    for _ in range(n_doublings - 1):
        rest = 2 * rest - rest @ rest
    reached = row @ rest
    if n_doublings:
        reached = 2 * reached - reached @ rest
    real, imaginary = reached.transpose(0, 1).chunk(2, dim=-1)
    return torch.complex(real, -imaginary)
