"""Limits of the layout: entries of a folder, lines of a file, parameters of a function, imports by a string."""

import ast
from pathlib import Path

import pytest

from tests.pages import ROOT

MAX_ENTRIES, MAX_LINES, MAX_PARAMETERS = 16, 400, 12
MORE_PARAMETERS = {  # those of `train_language_model`, a teacher, and the weights of the loss
    "sigfeat/nn/language/distillation.py:distil_language_model": 14,
}
MADE = (
    "__pycache__",
    "benchmarks/results",
    "docs/api/examples",
    "docs/api/generated",
    "docs/gallery",
    "docs/generated",
    "examples/output",
)
BY_VARIABLE = (  # imports whose names come from a table
    "sigfeat/__init__.py",
    "sigfeat/adapters/_estimators.py",
    "sigfeat/adapters/_formats.py",
)


def files(*folders):
    """Python files and pages, except those that tools make, by their path from the root."""
    found = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix in (".py", ".md") and not any(made in name for made in MADE):
                found[name] = path.read_text(encoding="utf-8")
    return found


CODE = {name: text for name, text in files("sigfeat").items() if name.endswith(".py")}
TREES = {name: ast.parse(text) for name, text in CODE.items()}


@pytest.mark.parametrize("folder", ["sigfeat/transformers", "sigfeat/nn"])
def test_a_folder_has_few_entries(folder):
    entries = sorted(path.name for path in (ROOT / folder).iterdir() if path.name != "__pycache__")
    assert len(entries) <= MAX_ENTRIES, entries


def test_files_are_short():
    texts = files("sigfeat", "tests", "benchmarks", "docs", "examples")
    long = {name: n for name, text in texts.items() if (n := text.count("\n")) > MAX_LINES}
    assert long == {}


def test_no_file_holds_what_has_no_name():
    stems = {Path(name).stem.strip("_") for name in CODE}
    assert [stem for stem in stems if stem in ("utils", "misc", "common") or stem.endswith("_utils")] == []


def n_parameters(function):
    arguments = function.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def has_the_parameters_of_an_estimator(file, function):
    """Whether it is the constructor of an estimator."""
    return function.name == "__init__" and file.startswith(("sigfeat/transformers/", "sigfeat/classifiers/"))


def test_functions_have_few_parameters():
    many = {
        f"{file}:{node.name}": n_parameters(node)
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and n_parameters(node) > MORE_PARAMETERS.get(f"{file}:{node.name}", MAX_PARAMETERS)
        and not has_the_parameters_of_an_estimator(file, node)
    }
    assert many == {}


def is_import_by_string(node):
    called = node.func if isinstance(node, ast.Call) else None
    return getattr(called, "attr", getattr(called, "id", "")) in ("import_module", "__import__")


def test_delayed_imports_are_statements():
    wrong = []
    for file, tree in TREES.items():
        for node in filter(is_import_by_string, ast.walk(tree)):
            name = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            third_party = name is not None and name.partition(".")[0] != "sigfeat"
            if not third_party and (name is not None or file not in BY_VARIABLE):
                wrong.append(f"{file}:{node.lineno}")
    assert wrong == []
