"""Developments have the properties of their group."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigfeat.nn import GROUPS, Development, development
from sigfeat.nn.development import _by_torch
from sigfeat.words import words_of_length
from tests.strategies import steps
from tests.test_development import check_close, draw, every_dtype, final_and_whole
from tests.test_groups import every_group


@pytest.mark.parametrize("name", [name for name, group in GROUPS.items() if group.is_compact])
@pytest.mark.parametrize("dim", [4, 10])
@every_dtype
def test_long_developments_stay_in_a_compact_group(name, dim, dtype):
    group = GROUPS[name](dim)
    increments, algebra = draw(group, 1, 100_000, size=0.3, n_developments=1, dtype=dtype)
    final = development(increments, algebra, group)
    path = development(increments[:, :20_000], algebra, group, whole_path=True)
    tolerance = 1e-9 if dtype == torch.float64 else 1e-4
    assert group.contains(final, tolerance).all()
    assert group.contains(path, tolerance).all()
    if dim == 4:
        with torch.no_grad():
            by_torch = _by_torch(increments, algebra, group, False)
            path_by_torch = _by_torch(increments[:, :20_000], algebra, group, True)
        assert group.contains(by_torch, tolerance).all()
        assert group.contains(path_by_torch, tolerance).all()
        check_close(by_torch, final, 1e-11 if dtype == torch.float64 else 1e-3)


@every_group
@final_and_whole
def test_developments_lie_in_their_group(group, whole_path):
    increments, algebra = draw(group, 5, 200)
    assert group.contains(development(increments, algebra, group, whole_path=whole_path)).all()


@every_group
@settings(max_examples=20)
@given(head=steps(3), tail=steps(3))
def test_development_of_a_joined_path_is_the_product(group, head, tail):
    algebra = draw(group, 1, 1)[1]
    first, second, joined = (
        development(torch.from_numpy(x), algebra, group) for x in (head, tail, np.concatenate([head, tail], axis=1))
    )
    check_close(joined, first @ second, 1e-12 * max(1.0, float(first.abs().max() * second.abs().max())))


@every_group
@settings(max_examples=20)
@given(path=steps(3), data=st.data())
def test_split_and_resting_steps_change_nothing(group, path, data):
    algebra = draw(group, 1, 1)[1]
    n_parts = data.draw(st.lists(st.integers(1, 3), min_size=path.shape[1], max_size=path.shape[1]))
    split = np.repeat(path / np.array(n_parts)[:, np.newaxis], n_parts, axis=1)
    rests = data.draw(st.lists(st.integers(0, path.shape[1]), max_size=5))
    expected = development(torch.from_numpy(path), algebra, group)
    check_close(development(torch.from_numpy(split), algebra, group), expected, 3e-12)
    resting = torch.from_numpy(np.insert(path, rests, 0.0, axis=1))
    check_close(development(resting, algebra, group), expected, 1e-13)


@pytest.mark.external
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_unipotent_developments_are_the_signature(rng, depth):
    iisignature = pytest.importorskip("iisignature", reason="iisignature is an extra")
    paths, words = rng.normal(size=(3, 20, 2)).cumsum(axis=1), words_of_length(2, depth)
    layer = Development(GROUPS["unipotent"](depth + 1), 2, len(words), dtype=torch.float64)
    with torch.no_grad():
        layer.weight.zero_()
        for d, word in enumerate(words):
            for j, (channel,) in enumerate(word.letters):
                layer.weight[d, channel, j, j + 1] = 1.0
    found = layer(torch.from_numpy(np.diff(paths, axis=1)))[:, :, 0, -1].detach()
    expected = iisignature.sig(paths, depth)[:, -len(words) :]
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


def test_memory_of_final_values_does_not_grow_with_every_step():
    group = GROUPS["SO"](6)
    increments, algebra = draw(group, 1, 100_000)
    algebra.requires_grad_()
    development(increments[:, :9], algebra, group).sum().backward()  # compiled before it counts
    tracemalloc.start()
    try:
        development(increments, algebra, group).sum().backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    of_the_path = 100_000 * 2 * 6 * 6 * 8
    assert peak < of_the_path / 8
