"""Seeds for everything random in the tests."""

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile("sigfeat", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.load_profile("sigfeat")


@pytest.fixture
def rng():
    return np.random.default_rng(0)
