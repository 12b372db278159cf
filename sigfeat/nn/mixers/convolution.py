"""Convolutions: long ones by FFT, short ones by sums of shifted signals."""

from typing import Any

import torch
from jaxtyping import Complex, Float
from scipy.fft import next_fast_len
from torch import Tensor

MAX_FFT_VALUES = 1 << 24  # values that are transformed together if no gradient is needed


def fft_length(length: int, n_lags: int | None = None) -> int:
    """Length of a fast transform in which series of `length` points do not wrap around.

    Lags are below `n_lags` in both directions; None for `length`.
    """
    return int(next_fast_len(length + (length if n_lags is None else n_lags), real=True))


def filter_spectrum(
    ahead: Float[Tensor, "*channels lags"], back: Float[Tensor, "*channels lags_back"] | None, n_fft: int
) -> Complex[Tensor, "*channels frequencies"]:
    """Spectrum of filters, an argument of `convolve`.

    Parameters
    ----------
    ahead : tensor of shape (..., n_lags)
        Taps at lags 0, 1, 2, ..., by which a value acts on later ones.
    back : tensor of shape (..., n_lags_back) or None
        Taps at lags -1, -2, ..., by which a value acts on earlier ones; None for a causal filter.
    n_fft : int
        Length of the transform; see `fft_length`.

    Returns
    -------
    spectrum : complex tensor of shape (..., n_fft // 2 + 1)
    """
    taps = ahead
    if back is not None:
        gap = ahead.new_zeros(*ahead.shape[:-1], n_fft - ahead.shape[-1] - back.shape[-1])
        taps = torch.cat([ahead, gap, back.flip(-1)], dim=-1)
    spectrum: Tensor = torch.fft.rfft(taps, n_fft)
    return spectrum


def convolve(
    signal: Float[Tensor, "batch channels length"],
    spectrum: Complex[Tensor, "channels frequencies"],
    n_fft: int,
) -> Float[Tensor, "batch channels length"]:
    """Convolve each channel with its filter, cut to the length of the signal, in the precision of the filter."""
    signal = signal.to(spectrum.real.dtype)  # transforms need at least single precision
    size = max(1, MAX_FFT_VALUES // (len(signal) * n_fft)) if len(signal) else signal.shape[1]
    if size >= signal.shape[1] or torch.is_grad_enabled():
        convolved: Tensor = _Convolution.apply(signal, spectrum, n_fft)  # type: ignore[no-untyped-call]  # torch has no types here
        return convolved
    convolved = torch.empty_like(signal)
    for start in range(0, signal.shape[1], size):
        group = slice(start, start + size)
        transformed = torch.fft.rfft(signal[:, group].contiguous(), n_fft).mul_(spectrum[group])
        convolved[:, group] = torch.fft.irfft(transformed, n_fft)[..., : signal.shape[-1]]
    return convolved


class _Convolution(torch.autograd.Function):
    """`convolve` with a gradient by real transforms; torch uses complex ones, which are up to three times as slow."""

    @staticmethod
    def forward(ctx: Any, signal: Tensor, spectrum: Tensor, n_fft: int) -> Tensor:
        of_signal = torch.fft.rfft(signal.contiguous(), n_fft)
        ctx.save_for_backward(of_signal, spectrum)
        ctx.n_fft = n_fft
        convolved: Tensor = torch.fft.irfft(of_signal * spectrum, n_fft)[..., : signal.shape[-1]]
        return convolved

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        of_signal, spectrum = ctx.saved_tensors
        of_gradient = torch.fft.rfft(
            gradient.contiguous(), ctx.n_fft
        )  # transforms keep strides, which slow down later operations
        for_signal, for_spectrum = None, None
        if ctx.needs_input_grad[0]:
            for_signal = torch.fft.irfft(of_gradient * spectrum.conj(), ctx.n_fft)[..., : gradient.shape[-1]]
        if ctx.needs_input_grad[1]:
            # all frequencies except the first and, for an even length, the last count twice in the full transform
            for_spectrum = torch.linalg.vecdot(of_signal, of_gradient, dim=0) / ctx.n_fft
            for_spectrum[..., 1 : (ctx.n_fft + 1) // 2] *= 2
        return for_signal, for_spectrum, None


def short_convolve(
    signal: Float[Tensor, "batch channels length"],
    taps: Float[Tensor, "channels width"],
    bias: Float[Tensor, " channels"],
    before: int,
) -> Float[Tensor, "batch channels length"]:
    """Convolve each channel with its few taps, of which `before` act on later values, in the precision of the signal.

    out(t) = bias + sum over k of taps(k) signal(t + k - before), where the signal is zero outside.
    """
    taps, bias = taps.to(signal.dtype), bias.to(signal.dtype)
    convolved: Tensor = _ShortConvolution.apply(signal, taps, bias, before)  # type: ignore[no-untyped-call]
    return convolved


class _ShortConvolution(torch.autograd.Function):
    """`short_convolve` in place, in about half the time of torch's convolutions of each channel by itself."""

    @staticmethod
    def forward(ctx: Any, signal: Tensor, taps: Tensor, bias: Tensor, before: int) -> Tensor:
        ctx.save_for_backward(signal, taps)
        ctx.before = before
        convolved = torch.addcmul(bias[:, None], signal, taps[:, before, None])
        for tap, (to, source) in _shifts(taps.shape[1], before):
            convolved[..., to].addcmul_(signal[..., source], taps[:, tap, None])
        return convolved

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        (signal, taps), before = ctx.saved_tensors, ctx.before
        for_signal, for_taps = gradient * taps[:, before, None], torch.empty_like(taps)
        for_taps[:, before] = (gradient * signal).sum(dim=(0, 2))
        for tap, (to, source) in _shifts(taps.shape[1], before):
            for_signal[..., source].addcmul_(gradient[..., to], taps[:, tap, None])
            for_taps[:, tap] = (gradient[..., to] * signal[..., source]).sum(dim=(0, 2))
        return for_signal, for_taps, gradient.sum(dim=(0, 2)), None


def _shifts(width: int, before: int) -> list[tuple[int, tuple[slice, slice]]]:
    """For each tap except that of lag 0: its number, and the times that it acts on and those that it takes."""
    ahead = [(tap, (slice(before - tap, None), slice(None, tap - before))) for tap in range(before)]
    back = [(tap, (slice(None, before - tap), slice(tap - before, None))) for tap in range(before + 1, width)]
    return ahead + back
