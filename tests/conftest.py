"""Seeds for everything random in the tests, and shapes of tensors checked as they are annotated."""

import hypothesis
import jaxtyping
import numpy as np
import pytest

jaxtyping.install_import_hook("sigfeat.nn", "beartype.beartype")  # before anything imports it
hypothesis.settings.register_profile("sigfeat", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.load_profile("sigfeat")


def pytest_collection_modifyitems(items):
    """Slow tests come first, so that no process is left alone with one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def short_epochs(monkeypatch):
    """Epochs of 2 steps in place of 20, for tests that train embedders many times."""
    monkeypatch.setattr("sigfeat.nn.training.settings.STEPS_PER_EPOCH", 2)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
