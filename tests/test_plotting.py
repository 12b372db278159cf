"""Pictures: what was drawn, not only that it was."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

import sigfeat
from sigfeat import (
    IntervalQuantileTransformer,
    ISSTransformer,
    LowRankISSTransformer,
    MHAEmbedder,
    PathDevelopmentTransformer,
    SignatureTransformer,
)
from sigfeat.plotting import (
    importance_by,
    name_parts,
    plot_development,
    plot_fidelity,
    plot_filters,
    plot_importance,
    plot_similarity,
    plot_spectra,
)

NAMES = ["[1]|real|end", "[1]|real|max", "[1][2]|real|end"]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def axes():
    return Figure().subplots()


def turn_about_y(angles):
    cos, sin, zero = np.cos(angles), np.sin(angles), np.zeros(len(angles))
    return np.stack([[cos, zero, sin], [zero, zero + 1, zero], [-sin, zero, cos]]).transpose(2, 0, 1)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("[1][1,2]|real|end", ("none", "[1][1,2]", "real", "end", "none", "2")),
        ("iss__[1]|max_plus|mean|1/2-2/2", ("iss", "[1]", "max_plus", "mean", "1/2-2/2", "1")),
        ("<2.1><2.2>|real|ppv3|1/2-2/2", ("none", "<2.1><2.2>", "real", "ppv3", "1/2-2/2", "2")),
        ("<1.1>|largest", ("none", "<1.1>", "none", "largest", "none", "1")),
        ("[2,2]|exponential2|end", ("none", "[2,2]", "exponential2", "end", "none", "1")),
        ("[[1],[2]]|logsignature|0/2-1/2", ("none", "[[1],[2]]", "logsignature", "none", "0/2-1/2", "2")),
        ("dev3[SO(5)](2,4)", ("none", "dev3[SO(5)](2,4)", "none", "none", "none", "none")),
        ("dev6[SU(2)](2,2)|im|min|3/4-4/4", ("none", "dev6[SU(2)](2,2)", "im", "min", "3/4-4/4", "none")),
        ("a__hyena2[5]|mean", ("a", "hyena2[5]", "none", "mean", "none", "none")),
        ("[speed][speed,temp]|real|end", ("none", "[speed][speed,temp]", "real", "end", "none", "2")),
        ("u__v__[a__b][end]|real|end", ("u__v", "[a__b][end]", "real", "end", "none", "2")),
        ('iss[2]__["a|b",c][1]|real|max|0/2-1/2', ("iss[2]", '["a|b",c][1]', "real", "max", "0/2-1/2", "2")),
        ('[["]|[__\\""],[b c]]|logsignature', ("none", '[["]|[__\\""],[b c]]', "logsignature", "none", "none", "2")),
        ("pca12", ("none", "pca12", "none", "none", "none", "none")),
        ("12,5", ("none", "12,5", "none", "none", "none", "none")),
    ],
)
def test_parts_of_a_name(name, parts):
    assert name_parts(name) == parts


@pytest.mark.parametrize(
    "transformer",
    [
        ISSTransformer(),
        ISSTransformer(pooling=("ppv", "mpv", "argmax", "end"), windows=2),
        LowRankISSTransformer(n_functionals=3, pooling=("ppv", "mipv", "max")),
        PathDevelopmentTransformer("SU", dim=2, n_developments=1),
        IntervalQuantileTransformer(words=["[1][2]"]),
    ],
    ids=str,
)
def test_every_pooling_and_window_is_found(transformer):
    names = transformer.fit(np.random.default_rng(0).random((6, 2, 12))).get_feature_names_out()
    parts = [name_parts(name) for name in names]
    assert {part.pooling for part in parts}.isdisjoint({"none"})
    for part, name in zip(parts, names, strict=True):
        assert part.window in name if "-" in name else part.window == "none"


def test_importance_of_groups():
    assert importance_by([3.0, 4.0, -1.0], NAMES) == {"[1]": 5.0, "[1][2]": 1.0}
    assert importance_by([3.0, 4.0, -1.0], NAMES, by="level", total="sum") == {"1": 7.0, "2": -1.0}
    assert importance_by([[3.0, 0.0, 0.0], [4.0, 0.0, 2.0]], NAMES, by="feature") == {
        "[1]|real|end": 5.0,
        "[1][2]|real|end": 2.0,
        "[1]|real|max": 0.0,
    }
    assert importance_by([1.0, 1.0, 1.0], NAMES, by=len, total="sum") == {12: 2.0, 15: 1.0}


def test_bars_are_the_importances_of_a_fitted_model(axes):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 2, 20)), np.arange(40) % 2
    union = FeatureUnion([("iss", ISSTransformer()), ("signature", SignatureTransformer(depth=2))]).fit(X)
    names = union.get_feature_names_out()
    features = union.transform(X)
    ridge = RidgeClassifier().fit(features, y)
    found = importance_by(ridge, names, by="union")
    assert set(found) == {"iss", "signature"}
    np.testing.assert_allclose(np.hypot(*found.values()), np.linalg.norm(ridge.coef_))
    assert plot_importance(ridge, names, by="union", axes=axes) is axes
    assert [bar.get_width() for bar in axes.patches] == list(found.values())
    assert [label.get_text() for label in axes.get_yticklabels()] == list(found)
    forest = RandomForestClassifier(5, random_state=0).fit(features, y)
    by_word = plot_importance(forest, names, total="sum", n_largest=3)
    assert len(by_word.patches) == 3
    assert by_word.get_ylabel() == "word, the first 3 of 9"
    assert sum(importance_by(forest, names, total="sum").values()) == pytest.approx(1)


def only_speed_matters(n_series=80, seed=0):
    """Panel of frames whose classes differ in the channel "speed", and the classes."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n_series, 3, 40)), np.arange(n_series) % 2
    X[y == 1, 1] += 2 * np.sin(np.arange(40) / 3)
    return [pd.DataFrame(x.T, columns=["temp", "speed", "a,b"]) for x in X], y


FEATURES = {
    "words": ISSTransformer(),
    "low rank": LowRankISSTransformer(n_functionals=200),
    "signature": SignatureTransformer(depth=2),
    "logarithm": SignatureTransformer(2, kind="logsignature", windows=2),
    "a union of pipelines": FeatureUnion(
        [
            ("words", make_pipeline(ISSTransformer(), StandardScaler())),
            ("low", LowRankISSTransformer(n_functionals=100)),
        ]
    ),
    "selected": make_pipeline(ISSTransformer(), SelectKBest(k=50)),
}


@pytest.mark.parametrize("name", FEATURES)
def test_the_channel_that_matters_is_first(name, axes):
    X, y = only_speed_matters()
    if "Signature" in str(FEATURES[name]):
        pytest.importorskip("iisignature", reason="iisignature is an extra")
    model = make_pipeline(clone(FEATURES[name]), StandardScaler(), RidgeClassifier(100)).fit(X, y)
    plot_importance(model, by="channel", axes=axes)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "speed"
    assert set(labels) == {"speed", "temp", '"a,b"'} or name == "selected"  # which keeps features of "speed" only
    assert axes.get_ylabel() == "channel"
    widths = [bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(np.linalg.norm(widths), np.linalg.norm(model[-1].coef_))
    assert importance_by(model[-1], model[:-1], by="channel") == importance_by(model, by="channel")
    by_number = clone(model).fit(np.stack([frame.to_numpy().T for frame in X]), y)
    assert list(importance_by(by_number, by="channel"))[0] == "2"


def test_importance_of_several_channels_is_divided_equally():
    names = ["[1]|real|end", '[1][speed,"a,b"]|real|end', "[[1],[[1],[speed]]]|logsignature"]
    found = importance_by([1.0, 3.0, 4.0], names, by="channel", total="sum")
    assert found == {"1": 4.0, "speed": 3.0, '"a,b"': 1.0}
    found = importance_by([[1.0, 0.0, 1.0], [0.0, 3.0, 1.0]], names, by="channel")
    assert found == {"1": 5**0.5, "speed": 2.0, '"a,b"': 3**0.5}


def test_low_rank_channels_are_those_with_taps():
    X, _ = only_speed_matters()
    iss = LowRankISSTransformer(n_functionals=20, depth=1, quantiles=1).fit(X)
    drawn, weights = iss.functionals_, np.arange(20.0)
    expected = {"temp": 0.0, "speed": 0.0, '"a,b"': 0.0}
    for chain, weight in enumerate(weights):
        seen = drawn.channels[chain, 0][drawn.taps[chain, 0].any(axis=1)]
        for channel in seen:
            expected[list(expected)[channel]] += weight / len(seen)
    for source in (iss, FrozenEstimator(iss)):
        assert importance_by(weights, source, by="channel", total="sum") == pytest.approx(expected)


def test_a_name_of_a_channel_is_no_formula(axes):
    plot_importance([1.0, 2.0], ["[a$b$]|real|end", "[c]|real|end"], by="channel", axes=axes)
    assert axes.get_yticklabels()[1].get_text() == r"a\$b\$"


def test_features_without_channels_are_named():
    X, y = only_speed_matters(16)
    low_rank = LowRankISSTransformer(n_functionals=3).fit(X)
    names = low_rank.get_feature_names_out()
    with pytest.raises(ValueError, match="'<1.1>|real|ppv1' does not; low-rank features need the fitted transformer"):
        importance_by(np.ones(len(names)), names, by="channel")
    for features in (MHAEmbedder(fit_mode="random", d_model=8, n_heads=2), make_pipeline(ISSTransformer(), PCA(2))):
        model = make_pipeline(features, RidgeClassifier()).fit(X, y)
        with pytest.raises(ValueError, match="needs features that list their channels, which '(mha|pca).*' does not$"):
            importance_by(model, by="channel")
    model = make_pipeline(PathDevelopmentTransformer(), RidgeClassifier()).fit(X, y)
    with pytest.raises(ValueError, match="cannot compare channels: every feature depends on all 3"):
        importance_by(model, by="channel")
    with pytest.raises(TypeError, match="names must be given unless importances is a fitted pipeline"):
        importance_by([1.0])


def test_largest_bar_is_on_top(axes):
    plot_importance([1.0, 3.0, 2.0], NAMES, by="feature", axes=axes)
    bottom, top = axes.get_ylim()
    assert bottom > top
    assert [bar.get_width() for bar in axes.patches] == [3.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([1.0], NAMES), ValueError, "names must have an entry for each importance, got 3"),
        (([1.0, 2.0, 3.0], NAMES, "letter"), ValueError, "by must be one of feature, union, word.*got 'letter'"),
        (([1.0, 2.0, 3.0], NAMES, "word", "mean"), ValueError, 'total must be "norm" or "sum", got \'mean\''),
        ((RidgeClassifier(), NAMES), TypeError, "coef_ or feature_importances_, got RidgeClassifier"),
    ],
)
def test_importance_errors(arguments, error, words):
    with pytest.raises(error, match=words):
        importance_by(*arguments)
    with pytest.raises(ValueError, match="n_largest must be at least 1, got 0"):
        plot_importance([1.0], NAMES[:1], n_largest=0)


def test_north_pole_moves_on_the_sphere():
    angles = np.linspace(0, 1, 7)
    axes = plot_development(turn_about_y(angles), labels=["one"])
    line, end = axes.lines
    np.testing.assert_allclose(line.get_data_3d(), [np.sin(angles), np.zeros(7), np.cos(angles)], atol=1e-12)
    assert line.get_label() == "one"
    np.testing.assert_allclose(np.ravel(end.get_data_3d()), [np.sin(1), 0, np.cos(1)], atol=1e-12)
    assert len(axes.collections) == 1
    assert plot_development(turn_about_y(-angles), color="k", axes=axes) is axes
    assert len(axes.collections) == 1  # one sphere, two paths
    assert len(axes.lines) == 4
    assert axes.lines[2].get_color() == "k"


def test_development_entries_over_time(axes):
    path = np.random.default_rng(0).standard_normal((5, 2, 2)) * (1 + 1j)
    plot_development(path, axes=axes)
    assert len(axes.lines) == 8
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), path[:, 0, 0].real)
    np.testing.assert_array_equal(axes.lines[7].get_ydata(), path[:, 1, 1].imag)
    assert [line.get_label() for line in axes.lines[::2]] == ["(1,1)", "(1,2)", "(2,1)", "(2,2)"]
    rotations = plot_development(turn_about_y(np.linspace(0, 1, 7)), axes=Figure().subplots())
    assert len(rotations.lines) == 9  # flat axes have no sphere


@pytest.mark.parametrize(
    ("path", "how", "words"),
    [
        (np.ones((3, 2)), {}, r"path must have shape \(n_timepoints, dim, dim\), got \(3, 2\)"),
        (np.ones((3, 2, 2)), {"show": "sphere"}, "matrices of side 3 .*, got side 2"),
        (np.ones((3, 3, 3)), {"show": "globe"}, "show must be one of auto, sphere, entries, got 'globe'"),
        (turn_about_y(np.ones(2)), {"labels": ["a", "b"]}, "one entry for each of 1 lines, got 2"),
    ],
)
def test_development_errors(path, how, words):
    with pytest.raises(ValueError, match=words):
        plot_development(path, **how)


def test_filters_and_spectra_are_drawn_as_they_are(axes):
    taps = np.random.default_rng(0).standard_normal((3, 9))
    assert plot_filters(taps, lags=np.arange(-4, 5), labels=list("abc"), axes=axes) is axes
    for line, own, label in zip(axes.lines, taps, "abc", strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.stack([np.arange(-4, 5), own], axis=1))
        assert line.get_label() == label
    spectra = plot_spectra(taps[0], n_fft=16)
    frequencies, sizes = spectra.lines[0].get_data()
    waves = np.exp(-2j * np.pi * frequencies[:, None] * np.arange(9))  # by the definition of the transform
    np.testing.assert_allclose(sizes, np.abs(waves @ taps[0]))
    assert spectra.get_xlabel() == "frequency, cycles per step"
    assert frequencies[-1] == 0.5


def test_filter_errors():
    with pytest.raises(ValueError, match="lags must have an entry for each of 4 taps"):
        plot_filters(np.ones(4), lags=[1, 2])
    with pytest.raises(ValueError, match="taps must have shape"):
        plot_filters(np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="n_fft must be at least the number of lags 4, got 2"):
        plot_spectra(np.ones(4), n_fft=2)


def test_fidelity_against_order(axes):
    students = {1: [{"cka": 0.8, "r2": 0.5}, {"cka": 0.9, "r2": 0.7}], 4: {"cka": 1.0, "r2": 0.9}}
    plot_fidelity(students, figures=("cka", "r2"), axes=axes)
    means = [container.lines[0].get_xydata() for container in axes.containers]
    np.testing.assert_allclose(means, [[[1, 0.85], [4, 1.0]], [[1, 0.6], [4, 0.9]]])
    bar = axes.containers[1].lines[2][0].get_segments()[0]
    np.testing.assert_allclose(bar[:, 1], 0.6 + np.array([-1, 1]) * np.std([0.5, 0.7], ddof=1))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["CKA", "r2"]
    assert axes.get_xlabel() == "order"
    named = plot_fidelity({"hyena": {"cka": 0.9}, "s4": {"cka": 0.8}}, figures=("cka",))
    assert [label.get_text() for label in named.get_xticklabels()] == ["hyena", "s4"]
    with pytest.raises(ValueError, match="got 'token_r2', unknown for 4"):
        plot_fidelity({4: {"cka": 1.0}}, figures=("token_r2",))
    with pytest.raises(ValueError, match="at least one entry"):
        plot_fidelity({})


def test_similarity_map(axes):
    values = np.array([[1.0, 0.2, 0.3], [0.2, 1.0, 0.4]])
    plot_similarity(values, labels=["a", "b"], column_labels=["x", "y", "z"], limits=(0, 1), axes=axes)
    np.testing.assert_array_equal(axes.images[0].get_array(), values)
    assert axes.images[0].get_clim() == (0, 1)
    assert [text.get_text() for text in axes.texts] == ["1.00", "0.20", "0.30", "0.20", "1.00", "0.40"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["x", "y", "z"]
    square = plot_similarity(np.eye(2), labels=["a", "b"], text=False)
    assert [label.get_text() for label in square.get_xticklabels()] == ["a", "b"]
    assert not square.texts
    with pytest.raises(ValueError, match="column_labels must have an entry for each of 3, got 2"):
        plot_similarity(values, column_labels=["x", "y"])
    with pytest.raises(ValueError, match="similarity must be a matrix"):
        plot_similarity([1.0])


def test_matplotlib_is_loaded_by_a_picture_only():
    code = "import sigfeat.plotting, sys; assert not {'matplotlib', 'torch', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_sentence_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"needs matplotlib: run `pip install 'sigfeat\[plotting\]'`"):
        plot_filters(np.ones(4))


def test_names_are_documented():
    assert all(getattr(sigfeat.plotting, name).__doc__ for name in sigfeat.plotting.__all__)
