"""Floors: the least that a durable add can cost, done by hand with the same encoder, lock and system calls.

Encode a record of 150 bytes with simplejson, strictly; take the lock that keeps other processes out; write; unlock. For
durability "sync" the write goes into space that was allocated before, and fdatasync follows.
"""

from __future__ import annotations

import fcntl
import os

from hourwheel.store.file.system.kernel import fdatasync
from simplejson import JSONEncoder

from .workload import ARGS

ENCODE = JSONEncoder(
    allow_nan=False,
    ensure_ascii=True,
    separators=(",", ":"),
    encoding=None,  # type: ignore[arg-type]  # None refuses bytes; the stubs know only str
    use_decimal=False,
    namedtuple_as_object=False,
    tuple_as_array=False,
    for_json=False,
    skipkeys=False,
).encode
RECORD = {
    "id": "0192e4c0-a1b2-7c3d-8e4f-5a6b7c8d9e0f",
    "due_ms": 1763698517250,
    "task": "app.remind",
    "created_ms": 1763697617250,
    "payload": [list(ARGS), {}],
}
_ROOM = 1 << 20


class Floor:
    """Adds records to a file by hand."""

    def __init__(self, directory: str) -> None:
        self._file = os.open(os.path.join(directory, "floor"), os.O_RDWR | os.O_CREAT, 0o600)
        self._lock = os.open(os.path.join(directory, "floor.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        self._at = 0
        self._size = 0

    def add(self) -> None:
        """Durability "os"."""
        line = (ENCODE(RECORD) + "\n").encode("ascii")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.write(self._file, line)
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def add_synced(self) -> None:
        """Durability "sync"."""
        line = (ENCODE(RECORD) + "\n").encode("ascii")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        if self._at + len(line) > self._size:
            self._size += os.pwrite(self._file, b"\n" * _ROOM, self._size)
        os.pwrite(self._file, line, self._at)
        self._at += len(line)
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        fdatasync(self._file)

    def close(self) -> None:
        """Close the files."""
        os.close(self._file)
        os.close(self._lock)


def encode() -> str:
    """The encoding alone."""
    return str(ENCODE(RECORD))
