"""The operations of torch that other devices run give what the compiled loops give, here on tensors of the CPU.

`sigfeat._devices.uses_loops` chooses between both, and is replaced here. The estimators are those of the table of
adapters that have a `device`, so that a new one is tested too.
"""

import functools
import inspect

import numpy as np
import pytest

from sigfeat import LowRankISSTransformer, PathDevelopmentTransformer
from sigfeat.adapters._estimators import ADAPTED, CLASSES, FEATURES, NUMBERS
from sigfeat.nn import GROUPS
from tests.panels import padded, ragged

LENGTHS = (30, 25, 30, 18, 27, 30, 22, 30, 29, 30)
X = padded(ragged(LENGTHS, 2))
TRAINED = {"fit_mode": "supervised", "max_epochs": 2, "batch_size": 4}
MORE = {  # parameters under which compiled loops could run, beside the examples of the table
    "low rank, trained": functools.partial(LowRankISSTransformer, n_functionals=8, **TRAINED),
    "development, trained": functools.partial(PathDevelopmentTransformer, dim=3, n_developments=2, **TRAINED),
}
for name in GROUPS:
    dim = 3 if name == "SE" else 2
    MORE[f"development, {name}"] = functools.partial(PathDevelopmentTransformer, name, dim=dim, n_developments=2)
LOOPS = {
    "LowRankISSTransformer",
    "PathDevelopmentTransformer",
}  # what a direct use of them runs, until they get a `device`


def parameters(name):
    return inspect.signature(ADAPTED[name].load()).parameters


WITH_DEVICE = [name for name in sorted(ADAPTED) if "device" in parameters(name)]


def made(name):
    if name in MORE:
        return MORE[name]()
    for package in ADAPTED[name].needs:
        pytest.importorskip(package)
    return ADAPTED[name].load()(**ADAPTED[name].examples()[-1])


def target(name):
    numbers = name in ADAPTED and ADAPTED[name].gives == NUMBERS
    return X[:, 0].std(axis=1, where=np.isfinite(X[:, 0])) if numbers else np.arange(len(X)) % 2


def output(name, fitted):
    if name in ADAPTED and ADAPTED[name].gives == CLASSES:
        return fitted.decision_function(X) if hasattr(fitted, "decision_function") else fitted.predict_proba(X)
    return fitted.predict(X) if name in ADAPTED and ADAPTED[name].gives == NUMBERS else fitted.transform(X)


@pytest.fixture
def by_torch(monkeypatch):
    """Function that turns the compiled loops off, and gives the list of the devices that were asked about."""
    asked = []

    def turn_off():
        monkeypatch.setattr("sigfeat._devices.uses_loops", lambda device: asked.append(str(device)))
        return asked

    return turn_off


@pytest.mark.parametrize("name", [*WITH_DEVICE, *MORE])
def test_everything_with_a_device_gives_what_the_loops_give(name, by_torch):
    fitted = made(name).fit(X, target(name))
    expected = output(name, fitted)
    asked = by_torch()
    size = np.abs(expected).max()
    np.testing.assert_allclose(output(name, fitted), expected, rtol=1e-5, atol=2e-6 * size)
    assert set(asked) <= {"cpu"}
    again = output(name, made(name).fit(X, target(name)))
    far = np.abs(again - expected) > 1e-3 * size  # a share of time jumps where a value sits on its threshold
    assert far.mean() < 0.02
    if name in MORE:
        assert asked


def test_the_table_has_the_estimators_that_have_loops():
    assert set(WITH_DEVICE) >= LOOPS
    assert all(ADAPTED[name].gives in (FEATURES, CLASSES, NUMBERS) for name in WITH_DEVICE)
