"""What tests ask the kernel, on Linux and on macOS."""

from __future__ import annotations

import os
import subprocess

import pytest
from hourwheel.store.file.system.kernel import open_descriptors, path_of

needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only /proc tells which process it is")


def open_below(directory: str) -> list[str]:
    """What this process has open of a directory."""
    names = []
    for fd in open_descriptors():
        try:
            names.append(path_of(fd))
        except OSError:  # that was the listing's own
            continue
    return [name for name in names if name.startswith(directory)]


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def lives(pid: int) -> bool:
    """Whether there is such a process, and it is not a zombie."""
    return _ps(pid, "state")[:1] not in ("", "Z")


def children_of(pid: int) -> list[int]:
    said = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(child) for child, parent in map(str.split, said.splitlines()) if int(parent) == pid]


def _ps(pid: int, what: str) -> str:
    command = ["ps", "-o", f"{what}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
