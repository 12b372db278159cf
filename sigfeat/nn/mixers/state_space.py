"""Taps and recurrences of state space models with a diagonal, or a diagonal plus low-rank, state matrix."""

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sigfeat.nn.mixers.modal import modal_taps


def diagonal_taps(
    eigenvalues: Complex[Tensor, "channels pairs"],
    output: Complex[Tensor, "directions channels pairs"],
    dt: Float[Tensor, " channels"],
    length: int,
) -> Float[Tensor, "directions channels {length}"]:
    """Taps of diagonal state space models whose input is held between the points.

    K_l = 2 Re sum over n of C_n (exp(dt A_n) - 1) / A_n exp(dt A_n)^l, [1]_, eq. (7) with B = 1.

    Parameters
    ----------
    eigenvalues : complex tensor of shape (channels, pairs)
        A_n, one of each conjugate pair.
    output : complex tensor of shape (directions, channels, pairs)
        C; the leading axis allows several outputs of the same states.
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
    Bbar = (I - dt/2 A)^{-1} dt B; all vectors consist of conjugate pairs, of which one element is given.

    Parameters
    ----------
    eigenvalues, low_rank, input : complex tensors of shape (channels, pairs)
        Lambda, P and B.
    output : complex tensor of shape (directions, channels, pairs)
        C; the leading axis allows several outputs of the same states.
    dt : tensor of shape (channels,)
        Steps of time.
    length : int
        Number of taps.

    Returns
    -------
    taps : tensor of shape (directions, channels, length)
        The first taps do not depend on `length`.

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


class LowRankRecurrence:
    """The recurrence of a state space model with a diagonal plus low-rank state matrix.

    What does not depend on the series is computed once.
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
        # P^* x is 2 Re(q x), summed over the pairs; q as real and imaginary part
        self.seen = torch.view_as_real((low_rank.conj() / (1 - dt / 2 * eigenvalues)).conj().resolve_conj())
        self.back = -2 * dt * scaled / overlap
        self.driven = half_step(eigenvalues, low_rank, dt, dt * inputs)
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


def apply_state_matrix(eigenvalues: Tensor, low_rank: Tensor, x: Tensor) -> Tensor:
    """A x = Lambda x - P P^* x, where the other half of each pair adds the conjugate to P^* x."""
    return eigenvalues * x - 2 * low_rank * (low_rank.conj() * x).real.sum(dim=-1, keepdim=True)


def half_step(eigenvalues: Tensor, low_rank: Tensor, dt: Tensor, x: Tensor) -> Tensor:
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
    basis = torch.cat([identity, 1j * identity])[:, None]  # for the real and imaginary parts of one state of each pair
    # I - Abar = -dt A (I - dt/2 A)^{-1} and I - Abar^2k = 2 (I - Abar^k) - (I - Abar^k)^2 do not cancel for short dt
    dt = dt[:, None]
    columns = -dt * apply_state_matrix(eigenvalues, low_rank, half_step(eigenvalues, low_rank, dt, basis))
    rest = torch.cat([columns.real, columns.imag], dim=-1).permute(1, 2, 0)
    row = torch.cat([output.real, -output.imag], dim=-1).transpose(0, 1)  # 2 Re(C x) = 2 row @ (Re x, Im x)
    for _ in range(n_doublings - 1):
        rest = 2 * rest - rest @ rest
    reached = row @ rest
    if n_doublings:
        reached = 2 * reached - reached @ rest
    real, imaginary = reached.transpose(0, 1).chunk(2, dim=-1)
    return torch.complex(real, -imaginary)
