"""System: every system call of the JSON store, in one place.

Production uses the functions of ``os`` and ``fcntl``, and the syncs of kernel.py, which on Linux are those of ``os``.
Tests pass a System whose calls fail, are recorded, or kill the process.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from . import kernel

READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
MAKE: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_PIECE: Final = 1 << 24


class Directory:
    """What a System knows of the directory of a store; within.py has one that holds it open."""

    has_directories = True
    """Whether a directory can be opened, and names be looked up in it."""

    def take(self, path: str) -> None:
        """Hold the directory of the store at ``path`` open; from then on names are looked up in it."""

    def let_go(self) -> None:
        """Hold it no longer."""

    def note_owner(self, path: str) -> None:
        """Note who owns the store at ``path``, for the files that are made from now on."""


class System(Directory):
    """The calls; see ``os`` and ``fcntl`` for what each does."""

    open = staticmethod(os.open)
    close = staticmethod(os.close)
    pread = staticmethod(os.pread)
    pwrite = staticmethod(os.pwrite)
    fsync = staticmethod(kernel.fsync)
    fdatasync = staticmethod(kernel.fdatasync)
    ftruncate = staticmethod(os.ftruncate)
    fstat = staticmethod(os.fstat)
    stat = staticmethod(os.stat)
    lstat = staticmethod(os.lstat)
    replace = staticmethod(os.replace)
    unlink = staticmethod(os.unlink)
    listdir = staticmethod(os.listdir)
    flock = staticmethod(fcntl.flock)
    fchown = staticmethod(os.fchown)
    fchmod = staticmethod(os.fchmod)


SYSTEM = System()


@contextmanager
def opened(system: System, path: str, flags: int = READ) -> Iterator[int]:
    """Open a file for a ``with`` block."""
    fd = system.open(path, flags, 0o600)
    try:
        yield fd
    finally:
        close_file(system, fd)


def pread_all(system: System, fd: int, at: int = 0, end: int = 1 << 62) -> bytes:
    """What a file holds from ``at`` up to ``end``, or to its end."""
    pieces = []
    while at < end and (piece := system.pread(fd, min(_PIECE, end - at), at)):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


def close_file(system: System, fd: int) -> None:
    """Close a descriptor. An error does not matter here: what had to be on the disk was synced before."""
    try:
        system.close(fd)
    except OSError:
        return


def write_all(system: System, fd: int, data: bytes, offset: int) -> None:
    """Write ``data`` at ``offset``, whole.

    Raises:
        OSError: the write failed or stayed short; how much of it is in the file is not known.
    """
    written = system.pwrite(fd, data, offset)
    while written < len(data):
        more = system.pwrite(fd, data[written:], offset + written)
        if more <= 0:
            raise OSError(f"short write: {written} of {len(data)} bytes at {offset}")
        written += more


def sync_directory(system: System, path: str) -> None:
    """Make the names in a directory durable."""
    fd = system.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        system.fsync(fd)
    finally:
        close_file(system, fd)
