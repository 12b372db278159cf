"""The compiled loops against the reference: semirings, decay, dtypes, lengths, pooling, windows, threads."""

import dataclasses
import threading

import numpy as np
import pytest

from sigfeat._kernels.simd.semirings import ADDITIONS, PRODUCTS, plus, power, semiring_code, times
from sigfeat._kernels.threads import over_series
from sigfeat._kernels.words.full import STORE_BYTES
from sigfeat._kernels.words.iterated_sums import (
    WORDS_PER_TREE,
    PrefixTrees,
    end_values,
    pooled_values,
    running_values,
)
from sigfeat.pooling import POOLINGS
from sigfeat.reference.iss import iterated_sums
from sigfeat.reference.pooling import pooled
from sigfeat.semirings import SEMIRINGS
from sigfeat.words import Word, words_of_length, words_of_weight
from tests.oracles import iterated_sum
from tests.tolerances import KERNEL

LENGTHS = np.array([150, 40, 33, 150, 7, 77, 9, 100, 64, 65, 12, 32, 31, 128, 129, 63, 8, 150, 5])
SHIFT, SCALE = np.array([0.1, -0.2]), np.array([0.9, 1.1])
DTYPES = [np.float64, np.float32]


def padded(dtype, *, non_negative=False, n_channels=2, seed=0):
    X = np.random.default_rng(seed).normal(size=(len(LENGTHS), n_channels, LENGTHS.max()))
    X[np.arange(LENGTHS.max()) >= LENGTHS[:, np.newaxis, np.newaxis] + np.zeros((1, n_channels, 1))] = np.nan
    return (np.abs(X) if non_negative else X).astype(dtype)


def own(X, i):
    """What the kernels see of series i: its own length, standardised and rounded to the working dtype."""
    return ((X[i, :, : LENGTHS[i]] - SHIFT[:, np.newaxis]) * SCALE[:, np.newaxis]).astype(X.dtype)[np.newaxis]


def arguments(ring, strict, decay):
    shift = np.zeros(2) if ring.non_negative else SHIFT
    return {"strict": strict, "decay_factor": ring.decay_factor(decay), "shift": shift, "scale": SCALE}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_full_words_equal_the_reference(depth, strict, decay, dtype):
    X, chosen = padded(dtype), [word for k in range(1, depth + 1) for word in words_of_length(2, k)]
    out = np.empty((len(X), len(chosen)), dtype)
    end_values(X, LENGTHS, depth, n_threads=1, out=out, **arguments(SEMIRINGS["real"], strict, decay))
    for i in range(len(X)):
        expected = iterated_sums(own(X, i), chosen, strict=strict, decay=decay)[0, :, -1]
        size = iterated_sums(np.abs(own(X, i)), chosen, strict=strict, decay=decay)[0, :, -1]
        assert (np.abs(out[i] - expected) <= size * KERNEL[np.dtype(dtype)]["rtol"]).all()


@pytest.mark.parametrize("strict", [True, False])
def test_full_words_equal_brute_force(strict):
    X = np.random.default_rng(1).normal(size=(3, 3, 7))
    chosen = [word for k in range(1, 5) for word in words_of_length(3, k)]
    out = np.empty((3, len(chosen)))
    end_values(
        X,
        np.full(3, 7),
        4,
        strict=strict,
        decay_factor=1.0,
        shift=np.zeros(3),
        scale=np.ones(3),
        n_threads=1,
        out=out,
    )
    expected = [[iterated_sum(x, word.letters, strict=strict) for word in chosen] for x in X]
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


def test_words_that_need_several_passes_over_time(monkeypatch):
    monkeypatch.setattr("sigfeat._kernels.words.iterated_sums.PANEL_BYTES", 1)
    X, chosen = (
        padded(np.float64, n_channels=3)[:, :, :40],
        [word for k in range(1, 7) for word in words_of_length(3, k)],
    )
    lengths = np.minimum(LENGTHS, 40)
    out = np.empty((len(X), len(chosen)))
    end_values(X, lengths, 6, strict=True, decay_factor=1.0, shift=np.zeros(3), scale=np.ones(3), n_threads=1, out=out)
    i = 4
    expected = iterated_sums(X[i : i + 1, :, : lengths[i]], chosen)[0, :, -1]
    np.testing.assert_allclose(out[i], expected, rtol=1e-11, atol=1e-12 * np.abs(expected).max())


WORDS = [word for k in (1, 2, 3) for word in words_of_weight(2, k)] + [
    Word.parse("[1][2][2][1]"),
    Word.parse("[2,2,2,1]"),
]
N_FINE = 8
RUNS = np.array([(i * 8 // n, (i + 1) * 8 // n) for n in (1, 2, 4, 8) for i in range(n)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", SEMIRINGS)
def test_running_values_equal_the_reference(name, strict, decay, dtype):
    ring = SEMIRINGS[name]
    X = padded(dtype, non_negative=ring.non_negative)
    (tree,) = PrefixTrees(WORDS, 2).trees
    running = running_values(X, LENGTHS, tree, ring, **arguments(ring, strict, decay))
    order = tree[2]
    for i in range(len(X)):
        seen = (
            own(X, i) if not ring.non_negative else (X[i : i + 1, :, : LENGTHS[i]] * SCALE[:, np.newaxis]).astype(dtype)
        )
        expected = iterated_sums(seen, WORDS, semiring=name, strict=strict, decay=decay)[0][order]
        defined = np.isfinite(expected)
        np.testing.assert_array_equal(np.isfinite(running[i, :, : LENGTHS[i]]), defined)
        size = np.abs(expected[defined]).max()
        np.testing.assert_allclose(
            running[i, :, : LENGTHS[i]][defined],
            expected[defined],
            rtol=KERNEL[np.dtype(dtype)]["rtol"],
            atol=1e-5 * size if dtype == np.float32 else 1e-13 * size,
        )


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", SEMIRINGS)
def test_pooled_values_equal_pooling_the_running_values(name, strict):
    ring = SEMIRINGS[name]
    X = padded(np.float64, non_negative=ring.non_negative)
    thresholds = np.random.default_rng(2).normal(size=len(WORDS))
    trees = PrefixTrees(WORDS, 2)
    out = np.empty((len(X), len(WORDS), len(POOLINGS), len(RUNS)))
    how = tuple(POOLINGS), thresholds, N_FINE, RUNS
    flat = out.reshape(len(X), -1)
    pooled_values(X, LENGTHS, trees, ring, how, n_threads=2, out=flat, **arguments(ring, strict, 0.1))
    running = running_values(X, LENGTHS, trees.trees[0], ring, **arguments(ring, strict, 0.1))
    for i, length in enumerate(LENGTHS):
        bounds = np.arange(N_FINE + 1) * length // N_FINE
        for place, w in enumerate(trees.trees[0][2]):
            undefined = WORDS[w].length - 1 if strict else 0
            for p, pooling in enumerate(POOLINGS):
                expected = [
                    pooled(running[i, place, :length], pooling, thresholds[w], bounds[a], bounds[b], undefined)
                    for a, b in RUNS
                ]
                np.testing.assert_allclose(out[i, w, p], expected, rtol=1e-10, atol=1e-11)


def test_more_words_than_one_tree_holds_and_any_number_of_threads():
    chosen = [word for k in range(1, 10) for word in words_of_length(2, k)]
    trees = PrefixTrees(chosen, 2)
    assert len(trees.trees) == -(-len(chosen) // WORDS_PER_TREE) > 1
    X, ring = padded(np.float64), SEMIRINGS["real"]
    results = []
    for n_threads in (1, 2, 3):
        out = np.empty((len(X), len(chosen)))
        how = ("end",), np.zeros(len(chosen)), 1, np.array([[0, 1]])
        pooled_values(X, LENGTHS, trees, ring, how, n_threads=n_threads, out=out, **arguments(ring, True, 0.0))
        results.append(out)
        full = np.empty_like(out)
        end_values(X, LENGTHS, 9, n_threads=n_threads, out=full, **arguments(ring, True, 0.0))
        np.testing.assert_allclose(full, out, rtol=1e-9, atol=1e-9 * np.abs(out).max(axis=1, keepdims=True).min())
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_float32_keeps_its_digits_over_a_long_series():
    X = np.abs(np.random.default_rng(3).normal(size=(2, 2, 100_000))).astype(np.float32)
    lengths, chosen = np.full(2, 100_000), [word for k in (1, 2, 3) for word in words_of_length(2, k)]
    out = np.empty((2, len(chosen)), np.float32)
    keywords = {"strict": True, "decay_factor": 1.0, "shift": np.zeros(2), "scale": np.ones(2), "n_threads": 1}
    end_values(X, lengths, 3, out=out, **keywords)
    exact = np.empty((2, len(chosen)))
    end_values(X.astype(np.float64), lengths, 3, out=exact, **keywords)
    np.testing.assert_allclose(out, exact, rtol=1e-6)


def test_of_two_errors_the_first_series_tells():
    second_failed = threading.Event()

    def work(rows):
        if rows[0] == 0:
            second_failed.wait(10)
            raise ValueError("first")
        second_failed.set()
        raise ValueError("second")

    with pytest.raises(ValueError, match="first"):
        over_series(work, np.array([9, 8]), 1, n_threads=2)


@pytest.mark.parametrize("table", [ADDITIONS, PRODUCTS], ids=["sums", "products"])
def test_numbers_and_vectors_have_each_sum_and_product(table):
    kinds = {semiring.name: semiring_code(semiring).kind for semiring in SEMIRINGS.values()}
    for name, semiring in SEMIRINGS.items():
        ufunc, function = (semiring.add, plus) if table is ADDITIONS else (semiring.multiply, times)
        assert ufunc in table
        for a, b in ((2.0, -3.0), (-0.5, 4.0)):
            assert function(kinds[name], a, b) == ufunc(a, b)
        assert power(kinds[name], 0.5, 3) == semiring.multiply(0.5, semiring.multiply(0.5, 0.5))


def test_a_semiring_that_the_loops_do_not_have_is_refused():
    unknown = dataclasses.replace(SEMIRINGS["max_plus"], name="log", add=np.logaddexp)
    with pytest.raises(ValueError, match=r"no sum 'logaddexp' .* 'log' needs"):
        pooled_values(None, None, None, unknown, None, **arguments(unknown, True, 0.0), n_threads=1, out=None)
    with pytest.raises(ValueError, match="unknown code"):
        plus(17, 1.0, 2.0)


@pytest.mark.parametrize("error", [IndexError, KeyboardInterrupt])
def test_an_error_or_interrupt_in_one_thread_ends_the_others_and_is_raised(monkeypatch, error):
    seen = []

    def fail(data, rows, *rest):
        seen.append(rows)
        raise error

    monkeypatch.setattr("sigfeat._kernels.words.iterated_sums.full_words", fail)
    X = np.zeros((400, 2, 10))
    keywords = {"strict": True, "decay_factor": 1.0, "shift": np.zeros(2), "scale": np.ones(2)}
    with pytest.raises(error):
        end_values(X, np.full(400, 10), 1, n_threads=2, out=np.empty((400, 2)), **keywords)
    assert 1 <= len(seen) <= 2


@pytest.mark.parametrize("strict", [True, False])
def test_suffix_sums_too_many_to_keep_are_made_again(strict):
    X, lengths = np.random.default_rng(4).normal(size=(3, 4, 900)), np.array([900, 650, 20])
    chosen = [word for k in range(1, 6) for word in words_of_length(4, k)]
    kept_rows, blocks = sum(4**k for k in (1, 2)), -(-900 // 32)
    assert kept_rows * blocks * 33 * 32 > STORE_BYTES  # whatever the width of the registers
    ring, how = SEMIRINGS["real"], (("end",), np.zeros(len(chosen)), 1, np.array([[0, 1]]))
    keywords = {"strict": strict, "decay_factor": 0.99, "shift": np.zeros(4), "scale": np.ones(4), "n_threads": 1}
    full, tree = np.empty((3, len(chosen))), np.empty((3, len(chosen)))
    end_values(X, lengths, 5, out=full, **keywords)
    pooled_values(X, lengths, PrefixTrees(chosen, 4), ring, how, out=tree, **keywords)
    np.testing.assert_allclose(full, tree, rtol=1e-9, atol=1e-10 * np.abs(tree).max())
