"""Incremental evaluation of causal mixers and convolutions: inputs arrive some at a time.

Convolutions take values as (steps, batch, channels), so that values of one time are contiguous.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sigfeat.nn.mixers.convolution import convolve, fft_length, filter_spectrum
from sigfeat.nn.mixers.modal import powers

MAX_FFT_VALUES = 1 << 22  # values in one transform of a tile; more channels are transformed in groups


@runtime_checkable
class IncrementalState(Protocol):
    """What a causal mixer, block or model keeps of the tokens so far, so that the next ones cost little."""

    def append(self, x: Tensor) -> Tensor:
        """Output for the new tokens x (batch, steps >= 1, ...), equal to that of the whole sequence at these times."""
        ...


@runtime_checkable
class Convolution(Protocol):
    """A causal convolution whose inputs arrive some at a time."""

    def step(self, z: Tensor) -> Tensor:
        """Output at the next time, for values z (batch, channels)."""
        ...

    def append(self, z: Tensor) -> Tensor:
        """Outputs at the next times, for values z (steps, batch, channels)."""
        ...


class TiledConvolution:
    """Exact causal convolution in amortised O(log^2) time per value.

    Time is divided into blocks of `BLOCK` steps. Within its own block a value is added to all later outputs at once.
    After a block, at time t, the last U values, where U is the largest power of two that divides t, are convolved by
    FFT with the taps at lags below 2 U, and added to the following U outputs. In this way each pair of blocks is
    treated once. Several values at once are divided into pieces whose length is a power of two that divides the time
    at which they start.

    Parameters
    ----------
    taps : callable
        ``taps(n)`` returns the taps at lags 0, ..., n - 1 or more, of shape (channels, at least n).
    batch : int
        Number of series.

    Notes
    -----
    Memory O(batch channels time), which doubles when it is full; taps and spectra take as much as two series.

    References
    ----------
    .. [1] van der Hoeven, "Relax, but don't be too lazy", 2002, section 4.
    .. [2] Oncescu et al., "Flash inference: near linear time inference for long convolution sequence models and
       beyond", 2024, arXiv:2410.12982, algorithm 2, there with tiles of single values, here of blocks.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.mixers.incremental import TiledConvolution
    >>> halves = 0.5 ** torch.arange(1000.0)
    >>> sums = TiledConvolution(lambda n: halves[None, :n], batch=1)
    >>> [sums.step(torch.ones(1, 1)).item() for _ in range(3)]
    [1.0, 1.5, 1.75]
    """

    BLOCK = 32

    def __init__(self, taps: Callable[[int], Tensor], batch: int) -> None:
        self.taps, self.time = taps, 0
        first = taps(self.BLOCK)[:, : self.BLOCK].T.unsqueeze(1).contiguous()  # (lags, 1, channels)
        self.first = [first[: self.BLOCK - i] for i in range(self.BLOCK)]
        self.values = first.new_empty(0, batch, first.shape[2])
        self.sums = first.new_zeros(0, batch, first.shape[2])
        self.spectra: dict[int, Tensor] = {}
        self.block_sums = self.sums
        self.block_values, self.rows = self.values.unbind(), self.sums.unbind()

    def step(self, z: Float[Tensor, "batch channels"]) -> Float[Tensor, "batch channels"]:
        """Output at the next time."""
        place = self.time % self.BLOCK
        if place == 0:
            self._begin_block()
        self.block_values[place].copy_(z)
        self.block_sums[place:].addcmul_(self.first[place], z)
        self.time += 1
        return self.rows[place]

    def append(self, z: Float[Tensor, "steps batch channels"]) -> Float[Tensor, "steps batch channels"]:
        """Outputs at the next times."""
        outputs, done = [], 0
        while done < len(z):
            left, place = len(z) - done, self.time % self.BLOCK
            if place or left < self.BLOCK:
                n = min(left, self.BLOCK - place)
                outputs.append(torch.stack([self.step(value) for value in z[done : done + n]]))
            else:
                n = 1 << (left.bit_length() - 1)
                if self.time:
                    n = min(n, self.time & -self.time)
                outputs.append(self._piece(z[done : done + n]))
            done += n
        return torch.cat(outputs) if len(outputs) > 1 else outputs[0]

    def _begin_block(self) -> None:
        """Add the past blocks to the following ones, and prepare the next block."""
        self._tile()
        self._grow(self.time + self.BLOCK)
        block = slice(self.time, self.time + self.BLOCK)
        self.block_sums, self.block_values = self.sums[block], self.values[block].unbind()
        self.rows = self.block_sums.unbind()

    def _tile(self) -> None:
        if self.time == 0:
            return
        n = self.time & -self.time
        self._grow(self.time + n)
        if n not in self.spectra:
            self.spectra[n] = filter_spectrum(self.taps(2 * n)[:, : 2 * n], None, 2 * n)
        values, sums = self.values[self.time - n : self.time], self.sums[self.time : self.time + n]
        size = max(1, MAX_FFT_VALUES // (2 * n * values.shape[1]))
        for start in range(0, values.shape[2], size):
            group = slice(start, start + size)
            # outputs at lags below n wrap around and are not needed
            sums[..., group] += _convolved(values[..., group], self.spectra[n][group], 2 * n)[n:]

    def _piece(self, z: Float[Tensor, "steps batch channels"]) -> Float[Tensor, "steps batch channels"]:
        """Outputs of a piece of several blocks: contributions of the past and of the piece itself."""
        self._tile()
        n = len(z)
        self._grow(self.time + n)
        now = slice(self.time, self.time + n)
        self.values[now] = z
        outputs, taps = self.sums[now], self.taps(n)[:, :n]
        size = max(1, MAX_FFT_VALUES // (2 * n * z.shape[1]))
        for start in range(0, z.shape[2], size):
            group = slice(start, start + size)
            outputs[..., group] += _convolved(z[..., group], filter_spectrum(taps[group], None, 2 * n), 2 * n)[:n]
        self.time += n
        return outputs

    def _grow(self, n: int) -> None:
        if n > len(self.values):
            capacity = max(n, 2 * len(self.values))
            values, sums = (old.new_zeros(capacity, *old.shape[1:]) for old in (self.values, self.sums))
            values[: self.time], sums[: len(self.sums)] = self.values[: self.time], self.sums
            self.values, self.sums = values, sums


class DirectConvolution:
    """Causal convolution by its definition, a sum over the whole past for each value.

    It is the baseline for `TiledConvolution`.

    Parameters
    ----------
    taps, batch
        As for `TiledConvolution`.

    Notes
    -----
    Time O(channels time) per value. Taps are stored in the order of time, so that both factors are contiguous.
    """

    def __init__(self, taps: Callable[[int], Tensor], batch: int) -> None:
        self.taps, self.time = taps, 0
        first = taps(1)[:, :1]
        self.values = first.new_empty(batch, len(first), 0)
        self.reversed_taps = first.new_empty(len(first), 0)

    def step(self, z: Float[Tensor, "batch channels"]) -> Float[Tensor, "batch channels"]:
        """Output at the next time."""
        capacity = self.values.shape[2]
        if self.time == capacity:
            capacity = max(64, 2 * capacity)
            values = self.values.new_empty(*self.values.shape[:2], capacity)
            values[..., : self.time] = self.values
            self.values, self.reversed_taps = values, self.taps(capacity)[:, :capacity].flip(-1).contiguous()
        self.values[..., self.time] = z
        self.time += 1
        past, taps = self.values[..., : self.time], self.reversed_taps[:, capacity - self.time :]
        output: Tensor = torch.linalg.vecdot(past, taps)
        return output

    def append(self, z: Float[Tensor, "steps batch channels"]) -> Float[Tensor, "steps batch channels"]:
        """Outputs at the next times."""
        return torch.stack([self.step(value) for value in z])


class ModalConvolution:
    """Causal convolution with sums of damped oscillations by a recurrence, in O(modes) time per value.

    s_t = exp(A) s_{t-1} + z_t and y_t = Re sum over n of R_n s_{t,n} + D z_t. Several values are processed in chunks:
    in each, a convolution and two matrix products, which read and write the state, replace the recurrence.

    Parameters
    ----------
    exponents, residues : complex tensors of shape (channels, modes)
        A and R.
    skip : tensor of shape (channels,)
        D, the tap at lag 0 of the skip connection.
    batch : int
        Number of series.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn.mixers.incremental import ModalConvolution
    >>> half, one = torch.tensor([[0.5]]).log() + 0j, torch.tensor([[1 + 0j]])
    >>> sums = ModalConvolution(half, one, torch.zeros(1), batch=1)
    >>> [round(sums.step(torch.ones(1, 1)).item(), 5) for _ in range(3)]
    [1.0, 1.5, 1.75]
    """

    CHUNK = 64

    def __init__(
        self,
        exponents: Complex[Tensor, "channels modes"],
        residues: Complex[Tensor, "channels modes"],
        skip: Float[Tensor, " channels"],
        batch: int,
    ) -> None:
        exponents, residues, skip = exponents.detach(), residues.detach(), skip.detach()
        self.exponents, self.skip = exponents, skip
        # used as state + change: in exp(A) * state the rounding of exp(A) would add up over thousands of steps
        self.change = exponents.expm1()
        self.residues = residues
        self.read = torch.view_as_real(residues.conj().resolve_conj())  # Re(R s) = Re R Re s - Im R Im s
        self.state = exponents.new_zeros(batch, *exponents.shape)
        self.parts = torch.view_as_real(self.state)
        self.chunk: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def step(self, z: Float[Tensor, "batch channels"]) -> Float[Tensor, "batch channels"]:
        """Output at the next time."""
        self.state.addcmul_(self.change, self.state)
        self.parts[..., 0] += z[..., None]
        return torch.addcmul((self.parts * self.read).sum(dim=(-2, -1)), self.skip, z)

    def append(self, z: Float[Tensor, "steps batch channels"]) -> Float[Tensor, "steps batch channels"]:
        """Outputs at the next times."""
        outputs = [
            self._chunk(part) if len(part) > 1 else self.step(part[0])[None] for part in torch.split(z, self.CHUNK)
        ]
        return torch.cat(outputs) if len(outputs) > 1 else outputs[0]

    def _chunk(self, z: Float[Tensor, "steps batch channels"]) -> Float[Tensor, "steps batch channels"]:
        if self.chunk is None:
            self.chunk = self._prepared()
        spectrum, reading, writing, ahead = self.chunk
        n = len(z)
        by_channel = z.permute(2, 0, 1)  # (channels, steps, batch)
        old = self.parts.permute(1, 2, 3, 0).flatten(1, 2)  # (channels, 2 modes, batch)
        outputs = (reading[:, :n] @ old).permute(1, 2, 0)
        outputs += convolve(z.permute(1, 2, 0), spectrum, fft_length(self.CHUNK)).permute(2, 0, 1)
        new = writing[..., self.CHUNK - n :] @ by_channel  # (channels, 2 modes, batch)
        self.state.mul_(ahead[:, n - 1])
        self.parts += new.permute(2, 0, 1).view_as(self.parts)
        return outputs

    def _prepared(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Spectrum of the taps; maps from the state to outputs and from inputs to the state; powers 1, 2, ..."""
        n = self.CHUNK
        all_powers = powers(self.exponents, n + 1)
        taps = (self.residues[:, None] * all_powers[:, :n]).real.sum(dim=-1)
        taps[:, 0] += self.skip
        ahead = all_powers[:, 1:]
        reading = torch.view_as_real((self.residues[:, None] * ahead).conj().resolve_conj()).flatten(-2)
        writing = torch.view_as_real(all_powers[:, :n].flip(1)).flatten(-2).mT.contiguous()
        return filter_spectrum(taps, None, fft_length(n)), reading, writing, ahead


class ShortConvolution:
    """Causal convolution with few taps; each value is added to the next few outputs in advance.

    Parameters
    ----------
    taps : tensor of shape (channels, width)
        At lags width - 1, ..., 0, in the order of time.
    bias : tensor of shape (channels,)
        Bias of the outputs.
    batch : int
        Number of series.
    """

    ROWS = 64

    def __init__(self, taps: Float[Tensor, "channels width"], bias: Float[Tensor, " channels"], batch: int) -> None:
        self.taps, self.bias = taps.T.flip(0).unsqueeze(1).contiguous(), bias  # (lags, 1, channels)
        self.width, self.row = taps.shape[1], 0
        self.sums = bias.expand(self.ROWS + self.width, batch, len(bias)).clone()

    def step(self, u: Float[Tensor, "batch channels"]) -> Float[Tensor, "batch channels"]:
        """Output at the next time, valid until the next call."""
        if self.row == self.ROWS:
            self._rewind()
        row = self.row
        self.sums[row : row + self.width].addcmul_(self.taps, u)
        self.row += 1
        return self.sums[row]

    def append(self, u: Float[Tensor, "steps batch channels"]) -> Float[Tensor, "steps batch channels"]:
        """Outputs at the next times."""
        self._rewind()
        n, begun = len(u), self.width - 1
        sums = self.bias.repeat(n + begun, u.shape[1], 1)
        sums[:begun] = self.sums[:begun]
        for lag, taps in enumerate(self.taps):
            sums[lag : lag + n].addcmul_(taps, u)
        self.sums[:begun] = sums[n:]
        return sums[:n]

    def _rewind(self) -> None:
        """Move the rows of future outputs to the front."""
        begun = self.sums[self.row : self.row + self.width - 1].clone()
        self.sums[len(begun) :] = self.bias
        self.sums[: len(begun)] = begun
        self.row = 0


def check_causal(is_causal: bool, name: str) -> None:
    """Raise if tokens depend on later ones, since these are not known yet."""
    if not is_causal:
        raise ValueError(f"incremental needs a causal {name}, and in this one tokens depend on later ones")


def _convolved(z: Tensor, spectrum: Tensor, n_fft: int) -> Tensor:
    """Circular convolution over the first axis, by transforms along contiguous memory, which are faster."""
    by_time = z.permute(1, 2, 0).contiguous()
    convolved: Tensor = torch.fft.irfft(torch.fft.rfft(by_time, n_fft) * spectrum, n_fft)
    return convolved.permute(2, 0, 1)
