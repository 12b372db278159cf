"""Filters that are sums of damped oscillations, which have a recurrence with a state of fixed size."""

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn


def modal_taps(
    exponents: Complex[Tensor, "filters modes"], residues: Complex[Tensor, "directions filters modes"], length: int
) -> Float[Tensor, "directions filters {length}"]:
    """Taps at lags 0, 1, ..., length - 1 of sums of damped oscillations.

    h(l) = Re sum over n of R_n exp(l A_n).

    Parameters
    ----------
    exponents : complex tensor of shape (filters, modes)
        A_n, with real parts below 0.
    residues : complex tensor of shape (directions, filters, modes)
        R_n; the leading axis allows several filters with the same exponents.
    length : int
        Number of taps.

    Returns
    -------
    taps : tensor of shape (directions, filters, length)

    Notes
    -----
    With l = a m + b and m about sqrt(length), the sum is a product of two real matrices with inner dimension 2 * modes.
    It needs 2 sqrt(length) powers of each exp(A_n), instead of `length`.
    """
    n_fine = math.isqrt(length - 1) + 1
    n_coarse = -(-length // n_fine)
    fine = torch.view_as_real(powers(exponents, n_fine)).flatten(-2)  # (filters, fine, 2 modes)
    coarse = residues.transpose(0, 1)[:, :, None] * powers(n_fine * exponents, n_coarse)[:, None]
    # Re(u v) = Re u Re v - Im u Im v
    coarse = torch.view_as_real(coarse.conj().resolve_conj()).flatten(-2)  # (filters, directions, coarse, 2 modes)
    taps = coarse.flatten(1, 2) @ fine.mT
    return taps.view(len(exponents), len(residues), -1)[..., :length].transpose(0, 1)


def powers(exponents: Complex[Tensor, "filters modes"], n: int) -> Complex[Tensor, "filters {n} modes"]:
    """exp(k * exponents) for k < n, by real functions, in float32 in a quarter of the time of the complex one."""
    k = torch.arange(n, dtype=exponents.real.dtype, device=exponents.device)[:, None]
    multiples = k * exponents[:, None]
    return torch.polar(multiples.real.exp(), multiples.imag)


class ModalFilter(nn.Module):
    """Filters that are sums of damped oscillations, whose poles and residues are the weights.

    h(l) = Re sum over n of R_n exp(c (-exp(a_n) + i b_n) l) at lag l >= 0, with a separate c > 0 for each filter. A
    causal convolution with them is a recurrence; the state of a filter has `n_modes` complex numbers.

    Parameters
    ----------
    n_filters : int
        Number of filters.
    n_modes : int
        Number of oscillations in each filter.
    time_scale : float
        Lag, in steps, at which the slowest filters have initially decayed to 1 / e; the fastest have at `n_modes`.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype
        Of the weights; complex ones are stored as pairs of real ones.

    Raises
    ------
    ValueError
        If `n_modes` is less than 1.

    Notes
    -----
    The initial values are a_n = 0 and b_n = pi n for n = 0, 1, ..., as in S4D-Lin [2]_: each filter has the frequencies
    that can be distinguished within its own memory, and the values of log c are evenly spaced over the filters. The
    residues are scaled so that the squared taps of a filter sum to about `ENERGY` for any length of its memory.

    References
    ----------
    .. [1] Massaroli et al., "Laughing hyena distillery", 2023, arXiv:2310.18780, section 3. Here modal filters are
       trained directly; the paper fits them to the taps of trained filters.
    .. [2] Gu, Gupta, Goel, Ré, "On the parameterization and initialization of diagonal state space models", 2022,
       arXiv:2206.11893.
    """

    ENERGY = 0.1

    def __init__(
        self, n_filters: int, n_modes: int, time_scale: float, *, generator: torch.Generator, dtype: torch.dtype
    ) -> None:
        super().__init__()
        if n_modes < 1:
            raise ValueError(f"n_modes must be at least 1, got {n_modes}")
        where = torch.get_default_device()
        longest = max(float(time_scale), float(n_modes))
        # multiples of the golden ratio, so that the filters of each gate, which are adjacent, have rates of all sizes
        fractions = torch.arange(n_filters, dtype=dtype, device=where) * ((5**0.5 - 1) / 2) % 1
        rates = -math.log(n_modes) - fractions * math.log(longest / n_modes)
        self.log_rate = nn.Parameter(rates)
        self.log_decay = nn.Parameter(torch.zeros(n_filters, n_modes, dtype=dtype, device=where))
        frequencies = math.pi * torch.arange(n_modes, dtype=dtype, device=where)
        self.frequency = nn.Parameter(frequencies.repeat(n_filters, 1))
        drawn = torch.empty(n_filters, n_modes, 2, dtype=dtype, device=where).normal_(generator=generator)
        # the squares of n_modes real parts of variance v, damped by exp(-2 c l), sum to n_modes v / (2 c)
        size = (2 * rates.exp() * self.ENERGY / n_modes).sqrt()
        self.residue = nn.Parameter(drawn * size[:, None, None])

    def modes(self) -> tuple[Complex[Tensor, "filters modes"], Complex[Tensor, "filters modes"]]:
        """Exponents per step, and residues."""
        exponents = torch.complex(-self.log_decay.exp(), self.frequency) * self.log_rate.exp()[:, None]
        return exponents, torch.view_as_complex(self.residue)

    def forward(self, lags: Float[Tensor, " lags"]) -> Float[Tensor, "filters lags"]:
        """Taps at consecutive lags l, l + 1, ... with l >= 0."""
        exponents, residues = self.modes()
        first = lags[0] * exponents
        taps: Tensor = modal_taps(exponents, (residues * torch.polar(first.real.exp(), first.imag))[None], len(lags))[0]
        return taps
