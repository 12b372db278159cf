"""The Hyena operator: long convolutions with implicit filters, and gates between them."""

import math

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor, nn

from sigfeat.nn.layers import linear
from sigfeat.nn.mixers.convolution import convolve, fft_length, filter_spectrum
from sigfeat.nn.mixers.incremental import (
    CONVOLUTIONS,
    Convolution,
    DirectConvolution,
    ModalConvolution,
    ShortConvolution,
    Stream,
    TiledConvolution,
    check_causal,
)
from sigfeat.nn.mixers.modal import ModalFilter
from sigfeat.nn.mixers.spectra import SpectrumCache

FILTERS = ("implicit", "modal")


class ImplicitFilter(nn.Module):
    """Filters as functions of the lag: a small network with sines, times a window that decays.

    h(t) = (exp(-a |t|) + floor) MLP(t, cos(2 pi b t / 2), sin(2 pi b t / 2), ...), with t = lag / `time_scale`, and
    learnt a > 0 for each filter.

    Parameters
    ----------
    n_filters : int
        Number of filters.
    width : int
        Neurons of each of the two hidden layers.
    n_bands : int
        Number of frequencies b of the lag that the network sees.
    time_scale : float
        Lag, in steps, that counts as 1.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype
        Of the weights.
    floor : float, default=FLOOR
        What is left of the window at large lags.

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy", 2023, arXiv:2302.10866, section 3.3.
    """

    FLOOR = 0.05
    SLOWEST, FASTEST = 0.3, 1.5  # first decays, by which a filter is damped at t = 1

    def __init__(
        self,
        n_filters: int,
        width: int,
        n_bands: int,
        time_scale: float,
        *,
        generator: torch.Generator,
        dtype: torch.dtype,
        floor: float = FLOOR,
    ) -> None:
        super().__init__()
        self.time_scale, self.n_bands, self.floor = time_scale, n_bands, floor
        self.layers = nn.ModuleList(
            [
                linear(1 + 2 * n_bands, width, gain=1.4, generator=generator, dtype=dtype),
                linear(width, width, gain=1.4, generator=generator, dtype=dtype),
                linear(width, n_filters, gain=0.1, generator=generator, dtype=dtype),
            ]
        )
        decay = torch.linspace(self.SLOWEST, self.FASTEST, n_filters, dtype=dtype)
        self.log_decay = nn.Parameter(decay.log())

    def forward(self, lags: Float[Tensor, " lags"]) -> Float[Tensor, "filters lags"]:
        """Taps at lags, in steps."""
        t = lags[:, None] / self.time_scale
        angles = math.pi * t * torch.arange(1, self.n_bands + 1, dtype=t.dtype, device=t.device)
        hidden = torch.cat([t, angles.cos(), angles.sin()], dim=1)
        for layer in self.layers[:-1]:
            hidden = layer(hidden).sin()
        window = torch.exp(-self.log_decay.exp() * t.abs()) + self.floor
        taps: Tensor = self.layers[-1](hidden) * window
        return taps.T


class Hyena(nn.Module):
    """Gated long convolutions, and a linear map.

    z_1 = v, z_{n+1} = (1 + x_n / N) . (h_n * z_n / N + s_n z_n) for n = 1, ..., N.

    The projections v, x_1, ..., x_N of the tokens each pass a short convolution. Both are one dense convolution here.
    With s_n = 1 at first, each step is near to none the more there are: gradients stay of one size for any order N.

    Parameters
    ----------
    d_model : int
        Width of the tokens.
    order : int
        Number N of long convolutions and gates.
    causal : bool
        Whether no token depends on later ones.
    short_filter : int
        Width of the short convolution; odd unless causal.
    filter_width, filter_bands : int
        Size of the network of the filters; see `ImplicitFilter`.
    time_scale : float
        Lag, in steps, that counts as 1 for the filters.
    gate_norm : bool
        Whether each z_{n+1} is divided by the root of its mean square over the width.
    filter : {"implicit", "modal"}, default="implicit"
        Whether filters are networks of the lag, `ImplicitFilter`, or sums of damped oscillations,
        `sigfeat.nn.mixers.modal.ModalFilter`, which are causal and stream with a state of fixed size.
    n_modes : int, default=16
        Oscillations in each modal filter.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype
        Of the weights.

    Notes
    -----
    Time O(batch order d_model length (d_model + log(length))). In evaluation without gradients the spectra of the
    filters are kept for the lengths met last.

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy", 2023, arXiv:2302.10866, definition 3.1. Order N has N convolutions as there;
       the published code leaves out the first. There x_n stands for 1 + x_n / N, and h_n for h_n / N: the same
       functions, in other coordinates. These, two-sided filters and the norm of the gates are ours.

    Examples
    --------
    An encoder makes its mixers from its `EncoderSpec`.

    >>> import torch
    >>> from sigfeat.nn import Encoder, EncoderSpec, Hyena
    >>> spec = EncoderSpec("hyena", n_channels=3, d_model=8, n_layers=1, causal=True, order=3)
    >>> mixer = Encoder(spec, generator=torch.Generator().manual_seed(0)).blocks[0].mixer
    >>> isinstance(mixer, Hyena), mixer(torch.ones(2, 10, 8)).shape
    (True, torch.Size([2, 10, 8]))
    """

    def __init__(
        self,
        d_model: int,
        order: int,
        causal: bool,
        short_filter: int,
        filter_width: int,
        filter_bands: int,
        time_scale: float,
        gate_norm: bool,
        filter: str = "implicit",
        n_modes: int = 16,
        *,
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        if order < 1:
            raise ValueError(f"order must be at least 1, got {order}")
        if not causal and short_filter % 2 == 0:
            raise ValueError(f"short_filter must be odd unless causal, got {short_filter}")
        if filter not in FILTERS:
            raise ValueError(f"filter must be one of {', '.join(FILTERS)}, got {filter!r}")
        if filter == "modal" and not causal:
            raise ValueError("filter must be implicit unless causal, got 'modal'")
        self.order, self.causal, self.gate_norm = order, causal, gate_norm
        n_projected = (order + 1) * d_model
        self.in_projection = linear(d_model, n_projected, bias=False, generator=generator, dtype=dtype)
        taps = torch.empty(n_projected, short_filter, dtype=dtype).normal_(std=0.02, generator=generator)
        taps[:, -1 if causal else short_filter // 2] += 1.0
        self.short_taps = nn.Parameter(taps)
        self.short_bias = nn.Parameter(torch.zeros(n_projected, dtype=dtype))
        self.filters = (
            ModalFilter(order * d_model, n_modes, time_scale, generator=generator, dtype=dtype)
            if filter == "modal"
            else ImplicitFilter(
                order * d_model, filter_width, filter_bands, time_scale, generator=generator, dtype=dtype
            )
        )
        self.skip = nn.Parameter(torch.ones(order, d_model, dtype=dtype))
        self.out_projection = linear(d_model, d_model, generator=generator, dtype=dtype)
        self.spectra = SpectrumCache()

    def forward(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Mixed tokens; `mask` is True at real points, which come first."""
        length = x.shape[1]
        if mask is not None:
            x = x * mask[..., None]
        z, *projected = self._project(x.transpose(1, 2)).chunk(self.order + 1, dim=1)
        gates = [1 + gate / self.order for gate in projected]
        if mask is not None:  # in the gates too, so that each z rests behind the end
            z = z * mask[:, None]
            gates = [gate * mask[:, None] for gate in gates]
        n_fft = fft_length(length)
        spectra = self._spectra(length, n_fft)
        for gate, spectrum in zip(gates, spectra, strict=True):
            z = gate * convolve(z, spectrum, n_fft)
            if self.gate_norm:
                z = z * (z.square().mean(dim=1, keepdim=True) + 1e-6).rsqrt()
        out: Tensor = self.out_projection(z.transpose(1, 2))
        return out

    def stream(self, batch: int = 1, convolution: str | None = None) -> Stream:
        """The operator on sequences that are not over, with the weights as they are now.

        Parameters
        ----------
        batch : int, default=1
            Number of sequences.
        convolution : {"tiled", "direct", "modal"} or None, default=None
            How the long convolutions are done: exact tiles, in amortised O(log^2) time for each token; sums over all
            the past; a recurrence in O(1), for modal filters only, whose default it is. For others tiles are.

        Returns
        -------
        stream : object
            Whose ``append(x)`` gives for new tokens (batch, steps, d_model) what `forward` gives for them.

        Raises
        ------
        ValueError
            If the operator is not causal, or the convolution none of these.
        """
        check_causal(self.causal, "Hyena")
        is_modal = isinstance(self.filters, ModalFilter)
        if convolution is None:
            convolution = "modal" if is_modal else "tiled"
        choices = CONVOLUTIONS if is_modal else tuple(name for name in CONVOLUTIONS if name != "modal")
        if convolution not in choices:
            kind = "modal" if is_modal else "implicit"
            raise ValueError(f"convolution must be one of {', '.join(choices)} for {kind} filters, got {convolution!r}")
        with torch.no_grad():
            return _HyenaStream(self, batch, convolution)

    def taps(self, first: int, stop: int) -> Float[Tensor, "order d_model lags"]:
        """Taps at lags first, ..., stop - 1 of each convolution, what passes by it among them."""
        lags = torch.arange(first, stop, device=self.skip.device).to(self.skip.dtype)
        taps = self.filters(lags).unflatten(0, self.skip.shape) / self.order
        return torch.where(lags == 0, taps + self.skip[..., None], taps)

    def _project(self, x: Float[Tensor, "batch d_model length"]) -> Float[Tensor, "batch projected length"]:
        """All projections after their short convolution. Merged: 1.9 times as fast as one after the other."""
        width = self.short_taps.shape[1]
        weight = self.in_projection.weight[:, :, None] * self.short_taps[:, None, :]
        before = width - 1 if self.causal else width // 2
        padded = nn.functional.pad(x, (before, width - 1 - before))
        return nn.functional.conv1d(padded, weight, self.short_bias)

    def _spectra(self, length: int, n_fft: int) -> Complex[Tensor, "order d_model frequencies"]:
        return self.spectra.get(
            [*self.filters.parameters(), self.skip], length, lambda: self._build_spectra(length, n_fft)
        )

    def _build_spectra(self, length: int, n_fft: int) -> Complex[Tensor, "order d_model frequencies"]:
        first = 0 if self.causal else 1 - length
        lags = torch.arange(first, length, device=self.skip.device).to(self.skip.dtype)
        with torch.autocast(self.skip.device.type, enabled=False):  # half precision has no transforms
            taps = self.filters(lags).unflatten(0, self.skip.shape) / self.order
            back = None if self.causal else taps[..., : length - 1].flip(-1)
            # what passes by the convolution is a tap at lag 0, whose spectrum is constant
            return filter_spectrum(taps[..., -length:], back, n_fft) + self.skip[..., None]


class _HyenaStream:
    """Projections, short convolutions and gates from token to token, around long convolutions."""

    def __init__(self, mixer: Hyena, batch: int, convolution: str) -> None:
        self.mixer, self.gate_norm = mixer, mixer.gate_norm
        # weights at hand: a module looks up each of its parts, which takes as long as a small product
        self.in_weight = mixer.in_projection.weight
        self.out_weights = mixer.out_projection.weight, mixer.out_projection.bias
        # the gates 1 + x / N come out of the short convolution as they are used
        scale = mixer.skip.new_full((mixer.order + 1, 1), 1 / mixer.order)
        scale[0] = 1.0
        scale = scale.repeat_interleave(mixer.skip.shape[1], dim=0)
        bias = mixer.short_bias * scale[:, 0]
        bias[mixer.skip.shape[1] :] += 1.0
        self.short = ShortConvolution(mixer.short_taps * scale, bias, batch)
        self.taps = mixer.skip.new_empty(*mixer.skip.shape, 0)
        self.long = [self._convolution(n, batch, convolution) for n in range(mixer.order)]

    @torch.no_grad()
    def append(self, x: Float[Tensor, "batch steps d_model"]) -> Float[Tensor, "batch steps d_model"]:
        """Mixed tokens."""
        is_step = x.shape[1] == 1
        projected = nn.functional.linear(x[:, 0] if is_step else x.transpose(0, 1), self.in_weight)
        projected = self.short.step(projected) if is_step else self.short.append(projected)
        z, *gates = projected.chunk(len(self.long) + 1, dim=-1)
        for gate, convolution in zip(gates, self.long, strict=True):
            z = gate * (convolution.step(z) if is_step else convolution.append(z))
            if self.gate_norm:
                z = z * (z.square().mean(dim=-1, keepdim=True) + 1e-6).rsqrt()
        out = nn.functional.linear(z, *self.out_weights)
        return out[:, None] if is_step else out.transpose(0, 1)

    def _convolution(self, n: int, batch: int, convolution: str) -> Convolution:
        if convolution == "modal":
            filters = self.mixer.filters
            assert isinstance(filters, ModalFilter)
            group = slice(n * self.mixer.skip.shape[1], (n + 1) * self.mixer.skip.shape[1])
            exponents, residues = (part[group] for part in filters.modes())
            return ModalConvolution(exponents, residues / self.mixer.order, self.mixer.skip[n], batch)
        kind = TiledConvolution if convolution == "tiled" else DirectConvolution
        return kind(lambda stop: self._taps(stop)[n], batch)

    def _taps(self, stop: int) -> Float[Tensor, "order d_model lags"]:
        """At least the first taps of all convolutions; new ones are made as often as their number doubles."""
        have = self.taps.shape[2]
        if stop > have:
            self.taps = torch.cat([self.taps, self.mixer.taps(have, max(stop, 2 * have))], dim=2)
        return self.taps
