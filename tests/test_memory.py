"""The size of an output is checked before it is allocated."""

import numpy as np
import pytest

from sigfeat.transformers._contract import memory as _memory
from sigfeat.transformers._contract.memory import available_memory, check_output_size

GIB = 2**30


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{text}\n")


@pytest.fixture
def root(tmp_path):
    """A machine with 8 GiB left."""
    write(tmp_path, {"proc/meminfo": f"MemTotal: 99999999 kB\nMemAvailable: {8 * GIB // 1024} kB"})
    return tmp_path


def test_without_control_groups_it_is_what_the_machine_has_left(root):
    assert available_memory(root) == 8 * GIB


def test_a_system_that_says_nothing_grants_its_physical_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(_memory.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.get)
    assert available_memory(tmp_path) == 4096 * 1000
    monkeypatch.delattr(_memory.os, "sysconf")
    assert available_memory(tmp_path) > 2**60


@pytest.mark.parametrize("path", ["/job/step", "/job", "/somewhere/on/the/host"])
def test_the_tightest_of_the_nested_groups_counts(root, path):
    groups = root / "sys/fs/cgroup"
    write(root, {"proc/self/cgroup": f"0::{path}"})
    write(
        groups,
        {
            "job/memory.max": 3 * GIB,
            "job/memory.current": GIB,
            "job/memory.stat": f"inactive_file {GIB // 2}",
        },
    )
    write(groups, {"job/step/memory.max": "max", "job/step/memory.current": GIB})
    write(groups, {"memory.max": 5 * GIB, "memory.current": GIB})
    assert available_memory(root) == (4 * GIB if "host" in path else 5 * GIB // 2)


def test_groups_of_the_first_version_count_too(root):
    write(root, {"proc/self/cgroup": "5:cpu,cpuacct:/\n4:memory:/job\n0::/"})
    job = root / "sys/fs/cgroup/memory/job"
    write(job, {"memory.limit_in_bytes": 2 * GIB, "memory.usage_in_bytes": 3 * GIB})
    assert available_memory(root) == 0
    write(job, {"memory.limit_in_bytes": 9223372036854771712})
    assert available_memory(root) == 8 * GIB


def test_what_does_not_fit_is_told_with_its_size(monkeypatch):
    monkeypatch.setattr(_memory, "available_memory", lambda: GIB)
    check_output_size(2**17, 2**10, np.float64, "this")
    check_output_size(2**18, 2**10, np.float32, "this")
    with pytest.raises(
        ValueError, match=r"^depth=9 would give 1025 features for each of 131072 series, 1\.00 GiB, but 1 GiB"
    ):
        check_output_size(2**17, 2**10 + 1, np.float64, "depth=9")
    with pytest.raises(
        ValueError, match=r"1 GiB and 0\.5 GiB to work in, but 1 GiB of memory are available: lower the depth"
    ):
        check_output_size(2**17, 2**10, np.float64, "depth=9", workspace=GIB // 2)
    with pytest.raises(ValueError, match=r"1\.00000e\+5000 features for each of 1 series, 7\.45e\+4991 GiB"):
        check_output_size(1, 10**5000, np.float64, "depth=5000")
