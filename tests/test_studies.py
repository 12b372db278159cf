"""What the studies share: kept records, cells that fail, processes, and the end of a command."""

import errno
import json
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from joblib.externals.loky.process_executor import BrokenProcessPool

from benchmarks.hyena_vs_mha.config import from_arguments
from benchmarks.study import apart, cells, command, runner
from benchmarks.study.files import write
from benchmarks.study.records import Records, file_name, rounded, write_results
from benchmarks.study.trackers import TRACKERS, log


@dataclass(frozen=True)
class Square:
    number: int

    def __str__(self):
        return f"square of, say, {self.number}"


@dataclass(frozen=True)
class Out:
    out: str


@pytest.fixture
def child(tmp_path, monkeypatch):
    """A shell script in place of Python in the processes that measure."""

    def stand_in(script):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(path))

    return stand_in


def measure(cell, store):
    if cell.number == 3:
        raise ValueError("three is odd")
    return cells.measured(cell, lambda: {"value": cell.number**2 / 3}, store)


def test_cells_are_kept_in_files_with_plain_names(tmp_path):
    store, cell = Records(tmp_path), Square(2)
    assert store.read(cell) is None
    record = measure(cell, store)
    assert record["value"] == 1.33333
    assert {"commit", "date", "wall_seconds"} <= set(record)
    assert store.found([Square(1), cell]) == {cell: record}
    assert file_name(cell).startswith("square-of-say-2-")
    assert file_name(cell) != file_name(Square(1))
    assert store.path(cell).is_file()
    store.path(cell).write_text("{")
    assert store.read(cell) is None


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_cell_that_fails_is_reported_and_left_out(tmp_path, capsys, n_jobs):
    import functools

    store, every = Records(tmp_path), [Square(number) for number in range(4)]
    runner.run_cells(5, [(every[:1], 1), (every[1:], n_jobs)], functools.partial(measure, store=store))
    assert list(store.found(every)) == every[:3]
    assert "square of, say, 3: not measured: three is odd" in capsys.readouterr().err


def test_results_hold_circumstances_and_records(tmp_path):
    write_results([{"a": 1}, {"a": 2}], {"cpu": "x"}, tmp_path)
    found = json.loads((tmp_path / "results.json").read_text())
    assert found == {"circumstances": {"cpu": "x"}, "records": [{"a": 1}, {"a": 2}]}


def test_rounded():
    found = rounded(
        {"a": [np.float64(1.23456789), np.nan, 2], "b": np.array([1e-7, np.inf]), "c": np.int64(3), "d": "x"}
    )
    assert found == {"a": [1.23457, None, 2], "b": [1e-7, None], "c": 3, "d": "x"}
    assert json.dumps(found)


def test_files_are_written_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "a.json"
    write(path, "before")

    def full(self, text):
        self.open("w").close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OSError, match="No space"):
        write(path, "after")
    assert path.read_bytes() == b"before"
    assert [found.name for found in path.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("script", "record"),
    [
        ("echo noise; echo '{\"a\": 1}'", {"a": 1}),
        ("kill -9 $$", {"failure": apart.KILLED}),
        ("echo first >&2; echo last >&2; exit 1", {"failure": "last"}),
        ("exit 3", {"failure": "exit status 3"}),
        ('echo "{\\"n\\": $NUMBA_NUM_THREADS}"', {"n": 2}),
        ("sleep 5", {"failure": apart.TOO_LONG}),
    ],
)
def test_answers_of_processes(child, script, record):
    child(script)
    assert apart.ask("module", {}, 0.5 if "sleep" in script else 60, n_threads=2) == record


def test_failures_are_answered_in_one_line(monkeypatch, capsys):
    import io

    def broken(text):
        raise RuntimeError(f"broken\n{text}")

    monkeypatch.setattr(sys, "stdin", io.StringIO('{"text": "' + 500 * "x" + '"}'))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pathlib.Path.write_text", lambda *args: None)  # which process the system kills first
        apart.answer(broken)
    failure = json.loads(capsys.readouterr().out.splitlines()[-1])["failure"]
    assert failure.startswith("RuntimeError: broken xxx")
    assert len(failure) == apart.LONGEST_FAILURE


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (KeyboardInterrupt(), 130, "stopped: what is finished is kept in here, and the same command goes on"),
        (BrokenProcessPool(), 1, "a process was killed, perhaps for want of memory"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device: here; what is finished is"),
        (ValueError("there is no data set"), 2, "there is no data set"),
    ],
)
def test_a_command_ends_with_one_sentence(capsys, error, status, sentence):
    def run(config):
        raise error

    with pytest.raises(SystemExit) as found:
        command.run_command(run, Out("here"))
    assert found.value.code == status
    assert capsys.readouterr().err.strip().startswith(sentence)


def test_tracker_that_is_not_installed(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        from_arguments(["--tracker", "wandb"])
    assert "--tracker wandb needs the package wandb: run `pip install wandb`" in capsys.readouterr().err


def test_a_tracker_that_fails(tmp_path):
    class Failing(TRACKERS["csv"]):
        def run(self, name, *rest):
            if name == "second":
                raise OSError("no network")

    with pytest.raises(ValueError, match="--tracker wandb failed: no network; the report and all records are in"):
        log(Failing(tmp_path, "p"), "wandb", [("first", 1), ("second", 2)], dict)
    assert json.loads((tmp_path / "wandb.json").read_text()) == ["first"]
