"""SignatureTransformer against hand values and the identities of signatures."""

import math
import sys

import numpy as np
import pytest

from sigfeat import SignatureTransformer

pytest.importorskip("iisignature", reason="iisignature is an extra")


def signature(X, **parameters):
    transformer = SignatureTransformer(**parameters).fit(X)
    return dict(zip(transformer.get_feature_names_out(), transformer.transform(X).T, strict=True))


def test_a_straight_line_gives_powers_of_its_increment():
    a, b = 3.0, -2.0
    values = signature(np.array([[[0.0, a / 2, a], [1.0, 1 + b / 2, 1 + b]]]))
    for word, increments in (("[1]", [a]), ("[1][2]", [a, b]), ("[2][2][1]", [b, b, a])):
        expected = math.prod(increments) / math.factorial(len(increments))
        np.testing.assert_allclose(values[f"{word}|signature"], [expected], rtol=1e-13)


def test_an_axis_path_by_hand():
    values = signature(np.array([[[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]]), depth=2)
    assert {name: value[0] for name, value in values.items()} == {
        "[1]|signature": 1.0,
        "[2]|signature": 1.0,
        "[1][1]|signature": 0.5,
        "[1][2]|signature": 1.0,
        "[2][1]|signature": 0.0,
        "[2][2]|signature": 0.5,
    }


def test_chen_identity_of_two_windows(rng):
    X = rng.normal(size=(3, 2, 20))
    parts, whole = signature(X, depth=2, windows=2), signature(X, depth=2)
    for a in "12":
        head, tail = parts[f"[{a}]|signature|0/2-1/2"], parts[f"[{a}]|signature|1/2-2/2"]
        np.testing.assert_allclose(head + tail, whole[f"[{a}]|signature"], rtol=1e-12)
        for b in "12":
            word = f"[{a}][{b}]|signature"
            total = parts[f"{word}|0/2-1/2"] + parts[f"{word}|1/2-2/2"] + head * parts[f"[{b}]|signature|1/2-2/2"]
            np.testing.assert_allclose(total, whole[word], rtol=1e-12)


def test_reparametrisation_changes_nothing(rng):
    X = rng.normal(size=(2, 3, 10))
    slow = np.repeat(X, 3, axis=2)
    np.testing.assert_allclose(SignatureTransformer().fit_transform(slow), SignatureTransformer().fit_transform(X), rtol=1e-10, atol=1e-12)


def test_logsignature_of_a_line_is_its_increment_and_its_names_spell_brackets(rng):
    line = np.outer([2.0, -1.0, 0.5], np.linspace(0, 1, 5))[np.newaxis]
    values = signature(line, kind="logsignature", depth=3)
    np.testing.assert_allclose([values[f"[{c}]|logsignature"][0] for c in (1, 2, 3)], [2.0, -1.0, 0.5], rtol=1e-13)
    np.testing.assert_allclose([v[0] for name, v in values.items() if name.count("[") > 1], 0, atol=1e-14)
    X = rng.normal(size=(4, 2, 9))
    area, terms = signature(X, kind="logsignature", depth=2)["[[1],[2]]|logsignature"], signature(X, depth=2)
    np.testing.assert_allclose(area, (terms["[1][2]|signature"] - terms["[2][1]|signature"]) / 2, rtol=1e-12)


def test_one_channel_has_a_logsignature_too(rng):
    X = rng.normal(size=(4, 1, 9))
    values = signature(X, kind="logsignature", depth=3)
    assert list(values) == ["[1]|logsignature"]
    np.testing.assert_allclose(values["[1]|logsignature"], X[:, 0, -1] - X[:, 0, 0])


def test_batches_do_not_change_the_features(rng, monkeypatch):
    X = rng.normal(size=(7, 2, 9))
    expected = SignatureTransformer().fit_transform(X)
    monkeypatch.setattr("sigfeat.transformers.signature.BATCH_BYTES", 1)
    np.testing.assert_array_equal(SignatureTransformer().fit_transform(X), expected)


def test_too_deep_for_memory_fails_at_once_with_the_size():
    with pytest.raises(ValueError, match=r"depth=20.* 1\.11111e\+20|depth=20 would give 111111111111111111110 features.*GiB"):
        SignatureTransformer(depth=20).fit(np.zeros((1, 10, 3)))


def test_without_iisignature_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "iisignature", None)
    with pytest.raises(ImportError, match="--no-build-isolation --no-cache-dir iisignature"):
        SignatureTransformer().fit(np.zeros((1, 2, 3)))


def test_a_single_point_is_no_path():
    with pytest.raises(ValueError, match="n_timepoints must be at least 2 for a signature, got 1"):
        SignatureTransformer().fit([np.zeros((2, 3)), np.zeros((2, 1))])
