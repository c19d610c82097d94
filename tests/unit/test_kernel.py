"""What does instead of what only Linux has. (Whole programs with it are in tests/process/test_without_linux.py.)"""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hourwheel import kernel
from hourwheel.kernel import End, EndLookedFor, Lifeline, end_of, nameless_file, processors, resident_kib


def test_all_processors_count_where_the_system_does_not_tell_which_are_ours(monkeypatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert processors() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1


@pytest.mark.parametrize("offered", [True, False])
def test_a_nameless_file_is_shared_memory_and_leaves_nothing_behind(monkeypatch, tmp_path: Path, offered: bool) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not offered:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    fd = nameless_file("test")
    assert (list(tmp_path.iterdir()), os.get_inheritable(fd), os.fstat(fd).st_size) == ([], False, 0)
    os.truncate(fd, 8)
    with mmap.mmap(fd, 8) as here, mmap.mmap(fd, 8) as there:
        here[:3] = b"one"
        assert there[:3] == b"one"
    os.close(fd)


def test_memory_is_told_in_kib_wherever_the_system_counts_in_bytes(monkeypatch) -> None:
    now = resident_kib()
    monkeypatch.setattr(kernel, "_PAGES", "/no/such/file")
    most = resident_kib()
    assert 1_000 < now < 100 * most
    monkeypatch.setattr(sys, "platform", "darwin")
    assert resident_kib() == pytest.approx(most / 1024, rel=0.5)


# ---- the end of a process --------------------------------------------------------------------------------

WAYS = [
    EndLookedFor,
    pytest.param(End, marks=pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux offers it")),
]


def started(script: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0)


def closed(process: subprocess.Popen[bytes], end: End) -> None:
    end.close()
    process.communicate()


@pytest.mark.parametrize("way", WAYS)
def test_what_a_process_has_written_is_told_before_its_end(way: type[End]) -> None:
    process = started("read go; echo done; exit 3")
    assert process.stdin is not None and process.stdout is not None
    end = way(process, process.stdout.fileno())
    assert end.or_readable(0.0) == (False, False)
    assert not end.has_come(0.0)
    process.stdin.write(b"go\n")
    process.stdin.flush()
    assert end.or_readable(None)[1]
    assert os.read(process.stdout.fileno(), 9) == b"done\n"
    assert end.has_come(30.0)
    assert end.or_readable(30.0) != (False, False)
    assert process.wait() == 3
    closed(process, end)


@pytest.mark.parametrize("way", WAYS)
def test_a_death_is_noticed_although_a_program_that_it_started_holds_the_other_end(way: type[End]) -> None:
    process = started("sleep 60 & kill -9 $$")
    assert process.stdout is not None
    end = way(process, process.stdout.fileno())
    assert end.or_readable(30.0) == (True, False)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -9
    closed(process, end)


@pytest.mark.parametrize("way", WAYS)
def test_an_end_can_be_waited_for_alone_after_the_other_end_was_closed(way: type[End]) -> None:
    process = started("exec >&-; read go")
    assert process.stdin is not None and process.stdout is not None
    end = way(process, process.stdout.fileno())
    assert end.or_readable(30.0) == (False, True)
    assert os.read(process.stdout.fileno(), 9) == b""
    end.only()
    assert end.or_readable(0.0) == (False, False)
    process.stdin.close()
    process.stdin = None
    assert end.or_readable(30.0) == (True, False)
    closed(process, end)


def test_a_process_that_cannot_be_watched_is_looked_for(monkeypatch) -> None:
    process = started("exit")
    assert process.stdout is not None
    monkeypatch.setattr(kernel, "_PIDFD_OPEN", None)
    end = end_of(process, process.stdout.fileno())
    assert type(end) is EndLookedFor
    assert end.has_come(30.0)
    closed(process, end)


# ---- a parent's death ------------------------------------------------------------------------------------

CHILD = """
import os, sys, time
from hourwheel import kernel
kernel._PRCTL = None
kernel.die_with(os.getppid() + int(sys.argv[2]), int(sys.argv[1]))
print("alive", flush=True)
time.sleep(60)
"""


def child_on(lifeline: Lifeline, *, stranger: int = 0) -> subprocess.Popen[bytes]:
    passed = lifeline.to_pass
    command = [sys.executable, "-c", CHILD, *map(str, passed), str(stranger)]
    process = subprocess.Popen(command, pass_fds=passed, stdout=subprocess.PIPE)
    lifeline.passed()
    return process


def test_a_child_is_killed_as_soon_as_the_lifeline_is_cut(monkeypatch) -> None:
    monkeypatch.setattr(kernel, "_PRCTL", None)
    lifeline = Lifeline()
    process = child_on(lifeline)
    assert process.stdout is not None
    assert process.stdout.readline() == b"alive\n"
    lifeline.close()
    lifeline.close()
    assert process.wait(30) == -9
    process.stdout.close()


def test_a_child_whose_parent_has_died_before_it_could_ask_does_not_begin(monkeypatch) -> None:
    monkeypatch.setattr(kernel, "_PRCTL", None)
    lifeline = Lifeline()
    process = child_on(lifeline, stranger=1)
    assert process.communicate(timeout=30)[0] == b""
    assert process.returncode == 1
    lifeline.close()


@pytest.mark.skipif(kernel._PRCTL is None, reason="only Linux kills children by itself")
def test_where_the_kernel_kills_children_there_is_no_pipe_to_hold() -> None:
    lifeline = Lifeline()
    assert lifeline.to_pass == []
    lifeline.passed()
    lifeline.close()
