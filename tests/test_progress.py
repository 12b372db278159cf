"""Progress bars: by themselves in a terminal for long training, always, or never."""

import io
import multiprocessing
import sys

import pytest

from sigfeat import (
    HyenaEmbeddingTransformer,
    IntervalISSTransformer,
    LowRankISSTransformer,
    MHAEmbedder,
    PathDevelopmentTransformer,
)
from sigfeat.nn.training import progress
from sigfeat.nn.training.progress import Progress
from tests.embedders import classes, hyena, mha, panel

TITLES = ("MHAEmbedder:", "HyenaEmbeddingTransformer:", "HyenaEmbeddingTransformer, control:")


class Terminal(io.StringIO):
    """A standard error that is a terminal, or a pipe."""

    def __init__(self, is_terminal=True):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


def shown_by(monkeypatch, action, is_terminal=True, long=0.0):
    """What an action writes to standard error, where training is long from `long` seconds on."""
    stream = Terminal(is_terminal)
    monkeypatch.setattr(progress, "LONG", long)
    monkeypatch.setattr(sys, "stderr", stream)
    action()
    return stream.getvalue()


def test_long_training_in_a_terminal_has_bars_with_the_names_of_its_parts(monkeypatch):
    shown = shown_by(monkeypatch, lambda: hyena(control=True).fit(panel()))
    assert all(f"{title} 100%" in shown for title in TITLES)


@pytest.mark.parametrize("how", [{"long": 1000.0}, {"is_terminal": False}], ids=["short training", "no terminal"])
def test_no_bars_by_themselves(monkeypatch, how):
    assert shown_by(monkeypatch, lambda: hyena().fit(panel()), **how) == ""


@pytest.mark.parametrize("is_terminal", [True, False])
def test_bars_on_demand(monkeypatch, is_terminal):
    def fitted(verbose):
        return hyena(mha(verbose=verbose), verbose=verbose).fit(panel())

    assert shown_by(monkeypatch, lambda: fitted(0), is_terminal) == ""
    shown = shown_by(monkeypatch, lambda: fitted(1), is_terminal, long=1000.0)
    assert all(title in shown for title in TITLES[:2])


def test_started_processes_have_no_bars_by_themselves(monkeypatch):
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())
    assert shown_by(monkeypatch, lambda: hyena().fit(panel())) == ""
    assert "MHAEmbedder" in shown_by(monkeypatch, lambda: mha(verbose=1).fit(panel()))


@pytest.mark.parametrize(
    ("estimator", "title"),
    [
        (PathDevelopmentTransformer(dim=2, n_developments=1, fit_mode="supervised", max_epochs=1), "PathDevelopment"),
        (LowRankISSTransformer(n_functionals=4, fit_mode="supervised", max_epochs=1), "low-rank functionals"),
        (IntervalISSTransformer(depth=1, fit_mode="supervised", max_epochs=1), "interval functionals"),
    ],
    ids=["development", "low rank", "intervals"],
)
def test_other_training_has_bars_too(monkeypatch, estimator, title):
    assert title in shown_by(monkeypatch, lambda: estimator.fit(panel(), classes()))


@pytest.mark.parametrize(("seconds_of_a_step", "is_shown"), [(0.05, False), (0.2, True)])
def test_a_bar_appears_once_training_is_expected_to_be_long(monkeypatch, seconds_of_a_step, is_shown):
    now, stream = [0.0], Terminal()
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", stream)
    bar = Progress("training", None, n_steps=100)
    for _ in range(20):
        bar.step()
        now[0] += seconds_of_a_step
    bar.epoch(0.5)
    assert ("training:  20%" in stream.getvalue() and "loss=0.5" in stream.getvalue()) == is_shown
    bar.close()
    assert bool(stream.getvalue()) == is_shown


def test_training_of_limited_time_is_as_long_as_that(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    for seconds in (5.0, 20.0):
        bar = Progress("training", None, n_steps=None, seconds=seconds)
        bar.step()
        bar.epoch(0.5)
        bar.close()
        assert bool(stream.getvalue()) == (seconds > progress.LONG)


def test_students_pass_their_verbosity_to_the_default_teacher():
    assert HyenaEmbeddingTransformer().verbose is MHAEmbedder().verbose is None
    assert HyenaEmbeddingTransformer(verbose=0).get_params()["teacher__verbose"] == 0
