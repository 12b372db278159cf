"""The tests that are marked `gpu`, in a process of their own."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from benchmarks.study.apart import ROOT

MARK = "pytest.mark.gpu"
OF_CONFTEST = ("beartype", "hypothesis", "jaxtyping")  # packages without which tests/conftest.py cannot be loaded
MISSING = re.compile(r"No module named '([\w.]+)'|needs (\w+): run `pip install")
OUR_OWN = ("sigfeat", "tests", "benchmarks")
COUNTS = ("passed", "failed", "skipped")
SECONDS_TO_STOP = 10


def run_tests(seconds: float, root: Path = ROOT) -> dict[str, Any]:
    """Run the tests that are marked `gpu`, without the network and without the settings of pyproject.toml.

    Parameters
    ----------
    seconds : float
        Limit of time.
    root : Path
        Folder that has the folder `tests`.

    Returns
    -------
    record : dict
        "passed", "failed", "skipped": numbers of tests; "failures": their names; "not_loaded": a dict from files to the
        package that they need and that is not installed; "finished": whether all ran within the limit. If pytest did
        not write any results, only "not_run", the reason.
    """
    if importlib.util.find_spec("pytest") is None:
        return {"not_run": "pytest is not installed"}
    files = [path for path in sorted((root / "tests").glob("test_*.py")) if MARK in path.read_text(encoding="utf-8")]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        finished, last = _run(_command(files, root, report), root, seconds)
        if not report.exists():
            return {"not_run": f"pytest wrote no results: {last}" if finished else "the time was over"}
        return {**_counts(ElementTree.parse(report)), "finished": finished}


def _command(files, root, report):
    # settings of its own: other versions of torch may warn, and plugins to which the settings belong may be missing
    own = [
        "-c",
        os.devnull,
        f"--rootdir={root}",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore::pytest.PytestUnknownMarkWarning",
    ]
    bare = [] if all(map(importlib.util.find_spec, OF_CONFTEST)) else ["--noconftest"]
    how = ["-q", "-m", "gpu", "--continue-on-collection-errors", f"--junitxml={report}", *bare]
    return [sys.executable, "-m", "pytest", *own, *how, *map(str, files)]


def _run(command, root, seconds):
    """Whether the process ended within the limit, and the last line that it wrote."""
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output, _ = process.communicate(timeout=max(seconds, 1))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # pytest then writes the results that it has
        try:
            process.communicate(timeout=SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        return False, ""
    return True, (output.strip().splitlines() or [""])[-1]


def _counts(tree):
    found: dict[str, Any] = {**dict.fromkeys(COUNTS, 0), "failures": [], "not_loaded": {}}
    for case in tree.iter("testcase"):
        name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        problem = next((part for part in case if part.tag in ("failure", "error")), None)
        package = _missing(problem)
        if package:
            found["not_loaded"][name.removeprefix("tests.")] = package
        elif problem is not None:
            found["failed"] += 1
            found["failures"].append(name)
        elif case.find("skipped") is not None:
            found["skipped"] += 1
        else:
            found["passed"] += 1
    return found


def _missing(problem):
    """Package of others that is not installed, for want of which a test or its file fails, or None."""
    match = None if problem is None else MISSING.search(problem.text or "")
    package = (match[1] or match[2]).partition(".")[0] if match else None
    return None if package in OUR_OWN else package
