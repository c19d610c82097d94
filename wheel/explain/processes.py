"""Find the processes that take jobs from a JSON store, and whether they are alive.

A process that takes jobs holds a lock on an owner file of its own (store/file/system/lock.py). The kernel drops the
lock when the process dies, so whether it is alive is certain. Its pid, state and command line are read from /proc,
unless it runs in another container that shares the file.

Looking does not block writers. /proc/locks names the holders of locks. Only for a file that is not listed there is a
shared lock tried for an instant; a process that is about to lock its own file waits for that.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from ..contract import Store
from ..store import JsonStore, ReadOnlyStore
from ..store.file.system.begun import read_mark
from ..store.file.system.place import Place
from ..store.file.system.system import SYSTEM
from .when import shortened

_LOCK_LINE: Final = re.compile(r"^\d+: FLOCK +ADVISORY +WRITE +(\d+) [0-9a-f]+:[0-9a-f]+:(\d+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that takes jobs, or that died with jobs still marked as running."""

    owner: str
    """The owner name under which it claims jobs."""
    alive: bool
    since_ms: int | None = None
    """When it first asked for jobs, in milliseconds since the epoch."""
    pid: int | None = None
    stopped: bool = False
    """Whether it is suspended: by SIGSTOP, Ctrl-Z or a debugger."""
    command: str = ""
    queues: frozenset[str] | None = None
    """The queues after ``-Q`` on its command line; None without ``-Q``."""


def processes_of(store: Store) -> list[Process] | None:
    """Return the processes that have an owner file beside a store, by name; None if the store is not a JSON store."""
    if not isinstance(store, (JsonStore, ReadOnlyStore)):
        return None
    place = Place(store.path)
    holders = _holders()
    start = len(os.path.basename(place.path)) + len(".owner.")
    return [
        _process(unquote(name[start:]), os.path.join(place.directory, name), holders)
        for name in place.siblings(SYSTEM, "owner")
    ]


def _lives(path: str) -> bool:
    """Whether an owner file is locked by a process that /proc/locks does not list, as in another container.

    A file that cannot be opened counts as not locked.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _process(owner: str, path: str, holders: dict[int, int]) -> Process:
    try:
        status = os.stat(path)
    except OSError:  # removed meanwhile
        return Process(owner=owner, alive=False)
    mark = read_mark(SYSTEM, path)
    since_ms = status.st_mtime_ns // 1_000_000 if mark is None else mark[1]
    pid = holders.get(status.st_ino)
    if pid is None:
        return Process(owner=owner, alive=_lives(path), since_ms=since_ms)
    words = _read(f"/proc/{pid}/cmdline").rstrip("\0").split("\0")
    return Process(
        owner=owner,
        alive=True,
        since_ms=since_ms,
        pid=pid,
        stopped=_read(f"/proc/{pid}/stat").rpartition(") ")[2][:1] in ("T", "t"),
        command=shortened(" ".join(words).strip(), 100),
        queues=queues_in(words),
    )


def _holders() -> dict[int, int]:
    """The pid of the process that holds an exclusive lock, by the inode of the file."""
    return {int(inode): int(pid) for pid, inode in _LOCK_LINE.findall(_read("/proc/locks"))}


def queues_in(words: Sequence[str]) -> frozenset[str] | None:
    """The queues named by the command line of a ``hourwheel worker``; None if there are none, or for other commands.

    >>> sorted(queues_in(["hourwheel", "worker", "-A", "shop", "-Q", "mail,sms"]) or ())
    ['mail', 'sms']
    """
    if "worker" not in words:
        return None
    value = None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in ("-Q", "--queues"):
            value = following
        elif word.startswith(("-Q", "--queues=")):
            value = word.removeprefix("--queues=").removeprefix("-Q")
    return None if not value else frozenset(name.strip() for name in value.split(",") if name.strip())


def _read(path: str) -> str:
    with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
    return ""
