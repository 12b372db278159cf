"""One contract for all matrix groups."""

import itertools
import re

import jaxtyping
import numpy as np
import pytest
import torch

from sigfeat.nn.groups import GROUPS

OWN_DIMS = {"Sp": (2, 6), "U": (1, 4), "SU": (2, 4), "GL": (1, 4)}
DIMS = {name: OWN_DIMS.get(name, (2, 5)) for name in GROUPS}
LABELS = {"SE": "SE(4)", "SO(n,1)": "SO(4,1)", "unipotent": "UT(5)"}
STAYS = {"GL": {"shifted", "doubled"}, "U": {"flipped"}}  # ways of `spoil` that do not leave the group
MEMBERS = [GROUPS[name](dim) for name, dims in DIMS.items() for dim in dims]
QUADRATIC = {"SO", "Sp", "U", "SU", "SO(n,1)"}
DTYPES = [torch.float32, torch.float64]

every_group = pytest.mark.parametrize("group", MEMBERS, ids=lambda group: group.label)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def field(group, dtype):
    return dtype.to_complex() if group.is_complex else dtype


def matrices(group, generator, *shape, dtype=torch.float64):
    return torch.randn(*shape, group.dim, group.dim, generator=generator, dtype=field(group, dtype))


def elements(group, generator, *shape, dtype=torch.float64):
    return group.sample(*shape, generator=generator, dtype=dtype)


def test_names_and_labels():
    for member in MEMBERS[1::2]:
        assert member.label == LABELS.get(member.name, f"{member.name}({member.dim})")
    assert all(group.name == name for name, group in GROUPS.items())


@pytest.mark.parametrize("group", MEMBERS[1::2], ids=lambda group: group.label)
def test_entries_that_vary(group, generator):
    g = elements(group, generator, 20)
    assert torch.equal((g != g[0]).any(dim=0), group.varying())
    assert group.n_varying == int(group.varying().sum()) * (1 + group.is_complex)


@every_group
def test_groups_are_values(group):
    assert group == type(group)(group.dim)
    assert hash(group) == hash(type(group)(group.dim))
    with pytest.raises(AttributeError):
        group.dim = 7


@every_group
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_closure(group, dtype, generator):
    left, right = elements(group, generator, 2, 20, dtype=dtype)
    assert group.contains(left).all()
    assert group.contains(left @ right).all()
    assert group.contains(group.inverse(left)).all()


@every_group
def test_inverse(group, generator):
    g = elements(group, generator, 20)
    identity = torch.eye(group.dim, dtype=g.dtype).expand_as(g)
    torch.testing.assert_close(group.inverse(g) @ g, identity, rtol=0, atol=1e-11)
    torch.testing.assert_close(g @ group.inverse(g), identity, rtol=0, atol=1e-11)


@every_group
def test_inverse_is_the_involution(group, generator):
    assert (group.involution is not None) == (group.name in QUADRATIC)
    if group.involution is None:
        return
    order, signs = group.involution
    g = matrices(group, generator).numpy()
    star = np.empty_like(g)
    for i, j in itertools.product(range(group.dim), repeat=2):
        star[i, j] = signs[i] * signs[j] * np.conj(g[order[j], order[i]])
    np.testing.assert_array_equal(group.inverse(torch.from_numpy(g)).numpy(), star)


@every_group
def test_form_is_kept(group, generator):
    half, identity = np.eye(group.dim // 2), np.eye(group.dim)
    form = {
        "SO": identity,
        "Sp": np.kron([[0, 1], [-1, 0]], half),
        "U": identity,
        "SU": identity,
        "SO(n,1)": np.diag([1.0] * (group.dim - 1) + [-1.0]),
    }.get(group.name)
    if form is None:
        assert group.name not in QUADRATIC
        return
    for g in elements(group, generator, 20).numpy():
        np.testing.assert_allclose(g.conj().T @ form @ g, form, rtol=0, atol=1e-11)


@every_group
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_exponential_of_the_algebra_is_in_the_group(group, dtype, generator):
    algebra = group.to_algebra(matrices(group, generator, 20, dtype=dtype) / 2)
    g = group.exp(algebra)
    assert group.contains(g).all()
    torch.testing.assert_close(g, torch.matrix_exp(algebra))
    torch.testing.assert_close(group.inverse(g), group.exp(-algebra), rtol=1e-4, atol=1e-4)


@every_group
def test_projection_onto_the_algebra(group, generator):
    a, b = matrices(group, generator, 2, 20)
    projected, other = group.to_algebra(a), group.to_algebra(b)
    torch.testing.assert_close(group.to_algebra(projected), projected, rtol=0, atol=1e-14)
    inner = ((a - projected).conj() * other).sum(dim=(-2, -1)).real
    torch.testing.assert_close(inner, torch.zeros_like(inner), rtol=0, atol=1e-12)
    bracket = projected @ other - other @ projected
    torch.testing.assert_close(group.to_algebra(bracket), bracket, rtol=0, atol=1e-12)


@every_group
def test_gradients(group, generator):
    matrix = matrices(group, generator, 2).div(2).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: group.exp(group.to_algebra(a)), matrix)
    assert torch.autograd.gradcheck(group.inverse, elements(group, generator, 2).requires_grad_())


@every_group
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        "meta",
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
            ],
        ),
    ],
)
def test_dtype_device_and_batch_shape(group, dtype, device):
    for shape in [(), (3,), (0,), (group.dim,), (2, 3, 1)]:
        g = group.sample(*shape, dtype=dtype, device=device)
        for matrix in (g, group.to_algebra(g), group.exp(group.to_algebra(g)), group.inverse(g)):
            assert matrix.shape == (*shape, group.dim, group.dim)
            assert matrix.dtype == field(group, dtype)
            assert matrix.device.type == device
        contained = group.contains(g)
        assert contained.shape == shape
        assert contained.dtype == torch.bool
        assert contained.device.type == device
        assert device == "meta" or contained.all()


@every_group
def test_sample(group):
    first, again = (group.sample(4, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert first.dtype == field(group, torch.get_default_dtype())
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert group.sample(dtype=torch.complex128).dtype == field(group, torch.float64)
    assert not torch.equal(first[0], first[1])


def spoil(g, way):
    """A batch of matrices next to group elements, but outside."""
    spoilt = g.clone()
    if way == "flipped":
        spoilt[..., 0, :] *= -1
    elif way == "shifted":
        spoilt[..., -1, 0] += 0.01
    else:
        spoilt *= {"doubled": 2.0, "zero": 0.0, "NaN": torch.nan, "infinite": torch.inf}[way]
    return spoilt


@every_group
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("way", ["flipped", "shifted", "doubled", "zero", "NaN", "infinite"])
def test_contains_of_spoilt_elements(group, dtype, way, generator):
    g = elements(group, generator, 10, dtype=dtype)
    stays = way in STAYS.get(group.name, ())
    expected = torch.tensor([[True], [stays]]).expand(2, 10)
    torch.testing.assert_close(group.contains(torch.stack([g, spoil(g, way)])), expected)


@every_group
def test_contains_takes_a_tolerance(group, generator):
    g = elements(group, generator) * (1 + 1e-6)
    assert group.contains(g) == ("doubled" in STAYS.get(group.name, ()))
    assert group.contains(g, tolerance=1e-4)


def test_contains_knows_the_component_of_the_identity():
    matrix = torch.tensor
    assert not GROUPS["SO"](2).contains(matrix([[0.0, 1.0], [1.0, 0.0]]))
    assert not GROUPS["SO(n,1)"](2).contains(matrix([[-1.0, 0.0], [0.0, -1.0]]))  # determinant 1, time reversed
    assert not GROUPS["SO(n,1)"](2).contains(matrix([[-1.0, 0.0], [0.0, 1.0]]))
    assert not GROUPS["SO(n,1)"](2).contains(matrix([[1.0, 0.0], [0.0, -1.0]]))
    assert GROUPS["U"](1).contains(matrix([[1.0j]]))
    assert not GROUPS["SU"](2).contains(torch.eye(2, dtype=torch.complex64) * 1j)
    singular = matrix([[52.0, 88.0, 34.0], [28.0, 54.0, 15.0], [32.0, 56.0, 20.0]], dtype=torch.float64)
    assert singular.det() > 0  # by rounding
    assert not GROUPS["GL"](3).contains(singular)
    assert GROUPS["GL"](3).contains(1e-100 * torch.eye(3, dtype=torch.float64))


def test_far_boost_is_in_the_hyperbolic_group(generator):
    group = GROUPS["SO(n,1)"](4)
    algebra = torch.zeros(4, 4, dtype=torch.float64)
    algebra[0, 3] = algebra[3, 0] = 20.0  # entries of 2e8, a determinant of pure rounding
    assert group.contains(elements(group, generator, 10) @ group.exp(algebra)).all()


@pytest.mark.parametrize(
    ("name", "dim", "limit"),
    [
        ("SO", 1, "at least 2"),
        ("SO", True, "an integer of at least 2"),
        ("SO", 3.0, "an integer of at least 2"),
        ("SE", 1, "at least 2"),
        ("Sp", 5, "an even number of at least 2"),
        ("Sp", 0, "an even number of at least 2"),
        ("U", 0, "at least 1"),
        ("SU", 1, "at least 2"),
        ("SO(n,1)", 1, "at least 2"),
        ("GL", -1, "at least 1"),
        ("unipotent", 1, "at least 2"),
    ],
)
def test_dim_that_the_group_does_not_have(name, dim, limit, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # it would refuse a float before we do
    message = f"dim must be {limit} for group={name!r}, got {dim}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        GROUPS[name](dim)


def test_dim_may_be_a_numpy_integer(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    assert repr(GROUPS["SO"](np.int64(3))) == "SpecialOrthogonal(dim=3)"


def test_shapes_are_checked_in_the_tests():
    with pytest.raises(jaxtyping.TypeCheckError):
        GROUPS["SO"](3).to_algebra(torch.zeros(2, 3))
