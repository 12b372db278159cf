"""Costs that are measured in rounds: processes of their own, their memory, and what stops them."""

import os
import signal
import sys

import pytest

from benchmarks.hyena_vs_mha import cost, turns
from benchmarks.hyena_vs_mha.cost import flops
from benchmarks.hyena_vs_mha.turns import copied, left_out, measure_apart, measure_in_turns
from benchmarks.study.apart import KILLED, TOO_LONG

MIB = 2**20


@pytest.fixture
def child(tmp_path, monkeypatch):
    """A shell script in place of Python in the processes that measure."""

    def stand_in(script):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(path))

    return stand_in


@pytest.fixture
def simulated(monkeypatch):
    """A clock that only runs of mixers move, by the seconds of each mixer, and the runs in their order."""

    def simulate(seconds):
        now, runs = [0.0], []

        def prepared(name, *_):
            def run():
                runs.append(name)
                now[0] += seconds[name]

            return run

        def first(name, *_):
            return {"first_seconds": seconds[name], "peak_bytes": 5} if seconds[name] else {"failure": TOO_LONG}

        monkeypatch.setattr(turns, "prepared", prepared)
        monkeypatch.setattr(turns, "_first", first)
        monkeypatch.setattr(turns, "copied", lambda function, timeout: function())
        monkeypatch.setattr(turns.time, "perf_counter", lambda: now[0])
        return runs

    return simulate


def test_mixers_take_turns(simulated):
    runs = simulated({"A": 0.1, "B": 0.2})
    found = measure_in_turns(["A", "B"], 8, "forward", 1, 3, limit=10)
    assert runs == ["A", "B"] * 4  # the first of them is not timed
    assert found["B"]["seconds"] == pytest.approx([0.2] * 3)
    assert found["A"]["peak_bytes"] == 5
    assert "failure" not in found["A"]


def test_slow_mixers_take_part_in_fewer_rounds(simulated):
    runs = simulated({cost.FUSED: 2.0, "Hyena order 2": 0.1, cost.GRU: 9.0, cost.EXPLICIT: None})
    found = measure_in_turns([cost.FUSED, "Hyena order 2", cost.GRU, cost.EXPLICIT], 8, "forward", 1, 5, limit=28)
    assert {name: len(one["seconds"]) for name, one in found.items()} == {
        cost.FUSED: 3,  # with its first run 8 seconds
        "Hyena order 2": 5,
        cost.GRU: 1,
        cost.EXPLICIT: 0,
    }
    assert runs[:4] == ["Hyena order 2", cost.FUSED, "Hyena order 2", cost.GRU]
    assert found[cost.EXPLICIT] == {"seconds": [], "peak_bytes": None, "failure": TOO_LONG}


def test_a_copy_of_the_process():
    assert copied(lambda: {"number": 3}, 60) == {"number": 3}
    assert copied(lambda: [][0], 60) == {"failure": "IndexError: list index out of range"}
    assert copied(lambda: turns.time.sleep(60), 0.1) == {"failure": TOO_LONG}
    assert copied(lambda: os.kill(os.getpid(), signal.SIGKILL), 60) == {"failure": KILLED}


def test_processes_of_their_own_and_their_memory():
    names = [cost.EXPLICIT, cost.FUSED]
    explicit, fused = measure_apart(names, 1024, "forward", batch=4, repeat=2, limit=100)
    of_a_matrix = 4 * 4 * 4 * 1024**2  # bytes, batch, heads, entries
    assert of_a_matrix == 64 * MIB
    assert of_a_matrix < explicit["peak_bytes"] < 4 * of_a_matrix
    assert MIB < fused["peak_bytes"] < of_a_matrix / 2  # its output alone is one MiB
    assert [len(record["seconds"]) for record in (explicit, fused)] == [2, 2]
    assert [record["name"] for record in (explicit, fused)] == names
    assert min(explicit["seconds"] + fused["seconds"]) > 0
    assert "failure" not in explicit | fused


def test_a_process_that_fails_is_quoted(child):
    child("echo first >&2; echo 'OSError: no room' >&2; exit 3")
    with pytest.raises(RuntimeError) as found:
        measure_apart([cost.GRU], 64, "forward", 1, 1, limit=60)
    assert str(found.value) == "the cost of GRU at length 64, forward, could not be measured: OSError: no room"
    child("exit 3")
    with pytest.raises(RuntimeError, match="measured: exit status 3"):
        measure_apart([cost.GRU], 64, "forward", 1, 1, limit=60)


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ("kill -9 $$", "memory"),
        ("echo MemoryError >&2; exit 1", "memory"),
        ('echo "RuntimeError: DefaultCPUAllocator: can\'t allocate memory" >&2; exit 1', "memory"),
        ("exec sleep 60", "time"),
    ],
)
def test_a_record_of_what_could_not_be_measured(child, monkeypatch, script, failure):
    child(script)
    monkeypatch.setattr(turns, "SECONDS_OF_START", 0.1)
    (record,) = measure_apart([cost.GRU], 64, "training", 1, 2, limit=0.1 if failure == "time" else 60)
    assert record == {
        "name": cost.GRU,
        "n_parameters": 2 * (6 * 64**2 + 6 * 64) + 2 * 64**2 + 64,
        "flops": flops(cost.GRU, 64, "training", 1),
        "seconds": [],
        "peak_bytes": None,
        "failure": failure,
    }
    assert left_out(cost.GRU, 64, "training", 1) == record | {"failure": "left out"}


def test_matrices_that_do_not_fit_are_not_tried(monkeypatch):
    tried = []
    monkeypatch.setattr(turns, "copied", lambda function, timeout: tried.append(function.args) or {})
    monkeypatch.setattr(turns, "available_memory", lambda: 2**30)
    # in a forward run two matrices of 16 length^2 numbers of 4 bytes: 3/4 GiB at 2508 tokens
    assert turns._first(cost.EXPLICIT, 2509, "forward", 4, 60) == {"failure": "MemoryError"}
    assert turns._first(cost.EXPLICIT, 2508, "training", 4, 60) == {"failure": "MemoryError"}
    assert tried == []
    turns._first(cost.EXPLICIT, 2508, "forward", 4, 60)
    turns._first(cost.EXPLICIT, 2509, "forward", 1, 60)
    turns._first(cost.FUSED, 10**6, "training", 4, 60)
    assert len(tried) == 3


@pytest.mark.parametrize(
    ("name", "length", "repeat", "words"),
    [
        ("attention", 8, 1, "name must be one of"),
        (cost.GRU, 0, 1, "length must be at least 1, got 0"),
        (cost.GRU, 8, 0, "repeat must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_measured(name, length, repeat, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        measure_apart([name], length, "forward", 1, repeat, limit=4)
