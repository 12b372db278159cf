"""Embedders: fit modes, distillation, fidelity, and features."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

import sigfeat.transformers.embeddings._base as embedder_module
from sigfeat import (
    HyenaEmbeddingTransformer,
    MHAEmbedder,
    S4EmbeddingTransformer,
)
from sigfeat.nn.encoder import Encoder, EncoderSpec
from sigfeat.nn.fidelity import fidelity, layer_tokens, skill
from tests.embedders import classes, every_student, hyena, mha, panel, untrained, weights
from tests.panels import padded, ragged

# ------------------------------------------------------------------------------------------------ objectives


def test_fit_mode_auto_depends_on_y():
    X = panel()
    assert mha().fit(X).fit_mode_ == "masked"
    assert mha().fit(X, classes()).fit_mode_ == "supervised"
    assert mha(fit_mode="masked").fit(X, classes()).fit_mode_ == "masked"
    assert untrained().fit(X).history_ == {}


TARGETS = {
    "text": np.array(["up", "down"] * 6),
    "three classes": np.arange(12) % 3,
    "numbers": np.linspace(-1.0, 2.5, 12),
    "two numbers": np.random.default_rng(0).normal(size=(12, 2)),
}


@pytest.mark.parametrize("case", TARGETS)
def test_supervised_training_lowers_the_loss(case):
    X, y = panel(), TARGETS[case]
    X[:, 0] += np.unique(y, axis=0, return_inverse=True)[1].reshape(12, 1) * 3.0
    fitted = mha(max_epochs=4, lr=0.01, dropout=0.0).fit(X, y)
    loss = fitted.history_["loss"]
    assert loss.shape == fitted.history_["gradient_norm"].shape == (80,)
    assert np.mean(loss[-10:]) < 0.7 * np.mean(loss[:10])


def test_masked_training_beats_telling_the_mean():
    t = np.linspace(0, 6, 40)
    X = np.stack([np.sin(t + phase) for phase in np.linspace(0, 6, 24)])[:, np.newaxis]
    fitted = mha(max_epochs=10, lr=0.01, dropout=0.0, batch_size=16).fit(X)
    assert np.mean(fitted.history_["loss"][-20:]) < 0.3  # the mean would have 1


@pytest.mark.parametrize("fit_mode", ["supervised", "masked"])
def test_a_validation_set_can_stop_the_training(fit_mode):
    X, y = panel(40), np.random.default_rng(3).permutation(classes(40))  # nothing to learn
    parameters = {"fit_mode": fit_mode, "max_epochs": 100, "lr": 0.05, "validation_fraction": 0.3, "patience": 2}
    stopped = mha(**parameters).fit(X, y)
    n_epochs = len(stopped.history_["valid_loss"])
    assert 2 < n_epochs < 100
    assert len(stopped.history_["loss"]) == 20 * n_epochs
    assert len(stopped.history_["train_loss"]) == n_epochs
    assert np.isfinite(stopped.transform(X)).all()


# ---------------------------------------------------------------------------------------------- distillation


@every_student
def test_a_student_comes_close_to_its_teacher(student):
    X, new = panel(30, length=20), panel(10, length=25, seed=1)
    teacher = FrozenEstimator(mha(max_epochs=2).fit(X))
    start = clone(student).set_params(teacher=teacher, max_epochs=1, lr=1e-6).fit(X)
    trained = clone(student).set_params(teacher=teacher, max_epochs=8, batch_size=16, control=True).fit(X)
    assert trained.fidelity(new)["token_r2"] > max(0.55, start.fidelity(new)["token_r2"])
    assert set(trained.fidelity_) == {
        *("pooled_r2", "token_r2", "cka", "cosine"),
        *("control_pooled_r2", "control_token_r2", "pooled_skill", "token_skill"),
    }
    for name in ("pooled", "token"):
        expected = skill(trained.fidelity_[f"{name}_r2"], trained.fidelity_[f"control_{name}_r2"])
        assert trained.fidelity_[f"{name}_skill"] == expected
    assert trained.history_["loss"].shape == trained.history_["gradient_norm"].shape == (160,)
    assert trained.history_["train_loss"].shape == (8,)


@every_student
@pytest.mark.parametrize("frozen", [False, True])
def test_a_student_has_positions_and_neighbours_of_its_teacher(student, frozen):
    X = panel(length=20)
    teacher = untrained(positions="sinusoidal", embedding_filter=5)
    passed = FrozenEstimator(clone(teacher).fit(X)) if frozen else teacher
    fitted = clone(student).set_params(teacher=passed, max_epochs=1).fit(X)
    assert fitted.teacher_.encoder_.spec.mixer == "attention"
    for spec in (fitted.teacher_.encoder_.spec, fitted.encoder_.spec):
        assert (spec.positions, spec.embedding_filter) == ("sinusoidal", 5)
    assert fitted.encoder_.embedding.weight.shape == fitted.teacher_.encoder_.embedding.weight.shape


@pytest.mark.parametrize("window", [1, 3])
def test_padding_of_a_batch_is_not_distilled(window):
    """What is behind the end of a series reaches neither the tokens of the teacher nor those of the student."""
    spec = EncoderSpec("attention", 2, d_model=8, d_out=8, n_heads=2, embedding_filter=window)
    encoder = Encoder(spec, generator=torch.Generator().manual_seed(0)).eval()
    series = torch.randn(2, 9, 2, generator=torch.Generator().manual_seed(1))
    mask = torch.arange(9) < torch.tensor([[9], [5]])
    with torch.no_grad():
        layers = layer_tokens(encoder, series, mask)
        changed = layer_tokens(encoder, torch.where(mask[..., None], series, 100.0), mask)
    assert len(layers) == spec.n_layers + 1
    for before, after in zip(layers, changed, strict=True):
        torch.testing.assert_close(after[mask], before[mask])


def test_fidelity_of_hand_values():
    wanted = torch.tensor([[[1.0, 0.0], [3.0, 0.0]], [[5.0, 2.0], [0.0, 0.0]]])
    lengths = torch.tensor([2, 1])  # the last token is padding
    found = wanted.clone()
    found[1, 1] = 100.0
    assert fidelity([(wanted, found, lengths)], "mean") == pytest.approx(
        {"pooled_r2": 1.0, "token_r2": 1.0, "cka": np.nan, "cosine": 1.0}, nan_ok=True
    )
    three = torch.eye(3)[:, None]
    assert fidelity([(three, 2 * three, torch.ones(3, dtype=int))], "end")["cka"] == pytest.approx(1)
    found[0, 0, 0] = 2.0  # squared error 1 of 8 + 8/3 for tokens; pooled .25 of 4.5 + 2
    figures = fidelity([(wanted[:1], found[:1], lengths[:1]), (wanted[1:], found[1:], lengths[1:])], "mean")
    assert figures["token_r2"] == pytest.approx(1 - 1 / (8 + 8 / 3))
    assert figures["pooled_r2"] == pytest.approx(1 - 0.25 / 6.5)
    one_series = fidelity([(wanted[:1], found[:1], lengths[:1])], "mean")
    assert np.isnan([one_series["pooled_r2"], one_series["cka"]]).all()
    same = torch.full((3, 4, 2), 0.1) + 1e-8 * torch.rand(3, 4, 2)
    assert np.isnan(fidelity([(same, same.flip(0), torch.full((3,), 4))], "mean")["token_r2"])
    assert skill(0.9, 0.5) == pytest.approx(0.8)


def test_a_single_series_per_step_is_enough():
    """Its pooled token has no variance to measure a distance in."""
    X = panel(20)
    fitted = hyena(FrozenEstimator(mha(max_epochs=2).fit(X)), max_epochs=5, batch_size=1).fit(X)
    assert fitted.history_["loss"][-20:].mean() < 10
    assert fitted.fidelity(X)["token_r2"] > 0.5


def test_a_frozen_teacher_is_not_fitted_again():
    X = panel()
    teacher = mha().fit(X)
    before = weights(teacher.encoder_).clone()
    student = hyena(FrozenEstimator(teacher)).fit(X, classes())
    assert student.teacher_ is teacher
    torch.testing.assert_close(weights(teacher.encoder_), before, rtol=0, atol=0)
    free = hyena(teacher).fit(X, classes())
    assert free.teacher_ is not teacher
    assert free.teacher_.fit_mode_ == "supervised"
    torch.testing.assert_close(weights(teacher.encoder_), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    "parameters", [{"d_model": 5}, {"n_layers": 2}, {"d_ff": 3}, {"d_model": 6, "order": 1}], ids=str
)
def test_students_of_other_sizes_give_tokens_of_the_width_of_the_teacher(parameters):
    student = hyena(**parameters).fit(panel())
    spec = student.encoder_.spec
    assert all(getattr(spec, name) == value for name, value in parameters.items())
    assert student.transform(panel()).shape == (12, 8)


@every_student
def test_sizes_are_known_before_fitting(student):
    for parameters in ({}, {"d_model": 6}, {"windows": ("dyadic", 1)}):
        student = clone(student).set_params(teacher=mha(), **parameters)
        expected = student.param_count(n_channels=2), student.output_size()
        student.fit(panel())
        assert expected == (student.n_parameters_, student.transform(panel()).shape[1])
    teacher = mha(windows=3)
    assert (teacher.param_count(2), teacher.output_size()) == (teacher.fit(panel()).n_parameters_, 24)


def test_recommended_settings_grow_with_the_data():
    small, many, long = (
        HyenaEmbeddingTransformer.recommended(n_samples, n_timepoints)
        for n_samples, n_timepoints in ((40, 100), (5000, 100), (40, 16_384))
    )
    default = HyenaEmbeddingTransformer()
    assert (small.batch_size, small.max_epochs) == (default.batch_size, default.max_epochs)
    assert small.teacher.get_params() == MHAEmbedder().get_params()
    assert (many.batch_size, many.teacher.d_model) == (64, 128)
    assert 20 * many.max_epochs * many.batch_size >= 10 * 5000
    assert long.batch_size * 16_384 <= 2**16
    assert S4EmbeddingTransformer.recommended(40, 100).param_count(3) > 0


# -------------------------------------------------------------------------------------------------- features


def test_hyena_does_not_reach_farther_than_the_longest_series_of_fit():
    """Its filters were not trained at larger lags: 14 steps, once, and 1 of the short filter of each convolution."""
    student = hyena(untrained(embedding_filter=1), order=1).fit(panel(length=15))
    X = panel(2, length=100)
    before = student.tokens(X)
    X[:, :, 50:] += 10.0
    after = student.tokens(X)
    np.testing.assert_allclose(after[:, :, :35], before[:, :, :35], rtol=0, atol=1e-5)
    assert not np.allclose(after[:, :, 35:50], before[:, :, 35:50], rtol=0, atol=1e-3)


@pytest.mark.parametrize("pooling", ["mean", "end", "max"])
def test_windows_pool_the_tokens_of_one_pass(pooling):
    series = ragged(lengths=(9, 14, 12, 3))
    fitted = mha(pooling=pooling, windows=4, dtype="float64").fit(padded(series))
    features = fitted.transform(padded(series))
    for row, one in zip(features, series, strict=True):
        standard = (one - fitted.mean_[:, np.newaxis]) / fitted.scale_[:, np.newaxis]
        tokens = fitted.encoder_(torch.from_numpy(standard.T[np.newaxis].copy()))[0].numpy()
        length = len(tokens)
        for w in range(4):
            start = w * length // 4
            part = tokens[start : max((w + 1) * length // 4, start + 1)]
            expected = {"mean": part.mean(axis=0), "end": part[-1], "max": part.max(axis=0)}[pooling]
            np.testing.assert_allclose(row.reshape(-1, 4)[:, w], expected, rtol=1e-12, atol=1e-13)
    assert fitted.get_feature_names_out()[5] == f"mha[2]|{pooling}|1/4-2/4"


def test_series_go_through_in_batches_of_about_the_same_length(monkeypatch):
    X = padded(ragged(lengths=(9, 14, 12, 14, 7, 11)))
    fitted = hyena(dtype="float64").fit(X)
    expected = fitted.transform(X)
    monkeypatch.setattr(embedder_module, "BATCH_BYTES", 5000)
    assert len(list(fitted._batches(X, np.array([9, 14, 12, 14, 7, 11])))) > 2
    np.testing.assert_allclose(fitted.transform(X), expected, rtol=1e-12, atol=1e-13)
    monkeypatch.setattr(embedder_module, "BATCH_BYTES", 1)
    np.testing.assert_allclose(fitted.transform(X), expected, rtol=1e-12, atol=1e-13)


def test_features_go_by_what_fit_saw():
    X = panel()
    fitted = hyena().fit(X)
    expected, names = fitted.transform(X), fitted.get_feature_names_out().tolist()
    fitted.set_params(windows=7, order=5, d_model=3, short_filter=9, dtype="float64", causal=True)
    np.testing.assert_array_equal(fitted.transform(X), expected)
    assert fitted.get_feature_names_out().tolist() == names


@every_student
def test_same_seed_same_features_and_another_seed_others(student):
    X = panel()
    student = clone(student).set_params(teacher=mha())
    features = student.fit_transform(X)
    np.testing.assert_array_equal(clone(student).fit_transform(X), features)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(student)).transform(X), features)
    assert not np.allclose(clone(student).set_params(random_state=1).fit_transform(X), features)


def test_global_state_is_left_alone():
    def state():
        numbers = np.random.get_state()[1].tolist()  # noqa: NPY002  # the global generator
        return torch.random.get_rng_state().tolist(), numbers, torch.get_num_threads()

    before = state()
    hyena(n_jobs=2, control=True).fit(panel(), classes()).transform(panel())
    assert state() == before


@pytest.mark.parametrize("give", ["transform", "tokens"])
def test_huge_values_are_told_from_features(give):
    fitted = mha().fit(panel())
    with pytest.raises(ValueError, match="tokens of MHAEmbedder overflow in float32.*dtype='float64'"):
        getattr(fitted, give)(panel() * 1e300)


def test_hidden_points_do_not_depend_on_the_default_dtype_of_torch():
    expected = mha().fit_transform(panel())
    try:
        torch.set_default_dtype(torch.float64)
        np.testing.assert_array_equal(mha().fit_transform(panel()), expected)
    finally:
        torch.set_default_dtype(torch.float32)


@every_student
def test_a_fitted_embedder_keeps_weights_only(student):
    """And no spectra, which grow with the length of the series and would not see weights that are written over."""
    fitted = clone(student).set_params(teacher=mha()).fit(panel())
    before = fitted.transform(panel())
    assert not sum(len(part.spectra) for part in fitted.encoder_.modules() if hasattr(part, "spectra"))
    for weight in fitted.encoder_.parameters():
        weight.data.mul_(1.3)
    features = fitted.transform(panel())
    assert not np.allclose(features, before)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(panel()), features)
