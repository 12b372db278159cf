"""Embedders: stopping and resuming training, callbacks, grid searches, and errors."""

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, Checkpoint, LoadInitState

from sigfeat import (
    HyenaEmbeddingTransformer,
    MHAEmbedder,
    S4EmbeddingTransformer,
)
from sigfeat.nn.training.loop import Objective, train
from sigfeat.nn.training.settings import TrainingSettings, Unobserved
from tests.embedders import classes, hyena, mha, panel, untrained
from tests.panels import padded, ragged

# --------------------------------------------------------------------------------- stopping, going on, telling


class Interrupt(Callback):
    """What the user's Ctrl-C does in the second epoch."""

    def on_batch_begin(self, net, training=False, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("embedder", [mha(max_epochs=3), hyena(max_epochs=3)], ids=["teacher", "student"])
def test_an_interrupt_leaves_nothing_fitted(embedder):
    X = panel()
    fitted = clone(embedder).fit(X)
    with pytest.raises(KeyboardInterrupt):
        fitted.set_params(callbacks=[Interrupt()]).fit(X)
    with pytest.raises(NotFittedError):
        fitted.transform(X)
    assert not [name for name in vars(fitted) if name in ("encoder_", "teacher_", "history_", "fidelity_")]


class Size(Objective):
    """The size of the weights is the loss, which becomes smaller from step to step."""

    is_averaged = False

    def forward(self, series, lengths, target=None):
        return self.trained.weight.square().sum()


class TwoEpochs(Unobserved):
    """An observer that stops the training after two epochs."""

    n_epochs = 0

    def end(self):
        self.n_epochs += 1
        return self.n_epochs == 2


def test_the_last_epoch_of_a_stopped_training_may_be_the_best():
    objective = Size(torch.nn.Linear(3, 1), torch.Generator())
    inputs = {"series": np.zeros((8, 5, 3)), "lengths": np.full(8, 5)}
    settings = TrainingSettings(9, 1e-3, batch_size=2, seed=0, patience=9, epochs=TwoEpochs())
    history = train(objective, inputs, np.arange(4), settings)
    assert len(history["valid_loss"]) == 2
    assert history["valid_loss"][1] < history["valid_loss"][0]
    assert objective(None, None).item() == pytest.approx(history["valid_loss"][1], rel=1e-6)


@pytest.mark.parametrize("build", [mha, hyena])
def test_a_training_goes_on_from_a_checkpoint_as_if_nothing_had_happened(build, tmp_path):
    X = panel()
    checkpoint = Checkpoint(monitor=None, dirname=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        build(max_epochs=3, callbacks=[checkpoint, Interrupt()]).fit(X)
    whole = build(max_epochs=3).fit(X)
    resumed = build(max_epochs=3, callbacks=[LoadInitState(checkpoint), checkpoint]).fit(X)
    np.testing.assert_array_equal(resumed.transform(X), whole.transform(X))
    np.testing.assert_array_equal(resumed.history_["loss"], whole.history_["loss"])


def test_checkpoints_are_of_the_student_and_not_of_its_control(tmp_path):
    X, checkpoint = panel(), Checkpoint(monitor=None, dirname=tmp_path)
    whole = hyena(control=True, callbacks=[checkpoint]).fit(X)
    resumed = hyena(control=True, callbacks=[LoadInitState(checkpoint)]).fit(X)
    np.testing.assert_array_equal(resumed.transform(X), whole.transform(X))
    assert resumed.fidelity_ == whole.fidelity_


class TaskLog:
    """A callback of scikit-learn, which stops a training after its second epoch."""

    max_propagation_depth = None

    def __init__(self, stop=False):
        self.stop, self.begun, self.ended = stop, [], []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.estimator_name, context.task_name))

    def on_fit_task_end(self, estimator, context):
        self.ended.append((context.estimator_name, context.task_name))
        return self.stop and context.task_name == "epoch" and context.task_id == 1


@pytest.mark.skipif(not hasattr(MHAEmbedder, "set_callbacks"), reason="scikit-learn has no callbacks before 1.9")
def test_callbacks_of_scikit_learn_see_teacher_and_student():
    log, stopping = TaskLog(), TaskLog(stop=True)
    teacher, student = "MHAEmbedder", "HyenaEmbeddingTransformer"
    hyena(mha(max_epochs=2), max_epochs=3).set_callbacks(log).fit(panel())
    assert sorted(log.begun) == sorted(log.ended)
    assert log.begun.count((teacher, "epoch")) == 2
    assert log.begun.count((student, "epoch")) == 3
    stopped = mha(max_epochs=5).set_callbacks(stopping).fit(panel())
    assert len(stopped.history_["loss"]) == 40


def test_silent_unless_asked(capsys):
    hyena().fit(panel())
    assert capsys.readouterr() == ("", "")
    hyena(verbose=1).fit(panel())
    assert "HyenaEmbeddingTransformer: 100%" in capsys.readouterr().err


# -------------------------------------------------------------------------------------- life in scikit-learn


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_grid_search_with_a_frozen_teacher(backend, monkeypatch):
    X, y = panel(24), classes(24)
    teacher = mha().fit(X, y)
    monkeypatch.setattr(MHAEmbedder, "fit", None)  # inherited by threads
    chain = make_pipeline(hyena(FrozenEstimator(teacher)), RidgeClassifierCV())
    grid = {"hyenaembeddingtransformer__order": [1, 3], "hyenaembeddingtransformer__d_model": [4, 8]}
    search = GridSearchCV(chain, grid, cv=2, n_jobs=2, error_score="raise")
    with joblib.parallel_config(backend=backend):
        search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_[0].teacher_ is teacher


BAD = {
    "heads": (mha(d_model=9), "d_model must be a multiple of n_heads, got d_model=9 and n_heads=2"),
    "heads of the teacher": (hyena(mha(d_model=9)), "d_model must be a multiple of n_heads, got d_model=9"),
    "no target": (mha(fit_mode="supervised"), "fit_mode='supervised' requires y to be passed, but .* y is None"),
    "no target for the teacher": (hyena(mha(fit_mode="supervised")), "fit_mode='supervised' requires y"),
    "masked ratio": (mha(masked_ratio=1.0), r"'masked_ratio' parameter .* in the range \(0.0, 1.0\). Got 1.0"),
    "device": (mha(device="cuda:99"), "device must be one that torch can use, got 'cuda:99': "),
    "no device": (hyena(device="abacus"), "device must be one that torch can use, got 'abacus': "),
    "windows": (mha(windows=("dyadic", -1)), 'windows must be "whole", a number of windows'),
    "even short filter": (hyena(short_filter=4), "short_filter must be odd unless causal, got 4"),
    "short series": (hyena(short_filter=31), "n_timepoints must be at least 16 for short_filter=31, got 15"),
    "short series, causal": (
        hyena(short_filter=16, causal=True),
        r"n_timepoints must be at least 16 for short_filter=16, got 15 .* in series 0",
    ),
    "other channels": (
        hyena(FrozenEstimator(untrained().fit(panel(n_channels=3)))),
        "teacher must be fitted with as many channels as X has, 2, got 3",
    ),
    "teacher of other parameters": (hyena(mha(n_heads=0)), "'n_heads' parameter of MHAEmbedder must be an int"),
    "teacher of a fraction": (hyena(mha(d_model=8.5)), "'d_model' parameter of MHAEmbedder must be an int"),
    "teacher of another kind": (
        hyena(FrozenEstimator(RidgeClassifierCV())),
        "teacher must hold an embedder such as MHAEmbedder, got FrozenEstimator of RidgeClassifierCV",
    ),
    "no teacher": (hyena(RidgeClassifierCV()), "teacher must be an embedder such as MHAEmbedder.*got Ridge"),
    "all held out": (hyena(validation_fraction=0.99), "validation_fraction must leave at least 1 series.* got 0.99 of"),
    "batches without training": (mha(fit_mode="random"), ".* is used with fit_mode='auto' or 'supervised'"),
    "patience without validation set": (mha(patience=2), "patience is used with validation_fraction > 0 only"),
    "odd states": (S4EmbeddingTransformer(mha(), d_state=3), "d_state must be even, got 3"),
    "divergence": (mha(lr=1e30, max_epochs=1), r"training diverged: lower lr, now 1e\+30"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_one_clear_sentence_and_leaves_nothing_fitted(case):
    embedder, message = BAD[case]
    embedder = clone(embedder)
    with pytest.raises(ValueError, match=message):
        embedder.fit(panel())
    with pytest.raises(NotFittedError):
        embedder.transform(panel())


def test_a_frozen_teacher_must_know_the_channels_by_the_same_names():
    tables = [pd.DataFrame(series.T, columns=["x", "y"]) for series in panel()]
    turned = [table[["y", "x"]] for table in tables]
    student = hyena(FrozenEstimator(untrained().fit(tables)))
    message = (
        r"teacher must be fitted with channels named and ordered as those of X are, \['y', 'x'\], got \['x', 'y'\]"
    )
    with pytest.raises(ValueError, match=message):
        student.fit(turned)
    np.testing.assert_array_equal(student.fit_transform(tables), student.fit_transform(panel()))


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda: mha().param_count(0), ValueError, "n_channels == 0, must be >= 1"),
        (lambda: mha().param_count("a"), TypeError, "n_channels must be an instance of"),
        (lambda: MHAEmbedder.recommended(40, 0), ValueError, "n_timepoints == 0, must be >= 1"),
        (lambda: HyenaEmbeddingTransformer.recommended(0, 9), ValueError, "n_samples == 0, must be >= 1"),
        (
            lambda: hyena(FrozenEstimator(RidgeClassifierCV())).output_size(),
            ValueError,
            "teacher must hold an embedder",
        ),
        (
            lambda: mha().fit(panel(), [1] * 12),
            ValueError,
            "y must have at least 2 classes for fit_mode='auto' with y",
        ),
    ],
)
def test_questions_that_have_no_answer(ask, error, message):
    with pytest.raises(error, match=message):
        ask()


def test_a_frozen_teacher_must_be_fitted():
    student = hyena(FrozenEstimator(mha()))
    for ask in (lambda: student.fit(panel()), lambda: student.param_count(2), student.output_size):
        with pytest.raises(NotFittedError, match="This MHAEmbedder instance is not fitted yet"):
            ask()


def test_series_too_short_for_the_short_filter_at_transform():
    fitted = hyena(short_filter=9).fit(panel())
    with pytest.raises(ValueError, match=r"n_timepoints must be at least 5 for short_filter=9, got 4 .* in series 1"):
        fitted.transform(padded(ragged(lengths=(9, 4), n_channels=2)))
