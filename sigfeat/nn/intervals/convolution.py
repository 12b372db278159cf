"""Convolution of the factors of interval features with filters of low rank, by FFT."""

from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from scipy.fft import next_fast_len
from torch import Tensor


def interval_convolution(
    beginnings: Shaped[Tensor, "batch factors length"],
    ends: Shaped[Tensor, "batch factors length"],
    taps: Float[Tensor, "two filters rank lags"],
    terms: tuple[Int[Tensor, " terms"], Int[Tensor, " terms"], Int[Tensor, " terms"]],
    n_outputs: int,
) -> Shaped[Tensor, "batch outputs filters length"]:
    """Weighted sums of a function of low rank over all pairs of times up to the current one.

    O(t) = sum over s, s' <= t of h(t - s, t - s') k(s, s') = sum over i and terms of (f_i * p)(t) (g_i * q)(t), with
    h(a, b) = sum over i of f_i(a) g_i(b) and k(s, s') = sum over terms of p(s) q(s').

    Parameters
    ----------
    beginnings, ends : tensor of shape (batch, n_factors, length)
        Factors p of the beginning, and q of the end, of an interval; real or complex.
    taps : tensor of shape (2, n_filters, rank, n_lags)
        Values f_i and g_i at lags 0, 1, ..., in the precision of the factors.
    terms : tuple of three integer tensors of shape (n_terms,)
        Index of the output to which a term is added, of its factor of the beginning, and of its factor of the end.
    n_outputs : int
        Number of functions k.

    Returns
    -------
    values : tensor of shape (batch, n_outputs, n_filters, length)

    Notes
    -----
    Time O(batch n_factors n_filters rank length log(length)), by real FFTs without wrap-around.

    Examples
    --------
    With factors and filters of ones, the values are the numbers of pairs (s, s') of times up to the current one.

    >>> import torch
    >>> from sigfeat.nn import interval_convolution
    >>> ones, taps, first = torch.ones(1, 1, 4), torch.ones(2, 1, 1, 4), torch.tensor([0])
    >>> interval_convolution(ones, ones, taps, (first, first, first), n_outputs=1).round()
    tensor([[[[ 1.,  4.,  9., 16.]]]])
    """
    outputs, of_p, of_q = terms
    length = beginnings.shape[-1]
    n_fft = int(next_fast_len(length + min(taps.shape[-1], length) - 1, real=True))
    spectra = torch.fft.rfft(taps[..., :length].flatten(1, 2), n_fft)
    left, right = (
        _filtered(factors, spectrum, n_fft) for factors, spectrum in zip((beginnings, ends), spectra, strict=True)
    )
    products = left.index_select(2, of_p) * right.index_select(2, of_q)
    products = products.reshape(len(products), *taps.shape[1:3], *products.shape[2:]).sum(dim=2)
    values = products.new_zeros(*products.shape[:2], n_outputs, length)
    added: Tensor = values.index_add(2, outputs, products)  # (batch, filters, outputs, length)
    return added.transpose(1, 2)


def _filtered(factors: Tensor, spectrum: Tensor, n_fft: int) -> Tensor:
    """Convolution of all factors with all filters, (batch, filters, factors, length)."""
    if factors.is_complex():
        return torch.complex(_filtered(factors.real, spectrum, n_fft), _filtered(factors.imag, spectrum, n_fft))
    filtered: Tensor = _Filtering.apply(factors, spectrum, n_fft)  # type: ignore[no-untyped-call]  # torch has no types
    return filtered


class _Filtering(torch.autograd.Function):
    """Convolution of all factors with all filters, with a gradient by real transforms."""

    @staticmethod
    def forward(ctx: Any, factors: Tensor, spectrum: Tensor, n_fft: int) -> Tensor:
        of_factors = torch.fft.rfft(factors.contiguous(), n_fft)
        ctx.save_for_backward(of_factors, spectrum)
        ctx.n_fft = n_fft
        filtered: Tensor = torch.fft.irfft(of_factors[:, None] * spectrum[:, None], n_fft)[..., : factors.shape[-1]]
        return filtered

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        of_factors, spectrum = ctx.saved_tensors
        of_gradient = torch.fft.rfft(gradient.contiguous(), ctx.n_fft)
        for_factors, for_spectrum = None, None
        if ctx.needs_input_grad[0]:
            adjoint = sum(of_gradient[:, k] * spectrum[k].conj() for k in range(len(spectrum)))
            for_factors = torch.fft.irfft(adjoint, ctx.n_fft)[..., : gradient.shape[-1]]
        if ctx.needs_input_grad[1]:
            # all frequencies except the first and, for an even length, the last count twice in the full transform
            parts = [(of_factors.conj() * of_gradient[:, k]).sum(dim=(0, 1)) for k in range(len(spectrum))]
            for_spectrum = torch.stack(parts) / ctx.n_fft
            for_spectrum[..., 1 : (ctx.n_fft + 1) // 2] *= 2
        return for_factors, for_spectrum, None
