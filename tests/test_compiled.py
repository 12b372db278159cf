"""The decorator of the compiled loops: its disk cache, and one variant for writable and read-only arrays."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigfeat._kernels import compiled
from sigfeat._kernels.words.full import full_words
from sigfeat._kernels.words.iterated_sums import end_values

KERNELS = Path(compiled.__file__).parent
PROBE = """
from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.simd.constant import FACTOR

@compiled
def inner(x):
    return x * FACTOR

@compiled
def outer(x):
    return inner(x) + 1
"""
CALL = "from sigfeat._kernels.probe import inner, outer; print(outer(1), len(outer.stats.cache_hits)); inner(1.5)"


@pytest.fixture
def package(tmp_path):
    """A copy of what the decorator needs, with two loops, one constant in another file, and its environment."""
    root = tmp_path / "copy"
    (root / "sigfeat" / "_kernels" / "simd").mkdir(parents=True)
    for name in ("__init__.py", "_kernels/__init__.py", "_kernels/compiled.py", "_kernels/simd/__init__.py"):
        shutil.copy(KERNELS.parent / name, root / "sigfeat" / name)
    shutil.copy(KERNELS / "simd" / "emitter.py", root / "sigfeat" / "_kernels" / "simd")
    (root / "sigfeat" / "_kernels" / "probe.py").write_text(PROBE)
    (root / "sigfeat" / "_kernels" / "simd" / "constant.py").write_text("FACTOR = 2\n")
    return root


def run(package, code=CALL, **environment):
    environment = {**os.environ, "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-W", "default", "-c", code]
    done = subprocess.run(command, env=environment, cwd=package, capture_output=True, text=True, check=True)
    return done.stdout.split(), done.stderr


def test_an_edit_in_another_file_changes_the_next_result(package, tmp_path):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert run(package, **cache) == (["3", "0"], "")
    assert run(package, **cache) == (["3", "1"], "")
    assert list((tmp_path / "cache").rglob("*.nbi"))
    (package / "sigfeat" / "_kernels" / "simd" / "constant.py").write_text("FACTOR = 5\n")
    assert run(package, **cache) == (["6", "0"], "")


def test_the_stamp_depends_on_every_file(tmp_path):
    copy = tmp_path / "sigfeat"
    shutil.copytree(KERNELS, copy / "_kernels", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pooling.py", "semirings.py"):
        shutil.copy(KERNELS.parent / name, copy)
    before = compiled.source_stamp(copy)
    files = sorted(copy.rglob("*.py"))
    assert len(files) > 20
    for file in files:
        source = file.read_bytes()
        file.write_bytes(source + b"\n")
        assert compiled.source_stamp.__wrapped__(copy) != before, file
        file.write_bytes(source)
    assert compiled.source_stamp.__wrapped__(copy) == before == compiled.source_stamp()


def test_without_any_writable_folder_there_is_one_warning(package, tmp_path):
    file = tmp_path / "file"
    file.touch()
    for folder in ("_kernels", "_kernels/simd"):
        (package / "sigfeat" / folder / "__pycache__").touch()  # a file: nobody, root included, can write into it
    nowhere = str(file / "below")
    found, errors = run(package, NUMBA_CACHE_DIR=nowhere, HOME=nowhere, XDG_CACHE_HOME=nowhere, LOCALAPPDATA=nowhere)
    assert found == ["3", "0"]
    assert errors.count("NUMBA_CACHE_DIR") == 1


def test_a_folder_that_became_unwritable_is_no_error(package, tmp_path):
    code = f"""
import shutil, pathlib
from sigfeat._kernels.probe import outer
shutil.rmtree({str(tmp_path / "cache")!r})
pathlib.Path({str(tmp_path / "cache")!r}).touch()
print(outer(1))
"""
    found, errors = run(package, code, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert found == ["3"]
    assert errors.count("NUMBA_CACHE_DIR") == 1


def end_values_of(X):
    out = np.empty((3, 6))
    scaling = {"shift": np.zeros(2), "scale": np.ones(2)}
    end_values(X, np.full(3, 7), 2, strict=True, decay_factor=1.0, n_threads=1, out=out, **scaling)
    return out


def test_read_only_arrays_and_frames_use_the_same_machine_code(tmp_path):
    X = np.random.default_rng(0).normal(size=(3, 2, 7))
    expected, n_variants = end_values_of(X), len(full_words.signatures)
    np.save(tmp_path / "X.npy", X)
    frozen = X.copy()
    frozen.flags.writeable = False
    frame = pd.DataFrame(X.reshape(3, 14)).to_numpy().reshape(3, 2, 7)
    for same in (frozen, np.load(tmp_path / "X.npy", mmap_mode="r"), frame, np.asfortranarray(X)):
        np.testing.assert_array_equal(end_values_of(same), expected)
    assert not frozen.flags.writeable
    assert len(full_words.signatures) == n_variants


def test_read_only_arrays_inside_of_tuples_become_writable():
    values = np.arange(6.0)[::2]
    values.flags.writeable = False
    (seen,), number = compiled._as_writable(((values,), 1))
    assert seen.flags.writeable
    assert seen.strides == values.strides
    assert np.shares_memory(seen, values)
    assert number == 1
    assert compiled._as_writable(np.empty((0, 3))).shape == (0, 3)
