"""The Hyena operator: long convolutions with gates between them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor, nn

from sigfeat.nn.layers import linear
from sigfeat.nn.mixers.convolution import convolve, fft_length, filter_spectrum, short_convolve
from sigfeat.nn.mixers.incremental import (
    Convolution,
    DirectConvolution,
    IncrementalState,
    ModalConvolution,
    ShortConvolution,
    TiledConvolution,
    check_causal,
)
from sigfeat.nn.mixers.modal import ModalFilter
from sigfeat.nn.mixers.projection import check_width, first_taps, padding
from sigfeat.nn.mixers.spec import LARGEST_EXPANSION, BlockSpec
from sigfeat.nn.mixers.spectra import SpectrumCache


@dataclass(frozen=True)
class HyenaFilter:
    """Settings of the long filters of Hyena.

    Parameters
    ----------
    kind : {"implicit", "modal"}, default="implicit"
        "implicit" filters are a neural network of the lag, see `ImplicitFilter`. "modal" filters are sums of damped
        oscillations, see `sigfeat.nn.mixers.modal.ModalFilter`: they are causal, and incremental evaluation needs a
        state of fixed size only.
    width, n_bands : int, default=64, 8
        Hidden width, and number of frequencies, of the network of implicit filters.
    time_scale : float, default=100.0
        Lag, in steps, that the filters see as 1.
    n_modes : int, default=16
        Number of oscillations in each modal filter.
    length : int or None, default=None
        Number of lags, forwards and backwards, from which on implicit filters are 0; None for no end. Nothing is
        known about a filter at lags that did not occur in training.
    """

    kind: str = "implicit"
    width: int = 64
    n_bands: int = 8
    time_scale: float = 100.0
    n_modes: int = 16
    length: int | None = None


IMPLICIT = HyenaFilter()


class ImplicitFilter(nn.Module):
    """Filters that are a neural network of the lag, times a window that decays.

    h(t) = (exp(-a |t|) + floor) MLP(t, cos(pi b t), sin(pi b t), ...), with t = lag / `time_scale`, and
    learnt a > 0 for each filter. At lags from `length` on, in both directions, it is 0.

    Parameters
    ----------
    n_filters : int
        Number of filters.
    width : int
        Neurons of each of the two hidden layers.
    n_bands : int
        Number of frequencies b = 1, 2, ... of the lag that are inputs of the network.
    time_scale : float
        Lag, in steps, that corresponds to t = 1.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype
        Of the weights.
    floor : float, default=FLOOR
        Value of the window at large lags.
    length : int or None, default=None
        Number of lags of the filters; None for no end.

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy", 2023, arXiv:2302.10866, section 3.3.
    """

    FLOOR = 0.05
    SLOWEST, FASTEST = 0.3, 1.5  # range of the first values of a

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
        length: int | None = None,
    ) -> None:
        super().__init__()
        self.time_scale, self.n_bands, self.floor, self.length = time_scale, n_bands, floor, length
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
        """Taps at the given lags, in steps."""
        t = lags[:, None] / self.time_scale
        angles = math.pi * t * torch.arange(1, self.n_bands + 1, dtype=t.dtype, device=t.device)
        hidden = torch.cat([t, angles.cos(), angles.sin()], dim=1)
        for layer in self.layers[:-1]:
            hidden = layer(hidden).sin()
        window = torch.exp(-self.log_decay.exp() * t.abs()) + self.floor
        taps: Tensor = self.layers[-1](hidden) * window
        if self.length is not None:
            taps = taps.masked_fill(lags[:, None].abs() >= self.length, 0.0)
        return taps.T


def _implicit(n_filters: int, filter: HyenaFilter, generator: torch.Generator, dtype: torch.dtype) -> ImplicitFilter:
    shape = n_filters, filter.width, filter.n_bands, filter.time_scale
    return ImplicitFilter(*shape, generator=generator, dtype=dtype, length=filter.length)


def _modal(n_filters: int, filter: HyenaFilter, generator: torch.Generator, dtype: torch.dtype) -> ModalFilter:
    return ModalFilter(n_filters, filter.n_modes, filter.time_scale, generator=generator, dtype=dtype)


FILTERS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType({"implicit": _implicit, "modal": _modal})
ONLY_CAUSAL = ("modal",)
CONVOLUTIONS = {  # of incremental evaluation; the first one of a kind of filter is its default
    "implicit": ("tiled", "direct"),
    "modal": ("modal", "tiled", "direct"),
}


class Hyena(nn.Module):
    """Long convolutions with gates between them, and a linear map.

    z_1 = v, z_{n+1} = (1 + x_n / N) . (h_n * z_n / N + s_n z_n) for n = 1, ..., N.

    v, x_1, ..., x_N are linear maps of the tokens, each followed by a short convolution; both are computed as one dense
    convolution. The skip weights s_n are 1 at first, so that each step is the closer to the identity the larger N is,
    and the size of the gradient does not depend on the order.

    Parameters
    ----------
    d_model : int
        Width of the tokens.
    order : int, default=2
        Number N of long convolutions and gates.
    causal : bool, default=False
        Whether no token depends on later ones.
    short_filter : int, default=3
        Width of the short convolution; odd unless `causal`.
    filter : HyenaFilter, default=HyenaFilter()
        Kind and settings of the long filters.
    gate_norm : bool, default=False
        Whether each z_{n+1} is divided by its root mean square over the width.
    expansion : float, default=1.0
        Width of the convolutions and gates as a multiple of `d_model`.
    generator : torch.Generator
        Source of the first weights.
    dtype : torch.dtype, default=torch.float32
        Of the weights.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or filters are modal although the mixer is not causal.

    Notes
    -----
    In evaluation without gradients the spectra of the filters are kept for the last few lengths.

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy", 2023, arXiv:2302.10866, definition 3.1. Order N has N convolutions as there;
       the published code leaves out the first. Where the paper has x_n and h_n, this module has 1 + x_n / N and
       h_n / N: the functions are the same, in other coordinates. These coordinates, two-sided filters and
       `gate_norm` are not in the paper.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import Hyena
    >>> mixer = Hyena(8, order=3, causal=True, generator=torch.Generator().manual_seed(0))
    >>> mixer(torch.ones(2, 10, 8)).shape
    torch.Size([2, 10, 8])
    """

    def __init__(
        self,
        d_model: int,
        *,
        order: int = 2,
        causal: bool = False,
        short_filter: int = 3,
        filter: HyenaFilter = IMPLICIT,
        gate_norm: bool = False,
        expansion: float = 1.0,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if order < 1:
            raise ValueError(f"order must be at least 1, got {order}")
        check_width("short_filter", short_filter, causal)
        if not 0 < expansion < LARGEST_EXPANSION:
            raise ValueError(f"expansion must be in (0, {LARGEST_EXPANSION:g}), got {expansion:g}")
        if filter.kind not in FILTERS:
            raise ValueError(f"filter must be one of {', '.join(FILTERS)}, got {filter.kind!r}")
        if filter.kind in ONLY_CAUSAL and not causal:
            raise ValueError(f"filter must be implicit unless causal, got {filter.kind!r}")
        if filter.length is not None and filter.length < 1:
            raise ValueError(f"length of filters must be at least 1, got {filter.length}")
        self.order, self.causal, self.gate_norm, self.filter_kind = order, causal, gate_norm, filter.kind
        d_inner = max(1, round(expansion * d_model))
        n_projected = (order + 1) * d_inner
        self.in_projection = linear(d_model, n_projected, bias=False, generator=generator, dtype=dtype)
        taps = first_taps(n_projected, short_filter, causal=causal, generator=generator, dtype=dtype)
        self.short_taps = nn.Parameter(taps)
        self.short_bias = nn.Parameter(torch.zeros(n_projected, dtype=dtype))
        self.filters = FILTERS[filter.kind](order * d_inner, filter, generator, dtype)
        self.skip = nn.Parameter(torch.ones(order, d_inner, dtype=dtype))
        self.out_projection = linear(d_inner, d_model, generator=generator, dtype=dtype)
        self.spectra = SpectrumCache()

    @classmethod
    def from_spec(
        cls, spec: BlockSpec, *, causal: bool, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> "Hyena":
        """The mixer of the blocks of a network."""
        if spec.time_scale is None:
            raise ValueError("time_scale must be a number, got None")
        return cls(
            spec.d_model,
            order=spec.order,
            causal=causal,
            short_filter=spec.short_filter,
            filter=HyenaFilter(
                spec.filter,
                spec.filter_width,
                spec.filter_bands,
                float(spec.time_scale),
                spec.n_modes,
                spec.filter_length,
            ),
            gate_norm=spec.gate_norm,
            expansion=spec.expansion,
            generator=generator,
            dtype=dtype,
        )

    def forward(
        self, x: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length d_model"]:
        """Mix the tokens; `mask` is True at real points, which come first."""
        length = x.shape[1]
        if mask is not None:
            x = x * mask[..., None]
        z, *gates = self._project(x).chunk(self.order + 1, dim=1)
        if mask is not None:  # the gates are masked too, so that each z is 0 after the end
            z = z * mask[:, None]
            gates = [gate * mask[:, None] for gate in gates]
        n_fft = fft_length(length, self._n_lags(length))
        spectra = self._spectra(length, n_fft)
        for gate, spectrum in zip(gates, spectra, strict=True):
            z = gate * convolve(z, spectrum, n_fft)
            if self.gate_norm:
                z = z * (z.square().mean(dim=1, keepdim=True) + 1e-6).rsqrt()
        out: Tensor = self.out_projection(z.transpose(1, 2))
        return out

    def incremental(self, batch: int = 1, convolution: str | None = None) -> IncrementalState:
        """The operator for tokens that arrive some at a time, with the weights as they are now.

        Parameters
        ----------
        batch : int, default=1
            Number of sequences.
        convolution : {"tiled", "direct", "modal"} or None, default=None
            Algorithm of the long convolutions: exact tiles, in amortised O(log^2) time per token; a sum over the whole
            past; or a recurrence in O(1), for modal filters only. None is "modal" for modal filters and "tiled" for
            others.

        Returns
        -------
        state : IncrementalState
            Its ``append(x)`` returns, for new tokens (batch, steps, d_model), what `forward` returns for them.

        Raises
        ------
        ValueError
            If the operator is not causal, or the filters do not have this convolution.
        """
        check_causal(self.causal, "Hyena")
        choices = CONVOLUTIONS[self.filter_kind]
        if convolution is not None and convolution not in choices:
            raise ValueError(
                f"convolution must be one of {', '.join(choices)} for {self.filter_kind} filters, got {convolution!r}"
            )
        with torch.no_grad():
            return _HyenaState(self, batch, convolution or choices[0])

    def taps(self, first: int, stop: int) -> Float[Tensor, "order d_inner lags"]:
        """Taps of each convolution at lags first, ..., stop - 1; the tap at lag 0 includes the skip connection."""
        lags = torch.arange(first, stop, device=self.skip.device).to(self.skip.dtype)
        taps = self.filters(lags).unflatten(0, self.skip.shape) / self.order
        return torch.where(lags == 0, taps + self.skip[..., None], taps)

    def short_filter(self) -> tuple[Float[Tensor, "projected width"], Float[Tensor, " projected"]]:
        """Taps and bias of the short convolutions, which yield the values v and directly the gates 1 + x_n / N."""
        is_gate = torch.arange(len(self.short_taps), device=self.skip.device) >= self.skip.shape[1]
        scale = torch.ones_like(self.short_bias).masked_fill(is_gate, 1 / self.order)
        return self.short_taps * scale[:, None], self.short_bias * scale + is_gate

    def _project(self, x: Float[Tensor, "batch length d_model"]) -> Float[Tensor, "batch projected length"]:
        """Values v and gates 1 + x_n / N: projections, each followed by its short convolution."""
        projected = self.in_projection(x).transpose(1, 2).contiguous()
        taps, bias = self.short_filter()
        before, _ = padding(taps.shape[1], self.causal)
        return short_convolve(projected, taps, bias, before)

    def _n_lags(self, length: int) -> int:
        """Number of lags, in each direction, that matter for series of a length."""
        longest = self.filters.length if isinstance(self.filters, ImplicitFilter) else None
        return length if longest is None else min(length, longest)

    def _spectra(self, length: int, n_fft: int) -> Complex[Tensor, "order d_inner frequencies"]:
        return self.spectra.get(
            [*self.filters.parameters(), self.skip], length, lambda: self._build_spectra(self._n_lags(length), n_fft)
        )

    def _build_spectra(self, n_lags: int, n_fft: int) -> Complex[Tensor, "order d_inner frequencies"]:
        first = 0 if self.causal else 1 - n_lags
        lags = torch.arange(first, n_lags, device=self.skip.device).to(self.skip.dtype)
        with torch.autocast(self.skip.device.type, enabled=False):  # transforms need at least single precision
            taps = self.filters(lags).unflatten(0, self.skip.shape) / self.order
            back = None if self.causal else taps[..., : n_lags - 1].flip(-1)
            # the skip connection is a tap at lag 0, whose spectrum is constant
            return filter_spectrum(taps[..., -n_lags:], back, n_fft) + self.skip[..., None]


class _HyenaState:
    """State of Hyena: that of its short and long convolutions."""

    def __init__(self, mixer: Hyena, batch: int, convolution: str) -> None:
        self.mixer, self.gate_norm = mixer, mixer.gate_norm
        # kept as tensors: looking up the parts of a module takes as long as a small matrix product
        self.in_weight = mixer.in_projection.weight
        self.out_weights = mixer.out_projection.weight, mixer.out_projection.bias
        self.short = ShortConvolution(*mixer.short_filter(), batch)
        self.taps = mixer.skip.new_empty(*mixer.skip.shape, 0)
        self.long = [self._convolution(n, batch, convolution) for n in range(mixer.order)]

    @torch.no_grad()
    def append(self, x: Float[Tensor, "batch steps d_model"]) -> Float[Tensor, "batch steps d_model"]:
        """Mix the new tokens."""
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
        kinds: dict[str, Callable[..., Convolution]] = {"tiled": TiledConvolution, "direct": DirectConvolution}
        return kinds[convolution](lambda stop: self._taps(stop)[n], batch)

    def _taps(self, stop: int) -> Float[Tensor, "order d_inner lags"]:
        """At least the first `stop` taps of all convolutions; their number at least doubles when more are needed."""
        have = self.taps.shape[2]
        if stop > have:
            self.taps = torch.cat([self.taps, self.mixer.taps(have, max(stop, 2 * have))], dim=2)
        return self.taps
