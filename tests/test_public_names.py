"""Benchmarks, examples and the scripts of the documentation import public names of sigfeat only."""

import ast
import importlib
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "examples", "docs")
MODULES = {  # whose names without an underscore are public; with a dot at the end, so are the modules within
    "sigfeat",
    "sigfeat.adapters.",
    "sigfeat.classifiers",
    "sigfeat.datasets",
    "sigfeat.ensemble",
    "sigfeat.filters",
    "sigfeat.functionals",
    "sigfeat.linear_model",
    "sigfeat.nn",
    "sigfeat.panel",
    "sigfeat.plotting",
    "sigfeat.reference.",
    "sigfeat.semirings",
    "sigfeat.words",
}

ACCEPTED = {  # the convolutions beneath the incremental evaluation of a model, which are measured one by one
    ("benchmarks/streaming_inference.py", "sigfeat.nn.mixers.incremental"),
}


def is_public(module):
    return module in MODULES or any(f"{module}.".startswith(name) for name in MODULES if name.endswith("."))


def private_imports(code):
    """Lines and names of the imports of a program that are not public names of sigfeat."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.partition(".")[0] == "sigfeat"]
            found += [(node.lineno, name) for name in names if not is_public(name)]
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sigfeat":
            full = [(alias.name, f"{node.module}.{alias.name}") for alias in node.names]
            found += [
                (node.lineno, name) for own, name in full if not (_is_public_name(node.module, own) or is_public(name))
            ]
    return found


def _is_public_name(module, name):
    if not is_public(module) or name.startswith("_"):
        return False
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", None)
    return name in names if names else not isinstance(getattr(loaded, name, None), types.ModuleType)


@pytest.mark.parametrize("folder", FOLDERS)
def test_programs_import_public_names_only(folder):
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in paths
        for line, name in private_imports(path.read_text(encoding="utf-8"))
        if (path.relative_to(ROOT).as_posix(), name.rpartition(".")[0]) not in ACCEPTED
    ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("import sigfeat.nn.layers", "sigfeat.nn.layers"),
        ("from sigfeat.nn.layers import linear", "sigfeat.nn.layers.linear"),
        ("from sigfeat.nn import layers", "sigfeat.nn.layers"),
        ("from sigfeat import _kernels", "sigfeat._kernels"),
        ("from sigfeat.transformers.iss import ISSTransformer", "sigfeat.transformers.iss.ISSTransformer"),
        ("def f():\n    from sigfeat._validation import Interval", "sigfeat._validation.Interval"),
    ],
)
def test_private_names_are_found(line, name):
    assert [found for _, found in private_imports(line)] == [name]


@pytest.mark.parametrize(
    "line",
    [
        "import sigfeat",
        "import sigfeat.classifiers",
        "import sigfeatures.other",
        "from sigfeat import ISSTransformer, to_panel",
        "from sigfeat import classifiers, linear_model",
        "from sigfeat.nn import HyenaLM",
        "from sigfeat.adapters import sktime",
        "from sigfeat.adapters.dask import transform_files",
        "from sigfeat.reference.iss import iterated_sums",
        "from sigfeat.linear_model import LeaveOneOutRidgeClassifier",
        "from numpy import linalg",
    ],
)
def test_public_names_are_accepted(line):
    assert private_imports(line) == []
