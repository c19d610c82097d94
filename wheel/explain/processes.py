"""Processes: which of them take jobs from a store now, by the life signs that the kernel keeps for them.

A process that takes jobs holds a lock on a file of its own (store/file/system/lock.py), which the kernel drops when it
dies. So whether one lives is certain. Its number, its state and its command line are the kernel's word too, where this
process may see it: not in another container that shares the file.

To look takes no writers' lock: the kernel is asked who holds a sign, and only where it names nobody is the lock tried,
shared and for an instant, which who shows a sign sits out.
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

_LOCK_LINE: Final = re.compile(r"^\d+: FLOCK +ADVISORY +WRITE +(\d+) [0-9a-f]+:[0-9a-f]+:(\d+) ", re.MULTILINE)
_STOPPED: Final = frozenset("Tt")
_LONGEST_COMMAND: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One that takes jobs, or has taken jobs that still count as running."""

    owner: str
    """In whose name it claims."""
    alive: bool
    since_ms: int | None = None
    """When it took its first job, or looked for one, in milliseconds since the epoch."""
    pid: int | None = None
    stopped: bool = False
    """It lives, and does nothing: a SIGSTOP, Ctrl-Z, or a debugger."""
    command: str = ""
    queues: frozenset[str] | None = None
    """What its command line says after ``-Q``; None if it says nothing."""


def processes_of(store: Store) -> list[Process] | None:
    """Those that the life signs beside a store tell of, by name; None if that store has no such signs."""
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
    """Whether somebody holds a sign whose holder the kernel does not name: one in another container, or nobody.

    A sign that may not be opened is held by nobody, then.
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
    except OSError:  # gone since
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
        stopped=_state(pid) in _STOPPED,
        command=_shortened(" ".join(words).strip()),
        queues=queues_in(words),
    )


def _holders() -> dict[int, int]:
    """By the number of a file, the process that holds a lock on it."""
    return {int(inode): int(pid) for pid, inode in _LOCK_LINE.findall(_read("/proc/locks"))}


def _state(pid: int) -> str:
    return _read(f"/proc/{pid}/stat").rpartition(") ")[2][:1]


def _shortened(command: str) -> str:
    return command if len(command) <= _LONGEST_COMMAND else command[: _LONGEST_COMMAND - 1] + "…"


def queues_in(words: Sequence[str]) -> frozenset[str] | None:
    """The queues that the command line of a ``hourwheel worker`` names; None if it names none, or is none.

    >>> sorted(queues_in(["hourwheel", "worker", "-A", "shop", "-Q", "mail,sms"]) or ())
    ['mail', 'sms']
    """
    if "worker" not in words:
        return None
    told = None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in ("-Q", "--queues"):
            told = following
        elif word.startswith(("-Q", "--queues=")):
            told = word.removeprefix("--queues=").removeprefix("-Q")
    return None if not told else frozenset(name.strip() for name in told.split(",") if name.strip())


def _read(path: str) -> str:
    with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
    return ""
