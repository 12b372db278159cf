"""Developments in groups that grow, beside series that are not finite, and under hands that change their input."""

import pytest
import torch

from sigfeat.nn import GROUPS, development, random_algebra
from sigfeat.nn.development import _by_torch

SO3 = GROUPS["SO"](3)


def steps(*shape, size=0.3, seed=0):
    return size * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def elements(group, n_channels, dtype=torch.float64):
    return random_algebra(group, n_channels, generator=torch.Generator().manual_seed(1), dtype=dtype)


@pytest.mark.parametrize(("name", "dim"), [("GL", 5), ("Sp", 6), ("SO(n,1)", 5)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-4)], ids=str)
def test_gradients_keep_their_digits_where_matrices_grow(name, dim, dtype, tolerance):
    group = GROUPS[name](dim)
    increments, weights = steps(3, 150, 3, size=0.5), elements(group, 3)

    def gradient(develop, precision):
        parameter = weights.to(precision).requires_grad_()
        final = develop(increments.to(precision), group.to_algebra(parameter), group)
        assert final.abs().max() > 1e3
        return torch.autograd.grad((final * final.detach()).sum(), parameter)[0].double()

    expected = gradient(lambda *given: _by_torch(*given, False), torch.float64)
    found = gradient(development, dtype)
    assert (found - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("whole_path", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("others", [0.0, 0.3])
def test_a_series_that_is_not_finite_spoils_no_other(whole_path, value, others):
    increments, weights = steps(9, 40, 2, size=others), elements(SO3, 2)
    expected = development(increments, weights, SO3, whole_path=whole_path)
    increments[4, 7, 1] = value
    found = development(increments, weights, SO3, whole_path=whole_path)
    rest = [i for i in range(9) if i != 4]
    torch.testing.assert_close(found[rest], expected[rest], rtol=1e-12, atol=1e-12)
    assert not (found[4, -1] if whole_path else found[4]).isfinite().any()


@pytest.mark.parametrize("whole_path", [False, True])
def test_input_that_is_changed_before_the_gradient_is_refused(whole_path):
    increments = steps(2, 5, 2).requires_grad_()
    total = development(increments, elements(SO3, 2), SO3, whole_path=whole_path).sum()
    with torch.no_grad():
        increments.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()


def test_gradients_of_huge_steps_are_refused():
    increments, weights = steps(2, 5, 2, size=1e6), elements(SO3, 2)
    assert development(increments, weights, SO3).isfinite().all()
    with pytest.raises(ValueError, match="gradients need steps whose matrices have norm at most 1000, got up to"):
        development(increments, weights.requires_grad_(), SO3)


def test_elements_outside_the_algebra_are_refused():
    with pytest.raises(
        ValueError, match=r"algebra must lie in the Lie algebra of SO\(3\), got elements .* away from it"
    ):
        development(steps(2, 5, 2), elements(SO3, 2) + 0.1, SO3)


def test_conjugated_and_negated_gradients_are_taken():
    group, increments = GROUPS["U"](2), steps(2, 5, 2)
    weights = elements(group, 2).requires_grad_()
    final = development(increments, group.to_algebra(weights), group)
    loss = torch.complex(torch.zeros(final.shape, dtype=torch.float64), steps(*final.shape)).conj() * final
    (gradient,) = torch.autograd.grad(loss.real.sum(), weights)
    assert gradient.isfinite().all()


def test_gradients_do_not_depend_on_the_number_of_threads():
    increments, weights = steps(100, 30, 2), elements(SO3, 2)

    def gradient(n_threads):
        parameter = weights.clone().requires_grad_()
        final = development(increments, SO3.to_algebra(parameter), SO3, n_threads=n_threads)
        return torch.autograd.grad(final.square().sum(dim=0).flatten()[1], parameter)[0]

    assert torch.equal(gradient(1), gradient(2))
