"""What mixers of sequences cost over their length: time, memory and floating point operations."""

import functools
import math
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from benchmarks.measure import new_peak, peak, thread_limit
from sigfeat.nn import S4, Attention, Hyena, HyenaFilter, Recurrent

FUSED, EXPLICIT, S4D, GRU = "attention, fused", "attention, explicit", "S4D", "GRU"
TASKS = ("forward", "training")
SHORT_FILTER, FILTER_WIDTH, FILTER_BANDS, STATE = 3, 64, 8, 64  # as in the encoders
BATCH, WIDTH, HEADS = 4, 64, 4
WARM_UP_LENGTH = 8
MATRICES_HELD = {"forward": 2, "training": 3}  # scores and weights; weights and the gradients of both
OPERATIONS = ("matrix", "transform", "elementwise")


class ExplicitAttention(Attention):
    """`Attention` by softmax(Q K^T / sqrt(d)) V one step after the other: two-sided, without mask and ALiBi."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.queries_keys_values(x)
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        mixed = scores.softmax(dim=-1) @ v
        return self.out_projection(mixed.transpose(1, 2).flatten(2))


def measure(
    name: str, length: int, task: str, batch: int = BATCH, width: int = WIDTH, heads: int = HEADS
) -> dict[str, Any]:
    """Peak memory and time of the first run of a mixer in this process, on one thread, in float32, two-sided.

    Parameters
    ----------
    name : str
        "attention, fused", "attention, explicit", "Hyena order N" with a number N, "S4D" or "GRU".
    length : int
        Of the sequences.
    task : {"forward", "training"}
        Evaluation without gradients, where spectra of filters are kept from run to run; or forward and backward, down
        to the gradients of the weights and of the input, as in a layer of an encoder.
    batch, width, heads : int
        Sequences, width of the tokens, and heads of attention.

    Returns
    -------
    record : dict
        "peak_bytes"; "first_seconds", which include what is made in the first run and kept, such as spectra.

    Raises
    ------
    ValueError
        If there is no such mixer or task, or `length` or `batch` is below 1.

    Notes
    -----
    "peak_bytes" is how far the resident memory of the process rose above its level when the mixer, its input and the
    gradient of its output were there, and a run on 8 tokens had loaded what the libraries load. It holds what is made
    in the first run and kept, what making it takes, and what the allocator loses between blocks; it does not hold
    weights and input. On Linux the high-water mark of the process is set back before, and with glibc freed memory is
    returned to the system, so that its use counts again. Elsewhere the mark stands where it was, and a rise below it is
    not seen. Rises of few MiB are lost in what code of the libraries is paged in.
    """
    with thread_limit(1):
        run = prepared(name, length, task, batch, width, heads)
        level, start = new_peak(), time.perf_counter()
        run()
        return {"first_seconds": time.perf_counter() - start, "peak_bytes": peak() - level}


def prepared(
    name: str, length: int, task: str, batch: int = BATCH, width: int = WIDTH, heads: int = HEADS
) -> Callable[[], Any]:
    """A run of a mixer, which has run on 8 tokens before; see `measure`."""
    check(length, task, batch)
    mixer = _mixer(name, length, width, heads).train(task == "training")
    generator = torch.Generator().manual_seed(0)
    x, gradient = torch.randn(2, batch, length, width, generator=generator)
    run = {"forward": _forward, "training": _training}[task]
    run(mixer, x[:, :WARM_UP_LENGTH], gradient[:, :WARM_UP_LENGTH])
    return functools.partial(run, mixer, x, gradient)


def known(
    name: str, length: int, task: str, batch: int = BATCH, width: int = WIDTH, heads: int = HEADS
) -> dict[str, Any]:
    """What is known of a mixer without a measurement: "name", "n_parameters" and "flops"."""
    return {
        "name": name,
        "n_parameters": sum(weight.numel() for weight in _mixer(name, length, width, heads).parameters()),
        "flops": flops(name, length, task, batch, width, heads),
    }


def matrix_bytes(length: int, task: str, batch: int = BATCH) -> int:
    """Memory of the float32 matrices of length by length that explicit attention holds at once."""
    return MATRICES_HELD[task] * 4 * batch * HEADS * length**2


def flops(
    name: str, length: int, task: str = "forward", batch: int = BATCH, width: int = WIDTH, heads: int = HEADS
) -> float:
    """Floating point operations of one run of a mixer, by formula.

    A multiply-add is 2, a real transform of n points 2.5 n log2(n), an elementwise operation on real numbers 1, be it
    a sum or a sine, a product of complex numbers 6, a softmax 5 for each entry. Copies count nothing, nor does what
    does not grow with the length. With B, L, D, H, N for batch, length, width, heads and order, T = B L tokens,
    n points of a transform (the next fast length from 2 L on) and F = n // 2 + 1 frequencies:

    ================== ================================= ====================== =====================================
    part               matrix products                   real transforms        elementwise
    ================== ================================= ====================== =====================================
    attention          8 T D^2 + 4 T L D                 0                      5 T D + 5 T H L
    Hyena              2 T D^2 (N + 2)                   2 N B D                (7 N + 7) T D + 6 N B D F
    filters of Hyena   2 (2 L - 1) (17 64 + 64^2         N D                    (2 L - 1) (283 + 6 N D) + N D F
                       + 64 N D)
    S4D                4 T D^2                           2 B D                  5 T D + 6 B D F
    filters of S4D     256 D l m                         D                      D (224 (l + m) + 384 l + F)
    GRU, two-sided     28 T D^2                          0                      33 T D
    ================== ================================= ====================== =====================================

    The filters of S4D are a product of matrices with m = ceil(sqrt(L)) and l = ceil(L / m). Filters are left out of a
    forward run, where their spectra are kept. Training is three times the forward run with the filters, by convention:
    each product of matrices has two in its gradient. Fused attention counts as the explicit one, though its backward
    pass computes the scores once more.

    Parameters
    ----------
    name, length, task, batch, width, heads
        See `measure`.

    Returns
    -------
    flops : float

    Raises
    ------
    ValueError
        If there is no such mixer or task.
    """
    return sum(operations(name, length, task, batch, width, heads).values())


def operations(
    name: str, length: int, task: str = "forward", batch: int = BATCH, width: int = WIDTH, heads: int = HEADS
) -> dict[str, float]:
    """Floating point operations of matrix products, transforms and the rest; see `flops`."""
    check(length, task, batch)
    no_filters = np.zeros(len(OPERATIONS))
    if name in (FUSED, EXPLICIT):
        mixing, filters = _attention_operations(batch, length, width, heads), no_filters
    elif name == S4D:
        mixing, filters = _s4_operations(batch, length, width), _s4_filter_operations(length, width)
    elif name == GRU:
        tokens = batch * length
        mixing, filters = np.array([28 * tokens * width**2, 0, 33 * tokens * width]), no_filters
    else:
        order = _order(name)
        mixing = _hyena_operations(order, batch, length, width)
        filters = _hyena_filter_operations(order, length, width)
    found = 3.0 * (mixing + filters) if task == "training" else mixing
    return {kind: float(number) for kind, number in zip(OPERATIONS, found, strict=True)}


def check(length: int, task: str, batch: int = 1) -> None:
    """Raise a ValueError if there is no such task, or a number is below 1."""
    for what, value in (("length", length), ("batch", batch)):
        if value < 1:
            raise ValueError(f"{what} must be at least 1, got {value}")
    if task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {task!r}")


def _order(name):
    """Order of a Hyena, the only kind of mixer with a number in its name."""
    found = re.fullmatch(r"Hyena order ([1-9]\d*)", name)
    if not found:
        names = ", ".join(f'"{known}"' for known in (FUSED, EXPLICIT, "Hyena order N", S4D, GRU))
        raise ValueError(f"name must be one of {names}, got {name!r}")
    return int(found[1])


def _mixer(name, length, width, heads):
    how = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float32}
    if name in (FUSED, EXPLICIT):
        plain = {"n_heads": heads, "positions": "none", "short_filter": 1}
        return (Attention if name == FUSED else ExplicitAttention)(width, **plain, **how)
    if name == S4D:
        return S4(width, d_state=STATE, **how)
    if name == GRU:
        return Recurrent(width, **how)
    filters = HyenaFilter(width=FILTER_WIDTH, n_bands=FILTER_BANDS, time_scale=float(length))
    return Hyena(width, order=_order(name), short_filter=SHORT_FILTER, filter=filters, **how)


def _forward(mixer, x, gradient):
    with torch.no_grad():
        return mixer(x)


def _training(mixer, x, gradient):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(mixer(x), [x, *mixer.parameters()], gradient)


def _attention_operations(batch, length, width, heads):
    tokens = batch * length
    matrix = 8 * tokens * width**2 + 4 * tokens * length * width
    return np.array([matrix, 0, 5 * tokens * width + 5 * tokens * heads * length], float)


def _hyena_operations(order, batch, length, width):
    tokens, channels = batch * length, batch * width
    matrix = 2 * tokens * width**2 * (order + 2)
    filtered = 2 * SHORT_FILTER * (order + 1) + order + 1
    products = 6 * order * channels * _n_frequencies(length)
    return np.array([matrix, 2 * order * channels * _transform(length), filtered * tokens * width + products])


def _hyena_filter_operations(order, length, width):
    lags, taps = 2 * length - 1, order * width
    layers = (1 + 2 * FILTER_BANDS) * FILTER_WIDTH + FILTER_WIDTH**2 + FILTER_WIDTH * taps
    of_lag = 3 + 3 * FILTER_BANDS + 4 * FILTER_WIDTH + 6 * taps
    return np.array([2 * lags * layers, taps * _transform(length), lags * of_lag + taps * _n_frequencies(length)])


def _s4_operations(batch, length, width):
    tokens, channels = batch * length, batch * width
    products = 6 * channels * _n_frequencies(length)
    return np.array([4 * tokens * width**2, 2 * channels * _transform(length), 5 * tokens * width + products])


def _s4_filter_operations(length, width):
    n_fine = math.isqrt(length - 1) + 1
    n_coarse, pairs = -(-length // n_fine), STATE // 2
    matrix = 2 * width * (2 * n_coarse) * n_fine * STATE
    elementwise = 7 * (n_fine + n_coarse) * pairs + 2 * 6 * n_coarse * pairs + _n_frequencies(length)
    return np.array([matrix, width * _transform(length), width * elementwise])


def _transform(length):
    """Operations of a real transform of the points that a convolution takes."""
    n_fft = _fft_length(length)
    return 2.5 * n_fft * math.log2(n_fft)


def _fft_length(length):
    """Points of the transform of a convolution in which no lag wraps round."""
    return int(next_fast_len(2 * length, real=True))


def _n_frequencies(length):
    return _fft_length(length) // 2 + 1
