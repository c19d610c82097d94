"""Processes for campaigns: forked, watched, and asked what they found."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from .pace import patient
from .report import Report

LATE = -99
"""The status of a process that did not end in time and was killed for it."""


def forked(work: Callable[[], object]) -> int:
    """The pid of a child that does ``work`` and ends: with status 0, or 1 and a traceback."""
    pid = os.fork()
    if pid == 0:
        _work_and_end(work)
    return pid


def _work_and_end(work: Callable[[], object]) -> NoReturn:
    status = 1
    try:
        work()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stderr.flush()
        finally:
            os._exit(status)


def ended(pid: int, within_s: float) -> int:
    """Wait for a child; its status (a signal's number below zero), or LATE. The time is that of pace.patient()."""
    fd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        late = not poll.poll(max(0.0, patient(within_s)) * 1000)
        if late:
            os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(fd)
    return LATE if late else status


def until(condition: Callable[[], object], within_s: float, pause_s: float = 0.002) -> bool:
    """Wait for something that another process does; False if it did not come. The time is that of pace.patient()."""
    end = time.monotonic() + patient(within_s)
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause_s)
    return True


def runs(pid: int) -> bool:
    """Whether a process that is no child of ours has not ended yet."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def found_by_child(work: Callable[[], Report], within_s: float, *, name: str) -> Report:
    """The report of ``work`` done in a child of its own; that it did not end in time, or badly, is a violation."""
    with scratch() as directory:
        path = os.path.join(directory, "report")

        def work_and_tell() -> None:
            os.setpgid(0, 0)
            report = work()
            with open(path, "w") as file:
                json.dump(report.as_json(), file)

        pid = forked(work_and_tell)
        status = ended(pid, within_s)
        _end_group(pid)
        if status == 0:
            with open(path) as file:
                return Report.from_json(json.load(file))
    report = Report(cases=1)
    report.wrong(f"{name}: {'did not end in time' if status == LATE else f'ended with status {status}'}")
    return report


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def add_to(report: Report, other: Report) -> None:
    """Count what another report has counted, too."""
    report.cases += other.cases
    report.violations.update(other.violations)
    report.figures.update(other.figures)


@contextmanager
def scratch(*, in_memory: bool = False) -> Iterator[str]:
    """A directory for one case. (A TemporaryDirectory would be removed by each child that runs atexit's functions.)

    With ``in_memory`` it is one without a disk, where there is such: what is tried is no matter of the disk.
    """
    where = "/dev/shm" if in_memory and os.path.isdir("/dev/shm") else None
    directory = tempfile.mkdtemp(prefix="hourwheel-", dir=where)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def append_line(path: str, *words: object) -> None:
    """Add a line to a file that many processes write, whole; it is there although the process is killed at once."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, (" ".join(map(str, words)) + "\n").encode())
    finally:
        os.close(fd)


def lines_of(path: str) -> list[list[str]]:
    """The words of each whole line of such a file."""
    try:
        with open(path) as file:
            return [line.split() for line in file.read().rpartition("\n")[0].splitlines()]
    except FileNotFoundError:
        return []
