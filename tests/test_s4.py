"""S4: HiPPO and its normal form, taps against the recurrence and against sums, and what the mixer promises."""

import numpy as np
import pytest
import torch

from sigfeat.nn.mixers.convolution import convolve, fft_length, filter_spectrum
from sigfeat.nn.mixers.s4 import KINDS, S4
from sigfeat.nn.mixers.state_space import diagonal_taps, dplr_taps
from sigfeat.reference.s4 import bilinear, hippo_legs, nplr, s4, s4_recurrence, zero_order_hold

RECURRENCE = {torch.float64: 4e-13, torch.float32: 1e-4}  # of the largest output
LENGTHS = [1, 2, 17, 1000, 16_384]

every_kind = pytest.mark.parametrize("kind", KINDS)
every_dtype = pytest.mark.parametrize("dtype", list(RECURRENCE), ids=str)
both_directions = pytest.mark.parametrize("causal", [True, False], ids=["causal", "two-sided"])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def mixer_of(kind, *, d_model=4, d_state=16, causal=False, dtype=torch.float64):
    return S4(d_model, d_state=d_state, kind=kind, causal=causal, generator=seeded(), dtype=dtype)


def tokens_for(mixer, batch, length, seed=1):
    return torch.randn(batch, length, len(mixer.skip), generator=seeded(seed), dtype=mixer.skip.dtype)


def check_close(found, expected, tolerance):
    """Compare by the size of the largest entry."""
    found, expected = np.asarray(found), np.asarray(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max(initial=0))


def as_complex(tensor):
    return torch.view_as_complex(tensor.detach()).numpy().astype(np.complex128)


def in_pairs(half):
    return np.concatenate([half, half.conj()])


def state_space(mixer, channel):
    """Matrices Abar and Bbar, and C for every direction, of one channel: from the definition, in complex128."""
    real, imaginary = (getattr(mixer, name).detach().double().numpy() for name in ("log_minus_real", "imaginary"))
    a = np.diag(in_pairs(-np.exp(real[channel]) + 1j * imaginary[channel]))
    dt = np.exp(float(mixer.log_dt[channel].detach()))
    outputs = [in_pairs(c) for c in as_complex(mixer.output)[:, channel]]
    if mixer.low_rank is None:
        return *zero_order_hold(a, np.ones(len(a), complex), dt), outputs
    p, b = in_pairs(as_complex(mixer.low_rank)[channel]), in_pairs(as_complex(mixer.input)[channel])
    return *bilinear(a - np.outer(p, p.conj()), b, dt), outputs


def spread_weights(mixer):
    """Weights as training may leave them: no two channels, and no two eigenvalues' real parts, alike."""
    with torch.no_grad():
        for weight in mixer.parameters(recurse=False):
            weight += 0.3 * torch.randn(weight.shape, generator=seeded(2), dtype=weight.dtype)
    return mixer


# ------------------------------------------------------------------------------------------------- reference


def test_hippo_by_hand():
    a, b = hippo_legs(3)
    roots = np.sqrt([3, 5, 15])
    np.testing.assert_allclose(a, [[-1, 0, 0], [-roots[0], -2, 0], [-roots[1], -roots[2], -3]], rtol=1e-15)
    np.testing.assert_allclose(b, [1, roots[0], roots[1]], rtol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 17, 32, 64])
def test_normal_form(n):
    a, b = hippo_legs(n)
    eigenvalues, low_rank, inputs, basis = nplr(n)
    check_close(basis @ (np.diag(eigenvalues) - np.outer(low_rank, low_rank.conj())) @ basis.conj().T, a, 1e-12)
    check_close(basis @ inputs, b, 1e-12)
    check_close(basis.conj().T @ basis, np.eye(n), 1e-12)
    np.testing.assert_array_equal(eigenvalues.real, -0.5)
    check_close(eigenvalues[::-1].conj(), eigenvalues, 1e-12)


def test_steps_by_hand():
    a, b = np.array([[-1.0]]), np.array([1.0])
    held, trapezoidal = zero_order_hold(a, b, 0.5), bilinear(a, b, 0.5)
    np.testing.assert_allclose(np.ravel(held[0]), np.exp(-0.5))
    np.testing.assert_allclose(held[1], 1 - np.exp(-0.5))
    np.testing.assert_allclose(np.ravel(trapezoidal[0]), 0.6)
    np.testing.assert_allclose(trapezoidal[1], 0.4)
    outputs = s4_recurrence(np.array([[0.5j]]), np.array([1 + 0j]), np.array([2 + 0j]), np.array([1.0, 0.0, 1.0]))
    np.testing.assert_allclose(outputs, [2, 0, 1.5])  # of the states 1, i / 2 and 3 / 4


@pytest.mark.parametrize("d_state", [2, 16])
def test_halves_of_pairs_are_hippo(d_state):
    """Outputs of the kept half are those of HiPPO's own matrices."""
    mixer = mixer_of("dplr", d_model=1, d_state=d_state, causal=True)
    a, b = hippo_legs(d_state)
    a_bar, b_bar = bilinear(a, b, np.exp(float(mixer.log_dt.detach()[0])))
    kept = nplr(d_state)[3][:, d_state // 2 :]
    c = 2 * (as_complex(mixer.output)[0, 0] @ kept.conj().T).real
    impulse = np.eye(100)[0]
    check_close(mixer.taps(100).detach()[0, 0], s4_recurrence(a_bar, b_bar, c, impulse), 1e-12)


# ------------------------------------------------------------------------------------------------------ taps


@every_kind
@every_dtype
@pytest.mark.parametrize("length", LENGTHS)
def test_convolution_is_recurrence(kind, dtype, length):
    n_channels = 2 if length > 10_000 else 6
    mixer = mixer_of(kind, d_model=n_channels, d_state=64, dtype=dtype)
    with torch.no_grad():
        mixer.log_dt.copy_(torch.linspace(np.log(1e-3), np.log(1e-1), n_channels))
        signal = tokens_for(mixer, 1, length).transpose(1, 2)
        n_fft = fft_length(length)
        found = [convolve(signal, filter_spectrum(taps, None, n_fft), n_fft)[0] for taps in mixer.taps(length)]
    precision = np.dtype("complex64" if dtype == torch.float32 else "complex128")
    for channel in range(n_channels):
        a_bar, b_bar, outputs = state_space(mixer, channel)
        for one, c in zip(found, outputs, strict=True):
            low = (part.astype(precision) for part in (a_bar, b_bar, c))
            expected = s4_recurrence(*low, signal[0, channel].numpy())
            assert one.dtype == dtype
            assert expected.dtype == precision.type().real.dtype
            check_close(one[channel], expected, RECURRENCE[dtype])


@every_dtype
@pytest.mark.parametrize("length", [1, 2, 3, 17, 100, 1000])
def test_two_level_product_is_vandermonde_sum(dtype, length):
    mixer = spread_weights(mixer_of("diagonal", d_state=32, dtype=dtype))
    eigenvalues = -torch.exp(mixer.log_minus_real.double()) + 1j * mixer.imaginary.double()
    output, dt = torch.view_as_complex(mixer.output.double()), mixer.log_dt.double().exp()[:, None]
    residues = 2 * output * torch.expm1(dt * eigenvalues) / eigenvalues
    powers = torch.exp((dt * eigenvalues)[..., None] * torch.arange(length))
    expected = torch.einsum("dcn,cnl->dcl", residues, powers).real
    weights = list(mixer.parameters(recurse=False))[:-1]  # no taps depend on the last, the skip
    up = torch.randn(expected.shape, generator=seeded(3), dtype=torch.float64)
    taps = mixer.taps(length)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-4
    check_close(taps.detach(), expected.detach(), tolerance)
    gradients = torch.autograd.grad(taps, weights, up.to(dtype))
    for found, wanted in zip(gradients, torch.autograd.grad(expected, weights, up), strict=True):
        check_close(found, wanted, tolerance)


@every_kind
@pytest.mark.parametrize("length", [1, 2, 50, 64, 65, 128])
def test_taps_do_not_depend_on_length(kind, length):
    mixer = spread_weights(mixer_of(kind, d_state=64))
    longer = mixer.taps(200).detach()
    check_close(mixer.taps(length).detach(), longer[..., :length], 1e-12)


@every_kind
@pytest.mark.parametrize("length", [1, 2, 7])
def test_gradients_of_taps(kind, length):
    def drawn(*shape):
        return torch.randn(*shape, generator=source, dtype=torch.complex128).requires_grad_()

    source = seeded()
    real, imaginary = drawn(2, 3).real.exp(), drawn(2, 3).real
    real, imaginary = real.detach().requires_grad_(), imaginary.detach().requires_grad_()
    output, dt = drawn(2, 2, 3), torch.tensor([0.1, 0.5], dtype=torch.float64, requires_grad=True)

    def of_diagonal(real, imaginary, output, dt):
        return diagonal_taps(torch.complex(-real, imaginary), output, dt, length)

    def of_dplr(real, imaginary, output, dt, low_rank, inputs):
        return dplr_taps(torch.complex(-real, imaginary), low_rank, inputs, output, dt, length)

    if kind == "diagonal":
        assert torch.autograd.gradcheck(of_diagonal, (real, imaginary, output, dt))
    else:
        assert torch.autograd.gradcheck(of_dplr, (real, imaginary, output, dt, drawn(2, 3), drawn(2, 3)))


@every_kind
def test_long_memory_stays_bounded(kind):
    """States with hardly any decay, over many steps of the longest kind."""
    mixer = mixer_of(kind, d_state=64)
    with torch.no_grad():
        mixer.log_minus_real.fill_(-30.0)
        mixer.log_dt.fill_(0.0)
        taps = mixer.taps(5000)
    assert torch.isfinite(taps).all()
    assert taps[..., -100:].abs().max() <= 2 * taps[..., :1000].abs().max()


# ----------------------------------------------------------------------------------------------------- mixer


@every_kind
@both_directions
@pytest.mark.parametrize("length", [1, 2, 30])
def test_torch_is_reference(kind, causal, length):
    mixer = spread_weights(mixer_of(kind, causal=causal))
    x = tokens_for(mixer, 2, length)
    weights = {name: weight.numpy() for name, weight in mixer.state_dict().items()}
    check_close(mixer(x).detach(), np.stack([s4(one, weights) for one in x.numpy()]), 1e-10)


@every_kind
@both_directions
def test_causality(kind, causal):
    mixer = mixer_of(kind, causal=causal)
    x = tokens_for(mixer, 1, 12).requires_grad_()
    (gradient,) = torch.autograd.grad(mixer(x)[:, 5].square().sum(), x)
    sizes = gradient[0].abs().amax(dim=1)
    assert (sizes[:6] > 1e-6).all()
    if causal:
        assert sizes[6:].max() < 1e-14  # rounding of the transform
    else:
        assert (sizes[6:] > 1e-6).all()


@every_kind
@both_directions
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_padded_is_alone(kind, causal, training):
    mixer = mixer_of(kind, causal=causal).train(training)
    lengths = [1, 13, 20]
    x = tokens_for(mixer, 3, 20)
    mask = torch.arange(20) < torch.tensor(lengths)[:, None]
    with torch.set_grad_enabled(training):
        padded = mixer(x, mask).detach()
        for series, together, length in zip(x, padded, lengths, strict=True):
            check_close(together[:length], mixer(series[None, :length])[0].detach(), 1e-12)
    assert torch.equal(mixer(x, torch.ones_like(mask)), mixer(x))


@every_kind
@both_directions
@every_dtype
def test_output(kind, causal, dtype):
    mixer = mixer_of(kind, causal=causal, dtype=dtype)
    mixed = mixer(tokens_for(mixer, 3, 10))
    assert mixed.shape == (3, 10, 4)
    assert mixed.dtype == dtype
    mixed.square().sum().backward()
    for name, weight in mixer.named_parameters():
        assert weight.dtype == dtype, name
        assert weight.grad.abs().max() > 0, name


@every_kind
@every_dtype
def test_step_is_forward(kind, dtype):
    mixer = spread_weights(mixer_of(kind, d_state=64, causal=True, dtype=dtype))
    x = tokens_for(mixer, 2, 300)
    state, outputs = mixer.initial_state(2), []
    with torch.no_grad():
        for x_t in x.unbind(1):
            y_t, state = mixer.step(x_t, state)
            outputs.append(y_t)
        check_close(torch.stack(outputs, dim=1), mixer(x), RECURRENCE[dtype])


@every_kind
def test_step_needs_causal(kind):
    mixer = mixer_of(kind)
    with pytest.raises(ValueError, match="step needs a causal S4"):
        mixer.initial_state(1)
    with pytest.raises(ValueError, match="step needs a causal S4"):
        mixer.step(torch.zeros(1, 4, dtype=torch.float64), torch.zeros(1, 4, 8, dtype=torch.complex128))


@every_kind
@both_directions
def test_random_numbers_are_the_generators(kind, causal):
    before = torch.get_rng_state()
    first, second = (mixer_of(kind, causal=causal).state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    other = S4(4, d_state=16, kind=kind, causal=causal, generator=seeded(5), dtype=torch.float64).state_dict()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name
    for name in ("log_dt", "output", "skip", "out_projection.weight"):
        assert not torch.equal(first[name], other[name]), name


@every_kind
def test_first_weights(kind):
    mixer = mixer_of(kind, d_model=500, d_state=8)
    assert ((mixer.log_dt.exp() >= 1e-3) & (mixer.log_dt.exp() <= 1e-1)).all()
    assert mixer.log_dt.mean().detach() == pytest.approx(np.log(1e-2), abs=0.2)
    assert torch.view_as_complex(mixer.output.detach()).abs().square().mean() == pytest.approx(1, abs=0.1)
    torch.testing.assert_close(mixer.log_minus_real.detach().exp(), torch.full((500, 4), 0.5, dtype=torch.float64))
    if kind == "diagonal":
        np.testing.assert_allclose(mixer.imaginary.detach(), np.tile(np.pi * np.arange(4), (500, 1)))


@every_kind
@both_directions
def test_without_memory(kind, causal):
    with torch.device("meta"):
        unmade = S4(4, d_state=16, kind=kind, causal=causal, generator=torch.Generator())
    made = mixer_of(kind, causal=causal)
    assert {weight.device.type for weight in unmade.parameters()} == {"meta"}
    assert [weight.shape for weight in unmade.parameters()] == [weight.shape for weight in made.parameters()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "dense"}, "kind must be one of diagonal, dplr, got 'dense'"),
        ({"d_state": 7}, "d_state must be an even number from 2 up, got 7"),
        ({"d_state": 0}, "d_state must be an even number from 2 up, got 0"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        S4(4, generator=seeded(), **arguments)


@every_kind
def test_filters_keep_their_precision_under_autocast(kind):
    mixer = mixer_of(kind, dtype=torch.float32)
    expected = mixer.taps(40)
    seen = []
    mixer.taps = lambda length: seen.append(type(mixer).taps(mixer, length)) or seen[-1]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = mixer(tokens_for(mixer, 2, 40))
    assert torch.equal(seen[0], expected)
    assert mixed.isfinite().all()
