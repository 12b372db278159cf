"""Files that are damaged or forged are refused in a sentence, and no file of data is ever a program."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import sigfeat
from sigfeat import MHAEmbedder
from tests import fuzz_files

FOLDERS = [Path(sigfeat.__file__).parent, Path(__file__).parents[1] / "benchmarks"]
CODE = {"eval", "exec", "__import__", "pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "yaml"}
LOADERS = {
    "joblib": {"load"},
    "torch": {"load"},
    "pd": {"read_pickle"},
    "pandas": {"read_pickle"},
    "pickle": {"load", "loads"},
}


def test_random_damage_is_refused_in_a_sentence():
    counts = fuzz_files.run(600)
    assert set(counts) == {"estimators", "language models", "ts"}
    for n_cases, refused in counts.values():
        assert n_cases == 200
        assert 80 < refused < 200


def calls(tree):
    """Names of what is called, with the name in front of the dot, and the arguments by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            name = getattr(function, "attr", getattr(function, "id", ""))
            owner = "" if isinstance(function, ast.Name) else getattr(getattr(function, "value", None), "id", "?")
            yield node.lineno, owner, name, {keyword.arg: keyword.value for keyword in node.keywords}


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name.split(".")[0]) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module.split(".")[0]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_line_loads_a_pickle_or_runs_a_text(folder):
    found = []
    for file in sorted(folder.rglob("*.py")):
        tree = ast.parse(file.read_text())
        found += [f"{file}:{line} imports {name}" for line, name in imports(tree) if name in CODE]
        for line, owner, name, named in calls(tree):
            allowed = named.get("allow_pickle")
            unsafe = (
                (not owner and name in CODE)
                or name in LOADERS.get(owner, ())
                or (allowed is not None and not (isinstance(allowed, ast.Constant) and allowed.value is False))
            )
            if unsafe:
                found.append(f"{file}:{line} calls {owner}.{name}")
    assert found == []


def test_loading_an_estimator_looks_up_no_class_of_a_pickle(tmp_path):
    MHAEmbedder(n_heads=2, **fuzz_files.SMALL).fit([[1.0, 2.0, 4.0], [3.0, 1.0, 0.0]]).save(tmp_path / "saved")
    program = """
        import sys
        import torch
        from sigfeat import MHAEmbedder
        MHAEmbedder.load(sys.argv[1])  # which imports what it needs
        seen = []
        forbidden = ("pickle.find_class", "os.system", "subprocess.Popen", "exec", "socket.connect", "marshal.loads")
        sys.addaudithook(lambda event, arguments: seen.append(event) if event in forbidden else None)
        MHAEmbedder.load(sys.argv[1])
        print(seen)
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program), str(tmp_path / "saved")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr
