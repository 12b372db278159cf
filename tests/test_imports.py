"""What an import loads, and that every public name is there."""

import subprocess
import sys

import pytest

import sigfeat

HEAVY = {
    "aeon",
    "dask",
    "iisignature",
    "numba",
    "pandas",
    "sklearn",
    "sktime",
    "tensorboard",
    "torch",
    "wandb",
}
NEEDS_TORCH = frozenset(
    {
        "HyenaEmbeddingTransformer",
        "IntervalDevelopmentTransformer",
        "IntervalNetworkClassifier",
        "MHAEmbedder",
        "PathDevelopmentTransformer",
        "RecurrentEmbeddingTransformer",
        "S4EmbeddingTransformer",
    }
)

USE_EVERY_TRANSFORMER = """
import inspect, sys
import numpy as np
import sigfeat

X = np.random.default_rng(0).random((4, 2, 6))
for name in {names}:
    value = getattr(sigfeat, name)
    if inspect.isclass(value) and hasattr(value, "fit_transform"):
        try:
            value().fit_transform(X[:, 0] if name == "FeatureScaler" else X)  # which takes features, and no series
        except ImportError as error:  # an extra that is not installed
            assert "pip install" in str(error), error
"""


def loaded_by(code):
    """Names of the top-level modules that a new interpreter has loaded after running `code`."""
    report = "\nimport sys; print('loaded', *{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.splitlines()[-1].split()[1:])


def test_the_package_alone_loads_nothing_heavy():
    assert not loaded_by("import sigfeat; sigfeat.__version__; dir(sigfeat)") & (HEAVY | {"numpy"})


def test_words_semirings_and_panels_load_numpy_only():
    code = "from sigfeat import Semiring, Word, to_panel, words_of_length, words_of_weight; to_panel([[1.0, 2.0]])"
    assert not loaded_by(code) & HEAVY


def test_everything_but_torch_transformers_works_without_torch():
    names = sorted(set(sigfeat.__all__) - NEEDS_TORCH)
    loaded = loaded_by(USE_EVERY_TRANSFORMER.format(names=names))
    assert "sklearn" in loaded
    assert not loaded & {"aeon", "dask", "sktime", "tensorboard", "torch", "wandb"}


@pytest.mark.parametrize("name", sigfeat.__all__)
def test_public_name(name):
    value = getattr(sigfeat, name)
    assert value.__name__ == name
    assert value.__doc__
    assert name in dir(sigfeat)


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'sigfeat' has no attribute 'Nothing'"):
        sigfeat.Nothing  # noqa: B018
