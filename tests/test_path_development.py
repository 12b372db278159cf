"""PathDevelopmentTransformer: its features from the definition, what units and seeds do, and its training."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from sigfeat import PathDevelopmentTransformer
from sigfeat.nn import GROUPS
from sigfeat.pooling import POOLINGS
from sigfeat.reference.development import development
from sigfeat.reference.pooling import pooled
from tests.panels import padded, ragged
from tests.test_groups import DIMS

SMALL = {"dim": 2, "n_developments": 1, "windows": "whole"}
QUICK = {**SMALL, "fit_mode": "supervised", "max_epochs": 2, "batch_size": 8}
SHARES = {"0/1-1/1": (0, 4), "0/2-1/2": (0, 2), "1/2-2/2": (2, 4), "0/4-1/4": (0, 1), "3/4-4/4": (3, 4)}

every_group = pytest.mark.parametrize("group", GROUPS)


def values(transformer, X):
    return dict(zip(transformer.get_feature_names_out().tolist(), transformer.transform(X).T, strict=True))


def running_entries(transformer, series, first, stop):
    """Entries (time, developments, row, column, part) at first <= t < stop, from I before the step to `first`."""
    points = series.T[max(first - 1, 0) : stop]
    matrices = np.stack([development(points, elements) for elements in transformer.algebra_], axis=1)
    return np.stack([matrices.real, matrices.imag][: 1 + np.iscomplexobj(matrices)], axis=-1)[min(first, 1) :]


def classes(n=12):
    return np.arange(n) % 2


def panel(n=12, n_channels=2, length=15, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_channels, length)).cumsum(axis=2)


# ----------------------------------------------------------------------------------------------- features


def test_final_values_by_hand():
    X = np.array([[[0.0, 1.0, 1.0, 3.0]], [[2.0, 0.0, 0.0, -1.0]]])
    turn = PathDevelopmentTransformer(pooling="end", **SMALL).fit(X)
    angle = turn.algebra_[0, 0, 1, 0] * np.array([3.0, -3.0])
    found = values(turn, X)
    assert list(found) == [f"dev1[SO(2)]({row},{column})|end" for row in (1, 2) for column in (1, 2)]
    expected = [np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)]
    np.testing.assert_allclose(list(found.values()), expected, rtol=1e-12)


def test_names_tell_development_group_entry_pooling_and_window():
    X = padded(ragged())
    final = PathDevelopmentTransformer(dim=5, n_developments=3, pooling="end", windows="whole").fit(X)
    assert "dev3[SO(5)](2,4)|end" in final.get_feature_names_out()
    cut = PathDevelopmentTransformer(group="SU", dim=2, n_developments=2, pooling=("end", "mean"), windows=2)
    names = cut.fit(X).get_feature_names_out().tolist()
    assert names[:3] == [f"dev1[SU(2)](1,1)|re|{ending}" for ending in ("end|0/2-1/2", "end|1/2-2/2", "mean|0/2-1/2")]
    assert names[4] == "dev1[SU(2)](1,1)|im|end|0/2-1/2"
    assert names[-1] == "dev2[SU(2)](2,2)|im|mean|1/2-2/2"
    lorentz = PathDevelopmentTransformer(group="SO(n,1)", dim=3, n_developments=1, pooling="mean", windows="whole")
    assert lorentz.fit(X).get_feature_names_out()[-1] == "dev1[SO(2,1)](3,3)|mean"


@every_group
def test_features_follow_the_definition(group):
    series, dim = ragged(), DIMS[group][1]
    parameters = {
        "dim": dim,
        "n_developments": 2,
        "pooling": tuple(POOLINGS),
        "windows": ("dyadic", 2),
        "quantile": 0.7,
    }
    transformer = PathDevelopmentTransformer(group=group, **parameters).fit(padded(series))
    whole = [running_entries(transformer, s, 0, s.shape[1]) for s in series]
    ordered = np.sort(np.concatenate(whole), axis=0)
    low = np.quantile(ordered, 0.7, axis=0, method="lower")
    learnt = transformer.thresholds_.reshape(low.shape)
    assert (learnt > low + 1e-7).all()  # so that no rounding error decides what is above
    assert not ((ordered > low + 1e-6 * np.maximum(1, abs(low))) & (ordered <= learnt)).any()
    label, found, left_out = GROUPS[group](dim).label, values(transformer, padded(series)), set()
    for (window, (first, stop)), (i, s) in itertools.product(SHARES.items(), [(0, series[0]), (3, series[3])]):
        begin, end = first * s.shape[1] // 4, stop * s.shape[1] // 4
        running = running_entries(transformer, s, begin, end)
        for d, row, column, part in np.ndindex(running.shape[1:]):
            suffix = ["|re", "|im"][part] if running.shape[-1] == 2 else ""
            entry = f"[{label}]({row + 1},{column + 1}){suffix}"
            of_entry = running[:, d, row, column, part]
            for name in POOLINGS:
                key = f"dev{d + 1}{entry}|{name}|{window}"
                if key not in found:
                    left_out.add((row, column))
                    np.testing.assert_array_equal(of_entry, float(row == column))
                    continue
                expected = pooled(of_entry, name, learnt[d, row, column, part], 0, end - begin, 0)
                np.testing.assert_allclose(found[key][i], expected, rtol=1e-9, atol=1e-10)
    assert left_out == {entry for entry in np.ndindex(dim, dim) if not GROUPS[group](dim).varying()[entry]}


@every_group
def test_windows_start_anew_and_multiply_to_the_whole(group):
    dim, X = DIMS[group][1], panel()
    kinds = {"n_developments": 1, "dim": dim, "group": group, "pooling": "end"}
    cut = PathDevelopmentTransformer(**kinds, windows=("dyadic", 1)).fit(X)
    found = values(cut, X)
    n_parts, label = 1 + GROUPS[group](dim).is_complex, GROUPS[group](dim).label

    def matrices(window):
        parts = np.zeros((len(X), dim, dim, n_parts))
        for (row, column), part in itertools.product(np.ndindex(dim, dim), range(n_parts)):
            suffix = ["|re", "|im"][part] if n_parts == 2 else ""
            name = f"dev1[{label}]({row + 1},{column + 1}){suffix}|end|{window}"
            parts[:, row, column, part] = found.get(name, float(row == column))
        return parts[..., 0] + 1j * parts[..., 1] if n_parts == 2 else parts[..., 0]

    whole = matrices("0/1-1/1")
    product = matrices("0/2-1/2") @ matrices("1/2-2/2")
    np.testing.assert_allclose(product, whole, rtol=0, atol=1e-12 * np.abs(whole).max())


without_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@every_group
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, without_cuda])])
def test_other_devices_give_the_same(group, device, monkeypatch):
    monkeypatch.setattr("sigfeat.nn.pooled_development.BATCH_BYTES", 1)  # series by series
    X, pooling = padded(ragged()), ("end", "mean", "max", "min", "mpv")
    parameters = {"dim": DIMS[group][1], "n_developments": 2, "pooling": pooling, "windows": ("dyadic", 1)}
    transformer = PathDevelopmentTransformer(group=group, quantile=0.35, **parameters).fit(X)
    lengths = np.isfinite(X[:, 0]).sum(axis=1)
    increments = np.nan_to_num(np.diff(X, axis=2, prepend=X[:, :, :1])).swapaxes(1, 2).copy()
    expected = transformer._features(increments, lengths)
    found = transformer.set_params(device=device)._features_on_device(increments, lengths)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


def test_more_windows_than_points():
    X = padded(ragged(lengths=(1, 2, 5)))
    for pooling in ("end", tuple(POOLINGS)):
        features = PathDevelopmentTransformer(dim=3, pooling=pooling, windows=("dyadic", 3)).fit_transform(X)
        assert np.isfinite(features).all()
    of_one_point = PathDevelopmentTransformer(pooling="end", **SMALL).fit(X).transform(X)[0]
    np.testing.assert_array_equal(of_one_point, [1, 0, 0, 1])


# ------------------------------------------------------------------------------------- units, scale, seeds


@pytest.mark.parametrize("factor", [1e3, 1e-30, 1e150])
def test_units_of_the_channels_do_not_matter(factor):
    X = panel()
    expected = PathDevelopmentTransformer(dim=3).fit_transform(X)
    scaled = X * np.array([[factor], [-7.0]]) + 5.0 * factor * np.array([[1.0], [0.0]])
    scaled[:, 1] *= -1
    np.testing.assert_allclose(PathDevelopmentTransformer(dim=3).fit_transform(scaled), expected, rtol=0, atol=1e-9)


def test_scale_multiplies_the_elements():
    X = panel()
    one, three = (PathDevelopmentTransformer(dim=3, step_size=scale).fit(X) for scale in (1.0, 3.0))
    np.testing.assert_allclose(three.algebra_, 3 * one.algebra_, rtol=1e-12)
    assert one.algebra_.shape == (one.n_developments, 2, 3, 3)


@pytest.mark.parametrize("length", [20, 500])
@pytest.mark.parametrize("smooth", [False, True], ids=["noise", "smooth"])
def test_typical_series_turn_by_about_one_radian_whatever_their_length(smooth, length):
    phases = np.random.default_rng(0).uniform(0, 6, size=(20, 2, 1))
    X = np.sin(np.linspace(0, 6, length) + phases) if smooth else panel(20, length=length)
    final = PathDevelopmentTransformer(dim=2, n_developments=50, pooling="end", windows="whole").fit_transform(X)
    turned = np.abs(np.arctan2(final[:, 2::4], final[:, ::4])).mean()
    assert 0.1 < turned < 3.0


def test_constant_channels_and_series():
    X = panel()
    X[:, 1] = 3.0
    assert PathDevelopmentTransformer(**SMALL).fit(X).units_[1] == 1
    constant = PathDevelopmentTransformer(pooling="end", **SMALL).fit_transform(np.full((3, 2, 9), 4.0))
    np.testing.assert_array_equal(constant, np.tile([1.0, 0.0, 0.0, 1.0], (3, 1)))


def test_seeds():
    X = panel()
    expected = PathDevelopmentTransformer(random_state=5).fit_transform(X)
    same = PathDevelopmentTransformer(random_state=5, n_jobs=2).fit_transform(X)
    np.testing.assert_array_equal(same, expected)
    assert not np.allclose(PathDevelopmentTransformer(random_state=6).fit_transform(X), expected)
    stream = np.random.RandomState(5)  # noqa: NPY002  # as scikit-learn takes it
    first = PathDevelopmentTransformer(random_state=stream).fit_transform(X)
    np.testing.assert_array_equal(first, expected)
    assert not np.allclose(PathDevelopmentTransformer(random_state=stream).fit_transform(X), expected)


def test_dtype_to_compute_in():
    X = panel()
    exact = PathDevelopmentTransformer(dim=3).fit(X)
    narrow = PathDevelopmentTransformer(dim=3, dtype="float32").fit(X)
    assert narrow.transform(X).dtype == np.float64
    np.testing.assert_allclose(narrow.transform(X), exact.transform(X), rtol=0, atol=1e-4)
    assert np.abs(narrow.transform(X) - exact.transform(X)).max() > 1e-9
    wide = PathDevelopmentTransformer(dim=3, dtype="float64").fit(X.astype(np.float32))
    assert wide.transform(X.astype(np.float32)).dtype == np.float32


CHANGES = {
    **{"group": "SU", "dim": 3, "n_developments": 2, "step_size": 9.0, "pooling": ("mean", "ppv"), "windows": 3},
    **{"quantile": 0.1, "fit_mode": "supervised", "dtype": "float32", "random_state": 9, "n_jobs": 2},
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("pooling", ["end", ("end", "mpv")])
def test_parameters_set_after_fit_wait_for_the_next_fit(name, pooling):
    X = padded(ragged())
    transformer = PathDevelopmentTransformer(dim=2, pooling=pooling, windows=("dyadic", 1)).fit(X)
    expected, names = transformer.transform(X), transformer.get_feature_names_out()
    transformer.set_params(**{name: CHANGES[name]})
    np.testing.assert_array_equal(transformer.transform(X), expected)
    np.testing.assert_array_equal(transformer.get_feature_names_out(), names)


# ------------------------------------------------------------------------------------------------ bad input

SUPERVISED = {"fit_mode": "supervised", "max_epochs": 2}
BAD = {
    "an odd side for Sp": ({"group": "Sp", "dim": 5}, None, "dim must be an even number of at least 2 .*'Sp', got 5"),
    "a side of one for SO": ({"group": "SO", "dim": 1}, None, "dim must be at least 2 for group='SO', got 1"),
    "an unknown group": ({"group": "SL"}, None, "The 'group' parameter"),
    "an unknown pooling": (
        {"pooling": ("end", "median")},
        None,
        r"pooling must name different ones of end, .* got \(.*",
    ),
    "a pooling twice": ({"pooling": ["end", "end"]}, None, "pooling must name different"),
    "no pooling": ({"pooling": ()}, None, r"pooling must name .* got \(\)"),
    "windows of another kind": ({"windows": ("tenth", 3)}, None, r"windows must be .* got \('tenth', 3\)"),
    "no such device": ({"device": "nonsense"}, None, "device must be one that torch can use, got 'nonsense'"),
    "a device that is not there": ({"device": "cuda:99"}, None, "device must be .* use, got 'cuda:99'"),
    "too many features for memory": (
        {"n_developments": 10**9, "dim": 6},
        None,
        r"with 1000000000 developments in SO\(6\) would give .* GiB of memory are available",
    ),
    "too large matrices for memory": ({"dim": 10**6}, None, r"SO\(1000000\) would give .* of memory are available"),
    "batches of one series": ({**SUPERVISED, "batch_size": 1}, [0, 1] * 3, "The 'batch_size' parameter"),
    "no y": (SUPERVISED, None, "fit_mode='supervised' requires y to be passed"),
    "one class": (SUPERVISED, ["a"] * 6, "y must have at least 2 classes .*, got one class: .*a"),
    "one number": (
        {**SUPERVISED, "task": "regression"},
        [2.5] * 6,
        r"y must hold different numbers .* got only \[2.5\]",
    ),
    "several labels": (
        SUPERVISED,
        np.eye(6, 3, dtype=int),
        "y must hold one class or number per series.* got multilabel",
    ),
    "a wrong number of targets": (SUPERVISED, [0, 1, 0], "y must have one entry per series, 6, got 3"),
    "a missing target": (SUPERVISED, [0.5, np.nan, 1.5, 1, 2, 3], "Input y contains NaN"),
    "text for regression": ({**SUPERVISED, "task": "regression"}, list("ababab"), "y must hold numbers for .* got"),
    "columns of classes": ({**SUPERVISED, "task": "classification"}, np.eye(6, 3, dtype=int), r"got shape \(6, 3\)"),
    "divergence": (
        {**SUPERVISED, "lr": 1e30, "group": "GL", "max_epochs": 5},
        [0, 1] * 3,
        "training diverged: lower lr",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_one_clear_sentence_and_leaves_nothing_fitted(case):
    parameters, y, message = BAD[case]
    X, transformer = (
        padded(ragged()),
        PathDevelopmentTransformer(windows="whole").set_params(**parameters),
    )
    with pytest.raises(ValueError, match=message):
        transformer.fit(X, y)
    with pytest.raises(NotFittedError):
        transformer.transform(X)


@pytest.mark.parametrize("pooling", ["end", ("mean", "mpv")], ids=str)
def test_a_fitted_transformer_may_be_read_only(pooling):
    X = panel()
    transformer = PathDevelopmentTransformer(dim=2, pooling=pooling).fit(X)
    expected = transformer.transform(X)
    for name in ("algebra_", "thresholds_", "units_"):  # as joblib maps them into its processes
        getattr(transformer, name).setflags(write=False)
    torch.set_warn_always(True)  # else a warning may have been given before
    try:
        np.testing.assert_array_equal(transformer.transform(X), expected)
    finally:
        torch.set_warn_always(False)


def test_one_series_is_too_few_to_train():
    with pytest.raises(ValueError, match="needs at least 2 series, got n_samples = 1"):
        PathDevelopmentTransformer(**QUICK).fit(panel(1), [1.5])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("pooling", ["end", ("end", "max"), ("ppv", "mpv"), "argmax"], ids=str)
def test_overflow_is_said_and_not_returned(dtype, pooling):
    X, group = panel().astype(dtype), {"group": "GL", "dim": 3, "windows": "whole", "pooling": pooling}
    message = (
        rf"developments in GL\(3\) overflow {np.dtype(dtype)}: lower step_size, now 10000, or take a compact group"
    )
    with pytest.raises(ValueError, match=message):
        PathDevelopmentTransformer(step_size=1e4, **group).fit(X).transform(X)
    assert np.isfinite(PathDevelopmentTransformer(**group).fit_transform(X)).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_of_any_size(dtype):
    limits, X = np.finfo(dtype), panel()
    X /= np.abs(X).max()
    exact = PathDevelopmentTransformer(dim=3).fit_transform(X.astype(dtype))
    for factor in (limits.max / 4, limits.tiny, limits.smallest_subnormal * 1000):
        features = PathDevelopmentTransformer(dim=3).fit_transform((X * factor).astype(dtype))
        assert np.isfinite(features).all()
        if factor > limits.tiny:
            np.testing.assert_allclose(features, exact, rtol=0, atol=100 * limits.eps)


def test_values_near_the_ends_of_float64_raise_nothing_but_sentences():
    largest, X = np.finfo(float).max, panel(n_channels=1)
    transformer = PathDevelopmentTransformer(dim=3)
    for repeats in (2, 20):  # the variation overflows, and also the unit
        assert np.isfinite(transformer.fit_transform([[0.0, largest] * repeats])).all()
    fitted = transformer.fit(X)
    with pytest.raises(ValueError, match=r"developments in SO\(3\) overflow float64"):
        fitted.transform([[[0.0, largest / 2]]])
    for settings in ({"dtype": "float32"}, {"step_size": 1e10}):
        fitted = PathDevelopmentTransformer(dim=3, **settings).fit(X)
        with pytest.raises(ValueError, match="steps of the paths overflow float(32|64): scale the series, or lower"):
            fitted.transform([[[0.0, largest / 2]]])


def test_differences_that_overflow_are_said():
    X = np.where(panel() > 0, 1.0, -1.0) * np.finfo(float).max
    with pytest.raises(ValueError, match="differences of neighbouring points of X overflow float64"):
        PathDevelopmentTransformer().fit(X)
